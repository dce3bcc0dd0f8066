/* The loss goes up and down in turn: the step is too long for the valley. */
#include <math.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"

static double difference_variance(RecordSeries series)
{
    double sum = 0, square = 0;
    int count = 0;
    for (int i = 1; i < series.count; i++) {
        double d = series.value[i] - series.value[i - 1];
        if (!isfinite(d))
            continue;
        sum += d;
        square += d * d;
        count++;
    }
    return count > 1 ? (square - sum * sum / count) / (count - 1) : NAN;
}

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    const Probe *probe = in->evidence->final;
    const Config *config = in->evidence->config;
    if (!record || !probe || !config || !isfinite(probe->loss_deviation))
        return;
    const RecordSeries loss = series_between(record_scalar(record, RECORD_LOSS), judge_warm_up(in), judge_gate(in));
    if (loss.count < 20 || series_finite(loss) < loss.count)
        return;
    const RecordSeries late = series_last_share(loss, 0.5);
    double correlation = series_difference_autocorrelation(late), variance = difference_variance(late);
    double batch = (double)(config->train.batch_size * config->train.accumulate),
           samples = (double)config->data.training.samples;
    double noise = 2 * probe->loss_deviation * probe->loss_deviation / (batch < samples ? batch : samples);
    if (batch >= samples)
        noise = 0; /* every step sees all samples: there is no noise of sampling */
    double swing = sqrt(variance) / fabs(judge_first_loss(in));
    if (!(correlation < in->limit[0]) || !(variance > in->limit[1] * noise) || !(swing > in->limit[2]))
        return;
    Finding *finding =
        finding_add(out, late.step[0], record->last_step, correlation, in->limit[0],
                    "the loss goes up and down in turn (autocorrelation of its changes %.2f) by %.2g a step, %s", correlation,
                    sqrt(variance),
                    noise > 0 ? arena_printf(in->arena, "%.2g times what sampling explains", sqrt(variance / noise))
                              : "though every step sees all samples");
    finding->severity = judge_severity(in, finding->severity);
    finding->blame = "optimizer.lr";
    judge_change_rate(in, out, finding, 0.5);
}

const Rule rule_loss_oscillation = {
    .name = "loss-oscillation",
    .severity = SEVERITY_WARNING,
    .group = GROUP_LOSS,
    .stage = STAGE_LIVE,
    .summary = "the loss swings from step to step beyond what sampling explains",
    .definition =
        "over the second half of the run after warm-up, up to the convergence gate: the lag-1 autocorrelation of the loss's "
        "changes is below `correlation` (pure noise has -0.5), their variance is above `noise` times 2 sigma^2 / B, "
        "sigma the deviation of the loss over samples with the last weights, and their deviation is above `swing` of the first "
        "loss",
    .consequence = "steps overshoot the valley: learning is slow although the rate is high",
    .remedy = "half the learning rate, or a larger batch",
    .source = "LeCun et al. 1998, section 5; Cohen et al. 2021 (edge of stability)",
    .false_alarms = "the noise of small batches: measured, and taken off",
    .limit = {{"correlation", -0.55, "lag-1, of the loss's changes"},
              {"noise", 4, "times the variance that sampling explains"},
              {"swing", 0.02, "of the first loss"}},
    .check = check,
};
