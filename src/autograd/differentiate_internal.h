/* What differentiate.c and backward_graph.c share. */
#ifndef GRADTOOL_AUTOGRAD_DIFFERENTIATE_INTERNAL_H
#define GRADTOOL_AUTOGRAD_DIFFERENTIATE_INTERNAL_H

#include "autograd/differentiate.h"

/* An expression built into a graph of its own. */
typedef struct Problem {
    const DifferentiateJob *job;
    Arena *arena;
    Error *err;
    Graph *graph;
    Node **x; /* of each variable */
    Node *value;
    Node *scalar; /* what is differentiated; NULL when a seed is needed */
    Sources sources;
} Problem;

bool problem_build(Problem *p, const DifferentiateJob *job, Arena *arena, Error *err);

/* Attaches the job's hooks; results[hook] is filled by problem_read_hooks after a run of the nodes that it adds as roots. */
typedef struct HookNodes HookNodes;
HookNodes *problem_hook(Problem *p);
/* False when a hook's expression did not fit, which the error says. */
bool problem_hooks_fit(const Problem *p, const HookNodes *hooks);
int problem_hook_roots(const Problem *p, const HookNodes *hooks, Node *roots[]);
HookResult *problem_read_hooks(const Problem *p, const HookNodes *hooks, const Workspace *w);

#endif
