#include "diagnose/spike_window.h"

#include <math.h>
#include <string.h>

#include "diagnose/robust.h"

static const double SPIKE_Z = 6;

SpikeWindow spike_window_new(int size, int minimum)
{
    return (SpikeWindow){.size = size, .minimum = minimum};
}

/* The first place in the sorted window whose value is not below this one. */
static int place_of(const SpikeWindow *window, double value)
{
    int low = 0, high = window->count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (window->sorted[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void let_in(SpikeWindow *window, double value)
{
    double *sorted = window->sorted;
    if (window->count == window->size) {
        int gone = place_of(window, window->arrived[window->oldest]);
        window->count--;
        memmove(sorted + gone, sorted + gone + 1, (size_t)(window->count - gone) * sizeof *sorted);
    }
    int place = place_of(window, value);
    memmove(sorted + place + 1, sorted + place, (size_t)(window->count - place) * sizeof *sorted);
    sorted[place] = value;
    window->count++;
    window->arrived[window->oldest] = value;
    window->oldest = (window->oldest + 1) % window->size;
}

static void count_spike(RecordSpikes *spikes, int64_t step, double ratio)
{
    if (spikes->count == 0)
        spikes->first_step = step;
    if (spikes->count < RECORD_SPIKES) {
        spikes->step[spikes->count] = step;
        spikes->ratio[spikes->count] = ratio;
    }
    spikes->count++;
    spikes->last_step = step;
    if (ratio > spikes->largest_ratio)
        spikes->largest_ratio = ratio;
}

void spike_window_add(SpikeWindow *window, RecordSpikes *spikes, int64_t step, double value)
{
    if (!isfinite(value) || !(value > 0))
        return;
    double logarithm = log10(value);
    if (window->count >= window->minimum && robust_z_sorted(logarithm, window->sorted, window->count) > SPIKE_Z) {
        double median = (window->sorted[(window->count - 1) / 2] + window->sorted[window->count / 2]) / 2;
        count_spike(spikes, step, pow(10, logarithm - median));
    }
    let_in(window, logarithm);
}
