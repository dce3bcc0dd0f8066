/* The gradient scaler: PyTorch's sequence of scales, and what a step does in which order. */
#include "support_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support_run.h"

#define LAYERS                                                                                                                 \
    "\"layers\": [{\"type\": \"linear\", \"name\": \"fc1\", \"out\": 12}, {\"type\": \"tanh\", \"name\": \"act\"},"            \
    "{\"type\": \"linear\", \"name\": \"fc2\", \"out\": 3}]"
#define CONFIG                                                                                                                 \
    "{\"name\": \"scaled\", \"seed\": 3, \"model\": {\"input\": [8], " LAYERS "}, \"data\": {\"type\": \"blobs\","             \
    "\"samples\": 75, \"features\": 8, \"noise\": 1}, \"loss\": \"cross_entropy\", \"optimizer\": {\"type\": \"adamw\","       \
    "\"lr\": 0.01}, \"schedule\": {\"type\": \"cosine\"}, \"train\": {\"steps\": 12, \"batch_size\": 16, \"accumulate\": 2},"  \
    "\"clip\": {\"type\": \"norm\", \"max_norm\": 0.2}, \"monitor\": {\"instruments\": \"all\", \"histogram_every\": 2}}"
/* A finite float32 run is the same with a scale, where that is a power of two: products with it are exact. */
#define SCALED                                                                                                                 \
    "precision={\"type\": \"float32\", \"scaler\": {\"enabled\": true, \"init_scale\": 1024, \"growth_interval\": 4}}"

static void replay(const char *name)
{
    Arena *arena = arena_new(NULL);
    Error *err = error_new(arena);
    Bytes file;
    assert_true(file_read(arena, arena_printf(arena, TEST_DATA "%s", name), &file, err));
    char *at = arena_strndup(arena, (const char *)file.at, file.count);
    ScalerOptions options = {.init_scale = strtod(at, &at)};
    options.growth_factor = strtod(at, &at);
    options.backoff_factor = strtod(at, &at);
    options.growth_interval = strtol(at, &at, 10);
    Scaler scaler = scaler_new(&options), resumed = scaler;
    int steps = 0;
    for (;; steps++) {
        char *end;
        long found_inf = strtol(at, &end, 10);
        if (end == at)
            break;
        float expected = strtof(end, &at);
        scaler_update(&scaler, found_inf);
        if (scaler_scale(&scaler) != expected)
            fail_msg("%s, step %d: scale %.9g, PyTorch has %.9g", name, steps + 1, (double)scaler_scale(&scaler),
                     (double)expected);
        scaler_update(&resumed, found_inf); /* its state is all there is to it */
        ScalerState kept = scaler_state(&resumed);
        resumed = scaler_new(&options);
        scaler_set_state(&resumed, kept);
        assert_near(scaler_scale(&resumed), expected, 0);
    }
    assert_int_equal(steps, 5000);
    arena_free(arena);
}

static void five_thousand_scales_are_those_of_pytorch(void **state)
{
    (void)state;
    replay("scaler-powers.txt");
    replay("scaler-uneven.txt");
}

/* The log without what only a scaler writes. */
static const char *log_without_scale(Bench *bench, const Training *training)
{
    Text text = text_new(bench->arena);
    for (const char *line = training_log(bench, training); *line;) {
        size_t length = strcspn(line, "\n") + 1, begin = length;
        const char *scale = strstr(line, "\"scale\":");
        if (scale && scale < line + length)
            begin = (size_t)(scale - line);
        if (strncmp(line, "{\"event\":\"scaler\"", 17) != 0) {
            text_add_bytes(&text, line, begin);
            if (begin < length) {
                scale += strcspn(scale, ",}");
                text_add_bytes(&text, scale, (size_t)(line + length - scale));
            }
        }
        line += length;
    }
    return text.at;
}

static void check_same_but_for_the_scale(Bench *bench, const char *config, const char *set, const char *other)
{
    Training plain = training_run(bench, config, SETS("train.steps=12", "monitor.every=1", set, other), 1, "plain"),
             scaled = training_run(bench, config, SETS("train.steps=12", "monitor.every=1", SCALED, set, other), 1, "scaled");
    size_t count;
    const float *a = training_state(bench, &plain, &count), *b = training_state(bench, &scaled, &count);
    assert_memory_equal(a, b, sizeof *a * count);
    assert_string_equal(log_without_scale(bench, &plain), log_without_scale(bench, &scaled));
    assert_near(training_last(bench, &scaled, RUN_EVENT_SCALER, "scale"), 8192, 0);
}

static void nothing_sees_the_scale(void **state)
{
    Bench *bench = *state;
    check_same_but_for_the_scale(
        bench, bench_file(bench, "config.json", CONFIG),
        "hooks=[{\"on\": \"fc1.weight\", \"do\": [\"log\", \"clamp(grad, -0.01, 0.01)\"]},"
        "{\"on\": \"act\", \"at\": \"output_grad\", \"do\": [\"log\", \"clamp(grad, -0.001, 0.001)\"]}]",
        NULL);
}

static void a_penalty_does_not_see_the_scale(void **state)
{
    check_same_but_for_the_scale(*state, "configs/wgan-gp.json", NULL, NULL);
}

static void both_nets_of_a_gan_have_one_scaler(void **state)
{
    check_same_but_for_the_scale(*state, "configs/gan-ring.json", NULL, NULL);
}

/* Few enough positions that its gradients do not vanish below float32's range. */
static void gates_of_a_recurrent_layer_are_seen_without_the_scale(void **state)
{
    check_same_but_for_the_scale(*state, "configs/rnn-vanishing.json", "model.input=[20, 2]", "data.length=20");
}

static double scale_of_step(Bench *bench, const Training *training, int64_t step, const char *kind, const char *key)
{
    RunReader *reader = run_reader_open(bench->arena, training->folder, bench->err);
    RunEvent event;
    while (run_reader_next(reader, &event, bench->err) && event.kind != RUN_EVENT_NONE)
        if (event.step == step && !strcmp(event.name, kind))
            return run_event_number(&event, key);
    return run_missing();
}

static void a_skip_counts_is_logged_and_does_not_stop(void **state)
{
    Bench *bench = *state;
    const char *config = bench_file(bench, "config.json", CONFIG);
    Training t = training_run(
        bench, config, SETS("precision={\"type\": \"float16\", \"scaler\": {\"init_scale\": 1e30, \"backoff_factor\": 1e-26}}"),
        1, "run");
    assert_int_equal(trainer_steps_done(t.trainer), 12);
    assert_near(scale_of_step(bench, &t, 1, "step", "scale"), 1e30, 1e23);
    assert_near(scale_of_step(bench, &t, 1, "step", "skipped"), 1, 0);
    assert_true(!isfinite(scale_of_step(bench, &t, 1, "step", "grad_norm")));
    assert_near(scale_of_step(bench, &t, 1, "scaler", "found_inf"), 1, 0);
    assert_near(scale_of_step(bench, &t, 1, "scaler", "skipped"), 1, 0);
    assert_near(scale_of_step(bench, &t, 1, "scaler", "scale"), 1e4, 1e-2);
    assert_near(scale_of_step(bench, &t, 2, "step", "scale"), 1e4, 1e-2);
    assert_near(scale_of_step(bench, &t, 2, "step", "skipped"), 0, 0);
    assert_true(scale_of_step(bench, &t, 2, "step", "lr") < scale_of_step(bench, &t, 1, "step", "lr"));
    assert_true(scale_of_step(bench, &t, 2, "step", "grad_norm") < 100);
}

static void a_skipped_step_leaves_the_weights_alone(void **state)
{
    Bench *bench = *state;
    const char *config = bench_file(bench, "config.json", CONFIG);
    Training t =
        training_start(bench, config, SETS("precision={\"type\": \"float16\", \"scaler\": {\"init_scale\": 1e30}}"), 1, "run");
    size_t count;
    const float *before = training_state(bench, &t, &count);
    assert_int_equal(trainer_step(t.trainer, bench->err), TRAIN_COMPLETED);
    assert_memory_equal(before, training_state(bench, &t, &count), sizeof *before * count);
}

static void one_bad_micro_batch_skips_its_whole_group(void **state)
{
    Bench *bench = *state;
    const char *config = bench_file(
        bench, "config.json",
        "{\"name\": \"bad\", \"model\": {\"input\": [1], \"layers\": [{\"type\": \"linear\", \"out\": 1}]}, \"data\":"
        "{\"type\": \"inline\", \"inputs\": [[1], [2], [70000], [3], [1], [2]], \"targets\": [1, 2, 3, 4, 5, 6]},"
        "\"loss\": \"mse\", \"train\": {\"steps\": 3, \"batch_size\": 1, \"accumulate\": 2, \"shuffle\": false},"
        "\"precision\": {\"type\": \"float16\", \"scaler\": {\"init_scale\": 4}}}");
    Training t = training_run(bench, config, NULL, 1, "run");
    for (int step = 1; step <= 3; step++)
        assert_near(scale_of_step(bench, &t, step, "step", "skipped"), step == 2, 0);
    assert_near(scale_of_step(bench, &t, 3, "step", "scale"), 2, 0);
}

/* Without a scaler the policy is the config's; with one, PyTorch would skip for ever, and so do we. */
static void what_is_not_finite_stops_the_training_only_where_the_scaler_does_not_skip_it(void **state)
{
    Bench *bench = *state;
    const char *config = bench_file(
        bench, "config.json",
        "{\"name\": \"nan\", \"model\": {\"input\": [1], \"layers\": [{\"type\": \"linear\", \"out\": 1}]}, \"data\":"
        "{\"type\": \"inline\", \"inputs\": [[1], [70000]], \"targets\": [1, 2]}, \"loss\": \"mse\","
        "\"train\": {\"steps\": 5, \"batch_size\": 2}, \"precision\": {\"type\": \"float16\"}}");
    Training skipping = training_run(bench, config, NULL, 1, "skipping");
    assert_near(training_last(bench, &skipping, RUN_EVENT_SCALER, "scale"), 65536 / 32, 0);
    Training stopped = training_start(bench, config, SETS("precision.scaler={\"enabled\": false}"), 1, "stopped");
    training_finish(bench, &stopped, TRAIN_DIVERGED);
    assert_string_equal(training_events(bench, &stopped, "scaler"), "");
    assert_near(training_last(bench, &stopped, RUN_EVENT_STEP, "scale"), 1, 0);
}

#define BLOCK(checkpoint)                                                                                                      \
    "model={\"input\": [8], \"layers\": [{\"type\": \"block\", \"name\": \"body\", \"checkpoint\": " checkpoint ", " LAYERS    \
    "}]}"

static void half_precision_does_not_depend_on_threads_or_recomputation(void **state)
{
    static const char *const types[] = {"precision={\"type\": \"bfloat16\"}",
                                        "precision={\"type\": \"bfloat16\", \"products\": \"emulated\"}",
                                        "precision={\"type\": \"float16\"}"};
    Bench *bench = *state;
    for (int i = 0; i < 3; i++) {
        const char *names[] = {arena_printf(bench->arena, "one-%d", i), arena_printf(bench->arena, "two-%d", i),
                               arena_printf(bench->arena, "kept-%d", i), arena_printf(bench->arena, "recomputed-%d", i)};
        const char *const *sets =
            SETS(types[i], "train.steps=4", "train.epochs=null", "train.batch_size=24", "monitor.every=1");
        Training one = training_run(bench, "configs/transformer-prenorm.json", sets, 1, names[0]),
                 two = training_run(bench, "configs/transformer-prenorm.json", sets, 2, names[1]);
        assert_same_run(bench, &one, &two);
        const char *net = bench_file(bench, "config.json", CONFIG);
        Training kept = training_run(bench, net, SETS(types[i], BLOCK("false")), 1, names[2]),
                 recomputed = training_run(bench, net, SETS(types[i], BLOCK("true")), 1, names[3]);
        assert_same_run(bench, &kept, &recomputed);
    }
}

static void mistakes_in_the_scaler_are_named(void **state)
{
    Bench *bench = *state;
    const char *config = bench_file(bench, "config.json", CONFIG);
    assert_null(config_read(
        bench->arena, config,
        SETS("precision={\"type\": \"float16\", \"scaler\": {\"growth_factor\": 1, \"backoff_factor\": 1}}"), 1, bench->err));
    assert_int_equal(error_count(bench->err), 2);
    assert_non_null(strstr(error_message(bench->err, 0), "growth_factor"));
    assert_non_null(strstr(error_message(bench->err, 1), "backoff_factor"));
}

int main(void)
{
#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_thousand_scales_are_those_of_pytorch),
        BENCH_TEST(nothing_sees_the_scale),
        BENCH_TEST(a_penalty_does_not_see_the_scale),
        BENCH_TEST(both_nets_of_a_gan_have_one_scaler),
        BENCH_TEST(gates_of_a_recurrent_layer_are_seen_without_the_scale),
        BENCH_TEST(a_skip_counts_is_logged_and_does_not_stop),
        BENCH_TEST(a_skipped_step_leaves_the_weights_alone),
        BENCH_TEST(one_bad_micro_batch_skips_its_whole_group),
        BENCH_TEST(what_is_not_finite_stops_the_training_only_where_the_scaler_does_not_skip_it),
        BENCH_TEST(half_precision_does_not_depend_on_threads_or_recomputation),
        BENCH_TEST(mistakes_in_the_scaler_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
