/* Building a row's value again, and differentiating that. */
#include "autograd/composition.h"

#include "autograd/ops.h"

/* The inputs get nodes of their own: dy may depend on them too, and that path is not part of this derivative. */
Node *composition_derivative(Node *y, Node *dy, int input, Composition *compose)
{
    Node *in[OP_MAX_INPUTS] = {NULL}, *derivative = NULL;
    for (int k = 0; k < y->op->inputs; k++)
        in[k] = op_identity(y->in[k]);
    Node *loss = op_sum(op_mul(compose(y, in), dy));
    graph_gradient(loss, NULL, &in[input], 1, NULL, 0, &derivative);
    return derivative ? derivative : op_zeros_like(y->in[input]);
}
