/* The `histogram` events of a log, gathered for what number formats would lose: a row a parameter, and all together. */
#ifndef GRADTOOL_MONITOR_PRECISION_LOG_H
#define GRADTOOL_MONITOR_PRECISION_LOG_H

#include "base/arena.h"
#include "monitor/precision_loss.h"
#include "monitor/run_reader.h"

typedef struct PrecisionRow {
    const char *name;
    PrecisionLoss loss;
} PrecisionRow;

/* Begins as zeros but for the arena. About 10 kB a parameter, however long the log. */
typedef struct PrecisionLog {
    Arena *arena;
    PrecisionRow **rows; /* in the order of the log, which is that of the parameters */
    int count, capacity, next;
    PrecisionLoss total;       /* complete after precision_log_end */
    ExponentHistogram current; /* all parameters of the step that is being gathered */
    int64_t step;
    bool has_step;
    int64_t first_step, last_step;
} PrecisionLog;

/* One event; of anything but gradients it is passed over. Events of one step follow each other. */
void precision_log_add(PrecisionLog *log, int64_t step, const RunHistogram *histogram);
/* Behind the last event. */
void precision_log_end(PrecisionLog *log);

#endif
