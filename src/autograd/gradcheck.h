/* Analytic against numeric derivatives, in double: the words and tolerances of torch.autograd.gradcheck and gradgradcheck. */
#ifndef GRADTOOL_AUTOGRAD_GRADCHECK_H
#define GRADTOOL_AUTOGRAD_GRADCHECK_H

#include "autograd/graph.h"
#include "autograd/numeric.h"
#include "base/error.h"

enum { GRADCHECK_ORDERS = 2 };

typedef struct GradcheckOptions {
    Tolerance tolerance;
    int orders;     /* 1 or 2 */
    size_t samples; /* of a larger tensor so many elements are checked one by one, and all together along a random direction */
} GradcheckOptions;

/* A scalar and the nodes with respect to which it is checked. */
typedef struct GradcheckProblem {
    Graph *graph;
    Node *loss;
    Node *const *leaf; /* inputs or parameters */
    const char *const *name;
    int leaves;
    Sources sources;
} GradcheckProblem;

typedef struct GradcheckRow {
    const char *name;
    Shape shape;
    int order;
    Comparison comparison;
    const char *worst; /* where the worst comparison was made: "fc1.weight[2,3]", "fc1.weight along a direction" */
} GradcheckRow;

/* Order 1 compares every leaf's gradient of L with differences of L; order 2 does the same to <dL/dx, v> with a fixed random v.
 * Fills rows[(order - 1) * leaves + leaf]. False with an error when it cannot be computed. Graphs with random operators draw
 * the same numbers in every run; what op_stop_gradient lets through is held. Changes the graph: it is of no use afterwards. */
bool gradcheck_run(const GradcheckProblem *problem, const GradcheckOptions *options, GradcheckRow rows[], Arena *arena,
                   Error *err);

/* One use of an operator, with L = <w, f(x)> for random w: a row for each order. Inputs sampled as INDEX are not moved. */
bool gradcheck_run_example(const OpExample *example, const GradcheckOptions *options, GradcheckRow rows[], Arena *arena,
                           Error *err);

/* The same with a tolerance of 1e-6; false with an error when a derivative is wrong. */
bool gradcheck_example(const OpExample *example, int orders, Arena *arena, Error *err);

/* Adds one row's comparison to another's; `worst` is the worse of both. */
void gradcheck_merge(GradcheckRow *into, const GradcheckRow *row);

/* <w, y> for fixed random w around 1; y itself where it is one number. */
Node *gradcheck_scalar(Node *y);

#endif
