/* Batches of one class each. */
#include <math.h>

#include "diagnose/judge.h"

static void check(const RuleInput *in, Findings *out)
{
    const DataFacts *data = in->evidence->data;
    const Config *config = in->evidence->config;
    if (!data || !config || data->classes < 2 || config->data.training.tokens || !(data->shuffled_batch_entropy > 0))
        return;
    double share = data->batch_entropy / data->shuffled_batch_entropy;
    double below = data->shuffled_batch_entropy - data->batch_entropy;
    if (!(share < in->limit[0]) || below < 5 * data->batch_entropy_deviation)
        return;
    Finding *finding = finding_add(
        out, 0, 0, share, in->limit[0],
        "the classes within a batch have %.0f %% of the entropy that a random order gives: the samples are sorted%s",
        100 * share, config->train.shuffle ? "" : ", and train.shuffle is false");
    finding->blame = "train.shuffle";
    judge_change(in, out, finding, "train.shuffle", "true");
}

const Rule rule_unshuffled = {
    .name = "unshuffled",
    .severity = SEVERITY_WARNING,
    .group = GROUP_DATA,
    .stage = STAGE_STATIC,
    .summary = "samples come sorted by class",
    .definition = "the mean entropy of the classes within the first epoch's batches is below `share` of that under random "
                  "orders, and 5 deviations below it",
    .consequence = "each stretch of batches unlearns the classes before it; losses swing by the order of the data",
    .remedy = "train.shuffle: true",
    .source = "Bottou 2012, Stochastic gradient descent tricks, section 4.1",
    .false_alarms = "data that is sorted on purpose (curriculum)",
    .limit = {{"share", 0.8, "of the entropy that a random order gives"}},
    .explains = {"loss-oscillation", "loss-spike", "gradient-spikes", "plateau", "overfit", "stuck-at-chance",
                 "wrong-initial-loss", "loss-divergence", "gradient-norm-growth", "update-ratio-high"},
    .check = check,
};
