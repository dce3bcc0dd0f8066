/* What batch normalisation of images is made of, each in one or two passes; by channel, of x [batch, channels, height, width]:
 *
 *   channel_moments(x)                     [2, channels]: mean m, and variance sum (x - m)^2 / count
 *   channel_affine(x, mean, scale, shift)  (x - mean) scale + shift
 *   channel_sums(x, dy, mean)              [2, channels]: sum dy, sum dy (x - mean)
 *
 * Closed under differentiation. channel_affine is a map, so that the two halves of the gradient of x, from the value and from
 * the moments, meet in one pass over memory. */
#include "autograd/graph.h"
#include "autograd/ops.h"

#ifdef KERNEL

#include "tensor/lanes.h"

/* Sums of a run of numbers in lanes, runs in double. */
enum { RUN = 1024 };

typedef struct Layout {
    size_t batch, channels, plane;
} Layout;

static Layout layout_of(Shape x)
{
    return (Layout){(size_t)x.dim[0], (size_t)x.dim[1], (size_t)x.dim[2] * (size_t)x.dim[3]};
}

static double lanes_total(Reals a, Reals b)
{
    return doubles_sum(reals_widen(a) + reals_widen(b));
}

static double sum_plane(const real *x, size_t count)
{
    double total = 0;
    for (size_t begin = 0; begin < count; begin += RUN) {
        const size_t end = count - begin < RUN ? count : begin + RUN;
        Reals a = {0}, b = {0};
        size_t i = begin;
        for (; i + 2 * REALS <= end; i += 2 * REALS) {
            a += reals_load(x + i);
            b += reals_load(x + i + REALS);
        }
        for (; i < end; i++)
            total += (double)x[i];
        total += lanes_total(a, b);
    }
    return total;
}

static double square_plane(const real *x, size_t count, real mean)
{
    double total = 0;
    const Reals m = reals_all(mean);
    for (size_t begin = 0; begin < count; begin += RUN) {
        const size_t end = count - begin < RUN ? count : begin + RUN;
        Reals a = {0}, b = {0};
        size_t i = begin;
        for (; i + 2 * REALS <= end; i += 2 * REALS) {
            const Reals u = reals_load(x + i) - m, v = reals_load(x + i + REALS) - m;
            a += u * u;
            b += v * v;
        }
        for (; i < end; i++) {
            const double d = (double)(x[i] - mean);
            total += d * d;
        }
        total += lanes_total(a, b);
    }
    return total;
}

/* Adds sum dy and sum dy (x - mean). */
static void product_plane(const real *x, const real *dy, size_t count, real mean, double total[2])
{
    const Reals m = reals_all(mean);
    for (size_t begin = 0; begin < count; begin += RUN) {
        const size_t end = count - begin < RUN ? count : begin + RUN;
        Reals a = {0}, b = {0}, c = {0}, d = {0};
        size_t i = begin;
        for (; i + 2 * REALS <= end; i += 2 * REALS) {
            const Reals u = reals_load(dy + i), v = reals_load(dy + i + REALS);
            a += u;
            b += v;
            c += u * (reals_load(x + i) - m);
            d += v * (reals_load(x + i + REALS) - m);
        }
        for (; i < end; i++) {
            total[0] += (double)dy[i];
            total[1] += (double)dy[i] * (double)(x[i] - mean);
        }
        total[0] += lanes_total(a, b);
        total[1] += lanes_total(c, d);
    }
}

/* A unit is a channel. */
Kernel KERNEL(run_channel_moments);
void KERNEL(run_channel_moments)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const Layout l = layout_of(node->in[0]->shape);
    const double count = (double)(l.batch * l.plane);
    for (size_t c = part->first; c < part->first + part->count; c++) {
        double sum = 0, square = 0;
        for (size_t n = 0; n < l.batch; n++)
            sum += sum_plane((const real *)in[0] + (n * l.channels + c) * l.plane, l.plane);
        const real mean = (real)(sum / count);
        for (size_t n = 0; n < l.batch; n++)
            square += square_plane((const real *)in[0] + (n * l.channels + c) * l.plane, l.plane, mean);
        ((real *)out)[c] = mean;
        ((real *)out)[l.channels + c] = (real)(square / count);
    }
}

Kernel KERNEL(run_channel_sums);
void KERNEL(run_channel_sums)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const Layout l = layout_of(node->in[0]->shape);
    for (size_t c = part->first; c < part->first + part->count; c++) {
        double total[2] = {0, 0};
        for (size_t n = 0; n < l.batch; n++) {
            const size_t at = (n * l.channels + c) * l.plane;
            product_plane((const real *)in[0] + at, (const real *)in[1] + at, l.plane, ((const real *)in[2])[c], total);
        }
        ((real *)out)[c] = (real)total[0];
        ((real *)out)[l.channels + c] = (real)total[1];
    }
}

Kernel KERNEL(run_channel_affine);
void KERNEL(run_channel_affine)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const Layout l = layout_of(node->shape);
    const real *x = (const real *)in[0] + part->first;
    real *y = out;
    size_t plane = part->first / l.plane, within = part->first % l.plane;
    for (size_t done = 0; done < part->count; plane++, within = 0) {
        const size_t left = part->count - done, count = l.plane - within < left ? l.plane - within : left,
                     c = plane % l.channels;
        const real mean = ((const real *)in[1])[c], scale = ((const real *)in[2])[c], shift = ((const real *)in[3])[c];
        LOOP_INDEPENDENT
        for (size_t i = done; i < done + count; i++)
            y[i] = (x[i] - mean) * scale + shift;
        done += count;
    }
}

#else

static size_t channel_units(const Node *node)
{
    return (size_t)node->in[0]->shape.dim[1];
}

static double pass_flops(const Node *node)
{
    return 4.0 * (double)shape_count(node->in[0]->shape);
}

static Node *affine(Node *x, Node *mean, Node *scale, Node *shift)
{
    return graph_append(x->graph, &row_channel_affine, x->shape, (Node *const[]){x, mean, scale, shift});
}

static Node *zeros(Node *channels)
{
    return op_expand(graph_constant(channels->graph, 0), channels->shape);
}

/* Row 0 or 1 of [2, channels]. */
static Node *row_of(Node *pair, int row)
{
    return op_reshape(op_slice(pair, 0, row, 1), SHAPE(pair->shape.dim[1]));
}

/* The derivatives in mean, scale and shift, which are asked for one after the other, share one pass. */
static Node *sums(Node *x, Node *dy, Node *mean)
{
    enum { LOOK_BACK = 24 };
    Graph *graph = x->graph;
    for (int i = graph->count - 1; i >= 0 && i >= graph->count - LOOK_BACK; i--) {
        Node *y = graph->node[i];
        if (y->op == &row_channel_sums && y->in[0] == x && y->in[1] == dy && y->in[2] == mean)
            return y;
    }
    return graph_append(graph, &row_channel_sums, SHAPE(2, x->shape.dim[1]), (Node *const[]){x, dy, mean});
}

/* dm/dx = 1 / count; dv/dx = 2 (x - m) / count. */
static Node *moments_dx(Node *y, Node *dy)
{
    Node *x = y->in[0];
    double count = (double)shape_count(x->shape) / x->shape.dim[1];
    return affine(x, row_of(y, 0), op_scale(row_of(dy, 1), 2 / count), op_scale(row_of(dy, 0), 1 / count));
}

static Node *affine_dx(Node *y, Node *dy)
{
    Node *none = zeros(y->in[1]);
    return affine(dy, none, y->in[2], none);
}

static Node *affine_dmean(Node *y, Node *dy)
{
    return op_neg(op_mul(y->in[2], row_of(sums(y->in[0], dy, y->in[1]), 0)));
}

static Node *affine_dscale(Node *y, Node *dy)
{
    return row_of(sums(y->in[0], dy, y->in[1]), 1);
}

static Node *affine_dshift(Node *y, Node *dy)
{
    return row_of(sums(y->in[0], dy, y->in[1]), 0);
}

static Node *sums_dx(Node *y, Node *dy)
{
    Node *none = zeros(y->in[2]);
    return affine(y->in[1], none, row_of(dy, 1), none);
}

static Node *sums_ddy(Node *y, Node *dy)
{
    return affine(y->in[0], y->in[2], row_of(dy, 1), row_of(dy, 0));
}

static Node *sums_dmean(Node *y, Node *dy)
{
    return op_neg(op_mul(row_of(y, 0), row_of(dy, 1)));
}

static Node *moments_example(Node *const x[])
{
    return op_channel_moments(x[0]);
}

static Node *affine_example(Node *const x[])
{
    return op_channel_affine(x[0], x[1], x[2], x[3]);
}

static Node *sums_example(Node *const x[])
{
    return sums(x[0], x[1], x[2]);
}

static Node *normalised_example(Node *const x[])
{
    Node *moments = op_channel_moments(x[0]);
    return affine(x[0], row_of(moments, 0), op_rsqrt(op_shift(row_of(moments, 1), 0.1)), x[1]);
}

static const OpExample moments_examples[] = {{"", 1, {SHAPE(2, 3, 2, 20)}, {ANY}, moments_example}, {0}};
static const OpExample affine_examples[] = {{"", 4, {SHAPE(2, 3, 2, 2), SHAPE(3), SHAPE(3), SHAPE(3)}, {ANY}, affine_example},
                                            {"normalised", 2, {SHAPE(2, 3, 2, 2), SHAPE(3)}, {ANY}, normalised_example},
                                            {0}};
static const OpExample sums_examples[] = {{"", 3, {SHAPE(2, 3, 2, 20), SHAPE(2, 3, 2, 20), SHAPE(3)}, {ANY}, sums_example},
                                          {0}};

KERNEL_DECLARE(Kernel, run_channel_moments);
KERNEL_DECLARE(Kernel, run_channel_affine);
KERNEL_DECLARE(Kernel, run_channel_sums);

const Op row_channel_moments = {
    .name = "channel_moments",
    .help = "mean and variance of each channel",
    .kind = OP_STRUCTURED,
    .inputs = 1,
    .units = channel_units,
    .flops = pass_flops,
    .kernel = KERNEL_TABLE(run_channel_moments),
    .derivative = {moments_dx},
    .examples = moments_examples,
};
const Op row_channel_affine = {
    .name = "channel_affine",
    .help = "shifts and scales each channel",
    .kind = OP_MAP,
    .inputs = 4,
    .whole_input = true,
    .kernel = KERNEL_TABLE(run_channel_affine),
    .derivative = {affine_dx, affine_dmean, affine_dscale, affine_dshift},
    .examples = affine_examples,
};
const Op row_channel_sums = {
    .name = "channel_sums",
    .help = "the sums that the derivative of channel_affine needs",
    .kind = OP_STRUCTURED,
    .inputs = 3,
    .units = channel_units,
    .flops = pass_flops,
    .kernel = KERNEL_TABLE(run_channel_sums),
    .derivative = {sums_dx, sums_ddy, sums_dmean},
    .examples = sums_examples,
};

Node *op_channel_moments(Node *x)
{
    if (x->shape.rank != 4)
        return graph_fail(x->graph, "moments of channels need images, not %s", shape_text(x->graph->arena, x->shape));
    return graph_append(x->graph, &row_channel_moments, SHAPE(2, x->shape.dim[1]), (Node *const[]){x});
}

Node *op_channel_affine(Node *x, Node *mean, Node *scale, Node *shift)
{
    bool fits = x->shape.rank == 4;
    for (int i = 0; i < 3 && fits; i++) {
        const Node *v = (Node *const[]){mean, scale, shift}[i];
        fits = v->shape.rank == 1 && v->shape.dim[0] == x->shape.dim[1];
    }
    return fits ? affine(x, mean, scale, shift)
                : graph_fail(x->graph, "one number a channel does not fit images of %s", shape_text(x->graph->arena, x->shape));
}

#endif
