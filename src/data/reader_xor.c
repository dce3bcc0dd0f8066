/* The exclusive or: no straight line separates its classes. */
#include "data/reader.h"

static void fill(const Generator *options, size_t index, Draws *draws, float *input, float *target)
{
    (void)index;
    double x = draw_uniform(draws, -1, 1), y = draw_uniform(draws, -1, 1);
    target[0] = x * y < 0 ? 1 : 0;
    input[0] = (float)(x + options->noise * draw_normal(draws));
    input[1] = (float)(y + options->noise * draw_normal(draws));
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
    GENERATOR_NOISE("0", "deviation added to both inputs after the class is chosen"),
    GENERATOR_SEED,
    {.name = NULL},
};

const DataReader reader_xor = {"xor", "two inputs in [-1, 1]; class 1 where their signs differ", fields, sizeof(Generator),
                               read};
