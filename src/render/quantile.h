/* Quantiles of a stream of positive numbers in bounded memory.
 *
 * Counts by binary exponent and the next 6 bits: a quantile is off by at most 0.8 %, over the whole range of double that a
 * gradient can take (2^-256 to 2^256; beyond that the outermost bucket counts). Only octaves that occur take memory. */
#ifndef GRADTOOL_RENDER_QUANTILE_H
#define GRADTOOL_RENDER_QUANTILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

enum { QUANTILE_OCTAVES = 512, QUANTILE_STEPS = 64 };

typedef struct QuantileSketch {
    Arena *arena;
    uint16_t octave[QUANTILE_OCTAVES]; /* 1 + the place of its counts in `counts`, 0 when it has none */
    uint32_t (*counts)[QUANTILE_STEPS];
    int octaves, capacity;
    int64_t count, zeros, nonfinite; /* finite and not zero, exactly zero, not finite */
    double low, high;                /* of the finite ones that are not zero; NaN when there are none */
} QuantileSketch;

void quantile_init(QuantileSketch *sketch, Arena *arena);
/* The magnitude of `value` is counted; run_missing() is not. */
void quantile_add(QuantileSketch *sketch, double value);
/* The value below which the fraction `at` (0 to 1) of the finite values that are not zero lies; NaN when there are none. */
double quantile_at(const QuantileSketch *sketch, double at);

#endif
