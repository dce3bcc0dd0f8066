/* The "data" object: its type's reader, then what all types have in common. */
#include "data/dataset.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "data/reader.h"

#define READER(name) extern const DataReader reader_##name;
#include "data/readers.def"
#undef READER

const DataReader *const data_reader_table[] = {
#define READER(name) &reader_##name,
#include "data/readers.def"
#undef READER
};
const int data_reader_count = sizeof data_reader_table / sizeof data_reader_table[0];

typedef enum Normalize { NORMALIZE_NONE, NORMALIZE_STANDARD, NORMALIZE_MINMAX } Normalize;

typedef struct Common {
    const char *type;
    int64_t limit; /* 0: none */
    Json *validation;
    int normalize;
} Common;

static const char *const normalize_choices[] = {"none", "standard", "minmax", NULL};

#define COMMON_TYPE                                                                                                            \
    {                                                                                                                          \
        .name = "type", .type = FIELD_STRING, .offset = offsetof(Common, type), .required = true,                              \
        .help = "where the data come from"                                                                                     \
    }
#define COMMON_LIMIT                                                                                                           \
    {                                                                                                                          \
        .name = "limit", .type = FIELD_INTEGER, .offset = offsetof(Common, limit), .limit = FIELD_POSITIVE,                    \
        .help = "take the first samples only"                                                                                  \
    }

static const Field common_fields[] = {
    COMMON_TYPE,
    COMMON_LIMIT,
    {.name = "validation",
     .type = FIELD_JSON,
     .offset = offsetof(Common, validation),
     .standard = "0",
     .help = "the share of samples to hold back, from the end; or data of their own"},
    {.name = "normalize",
     .type = FIELD_CHOICE,
     .offset = offsetof(Common, normalize),
     .standard = "\"none\"",
     .choices = normalize_choices,
     .help = "inputs by feature, measured on the training samples: mean 0 and deviation 1, or the range [0, 1]"},
    {.name = NULL},
};

/* What a second source for validation has: its normalisation is that of the training data. */
static const Field validation_fields[] = {COMMON_TYPE, COMMON_LIMIT, {.name = NULL}};

static const DataReader *choose_reader(Arena *arena, const Json *object, Error *err)
{
    const Json *type = json_member(object, "type");
    const char **names = ARENA_ARRAY(arena, const char *, data_reader_count + 1);
    for (int i = 0; i < data_reader_count; i++)
        names[i] = data_reader_table[i]->name;
    if (object->type != JSON_OBJECT || !type) {
        error_at(err, object, object->type == JSON_OBJECT ? "the data have no `type`" : "data is an object with a `type`");
        error_hint(err, "`gradtool list data` prints the types");
        return NULL;
    }
    int index = fields_choose(type, "data type", names, err);
    return index < 0 ? NULL : data_reader_table[index];
}

static bool are_integers(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (floorf(values[i]) != values[i] || isinf(values[i]))
            return false;
    return true;
}

/* One source: all its samples, and the first of them where `limit` says so. */
static bool read_source(Arena *arena, Json *object, const Field *own, uint64_t seed, Common *common, Dataset *data, Error *err)
{
    const DataReader *reader = choose_reader(arena, object, err);
    if (!reader)
        return false;
    void *options = arena_alloc(arena, reader->options_size);
    FieldSet sets[] = {{own, common}, {reader->fields, options}};
    if (!fields_read(arena, object, arena_printf(arena, "`%s` data", reader->name), sets, 2, err))
        return false;
    data->origin = reader->name;
    if (!reader->read(options, object, seed, arena, data, err))
        return false;
    if (common->limit > 0 && (uint64_t)common->limit < data->samples)
        data->samples = (size_t)common->limit;
    data->targets_are_integers = are_integers(data->targets, data->samples * shape_count(data->target));
    return true;
}

/* The last samples of the training data become the validation data; at least one, where a fraction is asked for. */
static bool split(Dataset *training, const Json *fraction, Dataset *validation, Error *err)
{
    if (!(fraction->number >= 0 && fraction->number < 1)) {
        error_at(err, fraction, "`validation` must be a fraction from 0 to below 1, got %g", fraction->number);
        return error_hint(err, "0.2 holds back a fifth of the samples");
    }
    if (fraction->number == 0)
        return true;
    size_t count = (size_t)(fraction->number * (double)training->samples + 0.5);
    count = count > 0 ? count : 1;
    if (count >= training->samples)
        return error_at(err, fraction, "a fraction of %g leaves none of %zu samples to train on", fraction->number,
                        training->samples);
    *validation = *training;
    training->samples -= count;
    validation->samples = count;
    validation->inputs += training->samples * shape_count(training->input);
    validation->targets += training->samples * shape_count(training->target);
    return true;
}

static int find_class(const Dataset *data, const char *name)
{
    for (int i = 0; i < data->target_classes; i++)
        if (strcmp(data->class_names[i], name) == 0)
            return i;
    return -1;
}

/* Renumbers the validation classes by name, so that a file that lacks some counts as the training file does. */
static bool share_class_names(Arena *arena, const Dataset *training, Dataset *validation, const Json *place, Error *err)
{
    int *number = ARENA_ARRAY(arena, int, validation->target_classes + 1);
    bool all_known = true;
    for (int i = 0; i < validation->target_classes; i++) {
        number[i] = find_class(training, validation->class_names[i]);
        if (number[i] < 0)
            all_known = error_at(err, place, "the validation data have %s `%s`, which the training data have not",
                                 validation->token_names ? "token" : "class", validation->class_names[i]);
    }
    /* Of text, tokens and classes are one vocabulary. */
    for (size_t i = 0, n = validation->samples * shape_count(validation->input); all_known && validation->token_names && i < n;
         i++)
        validation->inputs[i] = (float)number[(int)validation->inputs[i]];
    for (size_t i = 0, n = validation->samples * shape_count(validation->target); all_known && i < n; i++)
        if (validation->targets[i] >= 0)
            validation->targets[i] = (float)number[(int)validation->targets[i]];
    validation->class_names = training->class_names;
    validation->target_classes = training->target_classes;
    validation->token_names = training->token_names;
    validation->tokens = training->tokens;
    return all_known;
}

/* Makes two sources one task: the same shapes, classes and tokens. */
static bool join(Arena *arena, Dataset *training, Dataset *validation, const Json *place, Error *err)
{
    if (!shape_equal(training->input, validation->input) || !shape_equal(training->target, validation->target))
        return error_at(err, place, "the validation data have inputs %s and targets %s, the training data %s and %s",
                        shape_text(arena, validation->input), shape_text(arena, validation->target),
                        shape_text(arena, training->input), shape_text(arena, training->target));
    if (training->class_names && validation->class_names)
        return share_class_names(arena, training, validation, place, err);
    bool are_classes = training->target_classes > 0 && validation->target_classes > 0;
    int classes = training->target_classes > validation->target_classes ? training->target_classes : validation->target_classes;
    int tokens = training->tokens > validation->tokens ? training->tokens : validation->tokens;
    training->target_classes = validation->target_classes = are_classes ? classes : 0;
    training->tokens = validation->tokens = tokens;
    training->class_names = validation->class_names = NULL;
    training->token_names = validation->token_names = NULL;
    return true;
}

static bool read_validation(Arena *arena, Json *value, uint64_t seed, DataSplit *into, Error *err)
{
    if (value->type == JSON_NUMBER)
        return split(&into->training, value, &into->validation, err);
    if (value->type != JSON_OBJECT)
        return error_at(err, value, "`validation` is a fraction or a data object");
    /* The same generator with the same seed would repeat the training samples. */
    uint64_t own_seed = seed ^ random_hash("validation");
    Common common = {0};
    return read_source(arena, value, validation_fields, own_seed, &common, &into->validation, err) &&
           join(arena, &into->training, &into->validation, value, err);
}

/* A feature over the training samples, and what becomes of it: x <- (x - offset) * scale. */
typedef struct Feature {
    double low, high, sum, squares, count;
    double offset, scale;
} Feature;

/* Over the finite values alone: one that is not would take its whole feature with it, and hide where it stood. */
static void measure_range(const Dataset *data, Feature *feature, size_t features)
{
    for (size_t j = 0; j < features; j++)
        feature[j] = (Feature){.low = INFINITY, .high = -INFINITY};
    for (size_t i = 0; i < data->samples; i++)
        for (size_t j = 0; j < features; j++) {
            double x = (double)data->inputs[i * features + j];
            if (!isfinite(x))
                continue;
            feature[j].low = fmin(feature[j].low, x);
            feature[j].high = fmax(feature[j].high, x);
            feature[j].sum += x;
            feature[j].count++;
        }
}

/* A second pass: a running sum of squares loses the variance where the mean is much larger than the deviation. */
static void measure_deviation(const Dataset *data, Feature *feature, size_t features)
{
    for (size_t i = 0; i < data->samples; i++)
        for (size_t j = 0; j < features; j++) {
            double x = (double)data->inputs[i * features + j], away = x - feature[j].sum / feature[j].count;
            feature[j].squares += isfinite(x) ? away * away : 0;
        }
}

static void choose_scaling(Feature *feature, Normalize kind)
{
    if (!(feature->low < feature->high)) { /* no spread, which the rounded mean might not show */
        feature->offset = feature->count > 0 ? feature->low : 0;
        feature->scale = 0;
    } else if (kind == NORMALIZE_MINMAX) {
        feature->offset = feature->low;
        feature->scale = 1 / (feature->high - feature->low);
    } else {
        feature->offset = feature->sum / feature->count;
        feature->scale = 1 / sqrt(feature->squares / feature->count);
    }
}

static void rescale(Dataset *data, const Feature *feature, size_t features)
{
    for (size_t i = 0; i < data->samples; i++)
        for (size_t j = 0; j < features; j++) {
            float *x = &data->inputs[i * features + j];
            if (isfinite(*x))
                *x = (float)(((double)*x - feature[j].offset) * feature[j].scale);
        }
}

static bool normalize(Arena *arena, DataSplit *both, Normalize kind, const Json *object, Error *err)
{
    if (kind == NORMALIZE_NONE)
        return true;
    if (both->training.tokens > 0)
        return error_at(err, json_member(object, "normalize"), "the inputs are tokens, which cannot be normalized");
    size_t features = shape_count(both->training.input);
    Feature *feature = ARENA_ARRAY(arena, Feature, features);
    measure_range(&both->training, feature, features);
    measure_deviation(&both->training, feature, features);
    for (size_t j = 0; j < features; j++)
        choose_scaling(&feature[j], kind);
    rescale(&both->training, feature, features);
    rescale(&both->validation, feature, features);
    return true;
}

bool dataset_read(Arena *arena, Json *object, uint64_t seed, DataSplit *into, Error *err)
{
    *into = (DataSplit){0};
    Common common = {0};
    if (!read_source(arena, object, common_fields, seed, &common, &into->training, err))
        return false;
    into->type = common.type;
    return read_validation(arena, common.validation, seed, into, err) &&
           normalize(arena, into, (Normalize)common.normalize, object, err);
}

void dataset_order(size_t samples, uint64_t seed, uint64_t epoch, bool shuffle, uint32_t *order)
{
    for (size_t i = 0; i < samples; i++)
        order[i] = (uint32_t)i;
    Random random = random_stream(seed, RANDOM_SHUFFLE, epoch);
    for (size_t i = samples; shuffle && i > 1; i--) {
        size_t other = (size_t)random_below(&random, i, i);
        uint32_t kept = order[i - 1];
        order[i - 1] = order[other];
        order[other] = kept;
    }
}

void dataset_gather(const Dataset *data, const uint32_t *order, size_t count, float *inputs, float *targets)
{
    size_t input = shape_count(data->input), target = shape_count(data->target);
    for (size_t i = 0; i < count; i++) {
        if (inputs)
            memcpy(inputs + i * input, data->inputs + order[i] * input, input * sizeof *inputs);
        if (targets)
            memcpy(targets + i * target, data->targets + order[i] * target, target * sizeof *targets);
    }
}
