/* NumPy's .npz: every entry NAME.npy is an array: a magic word, a version, the length of a Python dict literal, the dict, the
 * numbers. */
#include <limits.h>
#include <string.h>

#include "tensor/tensor_file_formats.h"

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
static bool read_type(const char *value, Strided *array)
{
    static const struct {
        char name[3];
        NumberType type;
    } types[] = {{"b1", NUMBER_BOOL}, {"u1", NUMBER_U8},  {"u2", NUMBER_U16}, {"u4", NUMBER_U32},
                 {"u8", NUMBER_U64},  {"i1", NUMBER_I8},  {"i2", NUMBER_I16}, {"i4", NUMBER_I32},
                 {"i8", NUMBER_I64},  {"f2", NUMBER_F16}, {"f4", NUMBER_F32}, {"f8", NUMBER_F64}};
    size_t length = value && (*value == '\'' || *value == '"') ? strcspn(value + 1, "'\"") : 0;
    for (size_t i = 0; length == 3 && strchr("<>|=", value[1]) && i < sizeof types / sizeof types[0]; i++)
        if (memcmp(value + 2, types[i].name, 2) == 0) {
            array->type = types[i].type;
            array->big_endian = value[1] == '>';
            return true;
        }
    return false;
}

/* "(3, 2)", "(3,)", "()" */
static bool read_shape(const char *value, Shape *shape)
{
    if (!value || *value != '(')
        return false;
    for (const char *at = value + 1; *at != ')';) {
        size_t digits = strspn(at, "0123456789");
        int64_t dim = 0;
        for (size_t i = 0; i < digits && dim <= INT_MAX; i++)
            dim = 10 * dim + (at[i] - '0');
        if (digits == 0 || dim > INT_MAX || shape->rank == SHAPE_MAX_RANK)
            return false;
        shape->dim[shape->rank++] = (int)dim;
        at += digits;
        at += *at == 'L'; /* Python 2 wrote 3L */
        if (*at != ',' && *at != ')')
            return false;
        at += *at == ',';
        at += strspn(at, " ");
    }
    return true;
}

static void set_strides(Strided *array, bool fortran_order)
{
    size_t step = 1;
    for (int i = 0; i < array->shape.rank; i++) {
        int axis = fortran_order ? i : array->shape.rank - 1 - i;
        array->stride[axis] = step;
        step *= (size_t)array->shape.dim[axis];
    }
}

static bool read_array(Arena *arena, const char *path, const char *name, Bytes bytes, FileTensor *tensor, Error *err)
{
    unsigned version = bytes.count < 12 || memcmp(bytes.at, "\x93NUMPY", 6) != 0 ? 0 : bytes.at[6];
    size_t width = version == 1 ? 2 : 4, begin = 8 + width;
    if (version < 1 || version > 3 || number_bits(bytes.at + 8, width, false) > bytes.count - begin)
        return error_in_file(err, path, 0, 0, "array `%s` is no .npy of version 1 to 3", name);
    size_t length = (size_t)number_bits(bytes.at + 8, width, false);
    const char *dict = arena_strndup(arena, (const char *)bytes.at + begin, length);
    const char *order = find_value(dict, "fortran_order"), *type = find_value(dict, "descr");
    Strided array = {.data = {bytes.at + begin + length, bytes.count - begin - length}};
    if (!read_type(type, &array)) {
        int shown = type ? (int)strcspn(type, ",}\n") : 0;
        error_in_file(err, path, 0, 0, "array `%s` has numbers of type %.*s, which are not read", name, shown < 40 ? shown : 40,
                      type ? type : "");
        return error_hint(err, "save real numbers: array.astype('float32')");
    }
    if (!order || (strncmp(order, "True", 4) != 0 && strncmp(order, "False", 5) != 0) ||
        !read_shape(find_value(dict, "shape"), &array.shape))
        return error_in_file(err, path, 0, 0,
                             "the header of array `%s` has no `fortran_order` or no `shape` of at most %d axes", name,
                             SHAPE_MAX_RANK);
    set_strides(&array, *order == 'T');
    return tensor_file_gather(arena, path, &array, tensor, err);
}

TensorFile *npz_file_read(Arena *arena, const ZipFile *zip, Error *err)
{
    TensorFile *file = ARENA_NEW(arena, TensorFile);
    *file = (TensorFile){.path = zip->path, .tensor = ARENA_ARRAY(arena, FileTensor, zip->count + 1), .format = "npz"};
    for (int i = 0; i < zip->count; i++) {
        const ZipEntry *entry = &zip->entry[i];
        size_t length = strlen(entry->name);
        if (length < 5 || strcmp(entry->name + length - 4, ".npy") != 0) {
            error_in_file(err, zip->path, 0, 0, "entry `%s` is no array: neither an .npz nor a PyTorch file", entry->name);
            return NULL;
        }
        Bytes content;
        FileTensor *tensor = &file->tensor[file->count++];
        tensor->name = arena_strndup(arena, entry->name, length - 4);
        if (!zip_file_content(zip, entry, arena, &content, err) ||
            !read_array(arena, zip->path, tensor->name, content, tensor, err))
            return NULL;
    }
    return file;
}
