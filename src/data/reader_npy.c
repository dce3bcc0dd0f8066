/* NumPy's .npy: a magic word, a version, the length of a Python dict literal, the dict, then the numbers. */
#include <limits.h>
#include <string.h>

#include "base/file.h"
#include "data/reader.h"
#include "tensor/number_type.h"

typedef struct Options {
    const char *inputs, *targets;
} Options;

typedef struct NpyHeader {
    NumberType type;
    bool big_endian, fortran_order;
    int rank;
    size_t dim[SHAPE_MAX_RANK + 1];
    const unsigned char *data;
    size_t data_bytes;
} NpyHeader;

/* The value after 'key': in the dict's text, NULL when the key is not there. */
static const char *find_value(const char *dict, const char *key)
{
    size_t length = strlen(key);
    for (const char *at = strstr(dict, key); at; at = strstr(at + 1, key)) {
        if (at == dict || (at[-1] != '\'' && at[-1] != '"') || at[length] != at[-1])
            continue;
        const char *value = at + length + 1;
        value += strspn(value, " ");
        if (*value == ':')
            return value + 1 + strspn(value + 1, " ");
    }
    return NULL;
}

/* "<f4": byte order, kind, bytes. */
static bool read_type(const char *path, const char *value, NpyHeader *header, Error *err)
{
    static const struct {
        char name[3];
        NumberType type;
    } types[] = {{"b1", NUMBER_BOOL}, {"u1", NUMBER_U8},  {"u2", NUMBER_U16}, {"u4", NUMBER_U32},
                 {"u8", NUMBER_U64},  {"i1", NUMBER_I8},  {"i2", NUMBER_I16}, {"i4", NUMBER_I32},
                 {"i8", NUMBER_I64},  {"f2", NUMBER_F16}, {"f4", NUMBER_F32}, {"f8", NUMBER_F64}};
    size_t length = value && (*value == '\'' || *value == '"') ? strcspn(value + 1, "'\"") : 0;
    if (length == 3 && strchr("<>|=", value[1]))
        for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
            if (memcmp(value + 2, types[i].name, 2) == 0) {
                header->type = types[i].type;
                header->big_endian = value[1] == '>';
                return true;
            }
    int shown = value ? (int)strcspn(value, ",}\n") : 0;
    error_in_file(err, path, 0, 0, "numbers of type %.*s are not read", shown < 40 ? shown : 40, value ? value : "");
    return error_hint(err, "save real numbers: array.astype('float32')");
}

/* "(3, 2)", "(3,)", "()" */
static bool read_shape(const char *path, const char *value, NpyHeader *header, Error *err)
{
    bool is_tuple = value && *value == '(';
    for (const char *at = is_tuple ? value + 1 : ""; is_tuple && *at != ')';) {
        at += strspn(at, " ");
        size_t digits = strspn(at, "0123456789"), dim = 0;
        for (size_t i = 0; i < digits && dim <= INT_MAX; i++)
            dim = 10 * dim + (size_t)(at[i] - '0');
        if (digits > 0 && header->rank > SHAPE_MAX_RANK)
            return error_in_file(err, path, 0, 0, "the array has more than %d axes", SHAPE_MAX_RANK + 1);
        if (digits > 0 && dim > INT_MAX)
            return error_in_file(err, path, 0, 0, "axis %d has more than %d elements", header->rank, INT_MAX);
        is_tuple = digits > 0;
        if (is_tuple)
            header->dim[header->rank++] = dim;
        at += digits + strspn(at + digits, "L"); /* Python 2 wrote 3L */
        at += strspn(at, " ");
        is_tuple = is_tuple && (*at == ',' || *at == ')');
        at += *at == ',' ? 1 + strspn(at + 1, " ") : 0;
    }
    return is_tuple || error_in_file(err, path, 0, 0, "its header has no `shape`");
}

static bool read_header(Arena *arena, const char *path, Bytes bytes, NpyHeader *header, Error *err)
{
    if (bytes.count >= 2 && memcmp(bytes.at, "PK", 2) == 0) {
        error_in_file(err, path, 0, 0, "this is an archive of arrays (.npz), not one array");
        return error_hint(err, "save each array by itself: numpy.save('inputs.npy', inputs)");
    }
    if (bytes.count < 10 || memcmp(bytes.at, "\x93NUMPY", 6) != 0)
        return error_in_file(err, path, 0, 0, "no .npy file: it does not begin with \\x93NUMPY");
    unsigned version = bytes.at[6];
    if (version < 1 || version > 3)
        return error_in_file(err, path, 0, 0, "version %u of the .npy format is not known", version);
    size_t width = version == 1 ? 2 : 4, begin = 8 + width;
    if (bytes.count < begin || number_bits(bytes.at + 8, width, false) > bytes.count - begin)
        return error_in_file(err, path, 0, 0, "the file is cut short within its header");
    size_t length = (size_t)number_bits(bytes.at + 8, width, false);
    const char *dict = arena_strndup(arena, (const char *)bytes.at + begin, length);
    const char *order = find_value(dict, "fortran_order");
    header->fortran_order = order && strncmp(order, "True", 4) == 0;
    if (!header->fortran_order && (!order || strncmp(order, "False", 5) != 0))
        return error_in_file(err, path, 0, 0, "its header has no `fortran_order`");
    header->data = bytes.at + begin + length;
    header->data_bytes = bytes.count - begin - length;
    return read_type(path, find_value(dict, "descr"), header, err) && read_shape(path, find_value(dict, "shape"), header, err);
}

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
    if (!file_read(files, path, &bytes, err) || !read_header(files, path, bytes, &header, err))
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
