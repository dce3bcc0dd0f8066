/* A model that can learn learns one batch by heart, one that cannot does not, and the config is what it was. */
#include "support_test.h"

#include <math.h>
#include <string.h>

#include "diagnose/overfit_trial.h"
#include "support_run.h"

static Config *read_config(Bench *bench, const char *path, const char *const *sets)
{
    int count = 0;
    while (sets && sets[count])
        count++;
    Config *config = config_read(bench->arena, path, sets, count, bench->err);
    assert_string_equal(error_message(bench->err, 0), "");
    return config;
}

static const OverfitTrial *trial_of(Bench *bench, const Config *config, int64_t samples, int64_t steps)
{
    const OverfitTrial *trial = overfit_trial_new(bench->arena, config, samples, steps, NULL, bench->err);
    assert_string_equal(error_message(bench->err, 0), "");
    assert_non_null(trial);
    return trial;
}

/* y = w x from w = 1 on (1, 2) at a rate of 0.25: dL/dw = 2 (w - 2), so w - 2 halves each step and the loss quarters. */
#define ONE_WEIGHT                                                                                                             \
    "{\"seed\": 1, \"model\": {\"input\": [1], \"layers\": [{\"type\": \"linear\", \"out\": 1, \"bias\": false,"               \
    "\"init\": \"ones\"}]}, \"data\": {\"type\": \"inline\", \"inputs\": [[1], [1], [1]], \"targets\": [[2], [2], [2]]},"      \
    "\"loss\": \"mse\", \"optimizer\": {\"type\": \"sgd\", \"lr\": 0.25, \"weight_decay\": 0.5,"                               \
    "\"groups\": [{\"match\": \"*\", \"weight_decay\": 2}]}, \"schedule\": {\"type\": \"cosine\", \"warmup\": 50},"            \
    "\"train\": {\"epochs\": 2, \"batch_size\": 1, \"accumulate\": 3}}"

static void a_single_weight_halves_its_error_each_step(void **state)
{
    Bench *bench = *state;
    const Config *config = read_config(bench, bench_file(bench, "one.json", ONE_WEIGHT), NULL);
    const OverfitTrial *trial = trial_of(bench, config, 2, 3);
    assert_int_equal(trial->samples, 2);
    assert_int_equal(trial->steps, 3);
    assert_near(trial->first_loss, 1, 1e-6);
    assert_near(trial->last_loss, 1.0 / 16, 1e-6);
    assert_near(trial->best_loss, 1.0 / 16, 1e-6);
    assert_true(isnan(trial->error_rate));
    assert_false(trial->diverged);
    config = read_config(bench, bench_file(bench, "one.json", ONE_WEIGHT), SETS("optimizer.groups=[]"));
    assert_near(trial_of(bench, config, 2, 3)->last_loss, 1.0 / 16, 1e-6); /* nor does the optimizer's own decay count */
    trial = trial_of(bench, config, 100, 100);
    assert_int_equal(trial->samples, 3); /* there are no more */
    assert_int_equal(trial->steps, 5);   /* 4^-4 is below 1 % */
}

static void a_rate_that_is_too_high_diverges(void **state)
{
    Bench *bench = *state;
    const Config *config = read_config(bench, bench_file(bench, "one.json", ONE_WEIGHT), SETS("optimizer.lr=1e20"));
    const OverfitTrial *trial = trial_of(bench, config, 2, 100);
    assert_true(trial->diverged);
    assert_true(trial->steps < 100);
    assert_true(!isfinite(trial->last_loss));
    assert_near(trial->best_loss, 1, 1e-6);
}

static void a_healthy_net_learns_its_batch_by_heart(void **state)
{
    Bench *bench = *state;
    const char *const *sets = SETS("model.layers=[{\"type\": \"linear\", \"out\": 64}, {\"type\": \"relu\"},"
                                   "{\"type\": \"dropout\", \"p\": 0.9}, {\"type\": \"linear\", \"out\": 10}]");
    const OverfitTrial *trial = trial_of(bench, read_config(bench, "configs/digits.json", sets), 32, 300);
    assert_true(trial->last_loss < 0.01 * trial->first_loss); /* smoothed labels would stop it at 0.5 */
    assert_near(trial->error_rate, 0, 0);
    assert_int_equal(trial->samples, 32);
}

static void half_precision_with_its_scaler_learns_too(void **state)
{
    Bench *bench = *state;
    const OverfitTrial *trial =
        trial_of(bench, read_config(bench, "configs/digits.json", SETS("precision.type=\"float16\"")), 32, 100);
    assert_true(trial->last_loss < 0.1 * trial->first_loss);
    assert_false(trial->diverged);
}

static void a_net_that_no_gradient_reaches_does_not(void **state)
{
    Bench *bench = *state;
    const OverfitTrial *trial = trial_of(bench, read_config(bench, "configs/xavier-22.json", NULL), 16, 60);
    assert_true(trial->last_loss > 0.5 * trial->first_loss);
    assert_true(trial->error_rate > 0.5);
    assert_int_equal(trial->steps, 60);
}

/* Where the first epoch begins with the samples of class 1, the trial sees them. */
static void the_samples_are_the_first_of_the_first_epoch(void **state)
{
    Bench *bench = *state;
    const char *path = bench_file(bench, "one.json", ONE_WEIGHT);
    uint32_t order[3];
    dataset_order(3, 1, 0, true, order);
    const char *targets[3] = {"2", "2", "2"};
    targets[order[0]] = "5";
    const char *set = arena_printf(bench->arena, "data.targets=[[%s], [%s], [%s]]", targets[0], targets[1], targets[2]);
    assert_near(trial_of(bench, read_config(bench, path, SETS(set)), 1, 1)->first_loss, 16, 1e-5);
    const Config *in_file_order = read_config(bench, path, SETS("train.shuffle=false", "data.targets=[[9], [2], [2]]"));
    assert_near(trial_of(bench, in_file_order, 1, 1)->first_loss, 64, 1e-4);
}

static void it_starts_from_the_weights_of_the_config(void **state)
{
    Bench *bench = *state;
    const char *path = bench_file(bench, "one.json", ONE_WEIGHT);
    Training training = training_run(
        bench, path,
        SETS("train.epochs=null", "train.steps=1", "optimizer.groups=[]", "optimizer.weight_decay=0", "schedule.warmup=0"), 1,
        "run");
    const char *set = arena_printf(bench->arena, "weights=%s/model.safetensors", training.folder);
    const double error = training.config->model->parameter[0]->data[0] - 2.0F;
    const OverfitTrial *trial = trial_of(bench, read_config(bench, path, SETS(set)), 2, 1);
    assert_near(trial->first_loss, error * error, 1e-6);
    assert_true(trial->first_loss < 0.9);
}

static void the_config_trains_afterwards_as_before(void **state)
{
    Bench *bench = *state;
    const char *const *sets = SETS("train.epochs=1");
    Training plain = training_run(bench, "configs/residual-mlp.json", sets, 1, "plain"),
             tried = training_start(bench, "configs/residual-mlp.json", sets, 1, "tried");
    Text before = text_new(bench->arena), after = text_new(bench->arena);
    json_write(&before, tried.config->json, -1);
    trial_of(bench, tried.config, 16, 10);
    json_write(&after, tried.config->json, -1);
    assert_string_equal(before.at, after.at);
    training_finish(bench, &tried, TRAIN_COMPLETED);
    assert_same_run(bench, &plain, &tried);
}

/* Batch statistics, a recurrent net on tokens, and an expression as loss. */
static void other_models_are_tried_too(void **state)
{
    Bench *bench = *state;
    static const char *const paths[] = {"configs/resnet-cifar-shaped.json", "configs/lstm-text.json",
                                        "configs/huber-expression.json"};
    for (int i = 0; i < 3; i++) {
        const OverfitTrial *trial = trial_of(bench, read_config(bench, paths[i], NULL), 8, 12);
        assert_true(trial->last_loss < trial->first_loss && trial->best_loss <= trial->last_loss);
        assert_true(i == 2 ? isnan(trial->error_rate) : trial->error_rate <= 1);
    }
}

static void losses_without_a_least_value_have_no_trial(void **state)
{
    Bench *bench = *state;
    static const char *const paths[] = {"configs/gan-ring.json", "configs/wgan-gp.json", "configs/huber-function.json"};
    for (int i = 0; i < 3; i++)
        assert_null(overfit_trial_new(bench->arena, read_config(bench, paths[i], NULL), 8, 8, NULL, bench->err));
    assert_int_equal(error_count(bench->err), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_single_weight_halves_its_error_each_step),
        TEST(a_rate_that_is_too_high_diverges),
        TEST(a_healthy_net_learns_its_batch_by_heart),
        TEST(half_precision_with_its_scaler_learns_too),
        TEST(a_net_that_no_gradient_reaches_does_not),
        TEST(the_samples_are_the_first_of_the_first_epoch),
        TEST(it_starts_from_the_weights_of_the_config),
        TEST(the_config_trains_afterwards_as_before),
        TEST(other_models_are_tried_too),
        TEST(losses_without_a_least_value_have_no_trial),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
