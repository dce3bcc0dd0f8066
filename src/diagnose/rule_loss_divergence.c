/* The loss goes up and stays there. */
#include <math.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    if (!record || !isfinite(judge_progress(in)))
        return;
    const RecordSeries loss = series_between(record_scalar(record, RECORD_LOSS), 0,
                                             record->nonfinite_losses ? record->first_nonfinite_loss - 1 : INT64_MAX);
    if (loss.count < 4)
        return;
    double *smooth = ARENA_ARRAY(in->arena, double, loss.count);
    double first = judge_first_loss(in), best = INFINITY;
    series_smooth(loss, loss.count < 100 ? 3 : 10, smooth);
    int best_at = 0;
    for (int i = 0; i < loss.count; i++)
        if (smooth[i] < best) {
            best = smooth[i];
            best_at = i;
        }
    double end = series_median(series_tail(loss, loss.count < 50 ? 1 + loss.count / 10 : 5));
    double needed = best + in->limit[1] * fabs(first - best);
    double limit = in->limit[0] * best > needed ? in->limit[0] * best : needed;
    limit = limit > 0.1 * first ? limit : 0.1 * first;
    if (!(end > limit))
        return;
    int since = loss.count;
    while (since > best_at && smooth[since - 1] > limit)
        since--;
    if (since >= loss.count - 1 && loss.count > 20)
        return; /* one step is a spike */
    Finding *finding =
        finding_add(out, loss.step[since < loss.count ? since : loss.count - 1], record->last_step, end, limit,
                    "the loss rises to %.3g after a best of %.3g at step %lld", end, best, (long long)loss.step[best_at]);
    finding->blame = "optimizer.lr";
    if (end < first && judge_progress(in) > 0.5)
        finding->severity = SEVERITY_WARNING;
    judge_change_rate(in, out, finding, 0.3);
}

const Rule rule_loss_divergence = {
    .name = "loss-divergence",
    .severity = SEVERITY_ERROR,
    .group = GROUP_LOSS,
    .stage = STAGE_LIVE,
    .summary = "the loss rises and does not come back",
    .definition = "the median of the last 5 losses is above `times` the best smoothed loss, above the best by `share` of what "
                  "had been won, and above a tenth of the first loss; until the first loss that is not finite. Not for losses "
                  "that may be negative",
    .consequence = "what had been learned is lost",
    .remedy = "a learning rate of a third, warm-up, clipping; go on from the best checkpoint",
    .source = "llm-foundry; Cohen et al. 2021",
    .false_alarms =
        "losses of converged runs vary by large factors: a tenth of the first loss is needed; a change of curriculum",
    .limit = {{"times", 2, "the best loss"}, {"share", 0.25, "of what had been won"}},
    .explains = {"nonfinite-forward", "nonfinite-backward", "nonfinite-parameter", "gradient-norm-growth", "weight-growth",
                 "dead-units", "saturated-units", "loss-spike", "plateau", "gradient-spikes", "stuck-at-chance",
                 "exploding-gradient", "activation-scale"},
    .check = check,
};
