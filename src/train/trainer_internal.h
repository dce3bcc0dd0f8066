/* What the trainer's files share: trainer.c (steps of a model, the run), gan.c (steps of a GAN) and trainer_update.c (from
 * gradients to new weights). */
#ifndef GRADTOOL_TRAIN_TRAINER_INTERNAL_H
#define GRADTOOL_TRAIN_TRAINER_INTERNAL_H

#include <time.h>

#include "train/step_graph.h"
#include "train/trainer.h"

enum { GRAPH_LIMIT = 8 };

struct Trainer {
    Arena *arena;
    Config *config;
    Threads *threads;
    const Observer *observer;
    Variant variant;
    TrainStatus (*make_step)(Trainer *t, Error *err);
    StepGraph *graph[GRAPH_LIMIT]; /* by net, batch size, measured or not */
    int graphs;
    StepGraph *evaluation[2];
    int evaluations;
    uint32_t *order;      /* of this epoch's samples */
    int64_t step, epoch;  /* done; running, from 1 */
    int64_t micro;        /* next micro-batch of the epoch */
    uint64_t runs;        /* micro-batches so far: what random operators draw by */
    const ModelNet *net;  /* whose weights are being updated, */
    Optimizer *optimizer; /* and by which */
    bool is_reported;     /* what hooks see in this update is told */
    bool is_stopped;      /* by a hook, or by a value that is not finite */
    bool is_torn;         /* the step that stopped had made an update before */
    TrainPoint before;    /* the running or last step; without seconds */
    float **accumulated;  /* of each weight, where accumulate > 1 */
    float **gradient;     /* of each weight, of this update; after a step: of the last update of each */
    double *square;       /* its sum of squares */
    UpdateStatistics *update;
    const ClipResult *clip; /* of this update; NULL: nothing is clipped */
    Scaler *scaler;         /* NULL: the loss is not scaled */
    bool *is_finite;        /* of each weight: its gradient was, when it was divided by the scale */
    bool found_inf;         /* one of this step was not */
    bool measures_updates;
    float *buffers; /* state that is no weight, as it was before the update */
    size_t buffer_count;
    float *batch_inputs, *batch_targets;     /* of a micro-batch, where interpolates are made from it */
    struct GanTrainer *gan;                  /* NULL: a model is trained */
    const StepGraph *ran, *sampler;          /* the last graph that ran, and the last that made a GAN's samples */
    int64_t nonfinite_steps, nonfinite_step; /* so far; the last of them */
    float *kept;                             /* of update_guard.h: values, and counters */
    int64_t *kept_counters;
    size_t kept_capacity;
    struct timespec started;
    double earlier; /* seconds before `started`, of the run that is gone on with */
};

/* The graph for that net, batch size and kind of step; built when it is first asked for. */
StepGraph *trainer_graph(Trainer *t, const ModelNet *net, int64_t batch, bool measured, Error *err);
bool trainer_measures(const Trainer *t, int64_t step);

/* A micro-batch's part of its group: factors of its loss and penalty, and the penalty's rows in the group. */
typedef struct Share {
    double loss, penalty;
    int64_t rows;
} Share;

/* A micro-batch's share: its samples, its terms of the loss among the group's `terms`, its rows of the penalty among `rows`. */
Share trainer_share(const Trainer *t, int64_t size, double terms, int64_t rows);
/* Terms of the loss that some samples add. */
double trainer_terms(const Trainer *t, const uint32_t *order, int64_t count);
/* Puts a micro-batch where the graph reads it; `run` is what its random numbers are drawn by. */
void trainer_place_batch(const Trainer *t, const StepGraph *g, const uint32_t *order, int64_t size, uint64_t run);

/* Runs a graph whose inputs are written. Adds to the report's loss and penalty. */
void trainer_run_graph(Trainer *t, const StepGraph *g, const Share *share, bool measured, StepReport *report);

/* An update begins: buffers are kept, hooks forget. */
void trainer_begin_update(Trainer *t);
/* Exchanges the buffers with what they were when the update began; twice changes nothing. */
void trainer_swap_buffers(Trainer *t);
/* Adds to the counts of batches that batch norm keeps. */
void trainer_count_batch(const Trainer *t, int64_t by);
/* Lets the hooks see what the graph has just computed; `micro` is 0 where the group is one micro-batch. */
bool trainer_show_hooks(Trainer *t, const StepGraph *g, int64_t micro, Error *err);
/* The scale of this step's loss; 1 without a scaler. */
double trainer_scale(const Trainer *t);
/* The total norm of the gradients as they stand, which may be scaled. */
double trainer_gradient_norm(Trainer *t);
/* Once the gradients of `micro_batches` stand in t->gradient: they lose the loss scale, then hooks, norms, clipping, and the
 * weights of t->net change, or are left alone (report->skipped). False: an error. */
bool trainer_update(Trainer *t, int64_t micro_batches, bool measured, StepReport *report, Error *err);
/* Counts the step and tells the observer. */
TrainStatus trainer_end_step(Trainer *t, StepReport *report, bool measured, Error *err);

#endif
