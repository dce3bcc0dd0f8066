/* Regression of one period of the sine. */
#include <math.h>

#include "data/reader.h"

#define PI 3.14159265358979323846

static void fill(const Generator *options, size_t index, Draws *draws, float *input, float *target)
{
    (void)index;
    double x = draw_uniform(draws, -PI, PI);
    input[0] = (float)x;
    target[0] = (float)(sin(x) + options->noise * draw_normal(draws));
}

static bool read(const void *options, const Json *object, uint64_t seed, Arena *arena, Dataset *into, Error *err)
{
    const Generator *generator = options;
    into->input = SHAPE(1);
    into->target = SHAPE(1);
    return generator_run(arena, generator, object, seed, fill, into, err);
}

static const Field fields[] = {
    GENERATOR_SAMPLES,
    GENERATOR_NOISE("0.1", "deviation added to the target"),
    GENERATOR_SEED,
    {.name = NULL},
};

const DataReader reader_sine = {"sine", "regression: x in [-pi, pi], target sin(x)", fields, sizeof(Generator), read};
