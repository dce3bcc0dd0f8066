/* Derivatives by central differences, in double: what analytic ones are compared with.
 *
 * One-sided slopes tell a kink from a mistake: of a smooth function they part in proportion to the step, at a kink they do not.
 */
#ifndef GRADTOOL_AUTOGRAD_NUMERIC_H
#define GRADTOOL_AUTOGRAD_NUMERIC_H

#include "autograd/plan.h"

/* As torch.autograd.gradcheck: steps of eps, |analytic - numeric| <= atol + rtol |numeric|. A step is eps max(1, |x|), and the
 * rounding of the two values that are subtracted is allowed for. */
typedef struct Tolerance {
    double eps, atol, rtol;
} Tolerance;

#define TOLERANCE_STANDARD ((Tolerance){.eps = 1e-6, .atol = 1e-5, .rtol = 1e-3})

/* What a graph's sources hold: `fill` writes the inputs that the workspace has. */
typedef struct Sources {
    void (*fill)(const void *context, const Workspace *workspace);
    const void *context;
    RunContext run;
} Sources;

/* Runs the graph once for `roots`, in double. NULL with an error. */
Workspace *numeric_run(Graph *graph, Node *const roots[], int count, const Sources *sources, Arena *arena, Error *err);

/* The gradient takes what op_stop_gradient lets through for a constant, and so must differences: replaces these nodes by
 * constants with their present values. Plans that were compiled before must not run again. */
bool numeric_hold_stopped(Graph *graph, const Sources *sources, Arena *arena, Error *err);

/* A scalar node as a function of the values in its workspace. */
typedef struct NumericFunction {
    const Plan *plan;
    Workspace *workspace;
    const double *result;
    double here; /* the value where nothing is moved */
    Tolerance tolerance;
} NumericFunction;

bool numeric_new(NumericFunction *f, Node *scalar, const Sources *sources, const Tolerance *tolerance, Arena *arena,
                 Error *err);

typedef struct Slope {
    double central, left, right;
    double rounding; /* what the subtraction may have lost */
    bool is_kink;    /* left and right differ, or the function ends here */
} Slope;

/* What comparing many derivatives came to. */
typedef struct Comparison {
    size_t checked; /* derivatives that were compared */
    size_t kinks;   /* those with a kink within the step; compared when a smaller step passes it by */
    double max_abs_error;
    double max_rel_error; /* over the larger of both, where that is above atol */
    bool failed;
    /* The one that uses most of its tolerance. */
    size_t worst;
    double analytic, numeric, excess;
} Comparison;

/* Compares `analytic` with the slope along a direction of `count` numbers that start at `at` in the function's workspace, and
 * puts these back. A NULL `at` is something that the function does not depend on. `index` is the comparison's name. Where they
 * disagree, smaller steps are taken: a mistake stays, a kink nearby is left outside. Returns the slope that was decisive. */
Slope numeric_compare(const NumericFunction *f, double *at, const double *direction, size_t count, double analytic,
                      size_t index, Comparison *comparison, Arena *scratch);

#endif
