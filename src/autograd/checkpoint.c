/* Recomputation: a segment is a run of nodes, so its twins are made by a loop and not by recursion.
 *
 * What enters a segment from outside is kept, and sources live for the whole run anyway; twins that nobody reads are dropped by
 * the plan like everything else that nobody reads. */
#include "autograd/graph.h"

bool graph_checkpoint_begin(Graph *graph)
{
    if (graph->segment)
        return false;
    graph->segment = ++graph->segments;
    return true;
}

void graph_checkpoint_end(Graph *graph)
{
    graph->segment = 0;
}

static void append_twin(Node *x)
{
    Node *in[OP_MAX_INPUTS] = {NULL};
    for (int k = 0; k < x->op->inputs; k++) {
        Node *from = x->in[k];
        in[k] = from->segment == x->segment && from->twin ? from->twin : from;
    }
    x->twin = graph_append(x->graph, x->op, x->shape, in);
    x->twin->scope = x->scope;
    x->twin->part = x->part;
    x->twin->origin = x->origin;
    x->twin->attributes = x->attributes;
    x->twin->context = x->context;
    x->twin->precision = x->precision;
    x->twin->segment = 0;
}

Node *graph_readable(Node *x)
{
    Graph *graph = x->graph;
    if (!x->segment || x->op->kind == OP_SOURCE)
        return x;
    if (x->twin)
        return x->twin;
    int segment = graph->segment, first = x->id, end = x->id + 1;
    graph->segment = 0;
    while (first && graph->node[first - 1]->segment == x->segment)
        first--;
    while (end < graph->count && graph->node[end]->segment == x->segment)
        end++;
    for (int i = first; i < end; i++)
        if (graph->node[i]->op->kind != OP_SOURCE)
            append_twin(graph->node[i]);
    graph->segment = segment;
    return x->twin;
}
