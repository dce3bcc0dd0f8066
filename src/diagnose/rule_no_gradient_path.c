/* Weights that are to learn, but get no gradient. */
#include <math.h>
#include <string.h>

#include "diagnose/judge.h"
#include "diagnose/robust.h"

/* Whether the log shows that some gradient of the parameter was not zero. */
static bool ever_moved(const Record *record, int index)
{
    return record && index < record->parameters && series_maximum(record_track(record, RECORD_GRADIENT_NORM, index)) > 0;
}

static void add(const RuleInput *in, Findings *out, Finding **finding, const char *name, const char *why)
{
    if (!*finding) {
        *finding = finding_add(out, 0, in->evidence->record ? in->evidence->record->last_step : 0, 0, 0, "%s", why);
        (*finding)->blame = judge_parameter_path(in, name);
    }
    finding_add_layer(out, *finding, name);
}

static void say(const RuleInput *in, Finding *finding, const char *what)
{
    if (finding)
        finding->message = arena_printf(
            in->arena, "%s%s %s", finding->layers[0],
            finding->layer_count > 1 ? arena_printf(in->arena, " and %d more parameters", finding->layer_count - 1) : "", what);
}

/* From the graph: no way leads from the loss to the weights. */
static void check_graph(const RuleInput *in, Findings *out, const Probe *probe)
{
    Finding *finding = NULL;
    for (int i = 0; i < probe->parameters; i++)
        if (!probe->parameter[i].has_path && !probe->parameter[i].is_frozen)
            add(in, out, &finding, probe->parameter[i].name, "");
    say(in, finding,
        "get no gradient: no path of the graph leads there from the loss (a detach, no_grad, or an output that nothing uses)");
}

/* From the log alone. */
static void check_log(const RuleInput *in, Findings *out, const Record *record)
{
    Finding *finding = NULL;
    for (int i = 0; i < record->parameters; i++)
        if (!record->parameter[i].has_gradient && !record->is_foreign && record->points)
            add(in, out, &finding, record->parameter[i].name, "");
    say(in, finding, "never get a gradient");
}

/* There is a path, but what comes along it is exactly zero: unless units are dead, which is another rule's finding. */
static void check_zeros(const RuleInput *in, Findings *out, const Record *record)
{
    Finding *finding = NULL;
    bool has_dead = false;
    for (int i = 0; i < record->layers; i++) {
        const RecordSeries zeros = record_track(record, RECORD_ACTIVATION_ZEROS, i);
        has_dead |= strstr(record->layer[i].type, "relu") && series_median(zeros) == 1;
    }
    for (int i = 0; i < record->parameters && !has_dead; i++)
        if (record->parameter[i].has_gradient && !ever_moved(record, i) &&
            series_finite(record_track(record, RECORD_GRADIENT_NORM, i)) > 2)
            add(in, out, &finding, record->parameter[i].name, "");
    say(in, finding, "have a path to the loss, but their gradient is exactly zero in every step");
}

/* What stops the gradient, where it is a layer for that. */
static void remove_detach(const RuleInput *in, Findings *out)
{
    const Config *config = in->evidence->config;
    for (int i = 0; config && out->count && i < config->model->leaves; i++) {
        const char *path = judge_layer_path(in, layer_path(config->model->leaf[i]));
        if (path && !strcmp(layer_type_name(config->model->leaf[i]), "detach"))
            judge_change(in, out, out->at[out->count - 1], path, "null");
    }
}

static void check(const RuleInput *in, Findings *out)
{
    const Probe *probe = in->evidence->initial ? in->evidence->initial : in->evidence->final;
    const Record *record = in->evidence->record;
    int before = out->count;
    if (probe)
        check_graph(in, out, probe);
    else if (record)
        check_log(in, out, record);
    if (out->count > before)
        remove_detach(in, out);
    if (record)
        check_zeros(in, out, record);
}

const Rule rule_no_gradient_path = {
    .name = "no-gradient-path",
    .severity = SEVERITY_ERROR,
    .group = GROUP_FLOW,
    .stage = STAGE_LIVE,
    .summary = "weights that are to learn get no gradient",
    .definition = "a parameter that is not frozen and to which no path of the graph leads from the loss; or, another message, "
                  "one whose gradient is exactly zero in every observation "
                  "while no layer is dead",
    .consequence = "the weights stay as they were drawn",
    .remedy = "connect the layer, move the detach or no_grad; where it is meant, say \"freeze\": true",
    .source = "Jiang et al. 2025 (TrainCheck); PyTorch: parameters whose grad is None",
    .false_alarms = "frozen parameters are left out",
    .explains = {"stuck-at-chance", "plateau", "cannot-overfit-batch", "params-unchanged", "update-ratio-low",
                 "adam-eps-dominates", "weight-decay-dominates", "vanishing-gradient"},
    .check = check,
};
