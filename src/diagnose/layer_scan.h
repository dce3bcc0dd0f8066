/* One layer seen from inside over several batches: its output and the loss's gradient with respect to it, unit by unit. */
#ifndef GRADTOOL_DIAGNOSE_LAYER_SCAN_H
#define GRADTOOL_DIAGNOSE_LAYER_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "nn/model.h"
#include "tensor/statistics.h"

typedef struct LayerScan {
    size_t units, inner, size; /* of one sample: units, numbers side by side that belong to one, all numbers */
    Statistics output, gradient;
    bool has_gradient, is_relu;
    bool *alive;      /* [units], of a relu: was it ever something else than 0? */
    double low, high; /* activations beyond either are saturated; low > high: the type has no bounds */
    uint64_t saturated;
    double *mean;               /* [size], of the batch at hand */
    double *deviation, degrees; /* [units], sums of squared deviations from the mean over samples; their degrees of freedom */
} LayerScan;

/* Takes all memory that the scan needs. */
void layer_scan_begin(LayerScan *scan, const Layer *layer, Arena *arena);
/* A batch of outputs [samples, output] and gradients of the same shape, which may be NULL. */
void layer_scan_add(LayerScan *scan, const float *output, const float *gradient, size_t samples);

/* Share of units that were 0 throughout; NaN where zeros do not mean that nothing is learned: only relu and a recurrent layer
 * of it have it. */
double layer_scan_dead(const LayerScan *scan);
/* Share of activations within 1 % of half the range of a bound of tanh, hardtanh, sigmoid, or of a recurrent layer of tanh; NaN
 * of other types. */
double layer_scan_saturated(const LayerScan *scan);
/* How much the output depends on the sample: the median over units of the deviation over the samples of a batch, position by
 * position, over the rms of the layer's output. 0 where all are 0, NaN where no batch had two samples. Reorders
 * scan->deviation.
 */
double layer_scan_unit_deviation(LayerScan *scan);

#endif
