/* A training as commands make it: from a config to what it left behind. */
#ifndef GRADTOOL_CLI_TRAINING_H
#define GRADTOOL_CLI_TRAINING_H

#include <signal.h>

#include "cli/command.h"
#include "cli/progress.h"
#include "monitor/monitor.h"
#include "render/plot.h"
#include "train/trainer.h"

typedef struct Run {
    Config *config;
    Monitor *monitor;
    Trainer *trainer;
    Progress *progress;
    const char *folder;
    TrainStatus status;
    int64_t steps;
    double seconds;
    const Prediction *prediction; /* for the plots; NULL where none are drawn */
    PlotResult plots;
    Threads *threads;         /* NULL: one */
    struct Verdict *verdict;  /* NULL: none was asked for, or there was nothing to judge */
    const char *guard_reason; /* why the guard ended it; NULL: it did not */
} Run;

/* Everything for run->config up to the first step; nothing is written yet. `quiet`: no progress is shown. */
bool training_prepare(Command *command, Arena *arena, Threads *threads, bool quiet, Run *run, Error *err);
/* All steps, in the folder that the monitor has opened, which is then closed. run->status is TRAIN_FAILED with an error. Where
 * train.guard says so, an error that is found on the way ends it as diverged; with `judges`, the run ends with a verdict. */
void training_finish(Command *command, Run *run, bool judges, const volatile sig_atomic_t *stop, Error *err);

#endif
