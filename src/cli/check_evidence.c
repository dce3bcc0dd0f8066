#include "cli/check_evidence.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/figures.h"
#include "cli/training.h"
#include "tensor/tensor_file.h"

/* Samples: of rules about the start, which need a loss; and of units that are dead, which need to have had their chance. Of a
 * batch that is learned by heart, and its steps. */
enum { INITIAL_SAMPLES = 256, FINAL_SAMPLES = 1024, TRIAL_SAMPLES = 32, TRIAL_STEPS = 300 };

typedef struct Gathering {
    Command *cmd;
    Arena *arena;
    const EvidenceOptions *options;
    GatheredEvidence *into;
    Config *config; /* the evidence's, whose weights change */
    Error *err;
} Gathering;

static bool has_log(Arena *arena, const char *path)
{
    return file_is_folder(path) && file_exists(path_join(arena, path, "log.jsonl"));
}

/* A file called .json that is none is reported best as a config, unless it is the state of a Hugging Face trainer: Python
 * writes NaN into those. */
static bool is_config(const char *path)
{
    static const char *const keys[] = {"model", "gan", "data", "loss", "train"};
    size_t length = strlen(path);
    if (file_is_folder(path) || length < 5 || strcmp(path + length - 5, ".json") != 0)
        return false;
    Arena *scratch = arena_new(NULL);
    Bytes bytes = {0};
    const Json *root = json_read_file(scratch, path, error_new(scratch));
    bool is = false;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        is = is || json_member(root, keys[i]);
    if (!root)
        is = !file_read(scratch, path, &bytes, error_new(scratch)) || !strstr((const char *)bytes.at, "\"log_history\"");
    arena_free(scratch);
    return is;
}

static void add_operand(Arena *arena, Operands *operands, const char *path, Record *log)
{
    if (operands->count == operands->capacity) {
        int larger = operands->capacity ? 2 * operands->capacity : 8;
        operands->at = arena_grow(arena, operands->at, sizeof *operands->at * (size_t)operands->capacity,
                                  sizeof *operands->at * (size_t)larger);
        operands->capacity = larger;
    }
    operands->at[operands->count++] = (Operand){path, log};
}

bool operand_expand(Command *command, const char *path, const ForeignOptions *options, Operands *operands, Error *err)
{
    RecordList list;
    if (!file_exists(path))
        return error_add(err, "cannot read %s: no such file or folder", path);
    if (has_log(command->arena, path) || is_config(path)) {
        add_operand(command->arena, operands, path, NULL);
        return true;
    }
    if (!foreign_read_all(command->arena, path, options, &list, err))
        return false;
    for (int i = 0; i < list.count; i++) /* of a run of ours there is more than its log */
        add_operand(command->arena, operands, list.at[i]->source, list.at[i]->is_foreign ? list.at[i] : NULL);
    for (int i = 0; i < list.passed_over_count; i++)
        command_note(command, "note: passed over: %s", list.passed_over[i]);
    return true;
}

/* What does not concern the subject as a whole: said once, and gone on without. */
static void note(Gathering *g, const char *path, const Error *failure, const char *what)
{
    command_note(g->cmd, "note: %s: %s; %s", path, error_message(failure, 0), what);
}

static void gather_before_training(Gathering *g)
{
    Evidence *evidence = &g->into->evidence;
    Error *failure = error_new(g->arena);
    evidence->data = data_facts_new(g->arena, g->config);
    evidence->prediction = prediction_new(g->arena, g->config);
    evidence->initial = probe_new(g->arena, g->config, INITIAL_SAMPLES, g->options->threads, failure);
    if (!evidence->initial && error_count(failure))
        note(g, g->config->path, failure, "rules that try a batch are left out");
}

static void gather_trial(Gathering *g)
{
    Error *failure = error_new(g->arena);
    g->into->evidence.overfit =
        overfit_trial_new(g->arena, g->config, TRIAL_SAMPLES, TRIAL_STEPS, g->options->threads, failure);
    if (error_count(failure))
        note(g, g->config->path, failure, "no batch is learned by heart");
}

static void gather_after_training(Gathering *g)
{
    Error *failure = error_new(g->arena);
    g->into->evidence.final = probe_new(g->arena, g->config, FINAL_SAMPLES, g->options->threads, failure);
    if (error_count(failure))
        note(g, g->config->path, failure, "rules about the final weights are left out");
}

static bool load_final_weights(Gathering *g, const char *folder)
{
    Error *failure = error_new(g->arena);
    Arena *scratch = arena_new(g->arena);
    const char *path = path_join(g->arena, folder, "model.safetensors");
    const TensorFile *file = file_exists(path) ? tensor_file_read(scratch, path, failure) : NULL;
    bool loaded = file && tensor_file_load(file, g->config->model->state, g->config->model->states, scratch, failure);
    if (error_count(failure))
        note(g, folder, failure, "rules about the final weights are left out");
    arena_free(scratch);
    return loaded;
}

/* A run's config as far as it can be had: without its data, the tree that says what ran. */
static void read_config_of_run(Gathering *g, const char *folder)
{
    const char *path = path_join(g->arena, folder, "config.json");
    Error *failure = error_new(g->arena);
    if (!file_exists(path)) {
        command_note(g->cmd, "note: %s has no config.json; rules that need it are left out", folder);
        return;
    }
    g->config = config_read(g->arena, path, NULL, 0, failure);
    if (g->config) {
        g->into->config = g->config->json;
        return;
    }
    note(g, path, failure, "rules that need the config or its data are left out");
    g->into->config = config_read_json(g->arena, path, NULL, 0, error_new(g->arena));
}

static bool gather_run(Gathering *g, const char *folder)
{
    Evidence *evidence = &g->into->evidence;
    if (g->options->sets.count) {
        error_add(g->err, "--set changes a config, but %s is a run", folder);
        return error_hint(g->err, "check the config, which trains it first");
    }
    evidence->record = record_read(g->arena, folder, g->err);
    if (!evidence->record)
        return false;
    read_config_of_run(g, folder);
    evidence->config = g->config;
    g->into->folder = folder;
    g->into->name = *evidence->record->name ? evidence->record->name : path_name(folder);
    if (!g->config)
        return true;
    gather_before_training(g);
    if (load_final_weights(g, folder))
        gather_after_training(g);
    return true;
}

static void remove_folder(void *path)
{
    file_remove_folder(path);
}

/* A run folder that does not exist yet, in a new temporary folder. */
static const char *temporary_folder(Arena *arena, Error *err)
{
    const char *base = getenv("TMPDIR");
    char *folder = arena_printf(arena, "%s/gradtool-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(folder)) {
        error_add(err, "cannot make a temporary folder in %s", path_folder(arena, folder));
        error_hint(err, "--out DIR names a run folder, TMPDIR a place for temporary ones");
        return NULL;
    }
    arena_defer(arena, remove_folder, folder);
    return path_join(arena, folder, "run");
}

/* Trains in `wanted`, the run folder; returns it, or NULL with an error. */
static const char *train(Gathering *g, const char *wanted)
{
    Run run = {.config = g->config};
    bool is_quiet = g->cmd->common.quiet || !g->cmd->messages.is_live;
    if (!training_prepare(g->cmd, g->arena, g->options->threads, is_quiet, &run, g->err))
        return NULL;
    run.folder = monitor_open(run.monitor, wanted, g->err);
    if (!run.folder)
        return NULL;
    training_finish(g->cmd, &run, g->options->stop, g->err);
    return run.status == TRAIN_FAILED ? NULL : run.folder;
}

static bool gather_config(Gathering *g, const char *path)
{
    Evidence *evidence = &g->into->evidence;
    g->config = config_read(g->arena, path, g->options->sets.at, g->options->sets.count, g->err);
    if (!g->config)
        return false;
    evidence->config = g->config;
    g->into->config = g->config->json;
    g->into->name = g->config->name;
    gather_before_training(g);
    gather_trial(g);
    const char *wanted = g->options->out ? g->options->out : temporary_folder(g->arena, g->err);
    const char *folder = wanted ? train(g, wanted) : NULL;
    if (!folder)
        return false;
    evidence->record = record_read(g->arena, folder, g->err);
    g->into->folder = g->options->out ? folder : NULL;
    if (evidence->record)
        gather_after_training(g);
    return evidence->record != NULL;
}

static void gather_log(Gathering *g, Record *log)
{
    g->into->evidence.record = log;
    g->into->name = *log->name ? log->name : path_name(log->source);
    if (*log->warning)
        command_note(g->cmd, "warning: %s: %s", log->source, log->warning);
}

GatheredEvidence *evidence_gather(Command *command, const Operand *operand, const EvidenceOptions *options, Error *err)
{
    GatheredEvidence *into = ARENA_NEW(command->arena, GatheredEvidence);
    Gathering g = {.cmd = command, .arena = command->arena, .options = options, .into = into, .err = err};
    bool fine = true;
    if (operand->log)
        gather_log(&g, operand->log);
    else if (has_log(g.arena, operand->path))
        fine = gather_run(&g, operand->path);
    else
        fine = gather_config(&g, operand->path);
    if (!fine)
        return NULL;
    const Record *record = into->evidence.record;
    if (operand->log)
        command_note(command, "%s", record->summary);
    else
        command_note(command, "read %s, %s from %s", figure_of(g.arena, (double)record->steps, "step"),
                     figure_of(g.arena, record->layers, "layer"), record->kind);
    return into;
}
