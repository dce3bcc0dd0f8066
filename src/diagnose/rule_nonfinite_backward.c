/* The loss was finite, a gradient was not. */
#include "diagnose/judge.h"
#include "diagnose/rule_nonfinite.h"

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    if (!record)
        return;
    if (nonfinite_is_of(record, "backward")) {
        nonfinite_report(in, out);
        return;
    }
    int64_t first = record->first_nonfinite_norm, step;
    if (record->nonfinite.step || !record->nonfinite_norms || nonfinite_scaled(record))
        return;
    if (record->nonfinite_losses && record->first_nonfinite_loss <= first)
        return; /* the loss was first, or at once */
    Finding *finding =
        finding_add(out, first, record->last_step, (double)record->nonfinite_norms, 0,
                    "the gradient's norm is not finite from step %lld on while the loss is finite", (long long)first);
    const char *name = nonfinite_first_layer(record, true, &step);
    if (name) {
        finding_add_layer(out, finding, name);
        finding->message = arena_printf(in->arena, "%s; first at %s", finding->message, name);
    }
    nonfinite_advise(in, out, finding);
}

const Rule rule_nonfinite_backward = {
    .name = "nonfinite-backward",
    .severity = SEVERITY_ERROR,
    .group = GROUP_NUMERICS,
    .stage = STAGE_LIVE,
    .summary = "the loss is finite, but the backward pass made a NaN or an infinity",
    .definition =
        "the first operation of the backward pass whose result is not finite while its inputs are, in a step whose loss "
        "is finite. From the log's nonfinite event; without one, from the first norm that is not finite",
    .consequence = "one update with it destroys all weights; clipping cannot help: a NaN times a coefficient is a NaN",
    .remedy = "0 * infinity comes from a derivative at a kink: eps inside of sqrt and norm, and where() around the argument, "
              "not only "
              "around the result",
    .source = "PyTorch issues 2421, 16317, 18287, 52248",
    .false_alarms = "steps that the gradient scaler skips are left out",
    .explains = {"nonfinite-forward", "nonfinite-parameter", "loss-hides-nan", "stuck-at-chance", "plateau", "no-gradient-path",
                 "dead-units", "update-ratio-low", "params-unchanged", "cannot-overfit-batch"},
    .check = check,
};
