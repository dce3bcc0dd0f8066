/* Hooks: a list of actions on one tensor. The tensor's states are numbered by the expressions that it has been through. */
#include "train/hook.h"

#include <string.h>

#include "autograd/ops.h"
#include "base/fields.h"

enum { ACTION_LIMIT = 16 };

typedef enum ActionKind { ACTION_LOG, ACTION_STOP, ACTION_SAVE, ACTION_EXPRESSION } ActionKind;

typedef struct Action {
    ActionKind kind;
    const Expression *expression;
    int state; /* of the tensor that it sees */
} Action;

/* One hook on one tensor. */
typedef struct Target {
    HookPlace at;
    const char *on;
    int parameter; /* HOOK_GRAD: its index among the weights */
    const Action *action;
    int actions;
    int states;
    Watch *watch; /* of each state, where it is logged or may stop */
    bool *is_watched;
    bool changed; /* in this step */
    /* HOOK_GRAD: */
    Shape shape;
    Plan *plan;
    Workspace *workspace;
    Node *input, **state;
} Target;

struct HookSet {
    Arena *arena;
    Target *target;
    int count, capacity;
    Error *err;
};

/* The nodes of a target in one training graph. */
typedef struct TargetNodes {
    Node **state;     /* of each state; NULL where the hook has not been built (no gradient came) */
    Node *difference; /* how many elements the hook changed */
} TargetNodes;

struct StepHooks {
    HookSet *hooks;
    const char *net; /* layers that are seen: their paths begin so */
    LossScale scale;
    Variant variant;
    TargetNodes *nodes; /* of each target */
};

static const char *const place_names[] = {"grad", "output", "output_grad", NULL};

typedef struct HookOptions {
    const char *on;
    int at;
    Json *actions;
} HookOptions;

static const Field hook_fields[] = {
    {"on", FIELD_STRING, offsetof(HookOptions, on), .required = true, .help = "a parameter or layer, or a glob"},
    {"at", FIELD_CHOICE, offsetof(HookOptions, at), "\"grad\"", .choices = place_names,
     .help = "grad of a parameter; output, output_grad of a layer"},
    {"do", FIELD_JSON, offsetof(HookOptions, actions), .required = true,
     .help = "log, stop_if_nonfinite, save, or an expression; or a list"},
    {0}};

static bool read_action(HookSet *hooks, const Json *value, HookPlace at, Action *action, Error *err)
{
    static const char *const words[] = {"log", "stop_if_nonfinite", "save"};
    if (value->type != JSON_STRING)
        return error_at(err, value, "a hook does `log`, `stop_if_nonfinite`, `save`, or an expression");
    for (int i = 0; i < 3; i++)
        if (!strcmp(value->string, words[i])) {
            action->kind = (ActionKind)i;
            return true;
        }
    const char *known = at == HOOK_OUTPUT ? "output" : "grad";
    const char *const *names;
    action->kind = ACTION_EXPRESSION;
    action->expression = expression_parse(hooks->arena, value, NULL, err);
    if (!action->expression)
        return false;
    int count = expression_names(action->expression, &names);
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], known) != 0)
            return expression_unknown_name(action->expression, names[i],
                                           (const char *const[]){known, "log", "save", "stop_if_nonfinite"}, 4, err);
    return true;
}

static int read_actions(HookSet *hooks, const Json *value, HookPlace at, Action *actions, Error *err)
{
    if (value->type != JSON_ARRAY)
        return read_action(hooks, value, at, &actions[0], err) ? 1 : -1;
    if (value->count < 1 || value->count > ACTION_LIMIT) {
        error_at(err, value, "a hook does 1 to %d things, got %d", ACTION_LIMIT, value->count);
        return -1;
    }
    int count = 0, state = 0;
    for (const Json *item = value->first; item; item = item->next) {
        actions[count].state = state;
        if (!read_action(hooks, item, at, &actions[count], err))
            return -1;
        state += actions[count++].kind == ACTION_EXPRESSION;
    }
    return count;
}

static Target *add_target(HookSet *hooks, const Target *model)
{
    if (hooks->count == hooks->capacity) {
        int capacity = hooks->capacity ? 2 * hooks->capacity : 16;
        hooks->target =
            arena_grow(hooks->arena, hooks->target, sizeof(Target) * (size_t)hooks->count, sizeof(Target) * (size_t)capacity);
        hooks->capacity = capacity;
    }
    Target *target = &hooks->target[hooks->count++];
    *target = *model;
    target->states = 1;
    for (int i = 0; i < target->actions; i++)
        target->states += target->action[i].kind == ACTION_EXPRESSION;
    target->watch = ARENA_ARRAY(hooks->arena, Watch, target->states);
    target->is_watched = ARENA_ARRAY(hooks->arena, bool, target->states);
    target->is_watched[0] = true;
    for (int i = 0; i < target->actions; i++)
        if (target->action[i].kind == ACTION_LOG || target->action[i].kind == ACTION_STOP)
            target->is_watched[target->action[i].state] = true;
    return target;
}

typedef struct LayerVisit {
    HookSet *hooks;
    Target model;
} LayerVisit;

static void visit_layer(void *context, const Layer *layer)
{
    LayerVisit *visit = context;
    add_target(visit->hooks, &visit->model)->on = layer_path(layer);
}

static int match_parameters(HookSet *hooks, const Model *model, const char *glob, Target target)
{
    int matches = 0;
    for (int i = 0; i < model->parameters; i++)
        if (text_glob(glob, model->parameter[i]->name)) {
            target.on = model->parameter[i]->name;
            target.parameter = i;
            target.shape = model->parameter[i]->shape;
            add_target(hooks, &target);
            matches++;
        }
    return matches;
}

static bool no_match(const Json *on, const Model *model, bool parameters, Arena *arena, Error *err)
{
    int count = parameters ? model->parameters : model->leaves;
    const char **names = ARENA_ARRAY(arena, const char *, count + 1);
    for (int i = 0; i < count; i++)
        names[i] = parameters ? model->parameter[i]->name : layer_path(model->leaf[i]);
    error_at(err, on, "no %s is called `%s`", parameters ? "parameter" : "layer", on->string);
    return error_suggest(err, on->string, names, count);
}

static bool read_hook(HookSet *hooks, Json *object, const Model *model, Error *err)
{
    HookOptions options = {0};
    if (!fields_read(hooks->arena, object, "the hook", &(FieldSet){hook_fields, &options}, 1, err))
        return false;
    Action *actions = ARENA_ARRAY(hooks->arena, Action, ACTION_LIMIT);
    int count = read_actions(hooks, options.actions, (HookPlace)options.at, actions, err);
    if (count < 0)
        return false;
    const Target target = {.at = (HookPlace)options.at, .action = actions, .actions = count};
    LayerVisit visit = {.hooks = hooks, .model = target};
    bool parameters = target.at == HOOK_GRAD;
    int matches = parameters ? match_parameters(hooks, model, options.on, target)
                             : model_match_layers(model, options.on, visit_layer, &visit);
    return matches || no_match(json_member(object, "on"), model, parameters, hooks->arena, err);
}

HookSet *hooks_read(Arena *arena, Json *array, const Model *model, Error *err)
{
    HookSet *hooks = ARENA_NEW(arena, HookSet);
    hooks->arena = arena;
    bool fine = true;
    if (array && array->type != JSON_ARRAY)
        fine = error_at(err, array, "`hooks` is a list: [{\"on\": \"fc1.weight\", \"at\": \"grad\", \"do\": \"log\"}]");
    for (Json *item = fine && array ? array->first : NULL; item; item = item->next)
        fine = read_hook(hooks, item, model, err) && fine;
    return fine ? hooks : NULL;
}

bool hooks_are_empty(const HookSet *hooks)
{
    return !hooks || !hooks->count;
}

/* Builds the target's states from its first one; returns the last. An expression's value must have the tensor's shape, or be
 * one number. */
static Node *build_states(const Target *target, Node **state, Node *first)
{
    Graph *graph = first->graph;
    const char *part = graph->part;
    const char *const name = target->at == HOOK_OUTPUT ? "output" : "grad";
    int count = 0;
    state[count++] = first;
    graph->part = arena_printf(graph->arena, "hook on %s (%s)", target->on, place_names[target->at]);
    for (int i = 0; i < target->actions; i++) {
        if (target->action[i].kind != ACTION_EXPRESSION)
            continue;
        Error *err = error_new(graph->arena);
        Node *before = state[count - 1];
        Node *after =
            expression_build(target->action[i].expression, graph, &(Scope){.names = &name, .nodes = &before, .count = 1}, err);
        if (!after)
            after = graph_fail(graph, "hook on %s: %s", target->on, error_message(err, 0));
        else if (shape_count(after->shape) == 1)
            after = op_expand(op_reshape(after, SHAPE_SCALAR), before->shape);
        else if (!shape_equal(after->shape, before->shape))
            after = graph_fail(graph, "hook on %s: the expression gives %s, the tensor has %s", target->on,
                               shape_text(graph->arena, after->shape), shape_text(graph->arena, before->shape));
        state[count++] = after;
    }
    graph->part = part;
    return state[count - 1];
}

static Node *difference_of(const Target *target, Node *const *state)
{
    if (target->states == 1)
        return NULL;
    return op_sum(op_one_minus(op_equal(state[0], state[target->states - 1])));
}

StepHooks *step_hooks_new(HookSet *hooks, const char *net, const LossScale *scale, Variant variant, Arena *arena)
{
    StepHooks *step = ARENA_NEW(arena, StepHooks);
    *step = (StepHooks){.hooks = hooks,
                        .net = net,
                        .scale = *scale,
                        .variant = variant,
                        .nodes = ARENA_ARRAY(arena, TargetNodes, hooks->count)};
    return step;
}

static Node *build_target(StepHooks *step, int index, Node *first)
{
    Target *target = &step->hooks->target[index];
    TargetNodes unseen = {0}, *nodes = strncmp(target->on, step->net, strlen(step->net)) ? &unseen : &step->nodes[index];
    nodes->state = ARENA_ARRAY(first->graph->arena, Node *, target->states);
    Node *last = build_states(target, nodes->state, first);
    if (nodes == &unseen)
        return last;
    nodes->difference = difference_of(target, nodes->state);
    for (int s = 0; s < target->states; s++)
        if (target->is_watched[s])
            watch_attach(&target->watch[s], nodes->state[s], step->variant, step->hooks->arena);
    return last;
}

typedef struct GradientContext {
    StepHooks *step;
    int index;
} GradientContext;

static Node *on_gradient(Node *y, Node *dy, void *context)
{
    const GradientContext *c = context;
    const LossScale *scale = &c->step->scale;
    Node *seen = loss_scale_remove(scale, dy), *last = build_target(c->step, c->index, seen);
    return last == seen ? dy : loss_scale_apply(scale, last, y->precision);
}

Node *step_hooks_on_output(void *context, const Layer *layer, Node *y)
{
    StepHooks *step = context;
    const char *path = layer_path(layer);
    for (int i = 0; i < step->hooks->count; i++) {
        const Target *target = &step->hooks->target[i];
        if (target->at == HOOK_OUTPUT && !strcmp(target->on, path))
            y = build_target(step, i, y);
    }
    for (int i = 0; i < step->hooks->count; i++) {
        const Target *target = &step->hooks->target[i];
        if (target->at != HOOK_OUTPUT_GRAD || strcmp(target->on, path) != 0)
            continue;
        GradientContext *c = ARENA_NEW(y->graph->arena, GradientContext);
        *c = (GradientContext){step, i};
        graph_on_gradient(y, on_gradient, c);
    }
    return y;
}

int step_hooks_root_limit(const HookSet *hooks)
{
    int limit = 0;
    for (int i = 0; i < hooks->count; i++)
        limit += 1 + hooks->target[i].actions;
    return limit;
}

void step_hooks_roots(const StepHooks *step, Node *roots[], int *count)
{
    for (int i = 0; i < step->hooks->count; i++) {
        const Target *target = &step->hooks->target[i];
        const TargetNodes *nodes = &step->nodes[i];
        if (!nodes->state)
            continue;
        if (nodes->difference)
            roots[(*count)++] = nodes->difference;
        for (int a = 0; a < target->actions; a++)
            if (target->action[a].kind == ACTION_SAVE)
                roots[(*count)++] = nodes->state[target->action[a].state];
    }
}

void step_hooks_stops(const StepHooks *step, Node *roots[], int *count)
{
    for (int i = 0; i < step->hooks->count; i++) {
        const Target *target = &step->hooks->target[i];
        for (int a = 0; step->nodes[i].state && a < target->actions; a++)
            if (target->action[a].kind == ACTION_STOP)
                roots[(*count)++] = step->nodes[i].state[target->action[a].state];
    }
}

void hooks_begin(HookSet *hooks)
{
    for (int i = 0; i < hooks->count; i++) {
        hooks->target[i].changed = false;
        for (int s = 0; s < hooks->target[i].states; s++)
            watch_begin(&hooks->target[i].watch[s]);
    }
}

bool hooks_ran(HookSet *hooks, const StepHooks *step, const Workspace *workspace, int64_t number, int64_t micro, HookSave *save,
               void *context, Error *err)
{
    for (int i = 0; i < hooks->count; i++) {
        Target *target = &hooks->target[i];
        const TargetNodes *nodes = &step->nodes[i];
        if (!nodes->state)
            continue;
        for (int s = 0; s < target->states; s++)
            if (target->is_watched[s])
                watch_collect(&target->watch[s], nodes->state[s]);
        if (nodes->difference)
            target->changed |= *(const float *)workspace_value(workspace, nodes->difference) > 0;
        for (int a = 0; save && a < target->actions; a++) {
            const Node *kept = nodes->state[target->action[a].state];
            if (target->action[a].kind == ACTION_SAVE && !save(context, number, micro, target->on, place_names[target->at],
                                                               kept->shape, workspace_value(workspace, kept), err))
                return false;
        }
    }
    return true;
}

static Graph *build_on_gradient(Target *target, const Model *model, Arena *arena)
{
    Graph *graph = graph_new(arena);
    graph->scope = model->parameter[target->parameter]->layer;
    target->input = graph_input(graph, "grad", model->parameter[target->parameter]->shape);
    target->state = ARENA_ARRAY(arena, Node *, target->states);
    build_states(target, target->state, target->input);
    return graph;
}

bool hooks_compile(HookSet *hooks, const Model *model, Variant variant, Arena *arena, Error *err)
{
    for (int i = 0; i < hooks->count; i++) {
        Target *target = &hooks->target[i];
        if (target->at != HOOK_GRAD)
            continue;
        Graph *graph = build_on_gradient(target, model, arena);
        target->plan = plan_compile(graph, target->state, target->states, variant, arena, err);
        target->workspace = target->plan ? workspace_new(target->plan, arena, err) : NULL;
        if (!target->workspace)
            return false;
    }
    return true;
}

static bool run_on_gradient(Target *target, float *gradient, int64_t step, HookSave *save, void *context, Variant variant,
                            Error *err)
{
    size_t count = shape_count(target->shape), bytes = sizeof(float) * count;
    memcpy(workspace_value(target->workspace, target->input), gradient, bytes);
    plan_run(target->plan, target->workspace, NULL);
    for (int s = 0; s < target->states; s++) {
        if (!target->is_watched[s])
            continue;
        target->watch[s].total = statistics_of(variant, workspace_value(target->workspace, target->state[s]), count);
        target->watch[s].is_present = true;
    }
    for (int a = 0; save && a < target->actions; a++)
        if (target->action[a].kind == ACTION_SAVE &&
            !save(context, step, 0, target->on, place_names[target->at], target->shape,
                  workspace_value(target->workspace, target->state[target->action[a].state]), err))
            return false;
    const float *result = workspace_value(target->workspace, target->state[target->states - 1]);
    target->changed = memcmp(result, gradient, bytes) != 0;
    memcpy(gradient, result, bytes);
    return true;
}

bool hooks_on_gradient(HookSet *hooks, int parameter, float *gradient, int64_t step, HookSave *save, void *context, Error *err)
{
    for (int i = 0; i < hooks->count; i++) {
        Target *target = &hooks->target[i];
        if (target->at == HOOK_GRAD && target->parameter == parameter &&
            !run_on_gradient(target, gradient, step, save, context, variant_best(), err))
            return false;
    }
    return true;
}

Replay *hooks_replay(const HookSet *hooks, const Model *model, int parameter, float *gradient, Variant variant, Arena *arena,
                     Error *err)
{
    for (int i = 0; i < hooks->count; i++) {
        Target target = hooks->target[i];
        if (target.at != HOOK_GRAD || target.parameter != parameter)
            continue;
        Graph *graph = build_on_gradient(&target, model, arena);
        Plan *plan = plan_compile_apart(graph, target.state, target.states, variant, arena, err);
        Workspace *workspace = plan ? workspace_new(plan, arena, err) : NULL;
        if (!workspace)
            return NULL;
        const size_t bytes = sizeof(float) * shape_count(target.shape);
        memcpy(workspace_value(workspace, target.input), gradient, bytes);
        Replay *replay = replay_run(plan, workspace, variant, target.state, target.states, NULL, arena);
        if (replay->is_found)
            return replay;
        memcpy(gradient, workspace_value(workspace, target.state[target.states - 1]), bytes);
    }
    return NULL;
}

/* States that are reported: the first, and those that a later `log` sees. */
static bool is_reported(const Target *target, int state)
{
    for (int a = 0; state && a < target->actions; a++)
        if (target->action[a].kind == ACTION_LOG && target->action[a].state == state)
            return true;
    return !state;
}

bool hooks_report(const HookSet *hooks, int64_t step, int index, HookReport *report)
{
    for (int i = 0; i < hooks->count; i++) {
        const Target *target = &hooks->target[i];
        for (int s = 0; s < target->states; s++) {
            if (!is_reported(target, s) || !target->watch[s].is_present || index--)
                continue;
            const Statistics *total = &target->watch[s].total;
            *report = (HookReport){
                step, target->on, place_names[target->at], total->min, total->max, statistics_norm(total), target->changed};
            return true;
        }
    }
    return false;
}

const char *hooks_stop(const HookSet *hooks)
{
    for (int i = 0; i < hooks->count; i++) {
        const Target *target = &hooks->target[i];
        for (int a = 0; a < target->actions; a++) {
            const Watch *watch = &target->watch[target->action[a].state];
            if (target->action[a].kind == ACTION_STOP && watch->is_present && watch->total.nonfinite)
                return target->on;
        }
    }
    return NULL;
}
