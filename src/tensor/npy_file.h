/* Writing NumPy arrays (.npy). */
#ifndef GRADTOOL_TENSOR_NPY_FILE_H
#define GRADTOOL_TENSOR_NPY_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "tensor/shape.h"

/* Samples of one shape, the sample being the first axis; as float32, or where `integers` as int32. Whole or not at all. */
bool npy_file_write(const char *path, size_t samples, Shape shape, const float *values, bool integers, Arena *scratch,
                    Error *err);

#endif
