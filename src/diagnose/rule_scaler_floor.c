/* The loss scale fell to 1: the format cannot hold the gradients. */
#include "diagnose/judge.h"

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    if (!record || !record->scaler.events || !record->scaler.first_floor || !record->scaler.skips)
        return;
    Finding *finding =
        finding_add(out, record->scaler.first_floor, record->last_step, record->scaler.lowest_scale, in->limit[0],
                    "the loss scale fell to %.3g at step %lld, after %lld skipped steps", record->scaler.lowest_scale,
                    (long long)record->scaler.first_floor, (long long)record->scaler.skips);
    finding->blame = "precision";
    judge_change(in, out, finding, "precision.type", "\"bfloat16\"");
}

const Rule rule_scaler_floor = {
    .name = "scaler-floor",
    .severity = SEVERITY_ERROR,
    .group = GROUP_GRADIENT_HANDLING,
    .stage = STAGE_LIVE,
    .summary = "the gradient scaler's scale fell to 1 or below",
    .definition = "the scale after an update is at or below `scale`, and steps were skipped",
    .consequence = "even unscaled gradients overflow float16: all further steps may be skipped",
    .remedy = "bfloat16, or float32 for the layer that overflows; where values are NaN without any scale, look for their "
              "origin in float32 first",
    .source = "DeepSpeed, minimum loss scale",
    .false_alarms = "an init_scale of 1 without skipped steps is left out",
    .limit = {{"scale", 1, "at or below which it fires"}},
    .explains = {"scaler-skips", "plateau", "stuck-at-chance", "params-unchanged", "update-ratio-low", "loss-divergence"},
    .check = check,
};
