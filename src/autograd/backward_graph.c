/* Every node's gradient is asked for, and every derivative is applied once more by itself for the share of its edge. */
#include "autograd/backward_graph.h"

#include "autograd/differentiate_internal.h"
#include "autograd/ops.h"

typedef struct EdgeGradients {
    Node *in[OP_MAX_INPUTS];
} EdgeGradients;

typedef struct Drawing {
    Problem problem;
    bool *is_shown;
    int *place;   /* in the result, by node id */
    Node **shown; /* the nodes of the result */
    Node **grad;  /* of each shown node */
    EdgeGradients *edge;
    int count;
} Drawing;

static void find_nodes(Drawing *d)
{
    Problem *p = &d->problem;
    int end = p->value->id + 1;
    d->is_shown = ARENA_ARRAY(p->arena, bool, end);
    d->place = ARENA_ARRAY(p->arena, int, end);
    d->shown = ARENA_ARRAY(p->arena, Node *, end);
    d->is_shown[end - 1] = true;
    for (int i = end - 1; i >= 0; i--)
        for (int k = 0; d->is_shown[i] && k < p->graph->node[i]->op->inputs; k++)
            d->is_shown[p->graph->node[i]->in[k]->id] = true;
    for (int i = 0; i < end; i++)
        if (d->is_shown[i]) {
            d->place[i] = d->count;
            d->shown[d->count++] = p->graph->node[i];
        }
}

static void find_gradients(Drawing *d)
{
    Problem *p = &d->problem;
    d->grad = ARENA_ARRAY(p->arena, Node *, d->count);
    d->edge = ARENA_ARRAY(p->arena, EdgeGradients, d->count);
    graph_gradient(p->scalar, NULL, d->shown, d->count, p->x, p->job->variables, d->grad);
    for (int i = 0; i < d->count; i++) {
        Node *y = d->shown[i];
        for (int k = 0; d->grad[i] && k < y->op->inputs; k++)
            if (y->op->derivative[k] && d->grad[d->place[y->in[k]->id]])
                d->edge[i].in[k] = y->op->derivative[k](y, d->grad[i]);
    }
}

static const char *label_of(const Node *y, Arena *arena)
{
    static const Op *const with_constant[] = {&row_scale, &row_shift, &row_power, &row_leaky_relu, &row_clamp};
    if (y->op->kind == OP_SOURCE)
        return y->name ? y->name : "";
    for (size_t i = 0; i < sizeof with_constant / sizeof *with_constant; i++)
        if (y->op == with_constant[i])
            return arena_printf(arena, "%s %.6g", y->op->name, y->attributes.k);
    return y->op->name;
}

static BackwardGraph *read(const Drawing *d, const Workspace *w)
{
    Arena *arena = d->problem.arena;
    BackwardGraph *graph = ARENA_NEW(arena, BackwardGraph);
    *graph = (BackwardGraph){.node = ARENA_ARRAY(arena, BackwardNode, d->count), .count = d->count};
    for (int i = 0; i < d->count; i++) {
        const Node *y = d->shown[i];
        BackwardNode *node = &graph->node[i];
        node->label = label_of(y, arena);
        node->is_variable = y->op->kind == OP_SOURCE && y->name;
        node->value = array_of_node(arena, w, y);
        node->gradient = d->grad[i] ? array_of_node(arena, w, d->grad[i]) : NULL;
        node->inputs = y->op->inputs;
        for (int k = 0; k < y->op->inputs; k++) {
            node->input[k].node = d->place[y->in[k]->id];
            node->input[k].gradient = d->edge[i].in[k] ? array_of_node(arena, w, d->edge[i].in[k]) : NULL;
        }
    }
    return graph;
}

BackwardGraph *backward_graph(const DifferentiateJob *job, Arena *arena, Error *err)
{
    Drawing d = {.count = 0};
    Problem *p = &d.problem;
    if (!problem_build(p, job, arena, err))
        return NULL;
    HookNodes *hooks = problem_hook(p);
    find_nodes(&d);
    find_gradients(&d);
    if (!problem_hooks_fit(p, hooks))
        return NULL;
    Node **root = ARENA_ARRAY(arena, Node *, d.count * (2 + OP_MAX_INPUTS));
    int roots = 0;
    for (int i = 0; i < d.count; i++) {
        root[roots++] = d.shown[i];
        if (d.grad[i])
            root[roots++] = d.grad[i];
        for (int k = 0; k < OP_MAX_INPUTS; k++)
            if (d.edge[i].in[k])
                root[roots++] = d.edge[i].in[k];
    }
    const Workspace *w = numeric_run(p->graph, root, roots, &p->sources, arena, err);
    return w ? read(&d, w) : NULL;
}
