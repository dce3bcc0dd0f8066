/* Building graphs: sources, nodes, the error that sticks. */
#include "autograd/graph.h"

#include <stdio.h>
#include <string.h>

static const Op row_input = {.name = "input", .help = "a value written before each run", .kind = OP_SOURCE};
static const Op row_parameter = {.name = "parameter", .help = "a weight or buffer", .kind = OP_SOURCE};
static const Op row_constant = {.name = "constant", .help = "a number", .kind = OP_SOURCE};

Graph *graph_new(Arena *arena)
{
    Graph *graph = ARENA_NEW(arena, Graph);
    graph->arena = arena;
    return graph;
}

/* Sources are float32 unless who makes them says otherwise. */
static Precision precision_of(const Graph *graph, const Node *y)
{
    if (y->op->kind == OP_VIEW)
        return y->in[0]->precision;
    if (graph->is_inner || !y->op->inputs)
        return PRECISION_FLOAT32;
    Precision precision = y->in[0]->precision;
    for (int i = 1; i < y->op->inputs; i++)
        precision = precision_promote(precision, y->in[i]->precision);
    return precision;
}

Node *graph_append(Graph *graph, const Op *op, Shape shape, Node *const in[])
{
    if (graph->count == graph->capacity) {
        int capacity = graph->capacity ? 2 * graph->capacity : 64;
        graph->node =
            arena_grow(graph->arena, graph->node, sizeof(Node *) * (size_t)graph->count, sizeof(Node *) * (size_t)capacity);
        graph->capacity = capacity;
    }
    Node *y = ARENA_NEW(graph->arena, Node);
    y->op = op;
    y->graph = graph;
    y->shape = shape;
    y->id = graph->count;
    y->scope = graph->scope;
    y->part = graph->part;
    y->origin = graph->origin;
    y->segment = graph->segment;
    for (int i = 0; in && i < op->inputs; i++)
        y->in[i] = in[i];
    y->precision = precision_of(graph, y);
    graph->node[graph->count++] = y;
    return y;
}

Node *graph_base(Node *x)
{
    while (x->op->kind == OP_VIEW)
        x = x->in[0];
    return x;
}

Node *graph_fail(Graph *graph, const char *format, ...)
{
    if (!graph->error) {
        va_list arguments;
        va_start(arguments, format);
        const char *message = arena_vprintf(graph->arena, format, arguments);
        va_end(arguments);
        graph->error = graph->scope ? arena_printf(graph->arena, "%s: %s", graph->scope, message) : message;
    }
    return graph_constant(graph, 0);
}

Node *graph_input(Graph *graph, const char *name, Shape shape)
{
    Node *y = graph_append(graph, &row_input, shape, NULL);
    y->name = name;
    return y;
}

Node *graph_parameter(Graph *graph, Parameter *parameter)
{
    Node *y = graph_append(graph, &row_parameter, parameter->shape, NULL);
    y->name = parameter->name;
    y->parameter = parameter;
    return y;
}

Node *graph_constant(Graph *graph, double value)
{
    Node *y = graph_append(graph, &row_constant, SHAPE_SCALAR, NULL);
    y->precision = PRECISION_ANY;
    y->attributes.k = value;
    return y;
}

Node *graph_tensor(Graph *graph, Shape shape, const double *values)
{
    Node *y = graph_append(graph, &row_constant, shape, NULL);
    y->values = values;
    return y;
}

void graph_on_gradient(Node *y, GradientRule *rule, void *context)
{
    GradientHook **last = &y->hooks;
    while (*last)
        last = &(*last)->next;
    *last = ARENA_NEW(y->graph->arena, GradientHook);
    **last = (GradientHook){.rule = rule, .context = context};
}

void graph_tap(Node *y, TapFunction *see, void *context)
{
    Tap *tap = ARENA_NEW(y->graph->arena, Tap);
    *tap = (Tap){.see = see, .context = context, .next = y->taps};
    y->taps = tap;
}

void graph_assign(Node *value, Parameter *into)
{
    Graph *graph = value->graph;
    if (graph->assignments == graph->assignment_capacity) {
        int capacity = graph->assignment_capacity ? 2 * graph->assignment_capacity : 8;
        graph->assignment = arena_grow(graph->arena, graph->assignment, sizeof(Assignment) * (size_t)graph->assignments,
                                       sizeof(Assignment) * (size_t)capacity);
        graph->assignment_capacity = capacity;
    }
    graph->assignment[graph->assignments++] = (Assignment){.value = value, .into = into};
}
