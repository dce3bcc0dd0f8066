/* Gated recurrent unit (Cho et al. 2014; the bias inside the reset gate's product, as PyTorch and cuDNN have it):
 *
 *   r, z = s of x_t + h_(t-1) W^T + b,    n = tanh(x_t + r (h_(t-1) W_n^T + b_n)),    h_t = (1 - z) n + z h_(t-1)
 *
 * The bias b is the last column of the weight [3 hidden, hidden + 1]. Kept of a step: r, z, n, the product that r meets, h. */
#include <string.h>

#include "autograd/composition.h"
#include "autograd/ops.h"
#include "autograd/recurrent.h"

enum { GATES = 3, KEPT = 5 };

#ifdef KERNEL

#include "tensor/vector_math.h"

static void gru_forward(const real *x, const real *product, const real *bias, const real *before, real *after, size_t hidden)
{
    real *r = after, *z = r + hidden, *n = z + hidden, *m = n + hidden, *h = m + hidden;
    const real *h_before = before + 4 * hidden;
    LOOP_INDEPENDENT
    for (size_t j = 0; j < 2 * hidden; j++)
        r[j] = SIGMOID(x[j] + (product[j] + bias[j]));
    LOOP_INDEPENDENT
    for (size_t j = 0; j < hidden; j++) {
        real met = product[2 * hidden + j] + bias[2 * hidden + j], fresh = TANH(x[2 * hidden + j] + r[j] * met);
        m[j] = met;
        n[j] = fresh;
        h[j] = fresh + z[j] * (h_before[j] - fresh);
    }
}

/* `carried` is the part of dL/dh that comes through z. */
static void gru_backward(const real *dh, const real *kept, const real *before, real *carried, real *dx, real *inner,
                         size_t hidden)
{
    const real *r = kept, *z = r + hidden, *n = z + hidden, *m = n + hidden, *h_before = before + 4 * hidden;
    LOOP_INDEPENDENT
    for (size_t j = 0; j < hidden; j++) {
        real d = dh[j] + carried[j], dn = d * (1 - z[j]) * (1 - n[j] * n[j]);
        dx[j] = inner[j] = dn * m[j] * (r[j] * (1 - r[j]));
        dx[hidden + j] = inner[hidden + j] = d * (h_before[j] - n[j]) * (z[j] * (1 - z[j]));
        dx[2 * hidden + j] = dn;
        inner[2 * hidden + j] = dn * r[j];
        carried[j] = d * z[j];
    }
}

Kernel KERNEL(run_gru);
void KERNEL(run_gru)(const Node *node, void *out, const void *const in[], const Part *part)
{
    walk_forward(recurrent_sizes(node->in[0], node->in[1], GATES, KEPT), in[0], in[1], out, part, node->in[0]->precision,
                 gru_forward);
}

Kernel KERNEL(run_gru_delta);
void KERNEL(run_gru_delta)(const Node *node, void *out, const void *const in[], const Part *part)
{
    walk_backward(recurrent_sizes(node->in[2], node->in[3], GATES, KEPT), node, in, out, part, gru_backward);
}

/* dL/d(product of h) from dL/dx: that of n meets r on its way. */
Kernel KERNEL(run_gru_inner_delta);
void KERNEL(run_gru_inner_delta)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const RecurrentSizes s = recurrent_sizes(node->in[2], node->in[3], GATES, KEPT);
    for (size_t b = part->first; b < part->first + part->count; b++)
        for (size_t t = 0; t < s.steps; t++) {
            const real *d = (const real *)in[0] + (b * s.steps + t) * s.width,
                       *r = (const real *)in[1] + (t * s.batch + b) * s.kept;
            real *y = (real *)out + (b * s.steps + t) * s.width;
            memcpy(y, d, 2 * s.hidden * sizeof(real));
            for (size_t j = 0; j < s.hidden; j++)
                y[2 * s.hidden + j] = d[2 * s.hidden + j] * r[j];
        }
}

#else

static Node *step(const Node *walk, Node *x, Node *weight, Node *h, Node **c, Node **inner)
{
    (void)walk, (void)c;
    int hidden = h->shape.dim[1], with_bias = weight->shape.dim[1] > hidden;
    Node *product = op_matmul(h, op_slice(weight, 1, 0, hidden), false, true);
    if (with_bias)
        product = op_add(product, op_reshape(op_slice(weight, 1, hidden, 1), SHAPE(GATES * hidden)));
    Node *gates = op_sigmoid(op_add(op_slice(x, 1, 0, 2 * hidden), op_slice(product, 1, 0, 2 * hidden)));
    Node *r = op_slice(gates, 1, 0, hidden), *z = op_slice(gates, 1, hidden, hidden);
    Node *n = op_tanh(op_add(op_slice(x, 1, 2 * hidden, hidden), op_mul(r, op_slice(product, 1, 2 * hidden, hidden))));
    if (inner)
        *inner = r;
    return op_add(n, op_mul(z, op_sub(h, n)));
}

static Node *inner_delta_new(Node *value, const Node *like)
{
    return graph_append(value->graph, &row_gru_inner_delta, value->shape,
                        (Node *const[]){value, like->in[1], like->in[2], like->in[3]});
}

static Node *inner_delta(Node *delta)
{
    return inner_delta_new(delta, delta);
}

const RecurrentCell cell_gru = {
    .walk = &row_gru, .delta = &row_gru_delta, .gates = GATES, .kept = KEPT, .step = step, .inner_delta = inner_delta};

/* Linear in its first input, and its own transpose. */
static Node *inner_delta_dd(Node *y, Node *dy)
{
    return inner_delta_new(dy, y);
}

static Node *compose_inner_delta(const Node *y, Node *const in[])
{
    Node *r = recurrent_unroll(&cell_gru, y->in[1], in[2], in[3], true);
    int hidden = r->shape.dim[2];
    return op_concat(op_slice(in[0], 2, 0, 2 * hidden), op_mul(op_slice(in[0], 2, 2 * hidden, hidden), r), 2);
}

static Node *inner_delta_dx(Node *y, Node *dy)
{
    return composition_derivative(y, dy, 2, compose_inner_delta);
}

static Node *inner_delta_dw(Node *y, Node *dy)
{
    return composition_derivative(y, dy, 3, compose_inner_delta);
}

static Node *sequence_example(Node *const x[])
{
    return op_gru(x[0], x[1], false);
}

static Node *last_example(Node *const x[])
{
    return op_gru(x[0], x[1], true);
}

static Node *delta_example(Node *const x[])
{
    return recurrent_delta_new(&cell_gru, x[0], x[1], x[2], 0);
}

static Node *inner_delta_example(Node *const x[])
{
    Node *delta = recurrent_delta_new(&cell_gru, op_slice(x[0], 2, 0, 2), x[1], x[2], 0);
    return inner_delta_new(x[0], delta);
}

static const OpExample gru_examples[] = {{"", 2, {SHAPE(2, 3, 9), SHAPE(9, 4)}, {ANY}, sequence_example},
                                         {"without bias", 2, {SHAPE(2, 3, 6), SHAPE(6, 2)}, {ANY}, sequence_example},
                                         {"the last state alone", 2, {SHAPE(3, 4, 6), SHAPE(6, 3)}, {ANY}, last_example},
                                         {0}};
static const OpExample delta_examples[] = {
    {"", 3, {SHAPE(2, 3, 2), SHAPE(2, 3, 6), SHAPE(6, 3)}, {ANY}, delta_example},
    {"of the last state", 3, {SHAPE(2, 2), SHAPE(2, 3, 6), SHAPE(6, 2)}, {ANY}, delta_example},
    {0}};
static const OpExample inner_delta_examples[] = {
    {"", 3, {SHAPE(2, 3, 6), SHAPE(2, 3, 6), SHAPE(6, 3)}, {ANY}, inner_delta_example}, {0}};

KERNEL_DECLARE(Kernel, run_gru);
KERNEL_DECLARE(Kernel, run_gru_delta);
KERNEL_DECLARE(Kernel, run_gru_inner_delta);

const Op row_gru = {
    .name = "gru",
    .help = "states of a gated recurrent unit, step by step",
    .kind = OP_STRUCTURED,
    .inputs = 2,
    .units = recurrent_units,
    .scratch = recurrent_walk_scratch,
    .flops = recurrent_flops,
    .kernel = KERNEL_TABLE(run_gru),
    .examples = gru_examples,
};
const Op row_gru_delta = {
    .name = "gru_delta",
    .help = "backpropagation through time of gru",
    .kind = OP_STRUCTURED,
    .inputs = 4,
    .units = recurrent_units,
    .scratch = recurrent_delta_scratch,
    .flops = recurrent_flops,
    .kernel = KERNEL_TABLE(run_gru_delta),
    .derivative = {recurrent_delta_dy, NULL, recurrent_delta_dx, recurrent_delta_dw},
    .examples = delta_examples,
};
const Op row_gru_inner_delta = {
    .name = "gru_inner_delta",
    .help = "what of it reaches the recurrent product",
    .kind = OP_STRUCTURED,
    .inputs = 4,
    .units = recurrent_units,
    .kernel = KERNEL_TABLE(run_gru_inner_delta),
    .derivative = {inner_delta_dd, NULL, inner_delta_dx, inner_delta_dw},
    .examples = inner_delta_examples,
};

Node *op_gru(Node *x, Node *weight, bool last)
{
    return recurrent_new(&cell_gru, x, weight, last, 0);
}

#endif
