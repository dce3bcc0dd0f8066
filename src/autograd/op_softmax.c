/* Softmax and its logarithm over the last axis, and cross-entropy against class numbers.
 *
 *   softmax:        y_i = e^(x_i - max x) / sum_j e^(x_j - max x),   dL/dx = y (dy - sum_j dy_j y_j)
 *   log_softmax:    y_i = x_i - max x - log sum_j e^(x_j - max x),   dL/dx = dy - e^y sum_j dy_j
 *   cross_entropy:  y = -sum_c q_c log_softmax(x)_c,                 dL/dx = dy (softmax(x) - q)
 *
 * with q = (1 - s) onehot(target) + s / classes; rows whose target is negative have loss and gradient zero. */
#include "autograd/graph.h"
#include "autograd/ops.h"

#ifdef KERNEL

#include "tensor/vector_math.h"

enum { LANES = 16 };

static real largest(const real *x, size_t n)
{
    real top = x[0];
    for (size_t i = 1; i < n; i++)
        top = x[i] > top || x[i] != x[i] ? x[i] : top; /* NaN wins, and stays */
    return top;
}

/* y_i = e^(x_i - shift); returns their sum. */
static double exp_shifted(const real *x, real *y, size_t n, real shift)
{
    double total = 0;
    LOOP_INDEPENDENT
    for (size_t i = 0; i < n; i++)
        y[i] = EXP(x[i] - shift);
    real lane[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t j = 0; j < LANES; j++)
            lane[j] += y[i + j];
    for (; i < n; i++)
        total += (double)y[i];
    for (size_t j = 0; j < LANES; j++)
        total += (double)lane[j];
    return total;
}

Kernel KERNEL(run_softmax);
void KERNEL(run_softmax)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const size_t n = (size_t)shape_last(node->shape);
    for (size_t row = part->first; row < part->first + part->count; row++) {
        const real *x = (const real *)in[0] + row * n;
        real *y = (real *)out + row * n;
        const real scale = (real)(1 / exp_shifted(x, y, n, largest(x, n)));
        for (size_t i = 0; i < n; i++)
            y[i] *= scale;
    }
}

Kernel KERNEL(run_log_softmax);
void KERNEL(run_log_softmax)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const size_t n = (size_t)shape_last(node->shape);
    for (size_t row = part->first; row < part->first + part->count; row++) {
        const real *x = (const real *)in[0] + row * n;
        real *y = (real *)out + row * n;
        const real top = largest(x, n);
        real sum = (real)exp_shifted(x, y, n, top), logarithm;
        half_round_reals(&sum, 1, node->precision); /* PyTorch's kernel keeps both in the type of x */
        logarithm = (real)log((double)sum);
        half_round_reals(&logarithm, 1, node->precision);
        for (size_t i = 0; i < n; i++)
            y[i] = x[i] - top - logarithm;
    }
}

/* The scratch of e^x is a few numbers on the stack: the sum alone is wanted. */
static double log_sum_exp(const real *x, size_t n, real top)
{
    real scratch[256];
    double total = 0;
    for (size_t i = 0; i < n; i += 256)
        total += exp_shifted(x + i, scratch, n - i < 256 ? n - i : 256, top);
    return log(total);
}

Kernel KERNEL(run_cross_entropy);
void KERNEL(run_cross_entropy)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const size_t n = (size_t)shape_last(node->in[0]->shape);
    const double smoothing = node->attributes.k;
    const real *target = in[1];
    for (size_t row = part->first; row < part->first + part->count; row++) {
        const real *x = (const real *)in[0] + row * n;
        if (!(target[row] >= 0)) {
            ((real *)out)[row] = 0;
            continue;
        }
        const real top = largest(x, n);
        const double logarithm = log_sum_exp(x, n, top);
        double loss = logarithm - (double)(x[(size_t)target[row]] - top);
        if (smoothing > 0) {
            double sum = 0;
            for (size_t i = 0; i < n; i++)
                sum += (double)(x[i] - top);
            loss = (1 - smoothing) * loss + smoothing * (logarithm - sum / (double)n);
        }
        ((real *)out)[row] = (real)loss;
    }
}

Kernel KERNEL(run_softmax_minus_target);
void KERNEL(run_softmax_minus_target)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const size_t n = (size_t)shape_last(node->shape);
    const real smoothing = (real)node->attributes.k, spread = (real)(node->attributes.k / (double)n);
    const real *target = in[1];
    for (size_t row = part->first; row < part->first + part->count; row++) {
        const real *x = (const real *)in[0] + row * n;
        real *y = (real *)out + row * n;
        if (!(target[row] >= 0)) {
            for (size_t i = 0; i < n; i++)
                y[i] = 0;
            continue;
        }
        const real scale = (real)(1 / exp_shifted(x, y, n, largest(x, n)));
        for (size_t i = 0; i < n; i++)
            y[i] = y[i] * scale - spread;
        y[(size_t)target[row]] -= 1 - smoothing;
    }
}

#else

static size_t row_units(const Node *node)
{
    Shape shape = node->in[0]->shape;
    return shape_count(shape) / (size_t)shape_last(shape);
}

static double exp_flops(const Node *node)
{
    return 10.0 * (double)shape_count(node->in[0]->shape);
}

static Node *softmax_gradient(Node *probability, Node *dy)
{
    return op_mul(probability, op_sub(dy, op_sum_last(op_mul(dy, probability))));
}

static Node *softmax_dx(Node *y, Node *dy)
{
    return softmax_gradient(y, dy);
}

static Node *log_softmax_dx(Node *y, Node *dy)
{
    return op_sub(dy, op_mul(op_exp(y), op_sum_last(dy)));
}

/* [...] as [..., 1], to meet [..., classes]. */
static Node *as_column(Node *x)
{
    Shape shape = x->shape;
    shape.dim[shape.rank++] = 1;
    return op_reshape(x, shape);
}

static Node *cross_entropy_dx(Node *y, Node *dy)
{
    Node *difference = graph_append(y->graph, &row_softmax_minus_target, y->in[0]->shape, y->in);
    difference->attributes.k = y->attributes.k;
    return op_mul(as_column(dy), difference);
}

static Node *softmax_minus_target_dx(Node *y, Node *dy)
{
    Node *counted = op_mul(dy, as_column(op_is_index(y->in[1])));
    return softmax_gradient(op_softmax(y->in[0]), counted);
}

static Node *softmax_example(Node *const x[])
{
    return op_softmax(x[0]);
}

static Node *log_softmax_example(Node *const x[])
{
    return op_log_softmax(x[0]);
}

static Node *cross_entropy_example(Node *const x[])
{
    return op_cross_entropy(x[0], x[1], 0);
}

static Node *smoothing_example(Node *const x[])
{
    return op_cross_entropy(x[0], x[1], 0.2);
}

static Node *ignored_example(Node *const x[])
{
    return op_cross_entropy(x[0], op_shift(x[1], -1), 0.2);
}

static Node *minus_target_example(Node *const x[])
{
    Node *y = graph_append(x[0]->graph, &row_softmax_minus_target, x[0]->shape, x);
    y->attributes.k = 0.1;
    return y;
}

static const OpExample softmax_examples[] = {{"", 1, {SHAPE(3, 4)}, {ANY}, softmax_example}, {0}};
static const OpExample log_softmax_examples[] = {{"", 1, {SHAPE(3, 4)}, {ANY}, log_softmax_example}, {0}};
static const OpExample cross_entropy_examples[] = {
    {"", 2, {SHAPE(3, 4), SHAPE(3)}, {ANY, INDEX}, cross_entropy_example},
    {"with smoothing", 2, {SHAPE(3, 4), SHAPE(3)}, {ANY, INDEX}, smoothing_example},
    {"ignored rows", 2, {SHAPE(6, 4), SHAPE(6)}, {ANY, INDEX}, ignored_example},
    {0}};
static const OpExample minus_target_examples[] = {{"", 2, {SHAPE(3, 4), SHAPE(3)}, {ANY, INDEX}, minus_target_example}, {0}};

KERNEL_DECLARE(Kernel, run_softmax);
KERNEL_DECLARE(Kernel, run_log_softmax);
KERNEL_DECLARE(Kernel, run_cross_entropy);
KERNEL_DECLARE(Kernel, run_softmax_minus_target);

const Op row_softmax = {
    .name = "softmax",
    .help = "softmax over the last axis",
    .kind = OP_STRUCTURED,
    .inputs = 1,
    .units = row_units,
    .flops = exp_flops,
    .kernel = KERNEL_TABLE(run_softmax),
    .derivative = {softmax_dx},
    .examples = softmax_examples,
};
const Op row_log_softmax = {
    .name = "log_softmax",
    .help = "logarithm of the softmax over the last axis",
    .kind = OP_STRUCTURED,
    .inputs = 1,
    .units = row_units,
    .flops = exp_flops,
    .kernel = KERNEL_TABLE(run_log_softmax),
    .derivative = {log_softmax_dx},
    .examples = log_softmax_examples,
};
const Op row_cross_entropy = {
    .name = "cross_entropy",
    .help = "loss of each row of logits against its class",
    .kind = OP_STRUCTURED,
    .inputs = 2,
    .units = row_units,
    .flops = exp_flops,
    .kernel = KERNEL_TABLE(run_cross_entropy),
    .derivative = {cross_entropy_dx},
    .examples = cross_entropy_examples,
};
const Op row_softmax_minus_target = {
    .name = "softmax_minus_target",
    .help = "the derivative of cross_entropy",
    .kind = OP_STRUCTURED,
    .inputs = 2,
    .units = row_units,
    .flops = exp_flops,
    .kernel = KERNEL_TABLE(run_softmax_minus_target),
    .derivative = {softmax_minus_target_dx},
    .examples = minus_target_examples,
};

Node *op_softmax(Node *x)
{
    return graph_append(x->graph, &row_softmax, x->shape, (Node *const[]){x});
}

Node *op_log_softmax(Node *x)
{
    return graph_append(x->graph, &row_log_softmax, x->shape, (Node *const[]){x});
}

Node *op_cross_entropy(Node *logits, Node *target, double smoothing)
{
    Graph *graph = logits->graph;
    Shape rows = logits->shape;
    rows.rank -= rows.rank > 0;
    if (logits->shape.rank < 1 || !shape_equal(rows, target->shape))
        return graph_fail(graph, "cross-entropy of logits %s does not take class numbers of %s",
                          shape_text(graph->arena, logits->shape), shape_text(graph->arena, target->shape));
    Node *y = graph_append(graph, &row_cross_entropy, target->shape, (Node *const[]){logits, target});
    y->attributes.k = smoothing;
    return y;
}

#endif
