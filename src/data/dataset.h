/* Data sets: samples in memory, as float32 inputs and float32 targets.
 *
 * Class numbers and tokens are stored as floats too (exact up to 2^24); `target_classes` and `tokens` say when they are such.
 */
#ifndef GRADTOOL_DATA_DATASET_H
#define GRADTOOL_DATA_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fields.h"
#include "base/json.h"
#include "tensor/shape.h"

typedef struct Dataset {
    size_t samples;
    Shape input;        /* of one sample: [2], [1, 28, 28], [length] of tokens */
    Shape target;       /* of one sample: [] for a class or a single number per sample read as "[N]", [1], [length], ... */
    int tokens;         /* inputs are token numbers below this; 0: they are numbers */
    int target_classes; /* targets are class numbers below this (-100: ignored); 0: they are numbers */
    bool targets_are_integers;      /* every target is a whole number (also where they are not classes) */
    float *inputs;                  /* [samples, input] */
    float *targets;                 /* [samples, target] */
    const char *const *class_names; /* where the source names them, else NULL */
    const char *const *token_names; /* what the tokens stand for, where the source knows it, else NULL */
    const char *origin;             /* file name or "spiral", for messages */
} Dataset;

typedef struct DataSplit {
    const char *type;
    Dataset training;
    Dataset validation; /* samples 0: none */
} DataSplit;

/* One row per data type. read() fills a dataset of all its samples; `options` is the struct its fields were read into,
 * `seed` the config's, used where the data names none. Rows read their keys only; the common keys are handled by dataset.c. */
typedef struct DataReader {
    const char *name;
    const char *help;
    const Field *fields;
    size_t options_size;
    bool (*read)(const void *options, const Json *object, uint64_t seed, Arena *arena, Dataset *into, Error *err);
} DataReader;

extern const DataReader *const data_reader_table[];
extern const int data_reader_count;

/* Reads the "data" object: the reader that `type` names, then `limit` (the first samples), `validation` (a fraction, taken from
 * the end; or a data object of its own, which shares classes and normalisation) and `normalize` (by feature, from the training
 * samples: standard with the population deviation, minmax to [0, 1]; a feature without spread becomes 0). Defaults are filled
 * into the object. Non-finite values are kept: they are a finding, not a usage error. */
bool dataset_read(Arena *arena, Json *object, uint64_t seed, DataSplit *into, Error *err);

/* The order of the samples in an epoch (from 0): a permutation that depends on seed and epoch alone (Fisher-Yates on the
 * counter-based generator), or file order. `order` holds `samples` entries. */
void dataset_order(size_t samples, uint64_t seed, uint64_t epoch, bool shuffle, uint32_t *order);

/* Copies samples order[0..count) into input and target buffers of a batch; either may be NULL. */
void dataset_gather(const Dataset *data, const uint32_t *order, size_t count, float *inputs, float *targets);

#endif
