/* Every type is first a row of bits, put together in the order the file says, and then a value. */
#include "tensor/number_type.h"

#include <math.h>
#include <string.h>

size_t number_size(NumberType type)
{
    static const unsigned char size[] = {
        [NUMBER_BOOL] = 1, [NUMBER_U8] = 1,  [NUMBER_I8] = 1,  [NUMBER_U16] = 2, [NUMBER_I16] = 2,
        [NUMBER_U32] = 4,  [NUMBER_I32] = 4, [NUMBER_U64] = 8, [NUMBER_I64] = 8, [NUMBER_F16] = 2,
        [NUMBER_BF16] = 2, [NUMBER_F32] = 4, [NUMBER_F64] = 8,
    };
    return size[type];
}

bool number_is_integer(NumberType type)
{
    return type < NUMBER_F16;
}

uint64_t number_bits(const unsigned char *bytes, size_t size, bool big_endian)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < size; i++)
        bits = bits << 8 | bytes[big_endian ? i : size - 1 - i];
    return bits;
}

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static double double_of_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* IEEE 754 binary16: 1 sign bit, 5 exponent bits with bias 15, 10 fraction bits. Every value is exact in float32. */
static float float_of_half(uint32_t bits)
{
    uint32_t sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 31, fraction = bits & 1023;
    if (exponent == 31)
        return float_of_bits(sign | 0x7f800000u | fraction << 13);
    float magnitude = exponent == 0 ? ldexpf((float)fraction, -24) : ldexpf((float)(fraction | 1024), (int)exponent - 25);
    return sign ? -magnitude : magnitude;
}

float number_float(NumberType type, bool big_endian, const unsigned char *bytes)
{
    uint64_t bits = number_bits(bytes, number_size(type), big_endian);
    switch (type) {
    case NUMBER_BOOL:
        return bits ? 1 : 0;
    case NUMBER_U8:
    case NUMBER_U16:
    case NUMBER_U32:
    case NUMBER_U64:
        return (float)bits;
    case NUMBER_I8:
        return (float)(int8_t)bits;
    case NUMBER_I16:
        return (float)(int16_t)bits;
    case NUMBER_I32:
        return (float)(int32_t)bits;
    case NUMBER_I64:
        return (float)(int64_t)bits;
    case NUMBER_F16:
        return float_of_half((uint32_t)bits);
    case NUMBER_BF16:
        return float_of_bits((uint32_t)bits << 16);
    case NUMBER_F32:
        return float_of_bits((uint32_t)bits);
    case NUMBER_F64:
        return (float)double_of_bits(bits);
    }
    return NAN;
}

void number_floats(NumberType type, bool big_endian, const unsigned char *bytes, size_t count, float *into)
{
    size_t size = number_size(type);
    for (size_t i = 0; i < count; i++)
        into[i] = number_float(type, big_endian, bytes + i * size);
}
