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

static bool is_config(const char *path)
{
    size_t length = strlen(path);
    if (file_is_folder(path) || length < 5 || strcmp(path + length - 5, ".json") != 0 || foreign_is_log(path))
        return false;
    Arena *scratch = arena_new(NULL);
    const Json *root = json_read_file(scratch, path, error_new(scratch));
    static const char *const keys[] = {"model", "gan", "data", "loss", "train"};
    bool is = !root; /* what is no JSON is reported best as a config that is none */
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        is = is || json_member(root, keys[i]);
    arena_free(scratch);
    return is;
}

bool operand_kind(const char *path, OperandKind *kind, Error *err)
{
    Arena *scratch = arena_new(NULL);
    bool exists = file_exists(path);
    *kind = has_log(scratch, path) ? OPERAND_RUN : exists && is_config(path) ? OPERAND_CONFIG : OPERAND_LOG;
    arena_free(scratch);
    return exists || error_add(err, "cannot read %s: no such file or folder", path);
}

static void add_path(Arena *arena, StringList *paths, const char *path)
{
    if (paths->count == paths->capacity) {
        int larger = paths->capacity ? 2 * paths->capacity : 8;
        paths->at =
            arena_grow(arena, paths->at, sizeof *paths->at * (size_t)paths->capacity, sizeof *paths->at * (size_t)larger);
        paths->capacity = larger;
    }
    paths->at[paths->count++] = path;
}

void operand_expand(Command *command, const char *path, const ForeignOptions *options, StringList *paths)
{
    bool is_list = file_is_folder(path) && !has_log(command->arena, path);
    ForeignList runs = is_list ? foreign_list(command->arena, path, options) : (ForeignList){0};
    for (int i = 0; i < runs.count; i++)
        add_path(command->arena, paths, runs.path[i]);
    for (int i = 0; runs.count > 0 && i < runs.passed_over_count; i++)
        command_note(command, "note: not checked: %s", runs.passed_over[i]);
    if (runs.count == 0)
        add_path(command->arena, paths, path);
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

/* Learning by heart takes no longer than half of the training itself. */
static int64_t trial_steps(const Config *config)
{
    int64_t samples = config->train.steps * config->train.batch_size * config->train.accumulate / 2 / TRIAL_SAMPLES;
    return samples < TRIAL_STEPS ? samples : TRIAL_STEPS;
}

static void gather_trial(Gathering *g)
{
    if (trial_steps(g->config) < TRIAL_STEPS / 3)
        return; /* too few to say anything */
    Error *failure = error_new(g->arena);
    g->into->evidence.overfit =
        overfit_trial_new(g->arena, g->config, TRIAL_SAMPLES, trial_steps(g->config), g->options->threads, failure);
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

static bool gather_log(Gathering *g, const char *path)
{
    const Record *record = foreign_read(g->arena, path, &g->options->foreign, g->err);
    const char *ending = strrchr(path_name(path), '.');
    if (!record && ending && strcmp(ending, ".json") == 0)
        return error_hint(g->err, "a config has the keys model, data, loss and train");
    if (!record)
        return false;
    g->into->evidence.record = record;
    g->into->name = record->name;
    if (*record->warning)
        command_note(g->cmd, "warning: %s", record->warning);
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

GatheredEvidence *evidence_gather(Command *command, Arena *arena, const char *path, const EvidenceOptions *options, Error *err)
{
    OperandKind kind;
    GatheredEvidence *into = ARENA_NEW(arena, GatheredEvidence);
    Gathering g = {.cmd = command, .arena = arena, .options = options, .into = into, .err = err};
    if (!operand_kind(path, &kind, err))
        return NULL;
    bool fine = kind == OPERAND_RUN      ? gather_run(&g, path)
                : kind == OPERAND_CONFIG ? gather_config(&g, path)
                                         : gather_log(&g, path);
    if (!fine)
        return NULL;
    const Record *record = into->evidence.record;
    if (record->is_foreign)
        command_note(command, "%s", record->summary);
    else
        command_note(command, "read %s, %s from %s", figure_of(arena, (double)record->steps, "step"),
                     figure_of(arena, record->layers, "layer"), record->kind);
    return into;
}
