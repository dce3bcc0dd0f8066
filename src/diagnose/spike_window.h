/* Finds the steps whose value stands out of the ones before it, as they pass. */
#ifndef GRADTOOL_DIAGNOSE_SPIKE_WINDOW_H
#define GRADTOOL_DIAGNOSE_SPIKE_WINDOW_H

#include "diagnose/record.h"

/* The last values in log10, in the order they came and sorted. */
typedef struct SpikeWindow {
    int size, minimum; /* at most RECORD_WINDOW; so many must be there before anything stands out */
    int count, oldest;
    double arrived[RECORD_WINDOW], sorted[RECORD_WINDOW];
} SpikeWindow;

SpikeWindow spike_window_new(int size, int minimum);
/* Compares the value with the window, counts it in `spikes` when its robust z is above 6, and lets it into the window. A value
 * that is not finite or not positive is passed over. */
void spike_window_add(SpikeWindow *window, RecordSpikes *spikes, int64_t step, double value);

#endif
