/* The derivative of a row that has a hand-written kernel, from the same value composed of primitive operators.
 *
 * For derivative rows: they are hot in the first order, and need only be right in the second. */
#ifndef GRADTOOL_AUTOGRAD_COMPOSITION_H
#define GRADTOOL_AUTOGRAD_COMPOSITION_H

#include "autograd/graph.h"

/* The value of y as primitive operators of `in`, which stand for y->in. */
typedef Node *Composition(const Node *y, Node *const in[]);

/* dL/d y->in[input] with dy = dL/dy. Zeros where the composition does not depend on that input. */
Node *composition_derivative(Node *y, Node *dy, int input, Composition *compose);

#endif
