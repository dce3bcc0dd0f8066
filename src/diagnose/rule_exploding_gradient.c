/* The gradient grows on its way to the first layers. */
#include "diagnose/flow.h"
#include "diagnose/judge.h"

static void check(const RuleInput *in, Findings *out)
{
    if (!in->evidence->record)
        return;
    const Flow *flow = flow_over_depth(in, judge_gate(in));
    if (flow && !flow->by_weights)
        flow_report(in, out, flow, in->limit[0], in->limit[1], false);
    flow_report_time(in, out, in->limit[0], in->limit[1], false);
}

const Rule rule_exploding_gradient = {
    .name = "exploding-gradient",
    .severity = SEVERITY_ERROR,
    .group = GROUP_FLOW,
    .stage = STAGE_LIVE,
    .summary = "the gradient grows over depth from the last layer to the first",
    .definition = "R as in vanishing-gradient, above `error` (above `warn`: a warning)",
    .consequence = "one learning rate cannot fit both ends: the first layers jump, and sooner or later the loss does",
    .remedy = "a smaller gain of the initial weights, norm layers with residual connections; clipping as a stop-gap",
    .source = "Pascanu et al. 2013, section 2; Yang et al. 2019 (batch norm without skips: 1.21 a layer); Philipp et al. 2018",
    .false_alarms = "plain deep nets with batch norm and no skips reach 300 at 30 layers and train: a warning",
    .limit = {{"warn", 1e2, "R above which it is a warning"}, {"error", 1e3, "R above which it is an error"}},
    .explains = {"loss-divergence", "nonfinite-forward", "nonfinite-backward", "nonfinite-parameter", "wrong-initial-loss",
                 "activation-scale", "update-ratio-high", "loss-oscillation", "gradient-spikes", "loss-spike", "clip-saturated",
                 "gradient-norm-growth", "stuck-at-chance", "plateau", "clip-one-layer", "dead-units"},
    .check = check,
};
