/* The states of a recurrent cell out of what its walk kept; and what all cells share: builders, sizes, derivatives. */
#include <string.h>

#include "autograd/composition.h"
#include "autograd/ops.h"
#include "autograd/recurrent.h"

#ifdef KERNEL

/* h of step t + start, zero before the first. A unit is a sample. */
Kernel KERNEL(run_recurrent_states);
void KERNEL(run_recurrent_states)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const Node *walk = node->in[0];
    const size_t steps = (size_t)walk->shape.dim[0], batch = (size_t)walk->shape.dim[1], kept = (size_t)walk->shape.dim[2];
    const size_t hidden = (size_t)shape_last(node->shape), bytes = hidden * sizeof(real);
    const bool last_alone = node->shape.rank == 2, is_delayed = node->attributes.start < 0;
    for (size_t b = part->first; b < part->first + part->count; b++) {
        const real *h = (const real *)in[0] + b * kept + kept - hidden;
        real *y = (real *)out + b * (last_alone ? 1 : steps) * hidden;
        if (last_alone) {
            memcpy(y, h + (steps - 1) * batch * kept, bytes);
            continue;
        }
        if (is_delayed)
            memset(y, 0, bytes);
        for (size_t t = is_delayed; t < steps; t++)
            memcpy(y + t * hidden, h + (t - is_delayed) * batch * kept, bytes);
    }
}

#else

static const RecurrentCell *const cells[] = {&cell_rnn, &cell_lstm, &cell_gru};

/* By either of its operators. */
static const RecurrentCell *cell_of(const Op *op)
{
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        if (op == cells[i]->walk || op == cells[i]->delta)
            return cells[i];
    return NULL;
}

/* Of a walk [x, weight] and of a backward walk or the states [.., walk, x, weight] alike. */
static RecurrentSizes sizes_of(const Node *node)
{
    const RecurrentCell *cell = cell_of(node->op);
    int at = node->op == cell->walk ? 0 : 2;
    return recurrent_sizes(node->in[at], node->in[at + 1], cell->gates, cell->kept);
}

size_t recurrent_units(const Node *node)
{
    return (size_t)node->in[node->op->inputs - 2]->shape.dim[0];
}

double recurrent_flops(const Node *node)
{
    const RecurrentSizes s = sizes_of(node);
    return (double)s.batch * (double)s.steps * (2.0 * (double)s.width * (double)s.hidden + 10.0 * (double)s.width);
}

size_t recurrent_walk_scratch(const Node *node)
{
    const RecurrentSizes s = sizes_of(node);
    return (s.hidden + CHUNK) * product_padded(s.width) + s.kept + s.width;
}

size_t recurrent_delta_scratch(const Node *node)
{
    const RecurrentSizes s = sizes_of(node);
    return (s.width + CHUNK) * product_padded(s.hidden) + CHUNK * (s.width + s.hidden) + s.kept;
}

static Node *states_new(Node *walk, Node *x, Node *weight, Shape shape, int start)
{
    Node *y = graph_append(x->graph, &row_recurrent_states, shape, (Node *const[]){walk, x, weight});
    y->attributes.start = start;
    y->precision = x->precision;
    return y;
}

static Node *delta_new(const RecurrentCell *cell, Node *dy, Node *walk, Node *x, Node *weight)
{
    Node *y = graph_append(x->graph, cell->delta, x->shape, (Node *const[]){dy, walk, x, weight});
    y->attributes.k = walk->attributes.k;
    return y;
}

static Node *walk_new(const RecurrentCell *cell, Node *x, Node *weight, double k)
{
    int hidden = x->shape.dim[2] / cell->gates;
    Node *walk = graph_append(x->graph, cell->walk, SHAPE(x->shape.dim[1], x->shape.dim[0], cell->kept * hidden),
                              (Node *const[]){x, weight});
    walk->attributes.k = k;
    walk->precision = PRECISION_FLOAT32; /* it rounds what it keeps itself */
    return walk;
}

Node *recurrent_new(const RecurrentCell *cell, Node *x, Node *weight, bool last, double k)
{
    Graph *graph = x->graph;
    bool fits = x->shape.rank == 3 && weight->shape.rank == 2 && weight->shape.dim[0] == x->shape.dim[2];
    int hidden = fits ? x->shape.dim[2] / cell->gates : 0, columns = fits ? weight->shape.dim[1] : 0;
    if (!fits || hidden * cell->gates != x->shape.dim[2] || (columns != hidden && (columns != hidden + 1 || cell != &cell_gru)))
        return graph_fail(graph, "%s of gates %s does not take a weight of %s", cell->walk->name,
                          shape_text(graph->arena, x->shape), shape_text(graph->arena, weight->shape));
    x = op_autocast(x);
    weight = op_autocast(weight);
    Shape shape = last ? SHAPE(x->shape.dim[0], hidden) : SHAPE(x->shape.dim[0], x->shape.dim[1], hidden);
    return states_new(walk_new(cell, x, weight, k), x, weight, shape, 0);
}

Node *recurrent_delta_new(const RecurrentCell *cell, Node *dy, Node *x, Node *weight, double k)
{
    return delta_new(cell, dy, walk_new(cell, x, weight, k), x, weight);
}

/* The backward walk for dL/dstates; both derivatives of the states need it, and it is made once. */
static Node *delta_of(Node *y, Node *dy)
{
    Graph *graph = y->graph;
    const RecurrentCell *cell = cell_of(y->in[0]->op);
    for (int i = graph->count - 1; i > dy->id; i--) {
        const Node *made = graph->node[i];
        if (made->op == cell->delta && made->in[0] == dy && made->in[1] == y->in[0])
            return graph->node[i];
    }
    return delta_new(cell, dy, y->in[0], y->in[1], y->in[2]);
}

/* The states one step earlier that dL/d(delayed states) reaches: dy moved back, nothing for the last. */
static Node *undelayed(const Node *y, Node *dy)
{
    int steps = dy->shape.dim[1];
    if (y->attributes.start == 0)
        return dy;
    return steps == 1 ? op_zeros_like(dy) : op_pad(op_slice(dy, 1, 1, steps - 1), 1, 0, steps);
}

static Node *states_dx(Node *y, Node *dy)
{
    return delta_of(y, undelayed(y, dy));
}

static Node *as_matrix(Node *x)
{
    int n = shape_last(x->shape);
    return op_reshape(x, SHAPE((int)(shape_count(x->shape) / (size_t)n), n));
}

/* One product of the gate gradients of all steps with the states before them. A bias in the last column met ones. */
static Node *states_dw(Node *y, Node *dy)
{
    const RecurrentCell *cell = cell_of(y->in[0]->op);
    Node *x = y->in[1], *weight = y->in[2], *delta = delta_of(y, undelayed(y, dy));
    int hidden = x->shape.dim[2] / cell->gates;
    if (cell->inner_delta)
        delta = cell->inner_delta(delta);
    Node *before = states_new(y->in[0], x, weight, SHAPE(x->shape.dim[0], x->shape.dim[1], hidden), -1);
    Node *dw = op_matmul(as_matrix(delta), as_matrix(before), true, false);
    if (weight->shape.dim[1] == hidden)
        return dw;
    Node *db = op_sum_to(delta, SHAPE(weight->shape.dim[0]));
    return op_concat(dw, op_reshape(db, SHAPE(weight->shape.dim[0], 1)), 1);
}

/* Steps [first, first + count) of x [batch, count, features], by halves, so that the derivative takes T log T, not T^2. */
static void split_steps(Node *x, Node *step[])
{
    int count = x->shape.dim[1], half = count / 2;
    if (count == 1) {
        step[0] = op_reshape(x, SHAPE(x->shape.dim[0], x->shape.dim[2]));
        return;
    }
    split_steps(op_slice(x, 1, 0, half), step);
    split_steps(op_slice(x, 1, half, count - half), step + half);
}

static Node *join_steps(Node *const step[], int count)
{
    int half = count / 2;
    if (count == 1)
        return op_reshape(step[0], SHAPE(step[0]->shape.dim[0], 1, step[0]->shape.dim[1]));
    return op_concat(join_steps(step, half), join_steps(step + half, count - half), 1);
}

Node *recurrent_unroll(const RecurrentCell *cell, const Node *walk, Node *x, Node *weight, bool want_inner)
{
    Graph *graph = x->graph;
    int steps = x->shape.dim[1], hidden = x->shape.dim[2] / cell->gates;
    Node **step = ARENA_ARRAY(graph->arena, Node *, steps), **value = ARENA_ARRAY(graph->arena, Node *, steps);
    Node *h = op_expand(graph_constant(graph, 0), SHAPE(x->shape.dim[0], hidden)), *c = h;
    split_steps(x, step);
    for (int t = 0; t < steps; t++) {
        Node *inner = NULL;
        h = cell->step(walk, step[t], weight, h, &c, &inner);
        value[t] = want_inner ? inner : h;
    }
    return join_steps(value, steps);
}

/* in: dL/dstates, walk, x, weight. */
static Node *compose_delta(const Node *y, Node *const in[])
{
    const RecurrentCell *cell = cell_of(y->op);
    Node *x = in[2], *delta, *states = recurrent_unroll(cell, y->in[1], x, in[3], false);
    int steps = x->shape.dim[1];
    if (in[0]->shape.rank == 2)
        states = op_reshape(op_slice(states, 1, steps - 1, 1), in[0]->shape);
    graph_gradient(op_sum(op_mul(states, in[0])), NULL, &x, 1, NULL, 0, &delta);
    return delta;
}

Node *recurrent_delta_dy(Node *y, Node *dy)
{
    return composition_derivative(y, dy, 0, compose_delta);
}

Node *recurrent_delta_dx(Node *y, Node *dy)
{
    return composition_derivative(y, dy, 2, compose_delta);
}

Node *recurrent_delta_dw(Node *y, Node *dy)
{
    return composition_derivative(y, dy, 3, compose_delta);
}

Node *op_recurrent_delta(const Graph *graph, const char *scope)
{
    for (int i = graph->count - 1; i >= 0; i--) {
        Node *node = graph->node[i];
        const RecurrentCell *cell = cell_of(node->op);
        if (cell && node->op == cell->delta && node->scope && !strcmp(node->scope, scope))
            return node;
    }
    return NULL;
}

static Node *delayed_example(Node *const x[])
{
    Node *y = op_lstm(x[0], x[1], false);
    return states_new(y->in[0], x[0], x[1], y->shape, -1);
}

static Node *one_step_example(Node *const x[])
{
    Node *y = op_rnn(x[0], x[1], false, false);
    return op_add(y, states_new(y->in[0], x[0], x[1], y->shape, -1));
}

static const OpExample states_examples[] = {
    {"of the step before", 2, {SHAPE(2, 4, 8), SHAPE(8, 2)}, {ANY}, delayed_example},
    {"of the step before, of one step", 2, {SHAPE(2, 1, 3), SHAPE(3, 3)}, {ANY}, one_step_example},
    {0}};

KERNEL_DECLARE(Kernel, run_recurrent_states);

const Op row_recurrent_states = {
    .name = "recurrent_states",
    .help = "the states of all steps of a recurrent cell",
    .kind = OP_STRUCTURED,
    .inputs = 3,
    .units = recurrent_units,
    .kernel = KERNEL_TABLE(run_recurrent_states),
    .derivative = {NULL, states_dx, states_dw},
    .examples = states_examples,
};

#endif
