/* NaN or infinity in the samples. */
#include <math.h>

#include "diagnose/judge.h"

static void check(const RuleInput *in, Findings *out)
{
    const DataFacts *data = in->evidence->data;
    if (!data || !data->nonfinite)
        return;
    const NonfiniteCell *cell = &data->first_nonfinite;
    Finding *finding = finding_add(out, 0, 0, (double)data->nonfinite, 0,
                                   "%zu number%s of the training data %s not finite, first the %s of sample %zu, %s %zu (%s)",
                                   data->nonfinite, data->nonfinite == 1 ? "" : "s", data->nonfinite == 1 ? "is" : "are",
                                   cell->in_target ? "target" : "input", cell->sample, cell->in_target ? "element" : "feature",
                                   cell->element, isnan(cell->value) ? "NaN" : "infinite");
    finding->blame = "data";
}

const Rule rule_data_nonfinite = {
    .name = "data-nonfinite",
    .severity = SEVERITY_ERROR,
    .group = GROUP_DATA,
    .stage = STAGE_STATIC,
    .summary = "the training data holds NaN or infinity",
    .definition =
        "any input or target of the training samples that is NaN or infinite; samples, features and elements count from 0",
    .consequence = "the first batch that holds such a sample makes the loss NaN, and its update all weights",
    .remedy = "drop the samples, or fill the cells in (mean of the feature)",
    .source = "Schoop, Huang & Hartmann 2021 (UMLAUT)",
    .false_alarms = "none known",
    .explains = {"*"},
    .check = check,
};
