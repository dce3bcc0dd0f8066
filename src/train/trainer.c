/* The training loop. All memory is taken before the first step; a step only runs plans and passes over parameters. */
#include "train/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tensor/statistics.h"
#include "train/step_graph.h"

enum { GRAPH_LIMIT = 8, EVALUATION_BATCH = 256 };

struct Trainer {
    Arena *arena;
    Config *config;
    Threads *threads;
    const Observer *observer;
    Variant variant;
    StepGraph *graph[GRAPH_LIMIT]; /* by batch size, measured or not */
    int graphs;
    StepGraph *evaluation[2];
    int evaluations;
    uint32_t *order;       /* of this epoch's samples */
    int64_t step, epoch;   /* done; running, from 1 */
    int64_t micro;         /* next micro-batch of the epoch */
    uint64_t runs;         /* micro-batches so far: what random operators draw by */
    float **accumulated;   /* of each weight, where accumulate > 1 */
    float **gradient;      /* of each weight, of this step */
    double *square;        /* its sum of squares */
    UpdateStatistics *update;
    const ClipResult *clip; /* of this step; NULL: nothing is clipped */
    bool measures_updates;
    float *buffers;        /* state that is no weight, as it was before the step */
    size_t buffer_count;
    float *batch_inputs, *batch_targets; /* of a micro-batch, where interpolates are made from it */
    struct timespec started;
};

const char *train_status_name(TrainStatus status)
{
    static const char *const names[] = {"completed", "interrupted", "diverged", "failed"};
    return names[status];
}

static StepGraph *graph_for(Trainer *t, int64_t batch, bool measured, Error *err)
{
    for (int i = 0; i < t->graphs; i++)
        if (t->graph[i]->batch == batch && t->graph[i]->is_measured == measured)
            return t->graph[i];
    StepGraph *g = step_graph_new(t->arena, t->config, (int)batch, t->variant, measured ? t->observer : NULL, err);
    if (g)
        t->graph[t->graphs++] = g;
    return g;
}

static bool measures(const Trainer *t, int64_t step)
{
    return t->observer && t->observer->measures && t->observer->measures(t->observer->context, step);
}

static bool prepare_graphs(Trainer *t, Error *err)
{
    const Config *config = t->config;
    int64_t last = config_micro_size(config, config_micro_batches(config) - 1), first = config_micro_size(config, 0);
    if (!step_graph_plan_memory(t->config, (int)first, t->variant, measures(t, 1) ? t->observer : NULL, err))
        return false;
    for (int64_t step = 1; step <= 3; step++) /* where not every step is measured, one of these is not */
        if (!graph_for(t, first, measures(t, step), err) || !graph_for(t, last, measures(t, step), err))
            return false;
    size_t samples = config->data.validation.samples;
    if (!samples)
        return true;
    int batch = (int)(samples < EVALUATION_BATCH ? samples : EVALUATION_BATCH), rest = (int)(samples % (size_t)batch);
    t->evaluation[t->evaluations++] = step_graph_new_evaluation(t->arena, config, batch, t->variant, err);
    if (rest)
        t->evaluation[t->evaluations++] = step_graph_new_evaluation(t->arena, config, rest, t->variant, err);
    return t->evaluation[0] && (!rest || t->evaluation[1]);
}

Trainer *trainer_new(Arena *arena, Config *config, Threads *threads, const Observer *observer, Error *err)
{
    const Model *model = config->model;
    Trainer *t = ARENA_NEW(arena, Trainer);
    *t = (Trainer){.arena = arena, .config = config, .threads = threads, .observer = observer, .variant = variant_best(), .epoch = 1};
    t->order = ARENA_ARRAY(arena, uint32_t, config->data.training.samples);
    t->gradient = ARENA_ARRAY(arena, float *, model->parameters);
    t->accumulated = ARENA_ARRAY(arena, float *, model->parameters);
    t->square = ARENA_ARRAY(arena, double, model->parameters);
    t->update = ARENA_ARRAY(arena, UpdateStatistics, model->parameters);
    for (int i = 0; i < model->parameters && config->train.accumulate > 1; i++) {
        size_t bytes = sizeof(float) * shape_count(model->parameter[i]->shape);
        t->accumulated[i] = arena_try(arena, bytes);
        if (!t->accumulated[i]) {
            error_add(err, "the accumulated gradient of %s needs %zu bytes, which cannot be had", model->parameter[i]->name, bytes);
            return NULL;
        }
    }
    for (int i = 0; i < model->states; i++)
        t->buffer_count += model->state[i]->kind == PARAMETER_BUFFER ? shape_count(model->state[i]->shape) : 0;
    t->buffers = ARENA_ARRAY(arena, float, t->buffer_count);
    if (config->penalty && config->penalty->at == PENALTY_AT_INTERPOLATE) {
        t->batch_inputs = arena_alloc(arena, sizeof(float) * (size_t)config->train.batch_size * shape_count(config->data.training.input));
        t->batch_targets = arena_alloc(arena, sizeof(float) * (size_t)config->train.batch_size * shape_count(config->data.training.target));
    }
    if (!hooks_are_empty(config->hooks) && !hooks_compile(config->hooks, model, t->variant, arena, err))
        return NULL;
    return prepare_graphs(t, err) ? t : NULL;
}

/* Copies buffers (running statistics) aside, or back where a step is not taken. */
static void keep_buffers(Trainer *t, bool back)
{
    float *at = t->buffers;
    for (int i = 0; t->buffer_count && i < t->config->model->states; i++) {
        Parameter *p = t->config->model->state[i];
        if (p->kind != PARAMETER_BUFFER)
            continue;
        size_t count = shape_count(p->shape);
        memcpy(back ? p->data : at, back ? at : p->data, sizeof(float) * count);
        at += count;
    }
}

static void count_batch(const Model *model, int by)
{
    for (int i = 0; i < model->states; i++)
        model->state[i]->counter += model->state[i]->kind == PARAMETER_COUNTER ? by : 0;
}

/* Terms of micro-batches [first, first + count) of the epoch. */
static double group_terms(const Trainer *t, int64_t first, int64_t count)
{
    const Dataset *data = &t->config->data.training;
    size_t size = shape_count(data->target);
    double terms = 0;
    for (int64_t m = first; m < first + count; m++) {
        int64_t samples = config_micro_size(t->config, m);
        for (int64_t i = 0; i < samples; i++) {
            uint32_t sample = t->order[m * t->config->train.batch_size + i];
            terms += loss_terms(t->config->loss, t->config->model->output, data->targets + (size_t)sample * size, 1);
        }
    }
    return terms;
}

/* Adds the micro-batch's gradients to the group's; with one micro-batch they are used where they stand. */
static void collect_gradients(Trainer *t, const StepGraph *g, int64_t index, int64_t group)
{
    for (int i = 0; i < t->config->model->parameters; i++) {
        float *from = g->gradient[i], *into = t->accumulated[i];
        if (group == 1 || !from) {
            t->gradient[i] = from;
            continue;
        }
        size_t count = shape_count(t->config->model->parameter[i]->shape);
        if (!index)
            memcpy(into, from, sizeof(float) * count);
        for (size_t k = 0; index && k < count; k++)
            into[k] += from[k];
        t->gradient[i] = into;
    }
}

static double total_norm(const Trainer *t)
{
    double total = 0;
    for (int i = 0; i < t->config->model->parameters; i++)
        total += t->gradient[i] ? t->square[i] : 0;
    return sqrt(total);
}

/* What a pass over all weights does with one of them. */
typedef void WeightWork(Trainer *t, int index);

typedef struct Pass {
    Trainer *trainer;
    WeightWork *work;
    size_t total;
} Pass;

/* Weights are dealt to threads in order, by where their middle falls. Each is done by one thread, so the bits stay the same. */
static void pass_work(void *context, int thread, int threads)
{
    const Pass *pass = context;
    const Model *model = pass->trainer->config->model;
    size_t before = 0;
    for (int i = 0; i < model->parameters; i++) {
        size_t count = shape_count(model->parameter[i]->shape);
        size_t owner = (before + count / 2) * (size_t)threads / (pass->total + 1);
        if ((int)owner == thread)
            pass->work(pass->trainer, i);
        before += count;
    }
}

static void over_weights(Trainer *t, WeightWork *work)
{
    enum { WORTH_THREADS = 100000 };
    Pass pass = {.trainer = t, .work = work, .total = model_parameter_count(t->config->model)};
    if (t->threads && threads_count(t->threads) > 1 && pass.total >= WORTH_THREADS)
        threads_run(t->threads, pass_work, &pass);
    else
        pass_work(&pass, 0, 1);
}

static void square_weight(Trainer *t, int i)
{
    size_t count = shape_count(t->config->model->parameter[i]->shape);
    t->square[i] = t->gradient[i] ? statistics_square_sum(t->variant, t->gradient[i], NULL, count) : 0;
}

static void measure_weight(Trainer *t, int i)
{
    size_t count = shape_count(t->config->model->parameter[i]->shape);
    t->square[i] = t->observer->gradient(t->observer->context, i, t->gradient[i], t->gradient[i] ? count : 0);
}

static HookSave *saver(const Trainer *t)
{
    return t->observer ? t->observer->save : NULL;
}

static void *observer_context(const Trainer *t)
{
    return t->observer ? t->observer->context : NULL;
}

/* Hooks on the gradients of the whole group, then the reports of all hooks. */
static bool apply_hooks(Trainer *t, Error *err)
{
    HookSet *hooks = t->config->hooks;
    HookReport report;
    for (int i = 0; i < t->config->model->parameters; i++)
        if (t->gradient[i] && !hooks_on_gradient(hooks, i, t->gradient[i], t->step + 1, saver(t), observer_context(t), err))
            return false;
    for (int i = 0; t->observer && t->observer->hooked && hooks_report(hooks, t->step + 1, i, &report); i++)
        if (!t->observer->hooked(t->observer->context, &report, err))
            return false;
    return true;
}

/* Puts a micro-batch where the graph reads it. Returns the terms that it adds to the mean. */
static double gather(Trainer *t, const StepGraph *g, int64_t size, int64_t group)
{
    const Config *config = t->config;
    const Dataset *data = &config->data.training;
    const uint32_t *order = t->order + t->micro * config->train.batch_size;
    dataset_gather(data, order, (size_t)size, g->input, g->target);
    if (g->interpolates) {
        dataset_gather(data, order, (size_t)size, t->batch_inputs, t->batch_targets);
        penalty_interpolate(t->batch_inputs, t->batch_targets, (int)size, shape_count(data->input), penalty_rows(config->penalty, (int)size),
                            config->seed, t->runs, g->interpolates);
    }
    return group == 1 && g->target ? loss_terms(config->loss, config->model->output, g->target, (size_t)size) : group_terms(t, t->micro, 1);
}

/* The penalty's share of the loss: a mean over the rows of the group, or of the batch where losses add up. */
static double penalty_share(const Trainer *t, int64_t size, int64_t rows)
{
    const Penalty *penalty = t->config->penalty;
    if (!penalty)
        return 0;
    return penalty->weight / (double)(loss_is_sum(t->config->loss) ? penalty_rows(penalty, (int)size) : rows);
}

/* The loss of the micro-batch alone. */
static double own_loss(const Trainer *t, const StepGraph *g, int64_t size, double terms)
{
    double loss = (double)*g->sum * (loss_is_sum(t->config->loss) ? 1 : 1 / terms);
    return g->penalty_sum ? loss + (double)*g->penalty_sum * penalty_share(t, size, penalty_rows(t->config->penalty, (int)size)) : loss;
}

/* What the group's micro-batches share: how many there are, terms of the loss and rows of the penalty. */
typedef struct Group {
    int64_t count, samples, rows;
    double terms;
} Group;

/* One micro-batch: gather, run, collect. Adds its share to *loss. */
static bool run_micro_batch(Trainer *t, int64_t index, const Group *group, bool measured, double *loss, Error *err)
{
    const Config *config = t->config;
    int64_t size = config_micro_size(config, t->micro);
    StepGraph *g = graph_for(t, size, measured, err);
    if (!g)
        return false;
    double own = gather(t, g, size, group->count);
    double factor = loss_is_sum(config->loss) ? 1 : 1 / (group->count == 1 ? own : group->terms);
    double share = penalty_share(t, size, group->rows);
    if (g->factor)
        *g->factor = (float)factor;
    if (g->penalty_factor)
        *g->penalty_factor = (float)share;
    workspace_context(g->workspace)->step = t->runs++;
    plan_run(g->plan, g->workspace, t->threads);
    *loss += (double)*g->sum * factor + (g->penalty_sum ? (double)*g->penalty_sum * share : 0);
    count_batch(config->model, 1);
    collect_gradients(t, g, index, group->count);
    if (measured && t->observer->ran)
        t->observer->ran(t->observer->context, &g->view);
    if (g->hooks && !hooks_ran(config->hooks, g->hooks, g->workspace, t->step + 1, group->count > 1 ? index + 1 : 0, saver(t), observer_context(t), err))
        return false;
    t->micro++;
    if (config->train.accumulate == 1 || !t->observer || !t->observer->accumulated)
        return true;
    over_weights(t, square_weight);
    return t->observer->accumulated(t->observer->context, t->step + 1, index + 1, group->count, own_loss(t, g, size, own), total_norm(t), err);
}

/* The micro-batches of the next step. */
static Group next_group(const Trainer *t)
{
    const Config *config = t->config;
    int64_t left = config_micro_batches(config) - t->micro;
    Group group = {.count = left < config->train.accumulate ? left : config->train.accumulate};
    for (int64_t m = t->micro; m < t->micro + group.count; m++) {
        group.samples += config_micro_size(config, m);
        group.rows += config->penalty ? penalty_rows(config->penalty, (int)config_micro_size(config, m)) : 0;
    }
    group.terms = group.count > 1 ? group_terms(t, t->micro, group.count) : 0;
    return group;
}

static bool is_taken(const Trainer *t, double loss, double norm)
{
    return t->config->train.nonfinite == NONFINITE_CONTINUE || (isfinite(loss) && isfinite(norm));
}

static const ClipResult *clip_gradients(Trainer *t, StepReport *report)
{
    report->clipped_norm = report->grad_norm;
    if (!t->config->clip)
        return NULL;
    const ClipResult *clip = clip_apply(t->config->clip, t->config->model->parameter, t->gradient, t->square);
    report->clipped_norm = clip->clipped_norm;
    return clip;
}

/* The factor that clipping by norm left for the optimizer, and whether the update is measured, stand in the trainer. */
static void update_weight(Trainer *t, int i)
{
    if (!t->gradient[i])
        return;
    double coefficient = t->clip ? t->clip->factor[i] : 1;
    optimizer_update(t->config->optimizer, i, t->gradient[i], coefficient, t->measures_updates ? &t->update[i] : NULL);
}

/* What update_weight would have measured, had the step been taken with nothing to add. */
static void leave_weight(Trainer *t, int i)
{
    const Parameter *p = t->config->model->parameter[i];
    t->update[i] = (UpdateStatistics){.weight_square = statistics_square_sum(t->variant, p->data, NULL, shape_count(p->shape))};
}

static double seconds_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) + 1e-9 * (double)(now.tv_nsec - start->tv_nsec);
}

/* Norms, clipping and update, once the gradients of the whole group stand. Returns the hook that stops the training, or NULL. */
static const char *take_step(Trainer *t, StepReport *report, const Group *group, bool measured, const ClipResult **clip)
{
    const Config *config = t->config;
    over_weights(t, measured && t->observer->gradient ? measure_weight : square_weight);
    report->grad_norm = total_norm(t);
    report->lr = schedule_rate(config->schedule, t->step);
    *clip = clip_gradients(t, report);
    const char *stop = hooks_are_empty(config->hooks) ? NULL : hooks_stop(config->hooks);
    report->skipped = stop || !is_taken(t, report->loss, report->grad_norm);
    if (report->skipped) {
        keep_buffers(t, true);
        count_batch(config->model, (int)-group->count);
        if (measured && t->observer->wants_updates)
            over_weights(t, leave_weight);
    } else {
        optimizer_start_step(config->optimizer, config->schedule, t->step);
        t->clip = *clip;
        t->measures_updates = measured && t->observer->wants_updates;
        over_weights(t, update_weight);
    }
    return stop;
}

static bool tell_observer(Trainer *t, const StepReport *report, bool measured, const ClipResult *clip, Error *err)
{
    const Observer *observer = t->observer;
    for (int i = 0; measured && observer->updated && i < t->config->model->parameters; i++)
        observer->updated(observer->context, i, t->gradient[i] ? &t->update[i] : NULL);
    return !observer || !observer->stepped || observer->stepped(observer->context, report, measured, clip, err);
}

TrainStatus trainer_step(Trainer *t, Error *err)
{
    const Config *config = t->config;
    if (!t->step && !t->started.tv_sec)
        clock_gettime(CLOCK_MONOTONIC, &t->started);
    if (!t->micro)
        dataset_order(config->data.training.samples, config->seed, (uint64_t)(t->epoch - 1), config->train.shuffle, t->order);
    const Group group = next_group(t);
    bool measured = measures(t, t->step + 1), has_hooks = !hooks_are_empty(config->hooks);
    StepReport report = {.step = t->step + 1, .epoch = t->epoch, .scale = 1, .samples = group.samples};
    const ClipResult *clip;
    keep_buffers(t, false);
    if (measured && t->observer->begin)
        t->observer->begin(t->observer->context, report.step);
    if (has_hooks)
        hooks_begin(config->hooks);
    for (int64_t k = 0; k < group.count; k++)
        if (!run_micro_batch(t, k, &group, measured, &report.loss, err))
            return TRAIN_FAILED;
    if (has_hooks && !apply_hooks(t, err))
        return TRAIN_FAILED;
    const char *stop = take_step(t, &report, &group, measured, &clip);
    t->step++;
    report.seconds = seconds_since(&t->started);
    if (!tell_observer(t, &report, measured, clip, err))
        return TRAIN_FAILED;
    if (t->micro == config_micro_batches(config)) {
        t->micro = 0;
        t->epoch++;
    }
    return stop || (report.skipped && config->train.nonfinite == NONFINITE_STOP) ? TRAIN_DIVERGED : TRAIN_COMPLETED;
}

static bool evaluate(Trainer *t, Error *err)
{
    const Config *config = t->config;
    const Dataset *data = &config->data.validation;
    double sum = 0, terms = 0, correct = 0, decisions = 0;
    if (!data->samples || !t->observer || !t->observer->evaluated)
        return true;
    Arena *scratch = arena_new(t->arena);
    uint32_t *order = ARENA_ARRAY(scratch, uint32_t, data->samples);
    dataset_order(data->samples, 0, 0, false, order);
    for (size_t at = 0; at < data->samples;) {
        const StepGraph *g = t->evaluation[data->samples - at < (size_t)t->evaluation[0]->batch];
        size_t size = (size_t)g->batch;
        float *targets = ARENA_ARRAY(scratch, float, size *shape_count(data->target));
        dataset_gather(data, order + at, size, g->input, targets);
        if (g->target)
            memcpy(g->target, targets, sizeof(float) * size * shape_count(data->target));
        plan_run(g->plan, g->workspace, t->threads);
        double count;
        sum += (double)*g->sum;
        terms += loss_terms(config->loss, config->model->output, targets, size);
        correct += loss_correct(config->loss, config->model->output, g->output, targets, size, &count);
        decisions += count;
        at += size;
    }
    arena_free(scratch);
    EvalReport report = {.step = t->step, .loss = loss_is_sum(config->loss) ? sum : sum / terms, .has_accuracy = decisions > 0};
    report.accuracy = decisions > 0 ? correct / decisions : 0;
    return t->observer->evaluated(t->observer->context, &report, err);
}

TrainStatus trainer_run(Trainer *t, const volatile sig_atomic_t *stop, Error *err)
{
    const TrainOptions *options = &t->config->train;
    bool is_evaluated = false;
    while (t->step < options->steps) {
        TrainStatus status = trainer_step(t, err);
        if (status != TRAIN_COMPLETED)
            return status;
        is_evaluated = options->eval_every ? t->step % options->eval_every == 0 : t->micro == 0;
        if (is_evaluated && !evaluate(t, err))
            return TRAIN_FAILED;
        if (stop && *stop)
            return TRAIN_INTERRUPTED;
    }
    return is_evaluated || evaluate(t, err) ? TRAIN_COMPLETED : TRAIN_FAILED;
}

int64_t trainer_steps_done(const Trainer *trainer)
{
    return trainer->step;
}

double trainer_seconds(const Trainer *trainer)
{
    return trainer->started.tv_sec ? seconds_since(&trainer->started) : 0;
}

const float *trainer_gradient(const Trainer *trainer, int index)
{
    return trainer->gradient[index];
}

const char *trainer_gradient_reason(const Trainer *trainer, int index, Arena *arena)
{
    const Parameter *p = trainer->config->model->parameter[index];
    const StepGraph *g = trainer->graph[0];
    const Node *node = g->model.state[p->index];
    if (p->frozen)
        return "frozen";
    const Node *stop = node ? graph_gradient_stop(node, g->objective) : NULL;
    if (stop && stop->scope)
        return arena_printf(arena, "the gradient stops at `%s`", stop->scope);
    return stop ? "no gradient passes its reader" : "nothing that leads to the loss reads it";
}

size_t trainer_gradient_bytes(const Trainer *trainer)
{
    size_t bytes = 0;
    for (int i = 0; i < trainer->config->model->parameters; i++)
        bytes += trainer->graph[0]->gradient[i] ? sizeof(float) * shape_count(trainer->config->model->parameter[i]->shape) : 0;
    return bytes;
}

size_t trainer_workspace_bytes(const Trainer *trainer)
{
    size_t most = 0;
    for (int i = 0; i < trainer->graphs; i++)
        most = plan_bytes(trainer->graph[i]->plan) > most ? plan_bytes(trainer->graph[i]->plan) : most;
    return most;
}

double trainer_flops(const Trainer *trainer)
{
    return plan_flops(trainer->graph[0]->plan);
}

static int slower_first(const void *a, const void *b)
{
    double x = ((const ProfileRow *)a)->seconds, y = ((const ProfileRow *)b)->seconds;
    return (x < y) - (x > y);
}

int trainer_profile(Trainer *trainer, int steps, Arena *arena, const ProfileRow **rows)
{
    const StepGraph *g = trainer->graph[0];
    int count = plan_step_count(g->plan), names = 0;
    double *seconds = ARENA_ARRAY(arena, double, count), total = 0;
    ProfileRow *row = ARENA_ARRAY(arena, ProfileRow, count);
    for (int i = 0; i < steps; i++)
        plan_run_timed(g->plan, g->workspace, seconds);
    for (int s = 0; s < count; s++) {
        const char *name = plan_step_name(g->plan, s, arena);
        int i = 0;
        while (i < names && strcmp(row[i].name, name) != 0)
            i++;
        if (i == names)
            row[names++].name = name;
        row[i].seconds += seconds[s] / steps;
        row[i].count++;
        total += seconds[s] / steps;
    }
    for (int i = 0; i < names; i++)
        row[i].share = total > 0 ? row[i].seconds / total : 0;
    qsort(row, (size_t)names, sizeof *row, slower_first);
    *rows = row;
    return names;
}
