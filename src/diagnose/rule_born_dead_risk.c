/* So narrow that a layer may be dead from the start. */
#include "diagnose/judge.h"

static void check(const RuleInput *in, Findings *out)
{
    const Prediction *prediction = in->evidence->prediction;
    if (!prediction || !(prediction->born_dead > in->limit[0]))
        return;
    Finding *finding =
        finding_add(out, 0, 0, prediction->born_dead, in->limit[0],
                    "with probability %.2g some layer has no living unit before the first step", prediction->born_dead);
    int narrowest = -1;
    for (int i = 0; i < prediction->layers; i++)
        if (prediction->layer[i].born_dead > 0 &&
            (narrowest < 0 || prediction->layer[i].born_dead > prediction->layer[narrowest].born_dead))
            narrowest = i;
    if (narrowest >= 0) {
        finding_add_layer(out, finding, prediction->layer[narrowest].name);
        finding->blame = judge_layer_path(in, prediction->layer[narrowest].name);
    }
}

const Rule rule_born_dead_risk = {
    .name = "born-dead-risk",
    .severity = SEVERITY_INFO,
    .group = GROUP_ACTIVATIONS,
    .stage = STAGE_STATIC,
    .summary = "a relu layer is so narrow that it may be dead from the start",
    .definition = "1 - prod(1 - 2^-width) over the relu layers outside of residual blocks, with biases of 0",
    .consequence = "with such a seed the net is a constant",
    .remedy = "widen the narrowest layer, or leaky_relu",
    .source = "Lu et al. 2019, theorem 3; Rister & Rubin 2020",
    .false_alarms = "biases above 0 make it less likely",
    .limit = {{"probability", 0.01, "that a layer is born dead"}},
    .check = check,
};
