/* Graphs are built anew, with every node for itself, and dropped with the arena. */
#include "train/nonfinite_replay.h"

#include <math.h>
#include <string.h>

#include "tensor/unscale.h"

static void copy_input(const StepGraph *from, const Node *from_node, const StepGraph *to, const Node *to_node)
{
    const void *values = from_node ? workspace_value(from->workspace, from_node) : NULL;
    void *into = to_node ? workspace_value(to->workspace, to_node) : NULL;
    if (values && into)
        memcpy(into, values, sizeof(float) * shape_count(to_node->shape));
}

/* What stands in the inputs of a graph stays there while it runs. */
static void copy_inputs(const StepGraph *from, const StepGraph *to)
{
    copy_input(from, from->model.input, to, to->model.input);
    copy_input(from, from->loss.target, to, to->loss.target);
    copy_input(from, from->loss.factor, to, to->loss.factor);
    copy_input(from, from->penalty.input, to, to->penalty.input);
    copy_input(from, from->penalty.factor, to, to->penalty.factor);
    copy_input(from, from->view.scale.scale, to, to->view.scale.scale);
    copy_input(from, from->view.scale.inverse, to, to->view.scale.inverse);
}

static const Replay *run(Trainer *t, const StepGraph *g, uint64_t draw, const ReplayRows *rows, Arena *arena)
{
    workspace_context(g->workspace)->step = draw;
    return replay_run(g->plan, g->workspace, t->variant, g->root, g->roots, rows, arena);
}

/* The samples of the generator were made by a graph of their own, which may be where it began. */
static bool replay_sampler(Trainer *t, uint64_t draw, Finding *finding, Arena *arena, Error *err)
{
    const StepGraph *from = t->sampler;
    const StepGraph *g = step_graph_new_replay(arena, t->config, from->net, true, from->batch, t->variant, err);
    if (!g)
        return false;
    copy_inputs(from, g);
    *finding = (Finding){.replay = run(t, g, draw, NULL, arena), .graph = g, .parameter = -1};
    return true;
}

/* Adds the gradients of a micro-batch to those before it. */
static void add_gradients(const Trainer *t, const StepGraph *g, float **sum, Arena *arena)
{
    for (int i = 0; i < t->config->model->parameters; i++) {
        const size_t count = shape_count(t->config->model->parameter[i]->shape);
        if (!g->gradient[i])
            continue;
        if (!sum[i]) {
            sum[i] = ARENA_ARRAY(arena, float, count);
            memcpy(sum[i], g->gradient[i], sizeof(float) * count);
            continue;
        }
        for (size_t k = 0; k < count; k++)
            sum[i][k] += g->gradient[i][k];
    }
}

/* Each micro-batch is finite: their sum, or a hook on it, is not. */
static bool replay_sums(const Trainer *t, float **sum, Finding *finding, Arena *arena, Error *err)
{
    const Model *model = t->config->model;
    for (int i = 0; i < model->parameters; i++)
        for (size_t k = 0; sum[i] && k < shape_count(model->parameter[i]->shape); k++)
            if (!isfinite(sum[i][k])) {
                *finding = (Finding){.micro = -1, .parameter = i, .element = k, .value = (double)sum[i][k]};
                return true;
            }
    for (int i = 0; t->scaler && i < model->parameters; i++)
        if (sum[i])
            unscale_values(t->variant, sum[i], shape_count(model->parameter[i]->shape), (double)scaler_inverse(t->scaler));
    for (int i = 0; i < model->parameters && !hooks_are_empty(t->config->hooks); i++) {
        const Replay *replay = sum[i] ? hooks_replay(t->config->hooks, model, i, sum[i], t->variant, arena, err) : NULL;
        if (!replay)
            continue;
        *finding = (Finding){.replay = replay, .micro = -1, .parameter = -1};
        return true;
    }
    return error_count(err) == 0;
}

/* A GAN's update is one batch, whose inputs still stand in the graph that ran. */
static bool replay_gan(Trainer *t, const Replayed *what, Finding *finding, Arena *arena, Error *err)
{
    const StepGraph *from = what->ran;
    const bool is_critic = from->net != t->config->model->net;
    if (is_critic && (!replay_sampler(t, what->first_draw, finding, arena, err) || finding->replay->is_found))
        return finding->replay != NULL;
    const StepGraph *g = step_graph_new_replay(arena, t->config, from->net, false, from->batch, t->variant, err);
    if (!g)
        return false;
    const ReplayRows rows = step_graph_rows(g, t->config, arena);
    copy_inputs(from, g);
    *finding = (Finding){.replay = run(t, g, what->first_draw, &rows, arena), .graph = g, .parameter = -1};
    if (finding->replay->is_found)
        return true;
    float **sum = ARENA_ARRAY(arena, float *, t->config->model->parameters);
    add_gradients(t, g, sum, arena);
    *finding = (Finding){.parameter = -1, .micro = -1};
    return replay_sums(t, sum, finding, arena, err);
}

/* What the micro-batches share: terms of the loss and rows of the penalty. */
typedef struct Group {
    double terms;
    int64_t rows;
} Group;

static int64_t size_of(const Replayed *what, int64_t index)
{
    const int64_t left = what->count - index * what->batch_size;
    return left < what->batch_size ? left : what->batch_size;
}

static bool replay_micro_batch(Trainer *t, const Replayed *what, int64_t index, const Group *group, float **sum,
                               Finding *finding, Arena *sums, Error *err)
{
    Arena *arena = arena_new(sums);
    const int64_t first = index * what->batch_size, size = size_of(what, index);
    const StepGraph *g = step_graph_new_replay(arena, t->config, t->net, false, (int)size, t->variant, err);
    if (!g)
        return false;
    const ReplayRows rows = step_graph_rows(g, t->config, arena);
    const uint64_t draw = what->first_draw + (uint64_t)index;
    const Share share = trainer_share(t, size, group->terms, group->rows);
    trainer_place_batch(t, g, what->order + first, size, draw);
    if (g->factor)
        *g->factor = (float)share.loss;
    if (g->penalty_factor)
        *g->penalty_factor = (float)share.penalty;
    if (g->scale)
        *g->scale = scaler_scale(t->scaler);
    if (g->inverse_scale)
        *g->inverse_scale = scaler_inverse(t->scaler);
    const Replay *replay = run(t, g, draw, &rows, arena);
    if (replay->is_found) {
        *finding = (Finding){.replay = replay, .graph = g, .micro = index, .parameter = -1};
        return true;
    }
    add_gradients(t, g, sum, sums);
    arena_free(arena);
    return true;
}

bool nonfinite_replay(Trainer *t, const Replayed *what, Finding *finding, Arena *arena, Error *err)
{
    *finding = (Finding){.parameter = -1, .micro = -1};
    if (what->ran)
        return replay_gan(t, what, finding, arena, err);
    const Penalty *penalty = t->config->penalty;
    const int64_t batches = (what->count + what->batch_size - 1) / what->batch_size;
    Group group = {.terms = trainer_terms(t, what->order, what->count)};
    for (int64_t m = 0; penalty && m < batches; m++)
        group.rows += penalty_rows(penalty, (int)size_of(what, m));
    float **sum = ARENA_ARRAY(arena, float *, t->config->model->parameters);
    for (int64_t m = 0; m < batches; m++) {
        if (!replay_micro_batch(t, what, m, &group, sum, finding, arena, err))
            return false;
        if (finding->replay)
            return true;
    }
    return replay_sums(t, sum, finding, arena, err);
}

static bool same_text(const char *a, const char *b)
{
    return (!a && !b) || (a && b && !strcmp(a, b));
}

bool nonfinite_is_same(const Finding *a, const Finding *b)
{
    if (!a->replay || !b->replay)
        return !a->replay && !b->replay && a->parameter >= 0 && a->parameter == b->parameter;
    const ReplayEvent *x = &a->replay->first, *y = &b->replay->first;
    return a->replay->is_found && b->replay->is_found && x->node->op == y->node->op &&
           !strcmp(replay_op_name(x->node), replay_op_name(y->node)) && same_text(x->node->scope, y->node->scope) &&
           same_text(x->node->part, y->node->part) && replay_is_backward(x->node) == replay_is_backward(y->node) &&
           isnan(x->value) == isnan(y->value) && !a->replay->source == !b->replay->source;
}
