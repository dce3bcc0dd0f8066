/* Single steps whose loss stands far out. */
#include <math.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"

/* Spikes so many that they hide each other: steps far above the median of all while half of all stay near it. */
static bool check_mixture(const RuleInput *in, Findings *out, RecordSeries loss)
{
    const RecordSeries part = series_between(loss, judge_warm_up(in), INT64_MAX);
    double median = series_median(part), first = judge_first_loss(in);
    double limit = in->limit[3] * median > first ? in->limit[3] * median : first, far = series_share_above(part, limit);
    if (!(median > 0) || part.count < 40 || far * part.count < in->limit[2] || series_share_above(part, 2 * median) > 0.5)
        return false;
    bool is_at_the_end = series_median(series_tail(part, 5)) > limit,
         is_at_the_start = series_median(series_head(part, 5)) > limit;
    if (is_at_the_end || is_at_the_start)
        return false; /* a trend */
    int64_t since = part.step[0];
    for (int i = part.count - 1; i >= 0; i--)
        since = part.value[i] > limit ? part.step[i] : since;
    Finding *finding = finding_add(
        out, since, part.step[part.count - 1], far, 0,
        "%.0f %% of the steps have a loss above %g times the median, up to %.3g: single samples dominate their batches",
        100 * far, in->limit[3], series_maximum(part));
    finding->blame = "data";
    return true;
}

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    const Probe *probe = in->evidence->final;
    const RecordSeries loss = record ? record_scalar(record, RECORD_LOSS) : (RecordSeries){0};
    if (!record || !(series_minimum(loss) >= 0) || check_mixture(in, out, loss))
        return;
    if (record->loss_spikes.count < (int64_t)in->limit[2] || record->loss_spikes.largest_ratio < in->limit[0])
        return;
    double first = judge_first_loss(in), noise = NAN;
    const Config *config = in->evidence->config;
    if (probe && config && isfinite(probe->loss_deviation))
        noise = probe->loss_deviation / sqrt((double)(config->train.batch_size * config->train.accumulate));
    int real = 0;
    int64_t at = 0;
    double most = 0;
    for (int i = 0; i < loss.count; i++)
        for (int k = 0; k < RECORD_SPIKES && k < record->loss_spikes.count; k++) {
            double rise = loss.value[i] * (1 - 1 / record->loss_spikes.ratio[k]);
            if (loss.step[i] != record->loss_spikes.step[k] || !(rise > in->limit[1] * fabs(first)) ||
                record->loss_spikes.ratio[k] < in->limit[0])
                continue;
            if (isfinite(noise) && rise < 6 * noise)
                continue;
            real++;
            at = at ? at : loss.step[i];
            most = loss.value[i] > most ? loss.value[i] : most;
        }
    if (real < (int)in->limit[2])
        return;
    Finding *finding = finding_add(out, at, record->loss_spikes.last_step, record->loss_spikes.largest_ratio, in->limit[0],
                                   "%d steps have a loss far above the 128 before them, up to %.3g (first at step %lld)", real,
                                   most, (long long)at);
    finding->blame = "optimizer.lr";
}

const Rule rule_loss_spike = {
    .name = "loss-spike",
    .severity = SEVERITY_WARNING,
    .group = GROUP_LOSS,
    .stage = STAGE_LIVE,
    .summary = "single steps have a loss far above their neighbours'",
    .definition = "at least `count` steps whose log10 loss has a robust z above 6 against the 128 before, at least `ratio` "
                  "times their median, rising by more than `share` of the first loss and 6 deviations of the batch mean "
                  "(deviation over samples / sqrt(batch))",
    .consequence = "some batches are unlike the others, or the optimizer overshoots now and then",
    .remedy = "look at the samples of those steps; clip by norm; beta2 of 0.95 to 0.99 for Adam",
    .source = "OLMo-core; Megatron-LM; Wortsman et al. 2023",
    .false_alarms =
        "tiny batches: the noise of the batch mean is taken off; converged runs: `share` of the first loss is needed",
    .limit = {{"ratio", 1.5, "loss over its window's median"},
              {"share", 0.05, "of the first loss"},
              {"count", 2, "such steps"},
              {"mixture", 10, "times the median of the run, for spikes that are frequent"}},
    .explains = {"gradient-spikes", "update-ratio-high", "plateau", "loss-divergence", "stuck-at-chance",
                 "gradient-norm-growth", "dead-units", "overfit"},
    .check = check,
};
