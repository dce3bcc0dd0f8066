/* Builders of operators. Element-wise ones broadcast their inputs; the others say what shapes they take. */
#ifndef GRADTOOL_AUTOGRAD_OPS_H
#define GRADTOOL_AUTOGRAD_OPS_H

#include "autograd/graph.h"

#define UNARY(name, ...) extern const Op row_##name; Node *op_##name(Node *x);
#define UNARY_K(name, ...) extern const Op row_##name; Node *op_##name(Node *x, double k);
#define BINARY(name, ...) extern const Op row_##name; Node *op_##name(Node *a, Node *b);
#define BINARY_K(name, ...) extern const Op row_##name; Node *op_##name(Node *a, Node *b, double k);
#define TERNARY(name, ...) extern const Op row_##name; Node *op_##name(Node *a, Node *b, Node *c);
#define STRUCTURED(name) extern const Op row_##name;
#include "autograd/ops.def"

extern const Op *const op_table[];
extern const int op_count;

/* Broadcasting is an operator, not a property of every operator. expand: x's axes, aligned at the end, are 1 or equal to
 * those of `shape`. sum_to is the reverse: `shape` has 1 (or nothing) where x is summed. Equal shapes return x itself. */
Node *op_expand(Node *x, Shape shape);
Node *op_zeros_like(Node *x);
Node *op_sum_to(Node *x, Shape shape);
Node *op_sum(Node *x);           /* of all elements: a scalar */
Node *op_mean(Node *x);          /* likewise */
Node *op_max_all(Node *x);       /* the largest element; NaN where there is one */
Node *op_sum_last(Node *x);      /* over the last axis, which stays as 1 */
Shape shape_broadcast(Graph *graph, Shape a, Shape b);

/* The same numbers: equal counts. */
Node *op_reshape(Node *x, Shape shape);
/* The same tensor as a node of its own, whose gradient is not that of other uses of x. */
Node *op_identity(Node *x);
/* The same numbers; no gradient passes. */
Node *op_stop_gradient(Node *x);
/* Axes a and b change places. */
Node *op_transpose(Node *x, int a, int b);
/* x[start, start + length) along an axis; and the reverse: zeros around x, so that the axis has `total`. */
Node *op_slice(Node *x, int axis, int start, int length);
Node *op_pad(Node *x, int axis, int start, int total);
Node *op_concat(Node *a, Node *b, int axis);

/* op(A) op(B), op transposing where asked: matrices [m, k] [k, n] or stacks of equal count [s, m, k] [s, k, n]. */
Node *op_matmul(Node *a, Node *b, bool transpose_a, bool transpose_b);
/* x W^T + b, x [..., in], W [out, in], b [out]; b may be NULL. */
Node *op_linear(Node *x, Node *weight, Node *bias);

/* Over the last axis. */
Node *op_softmax(Node *x);
Node *op_log_softmax(Node *x);
/* Loss of each row of logits [..., classes] against a class number [...]: -sum_c q_c log p_c with q = (1 - smoothing) onehot +
 * smoothing / classes; 0 where the class number is negative (ignored). Result [...]. */
Node *op_cross_entropy(Node *logits, Node *target, double smoothing);

/* A random mask of the given shape: 0 with probability p, else 1 / (1 - p). `identity` tells masks of one run apart. */
Node *op_dropout_mask(Graph *graph, Shape shape, double p, uint64_t identity);

#endif
