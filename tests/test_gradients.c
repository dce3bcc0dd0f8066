/* What a config can do to gradients: hooks, losses and layers by expression, penalties, recomputation. */
#include "support_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support_run.h"

#define LAYERS                                                                                                                 \
    "{\"type\":\"linear\",\"out\":12},{\"type\":\"batchnorm\"},{\"type\":\"tanh\"},{\"type\":\"dropout\",\"p\":0.2},"          \
    "{\"type\":\"residual\",\"layers\":[{\"type\":\"linear\",\"out\":12},{\"type\":\"gelu\"}]},{\"type\":\"layernorm\"}"
#define REST                                                                                                                   \
    "\"data\":{\"type\":\"moons\",\"samples\":96},\"loss\":\"cross_entropy\",\"optimizer\":{\"type\":\"adam\"},"               \
    "\"train\":{\"steps\":6,\"batch_size\":20,\"accumulate\":2},\"output\":{\"plots\":false}}"

static const char *deep(Bench *bench, const char *name, const char *checkpoint)
{
    return bench_file(
        bench, name,
        arena_printf(bench->arena,
                     "{\"name\":\"deep\",\"seed\":4,\"model\":{\"input\":[2],\"layers\":[{\"type\":\"block\",\"name\":\"body\","
                     "\"checkpoint\":%s,\"layers\":[{\"type\":\"repeat\",\"times\":5,\"layers\":[" LAYERS
                     "]}]},{\"type\":\"linear\",\"out\":2}]}," REST,
                     checkpoint));
}

static void recomputing_layers_changes_no_bit(void **state)
{
    Bench *bench = *state;
    Training plain = training_run(bench, deep(bench, "plain.json", "false"), NULL, 1, "plain");
    static const char *const ways[] = {"true", "\"sqrt\""};
    for (int i = 0; i < 2; i++) {
        const char *name = arena_printf(bench->arena, "checkpoint-%d", i);
        Training checkpointed =
            training_run(bench, deep(bench, arena_printf(bench->arena, "%s.json", name), ways[i]), NULL, 1, name);
        assert_same_run(bench, &plain, &checkpointed);
    }
    size_t bytes = trainer_workspace_bytes(plain.trainer);
    const char *limit = arena_printf(bench->arena, "train.memory_limit=%zu", bytes * 3 / 4);
    Training limited = training_run(bench, deep(bench, "limited.json", "false"), SETS(limit), 1, "limited");
    assert_true(trainer_workspace_bytes(limited.trainer) <= bytes * 3 / 4);
    assert_same_run(bench, &plain, &limited);
}

static const char *sine(Bench *bench, const char *name, const char *loss, const char *more)
{
    return bench_file(bench, name,
                      arena_printf(bench->arena,
                                   "{\"name\":\"sine\",\"seed\":3,\"model\":{\"input\":[1],\"layers\":[{\"type\":\"linear\","
                                   "\"out\":8},{\"type\":\"tanh\"},"
                                   "{\"type\":\"linear\",\"out\":1}]},\"data\":{\"type\":\"sine\",\"samples\":50},\"loss\":%s,"
                                   "\"train\":{\"steps\":5,\"batch_size\":8,\"accumulate\":3},\"output\":{\"plots\":false}%s}",
                                   loss, more));
}

static void a_loss_by_expression_has_the_gradients_of_the_built_in(void **state)
{
    Bench *bench = *state;
    Training built_in = training_run(bench, sine(bench, "a.json", "{\"type\":\"huber\",\"delta\":0.5}", ""), NULL, 1, "a");
    Training expression = training_run(
        bench,
        sine(bench, "b.json",
             "{\"expr\":\"mean(where(abs(output - target) < 0.5, (output - target)^2/2, 0.5*(abs(output - target) - 0.25)))\"}",
             ""),
        NULL, 1, "b");
    assert_near(training_last(bench, &built_in, RUN_EVENT_STEP, "loss"),
                training_last(bench, &expression, RUN_EVENT_STEP, "loss"), 1e-7);
    assert_near(training_last(bench, &built_in, RUN_EVENT_STEP, "grad_norm"),
                training_last(bench, &expression, RUN_EVENT_STEP, "grad_norm"), 1e-7);
}

static void huber_in_three_ways_has_the_same_gradients(void **state)
{
    Bench *bench = *state;
    static const char *const configs[] = {"configs/huber-built-in.json", "configs/huber-expression.json",
                                          "configs/huber-function.json"};
    Training run[3];
    for (int i = 0; i < 3; i++) {
        run[i] = training_run(bench, configs[i], SETS("output.plots=false"), 1, arena_printf(bench->arena, "huber-%d", i));
        assert_same_events(bench, &run[0], &run[i], "gradients");
    }
}

static void a_hook_on_a_gradient_takes_its_place_before_it_is_measured(void **state)
{
    Bench *bench = *state;
    const char *hook = ",\"hooks\":[{\"on\":\"linear1.*\",\"at\":\"grad\",\"do\":[\"log\",\"clamp(grad, -0.001, "
                       "0.001)\",\"stop_if_nonfinite\"]}]";
    Training run = training_run(bench, sine(bench, "hook.json", "\"mse\"", hook), NULL, 1, "hook");
    const char *hooks = training_events(bench, &run, "hook"), *gradients = training_events(bench, &run, "gradients");
    assert_non_null(strstr(hooks, "\"on\":\"linear1.weight\",\"at\":\"grad\""));
    assert_non_null(strstr(hooks, "\"on\":\"linear1.bias\""));
    assert_non_null(strstr(hooks, "\"changed\":true"));
    assert_non_null(strstr(gradients, "\"max\":[0.00100000005,0.00100000005,"));
}

static void a_reversed_gradient_climbs(void **state)
{
    Bench *bench = *state;
    const char *hook =
        ",\"hooks\":[{\"on\":\"linear2\",\"at\":\"output_grad\",\"do\":\"-grad\"}],\"optimizer\":{\"type\":\"sgd\",\"lr\":0.1}";
    Training down = training_run(bench, sine(bench, "down.json", "\"mse\"", ",\"optimizer\":{\"type\":\"sgd\",\"lr\":0.1}"),
                                 NULL, 1, "down");
    Training up = training_run(bench, sine(bench, "up.json", "\"mse\"", hook), NULL, 1, "up");
    assert_true(training_last(bench, &up, RUN_EVENT_STEP, "loss") > training_last(bench, &down, RUN_EVENT_STEP, "loss"));
}

static void a_hook_that_sees_nan_stops_the_training(void **state)
{
    Bench *bench = *state;
    const char *hook =
        ",\"hooks\":[{\"on\":\"linear1\",\"at\":\"output\",\"do\":[\"log(output - 100)\",\"stop_if_nonfinite\"]}]";
    Training run = training_start(bench, sine(bench, "nan.json", "\"mse\"", hook), SETS("train.nonfinite=continue"), 1, "nan");
    training_finish(bench, &run, TRAIN_DIVERGED);
    assert_int_equal(trainer_steps_done(run.trainer), 1);
}

static void the_critic_of_a_wgan_approaches_norm_one(void **state)
{
    Bench *bench = *state;
    const char *config = bench_file(
        bench, "wgan.json",
        "{\"name\":\"wgan\",\"seed\":2,\"model\":{\"input\":[2],\"layers\":[{\"type\":\"linear\",\"out\":32},{\"type\":\"leaky_"
        "relu\",\"slope\":0.2},"
        "{\"type\":\"linear\",\"out\":32},{\"type\":\"leaky_relu\",\"slope\":0.2},{\"type\":\"linear\",\"out\":1}]},\"data\":{"
        "\"type\":\"real_fake\",\"samples\":512},"
        "\"loss\":\"wasserstein\",\"optimizer\":{\"type\":\"adam\",\"lr\":0.002,\"betas\":[0.5,0.9]},\"train\":{\"steps\":300,"
        "\"batch_size\":64},"
        "\"penalty\":{\"type\":\"gradient\",\"weight\":10,\"target\":1,\"at\":\"interpolate\"},\"output\":{\"plots\":false}}");
    Training with = training_run(bench, config, NULL, 1, "with");
    /* With a penalty of weight 10 its share of the loss is small at the end, so the critic's slope is near 1; without one it
     * grows. */
    Training without = training_run(bench, config, SETS("penalty=null"), 1, "without");
    assert_true(training_last(bench, &with, RUN_EVENT_STEP, "loss") >
                2 * training_last(bench, &without, RUN_EVENT_STEP, "loss"));
    assert_true(isfinite(training_last(bench, &with, RUN_EVENT_STEP, "grad_norm")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(recomputing_layers_changes_no_bit),
        TEST(a_loss_by_expression_has_the_gradients_of_the_built_in),
        TEST(huber_in_three_ways_has_the_same_gradients),
        TEST(a_hook_on_a_gradient_takes_its_place_before_it_is_measured),
        TEST(a_reversed_gradient_climbs),
        TEST(a_hook_that_sees_nan_stops_the_training),
        TEST(the_critic_of_a_wgan_approaches_norm_one),
    };
    return cmocka_run_group_tests_name("gradients", tests, NULL, NULL);
}
