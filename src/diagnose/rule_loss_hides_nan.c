/* A log that looks calm because it leaves its NaN out. */
#include <math.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"
#include "monitor/run_line.h"

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    if (!record || !record->nonfinite_norms || record->scaler.events)
        return;
    const RecordSeries after = series_between(record_scalar(record, RECORD_LOSS), record->first_nonfinite_norm, INT64_MAX);
    if (after.count < 2 || series_finite(after) < after.count)
        return;
    double low = series_minimum(after), high = series_maximum(after);
    if (low != high && !(series_last(after) == 0))
        return;
    finding_add(out, record->first_nonfinite_norm, record->last_step, (double)record->nonfinite_norms, 0,
                "the gradient's norm is not finite from step %lld on, but the logged loss is %s",
                (long long)record->first_nonfinite_norm, high == 0 || series_last(after) == 0 ? "0" : "exactly constant");
}

const Rule rule_loss_hides_nan = {
    .name = "loss-hides-nan",
    .severity = SEVERITY_ERROR,
    .group = GROUP_NUMERICS,
    .stage = STAGE_LIVE,
    .summary = "the logged loss is 0 or flat although the gradients are NaN",
    .definition = "from the first norm of the gradient that is not finite on, every logged loss is finite and either all are "
                  "equal or the "
                  "last is exactly 0",
    .consequence = "the weights are lost, and the curve does not show it",
    .remedy = "switch the logger's NaN filter off (Hugging Face: logging_nan_inf_filter=False), and look for the first NaN "
              "before this "
              "step",
    .source = "Hugging Face TrainingArguments, logging_nan_inf_filter",
    .false_alarms = "none known",
    .explains = {"stuck-at-chance", "plateau", "nonfinite-backward", "update-ratio-low", "nonfinite-parameter"},
    .check = check,
};
