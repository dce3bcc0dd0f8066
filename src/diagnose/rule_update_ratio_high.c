/* Updates as large as the weights. */
#include <math.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"

enum { WINDOW = 50 };

typedef struct Largest {
    double ratio;
    int64_t step, since; /* where it is; the first one above the limit */
    const char *what;
} Largest;

/* Of one parameter at observation i. Weights that grow along would hide it, so updates are compared with their first norm. */
static double ratio_at(RecordSeries ratio, RecordSeries norm, double first, int i)
{
    return i < norm.count && norm.value[i] > first ? ratio.value[i] * norm.value[i] / first : ratio.value[i];
}

/* The largest median over a window. */
static Largest largest_median(RecordSeries ratio, RecordSeries norm, double first, double limit)
{
    double window[WINDOW];
    Largest largest = {.what = "median over a window"};
    int size = ratio.count < 2 * WINDOW ? (ratio.count + 1) / 2 : WINDOW;
    for (int at = 0; size && at + size <= ratio.count; at += size > 4 ? size / 4 : 1) {
        int count = 0;
        for (int i = at; i < at + size; i++)
            if (isfinite(ratio.value[i]))
                window[count++] = ratio_at(ratio, norm, first, i);
        double median = count ? median_of(window, count) : 0;
        if (series_median((RecordSeries){ratio.step + at, ratio.value + at, size}) > limit && !largest.since)
            largest.since = ratio.step[at];
        if (median > largest.ratio) {
            largest.ratio = median;
            largest.step = ratio.step[at];
        }
    }
    if (!largest.since) /* only by the weights' growth, which came first */
        largest.since = largest.step;
    return largest;
}

/* The largest single update. */
static Largest largest_jump(RecordSeries ratio, RecordSeries norm, double first, double limit)
{
    Largest largest = {.what = "a single update"};
    for (int i = 0; i < ratio.count; i++) {
        double now = ratio_at(ratio, norm, first, i);
        if (!isfinite(now))
            continue;
        if (now > limit && !largest.since)
            largest.since = ratio.step[i];
        if (now > largest.ratio) {
            largest.ratio = now;
            largest.step = ratio.step[i];
        }
    }
    return largest;
}

static Largest judge_parameter(const RuleInput *in, int index, bool has_learned)
{
    const Record *record = in->evidence->record;
    const RecordSeries ratio = record_track(record, RECORD_UPDATE_RATIO, index),
                       norm = record_track(record, RECORD_WEIGHT_NORM, index);
    double first = series_first(norm);
    if (record->parameter[index].rank < 2 || !(first > 0))
        return (Largest){0}; /* biases and gains are small or 0 at first; their layer's weight speaks for them */
    Largest median = largest_median(ratio, norm, first, in->limit[0]), jump = largest_jump(ratio, norm, first, in->limit[2]);
    return !has_learned && jump.ratio > in->limit[2] && median.ratio < in->limit[1] ? jump : median;
}

/* What to multiply the rate by: for a median ratio of 0.02 in the first updates, before anything has been thrown off. */
static double gentler(const RuleInput *in, double ratio)
{
    const Record *record = in->evidence->record;
    double *first = ARENA_ARRAY(in->arena, double, record->parameters + 1);
    int count = 0;
    for (int i = 0; i < record->parameters; i++) {
        double start = series_median(series_head(record_track(record, RECORD_UPDATE_RATIO, i), 3));
        if (record->parameter[i].rank >= 2 && start > 0 && isfinite(start))
            first[count++] = start;
    }
    double start = count ? median_of(first, count) : ratio, factor = 0.02 / start;
    return factor > 0.1 ? 0.1 : factor;
}

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    const bool has_learned = judge_progress(in) > 0.2;
    Finding *finding = NULL;
    Largest most = {0};
    for (int i = 0; record && i < record->parameters; i++) {
        Largest largest = judge_parameter(in, i, has_learned);
        if (!(largest.ratio > in->limit[0]))
            continue;
        if (!finding)
            finding = finding_add(out, largest.since, record->last_step, 0, in->limit[0], "%s", "");
        finding_add_layer(out, finding, record->parameter[i].name);
        finding->first_step = largest.since < finding->first_step ? largest.since : finding->first_step;
        if (largest.ratio <= most.ratio)
            continue;
        most = largest;
        finding->value = most.ratio;
        finding->message =
            arena_printf(in->arena, "an update changes %s by %.2g of its first norm (%s, step %lld); about 0.001 is usual",
                         record->parameter[i].name, most.ratio, most.what, (long long)most.step);
    }
    if (!finding)
        return;
    bool is_grave = most.ratio > in->limit[1];
    finding->threshold = is_grave ? in->limit[1] : in->limit[0];
    finding->severity = judge_severity(in, is_grave ? SEVERITY_ERROR : SEVERITY_WARNING);
    finding->blame = "optimizer.lr";
    double factor = gentler(in, most.ratio);
    finding->remedy = arena_printf(in->arena, "a learning rate smaller by %.2g, for updates of about 0.01", 1 / factor);
    judge_change_rate(in, out, finding, factor);
}

const Rule rule_update_ratio_high = {
    .name = "update-ratio-high",
    .severity = SEVERITY_WARNING,
    .group = GROUP_OPTIMIZER,
    .stage = STAGE_LIVE,
    .summary = "updates are as large as the weights",
    .definition = "norm of the update over norm of the weights before it (over their first norm, where they have grown), of "
                  "tensors of rank 2 and more that did not begin at 0: the largest median over a window of 50 "
                  "observations (half of a shorter run) above `warn`, an error above `error`; or, where the loss has not "
                  "fallen by a fifth, a single update above `jump`",
    .consequence = "each step overwrites what the one before has learned; units die, the loss jumps",
    .remedy = "a smaller learning rate",
    .source = "Karpathy, CS231n, Neural networks part 3 (about 1e-3); TheDeepChecker (0.1)",
    .false_alarms = "tensors that begin at 0 are left out; a run that learned gives a warning",
    .limit = {{"warn", 0.1, "update over weights"},
              {"error", 1, "update over weights, for an error"},
              {"jump", 3, "a single update over the weights"}},
    .explains = {"loss-divergence", "nonfinite-forward", "nonfinite-backward", "nonfinite-parameter", "gradient-norm-growth",
                 "loss-oscillation", "loss-spike", "gradient-spikes", "dead-units", "saturated-units", "weight-growth",
                 "stuck-at-chance", "plateau", "exploding-gradient", "vanishing-gradient", "activation-scale"},
    .check = check,
};
