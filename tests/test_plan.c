/* Planning changes no value: fusion, shared memory and threads are only ways to the same bits. */
#include "support_test.h"

#include <string.h>

#include "autograd/ops.h"
#include "autograd/plan.h"
#include "base/random.h"
#include "tensor/variant.h"

enum { NODES = 60, ROWS = 37, COLUMNS = 129 };

typedef struct Fixture {
    Arena *arena;
    Error *err;
} Fixture;

static Fixture fixture(void)
{
    Arena *arena = arena_new(NULL);
    return (Fixture){arena, error_new(arena)};
}

/* A new node from two of those so far; their shapes broadcast to [ROWS, COLUMNS]. */
static Node *random_node(Node *const made[], int count, const Random *random, uint64_t *drawn)
{
    Node *a = made[random_below(random, (*drawn)++, (uint64_t)count)];
    Node *b = made[random_below(random, (*drawn)++, (uint64_t)count)];
    const Shape full = SHAPE(ROWS, COLUMNS);
    switch (random_below(random, (*drawn)++, 12)) {
    case 0:
        return op_tanh(a);
    case 1:
        return op_sum_to(op_expand(a, full), SHAPE(COLUMNS));
    case 2:
        return op_sum_last(op_expand(a, full));
    case 3:
        return op_reshape(op_sigmoid(op_reshape(op_expand(a, full), SHAPE(COLUMNS, ROWS))), full);
    case 4:
        return op_sum_to(op_matmul(op_tanh(op_expand(a, full)), op_sigmoid(op_expand(b, full)), true, false), SHAPE(COLUMNS));
    case 5:
        return op_mul(op_expand(a, full), b);
    case 6:
        return op_select(op_step(op_expand(a, full)), op_expand(b, full), op_neg(op_expand(a, full)));
    case 7:
        return op_one_minus(b);
    case 8:
        return op_identity(a);
    case 9: /* what follows is half, until it meets float32 */
    case 10:
        return op_cast(op_expand(a, full), PRECISION_FLOAT16);
    default:
        return op_sub(op_tanh(a), b);
    }
}

/* A random graph over one input; the same for the same seed. */
static Graph *random_graph(Arena *arena, uint64_t seed)
{
    Graph *graph = graph_new(arena);
    Random random = random_stream(seed, RANDOM_PROBE, 0);
    uint64_t drawn = 0;
    Node *made[NODES] = {graph_input(graph, "x", SHAPE(ROWS, COLUMNS)), graph_constant(graph, 0.25)};
    for (int i = 2; i < NODES; i++)
        made[i] = random_node(made, i, &random, &drawn);
    return graph;
}

static void fill(float *x)
{
    Random random = random_stream(1, RANDOM_PROBE, 1);
    for (size_t i = 0; x && i < ROWS * COLUMNS; i++)
        x[i] = (float)random_normal(&random, i);
}

static Workspace *run(Fixture f, Graph *graph, Node *const roots[], int count, Threads *threads)
{
    const Plan *plan = plan_compile(graph, roots, count, variant_best(), f.arena, f.err);
    assert_non_null(plan);
    Workspace *w = workspace_new(plan, f.arena, f.err);
    fill(workspace_value(w, graph->node[0]));
    plan_run(plan, w, threads);
    return w;
}

static void assert_same_value(const Workspace *a, const Workspace *b, const Node *node)
{
    const void *x = workspace_value(a, node), *y = workspace_value(b, node);
    if (memcmp(x, y, sizeof(float) * shape_count(node->shape)) != 0)
        fail_msg("node %d, %s: the plan changed its value", node->id, node->op->name);
}

static void sharing_memory_and_fusing_changes_no_bit(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        Fixture f = fixture();
        Graph *graph = random_graph(f.arena, seed);
        /* With every node a root, nothing is shared and nothing is dropped. */
        Workspace *plain = run(f, graph, graph->node, graph->count, NULL);
        for (int last = graph->count - 1; last >= graph->count - 6; last--) {
            Workspace *shared = run(f, graph, &graph->node[last], 1, NULL);
            assert_same_value(plain, shared, graph->node[last]);
        }
        int half = graph->count / 2;
        Workspace *several = run(f, graph, graph->node + half, graph->count - half, NULL);
        for (int i = half; i < graph->count; i++)
            assert_same_value(plain, several, graph->node[i]);
        arena_free(f.arena);
    }
}

/* Large enough that steps are divided. */
static Node *large_graph(Graph *graph, Node **x)
{
    *x = graph_input(graph, "x", SHAPE(256, 300));
    Node *w = graph_input(graph, "w", SHAPE(300, 300));
    Node *h = op_tanh(op_matmul(*x, w, false, true));
    h = op_softmax(op_matmul(op_mul(h, h), w, false, false));
    Node *value = op_sum(op_square(h));
    Node *grad[2];
    graph_gradient(value, NULL, (Node *const[]){*x, w}, 2, NULL, 0, grad);
    return op_concat(op_reshape(grad[0], SHAPE(256 * 300)), op_reshape(grad[1], SHAPE(300 * 300)), 0);
}

static void the_number_of_threads_changes_no_bit(void **state)
{
    (void)state;
    float *first = NULL;
    Fixture f = fixture();
    for (int count = 1; count <= 3; count++) {
        Graph *graph = graph_new(f.arena);
        Node *x, *y = large_graph(graph, &x);
        Threads *threads = threads_new(f.arena, count, f.err);
        const Plan *plan = plan_compile(graph, &y, 1, variant_best(), f.arena, f.err);
        Workspace *w = workspace_new(plan, f.arena, f.err);
        Random random = random_stream(3, RANDOM_PROBE, 0);
        for (int i = 0; i < graph->count; i++)
            for (size_t k = 0; graph->node[i]->name && k < shape_count(graph->node[i]->shape); k++)
                ((float *)workspace_value(w, graph->node[i]))[k] = (float)(0.1 * random_normal(&random, k));
        plan_run(plan, w, threads);
        float *result = workspace_value(w, y);
        if (first)
            assert_memory_equal(first, result, sizeof(float) * shape_count(y->shape));
        first = result;
    }
    arena_free(f.arena);
}

typedef struct Seen {
    double sum;
    size_t count;
    bool is_aligned;
} Seen;

static void see(void *context, const void *values, size_t first, size_t count)
{
    Seen *seen = context;
    seen->is_aligned &= first % PLAN_BLOCK == 0 && count <= PLAN_BLOCK;
    for (size_t i = 0; i < count; i++)
        seen->sum += (double)((const float *)values)[i];
    seen->count += count;
}

static void a_tap_sees_every_element_once_wherever_the_value_lives(void **state)
{
    (void)state;
    Fixture f = fixture();
    Graph *graph = graph_new(f.arena);
    Node *x = graph_input(graph, "x", SHAPE(ROWS, COLUMNS));
    Node *inside = op_tanh(op_scale(x, 2)), *view = op_reshape(inside, SHAPE(COLUMNS, ROWS));
    Node *product = op_matmul(inside, x, true, false), *unused = op_exp(x), *total = op_sum(op_square(product));
    Seen seen[5] = {{0, 0, true}, {0, 0, true}, {0, 0, true}, {0, 0, true}, {0, 0, true}};
    Node *const watched[5] = {x, inside, view, product, unused};
    for (int i = 0; i < 5; i++)
        graph_tap(watched[i], see, &seen[i]);
    Workspace *w = run(f, graph, &total, 1, NULL);
    Fixture g = fixture();
    Workspace *all = run(g, graph, graph->node, graph->count, NULL);
    (void)w;
    for (int i = 0; i < 5; i++) {
        double expected = 0;
        const float *value = workspace_value(all, watched[i]);
        for (size_t k = 0; k < shape_count(watched[i]->shape); k++)
            expected += (double)value[k];
        assert_int_equal(seen[i].count, 2 * shape_count(watched[i]->shape)); /* two runs */
        assert_near(seen[i].sum, 2 * expected, 1e-9);
        assert_true(seen[i].is_aligned);
    }
    arena_free(f.arena);
    arena_free(g.arena);
}

static void what_no_root_needs_is_dropped(void **state)
{
    (void)state;
    Fixture f = fixture();
    Graph *graph = graph_new(f.arena);
    Node *x = graph_input(graph, "x", SHAPE(ROWS, COLUMNS));
    Node *needed = op_tanh(x), *dropped = op_exp(needed), *root = op_sum(needed);
    Workspace *w = run(f, graph, &root, 1, NULL);
    assert_null(workspace_value(w, dropped));
    arena_free(f.arena);
}

static void a_shape_error_is_kept_with_its_layer_until_compiling(void **state)
{
    (void)state;
    Fixture f = fixture();
    Graph *graph = graph_new(f.arena);
    graph->scope = "block.fc1";
    Node *y = op_tanh(op_add(graph_input(graph, "x", SHAPE(3, 4)), graph_input(graph, "b", SHAPE(5))));
    assert_null(plan_compile(graph, &y, 1, VARIANT_F32, f.arena, f.err));
    assert_string_equal(error_message(f.err, 0), "block.fc1: shapes [3, 4] and [5] do not broadcast");
    arena_free(f.arena);
}

/* Steps and memory of a chain of layers with its gradient. */
static void deep(int layers, int *steps, size_t *bytes)
{
    Fixture f = fixture();
    Graph *graph = graph_new(f.arena);
    Node *w = graph_input(graph, "w", SHAPE(4, 4)), *h = graph_input(graph, "x", SHAPE(2, 4)), *grad;
    for (int i = 0; i < layers; i++)
        h = op_tanh(op_matmul(h, w, false, true));
    graph_gradient(op_sum(h), NULL, &w, 1, NULL, 0, &grad);
    const Plan *plan = plan_compile(graph, &grad, 1, variant_best(), f.arena, f.err);
    *steps = plan_step_count(plan);
    *bytes = plan_bytes(plan);
    arena_free(f.arena);
}

static void cost_grows_linearly_with_depth(void **state)
{
    (void)state;
    int steps_small, steps_large;
    size_t bytes_small, bytes_large;
    deep(1000, &steps_small, &bytes_small);
    deep(10000, &steps_large, &bytes_large);
    assert_true(steps_large < 11 * steps_small && bytes_large < 11 * bytes_small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sharing_memory_and_fusing_changes_no_bit),
        cmocka_unit_test(the_number_of_threads_changes_no_bit),
        cmocka_unit_test(a_tap_sees_every_element_once_wherever_the_value_lives),
        cmocka_unit_test(what_no_root_needs_is_dropped),
        cmocka_unit_test(a_shape_error_is_kept_with_its_layer_until_compiling),
        cmocka_unit_test(cost_grows_linearly_with_depth),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
