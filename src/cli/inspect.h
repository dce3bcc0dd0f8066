/* What `gradtool inspect` finds out, and how it shows it. */
#ifndef GRADTOOL_CLI_INSPECT_H
#define GRADTOOL_CLI_INSPECT_H

#include "cli/command.h"
#include "tensor/statistics.h"
#include "train/trainer.h"

/* The end of a run's log. */
typedef struct RunFacts {
    const char *folder, *status; /* "unfinished" without an end event */
    int64_t steps;
    double loss; /* of the last step */
} RunFacts;

typedef struct DataFacts {
    double min, max;  /* of the finite inputs; NaN when there are none */
    size_t nonfinite; /* inputs and targets */
    int classes;      /* 0: targets are numbers */
    size_t *count;    /* targets of each class */
    size_t counted;   /* all of them */
} DataFacts;

typedef struct Subject {
    const char *path;
    const Model *model;
    const RunFacts *run;  /* NULL: not a run */
    const Config *config; /* NULL: a model alone, and so is all below */
    const DataFacts *data;
    Trainer *trainer; /* has made one step */
    StepReport step;
    /* Of a training step's micro-batch; of a model alone, of the forward pass. */
    double flops;
    int64_t batch;
    size_t workspace_bytes;
    bool wants_values; /* of all gradients, not only of small ones */
} Subject;

DataFacts *inspect_data(Arena *arena, const Config *config);
/* Weights of a leaf layer. */
size_t inspect_layer_parameters(const Model *model, const Layer *layer);
/* Whether the gradient of weight `index` is shown number by number. */
bool inspect_shows_values(const Subject *subject, int index);
/* Statistics of its gradient; false where it has none. */
bool inspect_gradient(const Subject *subject, int index, Statistics *statistics);

void inspect_print_text(Command *command, const Subject *subject);
void inspect_print_document(Command *command, const Subject *subject);

/* A .safetensors file, as a table of its tensors. Returns the exit status. */
int inspect_tensors(Command *command, const char *path);

/* What number formats would lose of a run's gradients, over all its histograms or those of one step (0: all). Returns the exit
 * status. */
int inspect_precision(Command *command, const char *folder, int64_t step);

/* How gradients will flow by theory, beside what was measured: of a config (with `sets`) in one step, of a run in the first
 * step of its log. Returns the exit status. */
int inspect_prediction(Command *command, const char *path, const StringList *sets);

#endif
