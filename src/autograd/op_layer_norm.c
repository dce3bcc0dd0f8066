/* Layer and RMS normalisation: rows of n numbers, with m the row's mean (0 for RMS) and r = 1 / sqrt(mean (x - m)^2 + eps):
 *
 *   layer_moments     (m, r), kept for the three rows below
 *   layer_norm        y = h gain + bias,  h = (x - m) r
 *   layer_norm_dx     with g = dy gain:  dL/dx = r (g - mean g - h mean(g h)), without mean g for RMS
 *   layer_norm_dgain  dL/dgain = sum over rows of dy h
 *
 * The moments are an input without derivative: dL/dx of the other rows is already that through the moments too.
 *
 * Composed of primitives, value and gradient of 2048 rows of 128 took 0.63 ms, so 0.24 ms. */
#include <math.h>

#include "autograd/composition.h"
#include "autograd/graph.h"
#include "autograd/ops.h"

enum { TILE = 64 };

#ifdef KERNEL

#include "tensor/lanes.h"

enum { RUN = 1024, ROW_RUN = 32 };

/* Sums of a term over a row: lanes in `real` over short runs, runs in double. LANE and REST are the term at x + i. */
#define ROW_SUM(total, n, LANE, REST)                                                                                          \
    for (size_t i = 0; i < (n);) {                                                                                             \
        const size_t end = (n)-i < RUN ? (n) : i + RUN;                                                                        \
        Reals sum0 = reals_all(0), sum1 = reals_all(0);                                                                        \
        for (; i + 2 * REALS <= end; i += 2 * REALS) {                                                                         \
            sum0 += LANE(i);                                                                                                   \
            sum1 += LANE(i + REALS);                                                                                           \
        }                                                                                                                      \
        (total) += doubles_sum(reals_widen(sum0 + sum1));                                                                      \
        for (; i < end; i++)                                                                                                   \
            (total) += (double)(REST(i));                                                                                      \
    }

static size_t row_length(const Node *gain)
{
    return shape_count(gain->shape);
}

Kernel KERNEL(run_layer_moments);
void KERNEL(run_layer_moments)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const size_t n = (size_t)node->attributes.length;
    const double eps = node->attributes.k;
    for (size_t row = part->first; row < part->first + part->count; row++) {
        const real *x = (const real *)in[0] + row * n;
        real *moments = (real *)out + 2 * row;
        double total = 0, squares = 0;
        if (node->attributes.is_centred) {
#define LANE(i) reals_load(x + (i))
#define REST(i) x[i]
            ROW_SUM(total, n, LANE, REST)
#undef LANE
#undef REST
        }
        const real mean = (real)(total / (double)n);
#define LANE(i) ((reals_load(x + (i)) - mean) * (reals_load(x + (i)) - mean))
#define REST(i) (x[i] - mean) * (x[i] - mean)
        ROW_SUM(squares, n, LANE, REST)
#undef LANE
#undef REST
        moments[0] = mean;
        moments[1] = (real)(1 / sqrt(squares / (double)n + eps));
    }
}

Kernel KERNEL(run_layer_norm);
void KERNEL(run_layer_norm)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const size_t n = row_length(node->in[2]);
    const real *moments = in[1], *gain = in[2], *bias = in[3];
    for (size_t row = part->first; row < part->first + part->count; row++) {
        const real *x = (const real *)in[0] + row * n, mean = moments[2 * row], rate = moments[2 * row + 1];
        real *y = (real *)out + row * n;
        LOOP_INDEPENDENT
        for (size_t i = 0; i < n; i++)
            y[i] = (x[i] - mean) * rate * gain[i] + bias[i];
    }
}

Kernel KERNEL(run_layer_norm_dx);
void KERNEL(run_layer_norm_dx)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const size_t n = row_length(node->in[2]);
    const real *moments = in[1], *gain = in[2];
    for (size_t row = part->first; row < part->first + part->count; row++) {
        const real *x = (const real *)in[0] + row * n, *dy = (const real *)in[3] + row * n;
        const real mean = moments[2 * row], rate = moments[2 * row + 1];
        real *dx = (real *)out + row * n;
        double sum = 0, product = 0;
        if (node->attributes.is_centred) {
#define LANE(i) (reals_load(dy + (i)) * reals_load(gain + (i)))
#define REST(i) dy[i] * gain[i]
            ROW_SUM(sum, n, LANE, REST)
#undef LANE
#undef REST
        }
#define LANE(i) (reals_load(dy + (i)) * reals_load(gain + (i)) * ((reals_load(x + (i)) - mean) * rate))
#define REST(i) dy[i] * gain[i] * ((x[i] - mean) * rate)
        ROW_SUM(product, n, LANE, REST)
#undef LANE
#undef REST
        const real level = (real)(sum / (double)n), slope = (real)(product / (double)n);
        LOOP_INDEPENDENT
        for (size_t i = 0; i < n; i++)
            dx[i] = rate * (dy[i] * gain[i] - level - (x[i] - mean) * rate * slope);
    }
}

/* A unit is a tile of columns; a few rows are added in `real` before they are added in double. */
Kernel KERNEL(run_layer_norm_dgain);
void KERNEL(run_layer_norm_dgain)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const size_t n = row_length(node), rows = shape_count(node->in[0]->shape) / n;
    const real *moments = in[1];
    for (size_t unit = part->first; unit < part->first + part->count; unit++) {
        const size_t begin = unit * TILE, width = n - begin < TILE ? n - begin : TILE;
        double total[TILE] = {0};
        for (size_t row = 0; row < rows;) {
            const size_t end = rows - row < ROW_RUN ? rows : row + ROW_RUN;
            real sum[TILE] = {0};
            for (; row < end; row++) {
                const real *x = (const real *)in[0] + row * n + begin, *dy = (const real *)in[2] + row * n + begin;
                const real mean = moments[2 * row], rate = moments[2 * row + 1];
                for (size_t i = 0; i < width; i++)
                    sum[i] += dy[i] * ((x[i] - mean) * rate);
            }
            for (size_t i = 0; i < width; i++)
                total[i] += (double)sum[i];
        }
        for (size_t i = 0; i < width; i++)
            ((real *)out)[begin + i] = (real)total[i];
    }
}

#else

static size_t row_units(const Node *node)
{
    return shape_count(node->in[0]->shape) / shape_count(node->in[2]->shape);
}

static size_t moments_units(const Node *node)
{
    return (size_t)node->shape.dim[0];
}

static size_t dgain_units(const Node *node)
{
    return (shape_count(node->shape) + TILE - 1) / TILE;
}

static double norm_flops(const Node *node)
{
    return 8.0 * (double)shape_count(node->in[0]->shape);
}

static Node *append(Graph *graph, const Op *op, Shape shape, Node *const in[], const Node *like)
{
    Node *y = graph_append(graph, op, shape, in);
    y->attributes = like->attributes;
    return y;
}

static Node *norm_dx(Node *y, Node *dy)
{
    return append(y->graph, &row_layer_norm_dx, y->shape, (Node *const[]){y->in[0], y->in[1], y->in[2], dy}, y);
}

static Node *norm_dgain(Node *y, Node *dy)
{
    return append(y->graph, &row_layer_norm_dgain, y->in[2]->shape, (Node *const[]){y->in[0], y->in[1], dy}, y);
}

static Node *norm_dbias(Node *y, Node *dy)
{
    return op_sum_to(dy, y->in[3]->shape);
}

/* Of rows [rows, n]: the mean, as [rows, 1]. */
static Node *mean_of(Node *rows)
{
    return op_scale(op_sum_last(rows), 1 / (double)shape_last(rows->shape));
}

/* h as rows [rows, n], and r as [rows, 1]. */
static Node *normalised(const Node *y, Node *x, Node **rate)
{
    int n = y->attributes.length;
    Node *rows = op_reshape(x, SHAPE((int)(shape_count(x->shape) / (size_t)n), n));
    Node *centred = y->attributes.is_centred ? op_sub(rows, mean_of(rows)) : rows;
    *rate = op_rsqrt(op_shift(mean_of(op_square(centred)), y->attributes.k));
    return op_mul(centred, *rate);
}

static Node *compose_dx(const Node *y, Node *const in[])
{
    Node *rate, *h = normalised(y, in[0], &rate);
    Node *g = op_mul(op_reshape(in[3], h->shape), op_reshape(in[2], SHAPE(y->attributes.length)));
    Node *dx = op_sub(g, op_mul(h, mean_of(op_mul(g, h))));
    if (y->attributes.is_centred)
        dx = op_sub(dx, mean_of(g));
    return op_reshape(op_mul(rate, dx), y->shape);
}

static Node *compose_dgain(const Node *y, Node *const in[])
{
    Node *rate, *h = normalised(y, in[0], &rate);
    return op_reshape(op_sum_to(op_mul(h, op_reshape(in[2], h->shape)), SHAPE(y->attributes.length)), y->shape);
}

static Node *norm_dx_dx(Node *y, Node *dy)
{
    return composition_derivative(y, dy, 0, compose_dx);
}

static Node *norm_dx_dgain(Node *y, Node *dy)
{
    return composition_derivative(y, dy, 2, compose_dx);
}

static Node *norm_dx_ddy(Node *y, Node *dy)
{
    return composition_derivative(y, dy, 3, compose_dx);
}

static Node *norm_dgain_dx(Node *y, Node *dy)
{
    return composition_derivative(y, dy, 0, compose_dgain);
}

static Node *norm_dgain_ddy(Node *y, Node *dy)
{
    return composition_derivative(y, dy, 2, compose_dgain);
}

/* Of numbers that the check does not move: the moments are constants to it. */
static Node *moments_example(Node *const x[])
{
    return op_mul(x[0], op_layer_norm(x[1], x[2], x[2], 0.1, true)->in[1]);
}

static Node *layer_example(Node *const x[])
{
    return op_layer_norm(x[0], x[1], x[2], 1e-5, true);
}

static Node *rms_example(Node *const x[])
{
    return op_layer_norm(x[0], x[1], x[2], 1e-5, false);
}

static Node *layer_dx_example(Node *const x[])
{
    return norm_dx(op_layer_norm(x[0], x[1], x[1], 0.1, true), x[2]);
}

static Node *rms_dx_example(Node *const x[])
{
    return norm_dx(op_layer_norm(x[0], x[1], x[1], 0.1, false), x[2]);
}

static Node *layer_dgain_example(Node *const x[])
{
    return norm_dgain(op_layer_norm(x[0], x[1], x[1], 0.1, true), x[2]);
}

static Node *rms_dgain_example(Node *const x[])
{
    return norm_dgain(op_layer_norm(x[0], x[1], x[1], 0.1, false), x[2]);
}

static const OpExample moments_examples[] = {{"", 3, {SHAPE(4, 2), SHAPE(4, 3), SHAPE(3)}, {ANY, INDEX}, moments_example}, {0}};
static const OpExample norm_examples[] = {
    {"centred", 3, {SHAPE(3, 37), SHAPE(37), SHAPE(37)}, {ANY}, layer_example},
    {"not centred", 3, {SHAPE(3, 37), SHAPE(37), SHAPE(37)}, {ANY}, rms_example},
    {"of images", 3, {SHAPE(2, 2, 3, 4), SHAPE(2, 3, 4), SHAPE(2, 3, 4)}, {ANY}, layer_example},
    {0}};
static const OpExample dx_examples[] = {{"centred", 3, {SHAPE(3, 37), SHAPE(37), SHAPE(3, 37)}, {ANY}, layer_dx_example},
                                        {"not centred", 3, {SHAPE(3, 37), SHAPE(37), SHAPE(3, 37)}, {ANY}, rms_dx_example},
                                        {0}};
static const OpExample dgain_examples[] = {
    {"centred", 3, {SHAPE(5, 70), SHAPE(70), SHAPE(5, 70)}, {ANY}, layer_dgain_example},
    {"not centred", 3, {SHAPE(5, 70), SHAPE(70), SHAPE(5, 70)}, {ANY}, rms_dgain_example},
    {0}};

KERNEL_DECLARE(Kernel, run_layer_moments);
KERNEL_DECLARE(Kernel, run_layer_norm);
KERNEL_DECLARE(Kernel, run_layer_norm_dx);
KERNEL_DECLARE(Kernel, run_layer_norm_dgain);

const Op row_layer_moments = {
    .name = "layer_moments",
    .help = "mean and 1 / deviation of each row",
    .kind = OP_STRUCTURED,
    .inputs = 1,
    .units = moments_units,
    .flops = norm_flops,
    .kernel = KERNEL_TABLE(run_layer_moments),
    .examples = moments_examples,
};
const Op row_layer_norm = {
    .name = "layer_norm",
    .help = "rows with mean 0 and deviation 1, times a gain, plus a bias",
    .kind = OP_STRUCTURED,
    .inputs = 4,
    .units = row_units,
    .flops = norm_flops,
    .kernel = KERNEL_TABLE(run_layer_norm),
    .derivative = {norm_dx, NULL, norm_dgain, norm_dbias},
    .examples = norm_examples,
};
const Op row_layer_norm_dx = {
    .name = "layer_norm_dx",
    .help = "the derivative of layer_norm in its input",
    .kind = OP_STRUCTURED,
    .inputs = 4,
    .units = row_units,
    .flops = norm_flops,
    .kernel = KERNEL_TABLE(run_layer_norm_dx),
    .derivative = {norm_dx_dx, NULL, norm_dx_dgain, norm_dx_ddy},
    .examples = dx_examples,
};
const Op row_layer_norm_dgain = {
    .name = "layer_norm_dgain",
    .help = "the derivative of layer_norm in its gain",
    .kind = OP_STRUCTURED,
    .inputs = 3,
    .units = dgain_units,
    .flops = norm_flops,
    .kernel = KERNEL_TABLE(run_layer_norm_dgain),
    .derivative = {norm_dgain_dx, NULL, norm_dgain_ddy},
    .examples = dgain_examples,
};

Node *op_layer_norm(Node *x, Node *gain, Node *bias, double eps, bool is_centred)
{
    Graph *graph = x->graph;
    size_t n = shape_count(gain->shape);
    if (shape_count(bias->shape) != n || shape_count(x->shape) % n)
        return graph_fail(graph, "%s is not rows of %zu", shape_text(graph->arena, x->shape), n);
    Node *moments = graph_append(graph, &row_layer_moments, SHAPE((int)(shape_count(x->shape) / n), 2), &x);
    moments->attributes = (Attributes){.k = eps, .length = (int)n, .is_centred = is_centred};
    return append(graph, &row_layer_norm, x->shape, (Node *const[]){x, moments, gain, bias}, moments);
}

#endif
