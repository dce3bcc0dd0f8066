/* slice, pad and concat: parts of an axis. slice and pad are each other's derivative. */
#include <string.h>

#include "autograd/graph.h"
#include "autograd/ops.h"

#ifdef KERNEL

/* Elements of one step along `axis` and below, and steps above it. */
static size_t inner_count(Shape shape, int axis)
{
    size_t count = 1;
    for (int i = axis + 1; i < shape.rank; i++)
        count *= (size_t)shape.dim[i];
    return count;
}

/* A unit is one combination of the axes before the sliced one. */
Kernel KERNEL(run_slice);
void KERNEL(run_slice)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const int axis = node->attributes.axis;
    size_t inner = inner_count(node->shape, axis);
    size_t from = (size_t)node->in[0]->shape.dim[axis] * inner, to = (size_t)node->shape.dim[axis] * inner;
    size_t start = (size_t)node->attributes.start * inner;
    for (size_t unit = part->first; unit < part->first + part->count; unit++)
        memcpy((real *)out + unit * to, (const real *)in[0] + unit * from + start, to * sizeof(real));
}

Kernel KERNEL(run_pad);
void KERNEL(run_pad)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const int axis = node->attributes.axis;
    size_t inner = inner_count(node->shape, axis);
    size_t from = (size_t)node->in[0]->shape.dim[axis] * inner, to = (size_t)node->shape.dim[axis] * inner;
    size_t start = (size_t)node->attributes.start * inner;
    for (size_t unit = part->first; unit < part->first + part->count; unit++) {
        real *y = (real *)out + unit * to;
        memset(y, 0, start * sizeof(real));
        memcpy(y + start, (const real *)in[0] + unit * from, from * sizeof(real));
        memset(y + start + from, 0, (to - start - from) * sizeof(real));
    }
}

Kernel KERNEL(run_concat);
void KERNEL(run_concat)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const int axis = node->attributes.axis;
    size_t inner = inner_count(node->shape, axis);
    size_t a = (size_t)node->in[0]->shape.dim[axis] * inner, b = (size_t)node->in[1]->shape.dim[axis] * inner;
    for (size_t unit = part->first; unit < part->first + part->count; unit++) {
        memcpy((real *)out + unit * (a + b), (const real *)in[0] + unit * a, a * sizeof(real));
        memcpy((real *)out + unit * (a + b) + a, (const real *)in[1] + unit * b, b * sizeof(real));
    }
}

#else

static size_t outer_units(const Node *node)
{
    size_t units = 1;
    for (int i = 0; i < node->attributes.axis; i++)
        units *= (size_t)node->shape.dim[i];
    return units;
}

static Node *slice_dx(Node *y, Node *dy)
{
    return op_pad(dy, y->attributes.axis, y->attributes.start, y->in[0]->shape.dim[y->attributes.axis]);
}

static Node *pad_dx(Node *y, Node *dy)
{
    return op_slice(dy, y->attributes.axis, y->attributes.start, y->in[0]->shape.dim[y->attributes.axis]);
}

static Node *concat_da(Node *y, Node *dy)
{
    return op_slice(dy, y->attributes.axis, 0, y->in[0]->shape.dim[y->attributes.axis]);
}

static Node *concat_db(Node *y, Node *dy)
{
    int axis = y->attributes.axis;
    return op_slice(dy, axis, y->in[0]->shape.dim[axis], y->in[1]->shape.dim[axis]);
}

static Node *slice_example(Node *const x[])
{
    return op_slice(x[0], 1, 1, 2);
}

static Node *pad_example(Node *const x[])
{
    return op_pad(x[0], 1, 1, 6);
}

static Node *concat_example(Node *const x[])
{
    return op_concat(x[0], x[1], 1);
}

static const OpExample slice_examples[] = {{"", 1, {SHAPE(2, 4, 3)}, {ANY}, slice_example}, {0}};
static const OpExample pad_examples[] = {{"", 1, {SHAPE(2, 4, 3)}, {ANY}, pad_example}, {0}};
static const OpExample concat_examples[] = {{"", 2, {SHAPE(2, 4, 3), SHAPE(2, 1, 3)}, {ANY}, concat_example}, {0}};

KERNEL_DECLARE(Kernel, run_slice);
KERNEL_DECLARE(Kernel, run_pad);
KERNEL_DECLARE(Kernel, run_concat);

const Op row_slice = {
    .name = "slice",
    .help = "a range of one axis",
    .kind = OP_STRUCTURED,
    .inputs = 1,
    .units = outer_units,
    .kernel = KERNEL_TABLE(run_slice),
    .derivative = {slice_dx},
    .examples = slice_examples,
};
const Op row_pad = {
    .name = "pad",
    .help = "zeros around an axis",
    .kind = OP_STRUCTURED,
    .inputs = 1,
    .units = outer_units,
    .kernel = KERNEL_TABLE(run_pad),
    .derivative = {pad_dx},
    .examples = pad_examples,
};
const Op row_concat = {
    .name = "concat",
    .help = "two tensors joined along an axis",
    .kind = OP_STRUCTURED,
    .inputs = 2,
    .units = outer_units,
    .kernel = KERNEL_TABLE(run_concat),
    .derivative = {concat_da, concat_db},
    .examples = concat_examples,
};

Node *op_slice(Node *x, int axis, int start, int length)
{
    if (axis < 0 || axis >= x->shape.rank || start < 0 || length < 1 || start + length > x->shape.dim[axis])
        return graph_fail(x->graph, "%s has no range %d to %d on axis %d", shape_text(x->graph->arena, x->shape), start,
                          start + length, axis);
    if (length == x->shape.dim[axis])
        return x;
    Shape shape = x->shape;
    shape.dim[axis] = length;
    Node *y = graph_append(x->graph, &row_slice, shape, (Node *const[]){x});
    y->attributes.axis = axis;
    y->attributes.start = start;
    return y;
}

Node *op_pad(Node *x, int axis, int start, int total)
{
    if (axis < 0 || axis >= x->shape.rank || start < 0 || start + x->shape.dim[axis] > total)
        return graph_fail(x->graph, "%s cannot be padded to %d on axis %d", shape_text(x->graph->arena, x->shape), total, axis);
    if (total == x->shape.dim[axis])
        return x;
    Shape shape = x->shape;
    shape.dim[axis] = total;
    Node *y = graph_append(x->graph, &row_pad, shape, (Node *const[]){x});
    y->attributes.axis = axis;
    y->attributes.start = start;
    return y;
}

Node *op_concat(Node *a, Node *b, int axis)
{
    Graph *graph = a->graph;
    Shape shape = a->shape, other = b->shape;
    bool joins = shape.rank == other.rank && axis >= 0 && axis < shape.rank;
    if (joins) {
        shape.dim[axis] += other.dim[axis];
        other.dim[axis] = shape.dim[axis];
    }
    if (!joins || !shape_equal(shape, other))
        return graph_fail(graph, "%s and %s cannot be joined on axis %d", shape_text(graph->arena, a->shape),
                          shape_text(graph->arena, b->shape), axis);
    Node *y = graph_append(graph, &row_concat, shape, (Node *const[]){a, b});
    y->attributes.axis = axis;
    return y;
}

#endif
