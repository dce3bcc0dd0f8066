/* Updates as large as the weights. */
#include <math.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"

enum { WINDOW = 50 };

typedef struct Largest {
    double ratio;
    int64_t step;
} Largest;

/* The largest median over a window; weights that grow along would hide it, so updates are compared with their first norm. */
static Largest largest_median(RecordSeries ratio, RecordSeries norm)
{
    double window[WINDOW];
    Largest largest = {0};
    int size = ratio.count < 2 * WINDOW ? (ratio.count + 1) / 2 : WINDOW;
    double first = series_first(norm);
    if (!(first > 0) || size < 1)
        return largest;
    for (int at = 0; at + size <= ratio.count; at += size > 4 ? size / 4 : 1) {
        int count = 0;
        for (int i = at; i < at + size; i++) {
            double grown = i < norm.count && norm.value[i] > first ? norm.value[i] / first : 1;
            if (isfinite(ratio.value[i]))
                window[count++] = ratio.value[i] * grown;
        }
        double median = count ? median_of(window, count) : 0;
        if (median > largest.ratio)
            largest = (Largest){median, ratio.step[at]};
    }
    return largest;
}

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    Finding *finding = NULL;
    double most = 0;
    for (int i = 0; record && i < record->parameters; i++) {
        const RecordTensor *p = &record->parameter[i];
        if (p->rank < 2)
            continue; /* biases and gains are small or 0 at first; their layer's weight speaks for them */
        Largest largest =
            largest_median(record_track(record, RECORD_UPDATE_RATIO, i), record_track(record, RECORD_WEIGHT_NORM, i));
        if (largest.ratio <= in->limit[0])
            continue;
        if (!finding)
            finding = finding_add(out, largest.step, record->last_step, 0, in->limit[0], "%s", "");
        finding_add_layer(out, finding, p->name);
        finding->first_step = largest.step < finding->first_step ? largest.step : finding->first_step;
        if (largest.ratio > most) {
            most = finding->value = largest.ratio;
            finding->message = arena_printf(
                in->arena,
                "an update changes %s by %.2g of its first norm (median over a window from step %lld); about 0.001 is usual",
                p->name, most, (long long)largest.step);
        }
    }
    if (!finding)
        return;
    bool is_grave = most > in->limit[1];
    finding->threshold = is_grave ? in->limit[1] : in->limit[0];
    finding->severity = is_grave ? judge_severity(in, SEVERITY_ERROR) : SEVERITY_WARNING;
    finding->blame = "optimizer.lr";
    finding->remedy = arena_printf(in->arena, "a learning rate smaller by %.2g, which brings the ratio to 0.01", most / 0.01);
    judge_change_rate(in, out, finding, 0.01 / most);
}

const Rule rule_update_ratio_high = {
    .name = "update-ratio-high",
    .severity = SEVERITY_WARNING,
    .group = GROUP_OPTIMIZER,
    .stage = STAGE_LIVE,
    .summary = "updates are as large as the weights",
    .definition = "norm of the update over norm of the weights before it (over their first norm, where they have grown), of "
                  "tensors of rank 2 and more that did not begin at 0: the largest median over a window of 50 "
                  "observations (half of a shorter run) above `warn`, an error above `error`",
    .consequence = "each step overwrites what the one before has learned; units die, the loss jumps",
    .remedy = "a smaller learning rate",
    .source = "Karpathy, CS231n, Neural networks part 3 (about 1e-3); TheDeepChecker (0.1)",
    .false_alarms = "tensors that begin at 0 are left out; a run that learned gives a warning",
    .limit = {{"warn", 0.1, "update over weights"}, {"error", 1, "update over weights, for an error"}},
    .explains = {"loss-divergence", "nonfinite-forward", "nonfinite-backward", "nonfinite-parameter", "gradient-norm-growth",
                 "loss-oscillation", "loss-spike", "gradient-spikes", "dead-units", "saturated-units", "weight-growth",
                 "stuck-at-chance", "plateau", "exploding-gradient", "vanishing-gradient", "activation-scale"},
    .check = check,
};
