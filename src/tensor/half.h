/* Half precision in float32 storage: a half tensor is an array of floats that hold numbers of the half type alone.
 *
 * Rounding to it is to nearest, ties to even, with its subnormals; what is too large becomes infinite, NaN stays NaN. So a
 * product of two such numbers is exact in float32 (but for underflow), and sums in float32 are what processors do with halves.
 * IEEE 754-2008 binary16; bfloat16 is float32 without its lower 16 bits. */
#ifndef GRADTOOL_TENSOR_HALF_H
#define GRADTOOL_TENSOR_HALF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tensor/variant.h"

/* The type of a tensor's numbers. A number without a type of its own (a constant) takes that of what it meets. */
typedef enum Precision { PRECISION_ANY, PRECISION_FLOAT32, PRECISION_BFLOAT16, PRECISION_FLOAT16, PRECISION_COUNT } Precision;

/* "float32", "bfloat16", "float16". */
const char *precision_name(Precision precision);
static inline bool precision_is_half(Precision precision)
{
    return precision == PRECISION_BFLOAT16 || precision == PRECISION_FLOAT16;
}
/* What the result of an operator is that reads both: float32 where the two differ, as in PyTorch. */
Precision precision_promote(Precision a, Precision b);

/* Rounds values[0..count) in place. Never fails, never allocates. */
typedef void RoundValues(void *values, size_t count);
/* NULL where nothing is to be rounded: of a precision that is not half, and of float64. */
RoundValues *half_round(Precision precision, Variant variant);

static inline float half_bfloat16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const bool is_nan = (bits & 0x7fffffffu) > 0x7f800000u;
    const uint32_t rounded = bits + 0x7fffu + (bits >> 16 & 1u);
    bits = (is_nan ? bits | 0x00400000u : rounded) & 0xffff0000u;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline float half_float16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint32_t sign = bits & 0x80000000u, magnitude = bits & 0x7fffffffu;
    uint32_t normal = (magnitude + 0xfffu + (magnitude >> 13 & 1u)) & 0xffffe000u, small;
    normal = normal > 0x477fe000u ? 0x7f800000u : normal; /* above 65504 */
    float value;
    memcpy(&value, &magnitude, sizeof value);
    value = (value + 0.5f) - 0.5f; /* numbers from 0.5 to 1 are 2^-24 apart, as float16's subnormals are */
    memcpy(&small, &value, sizeof small);
    bits = magnitude > 0x7f800000u ? magnitude | 0x00400000u : magnitude < 0x38800000u ? small : normal; /* below 2^-14 */
    bits |= sign;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#ifdef KERNEL_SUFFIX

/* Within a kernel. `precision` is that of a node; nothing happens in float64. */
static inline void half_round_reals(real *values, size_t count, Precision precision)
{
#ifdef KERNEL_F64
    (void)values, (void)count, (void)precision;
#else
    if (precision == PRECISION_BFLOAT16) {
        LOOP_INDEPENDENT
        for (size_t i = 0; i < count; i++)
            values[i] = half_bfloat16(values[i]);
    } else if (precision == PRECISION_FLOAT16) {
        LOOP_INDEPENDENT
        for (size_t i = 0; i < count; i++)
            values[i] = half_float16(values[i]);
    }
#endif
}

#endif
#endif
