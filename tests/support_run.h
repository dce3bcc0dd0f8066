/* Training in a test: a config by its path, into a run folder below a temporary one. */
#ifndef GRADTOOL_TESTS_SUPPORT_RUN_H
#define GRADTOOL_TESTS_SUPPORT_RUN_H

#include "base/file.h"
#include "monitor/monitor.h"
#include "monitor/run_reader.h"
#include "train/trainer.h"

/* What one test has: memory, and a folder of its own that is removed with it. */
typedef struct Bench {
    Arena *arena;
    Error *err;
    char folder[64];
} Bench;

/* cmocka's setup and teardown: *state is a Bench. */
int bench_set_up(void **state);
int bench_tear_down(void **state);

/* Config keys to set, "key=value"; ends with NULL. */
#define SETS(...) ((const char *const[]){__VA_ARGS__, NULL})

typedef struct Training {
    Config *config;
    Monitor *monitor;
    Trainer *trainer;
    const char *folder; /* of the run */
} Training;

/* Everything up to the first step. `name` is the run's folder inside the bench's; `sets` may be NULL. Fails the test on an
 * error. */
Training training_start(Bench *bench, const char *config, const char *const *sets, int threads, const char *name);
/* Goes on with the run of that name, up to its next step; without `config`, with its own. */
Training training_resume(Bench *bench, const char *config, const char *const *sets, int threads, const char *name,
                         Resumption *resumption);
/* To the end, with the end event and the weights written. Fails the test unless the run ends with `expected`. */
void training_finish(Bench *bench, Training *training, TrainStatus expected);
/* Both. */
Training training_run(Bench *bench, const char *config, const char *const *sets, int threads, const char *name);

/* The run's whole log, with the seconds, which differ each time, left out. */
const char *training_log(Bench *bench, const Training *training);
/* The events of one kind, a line each. */
const char *training_events(Bench *bench, const Training *training, const char *kind);
/* Fails unless both runs have the same log and the same weights at the end, bit for bit. */
void assert_same_run(Bench *bench, const Training *a, const Training *b);
/* Fails unless both logs have the same events of one kind. */
void assert_same_events(Bench *bench, const Training *a, const Training *b, const char *kind);

/* Copies of all values of the model's state (buffers too), one after another. */
float *training_state(Bench *bench, const Training *training, size_t *count);

/* The last number that events of `kind` hold under `key`. */
double training_last(Bench *bench, const Training *training, RunEventKind kind, const char *key);

/* A file in the bench's folder. */
const char *bench_file(Bench *bench, const char *name, const char *content);

#endif
