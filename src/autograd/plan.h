/* From graph to program: drop what no result needs, fuse chains of element-wise operators, give every value a place in one
 * workspace, run the steps in order.
 *
 * A plan is immutable and holds offsets; a workspace holds the memory and the pointers. Running allocates nothing and cannot
 * fail. */
#ifndef GRADTOOL_AUTOGRAD_PLAN_H
#define GRADTOOL_AUTOGRAD_PLAN_H

#include "autograd/graph.h"
#include "base/error.h"
#include "base/threads.h"

/* Elements that a fused chain works on at a time, and that a tap sees at most. */
enum { PLAN_BLOCK = 2048 };

typedef struct Plan Plan;
typedef struct Workspace Workspace;

/* `roots` are the values that stay readable after a run; tapped and assigned nodes are kept alive, too. NULL and the graph's
 * first error when it has one. The plan lives in `arena` and refers to the graph. */
Plan *plan_compile(Graph *graph, Node *const roots[], int count, Variant variant, Arena *arena, Error *err);

/* The same program in which every node is a step by itself, whose inputs are still there when it has run; taps and assignments
 * are left out. It computes the same bits with more memory, for who looks at each value (replay.h). */
Plan *plan_compile_apart(Graph *graph, Node *const roots[], int count, Variant variant, Arena *arena, Error *err);

/* NULL and an error that names the size when the memory cannot be had. Constants are set, inputs are zero. */
Workspace *workspace_new(const Plan *plan, Arena *arena, Error *err);
/* Where a value stands: an input's before the run, a root's after it. NULL for a node that the plan dropped. */
void *workspace_value(const Workspace *workspace, const Node *node);
RunContext *workspace_context(Workspace *workspace);

/* Runs all steps. With threads, large steps are divided; the bits do not depend on their number. `threads` may be NULL. */
void plan_run(const Plan *plan, Workspace *workspace, Threads *threads);

const Graph *plan_graph(const Plan *plan);
/* Bytes of a workspace: inputs and constants, and the place that values share. */
size_t plan_bytes(const Plan *plan);
double plan_flops(const Plan *plan);
int plan_step_count(const Plan *plan);
/* Name of a step: its operator, or the operators of its chain; and the layer that made it (maybe NULL). */
const char *plan_step_name(const Plan *plan, int step, Arena *arena);
const char *plan_step_scope(const Plan *plan, int step);
/* The node of a step of plan_compile_apart(), and its run by itself, on one thread. */
const Node *plan_step_node(const Plan *plan, int step);
void plan_run_step(const Plan *plan, Workspace *workspace, int step);
/* Runs once on one thread and adds each step's seconds to seconds[step]. */
void plan_run_timed(const Plan *plan, Workspace *workspace, double seconds[]);

#endif
