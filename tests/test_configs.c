/* Every config of the repository trains, and real tasks among them are learnt. Experiments with known answers: test_science.c.
 */
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
    const struct CMUnitTest tasks[] = {
        TEST(classifiers_are_right_about_samples_that_they_have_not_seen),
        TEST(regressions_reach_the_noise_of_their_data),
    };
    Arena *arena = arena_new(NULL);
    size_t count = add_configs(arena, "configs", configs, 0);
    count = add_configs(arena, "configs/bench", configs, count);
    count = add_configs(arena, "configs/science", configs, count);
    qsort(configs, count, sizeof *configs, by_name);
    int failed = _cmocka_run_group_tests("configs", configs, count, NULL, NULL);
    failed += cmocka_run_group_tests(tasks, NULL, NULL);
    arena_free(arena);
    return count ? failed : 1;
}
