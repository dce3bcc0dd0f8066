/* Gradient flow over depth, and over the steps of a recurrent layer: how the gradient of the first hidden layer's output
 * compares with that of the last one, at each observation of the run. */
#ifndef GRADTOOL_DIAGNOSE_FLOW_H
#define GRADTOOL_DIAGNOSE_FLOW_H

#include "diagnose/rule.h"

typedef struct Flow {
    bool by_weights;   /* the log has gradients of weights only: a weaker sign, see RULES of vanishing-gradient */
    const char **name; /* of layers, first to last; of parameters where by_weights */
    double *rms;       /* median over the observations, of each */
    double *zeros;     /* share of observations in which it was exactly 0 */
    int layers;
    double *ratio; /* of each observation: first over last; NaN where one of them is missing or 0 */
    int64_t *step;
    int count;
    double median;    /* of the ratios */
    double slope, r2; /* of ln rms over the layers: the factor a layer is e^slope, going forward */
    int worst;        /* the edge with the largest change: between layers worst and worst + 1 */
} Flow;

/* Over steps up to `last`. Layers that are exactly 0 at the bottom count as the smallest number where the ones above fall
 * towards them. NULL where there are fewer than two hidden layers or no gradients. */
const Flow *flow_over_depth(const RuleInput *in, int64_t last);

/* One finding of either direction, in words. */
void flow_report(const RuleInput *in, Findings *out, const Flow *flow, double warn, double error, bool vanishes);
/* The same of recurrent layers, over time. */
void flow_report_time(const RuleInput *in, Findings *out, double warn, double error, bool vanishes);

#endif
