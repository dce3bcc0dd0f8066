/* Pairs of neighbouring k stand in one 32-bit word: packed_a[row][pair], packed_b[panel][pair][column]. */
#include "autograd/bfloat16_product.h"

#include <stdint.h>
#include <string.h>

enum { TILE_ROWS = 12, TILE_COLUMNS = 32, LANES = 16 };           /* 24 sums, 2 vectors of b and one of a: 27 of 32 registers */
enum { BLOCK_TERMS = 512, BLOCK_ROWS = 96, BLOCK_COLUMNS = 256 }; /* both packed blocks, 352 KiB, stay in the second cache */

size_t bfloat16_product_scratch(void)
{
    return BLOCK_TERMS / 2 * (BLOCK_COLUMNS + BLOCK_ROWS);
}

#if defined __x86_64__

#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))

/* As in packed_product.h: gcc keeps sums in memory unless the loops over them are unrolled first. */
#if defined __clang__
#define LOOP_UNROLLED
#else
#define LOOP_UNROLLED _Pragma("GCC unroll 16")
#endif

bool bfloat16_product_is_available(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bf16");
}

static inline uint32_t upper_half(const float *x)
{
    uint32_t bits;
    memcpy(&bits, x, sizeof bits);
    return bits & 0xffff0000u;
}

/* The numbers of terms 2 q and 2 q + 1, which are `step` apart; behind the last term stands zero. */
static inline uint32_t pair_at(const float *x, size_t step, int pair, int terms)
{
    const float *first = x + 2 * (size_t)pair * step;
    return upper_half(first) >> 16 | (2 * pair + 1 < terms ? upper_half(first + step) : 0);
}

static void pack_a(Bfloat16Matrix a, int rows, int terms, uint32_t *packed)
{
    const int pairs = (terms + 1) / 2;
    for (int i = 0; i < rows; i++)
        for (int q = 0; q < pairs; q++)
            packed[i * pairs + q] = pair_at(a.at + (size_t)i * a.row, a.column, q, terms);
}

/* The first `count` lanes, at most 16. */
TARGET static inline __mmask16 lanes(int count)
{
    return (__mmask16)(count >= LANES ? 0xffff : count > 0 ? (1 << count) - 1 : 0);
}

/* A panel of up to TILE_COLUMNS columns, the missing ones zero. */
TARGET static void pack_panel(Bfloat16Matrix b, int columns, int terms, uint32_t *panel)
{
    const int pairs = (terms + 1) / 2;
    const __m512i upper = _mm512_set1_epi32((int)0xffff0000);
    if (b.column != 1) {
        memset(panel, 0, sizeof *panel * (size_t)pairs * TILE_COLUMNS);
        for (int j = 0; j < columns; j++)
            for (int q = 0; q < pairs; q++)
                panel[q * TILE_COLUMNS + j] = pair_at(b.at + (size_t)j * b.column, b.row, q, terms);
        return;
    }
    for (int q = 0; q < pairs; q++)
        for (int v = 0; v < TILE_COLUMNS; v += LANES) {
            const float *first = b.at + 2 * (size_t)q * b.row + v;
            const __mmask16 seen = lanes(columns - v), both = 2 * q + 1 < terms ? seen : 0;
            const __m512i x = _mm512_srli_epi32(_mm512_maskz_loadu_epi32(seen, first), 16);
            const __m512i y = _mm512_and_si512(_mm512_maskz_loadu_epi32(both, first + b.row), upper);
            _mm512_storeu_si512(panel + q * TILE_COLUMNS + v, _mm512_or_si512(x, y));
        }
}

static void pack_b(Bfloat16Matrix b, int columns, int terms, uint32_t *packed)
{
    for (int j = 0; j < columns; j += TILE_COLUMNS, packed += (terms + 1) / 2 * TILE_COLUMNS) {
        const Bfloat16Matrix panel = {b.at + (size_t)j * b.column, b.row, b.column};
        pack_panel(panel, columns - j < TILE_COLUMNS ? columns - j : TILE_COLUMNS, terms, packed);
    }
}

typedef struct Tile {
    const uint32_t *a, *b;
    int pairs, columns;
    float *c;
    size_t stride;
    bool accumulates;
} Tile;

TARGET static inline __attribute__((always_inline)) void multiply_rows(int rows, const Tile *t)
{
    const __mmask16 left = lanes(t->columns), right = lanes(t->columns - LANES);
    const uint32_t *b = t->b;
    __m512 sum[TILE_ROWS][2];
    LOOP_UNROLLED
    for (int r = 0; r < rows; r++) {
        const float *c = t->c + (size_t)r * t->stride;
        sum[r][0] = t->accumulates ? _mm512_maskz_loadu_ps(left, c) : _mm512_setzero_ps();
        sum[r][1] = t->accumulates ? _mm512_maskz_loadu_ps(right, c + LANES) : _mm512_setzero_ps();
    }
    for (int q = 0; q < t->pairs; q++, b += TILE_COLUMNS) {
        const __m512bh b0 = (__m512bh)_mm512_loadu_si512(b), b1 = (__m512bh)_mm512_loadu_si512(b + LANES);
        LOOP_UNROLLED
        for (int r = 0; r < rows; r++) {
            const __m512bh a = (__m512bh)_mm512_set1_epi32((int)t->a[r * t->pairs + q]);
            sum[r][0] = _mm512_dpbf16_ps(sum[r][0], a, b0);
            sum[r][1] = _mm512_dpbf16_ps(sum[r][1], a, b1);
        }
    }
    LOOP_UNROLLED
    for (int r = 0; r < rows; r++) {
        float *c = t->c + (size_t)r * t->stride;
        _mm512_mask_storeu_ps(c, left, sum[r][0]);
        _mm512_mask_storeu_ps(c + LANES, right, sum[r][1]);
    }
}

/* One case for each height, so that the sums stay in registers. */
TARGET static void multiply_tile(int rows, const Tile *t)
{
#define TILE_CASE(n)                                                                                                           \
    case n:                                                                                                                    \
        multiply_rows(n, t);                                                                                                   \
        break;
    switch (rows) {
        TILE_CASE(1)
        TILE_CASE(2)
        TILE_CASE(3)
        TILE_CASE(4)
        TILE_CASE(5)
        TILE_CASE(6)
        TILE_CASE(7)
        TILE_CASE(8)
        TILE_CASE(9)
        TILE_CASE(10)
        TILE_CASE(11)
        TILE_CASE(12)
    }
#undef TILE_CASE
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* All tiles of two packed blocks. */
static void multiply_block(int rows, int columns, const Tile *block)
{
    for (int j = 0; j < columns; j += TILE_COLUMNS)
        for (int i = 0; i < rows; i += TILE_ROWS) {
            Tile tile = *block;
            tile.a += (size_t)i * (size_t)block->pairs;
            tile.b += (size_t)j * (size_t)block->pairs;
            tile.c += (size_t)i * block->stride + (size_t)j;
            tile.columns = least(columns - j, TILE_COLUMNS);
            multiply_tile(least(rows - i, TILE_ROWS), &tile);
        }
}

void bfloat16_product(int m, int n, int k, Bfloat16Matrix a, Bfloat16Matrix b, float *c, size_t stride, bool accumulates,
                      void *scratch)
{
    uint32_t *packed_b = scratch, *packed_a = packed_b + BLOCK_TERMS / 2 * BLOCK_COLUMNS;
    for (int j = 0; j < n; j += BLOCK_COLUMNS)
        for (int p = 0; p < k; p += BLOCK_TERMS) {
            const int columns = least(n - j, BLOCK_COLUMNS), terms = least(k - p, BLOCK_TERMS);
            const Bfloat16Matrix right = {b.at + (size_t)p * b.row + (size_t)j * b.column, b.row, b.column};
            pack_b(right, columns, terms, packed_b);
            for (int i = 0; i < m; i += BLOCK_ROWS) {
                const int rows = least(m - i, BLOCK_ROWS);
                const Bfloat16Matrix left = {a.at + (size_t)i * a.row + (size_t)p * a.column, a.row, a.column};
                const Tile block = {.a = packed_a,
                                    .b = packed_b,
                                    .pairs = (terms + 1) / 2,
                                    .c = c + (size_t)i * stride + (size_t)j,
                                    .stride = stride,
                                    .accumulates = accumulates || p};
                pack_a(left, rows, terms, packed_a);
                multiply_block(rows, columns, &block);
            }
        }
}

#else

bool bfloat16_product_is_available(void)
{
    return false;
}

void bfloat16_product(int m, int n, int k, Bfloat16Matrix a, Bfloat16Matrix b, float *c, size_t stride, bool accumulates,
                      void *scratch)
{
    (void)m, (void)n, (void)k, (void)a, (void)b, (void)c, (void)stride, (void)accumulates, (void)scratch;
}

#endif
