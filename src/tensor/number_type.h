/* Numbers as files hold them: what a type is called, how wide it is, and its value as a float32.
 *
 * Bytes are read one by one, so neither the alignment of the file nor the byte order of the machine matters. */
#ifndef GRADTOOL_TENSOR_NUMBER_TYPE_H
#define GRADTOOL_TENSOR_NUMBER_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum NumberType {
    NUMBER_BOOL,
    NUMBER_U8,
    NUMBER_I8,
    NUMBER_U16,
    NUMBER_I16,
    NUMBER_U32,
    NUMBER_I32,
    NUMBER_U64,
    NUMBER_I64,
    NUMBER_F16,
    NUMBER_BF16,
    NUMBER_F32,
    NUMBER_F64
} NumberType;

/* Bytes of one number: 1, 2, 4 or 8. */
size_t number_size(NumberType type);
/* Whether it is a whole number by type; so is BOOL. */
bool number_is_integer(NumberType type);

/* The number at `bytes`, rounded once to float32 (to nearest, ties to even); a double beyond its range becomes infinite.
 * NaN stays NaN, the bits of an F32 are kept. */
float number_float(NumberType type, bool big_endian, const unsigned char *bytes);
/* The same of `count` numbers in a row. */
void number_floats(NumberType type, bool big_endian, const unsigned char *bytes, size_t count, float *into);
/* An unsigned number of `size` bytes (1 to 8). */
uint64_t number_bits(const unsigned char *bytes, size_t size, bool big_endian);

#endif
