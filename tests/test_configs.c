/* Every config of the repository trains, and the experiments among them give what is known of them.
 *
 * The expected figures: He, Zhang, Ren & Sun 2015, "Delving deep into rectifiers", section 2.2 and figure 3. */
#include "support_test.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support_run.h"

enum { CONFIG_LIMIT = 256 };

/* The state that a test starts with is the path of its config; afterwards it is a Bench whose folder holds that path. */
static int set_up_config(void **state)
{
    const char *path = *state;
    if (bench_set_up(state) != 0)
        return -1;
    bench_file(*state, "path", path);
    return 0;
}

static void the_config_trains(void **state)
{
    Bench *bench = *state;
    Bytes path;
    assert_true(file_read(bench->arena, path_join(bench->arena, bench->folder, "path"), &path, bench->err));
    Training training = training_run(bench, (const char *)path.at,
                                     SETS("train.epochs=null", "train.steps=2", "monitor.histogram_every=1"), 1, "run");
    assert_int_equal(trainer_steps_done(training.trainer), 2);
    assert_true(isfinite(training_last(bench, &training, RUN_EVENT_STEP, "loss")));
    double norm = training_last(bench, &training, RUN_EVENT_STEP, "grad_norm");
    /* A scaler's first scale may be too large: finding that out is its work. */
    assert_true((isfinite(norm) && norm > 0) || training_last(bench, &training, RUN_EVENT_SCALER, "skipped") == 1);
}

/* The RMS of dL/dz in the first step: that of the first hidden layer over that of the last. All have the same width. */
static double delta_ratio(Bench *bench, const char *config, const char *init, int seed)
{
    Arena *arena = bench->arena;
    const char *name = arena_printf(arena, "%s-%s-%d", path_name(config), init, seed);
    const char *const *sets = SETS(arena_printf(arena, "seed=%d", seed), arena_printf(arena, "model.init=%s", init),
                                   "monitor.instruments=[\"activation_gradients\"]");
    Training training = training_run(bench, config, sets, 1, name);
    const Model *model = training.config->model;
    RunReader *reader = run_reader_open(arena, training.folder, bench->err);
    RunEvent event = {.kind = RUN_EVENT_OTHER};
    int count = 0, first = -1, last = -1;
    while (event.kind != RUN_EVENT_NONE && (event.kind != RUN_EVENT_ARRAYS || strcmp(event.name, "activation_gradients") != 0))
        assert_true(run_reader_next(reader, &event, bench->err));
    const double *norm = run_event_numbers(&event, "norm", &count);
    assert_int_equal(count, model->leaves);
    for (int i = 0; i < count; i++)
        if (!strncmp(layer_path(model->leaf[i]), "blocks.", strlen("blocks.")) &&
            !strcmp(layer_type_name(model->leaf[i]), "linear")) {
            first = first < 0 ? i : first;
            last = i;
        }
    double ratio = norm[first] / norm[last];
    file_remove_folder(training.folder);
    return ratio;
}

/* Theory says 2^(-(depth - 1) / 2) for Xavier and 1 for He, for nets of infinite width. */
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

static void thirty_relu_layers_stall_with_xavier_and_learn_with_he(void **state)
{
    const char *const *sets = SETS("monitor.instruments=none");
    Training xavier = training_run(*state, "configs/deep-relu-xavier.json", sets, 1, "xavier");
    Training he = training_run(*state, "configs/deep-relu-he.json", sets, 1, "he");
    assert_near(loss_at_the_end(*state, &xavier), log(10), 0.01); /* ten classes, guessed */
    assert_true(loss_at_the_end(*state, &he) < 0.05);
}

static void check_accuracy(Bench *bench, const char *config, double least)
{
    Training training = training_run(bench, config, SETS("monitor.instruments=none"), 1,
                                     arena_printf(bench->arena, "run-%s", path_name(config)));
    double accuracy = training_last(bench, &training, RUN_EVENT_EVAL, "accuracy");
    if (!(accuracy >= least))
        fail_msg("%s ends at an accuracy of %.4f, expected is at least %.4f", config, accuracy, least);
}

static void classifiers_are_right_about_samples_that_they_have_not_seen(void **state)
{
    check_accuracy(*state, "configs/digits.json", 0.95);
    check_accuracy(*state, "configs/iris.json", 0.95);
    check_accuracy(*state, "configs/spiral.json", 0.98);
    check_accuracy(*state, "configs/residual-mlp.json", 0.9);
}

static void regressions_reach_the_noise_of_their_data(void **state)
{
    Training sine = training_run(*state, "configs/sine.json", NULL, 1, "sine");
    assert_true(training_last(*state, &sine, RUN_EVENT_EVAL, "loss") < 2 * 0.05 * 0.05);
    Training small = training_run(*state, "configs/simple-nn-2-3-1.json", NULL, 1, "small");
    assert_true(training_last(*state, &small, RUN_EVENT_STEP, "loss") < 1e-3);
    Training clipped = training_run(*state, "configs/simple-nn-10-5-1.json", NULL, 1, "clipped");
    assert_true(training_last(*state, &clipped, RUN_EVENT_STEP, "loss") < 1e-2);
    assert_near(training_last(*state, &clipped, RUN_EVENT_CLIP, "after"), 1, 1e-4);
}

static size_t add_configs(Arena *arena, const char *folder, struct CMUnitTest tests[], size_t count)
{
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries && (entry = readdir(entries)) && count < CONFIG_LIMIT;) {
        size_t length = strlen(entry->d_name);
        if (length < 5 || strcmp(entry->d_name + length - 5, ".json") != 0)
            continue;
        char *path = arena_printf(arena, "%s/%s", folder, entry->d_name);
        tests[count++] = (struct CMUnitTest){arena_printf(arena, "%s trains", path), the_config_trains, set_up_config,
                                             bench_tear_down, path};
    }
    if (entries)
        closedir(entries);
    return count;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct CMUnitTest *)a)->name, ((const struct CMUnitTest *)b)->name);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

int main(void)
{
    static struct CMUnitTest configs[CONFIG_LIMIT];
    const struct CMUnitTest experiments[] = {
        TEST(the_gradient_falls_with_depth_as_he_2015_says),
        TEST(thirty_relu_layers_stall_with_xavier_and_learn_with_he),
        TEST(classifiers_are_right_about_samples_that_they_have_not_seen),
        TEST(regressions_reach_the_noise_of_their_data),
    };
    Arena *arena = arena_new(NULL);
    size_t count = add_configs(arena, "configs", configs, 0);
    count = add_configs(arena, "configs/bench", configs, count);
    qsort(configs, count, sizeof *configs, by_name);
    int failed = _cmocka_run_group_tests("configs", configs, count, NULL, NULL);
    failed += cmocka_run_group_tests(experiments, NULL, NULL);
    arena_free(arena);
    return count ? failed : 1;
}
