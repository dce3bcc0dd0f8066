/* The training loop. All memory is taken before the first step; a step only runs plans and passes over parameters. */
#include "train/trainer.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "train/gan.h"
#include "train/gan_config.h"
#include "train/trainer_internal.h"

enum { EVALUATION_BATCH = 256 };

const char *train_status_name(TrainStatus status)
{
    static const char *const names[] = {"completed", "interrupted", "diverged", "failed"};
    return names[status];
}

StepGraph *trainer_graph(Trainer *t, const ModelNet *net, int64_t batch, bool measured, Error *err)
{
    for (int i = 0; i < t->graphs; i++)
        if (t->graph[i]->net == net && t->graph[i]->batch == batch && t->graph[i]->is_measured == measured)
            return t->graph[i];
    StepGraph *g = step_graph_new(t->arena, t->config, net, (int)batch, t->variant, measured ? t->observer : NULL, err);
    if (g)
        t->graph[t->graphs++] = g;
    return g;
}

bool trainer_measures(const Trainer *t, int64_t step)
{
    return t->observer && t->observer->measures && t->observer->measures(t->observer->context, step);
}

static bool prepare_graphs(Trainer *t, Error *err)
{
    const Config *config = t->config;
    int64_t last = config_micro_size(config, config_micro_batches(config) - 1), first = config_micro_size(config, 0);
    if (!step_graph_plan_memory(t->config, (int)first, t->variant, trainer_measures(t, 1) ? t->observer : NULL, err))
        return false;
    for (int64_t step = 1; step <= 3; step++) { /* where not every step is measured, one of these is not */
        bool measured = trainer_measures(t, step);
        if (!trainer_graph(t, t->net, first, measured, err) || !trainer_graph(t, t->net, last, measured, err))
            return false;
    }
    size_t samples = config->data.validation.samples;
    if (!samples)
        return true;
    int batch = (int)(samples < EVALUATION_BATCH ? samples : EVALUATION_BATCH), rest = (int)(samples % (size_t)batch);
    t->evaluation[t->evaluations++] = step_graph_new_evaluation(t->arena, config, batch, t->variant, err);
    if (rest)
        t->evaluation[t->evaluations++] = step_graph_new_evaluation(t->arena, config, rest, t->variant, err);
    return t->evaluation[0] && (!rest || t->evaluation[1]);
}

static TrainStatus make_model_step(Trainer *t, Error *err);

Trainer *trainer_new(Arena *arena, Config *config, Threads *threads, const Observer *observer, Error *err)
{
    const Model *model = config->model;
    Trainer *t = ARENA_NEW(arena, Trainer);
    *t = (Trainer){.arena = arena,
                   .config = config,
                   .threads = threads,
                   .observer = observer,
                   .variant = variant_best(),
                   .make_step = config->gan ? gan_make_step : make_model_step,
                   .epoch = 1,
                   .net = model->net,
                   .optimizer = config->optimizer,
                   .runs = (uint64_t)config->train.first_draw,
                   .is_reported = true};
    t->order = ARENA_ARRAY(arena, uint32_t, config->data.training.samples);
    t->gradient = ARENA_ARRAY(arena, float *, model->parameters);
    t->accumulated = ARENA_ARRAY(arena, float *, model->parameters);
    t->square = ARENA_ARRAY(arena, double, model->parameters);
    t->is_finite = ARENA_ARRAY(arena, bool, model->parameters);
    if (config->precision.has_scaler) {
        t->scaler = ARENA_NEW(arena, Scaler);
        *t->scaler = scaler_new(&config->precision.scaler);
    }
    t->update = ARENA_ARRAY(arena, UpdateStatistics, model->parameters);
    for (int i = 0; i < model->parameters && config->train.accumulate > 1; i++) {
        size_t bytes = sizeof(float) * shape_count(model->parameter[i]->shape);
        t->accumulated[i] = arena_try(arena, bytes);
        if (!t->accumulated[i]) {
            error_add(err, "the accumulated gradient of %s needs %zu bytes, which cannot be had", model->parameter[i]->name,
                      bytes);
            return NULL;
        }
    }
    for (int i = 0; i < model->states; i++)
        t->buffer_count += model->state[i]->kind == PARAMETER_BUFFER ? shape_count(model->state[i]->shape) : 0;
    t->buffers = ARENA_ARRAY(arena, float, t->buffer_count);
    if (!config->gan && config->penalty && config->penalty->at == PENALTY_AT_INTERPOLATE) {
        t->batch_inputs =
            arena_alloc(arena, sizeof(float) * (size_t)config->train.batch_size * shape_count(config->data.training.input));
        t->batch_targets =
            arena_alloc(arena, sizeof(float) * (size_t)config->train.batch_size * shape_count(config->data.training.target));
    }
    if (!hooks_are_empty(config->hooks) && !hooks_compile(config->hooks, model, t->variant, arena, err))
        return NULL;
    return (config->gan ? gan_prepare(t, err) : prepare_graphs(t, err)) ? t : NULL;
}

double trainer_terms(const Trainer *t, const uint32_t *order, int64_t count)
{
    const Dataset *data = &t->config->data.training;
    size_t size = shape_count(data->target);
    double terms = 0;
    if (!loss_classes(t->config->loss, t->config->model->output)) /* the targets are not looked at */
        return loss_terms(t->config->loss, t->config->model->output, data->targets, (size_t)count);
    for (int64_t i = 0; i < count; i++)
        terms += loss_terms(t->config->loss, t->config->model->output, data->targets + (size_t)order[i] * size, 1);
    return terms;
}

/* The samples of micro-batch `index` of the epoch, and of those after it. */
static const uint32_t *order_from(const Trainer *t, int64_t index)
{
    return t->order + index * t->config->train.batch_size;
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

void trainer_place_batch(const Trainer *t, const StepGraph *g, const uint32_t *order, int64_t size, uint64_t run)
{
    const Config *config = t->config;
    const Dataset *data = &config->data.training;
    dataset_gather(data, order, (size_t)size, g->input, g->target);
    if (g->interpolates) {
        dataset_gather(data, order, (size_t)size, t->batch_inputs, t->batch_targets);
        penalty_interpolate(t->batch_inputs, t->batch_targets, (int)size, shape_count(data->input),
                            penalty_rows(config->penalty, (int)size), config->seed, run, g->interpolates);
    }
}

/* The penalty's share of the loss: a mean over the rows of the group, or of the batch where losses add up. */
static double penalty_share(const Trainer *t, int64_t size, int64_t rows)
{
    const Penalty *penalty = t->config->penalty;
    if (!penalty)
        return 0;
    return penalty->weight / (double)(loss_is_sum(t->config->loss) ? penalty_rows(penalty, (int)size) : rows);
}

Share trainer_share(const Trainer *t, int64_t size, double terms, int64_t rows)
{
    return (Share){.loss = loss_is_sum(t->config->loss) ? 1 : 1 / terms, .penalty = penalty_share(t, size, rows), .rows = rows};
}

/* The loss of the micro-batch alone. */
static double own_loss(const Trainer *t, const StepGraph *g, int64_t size, double terms)
{
    double loss = (double)*g->sum * (loss_is_sum(t->config->loss) ? 1 : 1 / terms);
    return g->penalty_sum ? loss + (double)*g->penalty_sum * penalty_share(t, size, penalty_rows(t->config->penalty, (int)size))
                          : loss;
}

/* What the group's micro-batches share: how many there are, terms of the loss and rows of the penalty. */
typedef struct Group {
    int64_t count, samples, rows;
    double terms;
} Group;

/* One micro-batch: gather, run, collect. */
static bool run_micro_batch(Trainer *t, int64_t index, const Group *group, bool measured, StepReport *report, Error *err)
{
    const Config *config = t->config;
    int64_t size = config_micro_size(config, t->micro);
    const StepGraph *g = trainer_graph(t, t->net, size, measured, err);
    if (!g)
        return false;
    trainer_place_batch(t, g, order_from(t, t->micro), size, t->runs);
    const bool is_alone = group->count == 1;
    const double terms = !is_alone   ? group->terms
                         : g->target ? loss_terms(config->loss, config->model->output, g->target, (size_t)size)
                                     : trainer_terms(t, order_from(t, t->micro), size);
    const Share share = trainer_share(t, size, terms, group->rows);
    trainer_run_graph(t, g, &share, measured, report);
    collect_gradients(t, g, index, group->count);
    if (!trainer_show_hooks(t, g, group->count > 1 ? index + 1 : 0, err))
        return false;
    t->micro++;
    if (config->train.accumulate == 1 || !t->observer || !t->observer->accumulated)
        return true;
    double norm = trainer_gradient_norm(t) / trainer_scale(t);
    double own = own_loss(t, g, size, trainer_terms(t, order_from(t, t->micro - 1), size));
    return t->observer->accumulated(t->observer->context, t->step + 1, index + 1, group->count, own, norm, err);
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
    group.terms = group.count > 1 ? trainer_terms(t, order_from(t, t->micro), group.samples) : 0;
    return group;
}

static TrainStatus make_model_step(Trainer *t, Error *err)
{
    const Config *config = t->config;
    if (!t->micro)
        dataset_order(config->data.training.samples, config->seed, (uint64_t)(t->epoch - 1), config->train.shuffle, t->order);
    const Group group = next_group(t);
    bool measured = trainer_measures(t, t->step + 1);
    StepReport report = {.step = t->step + 1, .epoch = t->epoch, .scale = trainer_scale(t), .samples = group.samples};
    if (measured && t->observer->begin)
        t->observer->begin(t->observer->context, report.step);
    trainer_begin_update(t);
    for (int64_t k = 0; k < group.count; k++)
        if (!run_micro_batch(t, k, &group, measured, &report, err))
            return TRAIN_FAILED;
    if (!trainer_update(t, group.count, measured, &report, err))
        return TRAIN_FAILED;
    if (t->micro == config_micro_batches(config)) {
        t->micro = 0;
        t->epoch++;
    }
    return trainer_end_step(t, &report, measured, err);
}

static TrainPoint point_of(const Trainer *t)
{
    TrainPoint point = {
        .step = t->step, .epoch = t->epoch, .micro = t->micro, .runs = (int64_t)t->runs, .nonfinite = t->nonfinite_steps};
    if (t->scaler) {
        const ScalerState state = scaler_state(t->scaler);
        point.scale = (double)state.scale;
        point.growth_tracker = state.growth_tracker;
    }
    return point;
}

bool trainer_point(const Trainer *t, TrainPoint *point)
{
    *point = t->is_stopped ? t->before : point_of(t);
    point->seconds = trainer_seconds(t);
    return !t->is_torn;
}

bool trainer_go_to(Trainer *t, const TrainPoint *point, Error *err)
{
    const Config *config = t->config;
    if (point->micro >= config_micro_batches(config))
        return error_add(err, "an epoch of this data has %lld batches, and %lld of them have been trained on",
                         (long long)config_micro_batches(config), (long long)point->micro);
    t->step = point->step;
    t->epoch = point->epoch;
    t->micro = point->micro;
    t->runs = (uint64_t)point->runs;
    t->nonfinite_steps = point->nonfinite;
    optimizer_forget_bounds(config->optimizer);
    if (config->gan)
        optimizer_forget_bounds(config->gan->generator_optimizer);
    t->earlier = point->seconds;
    if (t->scaler && point->scale > 0)
        scaler_set_state(t->scaler, (ScalerState){.scale = (float)point->scale, .growth_tracker = point->growth_tracker});
    dataset_order(config->data.training.samples, config->seed, (uint64_t)(t->epoch - 1), config->train.shuffle, t->order);
    return true;
}

bool trainer_checkpoint_is_due(const Trainer *t, int64_t step)
{
    const TrainOptions *options = &t->config->train;
    return step == options->steps || (options->checkpoint_every && step % options->checkpoint_every == 0);
}

TrainStatus trainer_step(Trainer *t, Error *err)
{
    if (!t->started.tv_sec)
        clock_gettime(CLOCK_MONOTONIC, &t->started);
    t->before = point_of(t);
    return t->make_step(t, err);
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

static bool keep(const Trainer *t, Error *err)
{
    return !t->observer || !t->observer->checkpoint || t->observer->checkpoint(t->observer->context, t, err);
}

/* Is the step that was made last followed by an evaluation? */
static bool is_evaluated(const Trainer *t)
{
    const int64_t every = t->config->train.eval_every;
    return t->step && (every ? t->step % every == 0 : t->micro == 0);
}

TrainStatus trainer_run(Trainer *t, const volatile sig_atomic_t *stop, Error *err)
{
    while (t->step < t->config->train.steps) {
        TrainStatus status = trainer_step(t, err);
        if (status == TRAIN_DIVERGED && !keep(t, err))
            return TRAIN_FAILED;
        if (status != TRAIN_COMPLETED)
            return status;
        if (is_evaluated(t) && !evaluate(t, err))
            return TRAIN_FAILED;
        const bool is_interrupted = stop && *stop;
        if ((is_interrupted || trainer_checkpoint_is_due(t, t->step)) && !keep(t, err))
            return TRAIN_FAILED;
        if (is_interrupted)
            return TRAIN_INTERRUPTED;
    }
    return is_evaluated(t) || evaluate(t, err) ? TRAIN_COMPLETED : TRAIN_FAILED;
}

int64_t trainer_steps_done(const Trainer *trainer)
{
    return trainer->step;
}

double trainer_seconds(const Trainer *trainer)
{
    struct timespec now;
    if (!trainer->started.tv_sec)
        return trainer->earlier;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return trainer->earlier + (double)(now.tv_sec - trainer->started.tv_sec) +
           1e-9 * (double)(now.tv_nsec - trainer->started.tv_nsec);
}

const float *trainer_gradient(const Trainer *trainer, int index)
{
    return trainer->gradient[index];
}

static const StepGraph *graph_that_learns(const Trainer *trainer, int weight)
{
    for (int i = 0; i < trainer->graphs; i++) {
        const ModelNet *net = trainer->graph[i]->net;
        if (weight >= net->parameter && weight < net->parameter + net->parameters)
            return trainer->graph[i];
    }
    return trainer->graph[0];
}

const char *trainer_gradient_reason(const Trainer *trainer, int index, Arena *arena)
{
    const Parameter *p = trainer->config->model->parameter[index];
    const StepGraph *g = graph_that_learns(trainer, index);
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
        bytes += graph_that_learns(trainer, i)->gradient[i]
                     ? sizeof(float) * shape_count(trainer->config->model->parameter[i]->shape)
                     : 0;
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
