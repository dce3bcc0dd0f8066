/* Mean pooling: avgpool2d and its derivative avgpool2d_spread, which is its reverse. Both divide by the whole window, padding
 * included, as PyTorch does by default. */
#include "autograd/graph.h"
#include "autograd/ops.h"

#ifdef KERNEL

/* The part of a window that lies on the image. */
static inline void clip_window(const Window *w, int axis, int output, int size, int *begin, int *end)
{
    *begin = output * w->stride[axis] - w->before[axis];
    *end = *begin + w->kernel[axis] < size ? *begin + w->kernel[axis] : size;
    *begin = *begin > 0 ? *begin : 0;
}

/* A unit is one channel of one image. */
Kernel KERNEL(run_avgpool2d);
void KERNEL(run_avgpool2d)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const Window *w = node->context;
    const Shape from = node->in[0]->shape, to = node->shape;
    const int height = from.dim[2], width = from.dim[3];
    const real scale = (real)(1.0 / ((double)w->kernel[0] * w->kernel[1]));
    real *y = (real *)out + part->first * (size_t)to.dim[2] * (size_t)to.dim[3];
    for (size_t unit = part->first; unit < part->first + part->count; unit++) {
        const real *x = (const real *)in[0] + unit * (size_t)height * (size_t)width;
        for (int i = 0; i < to.dim[2]; i++)
            for (int j = 0; j < to.dim[3]; j++) {
                int top, bottom, left, right;
                clip_window(w, 0, i, height, &top, &bottom);
                clip_window(w, 1, j, width, &left, &right);
                real sum = 0;
                for (int r = top; r < bottom; r++)
                    for (int c = left; c < right; c++)
                        sum += x[(size_t)r * (size_t)width + (size_t)c];
                *y++ = sum * scale;
            }
    }
}

Kernel KERNEL(run_avgpool2d_spread);
void KERNEL(run_avgpool2d_spread)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const Window *w = node->context;
    const Shape from = node->in[0]->shape, to = node->shape;
    const int height = to.dim[2], width = to.dim[3];
    const size_t size = (size_t)height * (size_t)width;
    const real scale = (real)(1.0 / ((double)w->kernel[0] * w->kernel[1]));
    const real *dy = (const real *)in[0] + part->first * (size_t)from.dim[2] * (size_t)from.dim[3];
    for (size_t unit = part->first; unit < part->first + part->count; unit++) {
        real *dx = (real *)out + unit * size;
        for (size_t k = 0; k < size; k++)
            dx[k] = 0;
        for (int i = 0; i < from.dim[2]; i++)
            for (int j = 0; j < from.dim[3]; j++) {
                int top, bottom, left, right;
                clip_window(w, 0, i, height, &top, &bottom);
                clip_window(w, 1, j, width, &left, &right);
                const real share = *dy++ * scale;
                for (int r = top; r < bottom; r++)
                    for (int c = left; c < right; c++)
                        dx[(size_t)r * (size_t)width + (size_t)c] += share;
            }
    }
}

#else

static size_t plane_units(const Node *node)
{
    return (size_t)node->shape.dim[0] * (size_t)node->shape.dim[1];
}

/* The smaller of both shapes counts the windows. */
static double window_flops(const Node *node)
{
    const Window *w = node->context;
    const Shape x = node->op == &row_avgpool2d ? node->shape : node->in[0]->shape;
    return (double)shape_count(x) * w->kernel[0] * w->kernel[1];
}

static Node *append(const Op *op, Node *x, const Window *window, int height, int width)
{
    Shape shape = SHAPE(x->shape.dim[0], x->shape.dim[1], height, width);
    Node *y = graph_append(x->graph, op, shape, (Node *const[]){x});
    y->context = window;
    return y;
}

static Node *avgpool2d_dx(Node *y, Node *dy)
{
    const Shape x = y->in[0]->shape;
    return append(&row_avgpool2d_spread, dy, y->context, x.dim[2], x.dim[3]);
}

static Node *spread_dx(Node *y, Node *dy)
{
    const Shape x = y->in[0]->shape;
    return append(&row_avgpool2d, dy, y->context, x.dim[2], x.dim[3]);
}

static const Window overlapping = {{3, 2}, {2, 1}, {1, 1}, {1, 1}, {1, 1}, 1};

static Node *avgpool2d_example(Node *const x[])
{
    return op_avgpool2d(x[0], &overlapping);
}

static Node *spread_example(Node *const x[])
{
    return append(&row_avgpool2d_spread, x[0], &overlapping, 5, 4);
}

static const OpExample avgpool2d_examples[] = {{"overlapping, padded", 1, {SHAPE(1, 2, 5, 4)}, {ANY}, avgpool2d_example}, {0}};
static const OpExample spread_examples[] = {{"overlapping, padded", 1, {SHAPE(1, 2, 3, 5)}, {ANY}, spread_example}, {0}};

KERNEL_DECLARE(Kernel, run_avgpool2d);
KERNEL_DECLARE(Kernel, run_avgpool2d_spread);

const Op row_avgpool2d = {
    .name = "avgpool2d",
    .help = "the mean of each window",
    .kind = OP_STRUCTURED,
    .inputs = 1,
    .units = plane_units,
    .flops = window_flops,
    .kernel = KERNEL_TABLE(run_avgpool2d),
    .derivative = {avgpool2d_dx},
    .examples = avgpool2d_examples,
};
const Op row_avgpool2d_spread = {
    .name = "avgpool2d_spread",
    .help = "the derivative of avgpool2d",
    .kind = OP_STRUCTURED,
    .inputs = 1,
    .units = plane_units,
    .flops = window_flops,
    .kernel = KERNEL_TABLE(run_avgpool2d_spread),
    .derivative = {spread_dx},
    .examples = spread_examples,
};

Node *op_avgpool2d(Node *x, const Window *window)
{
    int size[2] = {0, 0};
    for (int a = 0; a < 2 && x->shape.rank == 4; a++)
        size[a] = window_outputs(window, a, x->shape.dim[2 + a]);
    if (size[0] < 1 || size[1] < 1)
        return graph_fail(x->graph, "a window of %d by %d does not fit images of %s", window->kernel[0], window->kernel[1],
                          shape_text(x->graph->arena, x->shape));
    Window *own = ARENA_NEW(x->graph->arena, Window);
    *own = *window;
    return append(&row_avgpool2d, x, own, size[0], size[1]);
}

#endif
