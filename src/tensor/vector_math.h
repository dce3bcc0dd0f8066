/* Elementary functions that a compiler can vectorise: no branch, no table, no call.
 *
 * Only kernel files include this. In float32 the error against the exact value is at most, in units in the last place (a
 * test walks the floats and confirms it): exp 2, expm1 3, log 2, log1p 4, tanh 3, sigmoid 4, erf 3; results below the
 * smallest normal number are within one unit of the last place of that number. NaN gives NaN, infinities the limits.
 * In float64 they are libm's. Polynomials were fitted for this file (weighted minimax on the reduced range). */
#ifndef GRADTOOL_TENSOR_VECTOR_MATH_H
#define GRADTOOL_TENSOR_VECTOR_MATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "tensor/variant.h"

static inline uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* 2^n for the n that was rounded by adding `ROUND`: the integer stands in the low bits of the sum. */
#define ROUND 12582912.0f /* 1.5 * 2^23 */

static inline float exp_float(float x)
{
    float clamped = x > 89.0f ? 89.0f : x;
    clamped = clamped < -104.0f ? -104.0f : clamped;
    float shifted = clamped * 1.44269504f + ROUND;
    float n = shifted - ROUND;
    float r = clamped - n * 0.693145752f; /* ln 2 in two parts: the first has trailing zeros, so the product is exact */
    r = r - n * 1.42860677e-6f;
    float p =
        5.000000101e-01f + r * (1.666651288e-01f + r * (4.166618724e-02f + r * (8.369598918e-03f + r * 1.395172003e-03f)));
    p = 1.0f + (r + r * r * p);
    /* The scale in two factors, so that neither overflows and the product may be subnormal. */
    int32_t whole = (int32_t)(bits_of(shifted) - bits_of(ROUND));
    int32_t half = whole >> 1;
    float scale1 = float_of((uint32_t)(half + 127) << 23);
    float scale2 = float_of((uint32_t)(whole - half + 127) << 23);
    return p * scale1 * scale2;
}

static inline float expm1_float(float x)
{
    float z = 5.000000000e-01f +
              x * (1.666666746e-01f +
                   x * (4.166666927e-02f +
                        x * (8.333140744e-03f + x * (1.388854341e-03f + x * (1.997402180e-04f + x * 2.497026263e-05f)))));
    float near = x + x * x * z;
    float far = exp_float(x) - 1.0f;
    return fabsf(x) < 0.5f ? near : far;
}

static inline float log_float(float x)
{
    int is_subnormal = x < 1.17549435e-38f;
    float scaled = is_subnormal ? x * 8388608.0f : x;
    float shift = is_subnormal ? -23.0f : 0.0f;
    uint32_t bits = bits_of(scaled);
    /* m in [sqrt(1/2), sqrt(2)), x = m * 2^e */
    uint32_t offset = bits - 0x3f3504f3u;
    float e = (float)((int32_t)offset >> 23) + shift;
    float f = float_of((offset & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
    float p =
        3.333331672e-01f +
        f * (-2.500081044e-01f +
             f * (2.000228644e-01f +
                  f * (-1.662455287e-01f +
                       f * (1.418118736e-01f + f * (-1.312876260e-01f + f * (1.288168386e-01f + f * -7.859634725e-02f))))));
    float square = f * f;
    float result = f * square * p + e * -2.12194440e-4f;
    result = result - 0.5f * square;
    result = f + result + e * 0.693359375f;
    result = x == INFINITY ? x : result;
    result = x == 0 ? -INFINITY : result;
    return x >= 0 ? result : NAN;
}

/* log(1 + x): log of the rounded sum, corrected by what the rounding lost (Goldberg 1991, theorem 4). */
static inline float log1p_float(float x)
{
    float sum = 1.0f + x;
    float exact = sum - 1.0f;
    float result = log_float(sum) * (x / exact);
    result = exact == 0 ? x : result;
    return x == INFINITY ? x : result;
}

static inline float tanh_float(float x)
{
    float z = x * x;
    float near = x + x * z *
                         (-3.333328392e-01f +
                          z * (1.333149125e-01f + z * (-5.374349478e-02f + z * (2.065057597e-02f + z * -5.717031842e-03f))));
    float magnitude = fabsf(x);
    float far = copysignf(1.0f - 2.0f / (exp_float(2.0f * magnitude) + 1.0f), x);
    return magnitude < 0.625f ? near : far;
}

static inline float sigmoid_float(float x)
{
    float e = exp_float(-fabsf(x));
    return (x >= 0 ? 1.0f : e) / (1.0f + e);
}

static inline float erf_float(float x)
{
    float z = x * x;
    float near =
        x + x * (1.283791667e-01f +
                 z * (-3.761263419e-01f +
                      z * (1.128370162e-01f +
                           z * (-2.685970244e-02f + z * (5.201716397e-03f + z * (-8.149808783e-04f + z * 8.397804890e-05f))))));
    float t = fabsf(x);
    t = t > 4.0f ? 4.0f : t;
    float p =
        -1.630772598e-04f +
        t * (1.129448631e+00f +
             t * (6.335096657e-01f +
                  t * (1.080559778e-01f + t * (-2.493026485e-02f +
                                               t * (4.070915566e-03f + t * (-4.020066284e-04f +
                                                                            t * (1.521151358e-05f + t * 4.565508340e-07f)))))));
    float far = copysignf(1.0f - exp_float(-p), x);
    float result = z < 0.849845886f ? near : far;
    return x == x ? result : x;
}

#undef ROUND

#if defined KERNEL_F64
#define EXP(x) exp(x)
#define EXPM1(x) expm1(x)
#define LOG(x) log(x)
#define LOG1P(x) log1p(x)
#define TANH(x) tanh(x)
#define SIGMOID(x) ((x) >= 0 ? 1 / (1 + exp(-(x))) : exp(x) / (1 + exp(x)))
#define ERF(x) erf(x)
#define SQRT(x) sqrt(x)
#define ABS(x) fabs(x)
#define POW(x, k) pow(x, k)
#define SIN(x) sin(x)
#define COS(x) cos(x)
#else
#define EXP(x) exp_float(x)
#define EXPM1(x) expm1_float(x)
#define LOG(x) log_float(x)
#define LOG1P(x) log1p_float(x)
#define TANH(x) tanh_float(x)
#define SIGMOID(x) sigmoid_float(x)
#define ERF(x) erf_float(x)
#define SQRT(x) sqrtf(x)
#define ABS(x) fabsf(x)
#define POW(x, k) powf((float)(x), (float)(k))
#define SIN(x) sinf(x)
#define COS(x) cosf(x)
#endif

#endif
