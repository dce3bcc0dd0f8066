/* Two half circles that reach into each other, as scikit-learn's make_moons places them. */
#include <math.h>

#include "data/reader.h"

#define PI 3.14159265358979323846

static void fill(const Generator *options, size_t index, Draws *draws, float *input, float *target)
{
    bool is_inner = index % 2 == 1;
    double angle = draw_uniform(draws, 0, PI);
    double x = is_inner ? 1 - cos(angle) : cos(angle);
    double y = is_inner ? 0.5 - sin(angle) : sin(angle);
    input[0] = (float)(x + options->noise * draw_normal(draws));
    input[1] = (float)(y + options->noise * draw_normal(draws));
    target[0] = is_inner ? 1 : 0;
}

static bool read(const void *options, const Json *object, uint64_t seed, Arena *arena, Dataset *into, Error *err)
{
    const Generator *generator = options;
    into->input = SHAPE(2);
    into->target_classes = 2;
    return generator_run(arena, generator, object, seed, fill, into, err);
}

static const Field fields[] = {
    GENERATOR_SAMPLES,
    GENERATOR_NOISE("0.1", "deviation added to both coordinates"),
    GENERATOR_SEED,
    {.name = NULL},
};

const DataReader reader_moons = {"moons", "two half circles that reach into each other, 2 classes", fields, sizeof(Generator),
                                 read};
