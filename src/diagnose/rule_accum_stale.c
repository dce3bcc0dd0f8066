/* Gradients that are never reset. */
#include <math.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"

/* A sum of similar gradients grows by one of them in each step: the norm is a line through the origin. */
static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    if (!record || record->clip.events)
        return;
    RecordSeries norm = record_scalar(record, RECORD_GRAD_NORM);
    if (series_finite(norm) < norm.count)
        norm = series_between(norm, 0, record->first_nonfinite_norm - 1);
    norm = series_head(norm, 200);
    if (norm.count < (int)in->limit[1])
        return;
    int rising = 0;
    for (int i = 1; i < norm.count; i++)
        rising += norm.value[i] > norm.value[i - 1];
    double growth = norm.value[norm.count - 1] / norm.value[0];
    const LineFit fit = line_fit(norm.value, norm.count);
    /* One gradient a step: the slope is about the first norm, for as long as the gradient points the same way. */
    double per_step = fit.slope / norm.value[0];
    if (fit.r2 < in->limit[0] || rising < 0.95 * (norm.count - 1) || growth < 5 || per_step < 0.2 || per_step > 1.5)
        return;
    finding_add(out, norm.step[0], norm.step[norm.count - 1], fit.r2, in->limit[0],
                "the norm of the gradient grows by %.2g in each step, %.0f %% of the first norm, in a straight line (R^2 "
                "%.3f): gradients of earlier steps are still in the sum",
                fit.slope, 100 * per_step, fit.r2);
}

const Rule rule_accum_stale = {
    .name = "accum-stale",
    .severity = SEVERITY_WARNING,
    .group = GROUP_GRADIENT_HANDLING,
    .stage = STAGE_LIVE,
    .summary = "gradients seem never to be reset",
    .definition = "over the first 200 steps (at least `steps`) the norm of the gradient is a straight line (R^2 above `fit`), "
                  "rises in 95 % of the steps, by 0.2 to 1.5 of the first norm a step, to more than 5 times it; "
                  "not where steps were clipped",
    .consequence = "each update repeats all earlier ones; the run diverges",
    .remedy = "zero the gradients before each group of micro-batches (PyTorch: optimizer.zero_grad())",
    .source = "PyTorch issue 47175",
    .false_alarms = "accumulation over the whole run, on purpose",
    .limit = {{"fit", 0.98, "R^2 of the line"}, {"steps", 15, "that are needed"}},
    .explains = {"gradient-norm-growth", "loss-divergence", "nonfinite-forward", "nonfinite-backward", "update-ratio-high",
                 "weight-growth", "plateau", "loss-oscillation"},
    .check = check,
};
