/* rnn, lstm, gru: shapes, parameters, messages; the same bits for any number of threads; memory linear in time. */
#include "support_test.h"

#include <math.h>
#include <string.h>

#include "autograd/ops.h"
#include "autograd/plan.h"
#include "nn/model.h"

static Model *read_model(Arena *arena, const char *text, Error *err)
{
    Json *json = json_read_text(arena, "model.json", text, strlen(text), err);
    assert_non_null(json);
    return model_read(arena, json, err);
}

static void parameters_are_those_of_torch(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        Shape shape;
    } expected[] = {{"lstm1.weight_ih_l0", SHAPE(20, 3)}, {"lstm1.weight_hh_l0", SHAPE(20, 5)},
                    {"lstm1.bias_ih_l0", SHAPE(20)},      {"lstm1.bias_hh_l0", SHAPE(20)},
                    {"gru1.weight_ih_l0", SHAPE(12, 5)},  {"gru1.weight_hh_l0", SHAPE(12, 4)},
                    {"rnn1.weight_ih_l0", SHAPE(2, 4)},   {"rnn1.weight_hh_l0", SHAPE(2, 2)},
                    {"rnn1.bias_ih_l0", SHAPE(2)},        {"rnn1.bias_hh_l0", SHAPE(2)}};
    Arena *arena = arena_new(NULL);
    Error *err = error_new(arena);
    Model *model =
        read_model(arena,
                   "{\"input\": [7, 3], \"layers\": [{\"type\": \"lstm\", \"hidden\": 5}, {\"type\": \"gru\", \"hidden\": 4, "
                   "\"bias\": false}, {\"type\": \"rnn\", \"hidden\": 2, \"return\": \"last\"}]}",
                   err);
    assert_non_null(model);
    assert_true(shape_equal(layer_output(model->leaf[0]), SHAPE(7, 5)) && shape_equal(model->output, SHAPE(2)));
    assert_int_equal(model->parameters, sizeof expected / sizeof *expected);
    for (int i = 0; i < model->parameters; i++) {
        assert_string_equal(model->parameter[i]->name, expected[i].name);
        assert_true(shape_equal(model->parameter[i]->shape, expected[i].shape));
    }
    arena_free(arena);
}

static void weights_start_within_one_over_the_root_of_hidden(void **state)
{
    (void)state;
    Arena *arena = arena_new(NULL);
    Model *model =
        read_model(arena, "{\"input\": [7, 3], \"layers\": [{\"type\": \"gru\", \"hidden\": 16}]}", error_new(arena));
    model_initialise(model, 1);
    for (int i = 0; i < model->parameters; i++) {
        double largest = 0;
        for (size_t k = 0; k < shape_count(model->parameter[i]->shape); k++)
            largest = fmax(largest, fabs((double)model->parameter[i]->data[k]));
        assert_true(largest <= 0.25 && largest > 0.2);
    }
    arena_free(arena);
}

static void a_named_init_is_for_each_gate_by_itself(void **state)
{
    (void)state;
    Arena *arena = arena_new(NULL);
    Model *model =
        read_model(arena, "{\"input\": [7, 3], \"layers\": [{\"type\": \"lstm\", \"hidden\": 6, \"init\": \"orthogonal\"}]}",
                   error_new(arena));
    model_initialise(model, 1);
    const float *weight = model->parameter[1]->data; /* weight_hh: four orthogonal 6 x 6 */
    for (int gate = 0; gate < 4; gate++)
        for (int a = 0; a < 6; a++)
            for (int b = 0; b < 6; b++) {
                double dot = 0;
                for (int k = 0; k < 6; k++)
                    dot += (double)weight[(gate * 6 + a) * 6 + k] * (double)weight[(gate * 6 + b) * 6 + k];
                assert_near(dot, a == b, 1e-6);
            }
    arena_free(arena);
}

static void assert_refused(const char *layers, const char *message)
{
    Arena *arena = arena_new(NULL);
    Error *err = error_new(arena);
    assert_null(read_model(arena, layers, err));
    if (!strstr(error_message(err, 0), message))
        fail_msg("\"%s\" does not say \"%s\"", error_message(err, 0), message);
    arena_free(arena);
}

static void inputs_that_are_no_sequences_are_refused(void **state)
{
    (void)state;
    assert_refused("{\"input\": [3], \"layers\": [{\"type\": \"lstm\", \"hidden\": 5}]}",
                   "lstm takes sequences [positions, features], and its input is [3]");
    assert_refused("{\"input\": {\"tokens\": 9, \"length\": 4}, \"layers\": [{\"type\": \"rnn\", \"hidden\": 5}]}",
                   "rnn takes sequences [positions, features], and its input is [4]");
    assert_refused("{\"input\": [4, 3], \"layers\": [{\"type\": \"gru\"}]}", "hidden");
    assert_refused("{\"input\": [4, 3], \"layers\": [{\"type\": \"gru\", \"hidden\": 2, \"nonlinearity\": \"relu\"}]}",
                   "nonlinearity");
}

typedef Node *BuildCell(Node *x, Node *weight);

static Node *build_rnn(Node *x, Node *weight)
{
    return op_rnn(x, weight, false, false);
}

static Node *build_lstm(Node *x, Node *weight)
{
    return op_lstm(x, weight, false);
}

static Node *build_gru(Node *x, Node *weight)
{
    return op_gru(x, weight, false);
}

static const struct {
    BuildCell *build;
    int gates;
} cells[] = {{build_rnn, 1}, {build_lstm, 4}, {build_gru, 3}};

/* Sum of squares of the states, and its gradients. */
typedef struct Problem {
    Node *x, *weight, *root[3];
} Problem;

static Problem problem_new(Arena *arena, int cell, int batch, int steps, int hidden)
{
    Graph *graph = graph_new(arena);
    int width = cells[cell].gates * hidden;
    Problem p = {.x = graph_input(graph, "x", SHAPE(batch, steps, width)),
                 .weight = graph_input(graph, "weight", SHAPE(width, hidden))};
    Node *wrt[] = {p.x, p.weight};
    p.root[0] = op_sum(op_square(cells[cell].build(p.x, p.weight)));
    graph_gradient(p.root[0], NULL, wrt, 2, NULL, 0, p.root + 1);
    return p;
}

static void fill(float *values, size_t count, double scale)
{
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(scale * sin(0.7 * (double)(i % 1009) + 0.1));
}

static void bits_do_not_depend_on_threads(void **state)
{
    (void)state;
    for (int cell = 0; cell < 3; cell++) {
        Arena *arena = arena_new(NULL);
        Error *err = error_new(arena);
        const Problem p = problem_new(arena, cell, 53, 6, 40);
        const Plan *plan = plan_compile(p.x->graph, p.root, 3, variant_best(), arena, err);
        Workspace *one = NULL;
        for (int threads = 1; threads <= 3; threads++) {
            Workspace *w = workspace_new(plan, arena, err);
            fill(workspace_value(w, p.x), shape_count(p.x->shape), 1);
            fill(workspace_value(w, p.weight), shape_count(p.weight->shape), 0.2);
            plan_run(plan, w, threads > 1 ? threads_new(arena, threads, err) : NULL);
            one = one ? one : w;
            for (int i = 0; i < 3; i++)
                assert_memory_equal(workspace_value(w, p.root[i]), workspace_value(one, p.root[i]),
                                    shape_count(p.root[i]->shape) * sizeof(float));
        }
        arena_free(arena);
    }
}

static void memory_and_work_grow_linearly_in_time(void **state)
{
    (void)state;
    for (int cell = 0; cell < 3; cell++) {
        Arena *arena = arena_new(NULL);
        Error *err = error_new(arena);
        double bytes[2], flops[2];
        int steps[2];
        for (int i = 0; i < 2; i++) {
            const Problem p = problem_new(arena, cell, 4, i ? 4000 : 400, 16);
            const Plan *plan = plan_compile(p.x->graph, p.root, 3, variant_best(), arena, err);
            bytes[i] = (double)plan_bytes(plan);
            flops[i] = plan_flops(plan);
            steps[i] = plan_step_count(plan);
        }
        assert_true(bytes[1] < 10.1 * bytes[0] && flops[1] < 10.1 * flops[0]);
        assert_int_equal(steps[1], steps[0]);
        arena_free(arena);
    }
}

static void the_gradient_by_gates_is_found_by_its_layer(void **state)
{
    (void)state;
    Arena *arena = arena_new(NULL);
    Graph *graph = graph_new(arena);
    Node *x = graph_input(graph, "x", SHAPE(2, 3, 8)), *weight = graph_input(graph, "weight", SHAPE(8, 2)), *grad;
    graph->scope = "cell";
    Node *y = op_lstm(x, weight, true);
    assert_null(op_recurrent_delta(graph, "cell"));
    graph_gradient(op_sum(y), NULL, &x, 1, NULL, 0, &grad);
    assert_ptr_equal(op_recurrent_delta(graph, "cell"), grad);
    assert_null(op_recurrent_delta(graph, "other"));
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_those_of_torch),
        cmocka_unit_test(weights_start_within_one_over_the_root_of_hidden),
        cmocka_unit_test(a_named_init_is_for_each_gate_by_itself),
        cmocka_unit_test(inputs_that_are_no_sequences_are_refused),
        cmocka_unit_test(bits_do_not_depend_on_threads),
        cmocka_unit_test(memory_and_work_grow_linearly_in_time),
        cmocka_unit_test(the_gradient_by_gates_is_found_by_its_layer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
