/* Single steps whose loss stands far out. */
#include <math.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    const Probe *probe = in->evidence->final;
    if (!record || record->loss_spikes.count < (int64_t)in->limit[2] || record->loss_spikes.largest_ratio < in->limit[0])
        return;
    const RecordSeries loss = record_scalar(record, RECORD_LOSS);
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
              {"count", 2, "such steps"}},
    .check = check,
};
