#include "render/quantile.h"

#include <math.h>
#include <string.h>

#include "monitor/run_line.h"

enum { STEP_BITS = 6, FIRST_EXPONENT = -256 };

void quantile_init(QuantileSketch *sketch, Arena *arena)
{
    *sketch = (QuantileSketch){.arena = arena, .low = NAN, .high = NAN};
}

/* The bucket is read off the bits of the number: 11 of exponent (bias 1023), then the leading ones of the fraction. */
static void bucket_of(double value, int *octave, int *step)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    *octave = (int)(bits >> 52 & 0x7ff) - 1023 - FIRST_EXPONENT;
    *step = (int)(bits >> (52 - STEP_BITS) & (QUANTILE_STEPS - 1));
    if (*octave < 0) {
        *octave = 0;
        *step = 0;
    } else if (*octave >= QUANTILE_OCTAVES) {
        *octave = QUANTILE_OCTAVES - 1;
        *step = QUANTILE_STEPS - 1;
    }
}

static uint32_t *counts_of(QuantileSketch *sketch, int octave)
{
    if (sketch->octave[octave] == 0) {
        if (sketch->octaves == sketch->capacity) {
            int larger = sketch->capacity ? 2 * sketch->capacity : 4;
            size_t row = sizeof *sketch->counts;
            sketch->counts = arena_grow(sketch->arena, sketch->counts, (size_t)sketch->capacity * row, (size_t)larger * row);
            sketch->capacity = larger;
        }
        sketch->octave[octave] = (uint16_t)++sketch->octaves;
    }
    return sketch->counts[sketch->octave[octave] - 1];
}

void quantile_add(QuantileSketch *sketch, double value)
{
    if (run_is_missing(value))
        return;
    value = fabs(value);
    if (value == 0) {
        sketch->zeros++;
        return;
    }
    if (!isfinite(value)) {
        sketch->nonfinite++;
        return;
    }
    int octave, step;
    bucket_of(value, &octave, &step);
    counts_of(sketch, octave)[step]++;
    sketch->count++;
    if (!(sketch->low <= value))
        sketch->low = value;
    if (!(sketch->high >= value))
        sketch->high = value;
}

double quantile_at(const QuantileSketch *sketch, double at)
{
    if (sketch->count == 0)
        return NAN;
    double wanted = at * (double)(sketch->count - 1);
    int64_t below = 0;
    for (int octave = 0; octave < QUANTILE_OCTAVES; octave++) {
        if (sketch->octave[octave] == 0)
            continue;
        const uint32_t *counts = sketch->counts[sketch->octave[octave] - 1];
        for (int step = 0; step < QUANTILE_STEPS; step++) {
            below += counts[step];
            if ((double)below > wanted) {
                double middle = ldexp(1 + (step + 0.5) / QUANTILE_STEPS, octave + FIRST_EXPONENT);
                return fmin(fmax(middle, sketch->low), sketch->high);
            }
        }
    }
    return sketch->high;
}
