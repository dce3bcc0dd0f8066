/* The training loop: micro-batches to gradients, gradients to a step, steps to a run. */
#ifndef GRADTOOL_TRAIN_TRAINER_H
#define GRADTOOL_TRAIN_TRAINER_H

#include <signal.h>

#include "base/threads.h"
#include "train/config.h"
#include "train/observer.h"

typedef enum TrainStatus { TRAIN_COMPLETED, TRAIN_INTERRUPTED, TRAIN_DIVERGED, TRAIN_FAILED } TrainStatus;
/* "completed", ... as in the end event. */
const char *train_status_name(TrainStatus status);

/* Builds and compiles the plans of every batch size that will occur, so that what cannot run is known before anything is
 * written. `threads` and `observer` may be NULL; the config must live as long. */
Trainer *trainer_new(Arena *arena, Config *config, Threads *threads, const Observer *observer, Error *err);

/* Where a training stands between two steps: with the model's state and the optimizer's, all that going on exactly needs. */
typedef struct TrainPoint {
    int64_t step, epoch; /* done; running, from 1 */
    int64_t micro;       /* next micro-batch of the epoch */
    int64_t runs;        /* of graphs so far: what random operators draw by */
    int64_t nonfinite;   /* steps so far that were not finite */
    double scale;        /* of the gradient scaler; 0: none ran */
    int64_t growth_tracker;
    double seconds;
} TrainPoint;

/* After the last step that was made: where training stopped in a step that was not made, before it. Of a GAN that stopped after
 * one of the updates of a step there is no such point: false. */
bool trainer_point(const Trainer *trainer, TrainPoint *point);
/* Goes on from there; the caller restores the states. False with an error when the data has no such place. */
bool trainer_go_to(Trainer *trainer, const TrainPoint *point, Error *err);
/* Does the config want a checkpoint after this step, whatever else happens? */
bool trainer_checkpoint_is_due(const Trainer *trainer, int64_t step);

/* Trains to the end, or until *stop is not zero (`stop` may be NULL). An evaluation after the last step is always made when
 * there is validation data. The observer is asked for a checkpoint where one is due, and where training stops; of a step that
 * is evaluated, after that. TRAIN_FAILED comes with an error. */
TrainStatus trainer_run(Trainer *trainer, const volatile sig_atomic_t *stop, Error *err);

/* One optimizer step; never allocates. TRAIN_COMPLETED when it was made. */
TrainStatus trainer_step(Trainer *trainer, Error *err);

int64_t trainer_steps_done(const Trainer *trainer);
double trainer_seconds(const Trainer *trainer);
/* The gradient of weight `index` of the last step, before clipping by norm; NULL where it has none. */
const float *trainer_gradient(const Trainer *trainer, int index);
/* Why weight `index` has no gradient, in words: "frozen", "stops at `detach1`", ... */
const char *trainer_gradient_reason(const Trainer *trainer, int index, Arena *arena);
/* Bytes of a workspace that are the gradients of weights. */
size_t trainer_gradient_bytes(const Trainer *trainer);
/* Bytes of the largest workspace. */
size_t trainer_workspace_bytes(const Trainer *trainer);
/* Operations of a training step's micro-batch. */
double trainer_flops(const Trainer *trainer);
/* What the steps of one name (an operator, or a fused chain of them) take of a micro-batch. */
typedef struct ProfileRow {
    const char *name;
    double seconds; /* of all of them together */
    double share;   /* of the whole, 0 to 1 */
    int count;
} ProfileRow;

/* Times `steps` micro-batches on one thread; rows live in `arena`, the slowest first. Returns how many. */
int trainer_profile(Trainer *trainer, int steps, Arena *arena, const ProfileRow **rows);

#endif
