/* NumPy's .npy: inputs and targets, an array each. */
#include "base/file.h"
#include "data/reader.h"
#include "tensor/npy_header.h"

typedef struct Options {
    const char *inputs, *targets;
} Options;

/* The numbers in C order. A Fortran array has its first axis together: the place of an element is counted along. */
static void read_values(const NpyHeader *header, size_t count, float *into)
{
    if (!header->fortran_order) {
        number_floats(header->type, header->big_endian, header->data, count, into);
        return;
    }
    size_t size = number_size(header->type), stride[SHAPE_MAX_RANK + 1] = {1}, index[SHAPE_MAX_RANK + 1] = {0}, place = 0;
    for (int axis = 1; axis < header->rank; axis++)
        stride[axis] = stride[axis - 1] * header->dim[axis - 1];
    for (size_t i = 0; i < count; i++) {
        into[i] = number_float(header->type, header->big_endian, header->data + place * size);
        for (int axis = header->rank - 1; axis >= 0; axis--) {
            place += stride[axis];
            if (++index[axis] < header->dim[axis])
                break;
            place -= stride[axis] * header->dim[axis];
            index[axis] = 0;
        }
    }
}

static bool read_array(Arena *arena, Arena *files, const char *path, SampleArray *array, Error *err)
{
    Bytes bytes;
    NpyHeader header = {0};
    if (!file_read(files, path, &bytes, err) || !npy_header_read(files, path, "", bytes, &header, err))
        return false;
    if (header.rank == 0)
        return error_in_file(err, path, 0, 0, "the array has no axes, so no samples: its shape is ()");
    double expected = (double)number_size(header.type), count = 1;
    for (int i = 0; i < header.rank; i++)
        count *= (double)header.dim[i];
    expected *= count;
    if (expected != (double)header.data_bytes)
        return error_in_file(err, path, 0, 0, "the file is %s: its header promises %.0f bytes of numbers, and %zu follow",
                             expected > (double)header.data_bytes ? "cut short" : "too long", expected, header.data_bytes);
    if (count == 0)
        return error_in_file(err, path, 0, 0, "the array is empty: one of its axes has no elements");
    array->rank = header.rank;
    array->samples = header.dim[0];
    array->shape.rank = header.rank - 1;
    for (int i = 1; i < header.rank; i++)
        array->shape.dim[i - 1] = (int)header.dim[i];
    array->integers = number_is_integer(header.type);
    array->values = arena_try(arena, (size_t)count * sizeof(float));
    if (!array->values)
        return error_in_file(err, path, 0, 0, "no memory for %zu samples: they take %.1f MiB", array->samples,
                             count * sizeof(float) / 0x1p20);
    read_values(&header, (size_t)count, array->values);
    return true;
}

static bool read(const void *options, const Json *object, uint64_t seed, Arena *arena, Dataset *into, Error *err)
{
    (void)seed;
    const Options *own = options;
    Arena *files = arena_new(arena);
    SampleArray inputs = {.what = "inputs", .place = json_member(object, "inputs")};
    SampleArray targets = {.what = "targets", .place = json_member(object, "targets")};
    bool is_read = read_array(arena, files, own->inputs, &inputs, err) &&
                   read_array(arena, files, own->targets, &targets, err) && reader_pair(&inputs, &targets, into, err);
    into->origin = path_name(own->inputs);
    arena_free(files);
    return is_read;
}

static const Field fields[] = {
    {.name = "inputs",
     .type = FIELD_PATH,
     .offset = offsetof(Options, inputs),
     .required = true,
     .help = ".npy file, its first axis the sample; values as they are"},
    {.name = "targets",
     .type = FIELD_PATH,
     .offset = offsetof(Options, targets),
     .required = true,
     .help = ".npy file; a list of integers are classes, floats are numbers"},
    {.name = NULL},
};

const DataReader reader_npy = {"npy", "NumPy arrays: float16/32/64, integers and bool", fields, sizeof(Options), read};
