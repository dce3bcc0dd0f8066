/* Directional derivatives by central differences: one number stands for all elements. */
#include "autograd/gradcheck.h"

#include <math.h>

#include "autograd/ops.h"
#include "autograd/plan.h"
#include "base/random.h"

#define STEP 1e-5
#define TOLERANCE 1e-6

/* The inputs of one check: nodes, their values and the direction along which they are moved. */
typedef struct Sample {
    Graph *graph;
    int inputs, moved;
    Node *x[OP_MAX_INPUTS], *v[OP_MAX_INPUTS];
    Node *wrt[OP_MAX_INPUTS]; /* those that are moved */
    Node *direction[OP_MAX_INPUTS];
    Random random;
    uint64_t drawn;
} Sample;

static double draw(Sample *s, Domain domain)
{
    double value = 2 * random_uniform(&s->random, s->drawn++) - 1;
    if (domain == POSITIVE)
        return fabs(value) + 0.5;
    if (domain == NONZERO)
        return value + (value < 0 ? -0.3 : 0.3);
    if (domain == INDEX)
        return floor((value + 1) * 1.999);
    return value;
}

/* Runs the graph for `root` with x moved by `step` along v. Values are drawn again, the same ones, in each call. */
static bool evaluate(Sample *s, const OpExample *example, Node *root, double step, Arena *arena, Error *err, double *result)
{
    Arena *scratch = arena_new(arena);
    const Plan *plan = plan_compile(s->graph, &root, 1, VARIANT_F64, scratch, err);
    Workspace *w = plan ? workspace_new(plan, scratch, err) : NULL;
    if (w) {
        s->drawn = 0;
        for (int i = 0; i < s->inputs; i++) {
            double *x = workspace_value(w, s->x[i]), *v = workspace_value(w, s->v[i]);
            for (size_t k = 0; k < shape_count(s->x[i]->shape); k++) {
                double value = draw(s, example->domain[i]), direction = draw(s, ANY);
                if (x)
                    x[k] = example->domain[i] == INDEX ? value : value + step * direction;
                if (v)
                    v[k] = direction;
            }
        }
        plan_run(plan, w, NULL);
        *result = *(const double *)workspace_value(w, root);
    }
    arena_free(scratch);
    return w != NULL;
}

/* <w, y> for fixed random weights. */
static Node *weighted_sum(Node *y)
{
    Graph *graph = y->graph;
    Random random = random_stream(2, RANDOM_PROBE, 0);
    Node *total = NULL;
    Node *flat = op_reshape(y, SHAPE((int)shape_count(y->shape)));
    for (int i = 0; i < flat->shape.dim[0]; i++) {
        Node *weight = graph_constant(graph, random_uniform(&random, (uint64_t)i) + 0.5);
        Node *term = op_mul(op_reshape(op_slice(flat, 0, i, 1), SHAPE_SCALAR), weight);
        total = total ? op_add(total, term) : term;
    }
    return total;
}

static Node *along_direction(Sample *s, Node *const grad[])
{
    Node *sum = graph_constant(s->graph, 0);
    for (int i = 0; i < s->moved; i++)
        if (grad[i])
            sum = op_add(sum, op_sum(op_mul(grad[i], s->direction[i])));
    return sum;
}

bool gradcheck_example(const OpExample *example, int orders, Arena *arena, Error *err)
{
    Sample s = {.graph = graph_new(arena), .inputs = example->inputs, .random = random_stream(1, RANDOM_PROBE, 0)};
    for (int i = 0; i < example->inputs; i++) {
        s.x[i] = graph_input(s.graph, "x", example->shape[i]);
        s.v[i] = graph_input(s.graph, "v", example->shape[i]);
        if (example->domain[i] == INDEX)
            continue;
        s.wrt[s.moved] = s.x[i];
        s.direction[s.moved++] = s.v[i];
    }
    Node *value = weighted_sum(example->apply(s.x));
    for (int order = 1; order <= orders; order++) {
        Node *grad[OP_MAX_INPUTS] = {NULL};
        double above, below, exact;
        graph_gradient(value, NULL, s.wrt, s.moved, NULL, 0, grad);
        Node *derivative = along_direction(&s, grad);
        if (!evaluate(&s, example, value, STEP, arena, err, &above) || !evaluate(&s, example, value, -STEP, arena, err, &below) ||
            !evaluate(&s, example, derivative, 0, arena, err, &exact))
            return false;
        double numeric = (above - below) / (2 * STEP);
        if (!(fabs(numeric - exact) <= TOLERANCE * fmax(1, fabs(numeric))))
            return error_add(err, "derivative of order %d: analytic %.9g, numeric %.9g", order, exact, numeric);
        value = derivative;
    }
    return true;
}
