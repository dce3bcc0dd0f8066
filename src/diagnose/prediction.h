/* Gradient flow predicted before a step is made, from the architecture and the deviations of the initial weights:
 * mean field (Schoenholz et al. 2017, equations 3 to 7; Poole et al. 2016; He et al. 2015, equation 10) and its fluctuation at
 * finite width (Hanin 2018, theorem 1; Hanin & Nica 2020). */
#ifndef GRADTOOL_DIAGNOSE_PREDICTION_H
#define GRADTOOL_DIAGNOSE_PREDICTION_H

#include <stdbool.h>
#include <stdint.h>

#include "train/config.h"

typedef struct PredictedLayer {
    const char *name;       /* of linear or conv2d: one weight matrix on the path */
    const char *activation; /* type of the activation that follows it, "" where sums or other layers come first */
    int width;              /* units, or channels */
    int depth;              /* layers with weights on the longest way from the input to it, itself included */
    double fan_in;
    double weight_variance; /* mean square of the initial weights times fan_in: sigma_w^2 */
    double bias_variance;   /* mean square of the biases: sigma_b^2 */
    double q;               /* predicted mean square of the output, the pre-activations; NaN where not predictable */
    double chi;          /* mean-field factor of the squared gradient through layer, norm and activation: chi_1; NaN likewise */
    double flow;         /* predicted rms of dL/d(output), relative to that of the last hidden layer; NaN where not predictable
                            or where no gradient arrives; of the output layer NaN */
    double log_variance; /* predicted variance over initialisations of ln flow^2, which has the mean -log_variance / 2: the sum
                            of what log_variance below says of the layers of the trunk between this one and the last hidden one,
                            and of these two themselves where they stand in residual branches; 0 of the last hidden layer */
    double born_dead;    /* probability that all its units are dead at once: 2^-width for relu with biases 0; 0 behind a norm */
    bool in_residual;    /* some path from input to output passes it by: its beta does not add up over depth */
    bool is_normalised;  /* a norm layer stands between it and the next activation */
    bool is_output;      /* no layer with weights follows */
} PredictedLayer;

typedef struct Prediction {
    PredictedLayer *layer; /* in the order of the forward pass */
    int layers;
    int first, last;    /* hidden layers that flow_ratio compares: of the trunk where it has two, else of residual branches; -1:
                           there are none */
    double flow_ratio;  /* predicted rms of dL/d(output), layer `first` over layer `last`; NaN where not predictable */
    double chi_mean;    /* geometric mean over the hidden layers that have an activation; NaN without any */
    double depth_scale; /* layers in which the squared gradient changes by a factor of e: 1 / |ln chi_mean|; infinite at
                           criticality */
    double beta;        /* sum of 1 / width over hidden layers of the trunk, those in residual branches left out */
    double log_variance; /* predicted variance over initialisations of ln ||J u||^2: sum of (3 E[phi'^4] / E[phi'^2]^2 - 1) /
                            width over the same layers: 5 beta for relu nets, 2 beta for linear ones */
    double log_mean;     /* and its mean: half of it, negative */
    double born_dead;    /* 1 - prod(1 - born_dead) over the same layers */
    bool is_supported;   /* false: GANs, nets without hidden layers, recurrent layers, attention or expressions in between */
    const char *reason;  /* why not, a phrase; "" where it is */
} Prediction;

/* What one step measured: the rms of dL/d(output) of layers, for their names. */
typedef struct MeasuredFlow {
    int64_t step; /* from 1 */
    int layers;
    const char *const *name;
    const double *rms; /* run_missing() where no gradient arrives, NaN where it is not finite */
} MeasuredFlow;

/* Never NULL: what is not supported has the reason, and what follows from the architecture alone. Of the weights that the model
 * has now: to be called before training. Dropout counts as in training. Nothing in it is borrowed. */
Prediction *prediction_new(Arena *arena, const Config *config);
/* Of a run, from its config.json: of the weights that it began with. NULL with an error where these, or the data, cannot be
 * had. */
Prediction *prediction_of_run(Arena *arena, const char *folder, Error *err);

/* One deviation over initialisations to either side of what flows typically have: flow e^(-v/4 -+ sqrt(v)/2), v = log_variance.
 */
double prediction_low(const PredictedLayer *layer);
double prediction_high(const PredictedLayer *layer);
/* What was measured of a layer, relative to the last hidden layer as `flow` is; 0 of 0 is 0. run_missing() where nothing was
 * measured of either, NaN where one of them is not finite. */
double prediction_measured(const Prediction *prediction, int layer, const MeasuredFlow *measured);

#endif
