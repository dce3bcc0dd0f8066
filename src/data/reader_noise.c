/* Inputs that say nothing about their labels: what a net learns of them, it has memorised. */
#include "data/reader.h"

static void fill(const Generator *options, size_t index, Draws *draws, float *input, float *target)
{
    (void)index;
    for (int64_t i = 0; i < options->features; i++)
        input[i] = (float)draw_normal(draws);
    target[0] = (float)draw_below(draws, (int)options->classes);
}

static bool read(const void *options, const Json *object, uint64_t seed, Arena *arena, Dataset *into, Error *err)
{
    const Generator *generator = options;
    into->input = SHAPE((int)generator->features);
    into->target_classes = (int)generator->classes;
    return generator_run(arena, generator, object, seed, fill, into, err);
}

static const Field fields[] = {
    GENERATOR_SAMPLES, GENERATOR_CLASSES("2", "number of classes"), GENERATOR_FEATURES("2", "number of inputs"), GENERATOR_SEED,
    {.name = NULL},
};

const DataReader reader_noise = {"noise", "Gaussian inputs with random labels", fields, sizeof(Generator), read};
