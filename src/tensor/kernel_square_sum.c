/* Sums of squares, and of squared differences. */
#include "tensor/statistics.h"

#ifdef KERNEL_SUFFIX

#include "tensor/lanes.h"

/* Sums outside of these may have lost squares below float32's range, or met one above it. */
#define SMALLEST_SAFE 1e-28
#define LARGEST_SAFE 1e36

static double sum_rest(const real *a, const real *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double d = b ? (double)a[i] - (double)b[i] : (double)a[i];
        sum += d * d;
    }
    return sum;
}

/* In double throughout. Inlined, as below, with and without b. */
static inline double sum_exactly(const real *a, const real *b, size_t n)
{
    enum { STEP = 4 * DOUBLES };
    Doubles part[4] = {doubles_all(0), doubles_all(0), doubles_all(0), doubles_all(0)};
    size_t i = 0;
    for (; i + STEP <= n; i += STEP)
        for (int u = 0; u < 4; u++) {
            size_t at = i + (size_t)u * DOUBLES;
            Doubles d = doubles_load(a + at);
            if (b)
                d -= doubles_load(b + at);
            part[u] += d * d;
        }
    return doubles_sum((part[0] + part[1]) + (part[2] + part[3])) + sum_rest(a + i, b ? b + i : NULL, n - i);
}

/* A chain of CHAIN additions goes on in double. */
static inline double sum_quickly(const real *a, const real *b, size_t n)
{
    enum { STEP = 2 * REALS, CHAIN = 8 };
    Doubles sum = doubles_all(0);
    size_t i = 0;
    while (i + STEP <= n) {
        Reals part[2] = {reals_all(0), reals_all(0)};
        size_t end = i + CHAIN * STEP <= n ? i + CHAIN * STEP : n - (n - i) % STEP;
        for (; i < end; i += STEP)
            for (int u = 0; u < 2; u++) {
                size_t at = i + (size_t)u * REALS;
                Reals d = reals_load(a + at);
                if (b)
                    d -= reals_load(b + at);
                part[u] += d * d;
            }
        sum += reals_widen(part[0] + part[1]);
    }
    return doubles_sum(sum) + sum_rest(a + i, b ? b + i : NULL, n - i);
}

double KERNEL(square_sum)(const void *values, const void *minus, size_t n)
{
    const real *a = values, *b = minus;
    double sum = 0;
    for (size_t done = 0; done < n; done += STATISTICS_BLOCK) {
        size_t count = n - done < STATISTICS_BLOCK ? n - done : STATISTICS_BLOCK;
        double block = b ? sum_quickly(a + done, b + done, count) : sum_quickly(a + done, NULL, count);
        if (!(block > SMALLEST_SAFE && block < LARGEST_SAFE))
            block = b ? sum_exactly(a + done, b + done, count) : sum_exactly(a + done, NULL, count);
        sum += block;
    }
    return sum;
}

#endif
