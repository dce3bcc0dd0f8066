#include "train/scaler.h"

#include <math.h>

Scaler scaler_new(const ScalerOptions *options)
{
    return (Scaler){.options = options, .state = {.scale = (float)options->init_scale}};
}

float scaler_scale(const Scaler *scaler)
{
    return scaler->state.scale;
}

float scaler_inverse(const Scaler *scaler)
{
    return (float)(1 / (double)scaler->state.scale);
}

void scaler_update(Scaler *scaler, bool found_inf)
{
    const ScalerOptions *options = scaler->options;
    ScalerState *state = &scaler->state;
    if (found_inf) {
        *state = (ScalerState){.scale = (float)((double)state->scale * options->backoff_factor)};
        return;
    }
    if (++state->growth_tracker < options->growth_interval)
        return;
    const float grown = (float)((double)state->scale * options->growth_factor);
    *state = (ScalerState){.scale = isfinite(grown) ? grown : state->scale};
}

ScalerState scaler_state(const Scaler *scaler)
{
    return scaler->state;
}

void scaler_set_state(Scaler *scaler, ScalerState state)
{
    scaler->state = state;
}
