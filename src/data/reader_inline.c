/* Samples written into the config: nested JSON arrays, whose shape is that of their first elements. */
#include <math.h>
#include <string.h>

#include "data/reader.h"

typedef struct Options {
    const Json *inputs, *targets;
} Options;

/* The axes of an array, the sample's first. JSON nests at most 200 deep, so following the first elements ends. */
static bool infer_axes(const Json *array, const char *what, int axes[SHAPE_MAX_RANK + 1], int *rank, Error *err)
{
    *rank = 0;
    for (const Json *at = array; at->type == JSON_ARRAY; at = at->first) {
        if (at->count == 0)
            return error_at(err, at, "an array of the %s is empty", what);
        if (*rank > SHAPE_MAX_RANK)
            return error_at(err, at, "the %s nest deeper than %d arrays", what, SHAPE_MAX_RANK + 1);
        axes[(*rank)++] = at->count;
    }
    return *rank > 0 || error_at(err, array, "the %s must be an array, a sample each element", what);
}

static bool read_number(const Json *value, float *into)
{
    if (value->type == JSON_NUMBER)
        *into = (float)value->number;
    else if (value->type == JSON_STRING && strcmp(value->string, "NaN") == 0)
        *into = NAN;
    else if (value->type == JSON_STRING && strcmp(value->string, "Infinity") == 0)
        *into = INFINITY;
    else if (value->type == JSON_STRING && strcmp(value->string, "-Infinity") == 0)
        *into = -INFINITY;
    else
        return false;
    return true;
}

/* That everything below `value` has the shape of the first element, and numbers at its end. */
static bool check_values(const Json *value, const char *what, const int *axes, int rank, Error *err)
{
    float number;
    if (rank == 0 && value->type == JSON_ARRAY)
        return error_at(err, value, "an array stands among the %s where their first element has a number", what);
    if (rank == 0)
        return read_number(value, &number) ||
               error_at(err, value, "the %s must be numbers, \"NaN\", \"Infinity\" or \"-Infinity\"", what);
    if (value->type != JSON_ARRAY)
        return error_at(err, value, "the %s need an array of %d here, as in their first element", what, axes[0]);
    if (value->count != axes[0])
        return error_at(err, value, "an array of the %s has %d elements where the first has %d", what, value->count, axes[0]);
    bool is_right = true;
    for (const Json *item = value->first; item; item = item->next)
        is_right = check_values(item, what, axes + 1, rank - 1, err) && is_right;
    return is_right;
}

/* Writes the numbers below `value` and returns the place behind them. */
static float *copy_values(const Json *value, float *into)
{
    if (value->type != JSON_ARRAY) {
        read_number(value, into);
        return into + 1;
    }
    for (const Json *item = value->first; item; item = item->next)
        into = copy_values(item, into);
    return into;
}

static bool read_array(Arena *arena, const Json *value, const char *what, SampleArray *array, Error *err)
{
    int axes[SHAPE_MAX_RANK + 1] = {0};
    *array = (SampleArray){.what = what, .place = value};
    if (!infer_axes(value, what, axes, &array->rank, err))
        return false;
    array->samples = (size_t)axes[0];
    array->shape.rank = array->rank - 1;
    memcpy(array->shape.dim, axes + 1, sizeof(int) * (size_t)array->shape.rank);
    if (!check_values(value, what, axes, array->rank, err))
        return false;
    size_t count = array->samples * shape_count(array->shape);
    array->values = arena_try(arena, count * sizeof(float));
    if (!array->values)
        return error_at(err, value, "no memory for the %s: they take %.1f MiB", what, (double)(count * sizeof(float)) / 0x1p20);
    copy_values(value, array->values);
    array->integers = true;
    for (size_t i = 0; i < count; i++)
        array->integers = array->integers && floorf(array->values[i]) == array->values[i];
    return true;
}

static bool read(const void *options, const Json *object, uint64_t seed, Arena *arena, Dataset *into, Error *err)
{
    (void)object;
    (void)seed;
    const Options *own = options;
    SampleArray inputs, targets;
    return read_array(arena, own->inputs, "inputs", &inputs, err) &&
           read_array(arena, own->targets, "targets", &targets, err) && reader_pair(&inputs, &targets, into, err);
}

static const Field fields[] = {
    {.name = "inputs",
     .type = FIELD_JSON,
     .offset = offsetof(Options, inputs),
     .required = true,
     .help = "nested arrays, a sample each element"},
    {.name = "targets",
     .type = FIELD_JSON,
     .offset = offsetof(Options, targets),
     .required = true,
     .help = "nested arrays; a list of whole numbers are classes"},
    {.name = NULL},
};

const DataReader reader_inline = {"inline", "samples in the config itself, as JSON arrays", fields, sizeof(Options), read};
