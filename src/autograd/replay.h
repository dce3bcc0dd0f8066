/* Where a value stopped being finite: a plan_compile_apart() plan is run node by node, and each value is looked at.
 *
 * A *producer* is an operation whose output is not finite although its inputs are; what reads it is a *propagator*. Not every
 * producer does harm: a -infinity that masks scores, or a branch that `where` does not take, may end in finite numbers. So the
 * first one is looked for among those from which values that are not finite lead to a root. */
#ifndef GRADTOOL_AUTOGRAD_REPLAY_H
#define GRADTOOL_AUTOGRAD_REPLAY_H

#include "autograd/plan.h"

typedef struct ReplayInput {
    const Node *node;
    uint64_t nonfinite; /* of its elements */
    double abs_max;     /* of its finite elements, 0 without any */
    bool has_value, has_nan;
    double value; /* at the element that is told of, where the operator works element by element */
} ReplayInput;

/* An operation that gave a value that is not finite. */
typedef struct ReplayEvent {
    const Node *node;
    size_t element; /* the first such one of the output */
    double value;   /* NaN or an infinity */
    bool inputs_finite;
    ReplayInput input[OP_MAX_INPUTS];
    const bool *is_row; /* of `row_count` rows: whether it has one; all where rows are not known */
} ReplayEvent;

typedef struct Replay {
    bool is_found;
    ReplayEvent first;
    const Node *source; /* what `first` read that was not finite from the start: an input or a parameter; NULL: none */
    size_t source_element;
    double source_value;
    const bool *is_source_row;
    bool turns_nan; /* `first` is infinite, and this is what makes a NaN of it */
    ReplayEvent nan;
    uint64_t *nonfinite; /* of each node's elements, by its id; 0 of those that the plan dropped */
} Replay;

/* How the elements of a value belong to the samples of a batch: per_row[node id] rows of the first axis belong to one sample;
 * 0: not known. NULL for all nodes. */
typedef struct ReplayRows {
    const int *per_row;
    int count;
} ReplayRows;

/* Runs the plan, whose inputs are written; the workspace holds its values afterwards. The result lives in `arena`. */
Replay *replay_run(const Plan *plan, Workspace *workspace, Variant variant, Node *const roots[], int count,
                   const ReplayRows *rows, Arena *arena);

/* The operator in the words of those who wrote the model: "sum", "where"; of a derivative, the operator that it is of. */
const char *replay_op_name(const Node *node);
/* Whether the node belongs to a backward pass. */
bool replay_is_backward(const Node *node);

/* Why: one of few phrases ("log of zero", "overflow", "0 / 0", ...), and what it means here, in numbers. */
const char *replay_cause(const ReplayEvent *event, const char **detail, Arena *arena);

#endif
