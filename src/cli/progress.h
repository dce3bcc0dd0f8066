/* The face of a training on standard error.
 *
 * On a terminal a line that is redrawn, and a row of the table at each epoch or evaluation; in a pipe only the rows, at growing
 * steps at first. However long the run, there are about PROGRESS_ROWS rows. */
#ifndef GRADTOOL_CLI_PROGRESS_H
#define GRADTOOL_CLI_PROGRESS_H

#include "cli/terminal.h"
#include "monitor/monitor.h"
#include "train/config.h"

enum { PROGRESS_ROWS = 50 };

typedef struct Progress Progress;

/* With `quiet` nothing is shown, but the totals are kept. */
Progress *progress_new(Arena *arena, const Config *config, const Terminal *terminal, bool quiet);
MonitorListener progress_listener(Progress *progress);

/* The line about the run, and the head of the table. */
void progress_begin(Progress *progress, int threads);
/* Takes the live line away, and shows the steps that no row told of. */
void progress_end(Progress *progress);

typedef struct ProgressTotals {
    StepReport last;                /* step 0: none was made */
    int64_t skips;                  /* by the gradient scaler */
    EvalReport evaluation, best;    /* the last one, and that of the smallest loss; step 0: there was none */
    int64_t checkpoint;             /* step of the newest; -1: there is none */
    const char *nonfinite, *advice; /* the last value that was not finite, and what may help; NULL: there was none */
} ProgressTotals;
const ProgressTotals *progress_totals(const Progress *progress);
/* Counts in what was done before this process went on with the run; each may be NULL. */
void progress_add_earlier(Progress *progress, const StepReport *last, const EvalReport *evaluation, const int64_t *checkpoint);

/* "2-32-32-3" for a plain chain, else "14 layers". */
const char *progress_model_summary(Arena *arena, const Model *model);

#endif
