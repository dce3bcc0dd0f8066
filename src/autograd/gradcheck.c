/* Element by element, with a sample of the elements and one random direction where there are many. */
#include "autograd/gradcheck.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "autograd/array.h"
#include "autograd/ops.h"
#include "base/random.h"

static const double one = 1; /* a step along one coordinate */

enum { EXAMPLE_SAMPLES = 256, STREAM_WEIGHTS = 2, STREAM_VECTOR = 100, STREAM_DIRECTION = 200, STREAM_SAMPLES = 300 };

/* ---- random numbers ---- */

static double *random_values(Arena *arena, Shape shape, uint64_t stream, double centre)
{
    Random random = random_stream(1, RANDOM_PROBE, stream);
    size_t count = shape_count(shape);
    double *values = ARENA_ARRAY(arena, double, count);
    for (size_t i = 0; i < count; i++)
        values[i] = centre + random_uniform(&random, i) - 0.5;
    return values;
}

Node *gradcheck_scalar(Node *y)
{
    if (shape_count(y->shape) == 1)
        return op_reshape(y, SHAPE_SCALAR);
    return op_sum(op_mul(y, graph_tensor(y->graph, y->shape, random_values(y->graph->arena, y->shape, STREAM_WEIGHTS, 1))));
}

/* ---- the check ---- */

typedef struct Check {
    const GradcheckProblem *problem;
    const GradcheckOptions *options;
    Arena *arena;
    Node *scalar[GRADCHECK_ORDERS]; /* what is differentiated in each order */
    Node **grad[GRADCHECK_ORDERS];
} Check;

/* <dL/dx, v>; a gradient that does not arrive is 0. */
static Node *along_vector(const Check *c, Node *const grad[])
{
    const GradcheckProblem *p = c->problem;
    Node *sum = graph_constant(p->graph, 0);
    for (int i = 0; i < p->leaves; i++) {
        if (!grad[i])
            continue;
        const double *v = random_values(c->arena, p->leaf[i]->shape, STREAM_VECTOR + (uint64_t)i, 0);
        sum = op_add(sum, op_sum(op_mul(grad[i], graph_tensor(p->graph, grad[i]->shape, v))));
    }
    return sum;
}

/* Appends the gradients and computes them. */
static const Workspace *run_analytic(Check *c, Error *err)
{
    const GradcheckProblem *p = c->problem;
    Node **root = ARENA_ARRAY(c->arena, Node *, p->leaves * GRADCHECK_ORDERS + 1);
    int roots = 0;
    root[roots++] = p->loss;
    for (int k = 0; k < c->options->orders; k++) {
        c->scalar[k] = k ? along_vector(c, c->grad[k - 1]) : p->loss;
        c->grad[k] = ARENA_ARRAY(c->arena, Node *, p->leaves);
        graph_gradient(c->scalar[k], NULL, p->leaf, p->leaves, NULL, 0, c->grad[k]);
        for (int i = 0; i < p->leaves; i++)
            if (c->grad[k][i])
                root[roots++] = c->grad[k][i];
    }
    return numeric_run(p->graph, root, roots, &p->sources, c->arena, err);
}

/* One leaf against one function. `analytic` is NULL where no gradient arrives, which says that it is 0. */
static void check_leaf(const Check *c, const NumericFunction *f, int leaf, const double *analytic, GradcheckRow *row)
{
    const Node *x = c->problem->leaf[leaf];
    size_t count = shape_count(x->shape), samples = count <= c->options->samples ? count : c->options->samples;
    double *at = workspace_value(f->workspace, x);
    Arena *scratch = arena_new(c->arena);
    Random random = random_stream(1, RANDOM_PROBE, STREAM_SAMPLES + (uint64_t)leaf);
    for (size_t s = 0; s < samples; s++) {
        size_t e = samples == count ? s : random_below(&random, s, count);
        numeric_compare(f, at ? at + e : NULL, &one, 1, analytic ? analytic[e] : 0, e, &row->comparison, scratch);
    }
    if (samples < count) {
        const double *direction = random_values(scratch, x->shape, STREAM_DIRECTION + (uint64_t)leaf, 0);
        double along = 0;
        for (size_t e = 0; analytic && e < count; e++)
            along += analytic[e] * direction[e];
        numeric_compare(f, at, direction, count, along, count, &row->comparison, scratch);
    }
    row->worst = row->comparison.worst == count
                     ? arena_printf(c->arena, "%s along a direction", row->name)
                     : arena_printf(c->arena, "%s%s", row->name, array_place(scratch, x->shape, row->comparison.worst));
    arena_free(scratch);
}

bool gradcheck_run(const GradcheckProblem *problem, const GradcheckOptions *options, GradcheckRow rows[], Arena *arena,
                   Error *err)
{
    Check c = {.problem = problem, .options = options, .arena = arena};
    const Workspace *w = run_analytic(&c, err);
    if (!w || !numeric_hold_stopped(problem->graph, &problem->sources, arena, err))
        return false;
    for (int k = 0; k < options->orders; k++) {
        NumericFunction f;
        if (!numeric_new(&f, c.scalar[k], &problem->sources, &options->tolerance, arena, err))
            return false;
        for (int i = 0; i < problem->leaves; i++) {
            assert(c.grad[k]);
            GradcheckRow *row = &rows[k * problem->leaves + i];
            *row = (GradcheckRow){.name = problem->name[i], .shape = problem->leaf[i]->shape, .order = k + 1};
            check_leaf(&c, &f, i, c.grad[k][i] ? workspace_value(w, c.grad[k][i]) : NULL, row);
        }
    }
    return true;
}

/* ---- examples of operators ---- */

typedef struct ExampleInputs {
    const OpExample *example;
    Node *x[OP_MAX_INPUTS];
} ExampleInputs;

static double draw(const Random *random, uint64_t index, Domain domain)
{
    double value = 2 * random_uniform(random, index) - 1;
    if (domain == POSITIVE)
        return fabs(value) + 0.5;
    if (domain == NONZERO)
        return value + (value < 0 ? -0.3 : 0.3);
    if (domain == INDEX)
        return floor((value + 1) * 1.999);
    return value;
}

static void fill_example(const void *context, const Workspace *w)
{
    const ExampleInputs *inputs = context;
    for (int i = 0; i < inputs->example->inputs; i++) {
        Random random = random_stream(1, RANDOM_PROBE, (uint64_t)i);
        double *x = workspace_value(w, inputs->x[i]);
        for (size_t k = 0; x && k < shape_count(inputs->x[i]->shape); k++)
            x[k] = draw(&random, k, inputs->example->domain[i]);
    }
}

void gradcheck_merge(GradcheckRow *into, const GradcheckRow *row)
{
    Comparison *c = &into->comparison;
    const Comparison *other = &row->comparison;
    if (other->checked && (!c->checked || other->excess > c->excess)) {
        into->worst = row->worst;
        c->worst = other->worst;
        c->analytic = other->analytic;
        c->numeric = other->numeric;
        c->excess = other->excess;
    }
    c->checked += other->checked;
    c->kinks += other->kinks;
    c->max_abs_error = fmax(c->max_abs_error, other->max_abs_error);
    c->max_rel_error = fmax(c->max_rel_error, other->max_rel_error);
    c->failed |= other->failed;
}

bool gradcheck_run_example(const OpExample *example, const GradcheckOptions *options, GradcheckRow rows[], Arena *arena,
                           Error *err)
{
    static const char *const names[OP_MAX_INPUTS] = {"input 0", "input 1", "input 2", "input 3"};
    ExampleInputs inputs = {.example = example};
    GradcheckProblem problem = {.graph = graph_new(arena), .sources = {.fill = fill_example, .context = &inputs}};
    Node *leaf[OP_MAX_INPUTS];
    const char *leaf_name[OP_MAX_INPUTS];
    GradcheckRow own[OP_MAX_INPUTS * GRADCHECK_ORDERS];
    for (int i = 0; i < example->inputs; i++) {
        inputs.x[i] = graph_input(problem.graph, names[i], example->shape[i]);
        if (example->domain[i] == INDEX)
            continue;
        leaf_name[problem.leaves] = names[i];
        leaf[problem.leaves++] = inputs.x[i];
    }
    problem.leaf = leaf;
    problem.name = leaf_name;
    problem.loss = gradcheck_scalar(example->apply(inputs.x));
    if (!gradcheck_run(&problem, options, own, arena, err))
        return false;
    for (int k = 0; k < options->orders; k++) {
        rows[k] = (GradcheckRow){.order = k + 1, .shape = example->shape[0]};
        for (int i = 0; i < problem.leaves; i++)
            gradcheck_merge(&rows[k], &own[k * problem.leaves + i]);
    }
    return true;
}

bool gradcheck_example(const OpExample *example, int orders, Arena *arena, Error *err)
{
    const GradcheckOptions options = {.tolerance = {1e-5, 1e-6, 1e-6}, .orders = orders, .samples = EXAMPLE_SAMPLES};
    GradcheckRow rows[GRADCHECK_ORDERS] = {{.order = 0}};
    if (!gradcheck_run_example(example, &options, rows, arena, err))
        return false;
    for (int k = 0; k < orders; k++)
        if (rows[k].comparison.failed)
            return error_add(err, "derivative of order %d, %s: analytic %.9g, numeric %.9g", k + 1, rows[k].worst,
                             rows[k].comparison.analytic, rows[k].comparison.numeric);
    return true;
}
