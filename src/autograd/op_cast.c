/* Casts between number types. A half tensor is stored as floats, so a cast to float32 is a view, and one to half is a copy that
 * the plan rounds as it rounds every value of half type. No rounding is differentiated: the gradient is cast back. */
#include <string.h>

#include "autograd/graph.h"
#include "autograd/ops.h"

#ifdef KERNEL

Kernel KERNEL(run_cast);
void KERNEL(run_cast)(const Node *node, void *out, const void *const in[], const Part *part)
{
    (void)node;
    memmove(out, in[0], sizeof(real) * part->count);
}

#else

static Node *cast_dx(Node *y, Node *dy)
{
    return op_cast(dy, y->in[0]->precision);
}

/* Without their rounding, which the checks would take for an error. */
static Node *cast_example(Node *const x[])
{
    Node *y = op_cast(x[0], PRECISION_FLOAT16);
    y->precision = PRECISION_FLOAT32;
    return y;
}

static Node *widen_example(Node *const x[])
{
    Node *half = op_cast(x[0], PRECISION_BFLOAT16), *y = op_cast(half, PRECISION_FLOAT32);
    half->precision = PRECISION_FLOAT32;
    return y;
}

static const OpExample cast_examples[] = {{"", 1, {SHAPE(3, 4)}, {ANY}, cast_example}, {0}};
static const OpExample widen_examples[] = {{"", 1, {SHAPE(3, 4)}, {ANY}, widen_example}, {0}};

KERNEL_DECLARE(Kernel, run_cast);

const Op row_cast = {
    .name = "cast",
    .help = "the numbers rounded to half precision",
    .kind = OP_MAP,
    .inputs = 1,
    .kernel = KERNEL_TABLE(run_cast),
    .derivative = {cast_dx},
    .examples = cast_examples,
};
const Op row_widen = {
    .name = "widen",
    .help = "half numbers as float32",
    .kind = OP_VIEW,
    .inputs = 1,
    .derivative = {cast_dx},
    .examples = widen_examples,
};

Node *op_cast(Node *x, Precision precision)
{
    if (precision == PRECISION_ANY || x->precision == precision)
        return x;
    Node *y = graph_append(x->graph, precision_is_half(precision) ? &row_cast : &row_widen, x->shape, (Node *const[]){x});
    y->precision = precision;
    return y;
}

Node *op_autocast(Node *x)
{
    Graph *graph = x->graph;
    if (graph->is_inner || !precision_is_half(graph->autocast) || precision_is_half(x->precision))
        return x;
    if (x->op->kind != OP_SOURCE)
        return op_cast(x, graph->autocast);
    if (!x->half)
        x->half = op_cast(x, graph->autocast);
    return x->half;
}

#endif
