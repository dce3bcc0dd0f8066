/* Reverse-mode differentiation of a graph into the same graph.
 *
 * Creation order is a topological order, so one backward sweep over it is enough: no recursion, no sort. */
#include "autograd/graph.h"
#include "autograd/ops.h"

/* Which nodes below `end` lead from a leaf: only those carry a gradient. */
static bool *mark_leads(Graph *graph, int end, Node *const leaves[], int count)
{
    bool *leads = ARENA_ARRAY(graph->arena, bool, end);
    for (int i = 0; i < count; i++)
        if (leaves[i]->id < end)
            leads[leaves[i]->id] = true;
    for (int i = 0; i < end; i++) {
        const Node *y = graph->node[i];
        for (int k = 0; k < y->op->inputs; k++)
            if (y->op->derivative[k] && leads[y->in[k]->id])
                leads[i] = true;
    }
    return leads;
}

/* dx, made by a derivative whose first new node was `first`, in the precision of what it is the gradient of. */
static Node *settle(Node *dx, Precision precision, int first)
{
    Node *base = graph_base(dx);
    if (precision == PRECISION_ANY || base->id < first || base->op->kind == OP_SOURCE)
        return op_cast(dx, precision);
    for (Node *view = dx; view != base; view = view->in[0])
        view->precision = precision;
    base->precision = precision;
    return dx;
}

static Node *apply_rules(Node *y, Node *dy)
{
    for (const GradientHook *hook = y->hooks; hook; hook = hook->next)
        dy = op_cast(hook->rule(y, dy, hook->context), y->precision);
    return dy;
}

static Node *derive(Node *y, int input, Node *dy)
{
    Graph *graph = y->graph;
    const bool is_inner = graph->is_inner;
    Node *readable = graph_readable(y);
    int first = graph->count;
    graph->is_inner = true;
    Node *dx = settle(y->op->derivative[input](readable, dy), y->in[input]->precision, first);
    graph->is_inner = is_inner;
    return dx;
}

void graph_gradient(Node *loss, Node *seed, Node *const wrt[], int count, Node *const leaves[], int leaf_count, Node *grad[])
{
    Graph *graph = loss->graph;
    const char *scope = graph->scope, *part = graph->part;
    const Node *origin = graph->origin;
    const Precision autocast = graph->autocast;
    int end = loss->id + 1;
    graph->autocast = PRECISION_FLOAT32;
    bool *leads = leaves ? mark_leads(graph, end, leaves, leaf_count) : mark_leads(graph, end, wrt, count);
    Node **d = ARENA_ARRAY(graph->arena, Node *, end); /* d[i] = dL / d node i */
    if (loss->shape.rank != 0 && shape_count(loss->shape) != 1)
        graph_fail(graph, "the gradient of a tensor that is not a scalar needs a vector to start from");
    if (leads[loss->id])
        d[loss->id] = op_expand(seed ? seed : graph_constant(graph, 1), loss->shape);
    for (int i = loss->id; i >= 0; i--) {
        Node *y = graph->node[i];
        if (!d[i] || !leads[i])
            continue;
        graph->scope = y->scope;
        graph->part = y->part;
        graph->origin = y;
        d[i] = apply_rules(y, d[i]);
        for (int k = 0; k < y->op->inputs; k++) {
            int j = y->in[k]->id;
            if (!leads[j] || !y->op->derivative[k])
                continue;
            Node *dx = derive(y, k, d[i]);
            d[j] = d[j] ? op_add(d[j], dx) : dx;
        }
    }
    for (int i = 0; i < count; i++)
        grad[i] = wrt[i]->id < end ? d[wrt[i]->id] : NULL;
    graph->scope = scope;
    graph->autocast = autocast;
    graph->part = part;
    graph->origin = origin;
}

/* Whether y's values depend on in[k] although no gradient passes there. */
static bool stops(const Node *y, int k)
{
    return !y->op->derivative[k];
}

const Node *graph_gradient_stop(const Node *x, const Node *loss)
{
    Graph *graph = x->graph;
    Arena *scratch = arena_new(graph->arena);
    int end = loss->id + 1;
    bool *from_x = ARENA_ARRAY(scratch, bool, end), *to_loss = ARENA_ARRAY(scratch, bool, end);
    const Node *stop = NULL;
    to_loss[loss->id] = true;
    for (int i = end - 1; i >= 0; i--)
        for (int k = 0; to_loss[i] && k < graph->node[i]->op->inputs; k++)
            to_loss[graph->node[i]->in[k]->id] = true;
    for (int i = x->id; i < end && !stop; i++) {
        const Node *y = graph->node[i];
        from_x[i] = i == x->id;
        for (int k = 0; k < y->op->inputs; k++) {
            if (!from_x[y->in[k]->id])
                continue;
            from_x[i] |= !stops(y, k);
            if (stops(y, k) && to_loss[i] && !stop)
                stop = y;
        }
    }
    arena_free(scratch);
    return stop;
}
