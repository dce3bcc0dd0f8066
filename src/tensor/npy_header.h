/* The head of a NumPy array (.npy, versions 1 to 3): a magic word, a version, the length of a Python dict literal, the dict;
 * the numbers follow. */
#ifndef GRADTOOL_TENSOR_NPY_HEADER_H
#define GRADTOOL_TENSOR_NPY_HEADER_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "tensor/number_type.h"
#include "tensor/shape.h"

/* One axis more than a tensor has: the first may be the sample. */
typedef struct NpyHeader {
    NumberType type;
    bool big_endian, fortran_order;
    int rank;
    size_t dim[SHAPE_MAX_RANK + 1]; /* each at most INT_MAX */
    const unsigned char *data;
    size_t data_bytes; /* what follows the header; whether it fits the shape is not checked */
} NpyHeader;

/* Reads the header at the start of `bytes`. False with an error in the file `path`; `what` begins its message ("array `w`: ",
 * or ""). */
bool npy_header_read(Arena *scratch, const char *path, const char *what, Bytes bytes, NpyHeader *header, Error *err);

#endif
