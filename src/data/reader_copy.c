/* The copy task of recurrent nets (Hochreiter & Schmidhuber 1997): symbols are read, then written from memory.
 *
 * Tokens: 0 is the blank, 1 to `classes` are symbols, `classes` + 1 says "now". A sample has 2 * length positions:
 *
 *     input    s1 s2 ... sL  now  0 ... 0
 *     target    -  - ...  -   s1 s2 ... sL      (- is -100: ignored by the loss) */
#include "data/reader.h"

static void fill(const Generator *options, size_t index, Draws *draws, float *input, float *target)
{
    (void)index;
    int64_t length = options->length;
    for (int64_t i = 0; i < length; i++) {
        float symbol = (float)(1 + draw_below(draws, (int)options->classes));
        input[i] = symbol;
        input[length + i] = 0;
        target[i] = -100;
        target[length + i] = symbol;
    }
    input[length] = (float)(options->classes + 1);
}

static bool read(const void *options, const Json *object, uint64_t seed, Arena *arena, Dataset *into, Error *err)
{
    const Generator *generator = options;
    into->input = SHAPE((int)(2 * generator->length));
    into->target = into->input;
    into->tokens = (int)generator->classes + 2;
    into->target_classes = into->tokens;
    return generator_run(arena, generator, object, seed, fill, into, err);
}

static const Field fields[] = {
    GENERATOR_SAMPLES,
    GENERATOR_CLASSES("8", "number of symbols; there are 2 tokens more: blank and \"now\""),
    GENERATOR_LENGTH("8", "symbols to remember; a sample has twice as many positions"),
    GENERATOR_SEED,
    {.name = NULL},
};

const DataReader reader_copy = {"copy", "tokens to be repeated from memory, for recurrent nets", fields, sizeof(Generator),
                                read};
