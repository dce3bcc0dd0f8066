/* safetensors: a table of names in JSON, then the numbers, without a gap; and the choice between the formats that are read. */
#include "tensor/tensor_file.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "tensor/number_type.h"
#include "tensor/tensor_file_formats.h"

enum { HEADER_LIMIT = 100 * 1000 * 1000, LENGTH_BYTES = 8 };

/* All types of the format; those that are wider or narrower than a byte's multiple are known by size only. */
typedef struct DtypeRow {
    const char *name;
    int bits;
    int number; /* a NumberType, or -1: known, but not read */
} DtypeRow;

static const DtypeRow dtype_table[] = {
    {"BOOL", 8, NUMBER_BOOL}, {"U8", 8, NUMBER_U8},    {"I8", 8, NUMBER_I8},      {"I16", 16, NUMBER_I16},
    {"U16", 16, NUMBER_U16},  {"I32", 32, NUMBER_I32}, {"U32", 32, NUMBER_U32},   {"I64", 64, NUMBER_I64},
    {"U64", 64, NUMBER_U64},  {"F16", 16, NUMBER_F16}, {"BF16", 16, NUMBER_BF16}, {"F32", 32, NUMBER_F32},
    {"F64", 64, NUMBER_F64},  {"C64", 64, -1},         {"F8_E5M2", 8, -1},        {"F8_E4M3", 8, -1},
    {"F8_E8M0", 8, -1},       {"F8_E4M3FNUZ", 8, -1},  {"F8_E5M2FNUZ", 8, -1},    {"F6_E2M3", 6, -1},
    {"F6_E3M2", 6, -1},       {"F4", 4, -1},
};
enum { DTYPE_COUNT = sizeof dtype_table / sizeof dtype_table[0] };

static const DtypeRow *dtype_find(const char *name)
{
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (strcmp(dtype_table[i].name, name) == 0)
            return &dtype_table[i];
    return NULL;
}

/* A whole number from 0 to `high`, which is at most 2^53. */
static bool read_whole(const Json *value, double high, size_t *into)
{
    if (!value || value->type != JSON_NUMBER || !(value->number >= 0 && value->number <= high))
        return false;
    *into = (size_t)value->number;
    return (double)*into == value->number;
}

static bool read_shape(const Json *entry, const char *name, Shape *shape, Error *err)
{
    const Json *value = json_member(entry, "shape");
    if (!value || value->type != JSON_ARRAY)
        return error_at(err, value ? value : entry, "tensor `%s` has no `shape` array", name);
    if (value->count > SHAPE_MAX_RANK)
        return error_at(err, value, "tensor `%s` has %d axes, more than %d", name, value->count, SHAPE_MAX_RANK);
    for (const Json *item = value->first; item; item = item->next) {
        size_t dim;
        if (!read_whole(item, INT_MAX, &dim))
            return error_at(err, item, "an axis of tensor `%s` is no whole number from 0 to %d", name, INT_MAX);
        shape->dim[shape->rank++] = (int)dim;
    }
    return true;
}

/* The bytes that a shape of numbers of `bits` bits takes; false when they are no whole bytes or beyond size_t. */
static bool shape_bytes(Shape shape, int bits, size_t *bytes)
{
    size_t count = 1;
    bool is_empty = false;
    for (int i = 0; i < shape.rank; i++) {
        is_empty = is_empty || shape.dim[i] == 0;
        if (!is_empty && count > SIZE_MAX / 64 / (size_t)shape.dim[i])
            return false;
        count *= (size_t)shape.dim[i];
    }
    *bytes = is_empty ? 0 : count * (size_t)bits / 8;
    return is_empty || count * (size_t)bits % 8 == 0;
}

static bool read_tensor(const Json *entry, Bytes data, FileTensor *tensor, Error *err)
{
    tensor->name = entry->key;
    if (entry->type != JSON_OBJECT)
        return error_at(err, entry, "tensor `%s` is described by no object", tensor->name);
    const Json *type = json_member(entry, "dtype");
    if (!type || type->type != JSON_STRING)
        return error_at(err, type ? type : entry, "tensor `%s` has no `dtype`", tensor->name);
    const DtypeRow *dtype = dtype_find(type->string);
    if (!dtype)
        return error_at(err, type, "tensor `%s` has the unknown type `%s`", tensor->name, type->string);
    tensor->dtype = dtype->name;
    if (!read_shape(entry, tensor->name, &tensor->shape, err))
        return false;
    const Json *offsets = json_member(entry, "data_offsets");
    size_t begin, end, expected;
    if (!offsets || offsets->type != JSON_ARRAY || offsets->count != 2 || !read_whole(json_item(offsets, 0), 0x1p53, &begin) ||
        !read_whole(json_item(offsets, 1), 0x1p53, &end) || begin > end)
        return error_at(err, offsets ? offsets : entry, "tensor `%s` has no `data_offsets` [begin, end]", tensor->name);
    if (end > data.count)
        return error_at(err, offsets, "the data of tensor `%s` end at byte %zu of %zu: the file is cut short", tensor->name,
                        end, data.count);
    if (!shape_bytes(tensor->shape, dtype->bits, &expected) || expected != end - begin)
        return error_at(err, offsets, "tensor `%s` has %zu bytes, which is not what its shape takes as %s", tensor->name,
                        end - begin, dtype->name);
    tensor->data = data.at + begin;
    tensor->bytes = end - begin;
    return true;
}

static bool read_metadata(const Json *metadata, TensorFile *file, Error *err)
{
    if (metadata->type != JSON_OBJECT)
        return error_at(err, metadata, "`__metadata__` is no object");
    for (const Json *item = metadata->first; item; item = item->next) {
        if (item->type != JSON_STRING)
            return error_at(err, item, "the metadata `%s` are no string", item->key);
        if (strcmp(item->key, "format") == 0)
            file->format = item->string;
    }
    return true;
}

static int by_place(const void *left, const void *right)
{
    const FileTensor *a = left, *b = right;
    if (a->data != b->data)
        return a->data < b->data ? -1 : 1;
    return (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

/* The tensors, sorted by place, cover the data exactly once. */
static bool check_cover(const TensorFile *file, Bytes data, Error *err)
{
    const unsigned char *at = data.at;
    for (int i = 0; i < file->count; i++) {
        const FileTensor *tensor = &file->tensor[i];
        if (tensor->data != at)
            return error_in_file(err, file->path, 0, 0, "the data of tensor `%s` %s", tensor->name,
                                 tensor->data < at ? "overlap those of another" : "begin behind a hole");
        at += tensor->bytes;
    }
    size_t rest = data.count - (size_t)(at - data.at);
    return rest == 0 || error_in_file(err, file->path, 0, 0, "%zu bytes after the last tensor belong to none", rest);
}

static TensorFile *read_safetensors(Arena *arena, const char *path, Bytes bytes, Error *err)
{
    uint64_t length = bytes.count < LENGTH_BYTES ? UINT64_MAX : number_bits(bytes.at, LENGTH_BYTES, false);
    if (length > HEADER_LIMIT || length > bytes.count - LENGTH_BYTES) {
        error_in_file(err, path, 0, 0, "no safetensors file: its header would be longer than %s",
                      length > HEADER_LIMIT && length != UINT64_MAX ? "100 MB" : "the file");
        return NULL;
    }
    const char *header = (const char *)bytes.at + LENGTH_BYTES;
    Bytes data = {bytes.at + LENGTH_BYTES + length, bytes.count - LENGTH_BYTES - (size_t)length};
    const Json *root = json_read_text(arena, path, header, (size_t)length, err);
    if (!root)
        return NULL;
    if (root->type != JSON_OBJECT) {
        error_at(err, root, "no safetensors file: its header is no JSON object");
        return NULL;
    }
    TensorFile *file = ARENA_NEW(arena, TensorFile);
    file->path = arena_strdup(arena, path);
    file->tensor = ARENA_ARRAY(arena, FileTensor, root->count);
    for (const Json *entry = root->first; entry; entry = entry->next) {
        bool is_metadata = strcmp(entry->key, "__metadata__") == 0;
        if (is_metadata ? !read_metadata(entry, file, err) : !read_tensor(entry, data, &file->tensor[file->count++], err))
            return NULL;
    }
    qsort(file->tensor, (size_t)file->count, sizeof *file->tensor, by_place);
    return check_cover(file, data, err) ? file : NULL;
}

/* A file's tensor in the index by name. */
typedef struct NamedTensor {
    const char *name; /* first: by_name compares indexes and keys alike */
    const FileTensor *tensor;
    bool is_used;
} NamedTensor;

static int by_name(const void *left, const void *right)
{
    const char *const *a = left, *const *b = right;
    return strcmp(*a, *b);
}

static NamedTensor *index_by_name(const TensorFile *file, Arena *scratch)
{
    NamedTensor *index = ARENA_ARRAY(scratch, NamedTensor, file->count + 1);
    for (int i = 0; i < file->count; i++)
        index[i] = (NamedTensor){.name = file->tensor[i].name, .tensor = &file->tensor[i]};
    qsort(index, (size_t)file->count, sizeof *index, by_name);
    return index;
}

/* Archives may hold a name twice. */
static bool check_names(const TensorFile *file, Error *err)
{
    Arena *scratch = arena_new(NULL);
    const NamedTensor *index = index_by_name(file, scratch);
    bool fine = true;
    for (int i = 1; fine && i < file->count; i++)
        if (!strcmp(index[i - 1].name, index[i].name))
            fine = error_in_file(err, file->path, 0, 0, "there are two tensors `%s`", index[i].name);
    arena_free(scratch);
    return fine;
}

static bool begins_with(Bytes bytes, const char *magic, size_t count)
{
    return bytes.count >= count && !memcmp(bytes.at, magic, count);
}

static TensorFile *read_archive(Arena *arena, const char *path, Bytes bytes, Error *err)
{
    const ZipFile *zip = zip_file_read(arena, path, bytes, err);
    if (!zip)
        return NULL;
    TensorFile *file = torch_file_is(arena, zip) ? torch_file_read(arena, zip, err) : npz_file_read(arena, zip, err);
    return file && check_names(file, err) ? file : NULL;
}

TensorFile *tensor_file_read(Arena *arena, const char *path, Error *err)
{
    Bytes bytes;
    if (!file_read(arena, path, &bytes, err))
        return NULL;
    if (zip_file_is(bytes))
        return read_archive(arena, path, bytes, err);
    if (begins_with(bytes, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46",
                    8)) { /* the magic number that torch.save wrote before it wrote zips */
        error_in_file(err, path, 0, 0, "a PyTorch file of the format before 1.6, which is not read");
        error_hint(err, "save it again with torch.save of 1.6 or newer, or as safetensors");
        return NULL;
    }
    if (begins_with(bytes, "\x93NUMPY", 6)) {
        error_in_file(err, path, 0, 0, "one array without a name (.npy), not the weights of a model");
        error_hint(err, "numpy.savez('weights.npz', **{'fc1.weight': array, ...}) keeps the names");
        return NULL;
    }
    return read_safetensors(arena, path, bytes, err);
}

const char *tensor_file_dtype(NumberType type)
{
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (dtype_table[i].number == (int)type)
            return dtype_table[i].name;
    return "";
}

bool tensor_file_floats(const FileTensor *tensor, float *into, Error *err)
{
    const DtypeRow *dtype = dtype_find(tensor->dtype);
    if (!dtype || dtype->number < 0)
        return error_add(err, "tensor `%s` is of type %s, which cannot be read as numbers", tensor->name, tensor->dtype);
    number_floats((NumberType)dtype->number, false, tensor->data, shape_count(tensor->shape), into);
    return true;
}

static bool check_match(const TensorFile *file, const FileTensor *tensor, const Parameter *parameter, Arena *scratch,
                        Error *err)
{
    const DtypeRow *dtype = dtype_find(tensor->dtype);
    if (!shape_equal(tensor->shape, parameter->shape))
        return error_in_file(err, file->path, 0, 0, "tensor `%s` is %s in the file and %s in the model", tensor->name,
                             shape_text(scratch, tensor->shape), shape_text(scratch, parameter->shape));
    if (parameter->kind == PARAMETER_COUNTER && dtype->number != NUMBER_I64)
        return error_in_file(err, file->path, 0, 0, "tensor `%s` is a counter of type I64 in the model and %s in the file",
                             tensor->name, tensor->dtype);
    return dtype->number >= 0 ||
           error_in_file(err, file->path, 0, 0, "tensor `%s` is of type %s, which cannot be read as numbers", tensor->name,
                         tensor->dtype);
}

/* Reports the names that only one side has; each is given the nearest one that only the other side has. */
static void report_missing(const TensorFile *file, const NamedTensor *index, Parameter *const parameters[],
                           const FileTensor *const match[], int count, Arena *scratch, Error *err)
{
    const char **in_file = ARENA_ARRAY(scratch, const char *, file->count + 1);
    const char **in_model = ARENA_ARRAY(scratch, const char *, count + 1);
    int only_file = 0, only_model = 0;
    for (int i = 0; i < file->count; i++)
        if (!index[i].is_used)
            in_file[only_file++] = index[i].name;
    for (int i = 0; i < count; i++)
        if (!match[i])
            in_model[only_model++] = parameters[i]->name;
    for (int i = 0; i < only_model; i++) {
        error_in_file(err, file->path, 0, 0, "tensor `%s` of the model is not in the file", in_model[i]);
        if (i < ERROR_LIMIT)
            error_suggest(err, in_model[i], in_file, only_file);
    }
    for (int i = 0; i < only_file; i++) {
        error_in_file(err, file->path, 0, 0, "tensor `%s` of the file is not in the model", in_file[i]);
        if (only_model + i < ERROR_LIMIT)
            error_suggest(err, in_file[i], in_model, only_model);
    }
}

bool tensor_file_load(const TensorFile *file, Parameter *const parameters[], int count, Arena *scratch, Error *err)
{
    NamedTensor *index = index_by_name(file, scratch);
    const FileTensor **match = ARENA_ARRAY(scratch, const FileTensor *, count + 1);
    int matches = 0;
    bool fits = true;
    for (int i = 0; i < count; i++) {
        NamedTensor *found = bsearch(&parameters[i]->name, index, (size_t)file->count, sizeof *index, by_name);
        if (!found)
            continue;
        found->is_used = true;
        match[i] = found->tensor;
        matches++;
        fits = check_match(file, found->tensor, parameters[i], scratch, err) && fits;
    }
    if (matches < count || matches < file->count) {
        report_missing(file, index, parameters, match, count, scratch, err);
        return false;
    }
    for (int i = 0; fits && i < count; i++) {
        if (parameters[i]->kind == PARAMETER_COUNTER)
            parameters[i]->counter = (int64_t)number_bits(match[i]->data, sizeof(int64_t), false);
        else
            fits = tensor_file_floats(match[i], parameters[i]->data, err);
    }
    return fits;
}

static size_t number_width(const Parameter *parameter)
{
    return parameter->kind == PARAMETER_COUNTER ? sizeof(int64_t) : sizeof(float);
}

/* The order of the reference writer: widest numbers first, so that all stay aligned, then by name. */
static int by_width_and_name(const void *left, const void *right)
{
    const Parameter *const *a = left, *const *b = right;
    if (number_width(*a) != number_width(*b))
        return number_width(*a) > number_width(*b) ? -1 : 1;
    return strcmp((*a)->name, (*b)->name);
}

/* The header, padded with blanks to a multiple of 8; `total` becomes the bytes of all data. */
static Text write_header(const Parameter *const *sorted, int count, size_t *total, Arena *scratch)
{
    Text text = text_new(scratch);
    text_add(&text, "{\"__metadata__\":{\"format\":\"pt\"}");
    *total = 0;
    for (int i = 0; i < count; i++) {
        const Parameter *parameter = sorted[i];
        text_add_char(&text, ',');
        text_add_quoted(&text, parameter->name);
        text_printf(&text, ":{\"dtype\":\"%s\",\"shape\":[", parameter->kind == PARAMETER_COUNTER ? "I64" : "F32");
        for (int axis = 0; axis < parameter->shape.rank; axis++)
            text_printf(&text, axis > 0 ? ",%d" : "%d", parameter->shape.dim[axis]);
        size_t bytes = shape_count(parameter->shape) * number_width(parameter);
        text_printf(&text, "],\"data_offsets\":[%zu,%zu]}", *total, *total + bytes);
        *total += bytes;
    }
    text_add_char(&text, '}');
    while (text.length % LENGTH_BYTES != 0)
        text_add_char(&text, ' ');
    return text;
}

static unsigned char *put_bits(unsigned char *at, uint64_t bits, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (unsigned char)(bits >> 8 * i);
    return at + bytes;
}

static unsigned char *put_parameter(unsigned char *at, const Parameter *parameter)
{
    if (parameter->kind == PARAMETER_COUNTER)
        return put_bits(at, (uint64_t)parameter->counter, sizeof(int64_t));
    for (size_t i = 0, n = shape_count(parameter->shape); i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &parameter->data[i], sizeof bits);
        at = put_bits(at, bits, sizeof bits);
    }
    return at;
}

Bytes tensor_file_bytes(Parameter *const parameters[], int count, Arena *arena)
{
    const Parameter **sorted = ARENA_ARRAY(arena, const Parameter *, count + 1);
    for (int i = 0; i < count; i++)
        sorted[i] = parameters[i];
    qsort(sorted, (size_t)count, sizeof *sorted, by_width_and_name);
    size_t total;
    Text header = write_header(sorted, count, &total, arena);
    size_t bytes = LENGTH_BYTES + header.length + total;
    unsigned char *content = arena_try(arena, bytes);
    if (!content)
        return (Bytes){NULL, bytes};
    unsigned char *at = put_bits(content, header.length, LENGTH_BYTES);
    memcpy(at, header.at, header.length);
    at += header.length;
    for (int i = 0; i < count; i++)
        at = put_parameter(at, sorted[i]);
    return (Bytes){content, bytes};
}

bool tensor_file_write(const char *path, Parameter *const parameters[], int count, Arena *scratch, Error *err)
{
    Bytes bytes = tensor_file_bytes(parameters, count, scratch);
    if (!bytes.at)
        return error_in_file(err, path, 0, 0, "no memory for the %zu bytes of this file", bytes.count);
    return file_write(path, bytes.at, bytes.count, err);
}
