/* Gradient flow predicted before a step is made, from the architecture and the deviations of the initial weights:
 * mean field (Schoenholz et al. 2017, equations 3 to 7; Poole et al. 2016; He et al. 2015, equation 10) and its fluctuation at
 * finite width (Hanin 2018, theorem 1; Hanin & Nica 2020). */
#ifndef GRADTOOL_DIAGNOSE_PREDICTION_H
#define GRADTOOL_DIAGNOSE_PREDICTION_H

#include <stdbool.h>

#include "train/config.h"

typedef struct PredictedLayer {
    const char *name;       /* a linear, conv2d or attention layer: one weight matrix on the path */
    const char *activation; /* type of the activation that follows it, "" for none */
    int width;              /* units, or channels */
    double fan_in;
    double weight_variance; /* of the initial weights times fan_in: sigma_w^2 */
    double bias_variance;
    double q;           /* predicted mean square of the pre-activations */
    double chi;         /* mean-field factor of the squared gradient through layer and activation: chi_1 */
    double flow;        /* predicted rms of dL/d(pre-activation), relative to that of the last hidden layer */
    double born_dead;   /* probability that all its units are dead for all inputs at once: 2^-width for relu with biases 0 */
    bool in_residual;   /* on a branch of a residual block: its beta does not add up over depth */
    bool is_normalised; /* a norm layer stands between it and the next activation */
} PredictedLayer;

typedef struct Prediction {
    PredictedLayer *layer; /* in the order of the forward pass */
    int layers;
    double flow_ratio;   /* predicted rms of dL/dz, first hidden layer over last hidden layer; NaN where not predictable */
    double chi_mean;     /* geometric mean over the hidden layers */
    double depth_scale;  /* xi = -1 / ln(chi) of the mean; infinite at criticality */
    double beta;         /* sum of 1 / width over hidden layers of the trunk, output layer left out, residual branches apart */
    double log_variance; /* predicted variance over initialisations of ln ||J u||^2: 5 beta for relu nets */
    double log_mean;     /* and its mean: -5/2 beta */
    double born_dead;    /* 1 - prod(1 - 2^-width) over relu layers outside of residual blocks */
    bool is_supported;   /* false: recurrent nets, nets without hidden layers, expressions in between: see reason */
    const char *reason;
} Prediction;

Prediction *prediction_new(Arena *arena, const Config *config);

#endif
