/* Layers on tokens and sequences: shapes, parameters, first weights, what they refuse, and where NaN goes. */
#include "support_test.h"

#include <math.h>
#include <string.h>

#include "autograd/ops.h"
#include "autograd/plan.h"
#include "nn/model.h"
#include "train/data_check.h"

typedef struct Fixture {
    Arena *arena;
    Error *err;
} Fixture;

static int set_up(void **state)
{
    Arena *arena = arena_new(NULL);
    Fixture *fixture = ARENA_NEW(arena, Fixture);
    *fixture = (Fixture){arena, error_new(arena)};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    arena_free(((Fixture *)*state)->arena);
    return 0;
}

/* A model of these layers, or NULL with an error. */
static Model *read_model(void **state, const char *input, const char *layers)
{
    Fixture *f = *state;
    f->err = error_new(f->arena);
    const char *text = arena_printf(f->arena, "{\"input\": %s, \"layers\": [%s]}", input, layers);
    Json *json = json_read_text(f->arena, "test", text, strlen(text), f->err);
    assert_non_null(json);
    return model_read(f->arena, json, f->err);
}

static Model *model_of(void **state, const char *input, const char *layers)
{
    Model *model = read_model(state, input, layers);
    if (!model)
        fail_msg("%s: %s", layers, error_message(((Fixture *)*state)->err, 0));
    return model;
}

static void assert_refused(void **state, const char *input, const char *layers, const char *words)
{
    assert_null(read_model(state, input, layers));
    const char *message = error_message(((Fixture *)*state)->err, 0);
    if (!strstr(message, words))
        fail_msg("%s says: %s\n  not: %s", layers, message, words);
}

static void assert_parameter(const Model *model, int index, const char *name, Shape shape)
{
    assert_string_equal(model->state[index]->name, name);
    assert_true(shape_equal(model->state[index]->shape, shape));
}

/* The model's output for one sample, in float32. */
static const float *output_of(void **state, Model *model, const float *input)
{
    Fixture *f = *state;
    Graph *graph = graph_new(f->arena);
    ModelNodes nodes = model_build(model, graph, 1, false);
    const Plan *plan = plan_compile(graph, &nodes.output, 1, variant_best(), f->arena, f->err);
    assert_non_null(plan);
    Workspace *workspace = workspace_new(plan, f->arena, f->err);
    memcpy(workspace_value(workspace, nodes.input), input, shape_count(model->input) * sizeof *input);
    plan_run(plan, workspace, NULL);
    return workspace_value(workspace, nodes.output);
}

#define TOKENS "{\"tokens\": 5, \"length\": 4}"

static void shapes_and_names_are_those_of_pytorch(void **state)
{
    Model *model = model_of(state, TOKENS,
                            "{\"type\": \"embedding\", \"dim\": 6}, {\"type\": \"positions\"}, {\"type\": \"attention\", "
                            "\"name\": \"attn\", \"heads\": 2},"
                            "{\"type\": \"transpose\"}");
    assert_parameter(model, 0, "embedding1.weight", SHAPE(5, 6));
    assert_parameter(model, 1, "positions1.weight", SHAPE(4, 6));
    assert_parameter(model, 2, "attn.in_proj_weight", SHAPE(18, 6));
    assert_parameter(model, 3, "attn.in_proj_bias", SHAPE(18));
    assert_parameter(model, 4, "attn.out_proj.weight", SHAPE(6, 6));
    assert_parameter(model, 5, "attn.out_proj.bias", SHAPE(6));
    assert_true(shape_equal(model->output, SHAPE(6, 4)));
    model = model_of(state, "[4, 6]", "{\"type\": \"attention\", \"heads\": 3, \"bias\": false}, {\"type\": \"last\"}");
    assert_int_equal(model->states, 2);
    assert_parameter(model, 1, "attention1.out_proj.weight", SHAPE(6, 6));
    assert_true(shape_equal(model->output, SHAPE(6)));
    assert_true(shape_equal(model_of(state, "[4, 6]", "{\"type\": \"mean\"}")->output, SHAPE(6)));
}

static double root_mean_square(const Parameter *p, size_t first, size_t count, double *largest)
{
    double sum = 0;
    *largest = 0;
    for (size_t i = first; i < first + count; i++) {
        sum += (double)p->data[i] * (double)p->data[i];
        *largest = fmax(*largest, fabs((double)p->data[i]));
    }
    return sqrt(sum / (double)count);
}

static void first_weights_are_those_of_pytorch(void **state)
{
    double largest;
    Model *model =
        model_of(state, "{\"tokens\": 50, \"length\": 40}",
                 "{\"type\": \"embedding\", \"dim\": 64}, {\"type\": \"positions\"}, {\"type\": \"attention\", \"heads\": 2}");
    model_initialise(model, 1);
    assert_near(root_mean_square(model->state[0], 0, 3200, &largest), 1, 0.05);
    assert_near(root_mean_square(model->state[1], 0, 2560, &largest), 1, 0.05);
    root_mean_square(model->state[2], 0, 3 * 64 * 64, &largest);
    assert_near(largest, sqrt(6.0 / (64 + 3 * 64)), 1e-3);
    root_mean_square(model->state[3], 0, 3 * 64, &largest);
    assert_near(largest, 0, 0);
    root_mean_square(model->state[4], 0, 64 * 64, &largest);
    assert_near(largest, 1.0 / 8, 1e-3);
}

static void a_named_init_takes_each_projection_by_itself(void **state)
{
    double largest;
    Model *model = model_of(state, "[4, 16]", "{\"type\": \"attention\", \"heads\": 2, \"init\": \"orthogonal\"}");
    model_initialise(model, 1);
    for (size_t part = 0; part < 3; part++)
        assert_near(root_mean_square(model->state[0], part * 256, 256, &largest), 0.25, 1e-6);
    model = model_of(state, "[4, 64]", "{\"type\": \"attention\", \"heads\": 2, \"init\": \"xavier_uniform\"}");
    model_initialise(model, 1);
    root_mean_square(model->state[0], 0, 3 * 64 * 64, &largest);
    assert_near(largest, sqrt(6.0 / 128), 1e-3);
}

static void mistakes_are_refused_with_their_cause(void **state)
{
    assert_refused(state, "[4, 6]", "{\"type\": \"attention\", \"heads\": 4}", "4 heads cannot share 6 features evenly");
    assert_refused(state, "[4, 6]", "{\"type\": \"attention\", \"heads\": 12}", "12 heads cannot share 6 features evenly");
    assert_refused(state, "[6]", "{\"type\": \"attention\", \"heads\": 1}", "needs samples [position, feature], got [6]");
    assert_refused(state, "[4]", "{\"type\": \"embedding\", \"dim\": 3}", "embedding needs `count`");
    assert_refused(state, TOKENS, "{\"type\": \"embedding\", \"dim\": 3, \"count\": 4}",
                   "has 5 tokens, the embedding knows only 4");
    assert_refused(state, TOKENS, "{\"type\": \"positions\"}", "positions needs samples [position, feature], got [4]");
    assert_refused(state, "[4]", "{\"type\": \"transpose\"}", "transpose needs samples");
    assert_refused(state, "[4]", "{\"type\": \"mean\"}", "mean needs samples");
    assert_refused(state, "[4]", "{\"type\": \"last\"}", "last needs samples");
}

static void sequences_are_transposed_averaged_and_cut(void **state)
{
    const float input[] = {1, 2, 3, 4, 5, 6};
    assert_memory_equal(output_of(state, model_of(state, "[3, 2]", "{\"type\": \"transpose\"}"), input),
                        ((float[]){1, 3, 5, 2, 4, 6}), 24);
    assert_memory_equal(output_of(state, model_of(state, "[3, 2]", "{\"type\": \"mean\"}"), input), ((float[]){3, 4}), 8);
    assert_memory_equal(output_of(state, model_of(state, "[3, 2]", "{\"type\": \"last\"}"), input), ((float[]){5, 6}), 8);
}

static void an_embedding_reads_nan_for_what_is_no_token(void **state)
{
    Model *model = model_of(state, "[4]", "{\"type\": \"embedding\", \"dim\": 2, \"count\": 3}");
    assert_int_equal(model->tokens, 3); /* so that the data is checked before training */
    model_initialise(model, 1);
    const float *weight = model->state[0]->data, *y = output_of(state, model, (float[]){2, 3, -1, 0.5f});
    assert_memory_equal(y, weight + 4, 8);
    for (int i = 2; i < 8; i++)
        assert_true(isnan(y[i]));
}

enum { ATTENTION_LENGTH = 70, ATTENTION_WIDTH = 32, ATTENTION_PLACE = 35 };

/* Positions of part 0, 1 or 2 of [length, 3 width] that hold a NaN. */
static int nan_positions(const float *x, int parts, int part, int *first)
{
    int count = 0;
    *first = -1;
    for (int i = 0; i < ATTENTION_LENGTH; i++) {
        bool has_nan = false;
        for (int d = 0; d < ATTENTION_WIDTH; d++)
            has_nan |= isnan(x[(i * parts + part) * ATTENTION_WIDTH + d]);
        *first = has_nan && !count ? i : *first;
        count += has_nan;
    }
    return count;
}

/* One NaN in a query, a key or a value at position 35 of 70; expected numbers are those of torch 2's
 * scaled_dot_product_attention. */
static void a_nan_goes_through_causal_attention_as_in_pytorch(void **state)
{
    static const int rows[3] = {1, 35, 70}, first_row[3] = {35, 35, 0};
    static const int gradients[3][3] = {{1, 70, 36}, {70, 70, 70}, {70, 70, 0}};
    Fixture *f = *state;
    for (int which = 0; which < 3; which++) {
        Graph *graph = graph_new(f->arena);
        Node *qkv = graph_input(graph, "qkv", SHAPE(1, ATTENTION_LENGTH, 3 * ATTENTION_WIDTH)), *gradient;
        Node *y = op_attention(qkv, 1, true);
        Node *dy = graph_input(graph, "dy", y->shape);
        graph_gradient(op_sum(op_mul(y, dy)), NULL, &qkv, 1, NULL, 0, &gradient);
        const Plan *plan = plan_compile(graph, (Node *const[]){y, gradient}, 2, variant_best(), f->arena, f->err);
        Workspace *w = workspace_new(plan, f->arena, f->err);
        float *x = workspace_value(w, qkv), *delta = workspace_value(w, dy);
        for (int i = 0; i < ATTENTION_LENGTH * 3 * ATTENTION_WIDTH; i++)
            x[i] = (float)(i % 13) / 13;
        for (int i = 0; i < ATTENTION_LENGTH * ATTENTION_WIDTH; i++)
            delta[i] = (float)(i % 11) / 11;
        x[(ATTENTION_PLACE * 3 + which) * ATTENTION_WIDTH] = NAN;
        plan_run(plan, w, NULL);
        int first;
        assert_int_equal(nan_positions(workspace_value(w, y), 1, 0, &first), rows[which]);
        assert_int_equal(first, first_row[which]);
        for (int part = 0; part < 3; part++)
            assert_int_equal(nan_positions(workspace_value(w, gradient), 3, part, &first), gradients[which][part]);
    }
}

static void a_position_of_a_causal_attention_depends_on_none_after_it(void **state)
{
    enum { LENGTH = 70, WIDTH = 8 };
    Model *model = model_of(state, "[70, 8]", "{\"type\": \"attention\", \"heads\": 2}");
    model_initialise(model, 1);
    float input[LENGTH * WIDTH], first[LENGTH * WIDTH];
    for (int i = 0; i < LENGTH * WIDTH; i++)
        input[i] = (float)((i * 37) % 11) / 11 - 0.5f;
    memcpy(first, output_of(state, model, input), sizeof first);
    for (int i = 50 * WIDTH; i < LENGTH * WIDTH; i++)
        input[i] += 1;
    const float *second = output_of(state, model, input);
    assert_memory_equal(first, second, 50 * WIDTH * sizeof *first);
    assert_true(memcmp(first + 50 * WIDTH, second + 50 * WIDTH, 20 * WIDTH * sizeof *first) != 0);
}

static void values_that_are_no_tokens_or_classes_are_named(void **state)
{
    Fixture *f = *state;
    Dataset data = {.samples = 2,
                    .input = SHAPE(3),
                    .target = SHAPE(3),
                    .inputs = (float[]){0, 1, 2, 3, 4, 5},
                    .targets = (float[]){0, -100, 2, -1, 4, 3}};
    assert_true(data_check_tokens(&data, "training", 6, NULL, f->err));
    assert_true(data_check_classes(&data, "training", 5, NULL, f->err));
    assert_false(data_check_tokens(&data, "training", 4, NULL, f->err));
    assert_non_null(strstr(error_message(f->err, 0), "input 1 of training sample 1 is 4"));
    assert_false(data_check_classes(&data, "validation", 4, NULL, f->err));
    assert_non_null(strstr(error_message(f->err, 1), "target 1 of validation sample 1 is 4"));
    data.targets[0] = NAN;
    data.inputs[0] = 0.5f;
    assert_false(data_check_tokens(&data, "training", 6, NULL, f->err));
    assert_false(data_check_classes(&data, "training", 6, NULL, f->err));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(shapes_and_names_are_those_of_pytorch),
        TEST(first_weights_are_those_of_pytorch),
        TEST(a_named_init_takes_each_projection_by_itself),
        TEST(mistakes_are_refused_with_their_cause),
        TEST(sequences_are_transposed_averaged_and_cut),
        TEST(an_embedding_reads_nan_for_what_is_no_token),
        TEST(a_nan_goes_through_causal_attention_as_in_pytorch),
        TEST(a_position_of_a_causal_attention_depends_on_none_after_it),
        TEST(values_that_are_no_tokens_or_classes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
