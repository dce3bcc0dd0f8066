/* Several sums side by side in vector registers, for reductions in kernel files.
 *
 * Without -ffast-math no compiler may reorder a sum, and both gcc 12 and clang 14 keep an array of partial sums in memory
 * (0.17 ns a float for the statistics, against 0.06 so). Arithmetic on these types is written with + - *; only what has no
 * operator in C is a function here. Only kernel files include this. */
#ifndef GRADTOOL_TENSOR_LANES_H
#define GRADTOOL_TENSOR_LANES_H

#include <stddef.h>
#include <string.h>

#include "tensor/variant.h"

#ifdef KERNEL_SUFFIX

#if defined KERNEL_AVX512

#include <immintrin.h>
typedef __m512 Reals;
typedef __m512d Doubles;

static inline Reals reals_min(Reals a, Reals b)
{
    return _mm512_min_ps(a, b);
}

static inline Reals reals_max(Reals a, Reals b)
{
    return _mm512_max_ps(a, b);
}

static inline int reals_zeros(Reals a)
{
    return __builtin_popcount(_mm512_cmp_ps_mask(a, _mm512_setzero_ps(), _CMP_EQ_OQ));
}

static inline Doubles doubles_load(const real *x)
{
    return _mm512_cvtps_pd(_mm256_loadu_ps(x));
}

#elif defined KERNEL_AVX2

#include <immintrin.h>
typedef __m256 Reals;
typedef __m256d Doubles;

static inline Reals reals_min(Reals a, Reals b)
{
    return _mm256_min_ps(a, b);
}

static inline Reals reals_max(Reals a, Reals b)
{
    return _mm256_max_ps(a, b);
}

static inline int reals_zeros(Reals a)
{
    return __builtin_popcount((unsigned)_mm256_movemask_ps(_mm256_cmp_ps(a, _mm256_setzero_ps(), _CMP_EQ_OQ)));
}

static inline Doubles doubles_load(const real *x)
{
    return _mm256_cvtps_pd(_mm_loadu_ps(x));
}

#else

typedef real Reals __attribute__((vector_size(16)));
typedef double Doubles __attribute__((vector_size(16)));

#if defined __SSE2__ && !defined KERNEL_F64

#include <emmintrin.h>

static inline Reals reals_min(Reals a, Reals b)
{
    return _mm_min_ps(a, b);
}

static inline Reals reals_max(Reals a, Reals b)
{
    return _mm_max_ps(a, b);
}

static inline int reals_zeros(Reals a)
{
    /* The number of bits of each 4-bit mask, as a digit; this processor may have no instruction for it. */
    return (int)(0x4332322132212110u >> (4 * _mm_movemask_ps(_mm_cmpeq_ps(a, _mm_setzero_ps()))) & 7u);
}

#else

enum { REALS_GENERIC = sizeof(Reals) / sizeof(real) };

/* Of each pair the second where the two do not compare, as the instructions above have it. */
static inline Reals reals_min(Reals a, Reals b)
{
    for (int lane = 0; lane < REALS_GENERIC; lane++)
        b[lane] = a[lane] < b[lane] ? a[lane] : b[lane];
    return b;
}

static inline Reals reals_max(Reals a, Reals b)
{
    for (int lane = 0; lane < REALS_GENERIC; lane++)
        b[lane] = a[lane] > b[lane] ? a[lane] : b[lane];
    return b;
}

static inline int reals_zeros(Reals a)
{
    int zeros = 0;
    for (int lane = 0; lane < REALS_GENERIC; lane++)
        zeros += a[lane] == 0;
    return zeros;
}

#endif

static inline Doubles doubles_load(const real *x)
{
    return (Doubles){(double)x[0], (double)x[1]};
}

#endif

enum { REALS = sizeof(Reals) / sizeof(real), DOUBLES = sizeof(Doubles) / sizeof(double) };

static inline Reals reals_load(const real *x)
{
    Reals values;
    memcpy(&values, x, sizeof values);
    return values;
}

static inline void reals_store(real *x, Reals values)
{
    memcpy(x, &values, sizeof values);
}

static inline Reals reals_all(real x)
{
    Reals values = {0};
    for (int lane = 0; lane < REALS; lane++)
        values[lane] = x;
    return values;
}

static inline Doubles doubles_all(double x)
{
    Doubles values = {0};
    for (int lane = 0; lane < DOUBLES; lane++)
        values[lane] = x;
    return values;
}

/* The sum of the two halves of float lanes, or the lanes themselves when they are double. */
static inline Doubles reals_widen(Reals a)
{
    real lanes[REALS];
    memcpy(lanes, &a, sizeof lanes);
    Doubles sum = doubles_load(lanes);
    for (int lane = DOUBLES; lane < REALS; lane += DOUBLES)
        sum += doubles_load(lanes + lane);
    return sum;
}

static inline double doubles_sum(Doubles a)
{
    double sum = 0;
    for (int lane = 0; lane < DOUBLES; lane++)
        sum += a[lane];
    return sum;
}

#endif
#endif
