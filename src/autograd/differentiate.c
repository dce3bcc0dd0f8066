/* One graph for values and gradients, and a fresh one for each of Jacobian, Hessian and check: hooks change gradients, but not
 * what those three are about. */
#include "autograd/differentiate.h"

#include <string.h>

#include "autograd/differentiate_internal.h"
#include "autograd/expression_internal.h"
#include "autograd/ops.h"
#include "base/text.h"

static const double one = 1; /* a step along one coordinate */

static void fill_variables(const void *context, const Workspace *w)
{
    const Problem *p = context;
    for (int i = 0; i < p->job->variables; i++) {
        const Array *value = &p->job->variable[i].value;
        if (workspace_value(w, p->x[i]))
            memcpy(workspace_value(w, p->x[i]), value->values, sizeof(double) * shape_count(value->shape));
    }
}

/* <seed, value>, or the value itself where it has one element. */
static bool make_scalar(Problem *p)
{
    const Array *seed = p->job->seed;
    if (!seed) {
        p->scalar = shape_count(p->value->shape) == 1 ? op_reshape(p->value, SHAPE_SCALAR) : NULL;
        return true;
    }
    if (!shape_equal(seed->shape, p->value->shape))
        return error_add(p->err, "the vector has shape %s, but the value of `%s` has %s", shape_text(p->arena, seed->shape),
                         p->job->expression->text, shape_text(p->arena, p->value->shape));
    p->scalar = op_sum(op_mul(p->value, graph_tensor(p->graph, seed->shape, seed->values)));
    return true;
}

bool problem_build(Problem *p, const DifferentiateJob *job, Arena *arena, Error *err)
{
    *p = (Problem){.job = job, .arena = arena, .err = err, .graph = graph_new(arena)};
    p->x = ARENA_ARRAY(arena, Node *, job->variables);
    p->sources = (Sources){.fill = fill_variables, .context = p};
    const char **names = ARENA_ARRAY(arena, const char *, job->variables);
    for (int i = 0; i < job->variables; i++) {
        names[i] = job->variable[i].name;
        p->x[i] = graph_input(p->graph, names[i], job->variable[i].value.shape);
    }
    p->value = expression_build(job->expression, p->graph, &(Scope){names, p->x, job->variables}, err);
    return p->value && make_scalar(p);
}

bool differentiate_check_names(const Expression *expression, const Variable *variable, int variables, Error *err)
{
    bool fine = true;
    const char **known = ARENA_ARRAY(expression->arena, const char *, variables);
    for (int i = 0; i < variables; i++)
        known[i] = variable[i].name;
    for (int n = 0; n < expression->name_count; n++) {
        const char *name = expression->names[n];
        bool has_value = false;
        for (int i = 0; i < variables; i++)
            has_value |= !strcmp(known[i], name);
        if (has_value)
            continue;
        fine = expression_unknown_name(expression, name, known, variables, err);
        error_hint(err, "a variable needs a value: %s=1", name);
    }
    return fine;
}

/* Gradients of the orders, each of the sum of the one below: [order][variable] nodes, NULL where none reaches. */
static Node ***build_orders(Problem *p, int orders)
{
    int n = p->job->variables;
    Node ***grad = ARENA_ARRAY(p->arena, Node **, orders);
    for (int k = 0; k < orders; k++) {
        grad[k] = ARENA_ARRAY(p->arena, Node *, n);
        if (k == 0)
            graph_gradient(p->scalar, NULL, p->x, n, NULL, 0, grad[0]);
        for (int i = 0; k > 0 && i < n; i++) {
            if (!grad[k - 1][i])
                continue;
            graph_gradient(op_sum(grad[k - 1][i]), NULL, &p->x[i], 1, NULL, 0, &grad[k][i]);
            if (!grad[k][i])
                grad[k][i] = op_zeros_like(p->x[i]);
        }
    }
    return grad;
}

/* ---- why there is no gradient ---- */

/* Whether the expression, or a function it calls, calls the word. */
static bool calls(const Expression *e, const char *word)
{
    for (int i = 0; e && i < e->count; i++) {
        const Token *token = &e->token[i];
        if (token->kind != TOKEN_CALL)
            continue;
        if (token->user ? calls(token->user->body, word) : !strcmp(token->function->name, word))
            return true;
    }
    return false;
}

static const char *reason_for(const Problem *p, int variable)
{
    const Node *stop = graph_gradient_stop(p->x[variable], p->value);
    if (!stop)
        return "the value does not depend on it";
    if (stop->op != &row_stop_gradient)
        return "it enters through comparisons or signs, which have none";
    bool detach = calls(p->job->expression, "detach"), no_grad = calls(p->job->expression, "no_grad");
    return detach && no_grad ? "detach and no_grad stop it" : no_grad ? "no_grad stops it" : "detach stops it";
}

/* ---- Jacobian and Hessian: one row for each unit vector ---- */

static Shape shape_join(Shape a, Shape b, Graph *graph)
{
    if (a.rank + b.rank > SHAPE_MAX_RANK) {
        graph_fail(graph, "%s and %s together have more than %d axes", shape_text(graph->arena, a), shape_text(graph->arena, b),
                   SHAPE_MAX_RANK);
        return a;
    }
    for (int i = 0; i < b.rank; i++)
        a.dim[a.rank++] = b.dim[i];
    return a;
}

/* rows[j] = d<unit, from>/dx_j for each unit vector of `unit`, an input of the graph. into[j] NULL: not wanted. */
static bool run_rows(Problem *p, Node *unit, Node *const row[], Array *into)
{
    int n = p->job->variables, roots = 0;
    Node **root = ARENA_ARRAY(p->arena, Node *, n);
    for (int j = 0; j < n; j++)
        if (row[j])
            root[roots++] = row[j];
    if (!roots)
        return !p->graph->error || error_add(p->err, "%s", p->graph->error);
    const Plan *plan = plan_compile(p->graph, root, roots, VARIANT_F64, p->arena, p->err);
    Workspace *w = plan ? workspace_new(plan, p->arena, p->err) : NULL;
    double *seed = w ? workspace_value(w, unit) : NULL;
    size_t units = shape_count(unit->shape);
    if (!w)
        return false;
    fill_variables(p, w);
    for (size_t u = 0; u < units; u++) {
        if (seed)
            seed[u] = 1;
        plan_run(plan, w, NULL);
        for (int j = 0; j < n; j++) {
            size_t count = shape_count(p->x[j]->shape);
            if (row[j])
                memcpy(into[j].values + u * count, workspace_value(w, row[j]), sizeof(double) * count);
        }
        if (seed)
            seed[u] = 0;
    }
    return true;
}

/* Zeros of the block shapes that stand for `unit` against each variable. */
static void new_blocks(Problem *p, Shape unit, Array *into)
{
    for (int j = 0; j < p->job->variables; j++)
        into[j] = array_new(p->arena, shape_join(unit, p->x[j]->shape, p->graph));
}

static Array *find_jacobian(const DifferentiateJob *job, Arena *arena, Error *err)
{
    Problem p;
    DifferentiateJob plain = *job;
    plain.seed = NULL;
    if (!problem_build(&p, &plain, arena, err))
        return NULL;
    Node **row = ARENA_ARRAY(arena, Node *, job->variables);
    Array *jacobian = ARENA_ARRAY(arena, Array, job->variables);
    Node *unit = graph_input(p.graph, "unit", p.value->shape);
    graph_gradient(op_sum(op_mul(p.value, unit)), NULL, p.x, job->variables, NULL, 0, row);
    new_blocks(&p, p.value->shape, jacobian);
    return run_rows(&p, unit, row, jacobian) ? jacobian : NULL;
}

static Array *find_hessian(const DifferentiateJob *job, Arena *arena, Error *err)
{
    int n = job->variables;
    Array *hessian = ARENA_ARRAY(arena, Array, n * n);
    for (int i = 0; i < n; i++) {
        Problem p;
        if (!problem_build(&p, job, arena, err))
            return NULL;
        Node **row = ARENA_ARRAY(arena, Node *, n), *grad;
        Node *unit = graph_input(p.graph, "unit", p.x[i]->shape);
        graph_gradient(p.scalar, NULL, &p.x[i], 1, NULL, 0, &grad);
        if (grad)
            graph_gradient(op_sum(op_mul(grad, unit)), NULL, p.x, n, NULL, 0, row);
        new_blocks(&p, p.x[i]->shape, hessian + i * n);
        if (!run_rows(&p, unit, row, hessian + i * n))
            return NULL;
    }
    return hessian;
}

/* ---- against differences ---- */

static bool check_element(Problem *p, Node *below, int variable, const double *analytic, CheckResult *result)
{
    NumericFunction f;
    Arena *scratch = arena_new(p->arena);
    bool fine = numeric_new(&f, below, &p->sources, &p->job->tolerance, scratch, p->err);
    double *at = fine ? workspace_value(f.workspace, p->x[variable]) : NULL;
    size_t count = shape_count(p->x[variable]->shape);
    result->numeric = array_new(p->arena, p->x[variable]->shape);
    result->slope = ARENA_ARRAY(p->arena, Slope, count);
    for (size_t e = 0; fine && e < count; e++) {
        result->slope[e] = numeric_compare(&f, at ? at + e : NULL, &one, 1, analytic[e], e, &result->comparison, scratch);
        result->numeric.values[e] = result->slope[e].central;
    }
    arena_free(scratch);
    return fine;
}

static bool check(const DifferentiateJob *job, Derivatives *d, Arena *arena, Error *err)
{
    Problem p;
    int n = job->variables, orders = job->order, roots = 0;
    if (!problem_build(&p, job, arena, err))
        return false;
    Node ***grad = build_orders(&p, orders), **root = ARENA_ARRAY(arena, Node *, n * orders);
    Node **below = ARENA_ARRAY(arena, Node *, n * orders);
    for (int i = 0; i < n * orders; i++) {
        if (grad[i / n][i % n])
            root[roots++] = grad[i / n][i % n];
        if (grad[i / n][i % n])
            below[i] = i < n ? p.scalar : op_sum(grad[i / n - 1][i % n]);
    }
    d->check = ARENA_ARRAY(arena, CheckResult *, n * orders);
    if (!roots)
        return true;
    const Workspace *w = numeric_run(p.graph, root, roots, &p.sources, arena, err);
    if (!w || !numeric_hold_stopped(p.graph, &p.sources, arena, err))
        return false;
    for (int i = 0; i < n * orders; i++) {
        if (!below[i])
            continue;
        d->check[i] = ARENA_NEW(arena, CheckResult);
        if (!check_element(&p, below[i], i % n, workspace_value(w, grad[i / n][i % n]), d->check[i]))
            return false;
        d->check_failed |= d->check[i]->comparison.failed;
    }
    return true;
}

/* ---- all of it ---- */

static bool run(Problem *p, Derivatives *d)
{
    int n = p->job->variables, orders = p->scalar ? p->job->order : 0, roots = 0;
    HookNodes *hooks = orders && p->job->hooks ? problem_hook(p) : NULL;
    Node ***grad = build_orders(p, orders);
    if (hooks && !problem_hooks_fit(p, hooks))
        return false;
    Node **root = ARENA_ARRAY(p->arena, Node *, n * orders + 1 + 2 * p->job->hooks);
    root[roots++] = p->value;
    for (int i = 0; i < n * orders; i++)
        if (grad[i / n][i % n])
            root[roots++] = grad[i / n][i % n];
    if (hooks)
        roots += problem_hook_roots(p, hooks, root + roots);
    const Workspace *w = numeric_run(p->graph, root, roots, &p->sources, p->arena, p->err);
    if (!w)
        return false;
    d->value = *array_of_node(p->arena, w, p->value);
    d->gradient = ARENA_ARRAY(p->arena, Array **, p->job->order);
    for (int k = 0; k < p->job->order; k++) {
        d->gradient[k] = ARENA_ARRAY(p->arena, Array *, n);
        for (int i = 0; i < n; i++)
            if (k < orders && grad[k][i])
                d->gradient[k][i] = array_of_node(p->arena, w, grad[k][i]);
    }
    d->hook = hooks ? problem_read_hooks(p, hooks, w) : NULL;
    return true;
}

/* Whether a gradient reaches each variable, and why not; also of a value that is no scalar. */
static void find_reach(Problem *p, Derivatives *d)
{
    int n = p->job->variables;
    Node **grad = ARENA_ARRAY(p->arena, Node *, n);
    d->reason = ARENA_ARRAY(p->arena, const char *, n);
    graph_gradient(op_sum(p->value), NULL, p->x, n, NULL, 0, grad);
    for (int i = 0; i < n; i++) {
        d->requires_grad |= grad[i] != NULL;
        d->reason[i] = grad[i] ? NULL : reason_for(p, i);
    }
}

Derivatives *differentiate(const DifferentiateJob *job, Arena *arena, Error *err)
{
    Problem p;
    Derivatives *d = ARENA_NEW(arena, Derivatives);
    if (!problem_build(&p, job, arena, err))
        return NULL;
    find_reach(&p, d);
    if (!run(&p, d))
        return NULL;
    d->needs_seed = !p.scalar && d->requires_grad;
    if (job->wants_jacobian && !(d->jacobian = find_jacobian(job, arena, err)))
        return NULL;
    if (d->needs_seed || !p.scalar)
        return d;
    if (job->wants_hessian && !(d->hessian = find_hessian(job, arena, err)))
        return NULL;
    return !job->wants_check || job->order < 1 || check(job, d, arena, err) ? d : NULL;
}

const UserFunction *differentiate_define(Arena *arena, const char *definition, const char *derivative,
                                         const UserFunction *before, Error *err)
{
    const char *text = derivative ? arena_printf(arena, "%s = %s", definition, derivative) : definition;
    const UserFunction *f = expression_define(arena, expression_text(arena, "definition", text), before, err);
    if (!f || !f->derivative)
        return f;
    for (int i = 0; i < f->derivative->name_count; i++)
        if (!strcmp(f->derivative->names[i], "grad"))
            return f;
    const char *own = f->derivative->text; /* the end of the definition, as it was written */
    size_t head = strlen(text) - strlen(own);
    text = arena_printf(arena, "%.*s grad * (%s)", (int)head, text, own);
    return expression_define(arena, expression_text(arena, "definition", text), before, err);
}
