/* NumPy's .npz: every entry NAME.npy is an array. */
#include <string.h>

#include "tensor/npy_header.h"
#include "tensor/tensor_file_formats.h"

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
    NpyHeader header = {0};
    if (!npy_header_read(arena, path, arena_printf(arena, "array `%s`: ", name), bytes, &header, err))
        return false;
    if (header.rank > SHAPE_MAX_RANK)
        return error_in_file(err, path, 0, 0, "array `%s` has more than %d axes", name, SHAPE_MAX_RANK);
    Strided array = {.type = header.type,
                     .big_endian = header.big_endian,
                     .shape = {.rank = header.rank},
                     .data = {header.data, header.data_bytes}};
    for (int i = 0; i < header.rank; i++)
        array.shape.dim[i] = (int)header.dim[i];
    set_strides(&array, header.fortran_order);
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
