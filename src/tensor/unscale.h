/* What the gradient scaler does to a gradient. */
#ifndef GRADTOOL_TENSOR_UNSCALE_H
#define GRADTOOL_TENSOR_UNSCALE_H

#include <stdbool.h>
#include <stddef.h>

#include "tensor/variant.h"

typedef bool Unscale(void *values, size_t count, double factor);

/* Multiplies values[0..count) by `factor` in place. Returns whether all of them were finite before. Never fails, never
 * allocates. */
bool unscale_values(Variant variant, void *values, size_t count, double factor);

#endif
