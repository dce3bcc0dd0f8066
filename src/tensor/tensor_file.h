/* Named tensors in a file: safetensors; of others also NumPy's .npz and PyTorch's .pt are read, by their content.
 *
 * safetensors is laid out as uint64 little-endian N, N bytes of JSON header, data. What the reference reader rejects is
 * rejected here: holes, overlaps, trailing bytes, a size that is not shape times type, duplicate names, metadata that is not
 * strings, unknown types, a header over 100 MB. Leading and trailing blanks, any order, zero-size and rank-0 tensors and
 * unaligned tensors are taken. */
#ifndef GRADTOOL_TENSOR_TENSOR_FILE_H
#define GRADTOOL_TENSOR_TENSOR_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "tensor/parameter.h"
#include "tensor/shape.h"

typedef struct FileTensor {
    const char *name;
    const char *dtype; /* "F32", "BF16", ... */
    Shape shape;
    const unsigned char *data; /* little-endian, maybe unaligned */
    size_t bytes;
} FileTensor;

typedef struct TensorFile {
    const char *path;
    FileTensor *tensor; /* in file order of their data */
    int count;
    const char *format; /* metadata "format", or NULL */
} TensorFile;

/* Whatever the file's name: safetensors, .npz (stored or deflated), or the zip that torch.save writes since 1.6. Of a
 * checkpoint that holds more than a state_dict the first dict whose values are all tensors is taken; nothing of it is executed.
 */
TensorFile *tensor_file_read(Arena *arena, const char *path, Error *err);
/* The tensor's values as float32 (F64, F32, F16, BF16, all integers and BOOL are converted); false with an error for the rest.
 */
bool tensor_file_floats(const FileTensor *tensor, float *into, Error *err);

/* Copies the file's tensors into the parameters of the same name. Names missing on either side, and shapes that differ,
 * are errors that list all of them (up to ten), with the nearest name as a hint. */
bool tensor_file_load(const TensorFile *file, Parameter *const parameters[], int count, Arena *scratch, Error *err);

/* Writes the parameters (F32; counters as I64) sorted by descending alignment, then name, metadata {"format": "pt"}; whole or
 * not at all. */
bool tensor_file_write(const char *path, Parameter *const parameters[], int count, Arena *scratch, Error *err);
/* The bytes of that file; at NULL when there is no memory for them. */
Bytes tensor_file_bytes(Parameter *const parameters[], int count, Arena *arena);

#endif
