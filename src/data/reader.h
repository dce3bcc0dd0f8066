/* What the readers share: memory for the samples, arrays whose first axis is the sample, generated samples. */
#ifndef GRADTOOL_DATA_READER_H
#define GRADTOOL_DATA_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fields.h"
#include "base/json.h"
#include "base/random.h"
#include "data/dataset.h"
#include "tensor/shape.h"

/* Unpacked files beyond this are refused: a small gzip file may hold terabytes. */
#define READER_UNPACKED_LIMIT ((size_t)1 << 33)

/* Memory for the inputs and targets of into->samples samples of into->input and into->target. No sample, a sample of no
 * numbers, more samples than an order holds and memory that cannot be had are errors. */
bool reader_allocate(Arena *arena, const Json *object, Dataset *into, Error *err);

/* Whether the object has the key, and not as null. */
bool reader_has(const Json *object, const char *key);
/* An error at the key unless low <= value <= high. */
bool reader_in_range(const Json *object, const char *key, int64_t value, int64_t low, int64_t high, Error *err);

/* An array as a file holds it: the first axis is the sample. */
typedef struct SampleArray {
    const char *what;  /* "inputs", "targets": for messages */
    const Json *place; /* where the config names it */
    int rank;          /* with the sample axis, >= 1 */
    size_t samples;
    Shape shape;   /* of one sample */
    bool integers; /* whole numbers by their type, or all by their value */
    float *values;
} SampleArray;

/* Makes a data set of both: inputs of rank 1 have one feature, targets of rank 1 are a scalar per sample, and class numbers
 * when they are whole and not negative (-100 stands for an ignored one). Counts that differ and empty arrays are errors. */
bool reader_pair(const SampleArray *inputs, const SampleArray *targets, Dataset *into, Error *err);

/* The random numbers of one generated sample, in the order they are drawn. */
typedef struct Draws {
    Random uniform, normal; /* streams of their own, so that no two draws share bits */
    uint64_t uniforms, normals;
    float ready[4]; /* normals come four at a time */
} Draws;

double draw_uniform(Draws *draws, double low, double high);
double draw_normal(Draws *draws);
int draw_below(Draws *draws, int bound);

/* Options of all generated data; a type that has no use for one leaves it out of its fields, and it stays 0. */
typedef struct Generator {
    int64_t samples, classes, features, length, seed;
    double noise;
} Generator;

#define GENERATOR_NUMBER(key, kind, value, bound, text)                                                                        \
    {                                                                                                                          \
        .name = #key, .type = kind, .offset = offsetof(Generator, key), .standard = value, .limit = bound, .help = text        \
    }
#define GENERATOR_SAMPLES GENERATOR_NUMBER(samples, FIELD_INTEGER, "1000", FIELD_POSITIVE, "number of samples")
#define GENERATOR_SEED GENERATOR_NUMBER(seed, FIELD_INTEGER, NULL, FIELD_NOT_NEGATIVE, "default: follows the config's seed")
#define GENERATOR_CLASSES(value, text) GENERATOR_NUMBER(classes, FIELD_INTEGER, value, FIELD_POSITIVE, text)
#define GENERATOR_FEATURES(value, text) GENERATOR_NUMBER(features, FIELD_INTEGER, value, FIELD_POSITIVE, text)
#define GENERATOR_LENGTH(value, text) GENERATOR_NUMBER(length, FIELD_INTEGER, value, FIELD_POSITIVE, text)
#define GENERATOR_NOISE(value, text) GENERATOR_NUMBER(noise, FIELD_NUMBER, value, FIELD_NOT_NEGATIVE, text)

/* Writes sample `index`; a pure function of the options, the index and the draws, which depend on seed and index alone. */
typedef void GeneratorFill(const Generator *options, size_t index, Draws *draws, float *input, float *target);

/* Checks that the options are not beyond what an int or a float can count, allocates options->samples samples of into->input
 * and into->target, and fills them. `seed` is the config's, used where the object has none. */
bool generator_run(Arena *arena, const Generator *options, const Json *object, uint64_t seed, GeneratorFill *fill,
                   Dataset *into, Error *err);

#endif
