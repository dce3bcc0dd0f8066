/* Builders of operators. Element-wise ones broadcast their inputs; the others say what shapes they take. */
#ifndef GRADTOOL_AUTOGRAD_OPS_H
#define GRADTOOL_AUTOGRAD_OPS_H

#include "autograd/graph.h"
#include "autograd/window.h"

#define UNARY(name, ...)                                                                                                       \
    extern const Op row_##name;                                                                                                \
    Node *op_##name(Node *x);
#define UNARY_K(name, ...)                                                                                                     \
    extern const Op row_##name;                                                                                                \
    Node *op_##name(Node *x, double k);
#define BINARY(name, ...)                                                                                                      \
    extern const Op row_##name;                                                                                                \
    Node *op_##name(Node *a, Node *b);
#define BINARY_K(name, ...)                                                                                                    \
    extern const Op row_##name;                                                                                                \
    Node *op_##name(Node *a, Node *b, double k);
#define TERNARY(name, ...)                                                                                                     \
    extern const Op row_##name;                                                                                                \
    Node *op_##name(Node *a, Node *b, Node *c);
#define STRUCTURED(name) extern const Op row_##name;
#include "autograd/ops.def"

extern const Op *const op_table[];
extern const int op_count;

/* Broadcasting is an operator, not a property of every operator. expand: x's axes, aligned at the end, are 1 or equal to
 * those of `shape`. sum_to is the reverse: `shape` has 1 (or nothing) where x is summed. Equal shapes return x itself. */
Node *op_expand(Node *x, Shape shape);
Node *op_zeros_like(Node *x);
Node *op_sum_to(Node *x, Shape shape);
Node *op_sum(Node *x);      /* of all elements: a scalar */
Node *op_mean(Node *x);     /* likewise */
Node *op_max_all(Node *x);  /* the largest element; NaN where there is one */
Node *op_sum_last(Node *x); /* over the last axis, which stays as 1 */
Shape shape_broadcast(Graph *graph, Shape a, Shape b);

/* sqrt(x) with derivative 0 at 0, as PyTorch has it of norms; NaN passes. */
Node *op_root(Node *x);

/* x in another number type; x itself where it has that type, or where `precision` is ANY. */
Node *op_cast(Node *x, Precision precision);
/* What a product reads under autocast: x in graph->autocast where that is half, x itself otherwise, and within derivatives. A
 * source is cast once, as PyTorch's cache of casts has it, so that its gradients add up in half precision. */
Node *op_autocast(Node *x);

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

/* Row `tokens[...]` of a table [count, dim]: [..., dim]; NaN where the number is no row's. And the reverse: rows [..., dim]
 * added up by their numbers into [count, dim]. */
Node *op_embedding(Node *table, Node *tokens);
Node *op_scatter_add(Node *rows, Node *tokens, int count);

/* Of matrices [..., query, key]: `fill` where the key comes after the query. */
Node *op_causal(Node *x, double fill);
/* Attention of every head on itself: qkv [batch, length, 3 E] holds queries, keys and values, each as heads of E / heads.
 * Softmax(Q K^T / sqrt(E / heads)) V, of keys up to the query's own where `is_causal`; [batch, length, E]. */
Node *op_attention(Node *qkv, int heads, bool is_causal);

/* Rows of as many numbers as `gain` has: (x - mean) / sqrt(variance + eps) * gain + bias, with the row's own mean and variance;
 * where not `is_centred`, x / sqrt(mean of squares + eps) * gain + bias. */
Node *op_layer_norm(Node *x, Node *gain, Node *bias, double eps, bool is_centred);

/* States of recurrent cells, from zero: x [batch, steps, gates * hidden] are the products of the inputs with their weight, the
 * weight is the recurrent one, [gates * hidden, hidden], gates as in torch.nn.LSTM and GRU. All states [batch, steps, hidden],
 * or the last alone [batch, hidden]. Of gru, the recurrent bias may stand behind the weight as one more column. */
Node *op_rnn(Node *x, Node *weight, bool relu, bool last);
Node *op_lstm(Node *x, Node *weight, bool last);
Node *op_gru(Node *x, Node *weight, bool last);
/* After graph_gradient: dL/dx of the recurrent cell that the layer `scope` made, which is through all later steps; or NULL. */
Node *op_recurrent_delta(const Graph *graph, const char *scope);

/* A random mask of the given shape: 0 with probability p, else 1 / (1 - p). `identity` tells masks of one run apart. */
Node *op_dropout_mask(Graph *graph, Shape shape, double p, uint64_t identity);

/* Images [batch, channels, height, width]; weight [out, in / groups, kernel]; bias [out] or NULL. */
Node *op_conv2d(Node *x, Node *weight, Node *bias, const Window *window);
/* Its derivatives, for operators: `input` and `weight` are the shapes of x and of the weight. */
Node *op_conv2d_input_gradient(Node *dy, Node *weight, const Window *window, Shape input);
Node *op_conv2d_weight_gradient(Node *x, Node *dy, const Window *window, Shape weight);
/* The largest number of each window, where padding counts as absent; NaN wins. The mean, where it counts as zeros. */
Node *op_maxpool2d(Node *x, const Window *window);
Node *op_avgpool2d(Node *x, const Window *window);

/* By channel, of images [batch, channels, height, width]: mean and variance (divided by their number) as [2, channels]. */
Node *op_channel_moments(Node *x);
/* (x - mean) scale + shift; mean, scale and shift are [channels]. */
Node *op_channel_affine(Node *x, Node *mean, Node *scale, Node *shift);

#endif
