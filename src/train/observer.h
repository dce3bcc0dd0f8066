/* What training tells the floor above while it runs. */
#ifndef GRADTOOL_TRAIN_OBSERVER_H
#define GRADTOOL_TRAIN_OBSERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "autograd/plan.h"
#include "base/error.h"
#include "optim/clip.h"
#include "optim/optimizer.h"
#include "train/hook.h"
#include "train/loss_scale.h"

/* A training graph for one batch size, before it is compiled: the place to put taps. */
typedef struct TrainGraph {
    Graph *graph;
    int batch;
    Variant variant;
    Node *const *leaf;      /* the output of each leaf layer */
    Node *const *leaf_grad; /* dL/d of it, without the loss scale; NULL where none reaches it or nobody asked for it */
    LossScale scale;        /* what other gradients in the graph still have in them */
    Node *const *grad;      /* of each weight; NULL likewise */
    int leaves, parameters;
} TrainGraph;

typedef struct StepReport {
    int64_t step, epoch; /* from 1 */
    double loss, lr, grad_norm, clipped_norm, seconds;
    double scale; /* of the loss, in this step; 1 without a scaler */
    bool skipped;
    bool has_scaler, found_inf; /* it found a gradient that is not finite, and had the update skipped */
    double next_scale;
    int64_t samples;
    double penalty, penalty_norm; /* its share of the loss; the mean norm that it is of */
    bool has_penalty;
    double generator_loss; /* of a GAN, whose loss is the critic's; norms are over the last gradients of both nets */
    bool has_generator_loss;
} StepReport;

typedef struct NonfiniteReport NonfiniteReport; /* nonfinite.h */

typedef struct EvalReport {
    int64_t step;
    double loss, accuracy;
    bool has_accuracy;
} EvalReport;

typedef struct Trainer Trainer;

/* Every function may be NULL. Those that return false have added an error, and training stops as failed. */
typedef struct Observer {
    void *context;
    /* Is this step (from 1) measured? Such steps run the plans that were prepared by `attach`. */
    bool (*measures)(void *context, int64_t step);
    bool wants_leaf_gradients;
    void (*attach)(void *context, const TrainGraph *graph);
    /* A measured step begins; after each of its micro-batches (the taps have seen its values). */
    void (*begin)(void *context, int64_t step);
    void (*ran)(void *context, const TrainGraph *graph);
    /* The gradient of weight `index`, of the whole group, before clipping. Returns its sum of squares. Only in measured steps.
     */
    double (*gradient)(void *context, int index, const float *values, size_t count);
    /* What the update did to weight `index`. Only in measured steps. */
    void (*updated)(void *context, int index, const UpdateStatistics *statistics);
    bool wants_updates;
    bool (*accumulated)(void *context, int64_t step, int64_t micro, int64_t of, double loss, double grad_norm, Error *err);
    /* A hook saw a tensor; a hook wants one kept. */
    bool (*hooked)(void *context, const HookReport *report, Error *err);
    HookSave *save;
    /* An update was not finite, or would not be. The model's state is that before it, until this returns. */
    bool (*nonfinite)(void *context, const NonfiniteReport *report, Error *err);
    /* The gradients of a net were clipped, and its weights updated by them. */
    bool (*clipped)(void *context, int64_t step, const ModelNet *net, const ClipResult *clip, Error *err);
    /* The step is done; `clip` is of its last update, NULL when nothing is clipped. */
    bool (*stepped)(void *context, const StepReport *report, bool measured, const ClipResult *clip, Error *err);
    bool (*evaluated)(void *context, const EvalReport *report, Error *err);
    /* The training stands between two steps, or has stopped in one, and its state is to be kept (checkpoint_write). */
    bool (*checkpoint)(void *context, const Trainer *trainer, Error *err);
} Observer;

#endif
