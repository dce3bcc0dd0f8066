/* The observer that keeps a run: its instruments measure, its log remembers. */
#ifndef GRADTOOL_MONITOR_MONITOR_H
#define GRADTOOL_MONITOR_MONITOR_H

#include "monitor/run_checkpoints.h"
#include "monitor/run_log.h"
#include "train/config.h"
#include "train/observer.h"
#include "train/trainer.h"

typedef struct OutputOptions {
    const char *dir; /* the run folder, or NULL */
    bool plots;      /* draw the pictures when the run ends */
} OutputOptions;

/* Called after the log of a step, evaluation or checkpoint is written: what a terminal shows. Each may be NULL. */
typedef struct MonitorListener {
    void *context;
    void (*stepped)(void *context, const StepReport *report, const ClipResult *clip);
    void (*evaluated)(void *context, const EvalReport *report);
    void (*kept)(void *context, int64_t step); /* in checkpoints/step-N of the run folder */
    /* `reproducer` is the path of a config that makes that step alone; NULL: none was written. */
    void (*nonfinite)(void *context, const NonfiniteReport *report, const char *reproducer);
} MonitorListener;

typedef struct Monitor Monitor;

/* Reads the config's "monitor" and "output" objects and fills in their defaults; makes the instruments. */
Monitor *monitor_new(Arena *arena, const Config *config, Error *err);
const OutputOptions *monitor_output(const Monitor *monitor);
const Observer *monitor_observer(const Monitor *monitor);
void monitor_listen(Monitor *monitor, const MonitorListener *listener);

/* Makes the run folder (`wanted` as in run_folder_make), writes config.json and the run event. Before this, and without it,
 * nothing is written: the instruments measure all the same. Returns the folder. */
const char *monitor_open(Monitor *monitor, const char *wanted, Error *err);
/* Goes on with the run in `folder`: the trainer, fresh from this config, gets the state of the newest whole checkpoint, the log
 * is cut back to it, and config.json becomes this config. An error where the folder is no run, another process is training it,
 * or the checkpoint does not fit the config. */
bool monitor_resume(Monitor *monitor, const char *folder, Trainer *trainer, Resumption *resumption, Error *err);
/* Writes an event of its owner: the members of `object` behind its name. Does nothing without a folder. */
void monitor_add_event(Monitor *monitor, const char *event, const Json *object);
/* Hands to the file what events were added. */
bool monitor_flush(Monitor *monitor, Error *err);
/* Writes model.safetensors and the end event. */
bool monitor_close(Monitor *monitor, TrainStatus status, int64_t step, double seconds, Error *err);

/* The norm of weight `index`'s gradient in the last measured step; false where it has none or nothing was measured. */
bool monitor_gradient_norm(const Monitor *monitor, int index, double *norm);

/* For `gradtool list instruments`. */
int monitor_instrument_count(void);
const char *monitor_instrument_row(int index, const char **help, const char **cost);

#endif
