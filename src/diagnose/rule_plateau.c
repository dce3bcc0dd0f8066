/* The loss no longer falls although there is a way to go. */
#include <math.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"

/* The share of the steps whose learning rate was below a hundredth of the largest. */
static double decayed_share(RecordSeries rate)
{
    return series_share_below(rate, 0.01 * series_maximum(rate));
}

static bool still_falls(RecordSeries loss)
{
    const TrendLine trend = series_trend(loss, true);
    double fall = trend.slope * (double)(loss.step[loss.count - 1] - loss.step[0]);
    return trend.high < 0 && fall < -0.005;
}

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    double progress = judge_progress(in);
    if (!record || record->steps < (int64_t)in->limit[2])
        return;
    const RecordSeries rate = record_scalar(record, RECORD_RATE);
    const RecordSeries loss = series_last_share(record_scalar(record, RECORD_LOSS), in->limit[0]);
    double decayed = decayed_share(rate), left = 100 * (1 - (progress > 0 ? progress : 0));
    const bool has_decayed = decayed > in->limit[3], is_ending = series_last(rate) < 0.05 * series_maximum(rate);
    if (loss.count < 20 || series_finite(loss) < loss.count || !(series_minimum(loss) > 0) || (is_ending && !has_decayed))
        return;
    if (!(progress < (has_decayed ? in->limit[4] : in->limit[1])) || still_falls(loss))
        return;
    Finding *finding;
    if (has_decayed) {
        finding = finding_add(out, loss.step[0], record->last_step, decayed, in->limit[3],
                              "for %.0f %% of the run the learning rate is below a hundredth of its largest, and the loss "
                              "stays at %.3g with %.0f %% of it left",
                              100 * decayed, series_median(loss), left);
        finding->remedy = "a schedule that is spread over the whole run (its steps are optimizer steps, not epochs)";
    } else {
        finding = finding_add(out, loss.step[0], record->last_step, 1 - progress, 1 - in->limit[1],
                              "the loss has not fallen over the last %.0f %% of the run (%.3g), and %.0f %% of it is left",
                              100 * in->limit[0], series_median(loss), left);
    }
    finding->blame = has_decayed ? "schedule" : "optimizer";
    if (has_decayed)
        judge_change(in, out, finding, "schedule", "{\"type\": \"cosine\"}");
}

const Rule rule_plateau = {
    .name = "plateau",
    .severity = SEVERITY_WARNING,
    .group = GROUP_LOSS,
    .stage = STAGE_LIVE,
    .summary = "the loss no longer falls although little was learned",
    .definition =
        "Theil-Sen's slope of ln(loss) over the last `share` of the run is not below 0 at 95 %, and training has removed less "
        "than `progress` of the loss; runs of at least `steps` steps whose learning rate has not decayed at the end; or less "
        "than `decayed_progress` where it was below a hundredth of its largest for `decayed` of the run",
    .consequence = "further steps are wasted",
    .remedy = "decay the learning rate, or stop; a larger model where training error is what is too high",
    .source = "Sen 1968; SageMaker Debugger LossNotDecreasing",
    .false_alarms = "the end of a schedule is left out; noise that cannot be learned: a warning at most",
    .limit = {{"share", 0.2, "of the run"},
              {"progress", 0.3, "share of the loss that was removed"},
              {"steps", 100, "that are needed"},
              {"decayed", 0.4, "share of the run with a rate below a hundredth of the largest"},
              {"decayed_progress", 0.9, "share of the loss that was removed, then"}},
    .check = check,
};
