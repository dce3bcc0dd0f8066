#include "train/loss_scale.h"

#include "autograd/ops.h"

LossScale loss_scale_new(Graph *graph)
{
    return (LossScale){graph_input(graph, "loss scale", SHAPE_SCALAR), graph_input(graph, "1 / loss scale", SHAPE_SCALAR)};
}

Node *loss_scale_remove(const LossScale *scale, Node *gradient)
{
    return gradient && scale->inverse ? op_mul(op_cast(gradient, PRECISION_FLOAT32), scale->inverse) : gradient;
}

Node *loss_scale_apply(const LossScale *scale, Node *gradient, Precision precision)
{
    return op_cast(scale->scale ? op_mul(gradient, scale->scale) : gradient, precision);
}
