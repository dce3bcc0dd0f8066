/* Maximum pooling. The first of equal maxima wins and NaN beats all (the last one, as in PyTorch); padding is absent.
 *
 *   y = maxpool2d(x),   dx = maxpool2d_scatter(x, dy): dy goes to where the maximum stood,
 *   and the reverse of that, maxpool2d_gather(x, g): g from there. Both find the place again instead of keeping it. */
#include "autograd/graph.h"
#include "autograd/ops.h"

#ifdef KERNEL

/* A plane of x under the window. */
typedef struct Pooling {
    const Window *window;
    int size[2], out[2];
    bool is_halving; /* 2 by 2, side by side: most pooling is */
} Pooling;

static Pooling pooling_of(const Node *node)
{
    const Shape x = node->in[0]->shape;
    const Window *w = node->context;
    Pooling p = {.window = w, .size = {x.dim[2], x.dim[3]}, .is_halving = true};
    for (int a = 0; a < 2; a++) {
        p.out[a] = window_outputs(w, a, p.size[a]);
        p.is_halving =
            p.is_halving && w->kernel[a] == 2 && w->stride[a] == 2 && !w->before[a] && !w->after[a] && w->dilation[a] == 1;
    }
    return p;
}

static size_t place_of_maximum(const Pooling *p, const real *x, int row, int column)
{
    const Window *w = p->window;
    size_t place = 0;
    bool is_first = true;
    for (int s = 0; s < w->kernel[0]; s++) {
        const int i = row * w->stride[0] + s * w->dilation[0] - w->before[0];
        for (int t = 0; t < w->kernel[1] && i >= 0 && i < p->size[0]; t++) {
            const int j = column * w->stride[1] + t * w->dilation[1] - w->before[1];
            if (j < 0 || j >= p->size[1])
                continue;
            const size_t at = (size_t)i * (size_t)p->size[1] + (size_t)j;
            if (is_first || x[at] > x[place] || x[at] != x[at])
                place = at;
            is_first = false;
        }
    }
    return place;
}

#define TAKES_OVER(x, top) (((x) > (top)) | ((x) != (x))) /* without a jump: the loops become vectors */

/* gcc unrolls short loops before it looks for vectors, and then finds none. */
#if defined __clang__
#define LOOP_KEPT LOOP_INDEPENDENT
#else
#define LOOP_KEPT _Pragma("GCC unroll 1") LOOP_INDEPENDENT
#endif

static inline __attribute__((always_inline)) void halve_some(int count, const real *upper, const real *lower, real *y)
{
    LOOP_KEPT
    for (int j = 0; j < count; j++) {
        const real a = upper[2 * j], b = upper[2 * j + 1], c = lower[2 * j], d = lower[2 * j + 1];
        const real top_ab = TAKES_OVER(b, a) ? b : a, top = TAKES_OVER(c, top_ab) ? c : top_ab;
        y[j] = TAKES_OVER(d, top) ? d : top;
    }
}

static inline __attribute__((always_inline)) void scatter_some(int count, const real *upper, const real *lower, const real *dy,
                                                               real *dx_upper, real *dx_lower)
{
    LOOP_KEPT
    for (int j = 0; j < count; j++) {
        const real a = upper[2 * j], b = upper[2 * j + 1], c = lower[2 * j], d = lower[2 * j + 1], whole = dy[j];
        const real top_ab = TAKES_OVER(b, a) ? b : a, top = TAKES_OVER(c, top_ab) ? c : top_ab;
        const real rest = TAKES_OVER(d, top) ? 0 : whole, above = TAKES_OVER(c, top_ab) ? 0 : rest;
        dx_upper[2 * j] = TAKES_OVER(b, a) ? 0 : above;
        dx_upper[2 * j + 1] = TAKES_OVER(b, a) ? above : 0;
        dx_lower[2 * j] = TAKES_OVER(c, top_ab) ? rest : 0;
        dx_lower[2 * j + 1] = TAKES_OVER(d, top) ? whole : 0;
    }
}

/* Rows are short, often 14 or 7: groups of a fixed size, the last of which overlaps the one before, become vectors. */
static void halve(const real *upper, const real *lower, real *y, int count)
{
    const int group = count >= 8 ? 8 : count >= 4 ? 4 : 1;
    for (int j = 0; j < count; j += group) {
        j = j + group <= count ? j : count - group;
        if (group == 8)
            halve_some(8, upper + 2 * j, lower + 2 * j, y + j);
        else if (group == 4)
            halve_some(4, upper + 2 * j, lower + 2 * j, y + j);
        else
            halve_some(1, upper + 2 * j, lower + 2 * j, y + j);
    }
}

static void halve_scatter(const real *upper, const real *lower, const real *dy, real *dx_upper, real *dx_lower, int count)
{
    const int group = count >= 8 ? 8 : count >= 4 ? 4 : 1;
    for (int j = 0; j < count; j += group) {
        j = j + group <= count ? j : count - group;
        if (group == 8)
            scatter_some(8, upper + 2 * j, lower + 2 * j, dy + j, dx_upper + 2 * j, dx_lower + 2 * j);
        else if (group == 4)
            scatter_some(4, upper + 2 * j, lower + 2 * j, dy + j, dx_upper + 2 * j, dx_lower + 2 * j);
        else
            scatter_some(1, upper + 2 * j, lower + 2 * j, dy + j, dx_upper + 2 * j, dx_lower + 2 * j);
    }
}

/* A unit is one channel of one image. */
Kernel KERNEL(run_maxpool2d);
void KERNEL(run_maxpool2d)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const Pooling p = pooling_of(node);
    const size_t size = (size_t)p.size[0] * (size_t)p.size[1], outputs = (size_t)p.out[0] * (size_t)p.out[1];
    for (size_t unit = part->first; unit < part->first + part->count; unit++) {
        const real *x = (const real *)in[0] + unit * size;
        real *y = (real *)out + unit * outputs;
        for (int i = 0; i < p.out[0]; i++, y += p.out[1]) {
            const real *row = x + 2 * (size_t)i * (size_t)p.size[1];
            if (p.is_halving)
                halve(row, row + p.size[1], y, p.out[1]);
            else
                for (int j = 0; j < p.out[1]; j++)
                    y[j] = x[place_of_maximum(&p, x, i, j)];
        }
    }
}

Kernel KERNEL(run_maxpool2d_scatter);
void KERNEL(run_maxpool2d_scatter)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const Pooling p = pooling_of(node);
    const size_t size = (size_t)p.size[0] * (size_t)p.size[1], outputs = (size_t)p.out[0] * (size_t)p.out[1];
    const bool covers = p.is_halving && p.size[0] % 2 == 0 && p.size[1] % 2 == 0;
    for (size_t unit = part->first; unit < part->first + part->count; unit++) {
        const real *x = (const real *)in[0] + unit * size, *dy = (const real *)in[1] + unit * outputs;
        real *dx = (real *)out + unit * size;
        for (size_t k = 0; k < size && !covers; k++)
            dx[k] = 0;
        for (int i = 0; i < p.out[0]; i++, dy += p.out[1]) {
            const size_t row = 2 * (size_t)i * (size_t)p.size[1], next = row + (size_t)p.size[1];
            if (p.is_halving)
                halve_scatter(x + row, x + next, dy, dx + row, dx + next, p.out[1]);
            else
                for (int j = 0; j < p.out[1]; j++)
                    dx[place_of_maximum(&p, x, i, j)] += dy[j];
        }
    }
}

Kernel KERNEL(run_maxpool2d_gather);
void KERNEL(run_maxpool2d_gather)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const Pooling p = pooling_of(node);
    const size_t size = (size_t)p.size[0] * (size_t)p.size[1], outputs = (size_t)p.out[0] * (size_t)p.out[1];
    for (size_t unit = part->first; unit < part->first + part->count; unit++) {
        const real *x = (const real *)in[0] + unit * size, *g = (const real *)in[1] + unit * size;
        real *y = (real *)out + unit * outputs;
        for (int i = 0; i < p.out[0]; i++)
            for (int j = 0; j < p.out[1]; j++)
                *y++ = g[place_of_maximum(&p, x, i, j)];
    }
}

#else

static size_t plane_units(const Node *node)
{
    return (size_t)node->shape.dim[0] * (size_t)node->shape.dim[1];
}

static double window_flops(const Node *node)
{
    const Window *w = node->context;
    const Shape x = node->in[0]->shape;
    return (double)x.dim[0] * x.dim[1] * window_outputs(w, 0, x.dim[2]) * window_outputs(w, 1, x.dim[3]) * w->kernel[0] *
           w->kernel[1];
}

static Node *append(const Op *op, Shape shape, Node *const in[], const Window *window)
{
    Node *y = graph_append(in[0]->graph, op, shape, in);
    y->context = window;
    return y;
}

static Node *scatter(Node *x, Node *dy, const Window *window)
{
    return append(&row_maxpool2d_scatter, x->shape, (Node *const[]){x, dy}, window);
}

static Node *gather(Node *x, Node *g, const Window *window)
{
    Shape shape = x->shape;
    for (int a = 0; a < 2; a++)
        shape.dim[2 + a] = window_outputs(window, a, x->shape.dim[2 + a]);
    return append(&row_maxpool2d_gather, shape, (Node *const[]){x, g}, window);
}

static Node *maxpool2d_dx(Node *y, Node *dy)
{
    return scatter(y->in[0], dy, y->context);
}

static Node *scatter_ddy(Node *y, Node *dy)
{
    return gather(y->in[0], dy, y->context);
}

static Node *gather_dg(Node *y, Node *dy)
{
    return scatter(y->in[0], dy, y->context);
}

static const Window halving = {{2, 2}, {2, 2}, {0, 0}, {0, 0}, {1, 1}, 1};
static const Window overlapping = {{3, 2}, {2, 1}, {1, 1}, {1, 1}, {1, 1}, 1};

static Node *halving_example(Node *const x[])
{
    return op_maxpool2d(x[0], &halving);
}

static Node *overlapping_example(Node *const x[])
{
    return op_maxpool2d(x[0], &overlapping);
}

static Node *halving_scatter_example(Node *const x[])
{
    return scatter(op_stop_gradient(x[0]), x[1], &halving);
}

static Node *scatter_example(Node *const x[])
{
    return scatter(x[0], x[1], &overlapping);
}

static Node *gather_example(Node *const x[])
{
    return gather(x[0], x[1], &overlapping);
}

static const OpExample maxpool2d_examples[] = {{"2x2", 1, {SHAPE(2, 1, 4, 5)}, {ANY}, halving_example},
                                               {"overlapping, padded", 1, {SHAPE(1, 2, 5, 4)}, {ANY}, overlapping_example},
                                               {0}};
static const OpExample scatter_examples[] = {
    {"2x2", 2, {SHAPE(2, 1, 4, 5), SHAPE(2, 1, 2, 2)}, {ANY}, halving_scatter_example},
    {"overlapping, padded", 2, {SHAPE(1, 2, 5, 4), SHAPE(1, 2, 3, 5)}, {ANY}, scatter_example},
    {0}};
static const OpExample gather_examples[] = {{"", 2, {SHAPE(1, 2, 5, 4), SHAPE(1, 2, 5, 4)}, {ANY}, gather_example}, {0}};

KERNEL_DECLARE(Kernel, run_maxpool2d);
KERNEL_DECLARE(Kernel, run_maxpool2d_scatter);
KERNEL_DECLARE(Kernel, run_maxpool2d_gather);

const Op row_maxpool2d = {
    .name = "maxpool2d",
    .help = "the largest number of each window",
    .kind = OP_STRUCTURED,
    .inputs = 1,
    .units = plane_units,
    .flops = window_flops,
    .kernel = KERNEL_TABLE(run_maxpool2d),
    .derivative = {maxpool2d_dx},
    .examples = maxpool2d_examples,
};
const Op row_maxpool2d_scatter = {
    .name = "maxpool2d_scatter",
    .help = "the derivative of maxpool2d",
    .kind = OP_STRUCTURED,
    .inputs = 2,
    .units = plane_units,
    .flops = window_flops,
    .kernel = KERNEL_TABLE(run_maxpool2d_scatter),
    .derivative = {NULL, scatter_ddy},
    .examples = scatter_examples,
};
const Op row_maxpool2d_gather = {
    .name = "maxpool2d_gather",
    .help = "numbers from where the largest of another image stand",
    .kind = OP_STRUCTURED,
    .inputs = 2,
    .units = plane_units,
    .flops = window_flops,
    .kernel = KERNEL_TABLE(run_maxpool2d_gather),
    .derivative = {NULL, gather_dg},
    .examples = gather_examples,
};

Node *op_maxpool2d(Node *x, const Window *window)
{
    Shape shape = x->shape;
    for (int a = 0; a < 2 && shape.rank == 4; a++)
        shape.dim[2 + a] = window_outputs(window, a, x->shape.dim[2 + a]);
    if (shape.rank != 4 || shape.dim[2] < 1 || shape.dim[3] < 1)
        return graph_fail(x->graph, "a window of %d by %d does not fit images of %s", window->kernel[0], window->kernel[1],
                          shape_text(x->graph->arena, x->shape));
    Window *own = ARENA_NEW(x->graph->arena, Window);
    *own = *window;
    return append(&row_maxpool2d, shape, (Node *const[]){x}, own);
}

#endif
