/* Interleaved spiral arms, the toy set of the Stanford course CS231n: an arm turns by four radians from the centre out. */
#include <math.h>

#include "data/reader.h"

#define PI 3.14159265358979323846
#define TURN 4.0

static void fill(const Generator *options, size_t index, Draws *draws, float *input, float *target)
{
    size_t arm = index % (size_t)options->classes;
    double radius = draw_uniform(draws, 0, 1);
    double angle = 2 * PI * (double)arm / (double)options->classes + TURN * radius + options->noise * draw_normal(draws);
    input[0] = (float)(radius * cos(angle));
    input[1] = (float)(radius * sin(angle));
    target[0] = (float)arm;
}

static bool read(const void *options, const Json *object, uint64_t seed, Arena *arena, Dataset *into, Error *err)
{
    const Generator *generator = options;
    into->input = SHAPE(2);
    into->target_classes = (int)generator->classes;
    return generator_run(arena, generator, object, seed, fill, into, err);
}

static const Field fields[] = {
    GENERATOR_SAMPLES,
    GENERATOR_CLASSES("3", "number of arms"),
    GENERATOR_NOISE("0.1", "deviation of the angle, in radians"),
    GENERATOR_SEED,
    {.name = NULL},
};

const DataReader reader_spiral = {"spiral", "interleaved spiral arms in the plane, a class each", fields, sizeof(Generator),
                                  read};
