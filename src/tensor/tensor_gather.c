/* Tensors whose numbers stand apart, or in the other byte order, as one run of little-endian numbers. */
#include <string.h>

#include "tensor/tensor_file_formats.h"

/* A tensor that repeats its storage (expand) may ask for far more than the file holds; up to so much it is believed. */
enum { REPEAT_LIMIT = 1 << 26 };

/* Element count, and one more than the place of the last element; false when either is beyond size_t. */
static bool measure(const Strided *from, size_t *count, size_t *reach)
{
    *count = 1;
    *reach = 1;
    for (int i = 0; i < from->shape.rank; i++) {
        size_t dim = (size_t)from->shape.dim[i], steps = dim ? dim - 1 : 0, more;
        if (__builtin_mul_overflow(*count, dim, count) || __builtin_mul_overflow(steps, from->stride[i], &more) ||
            __builtin_add_overflow(*reach, more, reach))
            return false;
    }
    *reach = *count ? *reach : 0;
    return true;
}

static bool is_contiguous(const Strided *from)
{
    size_t step = 1;
    for (int i = from->shape.rank - 1; i >= 0; i--) {
        if (from->shape.dim[i] > 1 && from->stride[i] != step)
            return false;
        step *= (size_t)from->shape.dim[i];
    }
    return true;
}

static void copy(const Strided *from, size_t count, size_t width, unsigned char *into)
{
    size_t index[SHAPE_MAX_RANK] = {0}, place = 0;
    for (size_t i = 0; i < count; i++) {
        const unsigned char *number = from->data.at + place * width;
        for (size_t k = 0; k < width; k++)
            into[i * width + k] = number[from->big_endian ? width - 1 - k : k];
        for (int axis = from->shape.rank - 1; axis >= 0; axis--) {
            place += from->stride[axis];
            if (++index[axis] < (size_t)from->shape.dim[axis])
                break;
            place -= from->stride[axis] * index[axis];
            index[axis] = 0;
        }
    }
}

bool tensor_file_gather(Arena *arena, const char *path, const Strided *from, FileTensor *tensor, Error *err)
{
    size_t count, reach, width = number_size(from->type), bytes;
    tensor->dtype = tensor_file_dtype(from->type);
    tensor->shape = from->shape;
    if (!measure(from, &count, &reach) || reach > from->data.count / width || __builtin_mul_overflow(count, width, &bytes))
        return error_in_file(err, path, 0, 0, "tensor `%s` of %s reaches beyond its %zu bytes of data", tensor->name,
                             shape_text(arena, from->shape), from->data.count);
    tensor->bytes = bytes;
    tensor->data = from->data.at;
    if (is_contiguous(from) && (!from->big_endian || width == 1))
        return true;
    if (bytes > from->data.count && bytes > REPEAT_LIMIT)
        return error_in_file(err, path, 0, 0, "tensor `%s` of %s repeats %zu bytes of data too often", tensor->name,
                             shape_text(arena, from->shape), from->data.count);
    unsigned char *into = arena_try(arena, bytes + 1);
    if (!into)
        return error_in_file(err, path, 0, 0, "no memory for the %zu bytes of tensor `%s`", bytes, tensor->name);
    copy(from, count, width, into);
    tensor->data = into;
    return true;
}
