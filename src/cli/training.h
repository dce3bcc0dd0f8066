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
    PlotResult plots;
} Run;

/* Everything for run->config up to the first step; nothing is written yet. `quiet`: no progress is shown. */
bool training_prepare(Command *command, Arena *arena, Threads *threads, bool quiet, Run *run, Error *err);
/* All steps, in the folder that the monitor has opened, which is then closed. run->status is TRAIN_FAILED with an error. */
void training_finish(const Command *command, Run *run, const volatile sig_atomic_t *stop, Error *err);

#endif
