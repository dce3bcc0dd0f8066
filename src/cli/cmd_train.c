/* cli/cmd_train.c: a config to a run folder; or a run folder on to its end. */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "cli/command.h"
#include "cli/document.h"
#include "cli/figures.h"
#include "cli/stop.h"
#include "cli/training.h"
#include "cli/verdict.h"
#include "monitor/run_reader.h"
#include "render/terminal_flow.h"

typedef struct Args {
    const char *config, *out, *resume;
    StringList sets;
} Args;

static const Option options[] = {
    {"CONFIG", 0, OPT_OPTIONAL, offsetof(Args, config),
     .help = "what to train, and how (JSON); of a run that is resumed by default its own"},
    {"set", 's', OPT_LIST, offsetof(Args, sets), .value = "KEY=VALUE",
     .help = "sets a key of the config: optimizer.lr=0.1; may be repeated"},
    {"out", 'o', OPT_STRING, offsetof(Args, out), .value = "DIR",
     .help = "the run folder, which must not exist (default runs/NAME-001, ...)"},
    {"resume", 'r', OPT_STRING, offsetof(Args, resume), .value = "DIR",
     .help = "goes on with the run in DIR, from its last checkpoint"},
    OPTIONS_END,
};

static const char *without_last_slash(Arena *arena, const char *path)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    return arena_strndup(arena, path, length);
}

/* The path of the config, or NULL with an error. */
static const char *choose_config(Command *cmd, const Args *args)
{
    if (!args->resume && !args->config) {
        error_add(cmd->err, "gradtool train needs CONFIG: what to train, and how (JSON)");
        error_hint(cmd->err, "gradtool train --help");
        return NULL;
    }
    if (!args->resume)
        return args->config;
    const char *own = path_join(cmd->arena, args->resume, "config.json");
    if (args->out) {
        error_add(cmd->err, "--out and --resume each name a run folder; a run that is resumed stays where it is");
    } else if (!file_is_folder(args->resume)) {
        error_add(cmd->err, "cannot resume %s: no such folder", args->resume);
    } else if (!file_exists(own)) {
        error_add(cmd->err, "cannot resume %s: it has no config.json", args->resume);
        error_hint(cmd->err, "it is no run, or one that was killed before its first step; train again, with another --out");
    } else {
        return args->config ? args->config : own;
    }
    return NULL;
}

static bool build(Command *cmd, const Args *args, Run *run)
{
    Threads *threads;
    const char *config = choose_config(cmd, args);
    if (!config)
        return false;
    run->config = config_read(cmd->arena, config, args->sets.at, args->sets.count, cmd->err);
    if (!run->config || !command_threads(cmd, &threads) ||
        !training_prepare(cmd, cmd->arena, threads, cmd->common.quiet, run, cmd->err))
        return false;
    if (monitor_output(run->monitor)->plots) /* of the initial weights, which training and resuming replace */
        run->prediction = prediction_new(cmd->arena, run->config);
    return true;
}

/* What the log tells of the steps that were made before. */
static void count_earlier(Command *cmd, Run *run, const Resumption *resumption)
{
    Error *failure = error_new(cmd->arena);
    Arena *scratch = arena_new(cmd->arena);
    RunReader *reader = run_reader_open(scratch, run->folder, failure);
    RunEvent event = {.kind = RUN_EVENT_OTHER};
    while (reader && run_reader_next(reader, &event, failure) && event.kind != RUN_EVENT_NONE) {
        if (event.kind == RUN_EVENT_STEP) {
            RunStep step = run_event_step(&event);
            const StepReport last = {.step = step.step, .loss = step.loss, .seconds = step.seconds};
            progress_add_earlier(run->progress, &last, NULL, NULL);
        } else if (event.kind == RUN_EVENT_EVAL) {
            double accuracy = run_event_number(&event, "accuracy");
            const EvalReport evaluation = {.step = event.step,
                                           .loss = run_event_number(&event, "loss"),
                                           .has_accuracy = !run_is_missing(accuracy),
                                           .accuracy = accuracy};
            progress_add_earlier(run->progress, NULL, &evaluation, NULL);
        } else if (event.kind == RUN_EVENT_CHECKPOINT) {
            progress_add_earlier(run->progress, NULL, NULL, &event.step);
        }
    }
    if (resumption->path)
        progress_add_earlier(run->progress, NULL, NULL, &resumption->step);
    arena_free(scratch);
}

/* The folder of a new run, or the one that is gone on with; NULL with an error. */
static const char *open_folder(Command *cmd, const Args *args, Run *run, Resumption *resumption)
{
    if (!args->resume)
        return monitor_open(run->monitor, args->out, cmd->err);
    const char *folder = without_last_slash(cmd->arena, args->resume);
    if (!monitor_resume(run->monitor, folder, run->trainer, resumption, cmd->err))
        return NULL;
    for (int i = 0; i < resumption->notes; i++)
        command_note(cmd, "note: passed over: %s", resumption->note[i]);
    if (resumption->is_finished)
        command_note(cmd, "%s is finished: its %lld steps are done", folder, (long long)resumption->step);
    else if (resumption->path)
        command_note(cmd, "resuming %s after step %lld, from %s", folder, (long long)resumption->step, resumption->path);
    else
        command_note(cmd, "resuming %s from its start: it has no whole checkpoint", folder);
    run->folder = folder;
    run->steps = resumption->step;
    count_earlier(cmd, run, resumption);
    return folder;
}

/* Pictures are an extra: what keeps them from being drawn is a note. */
static void draw_plots(Command *cmd, Run *run)
{
    if (!monitor_output(run->monitor)->plots || run->status == TRAIN_INTERRUPTED || run->status == TRAIN_FAILED)
        return;
    Error *failure = error_new(cmd->arena);
    if (!plot_run(run->folder, &(PlotOptions){.prediction = run->prediction}, &run->plots, cmd->arena, failure))
        command_note(cmd, "note: %s", error_message(failure, 0));
    for (int i = 0; i < run->plots.note_count; i++)
        command_note(cmd, "note: %s", run->plots.notes[i]);
}

static void explain_divergence(Command *cmd, const Run *run)
{
    const ProgressTotals *totals = progress_totals(run->progress);
    error_add(cmd->err, "training diverged at step %lld: %s", (long long)totals->last.step, totals->nonfinite);
    error_hint(cmd->err, "the weights are those before that step; try: %s", totals->advice);
}

static int exit_status(const Run *run, const volatile sig_atomic_t *stop)
{
    switch (run->status) {
    case TRAIN_COMPLETED:
        return EXIT_HEALTHY;
    case TRAIN_INTERRUPTED:
        return EXIT_BY_SIGNAL + *stop;
    case TRAIN_DIVERGED:
        return EXIT_FINDINGS;
    default:
        return EXIT_FAILED;
    }
}

static void print_document(Command *cmd, const Run *run)
{
    Arena *arena = cmd->arena;
    const ProgressTotals *totals = progress_totals(run->progress);
    Json *result = json_new(arena, JSON_OBJECT);
    document_add_string(arena, result, "run", run->folder);
    document_add_string(arena, result, "status", train_status_name(run->status));
    document_add_number(arena, result, "steps", (double)run->steps);
    if (totals->last.has_scaler)
        document_add_number(arena, result, "skipped", (double)totals->skips);
    document_add_number(arena, result, "loss", totals->last.loss);
    Json *validation = document_add(arena, result, "validation", totals->evaluation.step ? JSON_OBJECT : JSON_NULL);
    if (totals->evaluation.step)
        document_add_number(arena, validation, "loss", totals->evaluation.loss);
    if (totals->evaluation.step && totals->evaluation.has_accuracy)
        document_add_number(arena, validation, "accuracy", totals->evaluation.accuracy);
    document_add_number(arena, result, "seconds", run->seconds);
    if (totals->checkpoint >= 0)
        document_add_string(arena, result, "checkpoint",
                            arena_printf(arena, "checkpoints/step-%lld", (long long)totals->checkpoint));
    if (run->verdict) {
        const Json *verdict = check_subject_document(&run->verdict->report, &run->verdict->subject);
        json_add_member(arena, result, "verdict", json_copy(arena, json_member(verdict, "verdict")));
        json_add_member(arena, result, "findings", json_copy(arena, json_member(verdict, "findings")));
    }
    Json *plots = document_add(arena, result, "plots", JSON_ARRAY);
    for (int i = 0; i < run->plots.file_count; i++)
        json_add_item(plots, json_new_string(arena, run->plots.files[i]));
    document_print(arena, result, cmd->out.stream);
}

/* The norm over all weights of each layer that has some, in the last step that was measured. */
static void add_flow(Command *cmd, const Run *run, Text *text)
{
    const Model *model = run->config->model;
    const char **names = ARENA_ARRAY(cmd->arena, const char *, model->parameters);
    double *norms = ARENA_ARRAY(cmd->arena, double, model->parameters), norm;
    int layers = 0;
    bool is_measured = false;
    for (int i = 0; i < model->parameters; i++) {
        const char *layer = model->parameter[i]->layer;
        if (!layers || strcmp(names[layers - 1], layer) != 0) {
            names[layers] = layer;
            norms[layers++] = run_missing();
        }
        if (!monitor_gradient_norm(run->monitor, i, &norm))
            continue;
        double before = run_is_missing(norms[layers - 1]) ? 0 : norms[layers - 1];
        norms[layers - 1] = hypot(before, norm);
        is_measured = true;
    }
    if (!is_measured)
        return;
    text_add(text, "gradient flow\n");
    const TerminalFlowOptions flow = {.ascii = cmd->out.is_ascii, .width = terminal_width(&cmd->out), .indent = "  "};
    terminal_flow(text, names, norms, layers, &flow);
}

static void add_verdict(Command *cmd, const Run *run, Text *text)
{
    static const char *const marks[] = {"\xe2\x9c\x94", "\xe2\x9a\xa0", "\xe2\x9c\x96", "\xe2\x9c\x96"};
    static const char *const words[] = {"ok:", "warn:", "FAIL:", "FAIL:"};
    const Terminal *out = &cmd->out;
    const ProgressTotals *totals = progress_totals(run->progress);
    char figures[2][FIGURE_SIZE];
    const char *colour = run->status == TRAIN_COMPLETED     ? terminal_green(out)
                         : run->status == TRAIN_INTERRUPTED ? terminal_yellow(out)
                                                            : terminal_red(out);
    text_printf(text, "%s%s %s%s  %s in %s", colour, (out->is_ascii ? words : marks)[run->status],
                train_status_name(run->status), terminal_plain(out), figure_of(cmd->arena, (double)run->steps, "step"),
                figure_time(figures[0], run->seconds));
    if (totals->skips)
        text_printf(text, "  %s skipped by the scaler", figure_count(cmd->arena, (double)totals->skips));
    if (totals->last.step)
        text_printf(text, "  loss %s", figure(figures[0], totals->last.loss, 3));
    if (totals->best.step) {
        text_printf(text, "  best val %s", figure(figures[0], totals->best.loss, 3));
        if (totals->best.has_accuracy)
            text_printf(text, " (accuracy %s)", figure(figures[1], totals->best.accuracy, 3));
        text_printf(text, " at step %lld", (long long)totals->best.step);
    }
    text_add_char(text, '\n');
}

static void print_summary(Command *cmd, const Run *run)
{
    Text text = text_new(cmd->arena);
    add_flow(cmd, run, &text);
    add_verdict(cmd, run, &text);
    if (run->verdict)
        verdict_add_line(cmd, run->verdict, &text);
    text_printf(&text, "%s%s%s  config.json  log.jsonl  model.safetensors", terminal_bold(&cmd->out), run->folder,
                terminal_plain(&cmd->out));
    if (progress_totals(run->progress)->checkpoint >= 0)
        text_printf(&text, "  checkpoints/step-%lld", (long long)progress_totals(run->progress)->checkpoint);
    if (run->plots.file_count)
        text_printf(&text, "  plots/ (%s)", figure_of(cmd->arena, run->plots.file_count, "picture"));
    text_printf(&text, "\nnext: gradtool check %s     gradtool plot %s\n", run->folder, run->folder);
    fputs(text.at, cmd->out.stream);
}

static void show_result(Command *cmd, const Run *run)
{
    if (cmd->common.json)
        print_document(cmd, run);
    else if (!cmd->common.quiet)
        print_summary(cmd, run);
}

static int train(Command *cmd, const void *parsed)
{
    const Args *args = parsed;
    Run run = {0};
    Resumption resumption = {0};
    if (!build(cmd, args, &run))
        return EXIT_FAILED;
    const volatile sig_atomic_t *stop = stop_watch();
    run.folder = open_folder(cmd, args, &run, &resumption);
    if (!run.folder)
        return EXIT_FAILED;
    if (resumption.is_finished) {
        run.seconds = progress_totals(run.progress)->last.seconds;
        show_result(cmd, &run);
        return EXIT_HEALTHY;
    }
    training_finish(cmd, &run, true, stop, cmd->err);
    stop_unwatch();
    if (run.status == TRAIN_INTERRUPTED) {
        command_note(cmd, "stopped after step %lld; checkpoint written to %s/checkpoints/step-%lld", (long long)run.steps,
                     run.folder, (long long)run.steps);
        command_note(cmd, "resume: gradtool train --resume %s", figure_word(cmd->arena, run.folder));
    }
    if (run.status == TRAIN_DIVERGED && run.guard_reason) {
        error_add(cmd->err, "stopped by train.guard: %s", run.guard_reason);
        error_hint(cmd->err, "a checkpoint of step %lld is written; gradtool check %s", (long long)run.steps,
                   figure_word(cmd->arena, run.folder));
    } else if (run.status == TRAIN_DIVERGED) {
        explain_divergence(cmd, &run);
    }
    draw_plots(cmd, &run);
    show_result(cmd, &run);
    return exit_status(&run, stop);
}

const CommandRow cmd_train = {
    .name = "train",
    .help = "train a model from a JSON config and watch its gradients",
    .options = options,
    .args_size = sizeof(Args),
    .run = train,
    .example = "gradtool train configs/spiral.json --set optimizer.lr=0.01",
};
