/* The loss no longer falls although there is a way to go. */
#include <math.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    double progress = judge_progress(in);
    if (!record || !(progress < in->limit[1]) || record->steps < (int64_t)in->limit[2])
        return;
    const RecordSeries loss = series_last_share(record_scalar(record, RECORD_LOSS), in->limit[0]);
    const RecordSeries rate = record_scalar(record, RECORD_RATE);
    if (loss.count < 20 || series_finite(loss) < loss.count || !(series_minimum(loss) > 0))
        return;
    if (series_last(rate) < 0.05 * series_maximum(rate))
        return; /* the end of a schedule */
    const TrendLine trend = series_trend(loss, true);
    double fall = trend.slope * (double)(loss.step[loss.count - 1] - loss.step[0]);
    if (trend.high < 0 && fall < -0.005)
        return;
    Finding *finding = finding_add(out, loss.step[0], record->last_step, fall, 0,
                                   "the loss has not fallen over the last %.0f %% of the run (%.3g), and %.0f %% of it is left",
                                   100 * in->limit[0], series_median(loss), 100 * (1 - progress));
    finding->blame = "optimizer";
}

const Rule rule_plateau = {
    .name = "plateau",
    .severity = SEVERITY_WARNING,
    .group = GROUP_LOSS,
    .stage = STAGE_LIVE,
    .summary = "the loss no longer falls although little was learned",
    .definition =
        "Theil-Sen's slope of ln(loss) over the last `share` of the run is not below 0 at 95 %, and training has removed less "
        "than `progress` of the loss; runs of at least `steps` steps whose learning rate has not decayed",
    .consequence = "further steps are wasted",
    .remedy = "decay the learning rate, or stop; a larger model where training error is what is too high",
    .source = "Sen 1968; SageMaker Debugger LossNotDecreasing",
    .false_alarms = "the end of a schedule is left out; noise that cannot be learned: a warning at most",
    .limit = {{"share", 0.2, "of the run"},
              {"progress", 0.3, "share of the loss that was removed"},
              {"steps", 100, "that are needed"}},
    .check = check,
};
