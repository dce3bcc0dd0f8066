/* cli/inspect_prediction.c: how gradients will flow, from the initial weights, beside what the first step measures. */
#include <math.h>
#include <stdio.h>

#include "autograd/watch.h"
#include "base/file.h"
#include "cli/document.h"
#include "cli/figures.h"
#include "cli/inspect.h"
#include "cli/table.h"
#include "diagnose/prediction.h"
#include "monitor/monitor.h"
#include "render/plot_data.h"

typedef struct Forecast {
    const char *path, *name;
    bool is_run;
    const Prediction *prediction;
    MeasuredFlow measured; /* layers 0: nothing was */
} Forecast;

/* A gradient scaler that begins too high skips steps, each at half the scale of the one before. */
enum { SKIPS_MOST = 40 };

/* The gradient of each layer's output in one step. */
typedef struct StepFlow {
    Arena *arena;
    Watch *watch;
    int layers;
    StepReport report;
} StepFlow;

static bool measures(void *context, int64_t step)
{
    (void)context;
    (void)step;
    return true;
}

static void attach(void *context, const TrainGraph *graph)
{
    StepFlow *flow = context;
    for (int i = 0; i < flow->layers; i++)
        watch_attach(&flow->watch[i], graph->leaf_grad[i], graph->variant, flow->arena);
}

static void begin(void *context, int64_t step)
{
    StepFlow *flow = context;
    (void)step;
    for (int i = 0; i < flow->layers; i++)
        watch_begin(&flow->watch[i]);
}

static void ran(void *context, const TrainGraph *graph)
{
    StepFlow *flow = context;
    for (int i = 0; i < flow->layers; i++)
        watch_collect(&flow->watch[i], graph->leaf_grad[i]);
}

static bool keep_report(void *context, const StepReport *report, bool measured, const ClipResult *clip, Error *err)
{
    (void)measured;
    (void)clip;
    (void)err;
    ((StepFlow *)context)->report = *report;
    return true;
}

static MeasuredFlow measured_flow(Arena *arena, const Model *model, const StepFlow *flow)
{
    const char **names = ARENA_ARRAY(arena, const char *, flow->layers);
    double *rms = ARENA_ARRAY(arena, double, flow->layers);
    for (int i = 0; i < flow->layers; i++) {
        const Statistics *total = &flow->watch[i].total;
        names[i] = layer_path(model->leaf[i]);
        rms[i] = !flow->watch[i].is_present ? run_missing()
                 : total->nonfinite         ? (double)NAN
                                            : sqrt(total->square / (double)total->count);
    }
    return (MeasuredFlow){
        .step = flow->report.step > 0 ? flow->report.step : 1, .layers = flow->layers, .name = names, .rms = rms};
}

static bool is_finite(const StepFlow *flow)
{
    for (int i = 0; i < flow->layers; i++)
        if (flow->watch[i].is_present && flow->watch[i].total.nonfinite)
            return false;
    return true;
}

/* The first step, or the first one that leaves finite gradients where a scaler skips the ones before it: the weights are still
 * the initial ones. A run is asked for the same in its log. */
static bool measure_step(Command *cmd, Config *config, MeasuredFlow *measured)
{
    Threads *threads;
    if (!command_threads(cmd, &threads))
        return false;
    StepFlow *flow = ARENA_NEW(cmd->arena, StepFlow);
    *flow = (StepFlow){
        .arena = cmd->arena, .watch = ARENA_ARRAY(cmd->arena, Watch, config->model->leaves), .layers = config->model->leaves};
    Observer *observer = ARENA_NEW(cmd->arena, Observer);
    *observer = (Observer){.context = flow,
                           .measures = measures,
                           .wants_leaf_gradients = true,
                           .attach = attach,
                           .begin = begin,
                           .ran = ran,
                           .stepped = keep_report};
    Trainer *trainer = trainer_new(cmd->arena, config, threads, observer, cmd->err);
    if (!trainer)
        return false;
    for (int skips = 0; skips == 0 || (flow->report.skipped && !is_finite(flow) && skips < SKIPS_MOST); skips++)
        if (trainer_step(trainer, cmd->err) == TRAIN_FAILED)
            return false;
    *measured = measured_flow(cmd->arena, config->model, flow);
    return true;
}

static bool forecast_config(Command *cmd, const StringList *sets, Forecast *forecast)
{
    Json *root = json_read_file(cmd->arena, forecast->path, cmd->err);
    if (!root)
        return false;
    if (json_member(root, "layers") && !json_member(root, "model")) {
        error_add(cmd->err, "--prediction needs a config or a run, and %s is a model", forecast->path);
        error_hint(cmd->err, "how its gradients will flow depends on its inputs and initial weights, too");
        return false;
    }
    Config *config = config_read(cmd->arena, forecast->path, sets->at, sets->count, cmd->err);
    if (!config || !monitor_new(cmd->arena, config, cmd->err))
        return false;
    forecast->name = config->name;
    forecast->prediction = prediction_new(cmd->arena, config);
    return !forecast->prediction->is_supported || measure_step(cmd, config, &forecast->measured);
}

static bool forecast_run(Command *cmd, Forecast *forecast)
{
    const PlotData *data = plot_data_read(cmd->arena, forecast->path, cmd->err);
    if (!data)
        return false;
    forecast->is_run = true;
    forecast->name = data->title;
    forecast->measured = data->first_flow;
    forecast->prediction = prediction_of_run(cmd->arena, forecast->path, cmd->err);
    return forecast->prediction != NULL;
}

static double measured_ratio(const Forecast *forecast)
{
    const Prediction *p = forecast->prediction;
    return p->first < 0 ? run_missing() : prediction_measured(p, p->first, &forecast->measured);
}

static double seed_factor(const Prediction *p)
{
    return exp(sqrt(p->log_variance) / 2);
}

/* A figure; nothing where there is none. */
static void add_known(Table *table, double value)
{
    if (isnan(value))
        table_add(table, run_is_missing(value) ? "" : "-");
    else
        table_figure(table, value);
}

static void add_layers(Command *cmd, const Forecast *forecast, Text *text)
{
    static const char *const heads[] = {"layer", "then",      "width",  "sigma_w^2", "q",
                                        "chi1",  "predicted", "spread", "measured",  "born dead"};
    const Prediction *p = forecast->prediction;
    Table table = table_new(cmd->arena, "llrrrrrrrr");
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        table_add(&table, heads[i]);
    for (int i = 0; i < p->layers; i++) {
        const PredictedLayer *layer = &p->layer[i];
        char low[FIGURE_SIZE], high[FIGURE_SIZE];
        table_add(&table, layer->name);
        table_add(&table, layer->activation);
        table_add(&table, figure_count(cmd->arena, layer->width));
        table_figure(&table, layer->weight_variance);
        add_known(&table, layer->q);
        add_known(&table, layer->is_output ? run_missing() : layer->chi);
        add_known(&table, layer->is_output ? run_missing() : layer->flow);
        if (layer->log_variance > 0)
            table_printf(&table, "%s to %s", figure(low, prediction_low(layer), 3), figure(high, prediction_high(layer), 3));
        else
            table_add(&table, "");
        add_known(&table, prediction_measured(p, i, &forecast->measured));
        add_known(&table, layer->born_dead > 0 ? layer->born_dead : run_missing());
    }
    table_write(&table, text);
}

static void add_flow(const Forecast *forecast, Text *text)
{
    const Prediction *p = forecast->prediction;
    const PredictedLayer *first = &p->layer[p->first];
    const double measured = measured_ratio(forecast);
    char figures[4][FIGURE_SIZE];
    text_printf(text, "flow       %s over %s: predicted %s", first->name, p->layer[p->last].name,
                figure(figures[0], p->flow_ratio, 3));
    if (first->log_variance > 0)
        text_printf(text, ", one deviation over seeds from %s to %s", figure(figures[1], prediction_low(first), 3),
                    figure(figures[2], prediction_high(first), 3));
    if (!run_is_missing(measured))
        text_printf(text, "; measured %s", figure(figures[3], measured, 3));
    text_add_char(text, '\n');
}

static void add_chi(const Prediction *p, Text *text)
{
    char figures[2][FIGURE_SIZE];
    bool is_passed_by = false;
    for (int i = 0; i < p->layers; i++)
        is_passed_by |= p->layer[i].in_residual;
    text_printf(text, "chi        %s a layer", figure(figures[0], p->chi_mean, 3));
    if (is_passed_by)
        text_add(text, ", but shortcuts pass some of them by\n");
    else if (isfinite(p->depth_scale))
        text_printf(text, ": going back, the squared gradient %s in %s layers\n",
                    p->chi_mean < 1 ? "shrinks to 1/e" : "grows by a factor of e", figure(figures[1], p->depth_scale, 3));
    else
        text_add(text, ": the gradient keeps its size\n");
}

static void add_summary(const Forecast *forecast, Text *text)
{
    const Prediction *p = forecast->prediction;
    char figures[2][FIGURE_SIZE];
    text_add_char(text, '\n');
    if (p->first != p->last && isfinite(p->flow_ratio))
        add_flow(forecast, text);
    if (isfinite(p->chi_mean))
        add_chi(p, text);
    if (p->log_variance > 0)
        text_printf(
            text, "seeds      beta %s (sum of 1 / width): the norm of the gradient varies by a factor of %s (one deviation)\n",
            figure(figures[0], p->beta, 3), figure(figures[1], seed_factor(p), 3));
    text_printf(text, "born dead  %s: the probability that some layer has no living unit before the first step\n",
                figure(figures[0], p->born_dead, 3));
}

static void print_text(Command *cmd, const Forecast *forecast)
{
    const Prediction *p = forecast->prediction;
    Text text = text_new(cmd->arena);
    text_printf(&text, "%s%s%s  %s\n", terminal_bold(&cmd->out), forecast->name, terminal_plain(&cmd->out), forecast->path);
    if (!p->is_supported) {
        text_printf(&text, "not predicted: %s\n", p->reason);
    } else {
        text_printf(&text, "rms of dL/d(output) relative to %s, from the initial weights", p->layer[p->last].name);
        if (forecast->measured.layers)
            text_printf(&text, "; measured in step %lld", (long long)forecast->measured.step);
        text_add(&text, "\n\n");
        add_layers(cmd, forecast, &text);
        add_summary(forecast, &text);
    }
    fwrite(text.at, 1, text.length, cmd->out.stream);
}

/* null for what is not known. */
static void add_number(Arena *arena, Json *object, const char *key, double value, bool is_known)
{
    if (is_known)
        document_add_number(arena, object, key, value);
    else
        document_add_string(arena, object, key, NULL);
}

static void add_bool(Arena *arena, Json *object, const char *key, bool value)
{
    document_add(arena, object, key, JSON_BOOL)->number = value;
}

static Json *layer_row(Arena *arena, const Forecast *forecast, int index)
{
    const PredictedLayer *layer = &forecast->prediction->layer[index];
    const double measured = prediction_measured(forecast->prediction, index, &forecast->measured);
    const bool has_flow = isfinite(layer->flow);
    Json *row = json_new(arena, JSON_OBJECT);
    document_add_string(arena, row, "name", layer->name);
    document_add_string(arena, row, "activation", *layer->activation ? layer->activation : NULL);
    document_add_number(arena, row, "width", layer->width);
    document_add_number(arena, row, "fan_in", layer->fan_in);
    document_add_number(arena, row, "weight_variance", layer->weight_variance);
    document_add_number(arena, row, "bias_variance", layer->bias_variance);
    add_number(arena, row, "q", layer->q, !isnan(layer->q));
    add_number(arena, row, "chi", layer->chi, !layer->is_output && !isnan(layer->chi));
    add_number(arena, row, "flow", layer->flow, has_flow);
    add_number(arena, row, "low", prediction_low(layer), has_flow);
    add_number(arena, row, "high", prediction_high(layer), has_flow);
    add_number(arena, row, "measured", measured, !run_is_missing(measured));
    document_add_number(arena, row, "born_dead", layer->born_dead);
    add_bool(arena, row, "in_residual", layer->in_residual);
    add_bool(arena, row, "normalised", layer->is_normalised);
    add_bool(arena, row, "output", layer->is_output);
    return row;
}

static void print_document(Command *cmd, const Forecast *forecast)
{
    Arena *arena = cmd->arena;
    const Prediction *p = forecast->prediction;
    const bool has_ends = p->first >= 0;
    const double measured = measured_ratio(forecast);
    Json *result = json_new(arena, JSON_OBJECT);
    document_add_string(arena, result, "kind", forecast->is_run ? "run" : "config");
    document_add_string(arena, result, "name", forecast->name);
    Json *object = document_add(arena, result, "prediction", JSON_OBJECT);
    add_bool(arena, object, "supported", p->is_supported);
    document_add_string(arena, object, "reason", p->is_supported ? NULL : p->reason);
    document_add_string(arena, object, "first", has_ends ? p->layer[p->first].name : NULL);
    document_add_string(arena, object, "last", has_ends ? p->layer[p->last].name : NULL);
    add_number(arena, object, "flow_ratio", p->flow_ratio, !isnan(p->flow_ratio));
    add_number(arena, object, "measured_ratio", measured, !run_is_missing(measured));
    add_number(arena, object, "measured_step", (double)forecast->measured.step, forecast->measured.layers > 0);
    add_number(arena, object, "chi_mean", p->chi_mean, !isnan(p->chi_mean));
    add_number(arena, object, "depth_scale", p->depth_scale, !isnan(p->depth_scale));
    document_add_number(arena, object, "beta", p->beta);
    document_add_number(arena, object, "log_variance", p->log_variance);
    document_add_number(arena, object, "log_mean", p->log_mean);
    document_add_number(arena, object, "seed_factor", seed_factor(p));
    document_add_number(arena, object, "born_dead", p->born_dead);
    Json *layers = document_add(arena, object, "layers", JSON_ARRAY);
    for (int i = 0; i < p->layers; i++)
        json_add_item(layers, layer_row(arena, forecast, i));
    document_print(arena, result, cmd->out.stream);
}

int inspect_prediction(Command *cmd, const char *path, const StringList *sets)
{
    Forecast forecast = {.path = path};
    if (!(file_is_folder(path) ? forecast_run(cmd, &forecast) : forecast_config(cmd, sets, &forecast)))
        return EXIT_FAILED;
    if (cmd->common.json)
        print_document(cmd, &forecast);
    else
        print_text(cmd, &forecast);
    return EXIT_HEALTHY;
}
