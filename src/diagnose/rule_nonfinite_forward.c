/* The first value that is not finite was made on the way to the loss. */
#include <math.h>

#include "diagnose/judge.h"
#include "diagnose/rule_nonfinite.h"

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    if (!record)
        return;
    if (nonfinite_is_of(record, "forward")) {
        nonfinite_report(in, out);
        return;
    }
    if (record->nonfinite.step || !record->nonfinite_losses || nonfinite_scaled(record))
        return;
    if (record->first_nonfinite_norm && record->first_nonfinite_norm < record->first_nonfinite_loss)
        return; /* the gradient was first */
    Finding *finding = finding_add(out, record->first_nonfinite_loss, record->last_step, (double)record->nonfinite_losses, 0,
                                   "the loss is not finite from step %lld on", (long long)record->first_nonfinite_loss);
    int64_t first = 0;
    const char *layer = nonfinite_first_layer(record, false, &first);
    if (layer) {
        finding_add_layer(out, finding, layer);
        finding->message =
            arena_printf(in->arena, "%s; the first layer whose output is not finite is %s", finding->message, layer);
    }
    nonfinite_advise(in, out, finding);
}

const Rule rule_nonfinite_forward = {
    .name = "nonfinite-forward",
    .severity = SEVERITY_ERROR,
    .group = GROUP_NUMERICS,
    .stage = STAGE_LIVE,
    .summary = "an operation of the forward pass made a NaN or an infinity",
    .definition = "the first operation in execution order whose output is not finite while all its inputs are; one element "
                  "suffices. From the log's nonfinite event; without one, from the first loss that is not finite",
    .consequence = "every value that depends on it is lost, and one update with it destroys all weights",
    .remedy =
        "keep the operation in its range: log(x + eps), a division by max(x, eps), softmax from log_softmax; where weights "
        "grew before, a smaller learning rate",
    .source = "PyTorch pull request 182114; JAX debug_nans; Hugging Face debug_utils",
    .false_alarms = "masks of -infinity that lead to a softmax are left out; steps that the gradient scaler skips are too",
    .explains = {"nonfinite-backward", "nonfinite-parameter", "loss-hides-nan", "stuck-at-chance", "plateau",
                 "no-gradient-path", "dead-units", "update-ratio-low", "params-unchanged", "cannot-overfit-batch"},
    .check = check,
};
