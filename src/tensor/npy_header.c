/* The dict is a Python literal with three keys; only what numpy.save writes is read. */
#include "tensor/npy_header.h"

#include <limits.h>
#include <string.h>

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
static bool read_type(const char *path, const char *what, const char *value, NpyHeader *header, Error *err)
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
    error_in_file(err, path, 0, 0, "%snumbers of type %.*s are not read", what, shown < 40 ? shown : 40, value ? value : "");
    return error_hint(err, "save real numbers: array.astype('float32')");
}

/* "(3, 2)", "(3,)", "()" */
static bool read_shape(const char *path, const char *what, const char *value, NpyHeader *header, Error *err)
{
    bool is_tuple = value && *value == '(';
    for (const char *at = is_tuple ? value + 1 : ""; is_tuple && *at != ')';) {
        at += strspn(at, " ");
        size_t digits = strspn(at, "0123456789"), dim = 0;
        for (size_t i = 0; i < digits && dim <= INT_MAX; i++)
            dim = 10 * dim + (size_t)(at[i] - '0');
        if (digits > 0 && header->rank > SHAPE_MAX_RANK)
            return error_in_file(err, path, 0, 0, "%sthe array has more than %d axes", what, SHAPE_MAX_RANK + 1);
        if (digits > 0 && dim > INT_MAX)
            return error_in_file(err, path, 0, 0, "%saxis %d has more than %d elements", what, header->rank, INT_MAX);
        is_tuple = digits > 0;
        if (is_tuple)
            header->dim[header->rank++] = dim;
        at += digits + strspn(at + digits, "L"); /* Python 2 wrote 3L */
        at += strspn(at, " ");
        is_tuple = is_tuple && (*at == ',' || *at == ')');
        at += *at == ',' ? 1 + strspn(at + 1, " ") : 0;
    }
    return is_tuple || error_in_file(err, path, 0, 0, "%sits header has no `shape`", what);
}

bool npy_header_read(Arena *scratch, const char *path, const char *what, Bytes bytes, NpyHeader *header, Error *err)
{
    if (bytes.count >= 2 && memcmp(bytes.at, "PK", 2) == 0) {
        error_in_file(err, path, 0, 0, "%sthis is an archive of arrays (.npz), not one array", what);
        return error_hint(err, "save each array by itself: numpy.save('inputs.npy', inputs)");
    }
    if (bytes.count < 10 || memcmp(bytes.at, "\x93NUMPY", 6) != 0)
        return error_in_file(err, path, 0, 0, "%sno .npy file: it does not begin with \\x93NUMPY", what);
    unsigned version = bytes.at[6];
    if (version < 1 || version > 3)
        return error_in_file(err, path, 0, 0, "%sversion %u of the .npy format is not known", what, version);
    size_t width = version == 1 ? 2 : 4, begin = 8 + width;
    if (bytes.count < begin || number_bits(bytes.at + 8, width, false) > bytes.count - begin)
        return error_in_file(err, path, 0, 0, "%sthe file is cut short within its header", what);
    size_t length = (size_t)number_bits(bytes.at + 8, width, false);
    const char *dict = arena_strndup(scratch, (const char *)bytes.at + begin, length);
    const char *order = find_value(dict, "fortran_order");
    header->fortran_order = order && strncmp(order, "True", 4) == 0;
    if (!header->fortran_order && (!order || strncmp(order, "False", 5) != 0))
        return error_in_file(err, path, 0, 0, "%sits header has no `fortran_order`", what);
    header->data = bytes.at + begin + length;
    header->data_bytes = bytes.count - begin - length;
    return read_type(path, what, find_value(dict, "descr"), header, err) &&
           read_shape(path, what, find_value(dict, "shape"), header, err);
}
