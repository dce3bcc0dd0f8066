/* The validation loss rises while the training loss falls. */
#include <math.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    if (!record || record->evaluation.count < 4)
        return;
    const RecordEvaluations *e = &record->evaluation;
    int best = 0, patience = (int)in->limit[1] < e->count / 2 ? (int)in->limit[1] : e->count / 2;
    for (int i = 1; i < e->count; i++)
        best = e->loss[i] < e->loss[best] ? i : best;
    double last = e->loss[e->count - 1];
    if (e->count - 1 - best < patience || !(e->loss[best] > 0) || !(last > in->limit[0] * e->loss[best]))
        return;
    const RecordSeries after = series_between(record_scalar(record, RECORD_LOSS), e->step[best], INT64_MAX);
    if (after.count < 4 || !(series_median(series_last_share(after, 0.3)) < series_median(series_head(after, after.count / 3))))
        return;
    Finding *finding =
        finding_add(out, e->step[best], record->last_step, last / e->loss[best], in->limit[0],
                    "the validation loss rises from its best, %.3g at step %lld, to %.3g while the training loss falls",
                    e->loss[best], (long long)e->step[best], last);
    finding->blame = "train";
    finding->remedy = arena_printf(in->arena, "stop at step %lld; more data, weight decay, dropout, a smaller model",
                                   (long long)e->step[best]);
    if (in->evidence->config && isfinite(judge_number(in, "train.steps")))
        judge_change(in, out, finding, "train.steps", arena_printf(in->arena, "%lld", (long long)e->step[best]));
}

const Rule rule_overfit = {
    .name = "overfit",
    .severity = SEVERITY_WARNING,
    .group = GROUP_LOSS,
    .stage = STAGE_LIVE,
    .summary = "the validation loss rises while the training loss falls",
    .definition = "the last validation loss is above `times` the best one, there was no new best in `patience` evaluations "
                  "(half of all, where there are fewer), and the training loss has fallen since",
    .consequence = "the model learns the training samples by heart and gets worse on others",
    .remedy = "stop at the best step; more data, weight decay, dropout, a smaller model",
    .source = "Prechelt 1998, Early stopping; SageMaker Debugger Overfit",
    .false_alarms = "a regularised training loss",
    .limit = {{"times", 1.1, "the best validation loss"}, {"patience", 10, "evaluations without a new best"}},
    .check = check,
};
