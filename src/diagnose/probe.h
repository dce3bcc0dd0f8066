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
    int64_t units;    /* features of the last axis, channels of images */
    double dead;      /* share of units that are 0 for every sample and position; NaN where the type's
                         zeros do not mean that nothing is learned: only relu, and an rnn of it, has it */
    double saturated; /* share of activations within 1 % of half the range of a bound of tanh, hardtanh, sigmoid,
                         or an rnn of tanh; NaN of others */
    double mean, std, max_abs, zeros;  /* of the output; zeros is a share */
    double flow;                       /* rms of dL/d(output), L being the loss of a batch; NaN where no gradient reaches it */
    double unit_deviation;             /* how much the output depends on the sample: the median over units of the deviation over
                                          the samples of a batch, position by position, over the layer's rms; NaN with one sample
                                          in a batch */
    double flow_zeros;                 /* share of dL/d(output) that is exactly 0; NaN like flow */
    int64_t nonfinite, flow_nonfinite; /* numbers of the output, and of the gradient, that are NaN or infinite */
} ProbeLayer;

typedef struct ProbeParameter {
    const char *name, *layer;
    bool has_path; /* the loss depends on it as the graph is built, and it learns */
    bool is_frozen;
    double weight_norm, gradient_norm; /* NaN without a gradient; of the mean of the batches' gradients */
    double twins;      /* share of units (rows, output channels) whose weights equal those of another unit, bit for bit, and
                          whose gradients do so but for rounding and are not zero; NaN of tensors of rank < 2, of one unit, and
                          without a gradient */
    double equal_rows; /* share of units whose weights alone equal those of another; NaN of rank < 2 or of one unit */
} ProbeParameter;

typedef struct Probe {
    int64_t samples, batch; /* that were seen, in batches of so many */
    double loss;            /* mean over the samples, the penalty left out; also where the config's loss adds up */
    double loss_deviation;  /* of the loss of one sample over the samples: sigma_sample; NaN where terms are not by sample */
    double accuracy;        /* NaN where the loss has none */
    double output_min, output_max, output_std;
    ProbeLayer *layer; /* in the order of model->leaf */
    int layers;
    ProbeParameter *parameter; /* in the order of model->parameter */
    int parameters;
} Probe;

/* On up to `limit` (> 0) training samples, in the order of the first epoch, in training mode with dropout and hooks switched
 * off, in float32 whatever the config's precision; running statistics and weights stay as they are. The samples are seen in
 * batches of one size, at least 32 and at least the config's where the layers' outputs and gradients then stay below 256 MiB;
 * the last few are left out where they do not divide. The bits do not depend on threads, which may be NULL. NULL with an error
 * where there is not enough memory or the graph cannot be built; NULL without an error of a GAN. */
Probe *probe_new(Arena *arena, const Config *config, int64_t limit, Threads *threads, Error *err);

#endif
