/* Deep and narrow: gradients differ by orders of magnitude from seed to seed. */
#include <math.h>

#include "diagnose/judge.h"

static void check(const RuleInput *in, Findings *out)
{
    const Prediction *prediction = in->evidence->prediction;
    if (!prediction || !(prediction->beta > in->limit[0]))
        return;
    Finding *finding = finding_add(out, 0, 0, prediction->beta, in->limit[0],
                                   "the hidden widths give beta = %.2f (sum of 1 / width): over seeds the norm of the gradient "
                                   "varies by a factor of %.2g (one deviation)",
                                   prediction->beta, exp(0.5 * sqrt(prediction->log_variance)));
    finding->blame = "model";
    bool is_predicted = prediction->is_supported && !(prediction->flow_ratio > 1e-2 && prediction->flow_ratio < 1e2);
    if (prediction->beta > in->limit[1] && !is_predicted)
        finding->severity = SEVERITY_WARNING;
}

const Rule rule_seed_variance_risk = {
    .name = "seed-variance-risk",
    .severity = SEVERITY_INFO,
    .group = GROUP_FLOW,
    .stage = STAGE_STATIC,
    .summary = "the net is so deep and narrow that gradients depend on the seed",
    .definition = "beta = sum of 1 / width over the hidden layers outside of residual branches, the output layer left out; the "
                  "variance over initialisations of ln |J u|^2 is "
                  "about 5 beta",
    .consequence = "some seeds learn and others do not",
    .remedy = "wider or fewer layers, residual connections",
    .source = "Hanin 2018, theorem 1; Hanin & Nica 2020",
    .false_alarms = "norm layers damp the fluctuation",
    .limit = {{"beta", 0.25, "sum of 1 / width"},
              {"warn", 1, "from which on it is a warning, unless the mean flow is bad in itself"}},
    .explains = {"vanishing-gradient", "exploding-gradient", "dead-units", "stuck-at-chance", "plateau", "cannot-overfit-batch",
                 "born-dead-risk", "activation-scale", "wrong-initial-loss", "update-ratio-low"},
    .check = check,
};
