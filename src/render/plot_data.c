#include "render/plot_data.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

typedef struct Gathering {
    Arena *arena;
    PlotData *data;
    const char *const *parameter_names, *const *layer_names;
    double *row;                /* as long as the longest list */
    double *first_rms;          /* of layers: data->first_flow's */
    bool has_first_flow;        /* all of it finite */
    bool is_hooked;             /* a hook has changed something in the step whose own event is still to come, */
    bool is_scaled, is_skipped; /* and a scaler ran in it, and skipped it */
} Gathering;

static void matrix_add(Gathering *in, PlotMatrix *matrix, bool by_layer, int64_t step)
{
    if (!matrix->series) {
        const RunHeader *run = in->data->run;
        matrix->rows = by_layer ? run->layer_count : run->parameter_count;
        matrix->names = by_layer ? in->layer_names : in->parameter_names;
        matrix->series = series_new(in->arena, matrix->rows);
        matrix->spread = ARENA_ARRAY(in->arena, QuantileSketch, matrix->rows + 1);
        for (int i = 0; i < matrix->rows; i++)
            quantile_init(&matrix->spread[i], in->arena);
    }
    series_add(matrix->series, step, in->row);
    for (int i = 0; i < matrix->rows; i++)
        quantile_add(&matrix->spread[i], in->row[i]);
}

/* Some values of the tensor are not finite: then so is what stands for it, whatever the log wrote. */
static void mark_nonfinite(Gathering *in, const RunEvent *event)
{
    int count;
    const double *nonfinite = run_event_numbers(event, "nonfinite", &count);
    for (int i = 0; i < count; i++)
        if (nonfinite[i] > 0)
            in->row[i] = NAN;
}

static void gather_plain(Gathering *in, const RunEvent *event, const char *key, PlotMatrix *matrix)
{
    int count;
    const double *values = run_event_numbers(event, key, &count);
    if (count == 0)
        return;
    memcpy(in->row, values, (size_t)count * sizeof *values);
    mark_nonfinite(in, event);
    matrix_add(in, matrix, false, event->step);
}

/* Also leaves it in in->row. False where the event has none. */
static bool gather_rms(Gathering *in, const RunEvent *event, PlotMatrix *matrix)
{
    int count, deviations;
    const double *mean = run_event_numbers(event, "mean", &count);
    const double *deviation = run_event_numbers(event, "std", &deviations);
    if (count == 0 || deviations != count)
        return false;
    for (int i = 0; i < count; i++)
        in->row[i] = run_is_missing(mean[i]) || run_is_missing(deviation[i]) ? run_missing() : hypot(mean[i], deviation[i]);
    mark_nonfinite(in, event);
    matrix_add(in, matrix, true, event->step);
    return true;
}

/* Of a step that the gradient scaler skips nothing is finite; the next one stands at the same weights. */
static void keep_first_flow(Gathering *in, int64_t step)
{
    MeasuredFlow *flow = &in->data->first_flow;
    if (in->has_first_flow)
        return;
    *flow = (MeasuredFlow){.step = step, .layers = in->data->run->layer_count, .name = in->layer_names, .rms = in->first_rms};
    in->has_first_flow = true;
    for (int i = 0; i < flow->layers; i++) {
        in->first_rms[i] = in->row[i];
        in->has_first_flow &= isfinite(in->row[i]) || run_is_missing(in->row[i]);
    }
}

/* "t = 3" from 0 to the last position, or the first of those that a row holds. */
static const char *const *time_names(Arena *arena, int rows, double positions)
{
    const char **names = ARENA_ARRAY(arena, const char *, rows);
    for (int i = 0; i < rows; i++)
        names[i] = arena_printf(arena, "t = %.0f", ceil(i * positions / rows));
    return names;
}

static PlotTime *find_time(Gathering *in, const char *name)
{
    PlotData *data = in->data;
    for (int i = 0; i < data->time_count; i++)
        if (strcmp(data->time[i].name, name) == 0)
            return &data->time[i];
    if (data->time_count == PLOT_TIME_LIMIT) {
        data->has_more_time = true;
        return NULL;
    }
    data->time[data->time_count] = (PlotTime){.name = arena_strdup(in->arena, name)};
    return &data->time[data->time_count++];
}

static bool has_recurrent_layer(const RunHeader *run)
{
    for (int i = 0; i < run->layer_count; i++)
        if (!strcmp(run->layers[i].type, "rnn") || !strcmp(run->layers[i].type, "lstm") || !strcmp(run->layers[i].type, "gru"))
            return true;
    return false;
}

/* Of recurrent layers the gates' gradient is drawn: it is what flows back through time. */
static void gather_time(Gathering *in, const RunEvent *event)
{
    int deltas, count;
    const double *delta = run_event_numbers(event, "delta_rms", &deltas), *values = run_event_numbers(event, "rms", &count);
    const char *name = run_event_string(event, "name");
    bool is_drawn = name && (deltas > 0 || (count > 0 && !has_recurrent_layer(in->data->run)));
    PlotTime *time = is_drawn ? find_time(in, name) : NULL;
    if (!time)
        return;
    PlotMatrix *matrix = &time->matrix;
    if (!matrix->series) {
        double positions = run_event_number(event, "positions");
        matrix->rows = deltas > 0 ? deltas : count;
        time->is_delta = deltas > 0;
        matrix->names = time_names(in->arena, matrix->rows, positions >= matrix->rows ? positions : matrix->rows);
        matrix->series = series_new(in->arena, matrix->rows);
    }
    if (matrix->rows == (time->is_delta ? deltas : count))
        series_add(matrix->series, event->step, time->is_delta ? delta : values);
}

static void gather_step(Gathering *in, const RunEvent *event)
{
    RunStep step = run_event_step(event);
    double row[STEP_ROWS];
    row[STEP_LOSS] = step.loss;
    row[STEP_GRAD_NORM] = step.grad_norm;
    row[STEP_CLIPPED_NORM] = step.clipped_norm;
    bool has_both = isfinite(step.grad_norm) && isfinite(step.clipped_norm) && step.grad_norm > 0;
    row[STEP_CLIP_COEFFICIENT] = has_both ? step.clipped_norm / step.grad_norm : run_missing();
    row[STEP_GENERATOR_LOSS] = run_event_number(event, "generator_loss");
    row[STEP_HOOKED] = in->is_hooked ? 1 : run_missing();
    row[STEP_SCALE] = in->is_scaled ? step.scale : run_missing();
    row[STEP_SKIPPED] = in->is_skipped ? 1 : run_missing();
    if (in->is_skipped)
        row[STEP_GRAD_NORM] = row[STEP_CLIPPED_NORM] = run_missing();
    in->data->scaler_skips += in->is_skipped;
    in->is_hooked = in->is_scaled = in->is_skipped = false;
    series_add(in->data->steps, event->step, row);
    in->data->step_count++;
}

static void gather_eval(Gathering *in, const RunEvent *event)
{
    double row[EVAL_ROWS];
    row[EVAL_LOSS] = run_event_number(event, "loss");
    row[EVAL_ACCURACY] = run_event_number(event, "accuracy");
    series_add(in->data->evaluation, event->step, row);
}

static void gather_penalty(Gathering *in, const RunEvent *event)
{
    double row[PENALTY_ROWS];
    row[PENALTY_NORM] = run_event_number(event, "norm");
    row[PENALTY_VALUE] = run_event_number(event, "value");
    series_add(in->data->penalty, event->step, row);
}

static void gather(Gathering *in, const RunEvent *event)
{
    PlotData *data = in->data;
    RunHistogram histogram;
    if (event->step < 0)
        return;
    switch (event->kind) {
    case RUN_EVENT_STEP:
        gather_step(in, event);
        break;
    case RUN_EVENT_ARRAYS:
        if (strcmp(event->name, "gradients") == 0)
            gather_plain(in, event, "norm", &data->gradients);
        else if (strcmp(event->name, "updates") == 0)
            gather_plain(in, event, "ratio", &data->updates);
        else if (strcmp(event->name, "activations") == 0)
            gather_rms(in, event, &data->activations);
        else if (strcmp(event->name, "activation_gradients") == 0 && gather_rms(in, event, &data->activation_gradients))
            keep_first_flow(in, event->step);
        else if (strcmp(event->name, "time_gradients") == 0)
            gather_time(in, event);
        break;
    case RUN_EVENT_HISTOGRAM:
        histogram = run_event_histogram(event);
        histogram_store_add(&data->histograms, event->step, &histogram);
        precision_log_add(&data->precision, event->step, &histogram);
        break;
    case RUN_EVENT_CLIP:
        data->clip_events++;
        break;
    case RUN_EVENT_PENALTY:
        gather_penalty(in, event);
        break;
    case RUN_EVENT_SCALER:
        in->is_scaled = true;
        in->is_skipped = run_event_number(event, "skipped") == 1;
        break;
    case RUN_EVENT_HOOK:
        in->is_hooked |= run_event_field(event, "changed") && run_event_field(event, "changed")->number == 1;
        break;
    case RUN_EVENT_EVAL:
        gather_eval(in, event);
        break;
    default:
        break;
    }
}

/* The threshold can be drawn beside the total norm only where it is one: norm clipping, 2-norm, all parameters together. */
static double max_norm_of(const Json *clip)
{
    const Json *type = json_member(clip, "type"), *limit = json_member(clip, "max_norm");
    const Json *norm = json_member(clip, "norm_type"), *per_layer = json_member(clip, "per_layer");
    bool is_norm = !type || (type->type == JSON_STRING && strcmp(type->string, "norm") == 0);
    bool is_two = !norm || (norm->type == JSON_NUMBER && norm->number == 2);
    bool is_total = !per_layer || (per_layer->type == JSON_BOOL && per_layer->number == 0);
    bool is_drawn = limit && limit->type == JSON_NUMBER && limit->number > 0 && is_norm && is_two && is_total;
    return is_drawn ? limit->number : NAN;
}

/* What the log does not say, from config.json where there is one. */
static void read_config(Arena *arena, const char *folder, PlotData *data)
{
    Arena *scratch = arena_new(arena);
    const char *path = path_join(scratch, folder, "config.json");
    const Json *config = file_exists(path) ? json_read_file(scratch, path, error_new(scratch)) : NULL;
    const Json *target = json_member(json_member(config, "penalty"), "target");
    data->max_norm =
        json_member(config, "gan") ? NAN : max_norm_of(json_member(config, "clip")); /* a GAN's nets are clipped each */
    data->penalty_target = target && target->type == JSON_NUMBER ? target->number : NAN;
    arena_free(scratch);
}

static const char *title_of(Arena *arena, const RunHeader *run)
{
    if (run->name[0])
        return run->name;
    const char *name = path_name(path_absolute(arena, run->folder));
    return name[0] ? name : "run";
}

PlotData *plot_data_read(Arena *arena, const char *folder, Error *err)
{
    RunReader *reader = run_reader_open(arena, folder, err);
    if (!reader)
        return NULL;
    PlotData *data = ARENA_NEW(arena, PlotData);
    const RunHeader *run = run_reader_header(reader);
    data->run = run;
    data->title = title_of(arena, run);
    data->steps = series_new(arena, STEP_ROWS);
    data->evaluation = series_new(arena, EVAL_ROWS);
    data->penalty = series_new(arena, PENALTY_ROWS);
    data->histograms = (HistogramStore){.arena = arena};
    data->precision = (PrecisionLog){.arena = arena};
    read_config(arena, folder, data);

    const char **parameters = ARENA_ARRAY(arena, const char *, run->parameter_count + 1);
    const char **layers = ARENA_ARRAY(arena, const char *, run->layer_count + 1);
    for (int i = 0; i < run->parameter_count; i++)
        parameters[i] = run->parameters[i].name;
    for (int i = 0; i < run->layer_count; i++)
        layers[i] = run->layers[i].name;
    int longest = run->parameter_count > run->layer_count ? run->parameter_count : run->layer_count;
    Gathering in = {.arena = arena,
                    .data = data,
                    .parameter_names = parameters,
                    .layer_names = layers,
                    .row = ARENA_ARRAY(arena, double, longest + 1),
                    .first_rms = ARENA_ARRAY(arena, double, run->layer_count + 1)};

    for (;;) {
        RunEvent event;
        if (!run_reader_next(reader, &event, err))
            return NULL;
        if (event.kind == RUN_EVENT_NONE)
            break;
        gather(&in, &event);
    }
    precision_log_end(&data->precision);
    return data;
}

/* The parameters of a layer follow each other. */
bool plot_data_is_main(const PlotData *data, int parameter)
{
    const RunParameter *all = data->run->parameters, *one = &all[parameter];
    if (one->rank >= 2 || !one->layer[0])
        return true;
    if (parameter > 0 && strcmp(all[parameter - 1].layer, one->layer) == 0)
        return false;
    for (int i = parameter + 1; i < data->run->parameter_count && strcmp(all[i].layer, one->layer) == 0; i++)
        if (all[i].rank >= 2)
            return false;
    return true;
}
