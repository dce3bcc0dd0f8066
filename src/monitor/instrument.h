/* What an instrument is made of; for the files instrument_*.c.
 *
 * An instrument sees values through taps while the plan runs, or gradients and updates one weight at a time, and adds its event
 * to the log when the step is done. It takes its memory when it is made and when graphs are attached, never in a step. */
#ifndef GRADTOOL_MONITOR_INSTRUMENT_H
#define GRADTOOL_MONITOR_INSTRUMENT_H

#include "monitor/run_log.h"
#include "nn/model.h"
#include "tensor/statistics.h"
#include "train/observer.h"

typedef struct InstrumentSetup {
    Arena *arena;
    const Model *model;
    Variant variant;
    int64_t histogram_every;
} InstrumentSetup;

typedef struct Instrument {
    const char *name;
    const char *help;
    const char *cost;
    bool is_default;
    bool (*suits)(const Model *model); /* NULL, or whether this default one is of use for the model */
    bool wants_leaf_gradients, wants_updates;
    void *(*make)(const InstrumentSetup *setup);
    /* Each of these may be NULL. */
    bool (*is_due)(const void *state, int64_t step); /* NULL: in every measured step */
    void (*attach)(void *state, const TrainGraph *graph);
    void (*begin)(void *state);                        /* a measured step */
    void (*ran)(void *state, const TrainGraph *graph); /* one of its micro-batches */
    void (*gradient)(void *state, int index, const float *values, size_t count, const Statistics *statistics);
    bool wants_statistics;                                                       /* of gradients: they are taken once for all */
    void (*updated)(void *state, int index, const UpdateStatistics *statistics); /* NULL statistics: not updated */
    void (*write)(void *state, int64_t step, RunLog *log);
} Instrument;

extern const Instrument *const instrument_table[];
extern const int instrument_count;

/* Writes the seven arrays of a statistics event; `present[i]` false gives null. */
void instrument_write_statistics(RunLog *log, const Statistics statistics[], const bool present[], int count);

#endif
