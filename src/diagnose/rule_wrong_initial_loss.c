/* The first loss is not that of knowing nothing. */
#include <math.h>
#include <string.h>

#include "diagnose/judge.h"

static void check(const RuleInput *in, Findings *out)
{
    const Config *config = in->evidence->config;
    const Probe *probe = in->evidence->initial;
    double high, chance = judge_chance_loss(in, &high), loss;
    if (!config || config->weights || !isfinite(chance) || !probe || probe->samples < (int64_t)in->limit[2])
        return;
    loss = probe->loss;
    const char *type = loss_name(config->loss);
    bool is_numbers = !strcmp(type, "mse");
    double upper = is_numbers ? in->limit[3] * (chance > high ? chance : high) : in->limit[0] * high;
    double lower = is_numbers ? 0 : in->limit[1] * chance;
    if (!isfinite(loss) || (loss <= upper && loss >= lower))
        return;
    Finding *finding =
        finding_add(out, 0, 0, loss, loss > upper ? upper : lower, "the loss with fresh weights is %.3g; %s is %.3g", loss,
                    is_numbers ? "the variance of the targets" : "chance level", is_numbers ? chance : high);
    finding->blame = loss > upper ? "model" : "data";
    const char *output = judge_output_path(in);
    if (loss > upper && output)
        judge_change(in, out, finding, arena_printf(in->arena, "%s.init", output), "\"default\"");
    if (loss < lower)
        finding->remedy = "look for the target among the inputs";
}

const Rule rule_wrong_initial_loss = {
    .name = "wrong-initial-loss",
    .severity = SEVERITY_WARNING,
    .group = GROUP_INITIALISATION,
    .stage = STAGE_PREFLIGHT,
    .summary = "the first loss is not that of knowing nothing",
    .definition =
        "the loss with fresh weights over at least `samples` training samples: for cross_entropy above `high` ln(classes) or "
        "below `low` times the entropy of the class prior (bce_with_logits: of two classes); for mse above "
        "`regression` times the mean square of the targets",
    .consequence =
        "the first steps are spent on making the outputs small again, with gradients that are wrong by the same factor",
    .remedy = "smaller initial weights of the output layer (about 1 / fan_in), normalised inputs; a loss below chance: look "
              "for the target among the inputs",
    .source = "Karpathy 2019, A recipe for training neural networks; CS231n (2.302 for 10 classes)",
    .false_alarms = "pre-trained weights are left out; an unequal prior has the band between its entropy and ln(classes)",
    .limit = {{"high", 2, "times ln(classes)"},
              {"low", 0.7, "times the entropy of the prior"},
              {"samples", 64, "that are needed"},
              {"regression", 4, "times the mean square of the targets"}},
    .explains = {"gradient-spikes", "loss-spike"},
    .check = check,
};
