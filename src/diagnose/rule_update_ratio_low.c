/* Updates that change nothing worth the name. */
#include <math.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    Finding *finding = NULL;
    int weights = 0, low = 0;
    double *medians = record ? ARENA_ARRAY(in->arena, double, record->parameters + 1) : NULL;
    if (!record || judge_progress(in) > 0.5)
        return;
    for (int i = 0; i < record->parameters; i++) {
        const RecordTensor *p = &record->parameter[i];
        const RecordSeries ratio =
            series_between(record_track(record, RECORD_UPDATE_RATIO, i), judge_warm_up(in), judge_gate(in));
        double median = series_median(ratio);
        if (p->rank < 2 || !series_finite(ratio) || !(median > 0))
            continue;
        medians[weights++] = median;
        if (median >= in->limit[0])
            continue;
        low++;
        if (!finding)
            finding = finding_add(out, record->first_step, record->last_step, median, in->limit[0], "%s", "");
        finding_add_layer(out, finding, p->name);
    }
    if (!finding)
        return;
    double middle = median_of(medians, weights);
    finding->value = medians[0] < middle ? medians[0] : middle;
    finding->message = arena_printf(
        in->arena, "%d of %d weight tensors change by less than %.0e of their norm a step (median %.1e); about 0.001 is usual",
        low, weights, in->limit[0], middle);
    finding->blame = "optimizer.lr";
    if (low == weights) {
        finding->remedy =
            arena_printf(in->arena, "a learning rate larger by about %.0e, which brings the ratio to 0.001", 1e-3 / middle);
        judge_change_rate(in, out, finding, 1e-3 / middle);
    }
}

const Rule rule_update_ratio_low = {
    .name = "update-ratio-low",
    .severity = SEVERITY_WARNING,
    .group = GROUP_OPTIMIZER,
    .stage = STAGE_LIVE,
    .summary = "updates are too small to change anything",
    .definition = "the median, after warm-up and up to the convergence gate, of norm of the update over norm of the weights is "
                  "above 0 and below `ratio`, of a tensor of rank 2 and more; not where the loss fell by half",
    .consequence = "the weights stay where they are for the length of the run",
    .remedy =
        "a larger learning rate; look at clipping, gradient flow and frozen groups first where only some layers are meant",
    .source = "Karpathy, CS231n; SageMaker Debugger WeightUpdateRatio (1e-8)",
    .false_alarms = "fine-tuning with a tiny learning rate on purpose",
    .limit = {{"ratio", 1e-6, "update over weights"}},
    .explains = {"stuck-at-chance", "plateau", "cannot-overfit-batch"},
    .check = check,
};
