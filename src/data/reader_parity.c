/* Parity of random bits: every bit matters, so it is hard to learn, and for recurrent nets a test of memory. */
#include "data/reader.h"

static void fill(const Generator *options, size_t index, Draws *draws, float *input, float *target)
{
    (void)index;
    int parity = 0;
    for (int64_t i = 0; i < options->length; i++) {
        int bit = draw_below(draws, 2);
        input[i] = (float)bit;
        parity ^= bit;
    }
    target[0] = (float)parity;
}

static bool read(const void *options, const Json *object, uint64_t seed, Arena *arena, Dataset *into, Error *err)
{
    const Generator *generator = options;
    into->input = SHAPE((int)generator->length);
    into->target_classes = 2;
    return generator_run(arena, generator, object, seed, fill, into, err);
}

static const Field fields[] = {
    GENERATOR_SAMPLES,
    GENERATOR_LENGTH("8", "number of bits"),
    GENERATOR_SEED,
    {.name = NULL},
};

const DataReader reader_parity = {"parity", "random bits 0 and 1; the class is their parity", fields, sizeof(Generator), read};
