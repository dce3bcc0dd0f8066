#include "diagnose/flow.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"
#include "monitor/run_line.h"
#include "nn/layer.h"

/* The weights of the layers, where there is nothing better. The last one is the output layer's. */
static LayerChoice weights_of(const RuleInput *in)
{
    const Record *record = in->evidence->record;
    int *index = ARENA_ARRAY(in->arena, int, record->parameters + 1), count = 0;
    for (int i = 0; i < record->parameters; i++) {
        const RecordTensor *p = &record->parameter[i];
        size_t length = strlen(p->name);
        bool is_bias = p->rank == 1 || (length >= 4 && !strcmp(p->name + length - 4, "bias"));
        if (!is_bias && p->has_gradient && !p->is_mean)
            index[count++] = i;
    }
    return (LayerChoice){.index = index, .count = count};
}

static RecordSeries series_of(const Record *record, const Flow *flow, int index, int64_t last)
{
    return series_between(record_track(record, flow->by_weights ? RECORD_GRADIENT_NORM : RECORD_FLOW, index), 0, last);
}

static double share_of_zeros(RecordSeries series)
{
    int zeros = 0, seen = 0;
    for (int i = 0; i < series.count; i++)
        if (!run_is_missing(series.value[i])) {
            seen++;
            zeros += series.value[i] == 0;
        }
    return seen ? (double)zeros / seen : 0;
}

/* Layers at the bottom whose gradient has become exactly 0 because it fell below what a float holds. */
static int underflown(const Flow *flow)
{
    int bottom = 0;
    while (bottom < flow->layers && !(flow->rms[bottom] > 0))
        bottom++;
    bool falls = bottom && bottom < flow->layers && flow->rms[bottom] < 1e-20 * flow->rms[flow->layers - 1];
    return falls ? bottom : 0;
}

static void fit_profile(Flow *flow, Arena *arena)
{
    double *logs = ARENA_ARRAY(arena, double, flow->layers), largest = -1;
    int count = 0;
    for (int i = 0; i < flow->layers; i++)
        if (flow->rms[i] > 0)
            logs[count++] = log(flow->rms[i]);
    LineFit fit = line_fit(logs, count);
    flow->slope = fit.slope;
    flow->r2 = fit.r2;
    for (int i = 0; i + 1 < flow->layers; i++) {
        double change = fabs(log(flow->rms[i] / flow->rms[i + 1]));
        if (isfinite(change) && change > largest) {
            largest = change;
            flow->worst = i;
        }
    }
}

static void fill_ratios(Flow *flow, RecordSeries bottom, RecordSeries top, bool underflow, Arena *arena)
{
    flow->ratio = ARENA_ARRAY(arena, double, bottom.count + 1);
    flow->step = ARENA_ARRAY(arena, int64_t, bottom.count + 1);
    for (int i = 0; i < bottom.count && i < top.count; i++) {
        double low = underflow && bottom.value[i] == 0 ? FLT_TRUE_MIN : bottom.value[i];
        if (!(low > 0) || !(top.value[i] > 0) || !isfinite(low) || !isfinite(top.value[i]))
            continue;
        flow->ratio[flow->count] = low / top.value[i];
        flow->step[flow->count++] = bottom.step[i];
    }
    double *copy = ARENA_ARRAY(arena, double, flow->count + 1);
    memcpy(copy, flow->ratio, sizeof(double) * (size_t)flow->count);
    flow->median = median_of(copy, flow->count);
}

const Flow *flow_over_depth(const RuleInput *in, int64_t last)
{
    const Record *record = in->evidence->record;
    Flow *flow = ARENA_NEW(in->arena, Flow);
    flow->by_weights = !record_has(record, RECORD_FLOW);
    LayerChoice choice = flow->by_weights ? weights_of(in) : judge_hidden_layers(in);
    if (choice.count < 2)
        return NULL;
    int *index = ARENA_ARRAY(in->arena, int, choice.count);
    flow->name = ARENA_ARRAY(in->arena, const char *, choice.count);
    flow->rms = ARENA_ARRAY(in->arena, double, choice.count);
    flow->zeros = ARENA_ARRAY(in->arena, double, choice.count);
    for (int i = 0; i < choice.count; i++) {
        RecordSeries series = series_of(record, flow, choice.index[i], last);
        if (!series_finite(series))
            continue; /* no gradient reaches it, by construction */
        index[flow->layers] = choice.index[i];
        flow->name[flow->layers] = (flow->by_weights ? record->parameter : record->layer)[choice.index[i]].name;
        flow->rms[flow->layers] = series_median(series);
        flow->zeros[flow->layers++] = share_of_zeros(series);
    }
    if (flow->layers < 2)
        return NULL;
    int bottom = underflown(flow);
    fit_profile(flow, in->arena);
    fill_ratios(flow, series_of(record, flow, index[0], last), series_of(record, flow, index[flow->layers - 1], last),
                bottom > 0, in->arena);
    return flow->count ? flow : NULL;
}

typedef struct Verdict {
    bool holds;
    Severity severity;
    int64_t first, last;
} Verdict;

/* A direction holds where it does in most observations, or at the end. */
static Verdict judge_ratios(const RuleInput *in, const double ratio[], const int64_t step[], int count, double median,
                            double warn, double error, bool vanishes)
{
    bool *holds = ARENA_ARRAY(in->arena, bool, count + 1), *gravely = ARENA_ARRAY(in->arena, bool, count + 1);
    int held = 0;
    Verdict verdict = {0};
    for (int i = 0; i < count; i++) {
        holds[i] = vanishes ? ratio[i] < warn : ratio[i] > warn;
        gravely[i] = vanishes ? ratio[i] < error : ratio[i] > error;
        held += holds[i];
        if (holds[i] && !verdict.first)
            verdict.first = step[i];
        if (holds[i])
            verdict.last = step[i];
    }
    bool median_holds = vanishes ? median < warn : median > warn;
    verdict.holds =
        count < 8 ? held > 0 && median_holds : holds_mostly(holds, count) && (median_holds || holds_to_end(holds, count));
    bool is_grave = vanishes ? median < error : median > error;
    verdict.severity = is_grave || (count >= 8 && holds_to_end(gravely, count)) ? SEVERITY_ERROR : SEVERITY_WARNING;
    return verdict;
}

static const char *explain_chi(const RuleInput *in)
{
    const Prediction *prediction = in->evidence->prediction;
    if (!prediction || !prediction->is_supported || !isfinite(prediction->flow_ratio))
        return "";
    return arena_printf(in->arena, "; the initial weights predict %.2g (chi %.2f a layer)", prediction->flow_ratio,
                        prediction->chi_mean);
}

static void change_sigmoids(const RuleInput *in, Findings *out, Finding *finding)
{
    const Config *config = in->evidence->config;
    for (int i = 0; config && i < config->model->leaves; i++) {
        const char *path = judge_layer_path(in, layer_path(config->model->leaf[i]));
        if (path && !strcmp(layer_type_name(config->model->leaf[i]), "sigmoid") && !judge_is_output_layer(config, i))
            judge_change(in, out, finding, arena_printf(in->arena, "%s.type", path), "\"relu\"");
    }
}

/* The initialisation that keeps the flow, where one activation rules. */
static void advise_init(const RuleInput *in, Findings *out, Finding *finding)
{
    static const char he[] = "{\"type\": \"kaiming_normal\", \"nonlinearity\": \"relu\"}";
    const Prediction *prediction = in->evidence->prediction;
    int relu = 0, tanh_like = 0, sigmoid = 0;
    for (int i = 0; prediction && i < prediction->layers; i++) {
        const char *type = prediction->layer[i].activation;
        relu += strstr(type, "elu") != NULL || !strcmp(type, "silu");
        tanh_like += !strcmp(type, "tanh") || !strcmp(type, "hardtanh");
        sigmoid += !strcmp(type, "sigmoid");
    }
    finding->blame = "model";
    if (sigmoid > relu && sigmoid > tanh_like) {
        finding->remedy =
            "the slope of a sigmoid is at most 1/4: relu or tanh instead, or residual connections and norm layers";
        change_sigmoids(in, out, finding);
        judge_change_init(in, out, finding, he);
    } else if (relu >= tanh_like && relu) {
        finding->remedy =
            "He initialisation, which relu needs (gain sqrt(2), variance 2 / fan_in), or norm layers or residual connections";
        judge_change_init(in, out, finding, he);
    } else if (tanh_like || (prediction && prediction->layers > 1)) {
        finding->remedy = "Glorot initialisation (variance 2 / (fan_in + fan_out)), or norm layers or residual connections";
        judge_change_init(in, out, finding, "\"xavier_normal\"");
    }
}

void flow_report(const RuleInput *in, Findings *out, const Flow *flow, double warn, double error, bool vanishes)
{
    Verdict verdict = judge_ratios(in, flow->ratio, flow->step, flow->count, flow->median, warn, error, vanishes);
    if (!verdict.holds)
        return;
    const char *first = flow->name[0], *last = flow->name[flow->layers - 1];
    const char *edge = flow->layers > 2 ? arena_printf(in->arena, ", %.2g a layer, most between %s and %s", exp(-flow->slope),
                                                       flow->name[flow->worst], flow->name[flow->worst + 1])
                                        : "";
    Finding *finding =
        finding_add(out, verdict.first, verdict.last, flow->median, verdict.severity == SEVERITY_ERROR ? error : warn,
                    "the gradient of %s's %s is %.2g times that of %s%s%s", first, flow->by_weights ? "weights" : "output",
                    flow->median, last, edge, explain_chi(in));
    if (verdict.severity < finding->severity)
        finding->severity = verdict.severity;
    finding->severity = judge_severity(in, finding->severity);
    double top = flow->rms[flow->layers - 1];
    for (int i = 0; i + 1 < flow->layers; i++)
        if (vanishes ? flow->rms[i] < warn * 10 * top : flow->rms[i] > warn / 10 * top)
            finding_add_layer(out, finding, flow->name[i]);
    advise_init(in, out, finding);
}

/* Gates where the gradient vanishes; where it explodes, a recurrent weight that keeps lengths, and clipping. */
static void change_recurrent(const RuleInput *in, Findings *out, Finding *finding, bool vanishes)
{
    if (!finding->blame)
        return;
    if (!vanishes) {
        judge_change(in, out, finding, "clip", "{\"type\": \"norm\", \"max_norm\": 1}");
        judge_change(in, out, finding, arena_printf(in->arena, "%s.init", finding->blame), "\"default\"");
        return;
    }
    bool found;
    const char *nonlinearity = arena_printf(in->arena, "%s.nonlinearity", finding->blame);
    judge_change(in, out, finding, arena_printf(in->arena, "%s.type", finding->blame), "\"lstm\"");
    json_find(in->evidence->config->json, nonlinearity, &found);
    if (found)
        judge_change(in, out, finding, nonlinearity, "null");
}

void flow_report_time(const RuleInput *in, Findings *out, double warn, double error, bool vanishes)
{
    static const char *const recurrent[] = {"rnn", "lstm", "gru", NULL};
    const Record *record = in->evidence->record;
    LayerChoice choice = judge_layers_of(in, recurrent);
    for (int k = 0; k < choice.count; k++) {
        const RecordSeries series = series_between(record_track(record, RECORD_TIME_RATIO, choice.index[k]), 0, judge_gate(in));
        double median = series_median(series);
        Verdict verdict = judge_ratios(in, series.value, series.step, series.count, median, warn, error, vanishes);
        double progress = judge_progress(in);
        if (!series_finite(series) || !verdict.holds || (vanishes && progress > 0.5))
            continue; /* what is learned needs no longer memory */
        Finding *finding =
            finding_add(out, verdict.first, verdict.last, median, verdict.severity == SEVERITY_ERROR ? error : warn,
                        "over the sequence of %s the gradient at the first position is %.2g times that at the last",
                        record->layer[choice.index[k]].name, median);
        finding_add_layer(out, finding, record->layer[choice.index[k]].name);
        if (verdict.severity < finding->severity)
            finding->severity = verdict.severity;
        finding->severity = judge_severity(in, finding->severity);
        finding->blame = judge_layer_path(in, record->layer[choice.index[k]].name);
        finding->remedy = vanishes ? "lstm or gru instead of rnn, an orthogonal recurrent weight, shorter sequences"
                                   : "an orthogonal recurrent weight, clipping by norm, lstm or gru instead of rnn";
        change_recurrent(in, out, finding, vanishes);
    }
}
