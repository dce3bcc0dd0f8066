/* A GAN: two nets that learn in turn, in one log. */
#include "support_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "support_run.h"
#include "train/gan_config.h"
#include "train/step_graph.h"

#define RING "configs/gan-ring.json"
#define PI 3.14159265358979323846

enum { SAMPLES = 256, MODES = 8 };

/* The mean distance of generated samples from the nearest centre of the ring, and how many centres have one nearby. */
static double distance_from_modes(Bench *bench, const Training *run, int *reached)
{
    const Model *model = run->config->model;
    StepGraph *g =
        step_graph_new_sampler(bench->arena, run->config, &model->net[GAN_GENERATOR], SAMPLES, VARIANT_F32, bench->err);
    assert_non_null(g);
    Random random = random_stream(99, RANDOM_PROBE, 0);
    for (size_t i = 0; i < SAMPLES * shape_count(model->net[GAN_GENERATOR].input); i++)
        g->input[i] = (float)random_normal(&random, i);
    plan_run(g->plan, g->workspace, NULL);
    bool has_sample[MODES] = {false};
    double total = 0;
    for (int i = 0; i < SAMPLES; i++) {
        double nearest = INFINITY;
        int mode = 0;
        for (int k = 0; k < MODES; k++) {
            double x = g->output[2 * i] - 2 * cos(2 * PI * k / MODES), y = g->output[2 * i + 1] - 2 * sin(2 * PI * k / MODES);
            if (hypot(x, y) < nearest) {
                nearest = hypot(x, y);
                mode = k;
            }
        }
        has_sample[mode] |= nearest < 0.3;
        total += nearest;
    }
    *reached = 0;
    for (int k = 0; k < MODES; k++)
        *reached += has_sample[k];
    return total / SAMPLES;
}

static void generated_samples_come_near_all_modes_of_the_ring(void **state)
{
    Bench *bench = *state;
    int reached;
    Training run = training_start(bench, RING, SETS("monitor.instruments=none", "train.steps=1200"), 1, "ring");
    double before = distance_from_modes(bench, &run, &reached);
    training_finish(bench, &run, TRAIN_COMPLETED);
    double after = distance_from_modes(bench, &run, &reached);
    assert_true(after < 0.35);
    assert_true(after < before / 3);
    assert_int_equal(reached, MODES);
}

static void the_critics_slope_between_real_and_fake_approaches_one(void **state)
{
    Bench *bench = *state;
    Training run =
        training_run(bench, RING, SETS("monitor.instruments=none", "train.steps=300", "penalty.weight=10"), 1, "slope");
    RunReader *reader = run_reader_open(bench->arena, run.folder, bench->err);
    RunEvent event = {.kind = RUN_EVENT_OTHER};
    double first = NAN, late = 0;
    while (run_reader_next(reader, &event, bench->err) && event.kind != RUN_EVENT_NONE) {
        if (event.kind != RUN_EVENT_PENALTY)
            continue;
        if (event.step == 1)
            first = run_event_number(&event, "norm");
        if (event.step > 200)
            late += run_event_number(&event, "norm") / 100;
    }
    assert_true(first < 0.5);
    assert_near(late, 1, 0.1);
}

static void any_number_of_threads_gives_the_same_bits(void **state)
{
    Bench *bench = *state;
    const char *const *sets = SETS("train.steps=12", "monitor.every=3", "gan.critic_steps=2", "train.batch_size=300",
                                   "clip={\"type\":\"norm\",\"max_norm\":0.5}");
    Training one = training_run(bench, RING, sets, 1, "one"), two = training_run(bench, RING, sets, 2, "two");
    assert_same_run(bench, &one, &two);
    Training again = training_run(bench, RING, sets, 2, "again");
    assert_same_run(bench, &two, &again);
    assert_non_null(strstr(training_events(bench, &one, "clip"), "\"name\":\"critic\""));
    assert_non_null(strstr(training_events(bench, &one, "clip"), "\"name\":\"generator\""));
}

static void measuring_a_gan_changes_no_weight(void **state)
{
    Bench *bench = *state;
    size_t count, same;
    Training with = training_run(bench, RING, SETS("train.steps=7", "monitor.every=2"), 1, "with");
    Training without = training_run(bench, RING, SETS("train.steps=7", "monitor.instruments=none"), 1, "without");
    float *a = training_state(bench, &with, &count), *b = training_state(bench, &without, &same);
    assert_int_equal(count, same);
    assert_memory_equal(a, b, sizeof(float) * count);
    assert_same_events(bench, &with, &without, "penalty");
}

/* The numbers of the last event of that name. */
static const double *last_numbers(Bench *bench, const Training *run, const char *name, const char *key, int *count)
{
    RunReader *reader = run_reader_open(bench->arena, run->folder, bench->err);
    RunEvent event = {.kind = RUN_EVENT_OTHER};
    double *copy = NULL;
    while (run_reader_next(reader, &event, bench->err) && event.kind != RUN_EVENT_NONE) {
        const double *values = strcmp(event.name, name) ? NULL : run_event_numbers(&event, key, count);
        if (values) {
            copy = ARENA_ARRAY(bench->arena, double, *count);
            memcpy(copy, values, sizeof(double) * (size_t)*count);
        }
    }
    assert_non_null(copy);
    return copy;
}

static void a_step_holds_what_both_nets_did_last(void **state)
{
    Bench *bench = *state;
    Training run = training_run(bench, RING, SETS("train.steps=3", "monitor.every=1"), 1, "both");
    const Model *model = run.config->model;
    int count;
    const double *norm = last_numbers(bench, &run, "gradients", "norm", &count);
    double square = 0;
    assert_int_equal(count, model->parameters);
    assert_string_equal(model->parameter[0]->name, "generator.fc1.weight");
    assert_string_equal(model->parameter[count - 1]->name, "critic.head.bias");
    for (int i = 0; i < count; i++) {
        assert_false(run_is_missing(norm[i]));
        square += norm[i] * norm[i];
    }
    assert_near(training_last(bench, &run, RUN_EVENT_STEP, "grad_norm"), sqrt(square), 1e-6 * sqrt(square));
    assert_true(isfinite(training_last(bench, &run, RUN_EVENT_STEP, "generator_loss")));
    assert_near(training_last(bench, &run, RUN_EVENT_STEP, "samples"), 5 * 64, 0);
    const char *const layers[] = {"activations", "activation_gradients"};
    for (int k = 0; k < 2; k++) {
        norm = last_numbers(bench, &run, layers[k], "norm", &count);
        assert_int_equal(count, model->leaves);
        for (int i = 0; i < count; i++)
            assert_true(norm[i] > 0);
    }
    const double *ratio = last_numbers(bench, &run, "updates", "ratio", &count);
    for (int i = 0; i < count - 1; i++) /* the last bias of a critic shifts real and fake alike: its gradient is zero */
        assert_true(ratio[i] > 0);
}

/* With one parameter in the critic, D(x) = w x, and a generator G(z) = b (its weight is zero and frozen by its rate), the
 * gradients are known: dL/dw = mean(fake) - mean(real) and dL/db = -w. */
static void the_gradients_of_a_one_parameter_gan_are_the_known_ones(void **state)
{
    Bench *bench = *state;
    const char *config = bench_file(
        bench, "one.json",
        "{\"name\":\"one\",\"gan\":{\"generator\":{\"input\":[1],\"layers\":[{\"type\":\"linear\",\"name\":\"g\",\"out\":1,"
        "\"init\":\"zeros\","
        "\"bias_init\":{\"type\":\"constant\",\"value\":0.5}}]},\"critic\":{\"input\":[1],\"layers\":[{\"type\":\"linear\","
        "\"name\":\"d\",\"out\":1,"
        "\"bias\":false,\"init\":{\"type\":\"constant\",\"value\":2}}]},\"critic_steps\":1,"
        "\"critic_optimizer\":{\"type\":\"sgd\",\"lr\":0.1},\"generator_optimizer\":{\"type\":\"sgd\",\"lr\":0.01}},"
        "\"data\":{\"type\":\"inline\",\"inputs\":[[1],[2],[6]],\"targets\":[0,0,0]},\"train\":{\"steps\":1,\"batch_size\":3},"
        "\"output\":{\"plots\":false}}");
    Training run = training_run(bench, config, NULL, 1, "one");
    const Model *model = run.config->model;
    int count;
    const double *norm = last_numbers(bench, &run, "gradients", "norm", &count);
    assert_int_equal(count, 3); /* generator.g.weight, generator.g.bias, critic.d.weight */
    const double w = 2 - 0.1 * (0.5 - 3);
    assert_near(training_last(bench, &run, RUN_EVENT_STEP, "loss"), 2 * 0.5 - 2 * 3, 1e-6);
    assert_near(norm[2], 2.5, 1e-6);
    assert_near(model->parameter[2]->data[0], w, 1e-6);
    assert_near(training_last(bench, &run, RUN_EVENT_STEP, "generator_loss"), -0.5 * w, 1e-6);
    assert_near(norm[1], w, 1e-6);
    assert_near(model->parameter[1]->data[0], 0.5 + 0.01 * w, 1e-6);
}

/* log 2 from each side of a critic that knows nothing. */
static void the_standard_loss_is_cross_entropy(void **state)
{
    Bench *bench = *state;
    Training run =
        training_run(bench, RING,
                     SETS("train.steps=1", "gan.critic_steps=1", "gan.loss=standard", "gan.critic.layers[4].init=zeros",
                          "gan.critic.layers[4].bias_init=zeros", "penalty=null", "optimizer.lr=0"),
                     1, "standard");
    assert_near(training_last(bench, &run, RUN_EVENT_STEP, "loss"), 2 * log(2), 1e-6);
    assert_near(training_last(bench, &run, RUN_EVENT_STEP, "generator_loss"), log(2), 1e-6);
    assert_string_equal(training_events(bench, &run, "penalty"), "");
}

static void hooks_see_each_net_once_a_step(void **state)
{
    Bench *bench = *state;
    const char *hooks = "hooks=[{\"on\":\"*.fc1.weight\",\"at\":\"grad\",\"do\":[\"0 * grad\",\"log\"]},"
                        "{\"on\":\"*.head\",\"at\":\"output\",\"do\":\"log\"}]";
    Training run = training_run(bench, RING, SETS("train.steps=1", hooks), 1, "hooks");
    int events = 0;
    for (const char *at = training_events(bench, &run, "hook"); (at = strstr(at, "\"event\":\"hook\"")); at++)
        events++;
    assert_int_equal(events, 2 * (2 + 1)); /* of each net: the weight before and after its expression, the output */
    int count;
    const double *norm = last_numbers(bench, &run, "gradients", "norm", &count);
    assert_true(norm[0] == 0 && norm[6] == 0 && norm[2] > 0 && norm[8] > 0);
}

static void a_gan_that_is_not_finite_stops(void **state)
{
    Bench *bench = *state;
    Training run = training_start(bench, RING, SETS("optimizer={\"type\":\"sgd\",\"lr\":1e30}"), 1, "diverges");
    training_finish(bench, &run, TRAIN_DIVERGED);
    for (int i = 0; i < run.config->model->parameters; i++)
        assert_true(isfinite(run.config->model->parameter[i]->data[0]));
}

static void a_run_starts_again_from_its_own_config(void **state)
{
    Bench *bench = *state;
    Training first =
        training_run(bench, RING, SETS("train.steps=2", "gan.critic_optimizer={\"type\":\"rmsprop\",\"lr\":0.01}"), 1, "first");
    Training second = training_run(bench, path_join(bench->arena, first.folder, "config.json"), NULL, 1, "second");
    assert_same_run(bench, &first, &second);
}

static void a_config_that_is_no_gan_says_why(void **state)
{
    static const struct {
        const char *set, *message;
    } mistakes[] = {
        {"model={\"input\":[2],\"layers\":[{\"type\":\"tanh\"}]}",
         "the config has both `model` and `gan`; one of them is trained"},
        {"loss=mse", "a GAN has no `loss` but gan.loss"},
        {"gan.critic.input=[3]", "the critic takes samples of [3], the generator gives [2]"},
        {"data={\"type\":\"sine\",\"samples\":100}", "the critic takes samples of [2], the data gives [1]"},
        {"data.validation=0.2", "a GAN is not evaluated, so that these samples would be lost"},
        {"train.accumulate=2", "a GAN's steps do not accumulate: `accumulate` must be 1"},
        {"train.memory_limit=1000000", "layers of a GAN are not chosen for recomputation"},
        {"gan.steps=2", "unknown key `steps` in the GAN"},
        {"gan.critic.input={\"tokens\":5,\"length\":2}", "the critic takes numbers, not tokens: no gradient passes a token"},
        {"gan.loss=hinge", "`loss` must be one of wasserstein, standard"},
        {"optimizer.lr=-1", "`lr`"},
    };
    Bench *bench = *state;
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        Error *err = error_new(bench->arena);
        assert_null(config_read(bench->arena, RING, SETS(mistakes[i].set), 1, err));
        bool is_found = false;
        for (int k = 0; k < error_count(err); k++)
            is_found |= strstr(error_message(err, k), mistakes[i].message) != NULL;
        if (!is_found)
            print_message("%s: %s\n", mistakes[i].set, error_message(err, 0));
        assert_true(is_found);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(generated_samples_come_near_all_modes_of_the_ring),
        TEST(the_critics_slope_between_real_and_fake_approaches_one),
        TEST(any_number_of_threads_gives_the_same_bits),
        TEST(measuring_a_gan_changes_no_weight),
        TEST(a_step_holds_what_both_nets_did_last),
        TEST(the_gradients_of_a_one_parameter_gan_are_the_known_ones),
        TEST(the_standard_loss_is_cross_entropy),
        TEST(hooks_see_each_net_once_a_step),
        TEST(a_gan_that_is_not_finite_stops),
        TEST(a_run_starts_again_from_its_own_config),
        TEST(a_config_that_is_no_gan_says_why),
    };
    return cmocka_run_group_tests_name("gan", tests, NULL, NULL);
}
