/* The gradient scaler of float16: the loss is multiplied by a scale, so that small gradients do not underflow; the gradients
 * are divided by it before anything looks at them; a step whose gradients are not finite is skipped and halves the scale.
 *
 * State and arithmetic are those of torch.amp.GradScaler: the scale is a float32, its products are made in double.
 * Micikevicius et al. 2018, "Mixed precision training". */
#ifndef GRADTOOL_TRAIN_SCALER_H
#define GRADTOOL_TRAIN_SCALER_H

#include <stdbool.h>
#include <stdint.h>

typedef struct ScalerOptions {
    double init_scale, growth_factor, backoff_factor;
    int64_t growth_interval; /* finite steps in a row after which the scale grows */
} ScalerOptions;

/* What a checkpoint keeps. */
typedef struct ScalerState {
    float scale;
    int64_t growth_tracker; /* finite steps in a row so far */
} ScalerState;

typedef struct Scaler {
    const ScalerOptions *options; /* borrowed */
    ScalerState state;
} Scaler;

Scaler scaler_new(const ScalerOptions *options);

/* The scale of the next step's loss, and what its gradients are multiplied by. */
float scaler_scale(const Scaler *scaler);
float scaler_inverse(const Scaler *scaler);

/* A step is over; `found_inf` says whether one of its gradients was not finite. The scale backs off, or grows when the interval
 * is full, unless it would become infinite. */
void scaler_update(Scaler *scaler, bool found_inf);

ScalerState scaler_state(const Scaler *scaler);
void scaler_set_state(Scaler *scaler, ScalerState state);

#endif
