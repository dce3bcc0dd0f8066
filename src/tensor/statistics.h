/* What is known of an array after one pass over it: norm, extremes, mean, deviation, zeros, non-finite values.
 *
 * A long array is done in blocks of at most STATISTICS_BLOCK numbers while each is in the first cache, and the blocks are
 * merged in order, so the result does not depend on threads. Sums are kept in double: squares of float32 neither underflow nor
 * overflow, and the deviation is right however large the mean. Relative error below 1e-10 in float32.
 *
 * With a NaN in the array, min, max, mean, norm and deviation are NaN; with infinities alone they are what IEEE arithmetic
 * makes of them, as in PyTorch (the norm infinite, the deviation NaN). */
#ifndef GRADTOOL_TENSOR_STATISTICS_H
#define GRADTOOL_TENSOR_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

#include "tensor/variant.h"

enum { STATISTICS_BLOCK = 4096 };

typedef struct Statistics {
    uint64_t count;
    double sum;
    double deviation; /* sum of squared deviations from the mean */
    double square;    /* sum of squares */
    double min, max;  /* +infinity and -infinity of an empty array */
    uint64_t zeros, nonfinite;
} Statistics;

/* Counts by e = floor(log2(|x|)), from the smallest subnormal of float32 to its largest number: count[e - EXPONENT_FIRST].
 * What a double has beyond either end is counted in the end's bin. */
enum { EXPONENT_FIRST = -149, EXPONENT_LAST = 127, EXPONENT_BINS = EXPONENT_LAST - EXPONENT_FIRST + 1 };

typedef struct ExponentHistogram {
    uint64_t count[EXPONENT_BINS];
    uint64_t zeros, nonfinite;
} ExponentHistogram;

/* Statistics of one block; n <= STATISTICS_BLOCK numbers of the variant's type. In a kernel file, call
 * KERNEL(statistics_block). */
typedef void StatisticsBlock(const void *x, size_t n, Statistics *out);
/* Adds one block to the counts; n <= STATISTICS_BLOCK. */
typedef void ExponentHistogramBlock(const void *x, size_t n, ExponentHistogram *into);

/* The sum of squares of a, or of a - b where b is not NULL; any n. */
typedef double SquareSum(const void *a, const void *b, size_t n);

KERNEL_DECLARE(StatisticsBlock, statistics_block);
KERNEL_DECLARE(ExponentHistogramBlock, exponent_histogram_block);
KERNEL_DECLARE(SquareSum, square_sum);

Statistics statistics_empty(void);
/* Chan, Golub & LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample variances". */
void statistics_merge(Statistics *into, const Statistics *from);

/* A whole array of any length, block by block. */
Statistics statistics_of(Variant variant, const void *x, size_t n);
/* Adds a whole array to the counts. */
void exponent_histogram_add(Variant variant, const void *x, size_t n, ExponentHistogram *into);

/* The sum of squares of a, or of a - b where b is not NULL. */
double statistics_square_sum(Variant variant, const void *a, const void *b, size_t n);

/* The 2-norm; mean and population standard deviation (division by n), NaN of an empty array. */
double statistics_norm(const Statistics *s);
double statistics_mean(const Statistics *s);
double statistics_std(const Statistics *s);

#endif
