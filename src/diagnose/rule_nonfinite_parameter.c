/* A weight is not finite after an update. */
#include <math.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"
#include "diagnose/rule_nonfinite.h"
#include "monitor/run_line.h"

static int64_t first_nonfinite(RecordSeries weights)
{
    for (int i = 0; i < weights.count; i++)
        if (!isfinite(weights.value[i]) && !run_is_missing(weights.value[i]))
            return weights.step[i];
    return 0;
}

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    if (!record)
        return;
    if (nonfinite_is_of(record, "update") || nonfinite_is_of(record, "parameter")) {
        nonfinite_report(in, out);
        return;
    }
    Finding *finding = NULL;
    for (int i = 0; i < record->parameters; i++) {
        int64_t step = first_nonfinite(record_track(record, RECORD_WEIGHT_NORM, i));
        if (!step)
            continue;
        if (!finding)
            finding = finding_add(out, step, record->last_step, 1, 0, "%s is not finite from step %lld on",
                                  record->parameter[i].name, (long long)step);
        finding_add_layer(out, finding, record->parameter[i].name);
    }
    if (finding)
        nonfinite_advise(in, out, finding);
}

const Rule rule_nonfinite_parameter = {
    .name = "nonfinite-parameter",
    .severity = SEVERITY_ERROR,
    .group = GROUP_NUMERICS,
    .stage = STAGE_LIVE,
    .summary = "a weight is NaN or infinite after an update",
    .definition = "the norm of a parameter before an update is not finite, or the nonfinite event says that the update made it",
    .consequence = "the run cannot recover: go back to the last checkpoint whose weights are finite",
    .remedy = "roll back to the last finite checkpoint with half the learning rate; an eps above 0 where the optimizer divides",
    .source = "Kingma & Ba 2015, algorithm 1 (eps)",
    .false_alarms = "none known",
    .explains = {"loss-hides-nan", "stuck-at-chance", "plateau", "no-gradient-path", "dead-units"},
    .check = check,
};
