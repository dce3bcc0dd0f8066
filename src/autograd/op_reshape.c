/* Views: the same numbers under another shape, and the view that lets no gradient through. */
#include "autograd/graph.h"
#include "autograd/ops.h"

#ifndef KERNEL

static Node *reshape_dx(Node *y, Node *dy)
{
    return op_reshape(dy, y->in[0]->shape);
}

static Node *identity_dx(Node *y, Node *dy)
{
    (void)y;
    return dy;
}

static Node *identity_example(Node *const x[])
{
    return op_add(x[0], op_identity(x[0]));
}

static Node *reshape_example(Node *const x[])
{
    return op_reshape(x[0], SHAPE(2, 6));
}

static Node *stop_example(Node *const x[])
{
    return op_mul(x[0], op_stop_gradient(op_reshape(op_expand(graph_constant(x[0]->graph, 2), x[0]->shape), x[0]->shape)));
}

static const OpExample reshape_examples[] = {{"", 1, {SHAPE(3, 4)}, {ANY}, reshape_example}, {0}};
static const OpExample identity_examples[] = {{"", 1, {SHAPE(3, 4)}, {ANY}, identity_example}, {0}};
static const OpExample stop_examples[] = {{"", 1, {SHAPE(3, 4)}, {ANY}, stop_example}, {0}};

const Op row_reshape = {
    .name = "reshape",
    .help = "the same numbers under another shape",
    .kind = OP_VIEW,
    .inputs = 1,
    .derivative = {reshape_dx},
    .examples = reshape_examples,
};
const Op row_identity = {
    .name = "identity",
    .help = "the same tensor as a node of its own",
    .kind = OP_VIEW,
    .inputs = 1,
    .derivative = {identity_dx},
    .examples = identity_examples,
};
const Op row_stop_gradient = {
    .name = "stop_gradient",
    .help = "the same numbers; no gradient passes",
    .kind = OP_VIEW,
    .inputs = 1,
    .examples = stop_examples,
};

Node *op_reshape(Node *x, Shape shape)
{
    if (shape_equal(x->shape, shape))
        return x;
    if (shape_count(x->shape) != shape_count(shape))
        return graph_fail(x->graph, "%s cannot be reshaped to %s", shape_text(x->graph->arena, x->shape),
                          shape_text(x->graph->arena, shape));
    return graph_append(x->graph, &row_reshape, shape, (Node *const[]){x});
}

Node *op_identity(Node *x)
{
    return graph_append(x->graph, &row_identity, x->shape, (Node *const[]){x});
}

Node *op_stop_gradient(Node *x)
{
    return graph_append(x->graph, &row_stop_gradient, x->shape, (Node *const[]){x});
}

#endif
