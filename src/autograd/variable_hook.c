/* Hooks on the variables of an expression. */
#include <math.h>

#include "autograd/differentiate_internal.h"
#include "autograd/expression_internal.h"
#include "autograd/ops.h"

typedef struct HookNode {
    Problem *problem;
    const VariableHook *hook;
    Node *before, *after; /* of the first backward pass */
    bool failed;
} HookNode;

struct HookNodes {
    HookNode *at;
};

/* The new gradient in `grad` and the variables, spread where it is one number. */
static Node *apply(Node *x, Node *dx, void *context)
{
    HookNode *hook = context;
    const Problem *p = hook->problem;
    int n = p->job->variables;
    const char **names = ARENA_ARRAY(p->arena, const char *, n + 1);
    Node **nodes = ARENA_ARRAY(p->arena, Node *, n + 1);
    names[0] = "grad";
    nodes[0] = dx;
    for (int i = 0; i < n; i++) {
        names[i + 1] = p->job->variable[i].name;
        nodes[i + 1] = p->x[i];
    }
    if (hook->failed)
        return dx;
    Node *changed = expression_build(hook->hook->expression, x->graph, &(Scope){names, nodes, n + 1}, p->err);
    if (changed && !shape_equal(changed->shape, x->shape)) {
        if (shape_count(changed->shape) == 1) {
            changed = op_expand(op_reshape(changed, SHAPE_SCALAR), x->shape);
        } else {
            const Expression *e = hook->hook->expression;
            expression_error(e, 0, e->length, p->err, "the gradient of %s has shape %s, the hook makes %s of it", x->name,
                             shape_text(p->arena, x->shape), shape_text(p->arena, changed->shape));
            changed = NULL;
        }
    }
    hook->failed = !changed;
    if (!hook->before) {
        hook->before = dx;
        hook->after = changed;
    }
    return changed ? changed : dx;
}

HookNodes *problem_hook(Problem *p)
{
    HookNodes *hooks = ARENA_NEW(p->arena, HookNodes);
    hooks->at = ARENA_ARRAY(p->arena, HookNode, p->job->hooks);
    for (int i = 0; i < p->job->hooks; i++) {
        const VariableHook *hook = &p->job->hook[i];
        hooks->at[i] = (HookNode){.problem = p, .hook = hook};
        graph_on_gradient(p->x[hook->variable], apply, &hooks->at[i]);
    }
    return hooks;
}

bool problem_hooks_fit(const Problem *p, const HookNodes *hooks)
{
    for (int i = 0; i < p->job->hooks; i++)
        if (hooks->at[i].failed)
            return false;
    return true;
}

int problem_hook_roots(const Problem *p, const HookNodes *hooks, Node *roots[])
{
    int count = 0;
    for (int i = 0; i < p->job->hooks; i++)
        if (hooks->at[i].before) {
            roots[count++] = hooks->at[i].before;
            roots[count++] = hooks->at[i].after;
        }
    return count;
}

HookResult *problem_read_hooks(const Problem *p, const HookNodes *hooks, const Workspace *w)
{
    HookResult *result = ARENA_ARRAY(p->arena, HookResult, p->job->hooks);
    for (int i = 0; i < p->job->hooks; i++) {
        if (!hooks->at[i].before)
            continue;
        HookResult *r = &result[i];
        r->before = array_of_node(p->arena, w, hooks->at[i].before);
        r->after = array_of_node(p->arena, w, hooks->at[i].after);
        r->min = r->max = r->before->values[0];
        for (size_t k = 0; k < shape_count(r->before->shape); k++) {
            double value = r->before->values[k];
            r->min = value < r->min || isnan(value) ? value : r->min;
            r->max = value > r->max || isnan(value) ? value : r->max;
            r->norm += value * value;
        }
        r->norm = sqrt(r->norm);
    }
    return result;
}
