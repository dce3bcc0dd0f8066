/* The scale of the activations changes over depth, or over time. */
#include <math.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"
#include "monitor/run_line.h"

/* Over depth, with the first weights. */
static void check_depth(const RuleInput *in, Findings *out, const Record *record)
{
    LayerChoice choice = judge_hidden_layers(in);
    if (choice.count < 2)
        return;
    double first = series_first(record_track(record, RECORD_ACTIVATION_STD, choice.index[0]));
    double last = series_first(record_track(record, RECORD_ACTIVATION_STD, choice.index[choice.count - 1]));
    double ratio = last / first;
    if (!(ratio > 0) || !isfinite(ratio) || (ratio < in->limit[0] && ratio > 1 / in->limit[0]))
        return;
    Finding *finding = finding_add(
        out, record->first_step, record->first_step, ratio, ratio > 1 ? in->limit[0] : 1 / in->limit[0],
        "in the first step the deviation of the output %s from %.2g in %s to %.2g in %s", ratio > 1 ? "grows" : "falls", first,
        record->layer[choice.index[0]].name, last, record->layer[choice.index[choice.count - 1]].name);
    for (int i = 0; i < choice.count; i++)
        finding_add_layer(out, finding, record->layer[choice.index[i]].name);
    finding->blame = "model";
}

/* Over time, one layer against itself. */
static void check_time(const RuleInput *in, Findings *out, const Record *record)
{
    LayerChoice choice = judge_hidden_layers(in);
    Finding *finding = NULL;
    for (int k = 0; k < choice.count; k++) {
        const RecordSeries std = record_track(record, RECORD_ACTIVATION_STD, choice.index[k]);
        double start = series_median(series_head(std, std.count < 200 ? std.count / 2 : 100));
        int64_t since = series_above_since(std, in->limit[1] * start);
        if (!(start > 0) || since < 0 || std.count < 10)
            continue;
        double end = series_median(series_last_share(std, 0.1));
        if (!finding || end / start > finding->value) {
            Finding *added = finding ? finding : finding_add(out, since, record->last_step, 0, in->limit[1], "%s", "");
            added->value = end / start;
            added->message = arena_printf(in->arena, "the deviation of %s's output has grown from %.2g to %.2g",
                                          record->layer[choice.index[k]].name, start, end);
            finding = added;
        }
        finding_add_layer(out, finding, record->layer[choice.index[k]].name);
        finding->first_step = since < finding->first_step ? since : finding->first_step;
    }
}

static void check(const RuleInput *in, Findings *out)
{
    const Record *record = in->evidence->record;
    if (!record || !record_has(record, RECORD_ACTIVATION_STD))
        return;
    check_depth(in, out, record);
    if (!(judge_progress(in) > in->limit[2]))
        check_time(in, out, record);
}

const Rule rule_activation_scale = {
    .name = "activation-scale",
    .severity = SEVERITY_WARNING,
    .group = GROUP_ACTIVATIONS,
    .stage = STAGE_LIVE,
    .summary = "the scale of the activations grows or falls over depth or over time",
    .definition = "in the first step, the deviation of the last hidden layer's output over that of the first is beyond `depth` "
                  "in either direction; or later, a hidden layer's is for good "
                  "above `time` times the median of its first 100 observations",
    .consequence = "gradients scale the other way round, and one learning rate does not fit all layers",
    .remedy = "initial weights that keep the variance (He for relu, Glorot for tanh), norm layers",
    .source =
        "Glorot & Bengio 2010, section 4.2; He et al. 2015, section 2.2; SageMaker Debugger PoorWeightInitialization (10)",
    .false_alarms = "sparse inputs make the first layer small",
    .limit = {{"depth", 10, "last hidden layer over the first, or the reverse"},
              {"time", 10, "a layer over its own beginning"},
              {"progress", 0.5, "share of the loss that was removed, from which on growth over time is no finding"}},
    .explains = {"wrong-initial-loss"},
    .check = check,
};
