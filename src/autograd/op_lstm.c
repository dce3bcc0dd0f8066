/* Long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000), gates in PyTorch's order:
 *
 *   i, f, g, o = s, s, tanh, s of x_t + h_(t-1) W^T,    c_t = f c_(t-1) + i g,    h_t = o tanh(c_t)      (s = sigmoid)
 *
 * Kept of a step: i, f, g, o, c, h. */
#include <string.h>

#include "autograd/ops.h"
#include "autograd/recurrent.h"

enum { GATES = 4, KEPT = 6 };

#ifdef KERNEL

#include "tensor/vector_math.h"

static void lstm_forward(const real *x, const real *product, const real *bias, const real *before, real *after, size_t hidden)
{
    (void)bias;
    real *i = after, *f = i + hidden, *g = f + hidden, *o = g + hidden, *c = o + hidden, *h = c + hidden;
    const real *c_before = before + 4 * hidden;
    LOOP_INDEPENDENT
    for (size_t j = 0; j < 2 * hidden; j++)
        i[j] = SIGMOID(x[j] + product[j]);
    LOOP_INDEPENDENT
    for (size_t j = 0; j < hidden; j++)
        g[j] = TANH(x[2 * hidden + j] + product[2 * hidden + j]);
    LOOP_INDEPENDENT
    for (size_t j = 0; j < hidden; j++) {
        real gate = SIGMOID(x[3 * hidden + j] + product[3 * hidden + j]), cell = f[j] * c_before[j] + i[j] * g[j];
        o[j] = gate;
        c[j] = cell;
        h[j] = gate * TANH(cell);
    }
}

/* `carried` is dL/dc. */
static void lstm_backward(const real *dh, const real *kept, const real *before, real *carried, real *dx, real *inner,
                          size_t hidden)
{
    const real *i = kept, *f = i + hidden, *g = f + hidden, *o = g + hidden, *c = o + hidden, *c_before = before + 4 * hidden;
    LOOP_INDEPENDENT
    for (size_t j = 0; j < hidden; j++) {
        real t = TANH(c[j]), dc = carried[j] + dh[j] * o[j] * (1 - t * t);
        inner[j] = dc * g[j] * (i[j] * (1 - i[j]));
        inner[hidden + j] = dc * c_before[j] * (f[j] * (1 - f[j]));
        inner[2 * hidden + j] = dc * i[j] * (1 - g[j] * g[j]);
        inner[3 * hidden + j] = dh[j] * t * (o[j] * (1 - o[j]));
        carried[j] = dc * f[j];
    }
    memcpy(dx, inner, 4 * hidden * sizeof(real));
}

Kernel KERNEL(run_lstm);
void KERNEL(run_lstm)(const Node *node, void *out, const void *const in[], const Part *part)
{
    walk_forward(recurrent_sizes(node->in[0], node->in[1], GATES, KEPT), in[0], in[1], out, part, node->in[0]->precision,
                 lstm_forward);
}

Kernel KERNEL(run_lstm_delta);
void KERNEL(run_lstm_delta)(const Node *node, void *out, const void *const in[], const Part *part)
{
    walk_backward(recurrent_sizes(node->in[2], node->in[3], GATES, KEPT), node, in, out, part, lstm_backward);
}

#else

static Node *step(const Node *walk, Node *x, Node *weight, Node *h, Node **c, Node **inner)
{
    (void)walk, (void)inner;
    Node *sum = op_add(x, op_matmul(h, weight, false, true)), *gate[GATES];
    int hidden = h->shape.dim[1];
    for (int k = 0; k < GATES; k++)
        gate[k] = op_slice(sum, 1, k * hidden, hidden);
    *c = op_add(op_mul(op_sigmoid(gate[1]), *c), op_mul(op_sigmoid(gate[0]), op_tanh(gate[2])));
    return op_mul(op_sigmoid(gate[3]), op_tanh(*c));
}

const RecurrentCell cell_lstm = {.walk = &row_lstm, .delta = &row_lstm_delta, .gates = GATES, .kept = KEPT, .step = step};

static Node *sequence_example(Node *const x[])
{
    return op_lstm(x[0], x[1], false);
}

static Node *last_example(Node *const x[])
{
    return op_lstm(x[0], x[1], true);
}

static Node *delta_example(Node *const x[])
{
    return recurrent_delta_new(&cell_lstm, x[0], x[1], x[2], 0);
}

static const OpExample lstm_examples[] = {{"", 2, {SHAPE(2, 3, 12), SHAPE(12, 3)}, {ANY}, sequence_example},
                                          {"the last state alone", 2, {SHAPE(3, 4, 8), SHAPE(8, 2)}, {ANY}, last_example},
                                          {0}};
static const OpExample delta_examples[] = {
    {"", 3, {SHAPE(2, 3, 2), SHAPE(2, 3, 8), SHAPE(8, 2)}, {ANY}, delta_example},
    {"of the last state", 3, {SHAPE(2, 2), SHAPE(2, 3, 8), SHAPE(8, 2)}, {ANY}, delta_example},
    {0}};

KERNEL_DECLARE(Kernel, run_lstm);
KERNEL_DECLARE(Kernel, run_lstm_delta);

const Op row_lstm = {
    .name = "lstm",
    .help = "states of a long short-term memory, step by step",
    .kind = OP_STRUCTURED,
    .inputs = 2,
    .units = recurrent_units,
    .scratch = recurrent_walk_scratch,
    .flops = recurrent_flops,
    .kernel = KERNEL_TABLE(run_lstm),
    .examples = lstm_examples,
};
const Op row_lstm_delta = {
    .name = "lstm_delta",
    .help = "backpropagation through time of lstm",
    .kind = OP_STRUCTURED,
    .inputs = 4,
    .units = recurrent_units,
    .scratch = recurrent_delta_scratch,
    .flops = recurrent_flops,
    .kernel = KERNEL_TABLE(run_lstm_delta),
    .derivative = {recurrent_delta_dy, NULL, recurrent_delta_dx, recurrent_delta_dw},
    .examples = delta_examples,
};

Node *op_lstm(Node *x, Node *weight, bool last)
{
    return recurrent_new(&cell_lstm, x, weight, last, 0);
}

#endif
