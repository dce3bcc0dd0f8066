/* Two axes change places. */
#include "autograd/graph.h"
#include "autograd/ops.h"

#ifdef KERNEL

/* The tensor is seen as [outer, a, middle, b, inner]; a unit is one (outer, b) of the result [outer, b, middle, a, inner]. */
Kernel KERNEL(run_transpose);
void KERNEL(run_transpose)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const Shape shape = node->in[0]->shape;
    const int axis_a = node->attributes.start, axis_b = node->attributes.length;
    size_t size_a = (size_t)shape.dim[axis_a], size_b = (size_t)shape.dim[axis_b], middle = 1, inner = 1;
    for (int i = axis_a + 1; i < axis_b; i++)
        middle *= (size_t)shape.dim[i];
    for (int i = axis_b + 1; i < shape.rank; i++)
        inner *= (size_t)shape.dim[i];
    for (size_t unit = part->first; unit < part->first + part->count; unit++) {
        size_t outer = unit / size_b, b = unit % size_b;
        const real *x = (const real *)in[0] + outer * size_a * middle * size_b * inner;
        real *y = (real *)out + unit * middle * size_a * inner;
        for (size_t m = 0; m < middle; m++)
            for (size_t a = 0; a < size_a; a++) {
                const real *from = x + ((a * middle + m) * size_b + b) * inner;
                for (size_t i = 0; i < inner; i++)
                    *y++ = from[i];
            }
    }
}

#else

static size_t transpose_units(const Node *node)
{
    size_t units = 1;
    for (int i = 0; i <= node->attributes.start; i++)
        units *= (size_t)node->shape.dim[i];
    return units;
}

static Node *transpose_dx(Node *y, Node *dy)
{
    return op_transpose(dy, y->attributes.start, y->attributes.length);
}

static Node *matrix_example(Node *const x[])
{
    return op_transpose(x[0], 0, 1);
}

static Node *inner_example(Node *const x[])
{
    return op_transpose(x[0], 1, 3);
}

static const OpExample examples[] = {{"a matrix", 1, {SHAPE(3, 4)}, {ANY}, matrix_example},
                                     {"axes apart", 1, {SHAPE(2, 3, 2, 4, 2)}, {ANY}, inner_example},
                                     {0}};

KERNEL_DECLARE(Kernel, run_transpose);

const Op row_transpose = {
    .name = "transpose",
    .help = "two axes change places",
    .kind = OP_STRUCTURED,
    .inputs = 1,
    .units = transpose_units,
    .kernel = KERNEL_TABLE(run_transpose),
    .derivative = {transpose_dx},
    .examples = examples,
};

Node *op_transpose(Node *x, int a, int b)
{
    int low = a < b ? a : b, high = a < b ? b : a;
    if (low < 0 || high >= x->shape.rank || low == high)
        return graph_fail(x->graph, "%s has no axes %d and %d to exchange", shape_text(x->graph->arena, x->shape), a, b);
    Shape shape = x->shape;
    shape.dim[low] = x->shape.dim[high];
    shape.dim[high] = x->shape.dim[low];
    Node *y = graph_append(x->graph, &row_transpose, shape, (Node *const[]){x});
    y->attributes.start = low;
    y->attributes.length = high;
    return y;
}

#endif
