/* A config as it will run: read, checked as a whole, completed, with everything it names built. */
#ifndef GRADTOOL_TRAIN_CONFIG_H
#define GRADTOOL_TRAIN_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"
#include "data/dataset.h"
#include "nn/loss.h"
#include "nn/model.h"
#include "optim/clip.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "train/hook.h"
#include "train/mixed_precision.h"
#include "train/penalty.h"

typedef enum NonfinitePolicy { NONFINITE_STOP, NONFINITE_SKIP, NONFINITE_CONTINUE } NonfinitePolicy;

typedef enum GuardPolicy { GUARD_OFF, GUARD_WARN, GUARD_STOP } GuardPolicy;

typedef struct TrainOptions {
    int64_t steps;      /* of the optimizer; from epochs where the config says so */
    int64_t epochs;     /* 0 where the config says steps */
    int64_t batch_size; /* of a micro-batch */
    int64_t accumulate;
    int64_t eval_every;       /* 0: after each epoch */
    int64_t checkpoint_every; /* 0: only where training stops */
    int64_t checkpoint_keep;  /* the newest ones */
    int64_t memory_limit;     /* bytes of a training workspace; 0: none */
    bool shuffle, drop_last;
    int nonfinite;      /* NonfinitePolicy */
    int guard;          /* GuardPolicy: for the floor that diagnoses */
    int64_t first_draw; /* the micro-batch whose random numbers the first one of the run draws, from 0 */
} TrainOptions;

typedef struct Gan Gan; /* gan_config.h */

typedef struct Config {
    Json *json; /* complete after reading: every default filled in, model and data inlined */
    const char *path;
    const char *name;
    uint64_t seed;
    const char *weights;         /* file to start from, or NULL */
    const char *optimizer_state; /* likewise */
    Model *model;                /* initialised, or loaded; of a GAN: both nets */
    Gan *gan;                    /* NULL: a model learns from targets */
    DataSplit data;
    Targets targets;
    Loss *loss;
    Optimizer *optimizer; /* of a GAN: the critic's */
    Schedule *schedule;
    Clip *clip; /* NULL: none */
    HookSet *hooks;
    Penalty *penalty; /* NULL: none */
    MixedPrecision precision;
    TrainOptions train;
    int64_t steps_per_epoch;
    int recompute_leaves, recompute_group; /* chosen for train.memory_limit: see ModelBuildOptions; 0: nothing is recomputed */
    Json *monitor, *rules, *output;        /* read by the floors above; NULL where absent */
} Config;

/* Reads a config and builds all of it. `sets` are "key=value" assignments. All mistakes found are reported together. */
Config *config_read(Arena *arena, const char *path, const char *const sets[], int count, Error *err);

/* The JSON of a config: model and data inlined, assignments made, nothing checked yet. */
Json *config_read_json(Arena *arena, const char *path, const char *const sets[], int count, Error *err);

/* Checks that JSON and builds all of it. `data` (borrowed) takes the place of what its `data` would read; NULL: it is read. */
Config *config_build(Arena *arena, Json *json, const char *path, const DataSplit *data, Error *err);

/* The state of all optimizers, as optimizer_state() gives it, in one list. */
Parameter **config_optimizer_state(const Config *config, int *count, Arena *arena);
/* Bytes of the state of all optimizers. */
size_t config_optimizer_bytes(const Config *config);

/* Micro-batches of an epoch, and the number of samples in micro-batch `index` of it. */
int64_t config_micro_batches(const Config *config);
int64_t config_micro_size(const Config *config, int64_t index);

#endif
