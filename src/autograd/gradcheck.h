/* Analytic against numeric derivatives, in double. */
#ifndef GRADTOOL_AUTOGRAD_GRADCHECK_H
#define GRADTOOL_AUTOGRAD_GRADCHECK_H

#include "autograd/graph.h"
#include "base/error.h"

/* Checks one use of an operator. With L = <w, f(x)> for random w, the derivative along a random direction v is compared with
 * (L(x + h v) - L(x - h v)) / 2h; then <grad L, v> is taken as the next L, so order 2 checks the derivative of the derivative.
 * Inputs sampled as INDEX are not moved. False with an error when they differ by more than 1e-6 of max(1, |numeric|). */
bool gradcheck_example(const OpExample *example, int orders, Arena *arena, Error *err);

#endif
