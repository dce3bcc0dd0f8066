/* Convolution and pooling against their definitions, in every variant; and what models that do not fit are told. */
#include "support_test.h"

#include <math.h>
#include <string.h>

#include "autograd/ops.h"
#include "autograd/plan.h"
#include "base/random.h"
#include "nn/model.h"

typedef struct Geometry {
    int batch, channels, height, width, outputs;
    Window window;
} Geometry;

static const Geometry geometries[] = {
    {3, 3, 32, 32, 16, {{3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 1}},
    {2, 16, 14, 14, 33, {{3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 1}},
    {5, 12, 8, 8, 11, {{3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 1}},
    {2, 8, 17, 33, 9, {{3, 3}, {2, 2}, {1, 1}, {1, 1}, {1, 1}, 1}},
    {2, 8, 16, 16, 8, {{1, 1}, {2, 2}, {0, 0}, {0, 0}, {1, 1}, 1}},
    {2, 4, 11, 13, 6, {{5, 2}, {3, 2}, {4, 0}, {4, 0}, {2, 3}, 2}},
    {2, 6, 9, 40, 6, {{3, 4}, {1, 1}, {1, 1}, {1, 2}, {1, 1}, 6}},
    {1, 1, 28, 28, 16, {{28, 28}, {1, 1}, {0, 0}, {0, 0}, {1, 1}, 1}},
    {1, 48, 70, 50, 10, {{3, 3}, {1, 1}, {2, 2}, {2, 2}, {2, 2}, 1}}, /* several strips */
    {70, 2, 3, 2, 5, {{2, 2}, {1, 1}, {1, 1}, {0, 0}, {1, 1}, 1}},
    {2, 3, 20, 20, 4, {{1, 7}, {4, 1}, {0, 0}, {0, 9}, {1, 1}, 1}},
};
enum { GEOMETRIES = sizeof geometries / sizeof *geometries };

/* y, dx and dw of one geometry, as a plan computes them. */
typedef struct Results {
    size_t count[3];
    double *value[3];
} Results;

static double number_at(const Geometry *g, int which, size_t i)
{
    Random random = random_stream((uint64_t)(g - geometries) + 1, RANDOM_PROBE, (uint64_t)which);
    return 2 * random_uniform(&random, i) - 1;
}

static void fill(const Workspace *w, const Node *x, Variant variant, const Geometry *g, int which)
{
    void *at = workspace_value(w, x);
    for (size_t i = 0; i < shape_count(x->shape); i++) {
        float value = (float)number_at(g, which, i);
        if (variant == VARIANT_F64)
            ((double *)at)[i] = (double)value;
        else
            ((float *)at)[i] = value;
    }
}

static Results compute(const Geometry *g, Variant variant, int threads, Arena *arena)
{
    Error *err = error_new(arena);
    Graph *graph = graph_new(arena);
    const Window *window = &g->window;
    Node *x = graph_input(graph, "x", SHAPE(g->batch, g->channels, g->height, g->width));
    Node *weight =
        graph_input(graph, "w", SHAPE(g->outputs, g->channels / window->groups, window->kernel[0], window->kernel[1]));
    Node *bias = graph_input(graph, "b", SHAPE(g->outputs));
    Node *y = op_conv2d(x, weight, bias, window);
    Node *dy = graph_input(graph, "dy", y->shape);
    Node *roots[3] = {y, op_conv2d_input_gradient(dy, weight, window, x->shape),
                      op_conv2d_weight_gradient(x, dy, window, weight->shape)};
    const Plan *plan = plan_compile(graph, roots, 3, variant, arena, err);
    assert_non_null(plan);
    Workspace *w = workspace_new(plan, arena, err);
    Node *const inputs[] = {x, weight, bias, dy};
    for (int i = 0; i < 4; i++)
        fill(w, inputs[i], variant, g, i);
    plan_run(plan, w, threads > 1 ? threads_new(arena, threads, err) : NULL);
    Results r;
    for (int i = 0; i < 3; i++) {
        r.count[i] = shape_count(roots[i]->shape);
        r.value[i] = ARENA_ARRAY(arena, double, r.count[i]);
        for (size_t k = 0; k < r.count[i]; k++)
            r.value[i][k] = variant == VARIANT_F64 ? ((double *)workspace_value(w, roots[i]))[k]
                                                   : (double)((float *)workspace_value(w, roots[i]))[k];
    }
    return r;
}

/* The definition: every product of a pixel, a weight and an output position. */
static Results define(const Geometry *g, Arena *arena)
{
    const Window *w = &g->window;
    int rows = window_outputs(w, 0, g->height), columns = window_outputs(w, 1, g->width);
    int in = g->channels / w->groups, out = g->outputs / w->groups;
    Results r = {.count = {(size_t)(g->batch * g->outputs * rows * columns),
                           (size_t)(g->batch * g->channels * g->height * g->width),
                           (size_t)(g->outputs * in * w->kernel[0] * w->kernel[1])}};
    for (int i = 0; i < 3; i++)
        r.value[i] = ARENA_ARRAY(arena, double, r.count[i]);
    double *weights = ARENA_ARRAY(arena, double, r.count[2]);
    for (size_t i = 0; i < r.count[2]; i++)
        weights[i] = (double)(float)number_at(g, 1, i);
    double *pixels = ARENA_ARRAY(arena, double, r.count[1]), *deltas = ARENA_ARRAY(arena, double, r.count[0]);
    for (size_t i = 0; i < r.count[1]; i++)
        pixels[i] = (double)(float)number_at(g, 0, i);
    for (size_t i = 0; i < r.count[0]; i++) {
        deltas[i] = (double)(float)number_at(g, 3, i);
        r.value[0][i] = (double)(float)number_at(g, 2, i / (size_t)(rows * columns) % (size_t)g->outputs);
    }
    for (int n = 0; n < g->batch; n++)
        for (int o = 0; o < g->outputs; o++)
            for (int i = 0; i < rows; i++)
                for (int j = 0; j < columns; j++)
                    for (int c = 0; c < in; c++)
                        for (int s = 0; s < w->kernel[0]; s++)
                            for (int t = 0; t < w->kernel[1]; t++) {
                                int y = i * w->stride[0] + s * w->dilation[0] - w->before[0];
                                int x = j * w->stride[1] + t * w->dilation[1] - w->before[1];
                                if (y < 0 || y >= g->height || x < 0 || x >= g->width)
                                    continue;
                                int to = ((n * g->outputs + o) * rows + i) * columns + j;
                                int from = ((n * g->channels + o / out * in + c) * g->height + y) * g->width + x;
                                int tap = ((o * in + c) * w->kernel[0] + s) * w->kernel[1] + t;
                                r.value[0][to] += pixels[from] * weights[tap];
                                r.value[1][from] += deltas[to] * weights[tap];
                                r.value[2][tap] += deltas[to] * pixels[from];
                            }
    return r;
}

static void convolution_and_its_gradients_are_what_they_are_defined_to_be(void **state)
{
    (void)state;
    static const char *const names[] = {"value", "input gradient", "weight gradient"};
    for (int k = 0; k < GEOMETRIES; k++) {
        Arena *arena = arena_new(NULL);
        Results exact = define(&geometries[k], arena);
        for (int v = 0; v < VARIANT_COUNT; v++) {
            if (!variant_is_supported((Variant)v))
                continue;
            Results r = compute(&geometries[k], (Variant)v, 1, arena);
            for (int i = 0; i < 3; i++) {
                double scale = 0, worst = 0;
                assert_int_equal(r.count[i], exact.count[i]);
                for (size_t j = 0; j < r.count[i]; j++) {
                    scale = fmax(scale, fabs(exact.value[i][j]));
                    worst = fmax(worst, fabs(r.value[i][j] - exact.value[i][j]));
                }
                if (!(worst <= (v == VARIANT_F64 ? 1e-13 : 3e-6) * scale))
                    fail_msg("geometry %d, %s, %s: off by %g of %g", k, variant_name((Variant)v), names[i], worst, scale);
            }
        }
        arena_free(arena);
    }
}

static void the_bits_do_not_depend_on_the_number_of_threads(void **state)
{
    (void)state;
    for (int k = 0; k < GEOMETRIES; k++) {
        Arena *arena = arena_new(NULL);
        Results one = compute(&geometries[k], variant_best(), 1, arena);
        for (int threads = 2; threads < 5; threads++) {
            Results many = compute(&geometries[k], variant_best(), threads, arena);
            for (int i = 0; i < 3; i++)
                assert_memory_equal(one.value[i], many.value[i], one.count[i] * sizeof(double));
        }
        arena_free(arena);
    }
}

/* Runs y for one input in float32. */
static const float *run(Graph *graph, Node *x, const float *values, Node *y, Arena *arena)
{
    Error *err = error_new(arena);
    const Plan *plan = plan_compile(graph, &y, 1, variant_best(), arena, err);
    assert_non_null(plan);
    Workspace *w = workspace_new(plan, arena, err);
    memcpy(workspace_value(w, x), values, shape_count(x->shape) * sizeof(float));
    plan_run(plan, w, NULL);
    return workspace_value(w, y);
}

static void the_first_maximum_wins_and_nan_beats_all(void **state)
{
    (void)state;
    Arena *arena = arena_new(NULL);
    const Window halving = {{2, 2}, {2, 2}, {0, 0}, {0, 0}, {1, 1}, 1};
    /* Nine windows in a row, so that whole vectors and the rest behind them are seen. */
    float upper[18] = {1, 1, 2, 1, 0, NAN, 3, 0, 5, 5, 0, 0, -1, -2, NAN, 1, 7, 8}, x[36];
    float lower[18] = {1, 1, 2, 3, 9, 0, 3, 3, NAN, 5, 0, 1, -1, -1, 2, NAN, 8, 7};
    memcpy(x, upper, sizeof upper);
    memcpy(x + 18, lower, sizeof lower);
    int winner[9] = {0, 21, 5, 6, 26, 29, 12, 33, 17};
    Graph *graph = graph_new(arena);
    Node *input = graph_input(graph, "x", SHAPE(1, 1, 2, 18)), *grad = NULL;
    Node *y = op_maxpool2d(input, &halving);
    graph_gradient(op_sum(y), NULL, &input, 1, NULL, 0, &grad);
    const float *value = run(graph, input, x, y, arena), *dx = run(graph, input, x, grad, arena);
    for (int i = 0; i < 9; i++)
        assert_true(value[i] == x[winner[i]] || (isnan(value[i]) && isnan(x[winner[i]])));
    for (int i = 0; i < 36; i++) {
        bool wins = false;
        for (int k = 0; k < 9; k++)
            wins |= winner[k] == i;
        assert_near(dx[i], wins, 0);
    }
    arena_free(arena);
}

static void padding_never_wins_a_maximum_but_counts_in_a_mean(void **state)
{
    (void)state;
    Arena *arena = arena_new(NULL);
    const Window window = {{2, 2}, {2, 2}, {1, 1}, {1, 1}, {1, 1}, 1};
    const float x[4] = {-1, -2, -3, -4};
    Graph *graph = graph_new(arena);
    Node *input = graph_input(graph, "x", SHAPE(1, 1, 2, 2));
    const float *top = run(graph, input, x, op_maxpool2d(input, &window), arena);
    const float *mean = run(graph, input, x, op_avgpool2d(input, &window), arena);
    for (int i = 0; i < 4; i++) {
        assert_near(top[i], x[i], 0);
        assert_near(mean[i], x[i] / 4, 0);
    }
    arena_free(arena);
}

static Model *read_model(Arena *arena, const char *input, const char *layer, Error *err)
{
    const char *text = arena_printf(arena, "{\"input\": %s, \"layers\": [%s]}", input, layer);
    Json *json = json_read_text(arena, "test", text, strlen(text), err);
    assert_non_null(json);
    return model_read(arena, json, err);
}

static void shapes_are_pytorchs(void **state)
{
    (void)state;
    static const struct {
        const char *input, *layer, *output;
    } cases[] = {
        {"[3, 32, 32]", "{\"type\": \"conv2d\", \"out\": 8, \"kernel\": 3}", "[8, 30, 30]"},
        {"[3, 32, 32]", "{\"type\": \"conv2d\", \"out\": 8, \"kernel\": [3, 4], \"padding\": \"same\"}", "[8, 32, 32]"},
        {"[4, 9, 10]",
         "{\"type\": \"conv2d\", \"out\": 6, \"kernel\": [3, 2], \"stride\": [2, 3], \"padding\": [1, 0], \"groups\": 2}",
         "[6, 5, 3]"},
        {"[2, 7, 7]", "{\"type\": \"maxpool2d\", \"kernel\": 2}", "[2, 3, 3]"},
        {"[2, 7, 7]", "{\"type\": \"avgpool2d\", \"kernel\": 3, \"stride\": 1, \"padding\": 1}", "[2, 7, 7]"},
        {"[5, 7, 7]", "{\"type\": \"globalavgpool2d\"}", "[5]"},
        {"[6]", "{\"type\": \"groupnorm\", \"groups\": 3}", "[6]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arena *arena = arena_new(NULL);
        Error *err = error_new(arena);
        const Model *model = read_model(arena, cases[i].input, cases[i].layer, err);
        if (!model)
            fail_msg("%s: %s", cases[i].layer, error_message(err, 0));
        assert_string_equal(shape_text(arena, model->output), cases[i].output);
        arena_free(arena);
    }
}

static void layers_that_do_not_fit_are_told_why(void **state)
{
    (void)state;
    static const struct {
        const char *input, *layer, *words;
    } cases[] = {
        {"[3, 4, 9]", "{\"type\": \"conv2d\", \"out\": 8, \"kernel\": 7, \"padding\": 1}",
         "a kernel 7 high is larger than its input"},
        {"[3, 9, 4]", "{\"type\": \"conv2d\", \"out\": 8, \"kernel\": 3, \"dilation\": 2}", "a kernel 5 wide is larger"},
        {"[3, 8, 8]", "{\"type\": \"conv2d\", \"out\": 8, \"kernel\": 3, \"groups\": 2}",
         "2 groups do not divide its 3 input channels"},
        {"[4, 8, 8]", "{\"type\": \"conv2d\", \"out\": 6, \"kernel\": 3, \"groups\": 4}",
         "4 groups do not divide its 6 output channels"},
        {"[4, 8, 8]", "{\"type\": \"conv2d\", \"out\": 6, \"kernel\": 3, \"stride\": 2, \"padding\": \"same\"}",
         "needs a stride of 1"},
        {"[4, 8, 8]", "{\"type\": \"conv2d\", \"out\": 6, \"kernel\": [3]}", "kernel"},
        {"[4, 8, 8]", "{\"type\": \"conv2d\", \"out\": 6, \"kernel\": 3, \"stride\": 0}", "stride"},
        {"[4, 8, 8]", "{\"type\": \"conv2d\", \"out\": 6, \"kernel\": 3, \"padding\": -1}", "padding"},
        {"[4, 8, 8]", "{\"type\": \"conv2d\", \"out\": 6, \"kernel\": 3, \"padding\": \"valid\"}", "padding"},
        {"[8]", "{\"type\": \"conv2d\", \"out\": 6, \"kernel\": 3}", "takes images [channels, height, width], not [8]"},
        {"[8, 2]", "{\"type\": \"globalavgpool2d\"}", "takes images"},
        {"[4, 8, 8]", "{\"type\": \"maxpool2d\", \"kernel\": 2, \"padding\": 2}",
         "a padding of 2 is more than half its kernel of 2"},
        {"[4, 8, 8]", "{\"type\": \"maxpool2d\", \"kernel\": 2, \"padding\": \"same\"}", "padding"},
        {"[4, 8, 8]", "{\"type\": \"groupnorm\", \"groups\": 3}", "3 groups do not divide its 4 channels"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Arena *arena = arena_new(NULL);
        Error *err = error_new(arena);
        assert_null(read_model(arena, cases[i].input, cases[i].layer, err));
        if (!strstr(error_message(err, 0), cases[i].words))
            fail_msg("%s\n  says: %s\n  not: %s", cases[i].layer, error_message(err, 0), cases[i].words);
        arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolution_and_its_gradients_are_what_they_are_defined_to_be),
        cmocka_unit_test(the_bits_do_not_depend_on_the_number_of_threads),
        cmocka_unit_test(the_first_maximum_wins_and_nan_beats_all),
        cmocka_unit_test(padding_never_wins_a_maximum_but_counts_in_a_mean),
        cmocka_unit_test(shapes_are_pytorchs),
        cmocka_unit_test(layers_that_do_not_fit_are_told_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
