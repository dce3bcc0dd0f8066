/* Mean-field theory against its published numbers, and predictions against what a probe of the model measures. */
#include "support_test.h"

#include <math.h>
#include <string.h>

#include "diagnose/mean_field.h"
#include "diagnose/prediction.h"
#include "diagnose/probe.h"
#include "monitor/run_line.h"
#include "support_run.h"

/* The fixed point q* of q = sigma_w^2 E[tanh(sqrt(q) z)^2] + sigma_b^2, and chi_1 there. */
static double tanh_chi(double weight_variance, double bias_variance)
{
    const MeanFieldFunction *f = mean_field_function("tanh");
    double q = 1;
    for (int i = 0; i < 2000; i++)
        q = weight_variance * mean_field_moments(f, 0, 0, sqrt(q), 1).square + bias_variance;
    return weight_variance * mean_field_moments(f, 0, 0, sqrt(q), 1).slope_2;
}

static void tanh_has_the_phases_of_schoenholz(void **state)
{
    (void)state;
    static const double table[][2] = {{1.0, 0.7590}, {1.3, 0.8802}, {1.5, 0.9386}, {2.0, 1.0477}, {2.5, 1.1335}, {4.0, 1.3424}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_near(tanh_chi(table[i][0], 0.05), table[i][1], 5e-5);
    assert_near(tanh_chi(1.7603, 0.05), 1, 2e-4);
}

static void moments_have_their_closed_forms(void **state)
{
    (void)state;
    MeanFieldMoments m = mean_field_moments(mean_field_function(""), 0, 0.5, 2, 1);
    assert_near(m.mean, 0.5, 1e-12);
    assert_near(m.square, 4.25, 1e-11);
    assert_near(m.slope_2, 1, 1e-12);
    m = mean_field_moments(mean_field_function("relu"), 0, 0, 3, 1);
    assert_near(m.mean, 3 / sqrt(2 * M_PI), 1e-11);
    assert_near(m.square, 4.5, 1e-10);
    assert_near(m.slope_2, 0.5, 1e-12);
    assert_near(m.slope_4, 0.5, 1e-12);
    m = mean_field_moments(mean_field_function("relu"), 0, 1, 1, 1); /* Phi(1) */
    assert_near(m.slope_2, 0.841344746068543, 1e-11);
    m = mean_field_moments(mean_field_function("leaky_relu"), 0.2, 0, 1e-200, 1);
    assert_near(m.slope_2, 0.52, 1e-11);
    m = mean_field_moments(mean_field_function("hardtanh"), 0, 0, 0.5, 1); /* 2 Phi(2) - 1 */
    assert_near(m.slope_2, 0.954499736103642, 1e-11);
    m = mean_field_moments(mean_field_function("selu"), 0, 0, 1, 1); /* Klambauer et al. 2017: a fixed point */
    assert_near(m.mean, 0, 1e-9);
    assert_near(m.square, 1, 1e-9);
    m = mean_field_moments(mean_field_function("sigmoid"), 0, 0, 1e4, 1); /* a step */
    assert_near(m.mean, 0.5, 1e-12);
    assert_near(m.square, 0.5, 1e-3);
}

static void the_largest_of_several_has_its_order_statistics(void **state)
{
    (void)state;
    MeanFieldMoments m = mean_field_moments(mean_field_function(""), 0, 0, 1, 2);
    assert_near(m.mean, 1 / sqrt(M_PI), 1e-11);
    assert_near(m.square, 1, 1e-11);
    m = mean_field_moments(mean_field_function("relu"), 0, 0, 1, 4); /* dead only where all four are */
    assert_near(m.slope_2, 15.0 / 16, 1e-11);
}

/* Cho & Saul 2009, "Kernel methods for deep learning", equation 6. */
static void products_of_relu_are_the_arc_cosine_kernel(void **state)
{
    (void)state;
    for (double c = 0; c <= 1; c += 0.125) {
        double expected = 4 * (sqrt(1 - c * c) + c * (M_PI - acos(c))) / (2 * M_PI);
        assert_near(mean_field_product(mean_field_function("relu"), 0, 0, 2, c), expected, 1e-6);
    }
}

/* Glorot & Bengio 2010: tanh of inputs with variance 1, weights U(+-1/sqrt n) and U(+-sqrt(3/n)), layer by layer. */
static void activations_shrink_as_glorot_saw(void **state)
{
    (void)state;
    static const double weight_variance[2] = {1.0 / 3, 1};
    static const double expected[2][5] = {{0.460, 0.250, 0.141, 0.081, 0.047}, {0.628, 0, 0, 0, 0.322}};
    for (int kind = 0; kind < 2; kind++) {
        double square = 1;
        for (int layer = 0; layer < 5; layer++) {
            square = mean_field_moments(mean_field_function("tanh"), 0, 0, sqrt(weight_variance[kind] * square), 1).square;
            if (expected[kind][layer] > 0)
                assert_near(sqrt(square), expected[kind][layer], 0.002);
        }
    }
}

static const Prediction *prediction_of(Bench *bench, const char *path, const char *const *sets, Config **config)
{
    int count = 0;
    while (sets && sets[count])
        count++;
    *config = config_read(bench->arena, path, sets, count, bench->err);
    assert_string_equal(error_message(bench->err, 0), "");
    return prediction_new(bench->arena, *config);
}

static double measured_flow(const Probe *probe, const char *name)
{
    for (int i = 0; i < probe->layers; i++)
        if (!strcmp(probe->layer[i].name, name))
            return probe->layer[i].flow;
    return NAN;
}

/* Of the first hidden layer over the last, as measured on samples. */
static double measured_ratio(Bench *bench, const Config *config, const Prediction *p, int64_t samples)
{
    const Probe *probe = probe_new(bench->arena, config, samples, NULL, bench->err);
    assert_non_null(probe);
    return measured_flow(probe, p->layer[p->first].name) / measured_flow(probe, p->layer[p->last].name);
}

/* He et al. 2015, section 2.2: half of the variance is lost in each layer. The tensors' own variance is taken, and it differs
 * from that of their distribution by up to some per cent over all layers. */
static void xavier_starves_a_deep_relu_net(void **state)
{
    Bench *bench = *state;
    static const int depth[] = {10, 22, 30};
    for (int i = 0; i < 3; i++) {
        Config *config;
        const Prediction *p =
            prediction_of(bench, arena_printf(bench->arena, "configs/xavier-%d.json", depth[i]), NULL, &config);
        assert_true(p->is_supported);
        assert_int_equal(p->layers, depth[i] + 1);
        assert_string_equal(p->layer[p->first].name, "blocks.0.linear1");
        const double theory = pow(0.5, (depth[i] - 1) / 2.0);
        assert_near(p->flow_ratio / theory, 1, 0.05);
        assert_near(p->chi_mean, 0.5, 0.01);
        assert_near(p->depth_scale, 1 / log(2), 0.05);
        assert_near(p->beta, depth[i] / 256.0, 1e-12);
        assert_near(p->log_variance, 5 * p->beta, 1e-9);
        /* Three deviations of the logarithm of a norm, which is half that of its square. */
        assert_near(log(measured_ratio(bench, config, p, 64) / p->flow_ratio), 0, 1.5 * sqrt(p->log_variance));
    }
}

static void he_keeps_the_flow(void **state)
{
    Bench *bench = *state;
    Config *config;
    const Prediction *p = prediction_of(bench, "configs/xavier-30.json",
                                        SETS("model.init={\"type\": \"kaiming_normal\", \"nonlinearity\": \"relu\"}"), &config);
    assert_near(p->flow_ratio, 1, 0.05);
    assert_near(p->chi_mean, 1, 0.01);
    assert_true(p->depth_scale > 100);
}

#define DEEP(depth, width, init, activation)                                                                                   \
    "{\"seed\": 1, \"model\": {\"input\": [" #width "], \"init\": " init                                                       \
    ", \"layers\": [{\"type\": \"repeat\", \"name\": \"b\","                                                                   \
    "\"times\": " #depth ", \"layers\": [{\"type\": \"linear\", \"out\": " #width ", \"bias_init\": \"zeros\"}" activation     \
    "]},"                                                                                                                      \
    "{\"type\": \"linear\", \"name\": \"head\", \"out\": 10}]}, \"data\": {\"type\": \"noise\", \"samples\": 64,"              \
    "\"features\": " #width ", \"classes\": 10}, \"loss\": \"cross_entropy\", \"train\": {\"steps\": 1}}"
#define KAIMING(nonlinearity) "{\"type\": \"kaiming_normal\", \"nonlinearity\": \"" nonlinearity "\"}"

/* Hanin 2018; Hanin & Nica 2020: at width n and depth L the logarithm of the squared gradient spreads over initialisations by
 * 5 L / n of relu nets. A single sample shows it: 19 layers lie between the first and the last. */
static void narrow_nets_depend_on_the_seed(void **state)
{
    Bench *bench = *state;
    enum { DRAWS = 120 };
    Config *config;
    const char *path = bench_file(bench, "narrow.json", DEEP(20, 50, KAIMING("relu"), ",{\"type\": \"relu\"}"));
    const Prediction *p = prediction_of(bench, path, NULL, &config);
    assert_near(p->beta, 0.4, 1e-12);
    assert_near(p->log_mean, -1, 1e-9);
    assert_near(p->log_variance, 2, 1e-9);
    double sum = 0, squares = 0;
    for (uint64_t seed = 1; seed <= DRAWS; seed++) {
        Arena *scratch = arena_new(bench->arena);
        model_initialise(config->model, seed);
        Bench inner = {.arena = scratch, .err = bench->err};
        const double log_square = 2 * log(measured_ratio(&inner, config, p, 1));
        sum += log_square;
        squares += log_square * log_square;
        arena_free(scratch);
    }
    const double mean = sum / DRAWS, variance = squares / DRAWS - mean * mean, share = 19.0 / 20;
    assert_near(mean, share * p->log_mean, 4 * sqrt(share * p->log_variance / DRAWS));
    assert_near(variance / (share * p->log_variance), 1, 4 * sqrt(2.0 / DRAWS));
}

/* The fluctuation between a layer and the last hidden one grows by 5 / width a layer; the band is one deviation of a
 * log-normal number whose mean square is 1. */
static void each_layer_has_the_spread_between_it_and_the_last(void **state)
{
    Bench *bench = *state;
    Config *config;
    const Prediction *p = prediction_of(
        bench, bench_file(bench, "spread.json", DEEP(6, 40, KAIMING("relu"), ",{\"type\": \"relu\"}")), NULL, &config);
    assert_int_equal(p->last, 5);
    for (int i = 0; i < 6; i++) {
        const PredictedLayer *layer = &p->layer[i];
        const double v = 5.0 * (5 - i) / 40;
        assert_near(layer->log_variance, v, 1e-12);
        assert_near(log(prediction_high(layer) / prediction_low(layer)), sqrt(v), 1e-12);
        assert_near(log(prediction_high(layer) * prediction_low(layer) / (layer->flow * layer->flow)), -v / 2, 1e-12);
    }
    assert_near(p->layer[6].log_variance, 0, 0);
}

static void measured_flows_are_relative_to_the_last_hidden_layer(void **state)
{
    Bench *bench = *state;
    Config *config;
    const Prediction *p = prediction_of(
        bench, bench_file(bench, "few.json", DEEP(4, 8, KAIMING("relu"), ",{\"type\": \"relu\"}")), NULL, &config);
    static const char *const names[] = {"relu", "b.3.linear1", "b.0.linear1", "b.1.linear1", "head"};
    double rms[] = {9, 2, 0.5, NAN, 7};
    const MeasuredFlow measured = {.step = 1, .layers = 5, .name = names, .rms = rms};
    assert_string_equal(p->layer[p->last].name, "b.3.linear1");
    assert_near(prediction_measured(p, 0, &measured), 0.25, 0);
    assert_true(isnan(prediction_measured(p, 1, &measured)) && !run_is_missing(prediction_measured(p, 1, &measured)));
    assert_true(run_is_missing(prediction_measured(p, 2, &measured))); /* not measured */
    assert_true(run_is_missing(prediction_measured(p, 4, &measured))); /* the output layer */
    rms[1] = 0;
    rms[2] = 0;
    assert_near(prediction_measured(p, 0, &measured), 0, 0);
    rms[2] = 1;
    assert_true(isinf(prediction_measured(p, 0, &measured)));
    rms[1] = run_missing();
    assert_true(run_is_missing(prediction_measured(p, 0, &measured)));
}

static void linear_nets_spread_less(void **state)
{
    Bench *bench = *state;
    Config *config;
    const Prediction *p =
        prediction_of(bench, bench_file(bench, "linear.json", DEEP(20, 50, KAIMING("linear"), "")), NULL, &config);
    assert_near(p->log_variance, 2 * p->beta, 1e-12);
    assert_true(isnan(p->chi_mean));
    assert_near(p->layer[3].chi, p->layer[3].weight_variance, 1e-12);
    assert_string_equal(p->layer[3].activation, "");
}

/* Of each activation, that many layers deep, within the spread that theory itself predicts. */
static void the_flow_is_predicted_for_every_activation(void **state)
{
    Bench *bench = *state;
    static const char *const names[] = {"relu", "leaky_relu", "elu",  "selu",     "gelu",
                                        "silu", "sigmoid",    "tanh", "softplus", "hardtanh"};
    const char *path =
        bench_file(bench, "deep.json", DEEP(8, 96, "{\"type\": \"normal\", \"std\": 0.14}", ",{\"type\": \"relu\"}"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        Config *config;
        const char *set = arena_printf(bench->arena, "model.layers[0].layers[1].type=\"%s\"", names[i]);
        const Prediction *p = prediction_of(bench, path, SETS(set), &config);
        assert_string_equal(p->layer[0].activation, names[i]);
        assert_near(p->layer[0].q / p->layer[0].weight_variance, 1, 0.05); /* of noise with variance 1 */
        assert_near(log(measured_ratio(bench, config, p, 64) / p->flow_ratio), 0, 1.5 * sqrt(p->log_variance));
    }
}

/* Yang et al. 2019: the squared gradient grows by pi / (pi - 1) a layer. */
static void batch_normalisation_of_relu_explodes(void **state)
{
    Bench *bench = *state;
    Config *config;
    const char *path =
        bench_file(bench, "norm.json", DEEP(12, 128, KAIMING("relu"), ",{\"type\": \"batchnorm\"}, {\"type\": \"relu\"}"));
    const Prediction *p = prediction_of(bench, path, SETS("train.batch_size=64"), &config);
    for (int i = 1; i < p->layers - 1; i++) {
        assert_near(p->layer[i].chi, M_PI / (M_PI - 1), 0.01);
        assert_true(p->layer[i].is_normalised);
        assert_near(p->layer[i].born_dead, 0, 0);
    }
    /* Before its norm the first layer has variance 2, the others 2 (1/2 - 1/(2 pi)), which divides their gradient. */
    assert_near(p->flow_ratio / (pow(M_PI / (M_PI - 1), 11.0 / 2) * sqrt((1 - 1 / M_PI) / 2)), 1, 0.05);
    assert_near(log(measured_ratio(bench, config, p, 64) / p->flow_ratio), 0, 0.3);
}

/* A branch of layer norm (to variance 1), relu's He layer adds 1 to q and its gradient to the trunk's: q_l = q_0 + l, and the
 * squared gradient of block l's input is (1 + 1 / q_l) times that of its output. */
static void residual_branches_add(void **state)
{
    Bench *bench = *state;
    Config *config;
    const char *path = bench_file(
        bench, "residual.json",
        "{\"seed\": 1, \"model\": {\"input\": [128], \"init\": " KAIMING(
            "relu") ", \"layers\": ["
                    "{\"type\": \"linear\", \"name\": \"stem\", \"out\": 128, \"bias\": false},"
                    "{\"type\": \"repeat\", \"name\": \"b\", \"times\": 6, \"layers\": [{\"type\": \"residual\", \"layers\": ["
                    "{\"type\": \"layernorm\"}, {\"type\": \"relu\"}, {\"type\": \"linear\", \"name\": \"fc\", \"out\": 128, "
                    "\"bias\": false}]}]},"
                    "{\"type\": \"linear\", \"name\": \"last\", \"out\": 128, \"bias\": false}, {\"type\": \"relu\"},"
                    "{\"type\": \"linear\", \"name\": \"head\", \"out\": 10}]}, \"data\": {\"type\": \"noise\", \"samples\": "
                    "64,"
                    "\"features\": 128, \"classes\": 10}, \"loss\": \"cross_entropy\", \"train\": {\"steps\": 1}}");
    const Prediction *p = prediction_of(bench, path, NULL, &config);
    assert_int_equal(p->layers, 9);
    assert_string_equal(p->layer[p->first].name, "stem");
    assert_string_equal(p->layer[p->last].name, "last");
    assert_true(p->layer[1].in_residual && !p->layer[0].in_residual && p->layer[8].is_output);
    assert_near(p->beta, 2.0 / 128, 1e-12);
    assert_near(p->layer[0].log_variance, 2.0 / 128, 1e-12); /* the stem's own: nothing else stands in everybody's way */
    assert_near(p->layer[3].log_variance, 2.0 / 128, 1e-12); /* a branch's own */
    assert_near(p->layer[7].q, 2 * (2 + 6), 0.5); /* He doubles what it is given: 2 of the stem and 1 of each branch */
    double square = 2;                            /* of `last` */
    for (int q = 7; q >= 2; q--)
        square *= 1 + 1.0 / q;
    assert_near(p->flow_ratio / sqrt(square), 1, 0.03);
    assert_near(log(measured_ratio(bench, config, p, 64) / p->flow_ratio), 0, 0.25);
}

/* Convolutions, batch statistics, pooling, shortcuts and a norm by groups, each layer within 60 %; the plain one nearer. */
static void convolution_nets_are_predicted_layer_by_layer(void **state)
{
    Bench *bench = *state;
    static const char *const paths[] = {"configs/cnn-digits.json", "configs/resnet-cifar-shaped.json"};
    for (int i = 0; i < 2; i++) {
        Config *config;
        const Prediction *p = prediction_of(bench, paths[i], NULL, &config);
        const Probe *probe = probe_new(bench->arena, config, 64, NULL, bench->err);
        assert_true(p->is_supported && probe);
        const double last = measured_flow(probe, p->layer[p->last].name);
        for (int k = 0; k < p->layers; k++)
            if (!p->layer[k].is_output)
                assert_near(log(p->layer[k].flow / (measured_flow(probe, p->layer[k].name) / last)), 0, i ? 0.47 : 0.2);
    }
}

/* Fan-in 9 of a 3x3 kernel on one channel; of its 4 x 4 positions, 3 + 3 + 2 + 2 of 12 pairs a row and column are inside. */
static void padding_is_counted(void **state)
{
    Bench *bench = *state;
    Config *config;
    const char *path = bench_file(
        bench, "padded.json",
        "{\"seed\": 1, \"model\": {\"input\": [1, 4, 4], \"layers\": [{\"type\": \"conv2d\", \"name\": \"conv\", \"out\": 64,"
        "\"kernel\": 3, \"padding\": 1, \"bias\": false}, {\"type\": \"tanh\"}, {\"type\": \"flatten\"},"
        "{\"type\": \"linear\", \"name\": \"head\", \"out\": 2}]}, \"data\": {\"type\": \"inline\","
        "\"inputs\": [[[[2, 2, 2, 2], [2, 2, 2, 2], [2, 2, 2, 2], [2, 2, 2, 2]]]], \"targets\": [0]},"
        "\"loss\": \"cross_entropy\", \"train\": {\"steps\": 1}}");
    const Prediction *p = prediction_of(bench, path, NULL, &config);
    assert_near(p->layer[0].fan_in, 9, 0);
    assert_near(p->layer[0].q, 4 * p->layer[0].weight_variance * (10.0 / 12) * (10.0 / 12), 1e-9);
    assert_int_equal(p->layer[0].width, 64);
}

static void narrow_relu_layers_may_be_born_dead(void **state)
{
    Bench *bench = *state;
    Config *config;
    const char *path = bench_file(bench, "dying.json", DEEP(2, 3, KAIMING("relu"), ",{\"type\": \"relu\"}"));
    const Prediction *p = prediction_of(bench, path, NULL, &config);
    assert_near(p->layer[0].born_dead, 0.125, 1e-12);
    assert_near(p->born_dead, 1 - 0.875 * 0.875, 1e-12); /* Lu et al. 2019, theorem 3.2 */
    p = prediction_of(bench, path, SETS("model.layers[0].layers[1].type=\"tanh\""), &config);
    assert_near(p->born_dead, 0, 0);
}

static void what_is_not_covered_says_why(void **state)
{
    Bench *bench = *state;
    Config *config;
    const Prediction *p = prediction_of(bench, "configs/lstm-text.json", NULL, &config);
    assert_false(p->is_supported);
    assert_non_null(strstr(p->reason, "recurrent"));
    assert_true(isnan(p->flow_ratio) && isnan(p->chi_mean));
    p = prediction_of(bench, "configs/transformer-prenorm.json", NULL, &config);
    assert_string_equal(p->reason, "`blocks.0.mix.attn` is attention");
    p = prediction_of(bench, "configs/gan-ring.json", NULL, &config);
    assert_false(p->is_supported);
    p = prediction_of(bench, "configs/huber-function.json", NULL, &config); /* an expression behind the last weights */
    assert_true(p->is_supported);
    p = prediction_of(bench, "configs/xavier-10.json", SETS("model.layers=[{\"type\": \"linear\", \"out\": 10}]"), &config);
    assert_string_equal(p->reason, "it has no hidden layers");
    assert_near(p->beta, 0, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tanh_has_the_phases_of_schoenholz),
        cmocka_unit_test(moments_have_their_closed_forms),
        cmocka_unit_test(the_largest_of_several_has_its_order_statistics),
        cmocka_unit_test(products_of_relu_are_the_arc_cosine_kernel),
        cmocka_unit_test(activations_shrink_as_glorot_saw),
        TEST(xavier_starves_a_deep_relu_net),
        TEST(he_keeps_the_flow),
        TEST(narrow_nets_depend_on_the_seed),
        TEST(each_layer_has_the_spread_between_it_and_the_last),
        TEST(measured_flows_are_relative_to_the_last_hidden_layer),
        TEST(linear_nets_spread_less),
        TEST(the_flow_is_predicted_for_every_activation),
        TEST(batch_normalisation_of_relu_explodes),
        TEST(residual_branches_add),
        TEST(convolution_nets_are_predicted_layer_by_layer),
        TEST(padding_is_counted),
        TEST(narrow_relu_layers_may_be_born_dead),
        TEST(what_is_not_covered_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
