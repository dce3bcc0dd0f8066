/* The loss stays where it is without any knowledge. */
#include <math.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"

/* From here on the smoothed loss never leaves the band around chance, or around where it began. */
static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    if (!record)
        return;
    const RecordSeries loss = record_scalar(record, RECORD_LOSS);
    double high, chance = judge_chance_loss(in, &high), first = judge_first_loss(in), last = judge_last_loss(in);
    int64_t needed =
        (int64_t)in->limit[1] < record->planned / 2 || !record->planned ? (int64_t)in->limit[1] : record->planned / 2;
    needed = needed < 20 ? 20 : needed;
    if (record->last_step - judge_warm_up(in) < needed || !isfinite(first) || !isfinite(last) ||
        series_finite(loss) < loss.count)
        return;
    double band = in->limit[0], level = isfinite(chance) ? chance : first;
    double *smooth = ARENA_ARRAY(in->arena, double, loss.count);
    series_smooth(loss, 20, smooth);
    int since = loss.count;
    while (since > 0 && smooth[since - 1] > (1 - band) * level)
        since--;
    bool is_stuck = since < loss.count && loss.step[loss.count - 1] - loss.step[since < loss.count ? since : 0] >= needed;
    double highest = isfinite(high) && high > level ? high : level;
    if (!is_stuck || last < (1 - band) * level)
        return;
    bool is_near = last < (1 + 5 * band) * highest;
    bool has_not_moved = fabs(last - first) < band * fabs(first);
    if (!is_near && !has_not_moved)
        return; /* far above chance: other rules speak */
    if (!isfinite(chance) && (!has_not_moved || !(first > 0)))
        return;
    Finding *finding = finding_add(out, loss.step[since], record->last_step, last, (1 - band) * level,
                                   isfinite(chance) ? "the loss ends at %.4g: no better than chance level, %.4g"
                                                    : "the loss ends at %.4g, where it began (%.4g)",
                                   last, isfinite(chance) ? level : first);
    finding->blame = "optimizer";
}

const Rule rule_stuck_at_chance = {
    .name = "stuck-at-chance",
    .severity = SEVERITY_ERROR,
    .group = GROUP_LOSS,
    .stage = STAGE_LIVE,
    .summary = "the loss stays at chance level",
    .definition =
        "the smoothed loss (20 steps) is not more than `band` below chance level - entropy of the class prior; variance of the "
        "targets for mse; else the first loss - for the last `steps` steps (half of a shorter run) of the run, and is near it",
    .consequence = "the model has learned nothing but the prior",
    .remedy = "look at the findings that are folded here; without any: learning rate, labels, wiring",
    .source = "gradtool; Karpathy 2019",
    .false_alarms = "hard tasks begin with a plateau of some hundred steps",
    .limit = {{"band", 0.02, "share below chance level that counts as learning"}, {"steps", 200, "for which it must hold"}},
    .explains = {"plateau", "cannot-overfit-batch", "overfit", "loss-oscillation"},
    .check = check,
};
