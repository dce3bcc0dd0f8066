/* The formats behind tensor_file_read: each gives all tensors of a file, contiguous, little-endian, in C order. */
#ifndef GRADTOOL_TENSOR_TENSOR_FILE_FORMATS_H
#define GRADTOOL_TENSOR_TENSOR_FILE_FORMATS_H

#include "base/file.h"
#include "tensor/number_type.h"
#include "tensor/tensor_file.h"
#include "tensor/zip_file.h"

/* NumPy's .npz: a zip of NAME.npy. */
TensorFile *npz_file_read(Arena *arena, const ZipFile *zip, Error *err);
/* PyTorch's .pt since 1.6: a zip of a pickle and the storages that it refers to. */
bool torch_file_is(Arena *arena, const ZipFile *zip);
TensorFile *torch_file_read(Arena *arena, const ZipFile *zip, Error *err);

/* "F32" for NUMBER_F32. */
const char *tensor_file_dtype(NumberType type);

/* Numbers that stand apart: element (i, j, ...) is number i * stride[0] + j * stride[1] + ... of `data`. */
typedef struct Strided {
    NumberType type;
    bool big_endian;
    Shape shape;
    size_t stride[SHAPE_MAX_RANK];
    Bytes data;
} Strided;

/* Sets the tensor's type, shape and numbers; they are copied only where they do not stand as wanted. False with an error that
 * names the tensor when the data do not hold them, or when a small storage is spread over a large shape. */
bool tensor_file_gather(Arena *arena, const char *path, const Strided *from, FileTensor *tensor, Error *err);

#endif
