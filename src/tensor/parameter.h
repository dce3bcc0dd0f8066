/* A named tensor that outlives the steps: a weight that is learned, or a buffer that is kept beside the weights. */
#ifndef GRADTOOL_TENSOR_PARAMETER_H
#define GRADTOOL_TENSOR_PARAMETER_H

#include <stdbool.h>
#include <stdint.h>

#include "tensor/shape.h"

typedef enum ParameterKind {
    PARAMETER_WEIGHT, /* float32, has a gradient unless frozen */
    PARAMETER_BUFFER, /* float32, e.g. running_mean */
    PARAMETER_COUNTER /* int64 scalar, e.g. num_batches_tracked */
} ParameterKind;

typedef struct Parameter {
    const char *name;  /* as in PyTorch's state_dict: "fc1.weight" */
    const char *layer; /* the path of the layer that it belongs to: "fc1" */
    ParameterKind kind;
    Shape shape;
    float *data; /* 64-byte aligned; NULL for a counter */
    int64_t counter;
    bool frozen; /* takes part, but does not learn */
    int index;   /* its place in the model's state */
} Parameter;

#endif
