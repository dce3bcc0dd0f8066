/* Units that never answer. */
#include <math.h>
#include <string.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"
#include "monitor/run_line.h"

/* The step from which on the layer's share of zeros stays at least as large as that of its dead units: they cannot be older. */
static int64_t dead_since(const RuleInput *in, int layer, double dead)
{
    const Record *record = in->evidence->record;
    const Probe *initial = in->evidence->initial;
    if (!record || layer >= record->layers || (initial && initial->layer[layer].dead > 0.98))
        return 0;
    const RecordSeries zeros = record_track(record, RECORD_ACTIVATION_ZEROS, layer);
    int64_t since = series_above_since(zeros, dead - 1e-6);
    return since < 0 ? record->last_step : since;
}

typedef struct DeadLayer {
    const char *name;
    double share;
    int64_t since;
} DeadLayer;

/* In deep nets inputs come to point the same way, and half of the units are 0 for all of them before the first step (Schoenholz
 * et al. 2017: correlations go to 1): behind the first layers such units are the depth's, not dead. */
static double excused(const RuleInput *in, const Probe *probe, int layer)
{
    enum { SHALLOW = 3 };
    const Probe *initial = in->evidence->initial;
    int before = 0;
    for (int i = 0; i < layer; i++)
        before += isfinite(probe->layer[i].dead);
    if (!initial || initial == probe || before < SHALLOW || probe->layer[layer].dead > 0.98)
        return 0;
    double born = initial->layer[layer].dead;
    return born > 0 ? born : 0;
}

static int from_probe(const RuleInput *in, const Probe *probe, DeadLayer layer[])
{
    int count = 0;
    for (int i = 0; i < probe->layers; i++) {
        double share = probe->layer[i].dead;
        if (isfinite(share) && share - excused(in, probe, i) > in->limit[0])
            layer[count++] = (DeadLayer){probe->layer[i].name, share - excused(in, probe, i), dead_since(in, i, share)};
    }
    return count;
}

/* Without the weights only a layer that is 0 altogether is known to be dead. */
static int from_log(const RuleInput *in, const Record *record, DeadLayer layer[])
{
    static const char *const types[] = {"relu", NULL};
    LayerChoice choice = judge_layers_of(in, types);
    int count = 0;
    for (int k = 0; k < choice.count; k++) {
        const RecordSeries zeros = record_track(record, RECORD_ACTIVATION_ZEROS, choice.index[k]);
        double end = series_minimum(series_tail(zeros, zeros.count < 8 ? (zeros.count + 1) / 2 : zeros.count / 4));
        if (zeros.count && end >= 1)
            layer[count++] = (DeadLayer){record->layer[choice.index[k]].name, 1, series_above_since(zeros, 1 - 1e-9)};
    }
    return count;
}

/* Units that are dead from the start: leaky ones, and biases of the layer before them as they are by default. */
static void revive(const RuleInput *in, Findings *out, Finding *finding, const char *name)
{
    const Config *config = in->evidence->config;
    const char *path = judge_layer_path(in, name);
    if (!path)
        return;
    judge_change(in, out, finding, arena_printf(in->arena, "%s.type", path), "\"leaky_relu\"");
    for (int i = 1; i < config->model->leaves; i++) {
        const char *before = judge_layer_path(in, layer_path(config->model->leaf[i - 1]));
        bool found;
        if (strcmp(layer_path(config->model->leaf[i]), name) != 0 || !before)
            continue;
        json_find(config->json, arena_printf(in->arena, "%s.bias_init", before), &found);
        if (found)
            judge_change(in, out, finding, arena_printf(in->arena, "%s.bias_init", before), "\"default\"");
    }
}

static void check(const RuleInput *in, Findings *out)
{
    const Evidence *evidence = in->evidence;
    const Probe *probe = evidence->final ? evidence->final : evidence->record ? NULL : evidence->initial;
    int layers = probe ? probe->layers : evidence->record ? evidence->record->layers : 0, count = 0;
    DeadLayer *layer = ARENA_ARRAY(in->arena, DeadLayer, layers + 1);
    bool is_known = probe && isfinite(probe->loss);
    count = is_known ? from_probe(in, probe, layer) : evidence->record ? from_log(in, evidence->record, layer) : 0;
    if (!count)
        return;
    const DeadLayer *worst = &layer[0];
    for (int i = 1; i < count; i++)
        if (layer[i].share > worst->share)
            worst = &layer[i];
    int64_t last = evidence->record ? evidence->record->last_step : 0;
    bool is_whole = !is_known || worst->share >= 1; /* a log shows no single units */
    Finding *finding = is_whole ? finding_add(out, worst->since, last, 1, in->limit[0],
                                              "layer %s is dead: every unit gives 0 for every sample", worst->name)
                                : finding_add(out, worst->since, last, worst->share, in->limit[0],
                                              "%.0f %% of the units of %s give 0 for every one of %lld samples",
                                              100 * worst->share, worst->name, (long long)probe->samples);
    for (int i = 0; i < count; i++)
        finding_add_layer(out, finding, layer[i].name);
    finding->severity = judge_severity(in, worst->share >= in->limit[1] ? SEVERITY_ERROR : SEVERITY_WARNING);
    finding->blame = judge_layer_path(in, worst->name);
    if (worst->since > 20 || !finding->blame)
        judge_change_rate(in, out, finding, 0.1);
    else
        for (int i = 0; i < count; i++)
            revive(in, out, finding, layer[i].name);
}

const Rule rule_dead_units = {
    .name = "dead-units",
    .severity = SEVERITY_ERROR,
    .group = GROUP_ACTIVATIONS,
    .stage = STAGE_LIVE,
    .summary = "relu units give 0 for every sample and can no longer learn",
    .definition = "the share of a relu layer's units (channels) that are 0 for every training sample looked at (at least 1024, "
                  "or all there are) with the last weights; by the rule of three their "
                  "true rate is below 3 / n; behind the third such layer those that were 0 with the first weights are taken "
                  "off. From a log alone, a layer whose outputs are all 0 at the end of the run",
    .consequence = "dead units pass no gradient: the layers below learn through the others only",
    .remedy = "a smaller learning rate, He initialisation, biases of 0, leaky_relu",
    .source = "Lu et al. 2019; SageMaker Debugger DeadRelu (50 %); keras-contrib (10 %)",
    .false_alarms = "shares of zeros are no sign: sparse data and wide layers have many without dead units; units are counted",
    .limit = {{"warn", 0.1, "share of dead units from which on a layer is reported"},
              {"error", 0.5, "share from which on it is an error"}},
    .explains = {"no-gradient-path", "vanishing-gradient", "stuck-at-chance", "plateau", "cannot-overfit-batch",
                 "update-ratio-low", "activation-scale", "seed-variance-risk", "born-dead-risk"},
    .check = check,
};
