/* cli/cmd_inspect.c: layers, shapes, parameters, and the gradients of one step. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/inspect.h"
#include "monitor/monitor.h"
#include "monitor/run_reader.h"

typedef struct Args {
    const char *subject;
    int64_t batch, step;
    bool values, precision, prediction;
    StringList sets;
} Args;

static const Option options[] = {
    {"SUBJECT", 0, OPT_ARGUMENT, offsetof(Args, subject),
     .help = "a model, a config, the folder of a run, or a .safetensors file"},
    {"set", 's', OPT_LIST, offsetof(Args, sets), .value = "KEY=VALUE",
     .help = "sets a key of the model or config; may be repeated"},
    {"batch", 'b', OPT_INTEGER, offsetof(Args, batch), .value = "N", .standard = "1", .low = 1, .high = 1 << 24,
     .help = "samples that a model alone is computed for"},
    {"values", 0, OPT_FLAG, offsetof(Args, values), .help = "every gradient number by number, not only those of up to 64"},
    {"precision", 'p', OPT_FLAG, offsetof(Args, precision),
     .help = "of a run: what float16, bfloat16 and fp8 would lose of its gradients, and the loss scale that loses least"},
    {"step", 0, OPT_INTEGER, offsetof(Args, step), .value = "N", .low = 1, .high = INT64_C(1) << 53,
     .help = "with --precision: of this step alone (default: all that have a histogram)"},
    {"prediction", 0, OPT_FLAG, offsetof(Args, prediction),
     .help = "of a config or run: how its initial weights will let gradients flow, beside what the first step measures"},
    OPTIONS_END,
};

/* A safetensors file begins with the length of its header, which is far below 2^32, and the header. */
static bool is_tensor_file(const char *path)
{
    size_t length = strlen(path), suffix = strlen(".safetensors");
    if (length > suffix && !strcmp(path + length - suffix, ".safetensors"))
        return true;
    unsigned char head[9];
    FILE *file = fopen(path, "rb");
    bool is_one = file && fread(head, 1, sizeof head, file) == sizeof head && !memcmp(head + 4, "\0\0\0\0{", 5);
    if (file)
        fclose(file);
    return is_one;
}

/* A model alone: its forward pass, for the memory and operations it takes. */
static bool compute_model(Command *cmd, Subject *subject, int64_t batch)
{
    Graph *graph = graph_new(cmd->arena);
    ModelNodes nodes = model_build(subject->model, graph, (int)batch, false);
    const Plan *plan = plan_compile(graph, &nodes.output, 1, variant_best(), cmd->arena, cmd->err);
    if (!plan)
        return false;
    subject->flops = plan_flops(plan);
    subject->workspace_bytes = plan_bytes(plan);
    subject->batch = batch;
    return true;
}

static bool load_model(Command *cmd, const Args *args, Json *object, Subject *subject)
{
    bool fine = true;
    for (int i = 0; i < args->sets.count; i++)
        fine = json_set(cmd->arena, object, args->sets.at[i], cmd->err) && fine;
    subject->model = fine ? model_read(cmd->arena, object, cmd->err) : NULL;
    return subject->model && compute_model(cmd, subject, args->batch);
}

static bool keep_report(void *context, const StepReport *report, bool measured, const ClipResult *clip, Error *err)
{
    (void)measured;
    (void)clip;
    (void)err;
    ((Subject *)context)->step = *report;
    return true;
}

/* A config: built, and one step made of it. Gradients are shown as they are before clipping. */
static bool load_config(Command *cmd, const char *path, const StringList *sets, Subject *subject)
{
    Threads *threads;
    Config *config = config_read(cmd->arena, path, sets->at, sets->count, cmd->err);
    if (!config || !monitor_new(cmd->arena, config, cmd->err) || !command_threads(cmd, &threads))
        return false;
    config->clip = NULL;
    Observer *observer = ARENA_NEW(cmd->arena, Observer);
    *observer = (Observer){.context = subject, .stepped = keep_report};
    subject->trainer = trainer_new(cmd->arena, config, threads, observer, cmd->err);
    if (!subject->trainer || trainer_step(subject->trainer, cmd->err) == TRAIN_FAILED)
        return false;
    subject->config = config;
    subject->model = config->model;
    subject->data = inspect_data(cmd->arena, config);
    subject->flops = trainer_flops(subject->trainer);
    subject->workspace_bytes = trainer_workspace_bytes(subject->trainer);
    subject->batch = config_micro_size(config, 0);
    return true;
}

static bool read_log(Command *cmd, const char *folder, RunFacts *facts)
{
    RunReader *reader = run_reader_open(cmd->arena, folder, cmd->err);
    RunEvent event;
    if (!reader)
        return false;
    *facts = (RunFacts){.folder = folder, .status = "unfinished", .loss = run_missing()};
    for (;;) {
        if (!run_reader_next(reader, &event, cmd->err))
            return false;
        if (event.kind == RUN_EVENT_NONE)
            return true;
        if (event.kind == RUN_EVENT_STEP) {
            facts->steps = event.step;
            facts->loss = run_event_number(&event, "loss");
        }
        if (event.kind == RUN_EVENT_END && run_event_string(&event, "status"))
            facts->status = arena_strdup(cmd->arena, run_event_string(&event, "status"));
    }
}

/* A run: its config, with the weights that it ended with. */
static bool load_run(Command *cmd, const Args *args, Subject *subject)
{
    RunFacts *facts = ARENA_NEW(cmd->arena, RunFacts);
    if (!read_log(cmd, args->subject, facts))
        return false;
    const char *weights = path_join(cmd->arena, args->subject, "model.safetensors");
    StringList sets = {.at = ARENA_ARRAY(cmd->arena, const char *, args->sets.count + 1)};
    for (; sets.count < args->sets.count; sets.count++)
        sets.at[sets.count] = args->sets.at[sets.count];
    if (file_exists(weights)) {
        Text assignment = text_new(cmd->arena);
        text_add(&assignment, "weights=");
        text_add_quoted(&assignment, path_absolute(cmd->arena, weights));
        sets.at[sets.count++] = assignment.at;
    }
    subject->run = facts;
    return load_config(cmd, path_join(cmd->arena, args->subject, "config.json"), &sets, subject);
}

static bool load_json(Command *cmd, const Args *args, Subject *subject)
{
    Json *root = json_read_file(cmd->arena, args->subject, cmd->err);
    if (!root)
        return false;
    if (json_member(root, "model") || json_member(root, "gan"))
        return load_config(cmd, args->subject, &args->sets, subject);
    if (json_member(root, "layers"))
        return load_model(cmd, args, root, subject);
    error_at(cmd->err, root, "this is neither a model nor a config");
    return error_hint(cmd->err, "a model has `layers`, a config has `model`");
}

static bool load(Command *cmd, const Args *args, Subject *subject)
{
    if (!file_is_folder(args->subject))
        return load_json(cmd, args, subject);
    if (file_exists(path_join(cmd->arena, args->subject, "log.jsonl")))
        return load_run(cmd, args, subject);
    return error_add(cmd->err, "%s is a folder without log.jsonl, so it is no run", args->subject);
}

/* --precision reads the log and nothing else. */
static bool check_precision(const Args *args, Error *err)
{
    if (!args->precision)
        return args->step == 0 || error_add(err, "--step goes with --precision");
    if (args->sets.count || args->values)
        return error_add(err, "--precision reads the log of a run: --set and --values have no meaning there");
    return file_is_folder(args->subject) ||
           error_add(err, "--precision reads the log of a run, but %s is no folder", args->subject);
}

/* --prediction needs initial weights and inputs; a run's are those of its own config. */
static bool check_prediction(const Args *args, Error *err)
{
    if (!args->prediction)
        return true;
    if (args->precision || args->values)
        return error_add(err, "--prediction is a view of its own: --%s has no meaning there",
                         args->precision ? "precision" : "values");
    if (file_is_folder(args->subject))
        return !args->sets.count || error_add(err, "the prediction of a run is of its own config: --set has no meaning there");
    return !is_tensor_file(args->subject) ||
           error_add(err, "--prediction needs a config or a run, and %s is a file of tensors", args->subject);
}

static int inspect(Command *cmd, const void *parsed)
{
    const Args *args = parsed;
    if (!check_prediction(args, cmd->err) || !check_precision(args, cmd->err))
        return EXIT_FAILED;
    if (args->prediction)
        return inspect_prediction(cmd, args->subject, &args->sets);
    if (args->precision)
        return inspect_precision(cmd, args->subject, args->step);
    if (!file_is_folder(args->subject) && is_tensor_file(args->subject))
        return inspect_tensors(cmd, args->subject);
    Subject subject = {.path = args->subject, .wants_values = args->values};
    if (!load(cmd, args, &subject))
        return EXIT_FAILED;
    if (cmd->common.json)
        inspect_print_document(cmd, &subject);
    else
        inspect_print_text(cmd, &subject);
    return EXIT_HEALTHY;
}

const CommandRow cmd_inspect = {
    .name = "inspect",
    .help = "layers, shapes, parameters, memory, data, and the gradients of one step",
    .options = options,
    .args_size = sizeof(Args),
    .run = inspect,
    .example = "gradtool inspect configs/spiral.json --values",
};
