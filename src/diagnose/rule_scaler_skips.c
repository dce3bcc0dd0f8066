/* The gradient scaler skips more steps than its own probing explains. */
#include "diagnose/judge.h"

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    if (!record || !record->scaler.events)
        return;
    const RecordScaler *scaler = &record->scaler;
    double judged = (double)scaler->events - (double)(scaler->events > 200 ? 100 : scaler->events / 2);
    double rate = judged > 0 ? (double)scaler->skips_after_warmup / judged : 0;
    bool in_a_row = scaler->longest_skips >= (int64_t)in->limit[1];
    if ((rate <= in->limit[0] || scaler->skips_after_warmup < 3) && !in_a_row)
        return;
    Finding *finding =
        in_a_row ? finding_add(out, scaler->first_skip, scaler->last_skip, (double)scaler->longest_skips, in->limit[1],
                               "the gradient scaler skipped %lld steps in a row", (long long)scaler->longest_skips)
                 : finding_add(out, scaler->first_skip, scaler->last_skip, rate, in->limit[0],
                               "the gradient scaler skipped %.1f %% of the steps after warm-up (%lld)", 100 * rate,
                               (long long)scaler->skips_after_warmup);
    finding->blame = "precision";
    judge_change(in, out, finding, "precision.type", "\"bfloat16\"");
}

const Rule rule_scaler_skips = {
    .name = "scaler-skips",
    .severity = SEVERITY_WARNING,
    .group = GROUP_GRADIENT_HANDLING,
    .stage = STAGE_LIVE,
    .summary = "the gradient scaler skips many steps",
    .definition = "the share of skipped steps after warm-up (100 steps, half of a shorter run) above `rate` with at least 3 of "
                  "them, or `row` skipped steps in a row; probing alone skips one step in growth_interval, 0.05 %",
    .consequence = "skipped steps learn nothing, and the scale is too small for the smallest gradients",
    .remedy = "bfloat16, or find the layer whose gradient overflows: gradtool inspect RUN --precision",
    .source = "torch.amp.GradScaler; Micikevicius et al. 2018",
    .false_alarms = "a short growth_interval probes often",
    .limit = {{"rate", 0.01, "share of skipped steps"}, {"row", 10, "skipped steps in a row"}},
    .explains = {"plateau", "params-unchanged", "update-ratio-low", "stuck-at-chance"},
    .check = check,
};
