/* A run folder's log, event by event, in memory that does not grow with its length.
 *
 *     RunReader *reader = run_reader_open(arena, folder, err);
 *     RunEvent event;
 *     while (reader && run_reader_next(reader, &event, err) && event.kind != RUN_EVENT_NONE)
 *         ...
 *
 * Blank lines are passed over. A last line that was torn, because its writer was stopped or is still at it, is a normal end;
 * any other line that is no JSON object is an error with its number. */
#ifndef GRADTOOL_MONITOR_RUN_READER_H
#define GRADTOOL_MONITOR_RUN_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "monitor/run_line.h"

typedef struct RunParameter {
    const char *name;
    const char *layer; /* the layer that owns it; "" when the log does not say */
    int rank;
    const int64_t *shape;
    int64_t elements;
} RunParameter;

typedef struct RunLayer {
    const char *name, *type;
    int64_t channels; /* of its output: features of the last axis, channels of images; 0 when the log does not say */
} RunLayer;

/* What the `run` event says. Texts that it leaves out are "", numbers 0. */
typedef struct RunHeader {
    const char *folder;
    const char *name, *version, *loss;
    int64_t seed, steps;
    const RunParameter *parameters;
    const RunLayer *layers;
    int parameter_count, layer_count;
} RunHeader;

typedef enum RunEventKind {
    RUN_EVENT_NONE, /* the end of the log so far */
    RUN_EVENT_STEP,
    RUN_EVENT_ARRAYS, /* gradients, activations, activation_gradients, updates, and any other with an array of numbers */
    RUN_EVENT_HISTOGRAM,
    RUN_EVENT_ACCUMULATE,
    RUN_EVENT_CLIP,
    RUN_EVENT_PENALTY,
    RUN_EVENT_SCALER,
    RUN_EVENT_HOOK,
    RUN_EVENT_NONFINITE,
    RUN_EVENT_EVAL,
    RUN_EVENT_CHECKPOINT,
    RUN_EVENT_FINDING,
    RUN_EVENT_END,
    RUN_EVENT_OTHER
} RunEventKind;

/* Everything in it is valid until the next call of run_reader_next. */
typedef struct RunEvent {
    RunEventKind kind;
    const char *name; /* the value of "event" */
    int64_t step;     /* -1 when it has none */
    long line;        /* in log.jsonl, from 1 */
    const RunField *fields;
    int field_count;
} RunEvent;

typedef struct RunReader RunReader;

/* Opens FOLDER/log.jsonl and reads up to the `run` event. NULL and an error when it is no folder, has no log, or the log does
 * not begin with its `run` event. The file is closed with the arena. */
RunReader *run_reader_open(Arena *arena, const char *folder, Error *err);
const RunHeader *run_reader_header(const RunReader *reader);

/* The next event; of kind RUN_EVENT_NONE at the end. Asked again after the end, it delivers what was appended since. False
 * with an error for a line that is no JSON object, has no "event", or has an array that does not fit the run's parameters
 * (gradients, updates) or layers (activations, activation_gradients), and when the file cannot be read. */
bool run_reader_next(RunReader *reader, RunEvent *event, Error *err);
/* Bytes of the log taken so far. */
int64_t run_reader_bytes(const RunReader *reader);

/* A field by its key: NULL, run_missing() or NULL when the event has none of that kind. A boolean is the number 0 or 1. */
const RunField *run_event_field(const RunEvent *event, const char *key);
double run_event_number(const RunEvent *event, const char *key);
const char *run_event_string(const RunEvent *event, const char *key);
const double *run_event_numbers(const RunEvent *event, const char *key, int *count);

/* The fields of a `step` event; run_missing() for a number that is not there. */
typedef struct RunStep {
    int64_t step;
    double epoch, loss, lr, grad_norm, clipped_norm, scale, samples, seconds;
    bool skipped;
} RunStep;

RunStep run_event_step(const RunEvent *event);

/* The fields of a `histogram` event: counts[i] values have floor(log2(abs(value))) == first + i. */
typedef struct RunHistogram {
    const char *of, *name; /* "" when absent */
    double zeros;          /* as written: a count, or a fraction of all values */
    double nonfinite;      /* a count; 0 when absent */
    int first, count;
    const double *counts;
} RunHistogram;

RunHistogram run_event_histogram(const RunEvent *event);
/* How many values are exactly zero. A fraction is of all values; one of 1 with nothing else counted is taken for one value. */
double run_histogram_zeros(const RunHistogram *histogram);

#endif
