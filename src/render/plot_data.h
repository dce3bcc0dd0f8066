/* What the pictures of a run are drawn from, gathered in one pass over its log in bounded memory. */
#ifndef GRADTOOL_RENDER_PLOT_DATA_H
#define GRADTOOL_RENDER_PLOT_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "diagnose/prediction.h"
#include "monitor/precision_log.h"
#include "monitor/run_reader.h"
#include "render/histogram_store.h"
#include "render/quantile.h"
#include "render/series.h"

/* Rows of `steps`. CLIP_COEFFICIENT is clipped_norm / grad_norm; HOOKED is 1 where a hook changed something, else missing;
 * SKIPPED where the gradient scaler skipped the step, whose gradient norm is then missing. SCALE is missing without a scaler.
 */
enum {
    STEP_LOSS,
    STEP_GRAD_NORM,
    STEP_CLIPPED_NORM,
    STEP_CLIP_COEFFICIENT,
    STEP_GENERATOR_LOSS,
    STEP_HOOKED,
    STEP_SCALE,
    STEP_SKIPPED,
    STEP_ROWS
};
enum { EVAL_LOSS, EVAL_ACCURACY, EVAL_ROWS };
enum { PENALTY_NORM, PENALTY_VALUE, PENALTY_ROWS };

/* A quantity by parameter or layer: over the steps, and the spread of each row over all of them. */
typedef struct PlotMatrix {
    int rows;
    const char *const *names;
    Series *series; /* NULL when the log has none of it */
    QuantileSketch *spread;
} PlotMatrix;

enum { PLOT_TIME_LIMIT = 8 }; /* each may take 8 MB */

/* The gradient of one layer by position of its sequence: rows are positions, or a few each. */
typedef struct PlotTime {
    const char *name;
    bool is_delta; /* dL/d(gates) of a recurrent layer, else dL/d(output) */
    PlotMatrix matrix;
} PlotTime;

typedef struct PlotData {
    const RunHeader *run;
    const char *title; /* the run's name, or its folder's */
    Series *steps, *evaluation, *penalty;
    int64_t step_count;
    PlotMatrix gradients;            /* 2-norm of each parameter's gradient */
    PlotMatrix updates;              /* norm of the update over the norm of the weights */
    PlotMatrix activations;          /* root mean square of each layer's output */
    PlotMatrix activation_gradients; /* and of its gradient */
    MeasuredFlow first_flow; /* of the first step whose gradients of layers were all finite, else the first; layers 0: none */
    const Prediction *prediction;   /* NULL: nobody asked for it, or it cannot be had */
    const char *no_prediction;      /* why, a clause */
    PlotTime time[PLOT_TIME_LIMIT]; /* a layer each: of recurrent layers, or of all where there are none */
    int time_count;
    bool has_more_time; /* of more layers than are kept */
    HistogramStore histograms;
    PrecisionLog precision; /* of gradients, all steps */
    int64_t clip_events, scaler_skips;
    double max_norm;       /* of clipping by the total 2-norm, from config.json; NaN where there is none */
    double penalty_target; /* the norm that costs nothing, likewise */
} PlotData;

/* NULL and an error when the folder or its log cannot be read. */
PlotData *plot_data_read(Arena *arena, const char *folder, Error *err);
/* Whether a parameter stands for its layer where a picture has a line or box a layer: matrices and kernels do, and what is
 * the first of a layer that has none. */
bool plot_data_is_main(const PlotData *data, int parameter);

#endif
