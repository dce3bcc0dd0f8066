/* cli/cmd_train.c: a config to a run folder. */
#include <math.h>
#include <string.h>

#include "cli/command.h"
#include "cli/document.h"
#include "cli/figures.h"
#include "cli/progress.h"
#include "cli/stop.h"
#include "monitor/monitor.h"
#include "monitor/run_line.h"
#include "render/plot.h"
#include "render/terminal_flow.h"
#include "train/trainer.h"

typedef struct Args {
    const char *config, *out;
    StringList sets;
} Args;

static const Option options[] = {
    {"CONFIG", 0, OPT_ARGUMENT, offsetof(Args, config), .help = "what to train, and how (JSON)"},
    {"set", 's', OPT_LIST, offsetof(Args, sets), .value = "KEY=VALUE",
     .help = "sets a key of the config: optimizer.lr=0.1; may be repeated"},
    {"out", 'o', OPT_STRING, offsetof(Args, out), .value = "DIR",
     .help = "the run folder, which must not exist (default runs/NAME-001, ...)"},
    OPTIONS_END,
};

/* A training from its config to what it left behind. */
typedef struct Run {
    Config *config;
    Monitor *monitor;
    Trainer *trainer;
    Progress *progress;
    const char *folder;
    TrainStatus status;
    double seconds;
    PlotResult plots;
} Run;

static bool build(Command *cmd, const Args *args, Run *run)
{
    Threads *threads;
    run->config = config_read(cmd->arena, args->config, args->sets.at, args->sets.count, cmd->err);
    run->monitor = run->config ? monitor_new(cmd->arena, run->config, cmd->err) : NULL;
    if (!run->monitor || !command_threads(cmd, &threads))
        return false;
    run->trainer = trainer_new(cmd->arena, run->config, threads, monitor_observer(run->monitor), cmd->err);
    if (!run->trainer)
        return false;
    run->progress = progress_new(cmd->arena, run->config, &cmd->messages, cmd->common.quiet);
    MonitorListener listener = progress_listener(run->progress);
    monitor_listen(run->monitor, &listener);
    return true;
}

/* Pictures are an extra: what keeps them from being drawn is a note. */
static void draw_plots(Command *cmd, Run *run)
{
    if (!monitor_output(run->monitor)->plots || run->status == TRAIN_INTERRUPTED || run->status == TRAIN_FAILED)
        return;
    Error *failure = error_new(cmd->arena);
    if (!plot_run(run->folder, &(PlotOptions){0}, &run->plots, cmd->arena, failure))
        command_note(cmd, "note: %s", error_message(failure, 0));
    for (int i = 0; i < run->plots.note_count; i++)
        command_note(cmd, "note: %s", run->plots.notes[i]);
}

static const char *nonfinite_word(double value)
{
    return isnan(value) ? "NaN" : "infinite";
}

static void explain_divergence(Command *cmd, const Run *run)
{
    const StepReport *last = &progress_totals(run->progress)->last;
    if (!isfinite(last->loss))
        error_add(cmd->err, "training diverged at step %lld: the loss is %s", (long long)last->step,
                  nonfinite_word(last->loss));
    else
        error_add(cmd->err, "training diverged at step %lld: the norm of the gradient is %s", (long long)last->step,
                  nonfinite_word(last->grad_norm));
    error_hint(cmd->err, "the weights are those before that step; a smaller optimizer.lr or a clip.max_norm may help");
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
    document_add_number(arena, result, "steps", (double)trainer_steps_done(run->trainer));
    if (totals->last.has_scaler)
        document_add_number(arena, result, "skipped", (double)totals->skips);
    document_add_number(arena, result, "loss", totals->last.loss);
    Json *validation = document_add(arena, result, "validation", totals->evaluation.step ? JSON_OBJECT : JSON_NULL);
    if (totals->evaluation.step)
        document_add_number(arena, validation, "loss", totals->evaluation.loss);
    if (totals->evaluation.step && totals->evaluation.has_accuracy)
        document_add_number(arena, validation, "accuracy", totals->evaluation.accuracy);
    document_add_number(arena, result, "seconds", run->seconds);
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
                train_status_name(run->status), terminal_plain(out),
                figure_of(cmd->arena, (double)trainer_steps_done(run->trainer), "step"), figure_time(figures[0], run->seconds));
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
    text_printf(&text, "%s%s%s  config.json  log.jsonl  model.safetensors", terminal_bold(&cmd->out), run->folder,
                terminal_plain(&cmd->out));
    if (run->plots.file_count)
        text_printf(&text, "  plots/ (%s)", figure_of(cmd->arena, run->plots.file_count, "picture"));
    text_printf(&text, "\nnext: gradtool plot %s     gradtool inspect %s\n", run->folder, run->folder);
    fputs(text.at, cmd->out.stream);
}

static int train(Command *cmd, const void *parsed)
{
    const Args *args = parsed;
    Run run = {0};
    if (!build(cmd, args, &run))
        return EXIT_FAILED;
    const volatile sig_atomic_t *stop = stop_watch();
    run.folder = monitor_open(run.monitor, args->out, cmd->err);
    if (!run.folder)
        return EXIT_FAILED;
    progress_begin(run.progress, (int)cmd->common.threads);
    run.status = trainer_run(run.trainer, stop, cmd->err);
    run.seconds = trainer_seconds(run.trainer);
    progress_end(run.progress);
    int64_t steps = trainer_steps_done(run.trainer);
    if (!monitor_close(run.monitor, run.status, steps, run.seconds, cmd->err))
        run.status = TRAIN_FAILED;
    stop_unwatch();
    if (run.status == TRAIN_INTERRUPTED)
        command_note(cmd, "stopped after step %lld; what was done until then is in %s", (long long)steps, run.folder);
    if (run.status == TRAIN_DIVERGED)
        explain_divergence(cmd, &run);
    draw_plots(cmd, &run);
    if (cmd->common.json)
        print_document(cmd, &run);
    else if (!cmd->common.quiet)
        print_summary(cmd, &run);
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
