/* The loss scale as inputs of a training graph. */
#ifndef GRADTOOL_TRAIN_LOSS_SCALE_H
#define GRADTOOL_TRAIN_LOSS_SCALE_H

#include "autograd/graph.h"

typedef struct LossScale {
    Node *scale, *inverse; /* scalars that are written before a run; NULL: the loss is not scaled */
} LossScale;

LossScale loss_scale_new(Graph *graph);

/* A gradient of the scaled loss as that of the loss itself, in float32, and back into its own precision. NULL stays NULL. */
Node *loss_scale_remove(const LossScale *scale, Node *gradient);
Node *loss_scale_apply(const LossScale *scale, Node *gradient, Precision precision);

#endif
