/* Some classes are rare. */
#include <math.h>

#include "diagnose/judge.h"

/* Entropy of the class prior over that of equal classes, of those that occur. */
static double evenness_of(const DataFacts *data)
{
    int occur = 0;
    for (int i = 0; i < data->classes; i++)
        occur += data->class_count[i] > 0;
    return occur > 1 ? data->entropy / log(occur) : 1;
}

static void check(const RuleInput *in, Findings *out)
{
    const DataFacts *data = in->evidence->data;
    const Config *config = in->evidence->config;
    if (!data || !config || data->classes < 2 || config->data.training.tokens || !data->smallest_class)
        return;
    double evenness = evenness_of(data), ratio = (double)data->largest_class / (double)data->smallest_class;
    if (ratio <= in->limit[0] && evenness >= in->limit[1])
        return;
    if (data->smallest_class < 5 && evenness >= in->limit[1])
        return; /* a handful of samples of one class is a small data set, not a rate */
    Finding *finding =
        finding_add(out, 0, 0, ratio, in->limit[0],
                    "the largest class has %zu samples, the smallest %zu: always guessing the largest is right in %.0f %%",
                    data->largest_class, data->smallest_class, 100 * (double)data->largest_class / (double)data->samples);
    finding->blame = "data";
}

const Rule rule_class_imbalance = {
    .name = "class-imbalance",
    .severity = SEVERITY_WARNING,
    .group = GROUP_DATA,
    .stage = STAGE_STATIC,
    .summary = "some classes are much rarer than others",
    .definition = "the largest class has more than `ratio` times the samples of the smallest that occurs, or the entropy of "
                  "the class prior is below `entropy` of that of "
                  "equal classes, of those that occur",
    .consequence = "the gradient is that of the large classes: accuracy looks good while the rare ones are never predicted",
    .remedy = "draw the rare classes more often, or weigh them; judge by the accuracy of each class",
    .source = "SageMaker Debugger ClassImbalance (10); Ben Braiek & Khomh 2023 (TheDeepChecker, 0.5)",
    .false_alarms = "text: tokens are left out; classes with fewer than 5 samples do not count by themselves",
    .limit = {{"ratio", 10, "samples of the largest class over the smallest"},
              {"entropy", 0.5, "of the class prior, over ln(classes)"}},
    .explains = {"wrong-initial-loss", "plateau", "stuck-at-chance", "unshuffled"},
    .check = check,
};
