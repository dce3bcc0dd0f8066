/* The checkpoints of a run folder, and going back to the newest whole one: FOLDER/checkpoints/step-N beside the log.
 *
 * A checkpoint counts once its folder has its name; the log is on the disk up to there before. Going back removes what was
 * written after the checkpoint: later ones, temporary files, and the log's rest. Killed anywhere in between, it can be done
 * again.
 */
#ifndef GRADTOOL_MONITOR_RUN_CHECKPOINTS_H
#define GRADTOOL_MONITOR_RUN_CHECKPOINTS_H

#include "base/file.h"
#include "monitor/run_log.h"
#include "train/checkpoint_folder.h"

/* Of one run whose log is open. */
typedef struct RunCheckpoints {
    const char *folder; /* of the run */
    RunLog *log;
    uint32_t config; /* checksum of config.json */
    int64_t keep;    /* the newest so many stay */
    int64_t steps;   /* that the config asks for */
    int64_t newest;  /* step of the newest one; -1: none */
    bool is_logged;  /* its event is in the log */
} RunCheckpoints;

/* How a run is gone on with. */
typedef struct Resumption {
    bool is_finished;  /* it has as many steps as the config asks for: nothing was touched */
    int64_t step;      /* made so far */
    const char *path;  /* of the checkpoint, from the run folder; NULL: the run starts again */
    bool is_changed;   /* the config is not the one that the checkpoint was made with */
    const char **note; /* checkpoints that could not be used, and why */
    int notes;
} Resumption;

/* Of a run of `config`, whose text is that of config.json. */
RunCheckpoints run_checkpoints_of(RunLog *log, const char *folder, const Config *config, Bytes text);

/* Writes a checkpoint of the trainer's point, unless there is one, logs it, and removes older ones. `log_bytes` is the length
 * of the log that belongs to the steps before that point. */
bool run_checkpoints_keep(RunCheckpoints *run, const Trainer *trainer, int64_t log_bytes, Arena *scratch, Error *err);

/* Gives the trainer the state of the newest whole checkpoint, or leaves it at the start where there is none, and takes the
 * folder back to it: config.json becomes `config`, and the log ends where a run that never stopped would have it. From the
 * start the log is empty: its run event has to be written. */
bool run_checkpoints_go_back(RunCheckpoints *run, Trainer *trainer, Bytes config, Resumption *resumption, Arena *arena,
                             Error *err);

#endif
