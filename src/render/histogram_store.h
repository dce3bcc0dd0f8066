/* The histograms of a run, thinned as they come: of each name about two dozen over all steps are kept, and the last one. */
#ifndef GRADTOOL_RENDER_HISTOGRAM_STORE_H
#define GRADTOOL_RENDER_HISTOGRAM_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "monitor/run_reader.h"

enum { HISTOGRAM_SLOTS = 24 };

typedef struct StoredHistogram {
    int64_t step;
    int first, count, capacity;
    double *counts; /* of floor(log2(abs(value))) == first + i */
    double total;   /* sum of the counts */
    double zeros;   /* fraction of all values that are exactly zero */
} StoredHistogram;

typedef struct HistogramList {
    const char *of, *name;
    int64_t seen, every;
    int count;
    StoredHistogram slots[HISTOGRAM_SLOTS];
    StoredHistogram last;
} HistogramList;

typedef struct HistogramStore {
    Arena *arena;
    HistogramList **lists;
    int count, capacity, next;
} HistogramStore;

void histogram_store_add(HistogramStore *store, int64_t step, const RunHistogram *histogram);
/* Up to `most` of a list, evenly spread over its steps, oldest first, the last one included. Returns their number. */
int histogram_list_choose(const HistogramList *list, const StoredHistogram *chosen[], int most);

#endif
