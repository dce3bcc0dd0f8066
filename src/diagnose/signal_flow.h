/* A model as mean-field theory sees it: for every value of the graph the statistics that it has in the limit of infinite width,
 * and what becomes of the squared gradient on its way back. Values are in the order in which they are computed.
 *
 * Weights are taken as independent of each other and of what they meet, with the variance that the tensors really have; so
 * gradients meet independently where paths join, and their squares add. */
#ifndef GRADTOOL_DIAGNOSE_SIGNAL_FLOW_H
#define GRADTOOL_DIAGNOSE_SIGNAL_FLOW_H

#include <stdbool.h>

#include "diagnose/mean_field.h"
#include "nn/layer.h"
#include "train/config.h"

typedef enum SignalRole {
    SIGNAL_OTHER,
    SIGNAL_WEIGHTS,    /* the output of linear and conv2d */
    SIGNAL_ACTIVATION, /* element by element */
    SIGNAL_NORM,
    SIGNAL_PASS /* one input, whose numbers it passes on, maybe some of them or scaled: dropout, reshape, pooling */
} SignalRole;

typedef struct Signal {
    const Layer *layer; /* NULL: the model's input; a residual block for the sum that it makes */
    SignalRole role;
    int in[LAYER_MAX_INPUTS], inputs;
    double log_factor[LAYER_MAX_INPUTS]; /* ln of mean (dL/d in)^2 over mean (dL/dx)^2; -infinity: no gradient passes */
    double count;                        /* numbers of one sample */
    double mean, square;                 /* E[x], E[x^2] */
    double shared;                       /* E[x x'] of the same unit for two samples (or positions, of images); 0 where no
                                            layer of the model needs it */
    MeanFieldMoments moments;            /* of an activation, over its input */
    double fan_in, weight_variance, bias_mean, bias_variance; /* of weights; variance times fan_in, mean square of the bias */
    double log_gradient;                                      /* ln of mean (dL/dx)^2, of L = the model's output */
    bool is_unknown;                                          /* it follows from something that theory does not cover */
} Signal;

typedef struct SignalFlow {
    Signal *signal;
    int count, output;
    const char *unknown; /* why nothing can be said of a layer with weights: a phrase; NULL: all is covered */
} SignalFlow;

/* Of a model of one net, with the weights it has and the inputs of the training data. */
SignalFlow *signal_flow_new(Arena *arena, const Config *config);

#endif
