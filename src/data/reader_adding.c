/* The adding problem (Hochreiter & Schmidhuber 1997): a position is a number and a marker; the target is the sum of the two
 * marked numbers, one in the first half of the sequence and one in the second. Answering 1 always has a mean square error of
 * 1/6. */
#include "data/reader.h"

static void fill(const Generator *options, size_t index, Draws *draws, float *input, float *target)
{
    (void)index;
    const int length = (int)options->length, half = length / 2;
    const int first = draw_below(draws, half), second = half + draw_below(draws, length - half);
    for (int i = 0; i < length; i++) {
        input[2 * i] = (float)draw_uniform(draws, 0, 1);
        input[2 * i + 1] = i == first || i == second;
    }
    target[0] = input[2 * first] + input[2 * second];
}

static bool read(const void *options, const Json *object, uint64_t seed, Arena *arena, Dataset *into, Error *err)
{
    const Generator *generator = options;
    if (!reader_in_range(object, "length", generator->length, 2, 1 << 24, err))
        return false;
    into->input = SHAPE((int)generator->length, 2);
    into->target = SHAPE(1);
    return generator_run(arena, generator, object, seed, fill, into, err);
}

static const Field fields[] = {
    GENERATOR_SAMPLES,
    GENERATOR_LENGTH("50", "positions of a sample"),
    GENERATOR_SEED,
    {.name = NULL},
};

const DataReader reader_adding = {"adding", "regression: the sum of the two marked numbers of a sequence", fields,
                                  sizeof(Generator), read};
