/* Samples for a critic: real ones (target +1) from clouds on a ring, fake ones (target -1) from one broad cloud at the
 * centre, in turn. A critic of the Wasserstein loss learns to tell them apart. */
#include <math.h>

#include "data/reader.h"

#define PI 3.14159265358979323846
#define RADIUS 2.0

static void fill(const Generator *options, size_t index, Draws *draws, float *input, float *target)
{
    bool is_real = index % 2 == 0;
    size_t clouds = (size_t)options->classes;
    double angle = 2 * PI * (double)(index / 2 % clouds) / (double)clouds;
    double centre[2] = {RADIUS * cos(angle), RADIUS * sin(angle)};
    for (int64_t i = 0; i < options->features; i++) {
        double normal = draw_normal(draws);
        input[i] = (float)(is_real ? (i < 2 ? centre[i] : 0) + options->noise * normal : normal);
    }
    target[0] = is_real ? 1 : -1;
}

static bool read(const void *options, const Json *object, uint64_t seed, Arena *arena, Dataset *into, Error *err)
{
    const Generator *generator = options;
    into->input = SHAPE((int)generator->features);
    return generator_run(arena, generator, object, seed, fill, into, err);
}

static const Field fields[] = {
    GENERATOR_SAMPLES,
    GENERATOR_CLASSES("8", "clouds of the real samples, on a circle of radius 2"),
    GENERATOR_FEATURES("2", "dimensions"),
    GENERATOR_NOISE("0.1", "deviation of a real cloud; the fake one has 1"),
    GENERATOR_SEED,
    {.name = NULL},
};

const DataReader reader_real_fake = {"real_fake", "real samples (target +1) and fake ones (-1) in turn, for a critic", fields,
                                     sizeof(Generator), read};
