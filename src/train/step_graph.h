/* One training (or evaluation) graph for one batch size, compiled, with its memory. */
#ifndef GRADTOOL_TRAIN_STEP_GRAPH_H
#define GRADTOOL_TRAIN_STEP_GRAPH_H

#include "train/config.h"
#include "train/observer.h"

typedef struct StepGraph {
    const ModelNet *net; /* the one that learns */
    int batch;
    bool is_measured;
    ModelNodes model;
    LossNodes loss;
    PenaltyNodes penalty; /* all NULL where there is none */
    Node *objective;      /* what is differentiated */
    TrainGraph view;
    StepHooks *hooks; /* NULL: none */
    bool is_apart;    /* for replays */
    Node **root;      /* what is readable after a run */
    int roots;
    Plan *plan;
    Workspace *workspace;
    float *input, *target, *factor; /* to be written before a run; NULL where the graph does not read it */
    const float *sum;               /* of the loss's terms */
    float *scale, *inverse_scale;   /* of the loss; likewise */
    float *interpolates, *penalty_factor;
    const float *penalty_sum, *penalty_norm_sum;
    const float *output; /* without gradient only */
    float **gradient;    /* of each weight; NULL where it has none */
    bool is_probe;
    const float *terms;                  /* of a probe: of the loss; NULL where it has none by sample */
    const float **leaf, **leaf_gradient; /* of a probe: as in view, NULL where there is none */
} StepGraph;

/* The gradient of the weights of `net`, which learns through the nets behind it; a penalty is of the last net. With an observer
 * the graph is measured: the observer attaches its taps, and sees the layers and weights of this net alone. */
StepGraph *step_graph_new(Arena *arena, const Config *config, const ModelNet *net, int batch, Variant variant,
                          const Observer *observer, Error *err);
/* Chooses what to recompute so that the workspace of a training step of `batch` samples stays below train.memory_limit: as few
 * leading layers as will do. Does nothing without a limit; an error names what can be reached. */
bool step_graph_plan_memory(Config *config, int batch, Variant variant, const Observer *observer, Error *err);
/* The output of `net` alone, as in training: forward only, without loss. */
StepGraph *step_graph_new_sampler(Arena *arena, const Config *config, const ModelNet *net, int batch, Variant variant,
                                  Error *err);
/* A training step without what changes the model or is random: no dropout, no hooks, running statistics left alone. After a run
 * the output, the loss's terms, and each leaf's output and gradient can be read. Not of a GAN. */
StepGraph *step_graph_new_probe(Arena *arena, const Config *config, int batch, Variant variant, Error *err);
/* The graph of step_graph_new, or where `alone` of step_graph_new_sampler, for replay_run(). */
StepGraph *step_graph_new_replay(Arena *arena, const Config *config, const ModelNet *net, bool alone, int batch,
                                 Variant variant, Error *err);
/* For replay_run(): which values of that graph stand by sample. */
ReplayRows step_graph_rows(const StepGraph *g, const Config *config, Arena *arena);
/* Forward only, in evaluation mode. */
StepGraph *step_graph_new_evaluation(Arena *arena, const Config *config, int batch, Variant variant, Error *err);

#endif
