/* The plain recurrent cell:  h_t = f(x_t + h_(t-1) W^T),  f = tanh or relu. */
#include <string.h>

#include "autograd/ops.h"
#include "autograd/recurrent.h"

enum { GATES = 1, KEPT = 1 };

#ifdef KERNEL

#include "tensor/vector_math.h"

static void tanh_forward(const real *x, const real *product, const real *bias, const real *before, real *h, size_t hidden)
{
    (void)bias, (void)before;
    LOOP_INDEPENDENT
    for (size_t j = 0; j < hidden; j++)
        h[j] = TANH(x[j] + product[j]);
}

static void relu_forward(const real *x, const real *product, const real *bias, const real *before, real *h, size_t hidden)
{
    (void)bias, (void)before;
    LOOP_INDEPENDENT
    for (size_t j = 0; j < hidden; j++) {
        real sum = x[j] + product[j];
        h[j] = sum < 0 ? 0 : sum;
    }
}

static void tanh_backward(const real *dh, const real *h, const real *before, real *carried, real *dx, real *inner,
                          size_t hidden)
{
    (void)before, (void)carried;
    LOOP_INDEPENDENT
    for (size_t j = 0; j < hidden; j++)
        dx[j] = inner[j] = dh[j] * (1 - h[j] * h[j]);
}

static void relu_backward(const real *dh, const real *h, const real *before, real *carried, real *dx, real *inner,
                          size_t hidden)
{
    (void)before, (void)carried;
    LOOP_INDEPENDENT
    for (size_t j = 0; j < hidden; j++)
        dx[j] = inner[j] = h[j] <= 0 ? 0 : dh[j];
}

Kernel KERNEL(run_rnn);
void KERNEL(run_rnn)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const RecurrentSizes s = recurrent_sizes(node->in[0], node->in[1], GATES, KEPT);
    if (node->attributes.k > 0)
        walk_forward(s, in[0], in[1], out, part, node->in[0]->precision, relu_forward);
    else
        walk_forward(s, in[0], in[1], out, part, node->in[0]->precision, tanh_forward);
}

Kernel KERNEL(run_rnn_delta);
void KERNEL(run_rnn_delta)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const RecurrentSizes s = recurrent_sizes(node->in[2], node->in[3], GATES, KEPT);
    if (node->attributes.k > 0)
        walk_backward(s, node, in, out, part, relu_backward);
    else
        walk_backward(s, node, in, out, part, tanh_backward);
}

#else

static Node *step(const Node *walk, Node *x, Node *weight, Node *h, Node **c, Node **inner)
{
    (void)c, (void)inner;
    Node *sum = op_add(x, op_matmul(h, weight, false, true));
    return walk->attributes.k > 0 ? op_relu(sum) : op_tanh(sum);
}

const RecurrentCell cell_rnn = {.walk = &row_rnn, .delta = &row_rnn_delta, .gates = GATES, .kept = KEPT, .step = step};

static Node *tanh_example(Node *const x[])
{
    return op_rnn(x[0], x[1], false, false);
}

static Node *relu_example(Node *const x[])
{
    return op_rnn(x[0], x[1], true, false);
}

static Node *last_example(Node *const x[])
{
    return op_rnn(x[0], x[1], false, true);
}

static Node *delta_example(Node *const x[])
{
    return recurrent_delta_new(&cell_rnn, x[0], x[1], x[2], 0);
}

static Node *relu_delta_example(Node *const x[])
{
    return recurrent_delta_new(&cell_rnn, x[0], x[1], x[2], 1);
}

static const OpExample rnn_examples[] = {{"tanh", 2, {SHAPE(2, 3, 4), SHAPE(4, 4)}, {ANY}, tanh_example},
                                         {"relu", 2, {SHAPE(2, 3, 4), SHAPE(4, 4)}, {NONZERO}, relu_example},
                                         {"the last state alone", 2, {SHAPE(3, 5, 2), SHAPE(2, 2)}, {ANY}, last_example},
                                         {"one step", 2, {SHAPE(2, 1, 3), SHAPE(3, 3)}, {ANY}, tanh_example},
                                         {0}};
static const OpExample delta_examples[] = {
    {"tanh", 3, {SHAPE(2, 3, 3), SHAPE(2, 3, 3), SHAPE(3, 3)}, {ANY}, delta_example},
    {"relu", 3, {SHAPE(2, 3, 3), SHAPE(2, 3, 3), SHAPE(3, 3)}, {ANY, NONZERO}, relu_delta_example},
    {"of the last state", 3, {SHAPE(2, 3), SHAPE(2, 3, 3), SHAPE(3, 3)}, {ANY}, delta_example},
    {0}};

KERNEL_DECLARE(Kernel, run_rnn);
KERNEL_DECLARE(Kernel, run_rnn_delta);

const Op row_rnn = {
    .name = "rnn",
    .help = "states of a recurrent cell, step by step",
    .kind = OP_STRUCTURED,
    .inputs = 2,
    .units = recurrent_units,
    .scratch = recurrent_walk_scratch,
    .flops = recurrent_flops,
    .kernel = KERNEL_TABLE(run_rnn),
    .examples = rnn_examples,
};
const Op row_rnn_delta = {
    .name = "rnn_delta",
    .help = "backpropagation through time of rnn",
    .kind = OP_STRUCTURED,
    .inputs = 4,
    .units = recurrent_units,
    .scratch = recurrent_delta_scratch,
    .flops = recurrent_flops,
    .kernel = KERNEL_TABLE(run_rnn_delta),
    .derivative = {recurrent_delta_dy, NULL, recurrent_delta_dx, recurrent_delta_dw},
    .examples = delta_examples,
};

Node *op_rnn(Node *x, Node *weight, bool relu, bool last)
{
    return recurrent_new(&cell_rnn, x, weight, last, relu);
}

#endif
