/* Model, loss and gradient in one graph. */
#include "train/step_graph.h"

#include "autograd/ops.h"

/* A gradient is changed in place by clipping, so each must stand in memory of its own. */
static void separate_gradients(Graph *graph, Node *grad[], int count)
{
    bool *is_used = ARENA_ARRAY(graph->arena, bool, graph->count + count);
    for (int i = 0; i < count; i++) {
        if (!grad[i])
            continue;
        Node *base = graph_base(grad[i]);
        if (is_used[base->id] || base->op->kind == OP_SOURCE)
            base = grad[i] = op_scale(grad[i], 1);
        is_used[base->id] = true;
    }
}

typedef struct Unscaled {
    const LossScale *scale;
    Node **into;
} Unscaled;

static Node *keep_unscaled(Node *y, Node *dy, void *context)
{
    (void)y;
    const Unscaled *unscaled = context;
    *unscaled->into = loss_scale_remove(unscaled->scale, dy);
    return dy;
}

/* Where the gradient of y is made, so that it need not be kept until the end for its sake. */
static void watch_without_scale(StepGraph *g, Node *y, Node **into)
{
    Unscaled *unscaled = ARENA_NEW(y->graph->arena, Unscaled);
    *unscaled = (Unscaled){&g->view.scale, into};
    graph_on_gradient(y, keep_unscaled, unscaled);
}

static void differentiate(StepGraph *g, const Config *config, Graph *graph, const Observer *observer)
{
    const Model *model = config->model;
    const ModelNet *net = g->net;
    const bool wants_leaves = g->is_probe || (observer && observer->wants_leaf_gradients);
    int leaves = wants_leaves ? net->leaves : 0, weights = net->parameters, trainable = 0;
    Node **wrt = ARENA_ARRAY(graph->arena, Node *, weights + leaves);
    Node **grad = ARENA_ARRAY(graph->arena, Node *, weights + leaves);
    Node **learned = ARENA_ARRAY(graph->arena, Node *, weights + 1);
    Node **weight_grad = ARENA_ARRAY(graph->arena, Node *, model->parameters),
         **leaf_grad = ARENA_ARRAY(graph->arena, Node *, model->leaves);
    for (int i = 0; i < weights; i++) {
        Parameter *p = model->parameter[net->parameter + i];
        wrt[i] = g->model.state[p->index];
        if (!p->frozen && wrt[i])
            learned[trainable++] = wrt[i];
        if (!wrt[i]) /* nothing reads it in this mode */
            wrt[i] = graph_parameter(graph, p);
    }
    for (int i = 0; i < leaves; i++)
        wrt[weights + i] = g->model.leaf[net->leaf + i];
    if (config->penalty &&
        config->penalty->at == PENALTY_AT_DATA) /* its input requires a gradient, so all that follow it have one */
        learned[trainable++] = g->model.input;
    Node **unscaled = ARENA_ARRAY(graph->arena, Node *, leaves);
    for (int i = 0; i < leaves && g->view.scale.scale; i++)
        watch_without_scale(g, wrt[weights + i], &unscaled[i]);
    graph_gradient(g->objective, g->view.scale.scale, wrt, weights + leaves, learned, trainable, grad);
    for (int i = 0; i < weights; i++)
        if (!model->parameter[net->parameter + i]->frozen)
            weight_grad[net->parameter + i] = grad[i];
    for (int i = 0; i < leaves; i++)
        leaf_grad[net->leaf + i] = unscaled[i] ? unscaled[i] : loss_scale_remove(&g->view.scale, grad[weights + i]);
    separate_gradients(graph, weight_grad, model->parameters);
    g->view.grad = weight_grad;
    g->view.leaf_grad = leaf_grad;
}

/* What a probe reads beside what a step does. */
static void probe_roots(const StepGraph *g, Node *root[], int *roots)
{
    root[(*roots)++] = g->model.output;
    if (g->loss.terms)
        root[(*roots)++] = g->loss.terms;
    for (int i = 0; i < g->view.leaves; i++) {
        root[(*roots)++] = g->view.leaf[i];
        if (g->view.leaf_grad[i])
            root[(*roots)++] = g->view.leaf_grad[i];
    }
}

/* The plan, from what must be readable after a run. */
static Plan *make_plan(StepGraph *g, const Config *config, Graph *graph, Arena *arena, Error *err)
{
    int weights = config->model->parameters, roots = 0;
    int probed = g->is_probe ? 2 + 2 * g->view.leaves : 0, hooked = g->hooks ? step_hooks_root_limit(config->hooks) : 0;
    Node **root = g->root = ARENA_ARRAY(arena, Node *, weights + 4 + probed + hooked);
    if (g->loss.sum)
        root[roots++] = g->loss.sum;
    if (g->penalty.sum) {
        root[roots++] = g->penalty.sum;
        root[roots++] = g->penalty.norm_sum;
    }
    if (!g->view.grad)
        root[roots++] = g->model.output;
    for (int i = 0; g->view.grad && i < weights; i++)
        if (g->view.grad[i])
            root[roots++] = g->view.grad[i];
    if (g->is_probe)
        probe_roots(g, root, &roots);
    if (g->hooks && g->view.grad)
        (g->is_apart ? step_hooks_stops : step_hooks_roots)(g->hooks, root, &roots);
    g->roots = roots;
    return (g->is_apart ? plan_compile_apart : plan_compile)(graph, root, roots, g->view.variant, arena, err);
}

static void find_leaves(StepGraph *g, Arena *arena)
{
    g->terms = g->loss.terms ? workspace_value(g->workspace, g->loss.terms) : NULL;
    g->leaf = ARENA_ARRAY(arena, const float *, g->view.leaves);
    g->leaf_gradient = ARENA_ARRAY(arena, const float *, g->view.leaves);
    for (int i = 0; i < g->view.leaves; i++) {
        g->leaf[i] = workspace_value(g->workspace, g->view.leaf[i]);
        g->leaf_gradient[i] = g->view.leaf_grad[i] ? workspace_value(g->workspace, g->view.leaf_grad[i]) : NULL;
    }
}

static bool compile(StepGraph *g, const Config *config, Graph *graph, Arena *arena, Error *err)
{
    int weights = config->model->parameters;
    g->plan = make_plan(g, config, graph, arena, err);
    g->workspace = g->plan ? workspace_new(g->plan, arena, err) : NULL;
    if (!g->workspace)
        return false;
    g->input = workspace_value(g->workspace, g->model.input);
    if (g->loss.sum) {
        g->target = workspace_value(g->workspace, g->loss.target);
        g->factor = workspace_value(g->workspace, g->loss.factor);
        g->sum = workspace_value(g->workspace, g->loss.sum);
    }
    if (g->view.scale.scale) {
        g->scale = workspace_value(g->workspace, g->view.scale.scale);
        g->inverse_scale = workspace_value(g->workspace, g->view.scale.inverse);
    }
    g->output = workspace_value(g->workspace, g->model.output);
    g->interpolates = g->penalty.input ? workspace_value(g->workspace, g->penalty.input) : NULL;
    g->penalty_factor = g->penalty.sum ? workspace_value(g->workspace, g->penalty.factor) : NULL;
    g->penalty_sum = g->penalty.sum ? workspace_value(g->workspace, g->penalty.sum) : NULL;
    g->penalty_norm_sum = g->penalty.sum ? workspace_value(g->workspace, g->penalty.norm_sum) : NULL;
    g->gradient = ARENA_ARRAY(arena, float *, weights);
    for (int i = 0; g->view.grad && i < weights; i++)
        if (g->view.grad[i])
            g->gradient[i] = workspace_value(g->workspace, g->view.grad[i]);
    if (g->is_probe)
        find_leaves(g, arena);
    *workspace_context(g->workspace) = (RunContext){.seed = config->seed};
    return true;
}

/* What a graph is for. */
typedef enum Purpose { TO_TRAIN, TO_SAMPLE, TO_PROBE, TO_EVALUATE } Purpose;

/* Builds `net` and, unless it is only sampled, what stands behind it. */
static StepGraph *begin(Arena *arena, const Config *config, const ModelNet *net, Purpose purpose, int batch, Variant variant,
                        Graph *graph)
{
    const bool training = purpose != TO_EVALUATE, has_hooks = purpose != TO_PROBE && !hooks_are_empty(config->hooks);
    StepGraph *g = ARENA_NEW(arena, StepGraph);
    const Model *model = config->model;
    Node **leaf = ARENA_ARRAY(arena, Node *, model->leaves);
    const LossScale scale =
        purpose == TO_TRAIN && config->precision.has_scaler ? loss_scale_new(graph) : (LossScale){NULL, NULL};
    g->net = net;
    g->batch = batch;
    g->is_probe = purpose == TO_PROBE;
    graph->autocast = g->is_probe ? PRECISION_FLOAT32 : config->precision.type; /* no scaler, so no half gradients */
    graph->has_bfloat16 = config->precision.has_bfloat16;
    g->hooks = has_hooks ? step_hooks_new(config->hooks, net->name, &scale, variant, arena) : NULL;
    g->model = model_build_with(model, graph,
                                &(ModelBuildOptions){.batch = batch,
                                                     .training = training,
                                                     .is_probe = g->is_probe,
                                                     .on_output = g->hooks ? step_hooks_on_output : NULL,
                                                     .context = g->hooks,
                                                     .first_net = (int)(net - model->net),
                                                     .nets = purpose == TO_SAMPLE ? 1 : 0,
                                                     .recompute_leaves = training ? config->recompute_leaves : 0,
                                                     .recompute_group = config->recompute_group});
    for (int i = net->leaf; i < net->leaf + net->leaves; i++)
        leaf[i] = g->model.leaf[i];
    g->view = (TrainGraph){
        .graph = graph,
        .batch = batch,
        .variant = variant,
        .leaf = leaf,
        .scale = scale,
        .leaves = model->leaves,
        .parameters = model->parameters,
    };
    return g;
}

static StepGraph *begin_training(Arena *arena, const Config *config, const ModelNet *net, Purpose purpose, int batch,
                                 Variant variant, const Observer *observer, Graph *graph)
{
    StepGraph *g = begin(arena, config, net, purpose, batch, variant, graph);
    graph->part = "loss";
    g->loss = loss_build(config->loss, &config->targets, g->model.output, batch);
    g->is_measured = observer != NULL;
    g->objective = g->loss.value;
    if (config->penalty && net == &config->model->net[config->model->nets - 1]) {
        graph->part = "penalty";
        g->penalty = penalty_build(config->penalty, config->model, &g->view.scale, &g->model, batch);
        g->objective = op_add(g->objective, g->penalty.value);
    }
    graph->part = NULL;
    differentiate(g, config, graph, observer);
    return g;
}

/* Bytes of a workspace with the config's present choice; 0 with an error. */
static size_t workspace_bytes(const Config *config, int batch, Variant variant, const Observer *observer, Error *err)
{
    Arena *scratch = arena_new(NULL);
    Graph *graph = graph_new(scratch);
    StepGraph *g = begin_training(scratch, config, config->model->net, TO_TRAIN, batch, variant, observer, graph);
    const Plan *plan = make_plan(g, config, graph, scratch, err);
    size_t bytes = plan ? plan_bytes(plan) : 0;
    arena_free(scratch);
    return bytes;
}

/* The number of layers to a segment that needs least, all layers being recomputed. */
static size_t choose_group(Config *config, int batch, Variant variant, const Observer *observer, Error *err)
{
    int leaves = config->model->leaves, best = 0;
    size_t least = 0;
    config->recompute_leaves = leaves;
    for (int group = 1; group <= leaves; group = group < 4 ? group + 1 : group * 5 / 4) {
        config->recompute_group = group;
        size_t bytes = workspace_bytes(config, batch, variant, observer, err);
        if (bytes && (!least || bytes < least)) {
            least = bytes;
            best = group;
        }
    }
    config->recompute_group = best;
    return least;
}

bool step_graph_plan_memory(Config *config, int batch, Variant variant, const Observer *observer, Error *err)
{
    size_t limit = (size_t)config->train.memory_limit;
    config->recompute_leaves = config->recompute_group = 0;
    if (!limit || error_count(err))
        return true;
    size_t plain = workspace_bytes(config, batch, variant, observer, err);
    if (!plain || plain <= limit)
        return plain != 0;
    size_t least = choose_group(config, batch, variant, observer, err);
    if (least > limit) {
        error_add(err,
                  "train.memory_limit is %zu bytes, and a step of %d samples needs %zu even where all layers are recomputed",
                  limit, batch, least);
        return error_hint(err, "a smaller train.batch_size with train.accumulate needs less");
    }
    int low = 0, high = config->model->leaves; /* `high` fits, `low` does not */
    while (high - low > config->recompute_group) {
        config->recompute_leaves = (low + high) / 2;
        *(workspace_bytes(config, batch, variant, observer, err) <= limit ? &high : &low) = config->recompute_leaves;
    }
    config->recompute_leaves = high;
    return true;
}

StepGraph *step_graph_new(Arena *arena, const Config *config, const ModelNet *net, int batch, Variant variant,
                          const Observer *observer, Error *err)
{
    Graph *graph = graph_new(arena);
    StepGraph *g = begin_training(arena, config, net, TO_TRAIN, batch, variant, observer, graph);
    if (observer && observer->attach && !graph->error)
        observer->attach(observer->context, &g->view);
    return compile(g, config, graph, arena, err) ? g : NULL;
}

StepGraph *step_graph_new_sampler(Arena *arena, const Config *config, const ModelNet *net, int batch, Variant variant,
                                  Error *err)
{
    Graph *graph = graph_new(arena);
    StepGraph *g = begin(arena, config, net, TO_SAMPLE, batch, variant, graph);
    return compile(g, config, graph, arena, err) ? g : NULL;
}

StepGraph *step_graph_new_probe(Arena *arena, const Config *config, int batch, Variant variant, Error *err)
{
    Graph *graph = graph_new(arena);
    StepGraph *g = begin_training(arena, config, config->model->net, TO_PROBE, batch, variant, NULL, graph);
    return compile(g, config, graph, arena, err) ? g : NULL;
}

StepGraph *step_graph_new_replay(Arena *arena, const Config *config, const ModelNet *net, bool alone, int batch,
                                 Variant variant, Error *err)
{
    Graph *graph = graph_new(arena);
    StepGraph *g = alone ? begin(arena, config, net, TO_SAMPLE, batch, variant, graph)
                         : begin_training(arena, config, net, TO_TRAIN, batch, variant, NULL, graph);
    g->is_apart = true;
    return compile(g, config, graph, arena, err) ? g : NULL;
}

/* The graph for one sample more has the same nodes, and what stands by sample is longer there. */
ReplayRows step_graph_rows(const StepGraph *g, const Config *config, Arena *arena)
{
    const Graph *graph = g->view.graph;
    ReplayRows rows = {.per_row = NULL, .count = g->batch};
    Arena *scratch = arena_new(arena);
    Graph *longer = graph_new(scratch);
    begin_training(scratch, config, g->net, TO_TRAIN, g->batch + 1, g->view.variant, NULL, longer);
    if (longer->count == graph->count && !longer->error) {
        int *per_row = ARENA_ARRAY(arena, int, graph->count);
        for (int i = 0; i < graph->count; i++) {
            const Shape shape = graph->node[i]->shape;
            int more = shape.rank ? longer->node[i]->shape.dim[0] - shape.dim[0] : 0;
            per_row[i] = more > 0 && shape.dim[0] == more * g->batch ? more : 0;
        }
        rows.per_row = per_row;
    }
    arena_free(scratch);
    return rows;
}

StepGraph *step_graph_new_evaluation(Arena *arena, const Config *config, int batch, Variant variant, Error *err)
{
    Graph *graph = graph_new(arena);
    StepGraph *g = begin(arena, config, config->model->net, TO_EVALUATE, batch, variant, graph);
    g->loss = loss_build(config->loss, &config->targets, g->model.output, batch);
    return compile(g, config, graph, arena, err) ? g : NULL;
}
