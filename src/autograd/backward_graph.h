/* The graph of an expression with what flows along its edges: values forward, gradients backward. */
#ifndef GRADTOOL_AUTOGRAD_BACKWARD_GRAPH_H
#define GRADTOOL_AUTOGRAD_BACKWARD_GRAPH_H

#include "autograd/differentiate.h"

typedef struct BackwardEdge {
    int node;              /* where the input comes from */
    const Array *gradient; /* the part of that node's gradient that comes along here; NULL: none does */
} BackwardEdge;

typedef struct BackwardNode {
    const char *label; /* the operator with its constant, or a name; "" of a constant */
    bool is_variable;
    const Array *value;
    const Array *gradient; /* the sum over all edges, after hooks; NULL: none reaches it */
    int inputs;
    BackwardEdge input[OP_MAX_INPUTS];
} BackwardNode;

/* Nodes in the order in which they are computed, the expression's value last. */
typedef struct BackwardGraph {
    BackwardNode *node;
    int count;
} BackwardGraph;

/* NULL with an error; the value must be a scalar or have a seed. */
BackwardGraph *backward_graph(const DifferentiateJob *job, Arena *arena, Error *err);

#endif
