/* The gradient grows over the steps. */
#include <math.h>
#include <string.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"
#include "monitor/run_line.h"

enum { CHECKS = 40 };

/* Medians of the norm over equal parts of the run; values that are not finite end it. */
static int part_medians(const RuleInput *in, RecordSeries norm, double part[], int64_t step[])
{
    int parts = norm.count < 2 * CHECKS ? norm.count / 2 : CHECKS, filled = 0;
    for (int i = 0; i < parts; i++) {
        int from = norm.count * i / parts, to = norm.count * (i + 1) / parts;
        RecordSeries piece = {norm.step + from, norm.value + from, to - from};
        double median = series_median(piece);
        if (!(median > 0) || !isfinite(median))
            continue;
        part[filled] = median;
        step[filled++] = piece.step[0];
    }
    (void)in;
    return filled;
}

/* Doubling from part to part, so often in a row. */
static int longest_doubling(const double part[], int count)
{
    int longest = 0, run = 0;
    for (int i = 1; i < count; i++) {
        run = part[i] > 2 * part[i - 1] ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    double part[CHECKS], logs[CHECKS];
    int64_t step[CHECKS];
    if (!record)
        return;
    const RecordSeries norm = record_scalar(record, RECORD_GRAD_NORM);
    int count = part_medians(in, norm, part, step);
    if (count < 4)
        return;
    int tail = count / 10 > 0 ? count / 10 : 1;
    double first = 0, last = 0;
    for (int i = 0; i < count; i++)
        logs[i] = log10(part[i]);
    for (int i = 0; i < tail; i++) {
        first += logs[i] / tail;
        last += logs[count - 1 - i] / tail;
    }
    double growth = pow(10, last - first);
    const LineFit fit = line_fit(logs, count);
    bool is_steady = growth > in->limit[0] && fit.r2 > in->limit[1];
    bool doubles = longest_doubling(part, count) >= 5 && growth > 10;
    if (!is_steady && !doubles && growth <= in->limit[2])
        return;
    double progress = judge_progress(in);
    if (progress > 0.2)
        return; /* from a flat start the gradient grows while the loss falls: that is learning */
    int from = 0;
    while (from + 1 < count && part[from] < 1.5 * part[0])
        from++;
    Finding *finding = finding_add(out, step[from], record->last_step, growth, in->limit[0],
                                   "the norm of the gradient grows from %.2g to %.2g over the run, %.2g times", pow(10, first),
                                   pow(10, last), growth);
    finding->blame = "optimizer.lr";
    finding->remedy =
        arena_printf(in->arena, "a smaller learning rate, or clipping at %.2g, the 90th percentile of the first half",
                     series_quantile(series_head(norm, norm.count / 2), 0.9));
    judge_change(in, out, finding, "clip",
                 arena_printf(in->arena, "{\"type\": \"norm\", \"max_norm\": %.2g}",
                              series_quantile(series_head(norm, norm.count / 2), 0.9)));
    judge_change_rate(in, out, finding, 0.3);
}

const Rule rule_gradient_norm_growth = {
    .name = "gradient-norm-growth",
    .severity = SEVERITY_ERROR,
    .group = GROUP_FLOW,
    .stage = STAGE_LIVE,
    .summary = "the norm of the gradient grows over the run",
    .definition = "medians of the total norm before clipping over 40 parts of the run: the last tenth over the first is above "
                  "`growth` with a log-linear fit of R^2 above "
                  "`fit`, or above 10 with five doublings in a row, or above `jump`; and the loss has not fallen by a fifth",
    .consequence = "the run is on its way to overflow",
    .remedy = "a smaller learning rate, warm-up, clipping by norm",
    .source = "OLMo-core; Ben Braiek & Khomh 2023; Pascanu et al. 2013",
    .false_alarms = "gradients that grow from a flat start while the loss falls: the loss must not have fallen by a fifth",
    .limit = {{"growth", 50, "last tenth over first tenth, for steady growth"},
              {"fit", 0.7, "R^2 of the log-linear fit"},
              {"jump", 1e4, "last tenth over first tenth, however it came"}},
    .explains = {"nonfinite-forward", "nonfinite-backward", "nonfinite-parameter", "loss-divergence", "gradient-spikes",
                 "loss-spike", "weight-growth", "clip-saturated", "plateau", "stuck-at-chance"},
    .check = check,
};
