/* Not even one small batch is learned by heart. */
#include <math.h>

#include "diagnose/judge.h"

static void check(const RuleInput *in, Findings *out)
{
    const OverfitTrial *trial = in->evidence->overfit;
    if (!trial || !(trial->first_loss > 0) || judge_progress(in) > in->limit[2] ||
        trial->best_loss < in->limit[0] * trial->first_loss)
        return;
    bool is_right = isfinite(trial->error_rate) && trial->error_rate <= in->limit[1];
    double high, chance = judge_chance_loss(in, &high);
    if (is_right || (isfinite(chance) && trial->best_loss < in->limit[0] * chance))
        return;
    double share = trial->best_loss / trial->first_loss;
    Finding *finding =
        trial->diverged
            ? finding_add(out, 0, 0, share, in->limit[0], "learning %lld samples by heart diverges", (long long)trial->samples)
            : finding_add(out, 0, 0, share, in->limit[0],
                          "%lld steps on the same %lld samples bring their loss from %.3g to %.3g only",
                          (long long)trial->steps, (long long)trial->samples, trial->first_loss, trial->best_loss);
    finding->blame = "optimizer.lr";
}

const Rule rule_cannot_overfit_batch = {
    .name = "cannot-overfit-batch",
    .severity = SEVERITY_WARNING,
    .group = GROUP_LOSS,
    .stage = STAGE_PREFLIGHT,
    .summary = "the model cannot learn one small batch by heart",
    .definition = "the config's own training on 32 samples for 300 steps, without weight decay and dropout: the best loss "
                  "stays above `loss` of the first (and of chance level), and more than `errors` of the decisions are wrong",
    .consequence = "what cannot learn 32 samples will not learn more",
    .remedy = "a larger or smaller learning rate; look at the wiring of the model, and at its capacity",
    .source = "Karpathy 2019, A recipe for training neural networks; TheDeepChecker",
    .false_alarms = "equal inputs with different targets among the 32; learning rates for long runs: a warning only",
    .limit = {{"loss", 0.5, "best loss over the first"},
              {"errors", 0.05, "share of wrong decisions"},
              {"progress", 0.3, "share of the loss that the training itself removed, from which on it is no finding"}},
    .check = check,
};
