/* The model looked at from inside, with the weights it has now: forward and backward over some training samples, nothing
 * learned. What a log cannot say: which units never answer, how much of a layer is saturated, which units are twins. */
#ifndef GRADTOOL_DIAGNOSE_PROBE_H
#define GRADTOOL_DIAGNOSE_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/threads.h"
#include "train/config.h"

typedef struct ProbeLayer {
    const char *name, *type;
    int64_t units;                    /* features of the last axis, channels of images */
    double dead;                      /* share of units that are 0 for every sample and position; NaN where the type's
                                         zeros do not mean that nothing is learned: only relu-like layers have it */
    double saturated;                 /* share of activations within 1 % of a bound of tanh, sigmoid, hardtanh; NaN of others */
    double mean, std, max_abs, zeros; /* of the output; zeros is a share */
    double flow;                      /* rms of dL/d(output); NaN where no gradient reaches it */
    double unit_deviation;            /* median over units of the deviation over samples, over the layer's rms: how much the
                                         output depends on the sample */
    double flow_zeros;                /* share of dL/d(output) that is exactly 0 */
    int64_t nonfinite;
} ProbeLayer;

typedef struct ProbeParameter {
    const char *name, *layer;
    bool has_path; /* the loss depends on it as the graph is built, and it learns */
    bool is_frozen;
    double weight_norm, gradient_norm; /* NaN without a gradient */
    double twins; /* share of units (rows, output channels) whose weights and gradients equal those of another unit, bit for
                     bit, gradients not zero; NaN of tensors of rank < 2 or of one unit */
    double equal_rows; /* share of units whose weights alone equal those of another */
} ProbeParameter;

typedef struct Probe {
    int64_t samples;
    double loss;           /* mean over the samples, the penalty left out */
    double loss_deviation; /* of the loss of one sample over the samples: sigma_sample; NaN where terms are not by sample */
    double accuracy;       /* NaN where the loss has none */
    double output_min, output_max, output_std;
    ProbeLayer *layer; /* in the order of model->leaf */
    int layers;
    ProbeParameter *parameter; /* in the order of model->parameter */
    int parameters;
} Probe;

/* On up to `limit` training samples, in the order of the first epoch, in training mode with dropout switched off; running
 * statistics and weights stay as they are. NULL with an error where there is not enough memory or the graph cannot be built
 * (GAN: the critic is not probed; NULL without an error). */
Probe *probe_new(Arena *arena, const Config *config, int64_t limit, Threads *threads, Error *err);

#endif
