/* One block's statistics and exponents, in one pass each. */
#include "tensor/statistics.h"

#ifdef KERNEL_SUFFIX

#include <assert.h>
#include <math.h>

#include "tensor/lanes.h"

/* Sums of d = x - shift. */
typedef struct BlockSums {
    double shift, sum, square;
    real min, max;
    uint64_t zeros;
} BlockSums;

/* In double, with an element of the block as the shift: then the sum of d^2 is at most 2 (1 + n) times what the squared
 * deviations or the squares themselves add up to, and either follows from these sums with n roundings of a double lost. */
static void add_exactly(BlockSums *sums, const real *x, size_t n)
{
    enum { STEP = 4 * DOUBLES };
    Doubles sum[4], square[4];
    Doubles shift = doubles_all((double)x[0]);
    for (int u = 0; u < 4; u++)
        sum[u] = square[u] = doubles_all(0);
    size_t i = 0;
    for (; i + STEP <= n; i += STEP)
        for (int u = 0; u < 4; u++) {
            Doubles d = doubles_load(x + i + (size_t)u * DOUBLES) - shift;
            sum[u] += d;
            square[u] += d * d;
        }
    sums->shift = (double)x[0];
    sums->sum = doubles_sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
    sums->square = doubles_sum((square[0] + square[1]) + (square[2] + square[3]));
    for (; i < n; i++) {
        double d = (double)x[i] - sums->shift;
        sums->sum += d;
        sums->square += d * d;
    }
}

/* With numbers of the block's own type and no shift, and what no rounding changes: extremes and zeros. A chain of CHAIN
 * additions goes on in double. */
static void add_quickly(BlockSums *sums, const real *x, size_t n)
{
    enum { STEP = 2 * REALS, CHAIN = 8 };
    Reals min[2], max[2];
    Doubles sum = doubles_all(0), square = doubles_all(0);
    *sums = (BlockSums){.min = x[0], .max = x[0]};
    for (int u = 0; u < 2; u++)
        min[u] = max[u] = reals_all(x[0]);
    size_t i = 0;
    while (i + STEP <= n) {
        Reals part_sum[2] = {reals_all(0), reals_all(0)}, part_square[2] = {reals_all(0), reals_all(0)};
        size_t end = i + CHAIN * STEP <= n ? i + CHAIN * STEP : n - (n - i) % STEP;
        for (; i < end; i += STEP)
            for (int u = 0; u < 2; u++) {
                Reals values = reals_load(x + i + (size_t)u * REALS);
                part_sum[u] += values;
                part_square[u] += values * values;
                min[u] = reals_min(values, min[u]);
                max[u] = reals_max(values, max[u]);
                sums->zeros += (uint64_t)reals_zeros(values);
            }
        sum += reals_widen(part_sum[0] + part_sum[1]);
        square += reals_widen(part_square[0] + part_square[1]);
    }
    min[0] = reals_min(min[1], min[0]);
    max[0] = reals_max(max[1], max[0]);
    for (int lane = 0; lane < REALS; lane++) {
        sums->min = min[0][lane] < sums->min ? min[0][lane] : sums->min;
        sums->max = max[0][lane] > sums->max ? max[0][lane] : sums->max;
    }
    sums->sum = doubles_sum(sum);
    sums->square = doubles_sum(square);
    for (; i < n; i++) {
        sums->sum += (double)x[i];
        sums->square += (double)x[i] * (double)x[i];
        sums->min = x[i] < sums->min ? x[i] : sums->min;
        sums->max = x[i] > sums->max ? x[i] : sums->max;
        sums->zeros += x[i] == 0;
    }
}

/* The quick sums serve where squares of float32 keep clear of both ends of its range, and where the mean is below the
 * deviation, so that the difference of the two does not cancel. */
static bool quick_will_do(const BlockSums *sums, double count)
{
    double largest = fmax((double)sums->max, -(double)sums->min);
    return sizeof(real) == sizeof(float) && largest > 1e-15 && largest < 1e15 &&
           sums->sum * sums->sum < 0.5 * count * sums->square;
}

/* A block with NaN or infinity: rare, so it may take its time. */
static void nonfinite_block(const real *x, size_t n, Statistics *out)
{
    *out = (Statistics){.count = n, .deviation = NAN, .min = (double)x[0], .max = (double)x[0]};
    for (size_t i = 0; i < n; i++) {
        double value = (double)x[i];
        out->sum += value;
        out->square += value * value;
        out->min = isnan(value) || value < out->min ? value : out->min;
        out->max = isnan(value) || value > out->max ? value : out->max;
        out->zeros += value == 0;
        out->nonfinite += isfinite(value) ? 0 : 1;
    }
    if (out->nonfinite == 0) /* doubles whose squares overflow */
        out->deviation = INFINITY;
}

void KERNEL(statistics_block)(const void *values, size_t n, Statistics *out)
{
    const real *x = values;
    assert(n <= STATISTICS_BLOCK);
    if (n == 0) {
        *out = statistics_empty();
        return;
    }
    double count = (double)n;
    BlockSums sums;
    add_quickly(&sums, x, n);
    if (!quick_will_do(&sums, count))
        add_exactly(&sums, x, n);
    if (!isfinite(sums.square)) {
        nonfinite_block(x, n, out);
        return;
    }
    *out = (Statistics){
        .count = n,
        .sum = sums.sum + count * sums.shift,
        .deviation = fmax(sums.square - sums.sum * sums.sum / count, 0),
        .square = sums.square + sums.shift * (2 * sums.sum + count * sums.shift),
        .min = (double)sums.min,
        .max = (double)sums.max,
        .zeros = sums.zeros,
    };
}

static void count_exponent(double x, ExponentHistogram *into)
{
    if (x == 0) {
        into->zeros++;
    } else if (!isfinite(x)) {
        into->nonfinite++;
    } else {
        int exponent = ilogb(x);
        exponent = exponent < EXPONENT_FIRST ? EXPONENT_FIRST : exponent > EXPONENT_LAST ? EXPONENT_LAST : exponent;
        into->count[exponent - EXPONENT_FIRST]++;
    }
}

#ifdef KERNEL_F64

void KERNEL(exponent_histogram_block)(const void *values, size_t n, ExponentHistogram *into)
{
    const real *x = values;
    for (size_t i = 0; i < n; i++)
        count_exponent(x[i], into);
}

#else

enum { EXPONENT_BIAS = 127, BYTE_NONFINITE = 255, FEW = 64, MAX_SWEEPS = 16 };

/* CHUNK bytes compared at once: a mask of those that equal `byte`, or are at most `byte`. */
#if defined KERNEL_AVX512
enum { CHUNK = 64 };

static inline uint64_t mask_equal(const uint8_t *bytes, uint8_t byte)
{
    return _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(bytes), _mm512_set1_epi8((char)byte));
}

static inline uint64_t mask_at_most(const uint8_t *bytes, uint8_t byte)
{
    return _mm512_cmple_epu8_mask(_mm512_loadu_si512(bytes), _mm512_set1_epi8((char)byte));
}
#elif defined KERNEL_AVX2
enum { CHUNK = 32 };

static inline __m256i load_chunk(const uint8_t *bytes)
{
    __m256i chunk;
    memcpy(&chunk, bytes, sizeof chunk);
    return chunk;
}

static inline uint64_t mask_equal(const uint8_t *bytes, uint8_t byte)
{
    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(load_chunk(bytes), _mm256_set1_epi8((char)byte)));
}

static inline uint64_t mask_at_most(const uint8_t *bytes, uint8_t byte)
{
    __m256i chunk = load_chunk(bytes);
    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_min_epu8(chunk, _mm256_set1_epi8((char)byte)), chunk));
}
#endif

#ifdef __AVX2__

static uint64_t count_byte(const uint8_t *bytes, size_t n, uint8_t byte)
{
    uint64_t count = 0;
    size_t i = 0;
    for (; i + CHUNK <= n; i += CHUNK)
        count += (uint64_t)__builtin_popcountll(mask_equal(bytes + i, byte));
    for (; i < n; i++)
        count += bytes[i] == byte;
    return count;
}

/* Counts the bytes from 1 to `highest` one by one. */
static void count_rest(const uint8_t *bytes, size_t n, uint8_t highest, uint64_t counts[256])
{
    size_t i = 0;
    for (; i + CHUNK <= n; i += CHUNK)
        for (uint64_t mask = mask_at_most(bytes + i, highest) & ~mask_equal(bytes + i, 0); mask != 0; mask &= mask - 1)
            counts[bytes[i + (size_t)__builtin_ctzll(mask)]]++;
    for (; i < n; i++)
        if (bytes[i] != 0 && bytes[i] <= highest)
            counts[bytes[i]]++;
}

/* One sweep over the bytes for each exponent, from the largest down: half of the numbers or more are done with each, so few are
 * left soon, and those are picked out. 0.2 ns a float for a gradient's, where a table of counters takes 0.4. */
static void count_bytes(const uint8_t *bytes, size_t n, uint64_t counts[256])
{
    uint8_t byte = 0;
    for (size_t i = 0; i < n; i++)
        byte = bytes[i] > byte ? bytes[i] : byte;
    counts[0] = count_byte(bytes, n, 0);
    uint64_t left = n - counts[0];
    for (int sweep = 0; left > FEW && sweep < MAX_SWEEPS; sweep++, byte--) {
        counts[byte] = count_byte(bytes, n, byte);
        left -= counts[byte];
    }
    if (left > 0)
        count_rest(bytes, n, byte, counts);
}

#else

static void count_bytes(const uint8_t *bytes, size_t n, uint64_t counts[256])
{
    for (size_t i = 0; i < n; i++)
        counts[bytes[i]]++;
}

#endif

/* Byte 0 stands for zeros and for subnormal numbers, which have exponents of their own; they are seldom there. */
static void count_small(const float *x, size_t n, uint64_t small, ExponentHistogram *into)
{
    uint32_t zeros = 0;
    for (size_t i = 0; i < n; i++)
        zeros += x[i] == 0;
    into->zeros += zeros;
    for (size_t i = 0; zeros < small && i < n; i++)
        if (x[i] != 0 && fabsf(x[i]) < 0x1p-126f) {
            count_exponent((double)x[i], into);
            small--;
        }
}

void KERNEL(exponent_histogram_block)(const void *values, size_t n, ExponentHistogram *into)
{
    const float *x = values;
    uint8_t bytes[STATISTICS_BLOCK];
    uint64_t counts[256] = {0};
    assert(n <= STATISTICS_BLOCK);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bytes[i] = (uint8_t)(bits >> 23);
    }
    count_bytes(bytes, n, counts);
    if (counts[0] > 0)
        count_small(x, n, counts[0], into);
    for (int byte = 1; byte < BYTE_NONFINITE; byte++)
        into->count[byte - EXPONENT_BIAS - EXPONENT_FIRST] += counts[byte];
    into->nonfinite += counts[BYTE_NONFINITE];
}

#endif
#endif
