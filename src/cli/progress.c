#include "cli/progress.h"

#include <math.h>
#include <string.h>

#include "base/text.h"
#include "cli/figures.h"
#include "cli/nonfinite_message.h"

enum { BAR_COLUMNS = 20, SUMMARY_LIMIT = 40 };
static const double REDRAW_SECONDS = 0.1, ETA_SECONDS = 2, RATE_SMOOTHING = 0.3;

/* What has gathered since the last row. */
typedef struct Sums {
    int64_t steps, clipped, skips; /* skips: by the gradient scaler */
    double loss, grad_norm;
} Sums;

struct Progress {
    Arena *arena;
    const Config *config;
    Terminal terminal;
    bool is_quiet, has_validation, has_accuracy;
    int64_t milestone;  /* steps between rows; with validation, between evaluations that get one */
    int64_t next_early; /* the next of the growing steps */
    bool is_past_early;
    Sums sums;
    ProgressTotals totals;
    Text line;
    double drawn, rate; /* when the live line was drawn, and the smoothed steps a second */
    int64_t drawn_step;
    bool is_drawn;
};

static bool is_container_path(const char *path)
{
    return strchr(path, '.') != NULL;
}

const char *progress_model_summary(Arena *arena, const Model *model)
{
    Text text = text_new(arena);
    for (int i = 0; i < model->input.rank; i++)
        text_printf(&text, i ? "x%d" : "%d", model->input.dim[i]);
    bool is_chain = !model->tokens;
    for (int i = 0; i < model->leaves && is_chain; i++) {
        const char *type = layer_type_name(model->leaf[i]);
        Shape output = layer_output(model->leaf[i]);
        if (!strcmp(type, "linear"))
            text_printf(&text, "-%d", shape_last(output));
        else if (strcmp(type, "flatten") != 0)
            is_chain = shape_equal(output, i ? layer_output(model->leaf[i - 1]) : model->input) && strcmp(type, "add") != 0 &&
                       strcmp(type, "multiply") != 0;
        is_chain = is_chain && !is_container_path(layer_path(model->leaf[i]));
    }
    return is_chain && text.length <= SUMMARY_LIMIT ? text.at : figure_of(arena, model->leaves, "layer");
}

static bool loss_has_accuracy(Arena *arena, const Config *config)
{
    Arena *scratch = arena_new(arena);
    const float *output = ARENA_ARRAY(scratch, float, shape_count(config->model->output));
    const float *target = ARENA_ARRAY(scratch, float, shape_count(config->targets.shape) + 1);
    double decisions = 0;
    loss_correct(config->loss, config->model->output, output, target, 1, &decisions);
    arena_free(scratch);
    return decisions > 0;
}

/* Steps from one evaluation to the next; without validation, from one epoch to the next, or less where epochs are long. */
static int64_t natural_milestone(const Config *config, bool has_validation)
{
    const TrainOptions *train = &config->train;
    if (has_validation)
        return train->eval_every ? train->eval_every : config->steps_per_epoch;
    int64_t part = train->steps / 20 > 1 ? train->steps / 20 : 1;
    return config->steps_per_epoch < part ? config->steps_per_epoch : part;
}

Progress *progress_new(Arena *arena, const Config *config, const Terminal *terminal, bool quiet)
{
    Progress *p = ARENA_NEW(arena, Progress);
    *p = (Progress){
        .arena = arena, .config = config, .terminal = *terminal, .is_quiet = quiet, .next_early = 1, .totals.checkpoint = -1};
    p->has_validation = config->data.validation.samples > 0;
    p->has_accuracy = p->has_validation && loss_has_accuracy(arena, config);
    int64_t natural = natural_milestone(config, p->has_validation), rows = config->train.steps / natural;
    p->milestone = natural * ((rows + PROGRESS_ROWS - 1) / PROGRESS_ROWS + (rows == 0));
    p->is_past_early = terminal->is_live;
    p->line = text_new(arena);
    text_reserve(&p->line, 1024);
    return p;
}

const ProgressTotals *progress_totals(const Progress *progress)
{
    return &progress->totals;
}

static void put(Progress *p)
{
    fwrite(p->line.at, 1, p->line.length, p->terminal.stream);
    fflush(p->terminal.stream);
    text_clear(&p->line);
}

static void add_clear(Progress *p)
{
    if (p->is_drawn)
        text_add(&p->line, "\r\033[K");
    p->is_drawn = false;
}

void progress_begin(Progress *p, int threads)
{
    const Config *config = p->config;
    Arena *arena = p->arena;
    if (p->is_quiet)
        return;
    text_printf(&p->line, "%s%s%s  %s  %s  %s lr %g  %s train", terminal_bold(&p->terminal), config->name,
                terminal_plain(&p->terminal), progress_model_summary(arena, config->model),
                figure_of(arena, (double)model_parameter_count(config->model), "parameter"), optimizer_name(config->optimizer),
                optimizer_base_lr(config->optimizer), figure_count(arena, (double)config->data.training.samples));
    if (p->has_validation)
        text_printf(&p->line, " / %s val", figure_count(arena, (double)config->data.validation.samples));
    text_printf(&p->line, "  seed %llu  %s\n", (unsigned long long)config->seed, figure_of(arena, threads, "thread"));
    text_printf(&p->line, "%s%6s %7s %9s", terminal_dim(&p->terminal), "epoch", "step", "loss");
    if (p->has_validation)
        text_printf(&p->line, " %9s", "val");
    if (p->has_accuracy)
        text_printf(&p->line, " %6s", "acc");
    text_printf(&p->line, " %9s", "|grad|");
    if (config->clip)
        text_printf(&p->line, " %5s", "clip");
    text_printf(&p->line, " %8s %8s%s\n", "lr", "time", terminal_plain(&p->terminal));
    put(p);
}

/* A row: loss and gradient norm are means over the steps since the row before. */
static void add_row(Progress *p, const EvalReport *evaluation)
{
    char text[FIGURE_SIZE];
    const StepReport *last = &p->totals.last;
    double steps = (double)(p->sums.steps ? p->sums.steps : 1), skips = (double)p->sums.skips;
    add_clear(p);
    text_printf(&p->line, "%6lld %7lld %9s", (long long)last->epoch, (long long)last->step,
                figure(text, p->sums.loss / steps, 4));
    if (p->has_validation)
        text_printf(&p->line, " %9s", evaluation ? figure(text, evaluation->loss, 4) : "-");
    if (p->has_accuracy && evaluation && evaluation->has_accuracy)
        text_printf(&p->line, " %6.3f", evaluation->accuracy);
    else if (p->has_accuracy)
        text_printf(&p->line, " %6s", "-");
    text_printf(&p->line, " %9s", figure(text, p->sums.grad_norm / (steps > skips ? steps - skips : 1), 3));
    if (p->config->clip)
        text_printf(&p->line, " %4.0f%%", 100 * (double)p->sums.clipped / steps);
    text_printf(&p->line, " %8.1e", last->lr);
    text_printf(&p->line, " %8s\n", figure_time(text, last->seconds));
    put(p);
    p->sums = (Sums){0};
}

static void add_bar(Progress *p, double part)
{
    int full = (int)(part * BAR_COLUMNS), i = 0;
    const char *line = p->terminal.is_ascii ? "=" : "\xe2\x94\x81", *tip = p->terminal.is_ascii ? ">" : "\xe2\x95\xb8";
    text_add(&p->line, terminal_green(&p->terminal));
    for (; i < full; i++)
        text_add(&p->line, line);
    if (i < BAR_COLUMNS) {
        text_add(&p->line, tip);
        i++;
    }
    text_add(&p->line, terminal_dim(&p->terminal));
    for (; i < BAR_COLUMNS; i++)
        text_add(&p->line, p->terminal.is_ascii ? "-" : "\xe2\x94\x81");
    text_printf(&p->line, "%s ", terminal_plain(&p->terminal));
}

static void smooth_rate(Progress *p, const StepReport *report)
{
    double now = (double)(report->step - p->drawn_step) / (report->seconds - p->drawn);
    p->rate = p->drawn_step ? RATE_SMOOTHING * now + (1 - RATE_SMOOTHING) * p->rate : now;
    p->drawn = report->seconds;
    p->drawn_step = report->step;
}

/* "epoch 3/10 ━━━━━━━━━━━╸━━━━━━━━ 27/45  loss 0.48  |g| 1.21  1240 it/s  eta 0:04", as much of it as the width takes. */
static void draw_line(Progress *p, const StepReport *report)
{
    const TrainOptions *train = &p->config->train;
    int64_t of = train->epochs ? p->config->steps_per_epoch : train->steps;
    int64_t at = train->epochs ? (report->step - 1) % of + 1 : report->step;
    int width = terminal_width(&p->terminal) - 1;
    char loss[FIGURE_SIZE], norm[FIGURE_SIZE], eta[FIGURE_SIZE];
    smooth_rate(p, report);
    char rest[6 * FIGURE_SIZE], head[2 * FIGURE_SIZE] = "";
    if (train->epochs)
        snprintf(head, sizeof head, "epoch %lld/%lld ", (long long)report->epoch, (long long)train->epochs);
    int length =
        snprintf(rest, sizeof rest, "%s %lld/%lld  loss %s  |g| %s  %.0f it/s", train->epochs ? "" : "step", (long long)at,
                 (long long)of, figure(loss, report->loss, 3), figure(norm, report->grad_norm, 3), p->rate);
    if (report->seconds >= ETA_SECONDS)
        length += snprintf(rest + length, sizeof rest - (size_t)length, "  eta %s",
                           figure_time(eta, (double)(train->steps - report->step) / p->rate));
    if (p->totals.checkpoint >= 0)
        length += snprintf(rest + length, sizeof rest - (size_t)length, "  checkpoint %lld", (long long)p->totals.checkpoint);
    int shown = (int)strlen(head) + length;
    text_add(&p->line, "\r\033[K");
    text_add(&p->line, head);
    if (shown + BAR_COLUMNS + 1 <= width)
        add_bar(p, (double)at / (double)of);
    text_add(&p->line, rest);
    if (shown > width) { /* there was no bar: all is ASCII */
        size_t most = strlen("\r\033[K") + (size_t)(width > 0 ? width : 0);
        p->line.length = most < p->line.length ? most : p->line.length;
    }
    put(p);
    p->is_drawn = true;
}

static bool is_clipped(const Config *config, const ClipResult *clip)
{
    if (!clip || !clip_is_per_layer(config->clip))
        return clip && clip->total.changed;
    for (int i = 0; i < config->model->parameters; i++)
        if (clip->parameter[i].changed)
            return true;
    return false;
}

/* Will this step be evaluated? Then its row waits for that. */
static bool is_evaluated(const Progress *p, int64_t step)
{
    const TrainOptions *train = &p->config->train;
    int64_t every = train->eval_every ? train->eval_every : p->config->steps_per_epoch;
    return p->has_validation && (step % every == 0 || step == train->steps);
}

static bool is_row_due(Progress *p, int64_t step)
{
    if (step == p->next_early && !p->is_past_early) {
        p->next_early *= 2;
        return true;
    }
    if (step % p->milestone != 0 && step != p->config->train.steps)
        return false;
    p->is_past_early = true;
    return true;
}

static void stepped(void *context, const StepReport *report, const ClipResult *clip)
{
    Progress *p = context;
    p->totals.last = *report;
    p->sums.steps++;
    p->sums.loss += report->loss;
    p->sums.grad_norm += report->found_inf ? 0 : report->grad_norm;
    p->sums.skips += report->found_inf;
    p->totals.skips += report->found_inf;
    p->sums.clipped += is_clipped(p->config, clip);
    if (p->is_quiet)
        return;
    if (!is_evaluated(p, report->step) && is_row_due(p, report->step))
        add_row(p, NULL);
    if (p->terminal.is_live && report->seconds - p->drawn >= REDRAW_SECONDS)
        draw_line(p, report);
}

static void count_evaluation(ProgressTotals *totals, const EvalReport *report)
{
    totals->evaluation = *report;
    if (!totals->best.step || report->loss < totals->best.loss || !(totals->best.loss == totals->best.loss))
        totals->best = *report;
}

static void evaluated(void *context, const EvalReport *report)
{
    Progress *p = context;
    count_evaluation(&p->totals, report);
    if (!p->is_quiet && is_row_due(p, report->step))
        add_row(p, report);
}

static void kept(void *context, int64_t step)
{
    Progress *p = context;
    p->totals.checkpoint = step;
}

static void nonfinite(void *context, const NonfiniteReport *report, const char *reproducer)
{
    Progress *p = context;
    p->totals.nonfinite = nonfinite_sentence(report, p->arena);
    p->totals.advice = nonfinite_advice(report, p->arena);
    if (p->is_quiet)
        return;
    add_clear(p);
    nonfinite_message(&p->line, &p->terminal, report, reproducer);
    put(p);
}

MonitorListener progress_listener(Progress *progress)
{
    return (MonitorListener){
        .context = progress, .stepped = stepped, .evaluated = evaluated, .kept = kept, .nonfinite = nonfinite};
}

void progress_add_earlier(Progress *progress, const StepReport *last, const EvalReport *evaluation, const int64_t *checkpoint)
{
    ProgressTotals *totals = &progress->totals;
    if (last)
        totals->last = *last;
    if (evaluation)
        count_evaluation(totals, evaluation);
    if (checkpoint)
        totals->checkpoint = *checkpoint;
}

void progress_end(Progress *p)
{
    if (p->is_quiet)
        return;
    if (p->sums.steps)
        add_row(p, NULL);
    add_clear(p);
    put(p);
}
