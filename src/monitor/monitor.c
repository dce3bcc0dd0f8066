/* The monitor hands what training tells it to its instruments, and their events to the log. */
#include "monitor/monitor.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/fields.h"
#include "base/file.h"
#include "monitor/instrument.h"
#include "monitor/nonfinite_event.h"
#include "tensor/tensor_file.h"
#include "train/reproducer.h"

#define INSTRUMENT(name) extern const Instrument instrument_##name;
#include "monitor/instruments.def"

const Instrument *const instrument_table[] = {
#define INSTRUMENT(name) &instrument_##name,
#include "monitor/instruments.def"
};
const int instrument_count = sizeof instrument_table / sizeof *instrument_table;

enum { INSTRUMENT_LIMIT = 16 };

typedef struct MonitorOptions {
    int64_t every, histogram_every;
    Json *instruments;
} MonitorOptions;

static const Field monitor_fields[] = {
    {"every", FIELD_INTEGER, offsetof(MonitorOptions, every), "1", .limit = FIELD_POSITIVE,
     .help = "steps between measured ones"},
    {"histogram_every", FIELD_INTEGER, offsetof(MonitorOptions, histogram_every), "50", .limit = FIELD_NOT_NEGATIVE,
     .help = "steps between histograms; 0: none"},
    {"instruments", FIELD_JSON, offsetof(MonitorOptions, instruments), .help = "names, or \"all\", or \"none\""},
    {0}};
static const Field output_fields[] = {
    {"dir", FIELD_STRING, offsetof(OutputOptions, dir), .help = "the run folder"},
    {"plots", FIELD_BOOL, offsetof(OutputOptions, plots), "true", .help = "draw the pictures when the run ends"},
    {0}};

typedef struct Fitted {
    const Instrument *row;
    void *state;
    bool is_due; /* in this step */
} Fitted;

struct Monitor {
    Arena *arena;
    const Config *config;
    MonitorOptions options;
    OutputOptions output;
    Fitted instrument[INSTRUMENT_LIMIT];
    int instruments;
    bool wants_statistics;
    Variant variant;
    Statistics *gradient; /* of each weight, in the last measured step */
    bool *present;
    RunLog *log; /* NULL: nothing is written */
    const char *folder;
    RunCheckpoints checkpoints;
    int64_t step, step_bytes; /* the last one in the log, and the log's length before it */
    Observer observer;
    MonitorListener listener;
};

static bool chosen(const Json *list, const Instrument *row, const Model *model)
{
    if (!list)
        return row->is_default && (!row->suits || row->suits(model));
    if (list->type == JSON_STRING)
        return !strcmp(list->string, "all");
    for (const Json *item = list->first; item; item = item->next)
        if (!strcmp(item->string, row->name) || !strcmp(item->string, "all"))
            return true;
    return false;
}

static bool check_name(const Json *value, Error *err)
{
    const char *names[INSTRUMENT_LIMIT + 3] = {NULL};
    for (int i = 0; i < instrument_count; i++)
        names[i] = instrument_table[i]->name;
    names[instrument_count] = "all";
    names[instrument_count + 1] = "none";
    return fields_choose(value, "instrument", names, err) >= 0;
}

static bool check_instruments(const Json *list, Error *err)
{
    bool fine = true;
    if (!list)
        return true;
    if (list->type == JSON_STRING) {
        if (strcmp(list->string, "all") != 0 && strcmp(list->string, "none") != 0)
            return error_at(err, list, "`instruments` is a list of names, or \"all\", or \"none\"");
        return true;
    }
    if (list->type != JSON_ARRAY)
        return error_at(err, list, "`instruments` is a list of names, or \"all\", or \"none\"");
    for (const Json *item = list->first; item; item = item->next)
        fine = check_name(item, err) && fine;
    return fine;
}

/* Writes the chosen names back, so that config.json says what was measured. */
static void complete_instruments(Monitor *m, Json *object)
{
    Json *list = json_new(m->arena, JSON_ARRAY);
    for (int i = 0; i < m->instruments; i++)
        json_add_item(list, json_new_string(m->arena, m->instrument[i].row->name));
    json_add_member(m->arena, object, "instruments", list);
}

static bool measures(void *context, int64_t step)
{
    const Monitor *m = context;
    return m->instruments && (step == 1 || step % m->options.every == 0);
}

static void attach(void *context, const TrainGraph *graph)
{
    Monitor *m = context;
    for (int i = 0; i < m->instruments; i++)
        if (m->instrument[i].row->attach)
            m->instrument[i].row->attach(m->instrument[i].state, graph);
}

static void begin(void *context, int64_t step)
{
    Monitor *m = context;
    for (int i = 0; i < m->instruments; i++) {
        Fitted *fitted = &m->instrument[i];
        fitted->is_due = !fitted->row->is_due || fitted->row->is_due(fitted->state, step);
        if (fitted->row->begin && fitted->is_due)
            fitted->row->begin(fitted->state);
    }
}

static void ran(void *context, const TrainGraph *graph)
{
    Monitor *m = context;
    for (int i = 0; i < m->instruments; i++)
        if (m->instrument[i].row->ran && m->instrument[i].is_due)
            m->instrument[i].row->ran(m->instrument[i].state, graph);
}

/* Statistics are taken once, for all instruments that want them and for the total norm. */
static double gradient(void *context, int index, const float *values, size_t count)
{
    Monitor *m = context;
    Statistics *s = &m->gradient[index];
    *s = statistics_empty();
    m->present[index] = values != NULL;
    if (m->wants_statistics)
        *s = statistics_of(m->variant, values, count);
    else
        s->square = statistics_square_sum(m->variant, values, NULL, count);
    for (int i = 0; i < m->instruments; i++)
        if (m->instrument[i].row->gradient && m->instrument[i].is_due)
            m->instrument[i].row->gradient(m->instrument[i].state, index, values, count, s);
    return s->square;
}

static void updated(void *context, int index, const UpdateStatistics *statistics)
{
    Monitor *m = context;
    for (int i = 0; i < m->instruments; i++)
        if (m->instrument[i].row->updated && m->instrument[i].is_due)
            m->instrument[i].row->updated(m->instrument[i].state, index, statistics);
}

static bool accumulated(void *context, int64_t step, int64_t micro, int64_t of, double loss, double grad_norm, Error *err)
{
    Monitor *m = context;
    (void)err;
    if (!m->log)
        return true;
    run_log_begin(m->log, "accumulate");
    run_log_integer(m->log, "step", step);
    run_log_integer(m->log, "micro", micro);
    run_log_integer(m->log, "of", of);
    run_log_number(m->log, "loss", loss);
    run_log_number(m->log, "grad_norm", grad_norm);
    run_log_end(m->log);
    return true;
}

static bool hooked(void *context, const HookReport *r, Error *err)
{
    Monitor *m = context;
    (void)err;
    if (!m->log)
        return true;
    run_log_begin(m->log, "hook");
    run_log_integer(m->log, "step", r->step);
    run_log_string(m->log, "on", r->on);
    run_log_string(m->log, "at", r->at);
    run_log_number(m->log, "min", r->min);
    run_log_number(m->log, "max", r->max);
    run_log_number(m->log, "norm", r->norm);
    run_log_bool(m->log, "changed", r->changed);
    run_log_end(m->log);
    return true;
}

/* FOLDER/saved/fc1.weight.grad/step-12.safetensors; of a micro-batch step-12-2. */
static bool save(void *context, int64_t step, int64_t micro, const char *on, const char *at, Shape shape, const float *values,
                 Error *err)
{
    Monitor *m = context;
    if (!m->log)
        return true;
    Arena *scratch = arena_new(m->arena);
    const char *folder = arena_printf(scratch, "%s/saved/%s.%s", m->folder, on, at);
    const char *file = micro ? arena_printf(scratch, "step-%lld-%lld.safetensors", (long long)step, (long long)micro)
                             : arena_printf(scratch, "step-%lld.safetensors", (long long)step);
    float *data = ARENA_ARRAY(scratch, float, shape_count(shape));
    memcpy(data, values, sizeof(float) * shape_count(shape));
    Parameter tensor = {.name = on, .layer = "", .kind = PARAMETER_BUFFER, .shape = shape, .data = data}, *list[] = {&tensor};
    bool fine = file_make_folder(folder, err) && tensor_file_write(path_join(scratch, folder, file), list, 1, scratch, err);
    arena_free(scratch);
    return fine;
}

static bool nonfinite(void *context, const NonfiniteReport *report, Error *err)
{
    Monitor *m = context;
    Arena *scratch = arena_new(m->arena);
    const char *name = arena_printf(scratch, "nonfinite/step-%lld", (long long)report->step), *config = NULL;
    bool fine = true;
    if (m->log) {
        const char *folder = path_join(scratch, m->folder, name);
        fine = reproducer_write(report, folder, scratch, err);
        config = path_join(scratch, folder, "config.json");
        nonfinite_event_write(m->log, report, name);
    }
    if (m->listener.nonfinite)
        m->listener.nonfinite(m->listener.context, report, config);
    arena_free(scratch);
    return fine;
}

static void log_change(Monitor *m, int64_t step, const char *name, const ClipChange *change)
{
    if (!change->changed)
        return;
    run_log_begin(m->log, "clip");
    run_log_integer(m->log, "step", step);
    if (name)
        run_log_string(m->log, "name", name);
    run_log_string(m->log, "type", clip_type(m->config->clip));
    run_log_number(m->log, "before", change->before);
    run_log_number(m->log, "after", change->after);
    run_log_number(m->log, "coefficient", change->coefficient);
    run_log_end(m->log);
}

static bool clipped(void *context, int64_t step, const ModelNet *net, const ClipResult *clip, Error *err)
{
    Monitor *m = context;
    (void)err;
    if (!m->log)
        return true;
    if (!clip_is_per_layer(m->config->clip)) {
        log_change(m, step, *net->name ? net->name : NULL, &clip->total);
        return true;
    }
    for (int i = net->parameter; i < net->parameter + net->parameters; i++)
        log_change(m, step, m->config->model->parameter[i]->name, &clip->parameter[i]);
    return true;
}

static void log_step(Monitor *m, const StepReport *r)
{
    if (r->has_scaler) {
        run_log_begin(m->log, "scaler");
        run_log_integer(m->log, "step", r->step);
        run_log_number(m->log, "scale", r->next_scale);
        run_log_bool(m->log, "found_inf", r->found_inf);
        run_log_bool(m->log, "skipped", r->found_inf);
        run_log_end(m->log);
    }
    run_log_begin(m->log, "step");
    run_log_integer(m->log, "step", r->step);
    run_log_integer(m->log, "epoch", r->epoch);
    run_log_number(m->log, "loss", r->loss);
    run_log_number(m->log, "lr", r->lr);
    run_log_number(m->log, "grad_norm", r->grad_norm);
    run_log_number(m->log, "clipped_norm", r->clipped_norm);
    run_log_number(m->log, "scale", r->scale);
    run_log_bool(m->log, "skipped", r->skipped);
    run_log_integer(m->log, "samples", r->samples);
    if (r->has_generator_loss)
        run_log_number(m->log, "generator_loss", r->generator_loss);
    run_log_number(m->log, "seconds", r->seconds);
    run_log_end(m->log);
    if (!r->has_penalty)
        return;
    run_log_begin(m->log, "penalty");
    run_log_integer(m->log, "step", r->step);
    run_log_number(m->log, "norm", r->penalty_norm);
    run_log_number(m->log, "value", r->penalty);
    run_log_end(m->log);
}

static bool stepped(void *context, const StepReport *report, bool measured, const ClipResult *clip, Error *err)
{
    Monitor *m = context;
    if (m->log) {
        m->step = report->step;
        m->step_bytes = run_log_bytes(m->log);
        log_step(m, report);
        for (int i = 0; measured && i < m->instruments; i++)
            if (m->instrument[i].is_due)
                m->instrument[i].row->write(m->instrument[i].state, report->step, m->log);
        if (!run_log_flush(m->log, err))
            return false;
    }
    if (m->listener.stepped)
        m->listener.stepped(m->listener.context, report, clip);
    return true;
}

static bool evaluated(void *context, const EvalReport *report, Error *err)
{
    Monitor *m = context;
    if (m->log) {
        run_log_begin(m->log, "eval");
        run_log_integer(m->log, "step", report->step);
        run_log_number(m->log, "loss", report->loss);
        if (report->has_accuracy)
            run_log_number(m->log, "accuracy", report->accuracy);
        run_log_end(m->log);
        if (!run_log_flush(m->log, err))
            return false;
    }
    if (m->listener.evaluated)
        m->listener.evaluated(m->listener.context, report);
    return true;
}

static bool checkpoint(void *context, const Trainer *trainer, Error *err)
{
    Monitor *m = context;
    TrainPoint point;
    if (!m->log || !trainer_point(trainer, &point))
        return true;
    Arena *scratch = arena_new(m->arena);
    int64_t bytes = point.step < m->step ? m->step_bytes : run_log_bytes(m->log);
    bool kept = run_checkpoints_keep(&m->checkpoints, trainer, bytes, scratch, err);
    arena_free(scratch);
    if (kept && m->listener.kept)
        m->listener.kept(m->listener.context, point.step);
    return kept;
}

static void fit_instruments(Monitor *m)
{
    const InstrumentSetup setup = {
        .arena = m->arena, .model = m->config->model, .variant = m->variant, .histogram_every = m->options.histogram_every};
    for (int i = 0; i < instrument_count; i++) {
        const Instrument *row = instrument_table[i];
        if (!chosen(m->options.instruments, row, m->config->model))
            continue;
        m->instrument[m->instruments++] = (Fitted){.row = row, .state = row->make(&setup)};
        m->wants_statistics |= row->wants_statistics;
        m->observer.wants_leaf_gradients |= row->wants_leaf_gradients;
        m->observer.wants_updates |= row->wants_updates;
    }
}

Monitor *monitor_new(Arena *arena, const Config *config, Error *err)
{
    Monitor *m = ARENA_NEW(arena, Monitor);
    *m = (Monitor){.arena = arena, .config = config, .variant = variant_best()};
    bool fine = fields_read(arena, config->monitor, "monitor", &(FieldSet){monitor_fields, &m->options}, 1, err);
    fine = fields_read(arena, config->output, "output", &(FieldSet){output_fields, &m->output}, 1, err) && fine;
    if (!fine || !check_instruments(m->options.instruments, err))
        return NULL;
    m->gradient = ARENA_ARRAY(arena, Statistics, config->model->parameters);
    m->present = ARENA_ARRAY(arena, bool, config->model->parameters);
    m->observer = (Observer){
        .context = m,
        .measures = measures,
        .attach = attach,
        .begin = begin,
        .ran = ran,
        .gradient = gradient,
        .updated = updated,
        .accumulated = accumulated,
        .hooked = hooked,
        .save = save,
        .nonfinite = nonfinite,
        .clipped = clipped,
        .stepped = stepped,
        .evaluated = evaluated,
        .checkpoint = checkpoint,
    };
    fit_instruments(m);
    complete_instruments(m, config->monitor);
    return m;
}

const OutputOptions *monitor_output(const Monitor *monitor)
{
    return &monitor->output;
}

const Observer *monitor_observer(const Monitor *monitor)
{
    return &monitor->observer;
}

void monitor_listen(Monitor *monitor, const MonitorListener *listener)
{
    monitor->listener = *listener;
}

static void add_shape(Text *text, Shape shape)
{
    text_add_char(text, '[');
    for (int i = 0; i < shape.rank; i++)
        text_printf(text, i ? ",%d" : "%d", shape.dim[i]);
    text_add_char(text, ']');
}

static void log_run(Monitor *m)
{
    const Model *model = m->config->model;
    Text *text = run_log_begin(m->log, "run");
    run_log_integer(m->log, "format", 1);
    run_log_string(m->log, "version", GRADTOOL_VERSION);
    run_log_string(m->log, "name", m->config->name);
    run_log_integer(m->log, "seed", (int64_t)m->config->seed);
    text_add(text, ",\"parameters\":[");
    for (int i = 0; i < model->parameters; i++) {
        text_add(text, i ? ",{\"name\":" : "{\"name\":");
        text_add_quoted(text, model->parameter[i]->name);
        text_add(text, ",\"layer\":");
        text_add_quoted(text, model->parameter[i]->layer);
        text_add(text, ",\"shape\":");
        add_shape(text, model->parameter[i]->shape);
        text_add_char(text, '}');
    }
    text_add(text, "],\"layers\":[");
    for (int i = 0; i < model->leaves; i++) {
        text_add(text, i ? ",{\"name\":" : "{\"name\":");
        text_add_quoted(text, layer_path(model->leaf[i]));
        text_add(text, ",\"type\":");
        text_add_quoted(text, layer_type_name(model->leaf[i]));
        text_add(text, ",\"output\":");
        add_shape(text, layer_output(model->leaf[i]));
        text_add_char(text, '}');
    }
    text_add_char(text, ']');
    run_log_string(m->log, "loss", loss_name(m->config->loss));
    run_log_string(m->log, "precision", precision_name(m->config->precision.type));
    if (mixed_precision_products(&m->config->precision))
        run_log_string(m->log, "products", mixed_precision_products(&m->config->precision));
    run_log_integer(m->log, "steps", m->config->train.steps);
    run_log_end(m->log);
}

static Bytes config_text(Monitor *m)
{
    Text text = text_new(m->arena);
    json_write(&text, m->config->json, 0);
    text_add_char(&text, '\n');
    return (Bytes){(const unsigned char *)text.at, text.length};
}

const char *monitor_open(Monitor *m, const char *wanted, Error *err)
{
    const char *folder = run_folder_make(m->arena, wanted ? wanted : m->output.dir, "runs", m->config->name, err);
    if (!folder)
        return NULL;
    Bytes config = config_text(m);
    m->folder = folder;
    m->log = file_write(path_join(m->arena, folder, "config.json"), config.at, config.count, err)
                 ? run_log_open(m->arena, folder, err)
                 : NULL;
    m->checkpoints = run_checkpoints_of(m->log, folder, m->config, config);
    if (m->log)
        log_run(m);
    if (!m->log || !run_log_flush(m->log, err)) {
        file_remove_folder(folder);
        return NULL;
    }
    return folder;
}

bool monitor_resume(Monitor *m, const char *folder, Trainer *trainer, Resumption *resumption, Error *err)
{
    *resumption = (Resumption){0};
    m->folder = arena_strdup(m->arena, folder);
    RunLog *log = run_log_reopen(m->arena, folder, err);
    if (!log)
        return false;
    if (run_log_is_completed(log, &m->step) && m->step >= m->config->train.steps) {
        resumption->is_finished = true;
        resumption->step = m->step;
        return true;
    }
    Bytes config = config_text(m);
    m->checkpoints = run_checkpoints_of(log, m->folder, m->config, config);
    if (!run_checkpoints_go_back(&m->checkpoints, trainer, config, resumption, m->arena, err))
        return false;
    m->log = log;
    m->step = resumption->step;
    if (!resumption->path)
        log_run(m);
    return run_log_flush(log, err);
}

void monitor_add_event(Monitor *m, const char *event, const Json *object)
{
    if (!m->log)
        return;
    run_log_begin(m->log, event);
    for (const Json *member = object->first; member; member = member->next)
        json_write(run_log_key(m->log, member->key), member, -1);
    run_log_end(m->log);
}

bool monitor_flush(Monitor *m, Error *err)
{
    return !m->log || run_log_flush(m->log, err);
}

bool monitor_close(Monitor *m, TrainStatus status, int64_t step, double seconds, Error *err)
{
    if (!m->log)
        return true;
    const Model *model = m->config->model;
    Arena *scratch = arena_new(m->arena);
    bool fine =
        tensor_file_write(path_join(scratch, m->folder, "model.safetensors"), model->state, model->states, scratch, err);
    arena_free(scratch);
    run_log_begin(m->log, "end");
    run_log_string(m->log, "status", train_status_name(fine ? status : TRAIN_FAILED));
    run_log_integer(m->log, "step", step);
    run_log_number(m->log, "seconds", seconds);
    run_log_end(m->log);
    return run_log_flush(m->log, err) && fine;
}

bool monitor_gradient_norm(const Monitor *monitor, int index, double *norm)
{
    *norm = sqrt(monitor->gradient[index].square);
    return monitor->present[index];
}

int monitor_instrument_count(void)
{
    return instrument_count;
}

const char *monitor_instrument_row(int index, const char **help, const char **cost)
{
    *help = instrument_table[index]->help;
    *cost = instrument_table[index]->cost;
    return instrument_table[index]->name;
}
