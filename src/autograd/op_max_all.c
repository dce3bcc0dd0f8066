/* The largest element of all. Elements that share it share the gradient, as torch.amax has it. */
#include "autograd/graph.h"
#include "autograd/ops.h"

#ifdef KERNEL

Kernel KERNEL(run_max_all);
void KERNEL(run_max_all)(const Node *node, void *out, const void *const in[], const Part *part)
{
    (void)part;
    const size_t n = shape_count(node->in[0]->shape);
    const real *x = in[0];
    real top = x[0];
    for (size_t i = 1; i < n; i++)
        top = x[i] > top || x[i] != x[i] ? x[i] : top; /* NaN wins, and stays */
    *(real *)out = top;
}

#else

static Node *max_all_dx(Node *y, Node *dy)
{
    Node *x = y->in[0];
    Node *is_top = op_equal(x, op_expand(y, x->shape));
    return op_mul(dy, op_div(is_top, op_sum(is_top)));
}

static Node *example(Node *const x[])
{
    return op_max_all(x[0]);
}

static const OpExample examples[] = {{"", 1, {SHAPE(3, 4)}, {ANY}, example}, {0}};

KERNEL_DECLARE(Kernel, run_max_all);

const Op row_max_all = {
    .name = "max_all",
    .help = "the largest element",
    .kind = OP_STRUCTURED,
    .inputs = 1,
    .kernel = KERNEL_TABLE(run_max_all),
    .derivative = {max_all_dx},
    .examples = examples,
};

Node *op_max_all(Node *x)
{
    return graph_append(x->graph, &row_max_all, SHAPE_SCALAR, (Node *const[]){x});
}

#endif
