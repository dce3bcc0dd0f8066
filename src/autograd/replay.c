/* One pass forward that remembers how much of each value is not finite, and what each producer was given while that is still
 * in memory; one pass back from the roots that finds which of them did harm. */
#include "autograd/replay.h"

#include <math.h>

#include "autograd/ops.h"

typedef struct Record {
    ReplayEvent event;
    bool is_producer; /* no input has anything that is not meant to be there */
    const Node *source;
    size_t source_element;
    double source_value;
    const bool *is_source_row;
} Record;

typedef struct Walk {
    const Plan *plan;
    Workspace *workspace;
    Variant variant;
    const ReplayRows *rows;
    Arena *arena;
    Replay *replay;
    bool *has_nan;
    Record **record; /* of nodes that may be what is looked for */
} Walk;

static double number_at(const Walk *w, const Node *node, size_t index)
{
    const void *at = workspace_value(w->workspace, node);
    return w->variant == VARIANT_F64 ? ((const double *)at)[index] : (double)((const float *)at)[index];
}

/* Counts what is not finite; tells the first such element. */
static uint64_t look(const Walk *w, const Node *node, size_t *first, bool *has_nan, double *abs_max)
{
    const size_t count = shape_count(node->shape);
    uint64_t nonfinite = 0;
    for (size_t i = 0; i < count; i++) {
        double x = number_at(w, node, i);
        if (isfinite(x)) {
            *abs_max = fabs(x) > *abs_max ? fabs(x) : *abs_max;
            continue;
        }
        *first = nonfinite++ ? *first : i;
        *has_nan |= isnan(x);
    }
    return nonfinite;
}

/* Masks of -infinity are put there on purpose, and so are constants. */
static bool is_deliberate(const Node *node)
{
    while (node->op->kind == OP_VIEW || node->op == &row_expand)
        node = node->in[0];
    return (node->op->kind == OP_SOURCE && !node->parameter && !node->name) ||
           (node->op == &row_causal && isinf(node->attributes.k));
}

static const bool *rows_of(const Walk *w, const Node *node)
{
    const int per_row = w->rows && w->rows->per_row ? w->rows->per_row[node->id] : 0;
    const int count = w->rows ? w->rows->count : 0;
    bool *is_row = ARENA_ARRAY(w->arena, bool, count + 1);
    const size_t size = per_row ? shape_count(node->shape) / (size_t)count : 0;
    for (int row = 0; row < count; row++) {
        is_row[row] = !size;
        for (size_t i = 0; i < size && !is_row[row]; i++)
            is_row[row] = !isfinite(number_at(w, node, (size_t)row * size + i));
    }
    return is_row;
}

static ReplayInput look_at_input(const Walk *w, const Node *y, int k, size_t element)
{
    ReplayInput input = {.node = y->in[k]};
    size_t first = 0;
    input.nonfinite = look(w, y->in[k], &first, &input.has_nan, &input.abs_max);
    input.has_value = y->op->kind == OP_MAP && !y->op->whole_input;
    if (y->op == &row_embedding && k == 1) { /* the row's number */
        input.has_value = true;
        element /= (size_t)shape_last(y->shape);
    }
    if (input.has_value)
        input.value = number_at(w, y->in[k], element);
    return input;
}

static void describe_source(const Walk *w, Record *record)
{
    bool has_nan = false;
    double abs_max = 0;
    look(w, record->source, &record->source_element, &has_nan, &abs_max);
    record->source_value = number_at(w, record->source, record->source_element);
    record->is_source_row = rows_of(w, record->source);
}

static void describe(const Walk *w, ReplayEvent *event)
{
    const Node *y = event->node;
    event->value = number_at(w, y, event->element);
    event->is_row = rows_of(w, y);
    event->inputs_finite = true;
    for (int k = 0; k < y->op->inputs; k++) {
        event->input[k] = look_at_input(w, y, k, event->element);
        event->inputs_finite &= !event->input[k].nonfinite;
    }
}

/* What a step gave: nothing special, a producer, the first reader of a source, or what makes NaN out of infinities. */
static void see(Walk *w, const Node *y)
{
    Record record = {.event = {.node = y}, .is_producer = true};
    bool reads_nan = false;
    double abs_max = 0;
    const uint64_t nonfinite = look(w, y, &record.event.element, &w->has_nan[y->id], &abs_max);
    for (int k = 0; k < y->op->inputs; k++) {
        const Node *x = graph_base(y->in[k]);
        record.is_producer &= !w->replay->nonfinite[x->id];
        reads_nan |= w->has_nan[x->id];
        if (x->op->kind == OP_SOURCE && w->replay->nonfinite[x->id] && !record.source)
            record.source = x;
    }
    if (!nonfinite || (record.is_producer && is_deliberate(y)))
        return;
    w->replay->nonfinite[y->id] = nonfinite;
    const bool is_new_nan = !record.is_producer && !record.source;
    if (is_new_nan && (reads_nan || !w->has_nan[y->id]))
        return;
    while (is_new_nan && !isnan(number_at(w, y, record.event.element)))
        record.event.element++; /* not an infinity before it */
    describe(w, &record.event);
    if (record.source)
        describe_source(w, &record);
    w->record[y->id] = ARENA_NEW(w->arena, Record);
    *w->record[y->id] = record;
}

static void look_at_sources(Walk *w)
{
    const Graph *graph = plan_graph(w->plan);
    for (int i = 0; i < graph->count; i++) {
        const Node *x = graph->node[i];
        size_t first = 0;
        double abs_max = 0;
        if (x->op->kind == OP_SOURCE && !is_deliberate(x) && workspace_value(w->workspace, x))
            w->replay->nonfinite[i] = look(w, x, &first, &w->has_nan[i], &abs_max);
    }
}

static bool is_candidate(const Record *record)
{
    return record && (record->is_producer || record->source);
}

/* Marks what leads to a root that is not finite, through values that are not. */
static bool *mark_harm(const Walk *w, Node *const roots[], int count)
{
    const Graph *graph = plan_graph(w->plan);
    const uint64_t *nonfinite = w->replay->nonfinite;
    bool *does_harm = ARENA_ARRAY(w->arena, bool, graph->count);
    for (int i = 0; i < count; i++) {
        const Node *root = graph_base(roots[i]);
        does_harm[root->id] = nonfinite[root->id] > 0;
    }
    for (int i = graph->count - 1; i >= 0; i--)
        for (int k = 0; does_harm[i] && k < graph->node[i]->op->inputs; k++) {
            const Node *x = graph_base(graph->node[i]->in[k]);
            does_harm[x->id] |= nonfinite[x->id] > 0;
        }
    return does_harm;
}

static void choose(Walk *w, Node *const roots[], int count)
{
    const int nodes = plan_graph(w->plan)->count;
    const bool *does_harm = mark_harm(w, roots, count);
    Replay *replay = w->replay;
    for (int i = 0; i < nodes && !replay->is_found; i++) {
        const Record *record = w->record[i];
        if (!does_harm[i] || !is_candidate(record))
            continue;
        replay->is_found = true;
        replay->first = record->event;
        replay->source = record->source;
        replay->source_element = record->source_element;
        replay->source_value = record->source_value;
        replay->is_source_row = record->is_source_row;
        if (isnan(record->event.value))
            return;
    }
    for (int i = replay->is_found ? replay->first.node->id + 1 : nodes; i < nodes; i++)
        if (does_harm[i] && w->record[i] && !is_candidate(w->record[i])) {
            replay->turns_nan = true;
            replay->nan = w->record[i]->event;
            return;
        }
}

Replay *replay_run(const Plan *plan, Workspace *workspace, Variant variant, Node *const roots[], int count,
                   const ReplayRows *rows, Arena *arena)
{
    const int nodes = plan_graph(plan)->count, steps = plan_step_count(plan);
    Walk w = {.plan = plan, .workspace = workspace, .variant = variant, .rows = rows, .arena = arena};
    w.replay = ARENA_NEW(arena, Replay);
    w.replay->nonfinite = ARENA_ARRAY(arena, uint64_t, nodes);
    w.has_nan = ARENA_ARRAY(arena, bool, nodes);
    w.record = ARENA_ARRAY(arena, Record *, nodes);
    look_at_sources(&w);
    for (int s = 0; s < steps; s++) {
        plan_run_step(plan, workspace, s);
        see(&w, plan_step_node(plan, s));
    }
    choose(&w, roots, count);
    return w.replay;
}
