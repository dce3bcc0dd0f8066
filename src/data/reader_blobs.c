/* Gaussian clouds, one a class.
 *
 * The centres depend on the number of classes alone, not on the seed: data of another seed are of the same classes. Each
 * pair of features is a circle on which the classes stand at multiples of their own angle, as in a Fourier basis. */
#include <math.h>

#include "data/reader.h"

#define PI 3.14159265358979323846
#define RADIUS 2.0

static double centre(size_t class, size_t classes, size_t feature, size_t features)
{
    if (feature % 2 == 0 && feature + 1 == features) /* no partner: along a line */
        return classes > 1 ? RADIUS * (2.0 * (double)class / (double)(classes - 1) - 1) : 0;
    double angle = 2 * PI * (double)(class * (feature / 2 + 1) % classes) / (double)classes;
    return RADIUS * (feature % 2 == 0 ? cos(angle) : sin(angle));
}

static void fill(const Generator *options, size_t index, Draws *draws, float *input, float *target)
{
    size_t classes = (size_t)options->classes, features = (size_t)options->features, class = index % classes;
    for (size_t feature = 0; feature < features; feature++)
        input[feature] = (float)(centre(class, classes, feature, features) + options->noise * draw_normal(draws));
    target[0] = (float)class;
}

static bool read(const void *options, const Json *object, uint64_t seed, Arena *arena, Dataset *into, Error *err)
{
    const Generator *generator = options;
    into->input = SHAPE((int)generator->features);
    into->target_classes = (int)generator->classes;
    return generator_run(arena, generator, object, seed, fill, into, err);
}

static const Field fields[] = {
    GENERATOR_SAMPLES,
    GENERATOR_CLASSES("3", "number of clouds, their centres on a circle of radius 2"),
    GENERATOR_FEATURES("2", "dimensions"),
    GENERATOR_NOISE("0.5", "deviation of a cloud"),
    GENERATOR_SEED,
    {.name = NULL},
};

const DataReader reader_blobs = {"blobs", "Gaussian clouds, a class each", fields, sizeof(Generator), read};
