/* Matrix products of bfloat16 numbers by the processor's own instruction, vdpbf16ps, where it has it.
 *
 * The instruction multiplies pairs and adds them up in float32, at twice the rate of float32 products; it takes numbers below
 * 2^-126 for zero and rounds once a pair. So sums differ in their last bits from those that are emulated in float32, but not
 * with the number of threads: each element is one sum in rising order of k, whatever the other elements are.
 *
 * Against OpenBLAS's float32 product, packing included: 1.4 to 2.1 times as fast from 32 x 32 x 32 to 2048 x 2048 x 256. */
#ifndef GRADTOOL_AUTOGRAD_BFLOAT16_PRODUCT_H
#define GRADTOOL_AUTOGRAD_BFLOAT16_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>

/* A matrix whose element (i, j) is at[i * row + j * column]; one of the two steps is 1. Its numbers are bfloat16 in float32
 * storage: the lower 16 bits are not read. */
typedef struct Bfloat16Matrix {
    const float *at;
    size_t row, column;
} Bfloat16Matrix;

/* Whether this processor has the instruction. */
bool bfloat16_product_is_available(void);

/* Floats of memory that a product needs aside, at most. */
size_t bfloat16_product_scratch(void);

/* c[i * stride + j] = sum_k a(i, k) b(k, j), added to what stands there where `accumulates`; m, n, k > 0. Only where it is
 * available. `scratch` is aligned to 64. Never fails, never allocates. */
void bfloat16_product(int m, int n, int k, Bfloat16Matrix a, Bfloat16Matrix b, float *c, size_t stride, bool accumulates,
                      void *scratch);

#endif
