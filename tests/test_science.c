/* Experiments whose outcome is known from theory: gradtool trains them and has to measure it. The larger ones, and those that
 * need many draws, are in tools/science. */
#include "support_test.h"

#include <math.h>
#include <string.h>

#include "diagnose/prediction.h"
#include "support_run.h"

enum { LAYER_LIMIT = 64 };

/* A statistic of the layers of one type in "blocks", from the bottom. */
typedef struct Profile {
    double value[LAYER_LIMIT];
    int layers;
} Profile;

static Profile profile_of(Bench *bench, const Training *training, const char *event_name, const char *key, const char *type)
{
    Profile profile = {.layers = 0};
    const Model *model = training->config->model;
    RunReader *reader = run_reader_open(bench->arena, training->folder, bench->err);
    RunEvent event = {.kind = RUN_EVENT_OTHER};
    assert_non_null(reader);
    while (event.kind != RUN_EVENT_ARRAYS || strcmp(event.name, event_name) != 0) {
        assert_true(run_reader_next(reader, &event, bench->err));
        assert_int_not_equal(event.kind, RUN_EVENT_NONE);
    }
    int count = 0;
    const double *values = run_event_numbers(&event, key, &count);
    assert_int_equal(count, model->leaves);
    for (int i = 0; i < count && profile.layers < LAYER_LIMIT; i++)
        if (!strncmp(layer_path(model->leaf[i]), "blocks.", strlen("blocks.")) &&
            !strcmp(layer_type_name(model->leaf[i]), type))
            profile.value[profile.layers++] = values[i];
    return profile;
}

static double first_over_last(const Profile *profile)
{
    assert_true(profile->layers > 1);
    return profile->value[0] / profile->value[profile->layers - 1];
}

/* Glorot & Bengio 2010, section 4.2, in the limit of wide layers. */
static void check_glorot(Bench *bench, const char *init, const double activation[5], double delta_factor)
{
    enum { WIDTH = 400 };
    Training training = training_run(
        bench, "configs/science/glorot.json",
        SETS(arena_printf(bench->arena, "model.init=%s", init), arena_printf(bench->arena, "model.input=[%d]", WIDTH),
             arena_printf(bench->arena, "data.features=%d", WIDTH),
             arena_printf(bench->arena, "model.layers[0].layers[0].out=%d", WIDTH), "monitor.histogram_every=0"),
        1, init);
    Profile std = profile_of(bench, &training, "activations", "std", "tanh");
    Profile delta = profile_of(bench, &training, "activation_gradients", "std", "linear");
    assert_int_equal(std.layers, 5);
    assert_int_equal(delta.layers, 5);
    for (int i = 0; i < 5; i++)
        assert_near(std.value[i] / activation[i], 1, 0.05);
    assert_near(pow(first_over_last(&delta), 0.25) / delta_factor, 1, 0.05);
}

static void activations_and_gradients_shrink_as_glorot_and_bengio_saw(void **state)
{
    check_glorot(*state, "default", (const double[]){0.4603, 0.2495, 0.1412, 0.0810, 0.0467}, 0.5370);
    check_glorot(*state, "xavier_uniform", (const double[]){0.6279, 0.4863, 0.4082, 0.3576, 0.3216}, 0.8001);
}

static double delta_ratio(Bench *bench, const char *config, const char *init, int seed)
{
    Arena *arena = bench->arena;
    Training training = training_run(bench, config,
                                     SETS(arena_printf(arena, "seed=%d", seed), arena_printf(arena, "model.init=%s", init),
                                          "monitor.instruments=[\"activation_gradients\"]"),
                                     1, arena_printf(arena, "%s-%s-%d", path_name(config), init, seed));
    Profile norm = profile_of(bench, &training, "activation_gradients", "norm", "linear");
    file_remove_folder(training.folder);
    return first_over_last(&norm);
}

/* He et al. 2015, section 2.2: 2^(-(depth - 1) / 2) for Xavier and 1 for He, for nets of infinite width. */
static void check_delta_ratios(Bench *bench, const char *config, int depth)
{
    enum { SEEDS = 8 };
    double xavier = 0, he = 0;
    for (int seed = 1; seed <= SEEDS; seed++) {
        xavier += log(delta_ratio(bench, config, "xavier_normal", seed)) / SEEDS;
        he += log(delta_ratio(bench, config, "kaiming_normal", seed)) / SEEDS;
    }
    double expected = pow(2, -(depth - 1) / 2.0);
    assert_near(exp(xavier), expected, 0.1 * expected);
    assert_true(exp(he) > 0.8);
    assert_true(exp(he) < 1.25);
}

static void the_gradient_falls_with_depth_as_he_2015_says(void **state)
{
    check_delta_ratios(*state, "configs/xavier-10.json", 10);
    check_delta_ratios(*state, "configs/xavier-22.json", 22);
    check_delta_ratios(*state, "configs/xavier-30.json", 30);
}

/* Of the last 100 steps: one batch's loss is noisy. */
static double loss_at_the_end(Bench *bench, const Training *training)
{
    RunReader *reader = run_reader_open(bench->arena, training->folder, bench->err);
    RunEvent event = {.kind = RUN_EVENT_OTHER};
    double sum = 0;
    int count = 0;
    while (run_reader_next(reader, &event, bench->err) && event.kind != RUN_EVENT_NONE)
        if (event.kind == RUN_EVENT_STEP && event.step > training->config->train.steps - 100) {
            sum += run_event_number(&event, "loss");
            count++;
        }
    return sum / count;
}

/* He et al. 2015, figure 3. */
static void thirty_relu_layers_stall_with_xavier_and_learn_with_he(void **state)
{
    const char *const *sets = SETS("monitor.instruments=none");
    Training xavier = training_run(*state, "configs/deep-relu-xavier.json", sets, 1, "xavier");
    Training he = training_run(*state, "configs/deep-relu-he.json", sets, 1, "he");
    assert_near(loss_at_the_end(*state, &xavier), log(10), 0.01); /* ten classes, guessed */
    assert_true(loss_at_the_end(*state, &he) < 0.05);
}

/* Of ln Var(delta) over the layers, counted down, by least squares; without the first, where the forward variance settles. */
static double slope_downwards(const Profile *norm)
{
    enum { SETTLED = 5 };
    double layers = norm->layers - SETTLED, mean = 0, product = 0, square = 0;
    for (int i = SETTLED; i < norm->layers; i++)
        mean += 2 * log(norm->value[i]) / layers;
    for (int i = SETTLED; i < norm->layers; i++) {
        double x = i - SETTLED - (layers - 1) / 2;
        product += x * (2 * log(norm->value[i]) - mean);
        square += x * x;
    }
    return -product / square;
}

/* What the config says before training, over the same layers. */
static Profile predicted_profile(Bench *bench, const Training *training)
{
    Profile profile = {.layers = 0};
    const Prediction *prediction = prediction_new(bench->arena, training->config);
    assert_true(prediction->is_supported);
    for (int i = 0; i < prediction->layers && profile.layers < LAYER_LIMIT; i++)
        if (!prediction->layer[i].is_output)
            profile.value[profile.layers++] = prediction->layer[i].flow;
    return profile;
}

/* Schoenholz et al. 2017, equations 3 to 7, sigma_b^2 = 0.05: ordered, critical, chaotic. What is predicted from the config
 * agrees with both. */
static void tanh_nets_are_ordered_critical_or_chaotic_as_schoenholz_says(void **state)
{
    static const double table[][2] = {{1, 0.7590}, {1.7603, 1}, {4, 1.3424}}; /* sigma_w^2, chi_1 */
    Bench *bench = *state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        Training training = training_start(bench, "configs/science/schoenholz.json",
                                           SETS(arena_printf(bench->arena, "model.init.gain=%.9g", sqrt(table[i][0])),
                                                "data.samples=16", "train.batch_size=16"),
                                           1, arena_printf(bench->arena, "run-%zu", i));
        Profile predicted = predicted_profile(bench, &training);
        training_finish(bench, &training, TRAIN_COMPLETED);
        Profile norm = profile_of(bench, &training, "activation_gradients", "norm", "linear");
        assert_int_equal(norm.layers, 30);
        assert_near(slope_downwards(&norm), log(table[i][1]), 0.03);
        assert_int_equal(predicted.layers, 30);
        assert_near(slope_downwards(&predicted), log(table[i][1]), 0.01);
    }
}

/* Pascanu et al. 2013, section 2.1: at states of zero, where tanh is linear, W = rho Q changes a gradient's length by rho a
 * step whatever the orthogonal Q. */
static void a_recurrent_gradient_changes_by_rho_each_step(void **state)
{
    static const double table[][2] = {{0.9, 5.15377521e-3}, {1, 1}, {1.1, 117.390853}}; /* rho, rho^50 */
    Bench *bench = *state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        Training training = training_run(bench, "configs/science/pascanu.json",
                                         SETS(arena_printf(bench->arena, "model.layers[0].init.gain=%g", table[i][0])), 1,
                                         arena_printf(bench->arena, "run-%zu", i));
        RunReader *reader = run_reader_open(bench->arena, training.folder, bench->err);
        RunEvent event = {.kind = RUN_EVENT_OTHER};
        while (event.kind != RUN_EVENT_NONE && strcmp(event.name ? event.name : "", "time_gradients") != 0)
            assert_true(run_reader_next(reader, &event, bench->err));
        int positions = 0;
        const double *rms = run_event_numbers(&event, "delta_rms", &positions);
        assert_int_equal(positions, 51);
        for (int t = 0; t < positions; t++)
            assert_near(rms[t] / rms[50] / pow(table[i][0], 50 - t), 1, 1e-5);
        assert_near(rms[0] / rms[50] / table[i][1], 1, 1e-5);
    }
}

/* Saxe et al. 2014, section 3: of a product of orthogonal matrices all singular values are 1. */
static void orthogonal_linear_layers_keep_every_gradient_as_it_is(void **state)
{
    Bench *bench = *state;
    Training training = training_run(bench, "configs/science/saxe.json", SETS("hooks=[]"), 1, "run");
    Profile norm = profile_of(bench, &training, "activation_gradients", "norm", "linear");
    assert_int_equal(norm.layers, 50);
    for (int i = 0; i < norm.layers; i++)
        assert_near(norm.value[i] / norm.value[49], 1, 1e-5);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(activations_and_gradients_shrink_as_glorot_and_bengio_saw),
        TEST(the_gradient_falls_with_depth_as_he_2015_says),
        TEST(thirty_relu_layers_stall_with_xavier_and_learn_with_he),
        TEST(tanh_nets_are_ordered_critical_or_chaotic_as_schoenholz_says),
        TEST(a_recurrent_gradient_changes_by_rho_each_step),
        TEST(orthogonal_linear_layers_keep_every_gradient_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
