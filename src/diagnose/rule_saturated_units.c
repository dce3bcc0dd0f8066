/* Activations at their bounds, where the derivative is nearly 0. */
#include <math.h>
#include <string.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"
#include "monitor/run_line.h"

/* From mean and deviation alone: with c = E[a^2], a in [-1, 1], at least (c - 0.98) / 0.02 of the activations are beyond 0.99.
 */
static double least_share(const char *type, double mean, double std)
{
    if (!strcmp(type, "sigmoid")) {
        mean = 2 * mean - 1;
        std *= 2;
    }
    double share = (mean * mean + std * std - 0.9801) / (1 - 0.9801);
    return share < 0 ? 0 : share > 1 ? 1 : share;
}

static double share_in_log(const Record *record, int layer, int64_t *since, double limit)
{
    const RecordSeries mean = record_track(record, RECORD_ACTIVATION_MEAN, layer),
                       std = record_track(record, RECORD_ACTIVATION_STD, layer);
    double share = 0;
    *since = 0;
    const int first = mean.count / 2;
    for (int i = first; i < mean.count && i < std.count; i++) {
        double now = least_share(record->layer[layer].type, mean.value[i], std.value[i]);
        if (now > limit && !*since)
            *since = mean.step[i];
        share += now / (mean.count - first);
    }
    return share;
}

typedef struct Saturation {
    const char *name;
    double share;
    int64_t since;
} Saturation;

static int collect(const RuleInput *in, Saturation layer[])
{
    static const char *const types[] = {"tanh", "sigmoid", "hardtanh", NULL};
    const Evidence *evidence = in->evidence;
    const Probe *probe = evidence->final && isfinite(evidence->final->loss) ? evidence->final
                         : evidence->record                                 ? NULL
                                                                            : evidence->initial;
    int count = 0;
    for (int i = 0; probe && i < probe->layers; i++)
        if (probe->layer[i].saturated > in->limit[0] && !judge_is_output_layer(evidence->config, i)) {
            bool at_start = evidence->initial && evidence->initial->layer[i].saturated > in->limit[0];
            int64_t since = at_start || !evidence->record ? 0 : evidence->record->first_step;
            if (!at_start && evidence->record && i < evidence->record->layers) {
                share_in_log(evidence->record, i, &since, in->limit[0]);
                since = since ? since : evidence->record->last_step;
            }
            layer[count++] = (Saturation){probe->layer[i].name, probe->layer[i].saturated, since};
        }
    if (probe || !evidence->record)
        return count;
    LayerChoice choice = judge_layers_of(in, types);
    for (int k = 0; k < choice.count; k++) {
        int i = choice.index[k];
        int64_t since;
        double share = share_in_log(evidence->record, i, &since, in->limit[0]);
        if (share > in->limit[0] && i + 1 < evidence->record->layers)
            layer[count++] = (Saturation){evidence->record->layer[i].name, share, since};
    }
    return count;
}

static void check(const RuleInput *in, Findings *out)
{
    const Evidence *evidence = in->evidence;
    int layers = evidence->record ? evidence->record->layers : evidence->initial ? evidence->initial->layers : 0;
    Saturation *layer = ARENA_ARRAY(in->arena, Saturation, layers + 1);
    int count = collect(in, layer), worst = 0;
    for (int i = 1; i < count; i++)
        worst = layer[i].share > layer[worst].share ? i : worst;
    if (!count || (layer[worst].since > 0 && judge_progress(in) > in->limit[1]))
        return;
    Finding *finding = finding_add(
        out, layer[worst].since, evidence->record ? evidence->record->last_step : 0, layer[worst].share, in->limit[0],
        "%.0f %% of the activations of %s lie within 1 %% of a bound, where the derivative is below 0.02",
        100 * layer[worst].share, layer[worst].name);
    for (int i = 0; i < count; i++)
        finding_add_layer(out, finding, layer[i].name);
    finding->blame = judge_layer_path(in, layer[worst].name);
    if (layer[worst].since == 0)
        judge_change_init(in, out, finding, "\"xavier_normal\"");
    else
        judge_change_rate(in, out, finding, 0.1);
}

const Rule rule_saturated_units = {
    .name = "saturated-units",
    .severity = SEVERITY_WARNING,
    .group = GROUP_ACTIVATIONS,
    .stage = STAGE_LIVE,
    .summary = "activations of tanh or sigmoid sit at their bounds",
    .definition = "the share of a hidden tanh, sigmoid or hardtanh layer's activations within 1 % of a bound (|tanh| > 0.99, "
                  "sigmoid below 0.005 or above 0.995) with the last weights; "
                  "from a log alone the least share that mean and deviation allow, over the second half of the run",
    .consequence = "next to no gradient passes such a layer",
    .remedy = "smaller initial weights, normalised inputs, a smaller learning rate; relu or gelu",
    .source = "Glorot & Bengio 2010, section 3; TheDeepChecker",
    .false_alarms =
        "the output layer of a trained classifier is left out; units that came to saturate while the loss fell by half",
    .limit = {{"share", 0.5, "of activations at a bound"},
              {"progress", 0.5,
               "share of the loss that was removed, from which on saturation that came with training is no finding"}},
    .explains = {"update-ratio-high", "vanishing-gradient", "stuck-at-chance", "plateau", "cannot-overfit-batch",
                 "update-ratio-low", "exploding-gradient", "wrong-initial-loss", "activation-scale", "no-gradient-path",
                 "adam-eps-dominates"},
    .check = check,
};
