/* Differentiating an expression at given values of its variables: what `gradtool grad` shows, computed in double. */
#ifndef GRADTOOL_AUTOGRAD_DIFFERENTIATE_H
#define GRADTOOL_AUTOGRAD_DIFFERENTIATE_H

#include "autograd/array.h"
#include "autograd/expression.h"
#include "autograd/numeric.h"

enum { DIFFERENTIATE_MAX_ORDER = 8 };

typedef struct Variable {
    const char *name;
    Array value;
} Variable;

/* Changes the gradient of a variable; the expression is in `grad` and the variables. */
typedef struct VariableHook {
    int variable;
    const Expression *expression;
} VariableHook;

typedef struct DifferentiateJob {
    const Expression *expression;
    const Variable *variable; /* all names of the expression are among them */
    int variables;
    const Array *seed; /* dL/d(value), of the value's shape; NULL: 1, and the value must have one element */
    int order;         /* 0: the value alone */
    bool wants_jacobian, wants_hessian, wants_check;
    const VariableHook *hook;
    int hooks;
    Tolerance tolerance; /* of the check */
} DifferentiateJob;

/* What a hook saw in the first backward pass; NULLs where no gradient reached it. */
typedef struct HookResult {
    const Array *before, *after;
    double min, max, norm; /* of `before` */
} HookResult;

typedef struct CheckResult {
    Array numeric;
    Slope *slope; /* of each element */
    Comparison comparison;
} CheckResult;

/* Arrays of results are by variable; those by order are [order - 1][variable]. */
typedef struct Derivatives {
    Array value;
    bool requires_grad;
    bool needs_seed;   /* the value is no scalar and there is no seed, so there are no gradients */
    Array ***gradient; /* NULL elements where no gradient reaches. From order 2: of the sum of the order below; 0 if constant */
    const char **reason; /* why no gradient reaches it: "detach stops it"; NULL where one does */
    Array *jacobian;     /* value's shape, then the variable's; zeros where none reaches */
    Array *hessian;      /* [i * variables + j]: shape of i, then of j */
    HookResult *hook;
    CheckResult **check; /* hooks are left out; NULL elements where no gradient reaches */
    bool check_failed;
} Derivatives;

/* NULL with an error when shapes do not fit. */
Derivatives *differentiate(const DifferentiateJob *job, Arena *arena, Error *err);

/* Whether every name of the expression has a value; reports all that have none. */
bool differentiate_check_names(const Expression *expression, const Variable *variable, int variables, Error *err);

/* A definition ("f(x) = x^2 = 2*x") or one with its derivative apart. A derivative that does not name `grad` is f'(x), which is
 * multiplied by it. NULL with an error. */
const UserFunction *differentiate_define(Arena *arena, const char *definition, const char *derivative,
                                         const UserFunction *before, Error *err);

#endif
