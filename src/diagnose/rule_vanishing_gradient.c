/* The gradient does not reach the first layers. */
#include "diagnose/flow.h"
#include "diagnose/judge.h"

static void check(const RuleInput *in, Findings *out)
{
    if (!in->evidence->record)
        return;
    const Flow *flow = flow_over_depth(in, judge_gate(in));
    if (flow)
        flow_report(in, out, flow, in->limit[0], in->limit[1], true);
    flow_report_time(in, out, in->limit[0], in->limit[1], true);
}

const Rule rule_vanishing_gradient = {
    .name = "vanishing-gradient",
    .severity = SEVERITY_ERROR,
    .group = GROUP_FLOW,
    .stage = STAGE_LIVE,
    .summary = "the gradient falls over depth and does not reach the first layers",
    .definition = "R = rms of dL/d(output) of the first layer with weights over that of the last hidden one, at each "
                  "observation up to the convergence gate; "
                  "the median of R, or R to the end of the run, is below `error` (below `warn`: a warning). Of residual blocks "
                  "only the last layer of a branch counts. Of recurrent "
                  "layers, dL/d(gates) at the first position over the last, unless the loss fell by half. In logs that have "
                  "gradients of weights alone, their norms stand "
                  "in: they stay flat where growing inputs meet falling gradients (Glorot & Bengio 2010, section 4.2.2)",
    .consequence = "the first layers keep their random weights, and the layers above learn from noise",
    .remedy = "He initialisation for relu, Glorot for tanh; norm layers or residual connections",
    .source = "Glorot & Bengio 2010, section 4.2; He et al. 2015, section 2.2; Schoenholz et al. 2017; Pascanu et al. 2013",
    .false_alarms = "very deep pre-norm nets sit near 1e-2 and train: a run that learned gives a warning",
    .limit = {{"warn", 1e-2, "R below which it is a warning"}, {"error", 1e-3, "R below which it is an error"}},
    .explains = {"stuck-at-chance", "plateau", "cannot-overfit-batch", "update-ratio-low", "activation-scale",
                 "no-gradient-path", "seed-variance-risk", "clip-one-layer"},
    .check = check,
};
