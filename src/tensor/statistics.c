#include "tensor/statistics.h"

#include <math.h>

static StatisticsBlock *const block_table[VARIANT_COUNT] = KERNEL_TABLE(statistics_block);
static ExponentHistogramBlock *const histogram_table[VARIANT_COUNT] = KERNEL_TABLE(exponent_histogram_block);
static SquareSum *const square_table[VARIANT_COUNT] = KERNEL_TABLE(square_sum);

Statistics statistics_empty(void)
{
    return (Statistics){.min = INFINITY, .max = -INFINITY};
}

static double min_or_nan(double a, double b)
{
    return isnan(a) || a < b ? a : b;
}

static double max_or_nan(double a, double b)
{
    return isnan(a) || a > b ? a : b;
}

void statistics_merge(Statistics *into, const Statistics *from)
{
    if (from->count == 0)
        return;
    if (into->count == 0) {
        *into = *from;
        return;
    }
    double a = (double)into->count, b = (double)from->count;
    double difference = from->sum / b - into->sum / a;
    into->deviation += from->deviation + difference * difference * (a * b / (a + b));
    into->count += from->count;
    into->sum += from->sum;
    into->square += from->square;
    into->min = min_or_nan(into->min, from->min);
    into->max = max_or_nan(into->max, from->max);
    into->zeros += from->zeros;
    into->nonfinite += from->nonfinite;
}

Statistics statistics_of(Variant variant, const void *x, size_t n)
{
    const char *at = x;
    size_t size = variant_size(variant);
    Statistics all = statistics_empty(), block;
    for (size_t done = 0; done < n; done += STATISTICS_BLOCK) {
        size_t count = n - done < STATISTICS_BLOCK ? n - done : STATISTICS_BLOCK;
        block_table[variant](at + done * size, count, &block);
        statistics_merge(&all, &block);
    }
    return all;
}

void exponent_histogram_add(Variant variant, const void *x, size_t n, ExponentHistogram *into)
{
    const char *at = x;
    size_t size = variant_size(variant);
    for (size_t done = 0; done < n; done += STATISTICS_BLOCK)
        histogram_table[variant](at + done * size, n - done < STATISTICS_BLOCK ? n - done : STATISTICS_BLOCK, into);
}

double statistics_square_sum(Variant variant, const void *a, const void *b, size_t n)
{
    return square_table[variant](a, b, n);
}

double statistics_norm(const Statistics *s)
{
    return sqrt(s->square);
}

double statistics_mean(const Statistics *s)
{
    return s->sum / (double)s->count;
}

double statistics_std(const Statistics *s)
{
    return sqrt(s->deviation / (double)s->count);
}
