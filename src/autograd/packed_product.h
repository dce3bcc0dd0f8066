/* Products of a few rows with a matrix that is used again and again: packed once, then from registers and L1.
 *
 *     product_pack(weight, k, n, k_stride, n_stride, packed);            for each call of the kernel
 *     product_rows(a, rows, lda, packed, k, n, c, ldc);                      C = A W for each time step
 *
 * A library's product packs its right side in every call, which costs as much as the product itself when there are 16 or 32
 * rows (LSTM of 256: 118 us a step against 80). Every element is one sum over k in rising order, whatever the other
 * rows are, so that the bits do not depend on how rows are divided. Only kernel files include this. */
#ifndef GRADTOOL_AUTOGRAD_PACKED_PRODUCT_H
#define GRADTOOL_AUTOGRAD_PACKED_PRODUCT_H

#include <stddef.h>

/* Rows of C and columns of the packed matrix are padded to a multiple of this, with zeros. */
enum { PRODUCT_PAD = 64 };

static inline size_t product_padded(size_t columns)
{
    return (columns + PRODUCT_PAD - 1) / PRODUCT_PAD * PRODUCT_PAD;
}

#ifdef KERNEL

#include "tensor/lanes.h"

#if defined KERNEL_AVX512
enum { TILE_ROWS = 12 }; /* 24 sums, 2 vectors of the matrix and one of A: 32 registers */
#else
enum { TILE_ROWS = 6 };
#endif
enum { TILE_VECTORS = 2, TILE_COLUMNS = TILE_VECTORS * REALS };

/* gcc keeps the sums in memory unless the loops over them are unrolled first (7 GFLOP/s against 190); clang does it by itself.
 */
#if defined __clang__
#define LOOP_UNROLLED
#else
#define LOOP_UNROLLED _Pragma("GCC unroll 16")
#endif

/* packed[panel][k][TILE_COLUMNS] of the k x n matrix whose element (i, j) is weight[i * k_stride + j * n_stride]. */
static inline void product_pack(const real *weight, size_t k, size_t n, size_t k_stride, size_t n_stride, real *packed)
{
    for (size_t first = 0; first < n; first += TILE_COLUMNS) {
        real *panel = packed + first * k;
        for (size_t i = 0; i < k; i++)
            for (size_t j = 0; j < TILE_COLUMNS; j++)
                panel[i * TILE_COLUMNS + j] = first + j < n ? weight[i * k_stride + (first + j) * n_stride] : 0;
    }
}

static inline __attribute__((always_inline)) void product_tile(int rows, const real *a, size_t lda, const real *panel, size_t k,
                                                               real *c, size_t ldc)
{
    Reals sum[TILE_ROWS][TILE_VECTORS];
    LOOP_UNROLLED
    for (int r = 0; r < rows; r++)
        LOOP_UNROLLED
    for (int v = 0; v < TILE_VECTORS; v++)
        sum[r][v] = (Reals){0};
    for (size_t i = 0; i < k; i++) {
        Reals w[TILE_VECTORS];
        LOOP_UNROLLED
        for (int v = 0; v < TILE_VECTORS; v++)
            w[v] = reals_load(panel + i * TILE_COLUMNS + (size_t)v * REALS);
        LOOP_UNROLLED
        for (int r = 0; r < rows; r++) {
            const real x = a[(size_t)r * lda + i]; /* the compiler spreads it over a vector */
            LOOP_UNROLLED
            for (int v = 0; v < TILE_VECTORS; v++)
                sum[r][v] += x * w[v];
        }
    }
    LOOP_UNROLLED
    for (int r = 0; r < rows; r++)
        LOOP_UNROLLED
    for (int v = 0; v < TILE_VECTORS; v++)
        memcpy(c + (size_t)r * ldc + (size_t)v * REALS, &sum[r][v], sizeof(Reals));
}

/* One case for each height, so that the sums stay in registers. */
static inline void product_some_rows(int rows, const real *a, size_t lda, const real *panel, size_t k, real *c, size_t ldc)
{
#define TILE_CASE(n)                                                                                                           \
    case n:                                                                                                                    \
        product_tile(n, a, lda, panel, k, c, ldc);                                                                             \
        break;
    switch (rows) {
        TILE_CASE(1)
        TILE_CASE(2)
        TILE_CASE(3)
        TILE_CASE(4)
        TILE_CASE(5)
        TILE_CASE(6)
#if defined KERNEL_AVX512
        TILE_CASE(7)
        TILE_CASE(8)
        TILE_CASE(9)
        TILE_CASE(10)
        TILE_CASE(11)
        TILE_CASE(12)
#endif
    }
#undef TILE_CASE
}

/* C[rows, n padded] = A[rows, k] W; all columns of C's last panel are written. The panel stays in L1 from tile to tile. */
static inline void product_rows(const real *a, size_t rows, size_t lda, const real *packed, size_t k, size_t n, real *c,
                                size_t ldc)
{
    const size_t tiles = (rows + TILE_ROWS - 1) / TILE_ROWS;
    for (size_t first = 0; first < n; first += TILE_COLUMNS)
        for (size_t tile = 0; tile < tiles; tile++) {
            size_t begin = rows * tile / tiles, end = rows * (tile + 1) / tiles;
            product_some_rows((int)(end - begin), a + begin * lda, lda, packed + first * k, k, c + begin * ldc + first, ldc);
        }
}

#endif
#endif
