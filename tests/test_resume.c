/* Stopping and going on changes no bit: of the weights, and of the log but its seconds. */
#include "support_test.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "support_run.h"
#include "train/checkpoint_folder.h"

#define DATA "\"data\": {\"type\": \"blobs\", \"samples\": 84, \"features\": 8, \"noise\": 1, \"validation\": 0.1}"
/* 75 samples in batches of 8: ten micro-batches an epoch, in groups of 3, 3, 3 and 1. */
#define MLP                                                                                                                    \
    "{\"name\": \"mlp\", \"seed\": 3, \"model\": {\"input\": [8], \"layers\": [{\"type\": \"linear\", \"out\": 24},"           \
    "{\"type\": \"batchnorm\"}, {\"type\": \"relu\"}, {\"type\": \"dropout\", \"p\": 0.3}, {\"type\": \"linear\","             \
    "\"name\": \"head\", \"out\": 3}]}," DATA ", \"loss\": \"cross_entropy\", \"optimizer\": {\"type\": \"adam\","             \
    "\"lr\": 0.01}, \"schedule\": {\"type\": \"cosine\", \"warmup\": 3}, \"train\": {\"epochs\": 3, \"batch_size\": 8,"        \
    "\"accumulate\": 3, \"eval_every\": 5, \"checkpoint_every\": 4}, \"clip\": {\"type\": \"norm\", \"max_norm\": 0.5},"       \
    "\"hooks\": [{\"on\": \"head.weight\", \"do\": [\"log\", \"save\", \"clamp(grad, -0.1, 0.1)\"]}],"                         \
    "\"monitor\": {\"instruments\": \"all\", \"histogram_every\": 2, \"every\": 3}}"
#define CNN                                                                                                                    \
    "{\"name\": \"cnn\", \"seed\": 5, \"model\": {\"input\": [1, 28, 28], \"layers\": [{\"type\": \"conv2d\", \"out\": 4,"     \
    "\"kernel\": 3}, {\"type\": \"batchnorm\"}, {\"type\": \"relu\"}, {\"type\": \"maxpool2d\", \"kernel\": 4},"               \
    "{\"type\": \"flatten\"}, {\"type\": \"linear\", \"out\": 10}]}, \"data\": {\"type\": \"digits\", \"samples\": 60,"        \
    "\"validation\": 0.2}, \"loss\": \"cross_entropy\", \"optimizer\": {\"type\": \"sgd\", \"lr\": 0.1, \"momentum\": 0.9},"   \
    "\"train\": {\"epochs\": 3, \"batch_size\": 16}}"
#define LSTM                                                                                                                   \
    "{\"name\": \"lstm\", \"model\": {\"input\": {\"tokens\": 10, \"length\": 16}, \"layers\": [{\"type\": \"embedding\","     \
    "\"dim\": 6}, {\"type\": \"lstm\", \"hidden\": 12}, {\"type\": \"linear\", \"out\": 10}]},"                                \
    "\"data\": {\"type\": \"copy\", \"samples\": 50, \"length\": 8}, \"loss\": \"cross_entropy\","                             \
    "\"optimizer\": {\"type\": \"rmsprop\", \"momentum\": 0.5}, \"train\": {\"steps\": 9, \"batch_size\": 12}}"
/* The third batch of four has a cell that is not a number. */
#define BROKEN                                                                                                                 \
    "{\"model\": {\"input\": [1], \"layers\": [{\"type\": \"linear\", \"out\": 4}, {\"type\": \"batchnorm\"},"                 \
    "{\"type\": \"linear\", \"out\": 1}]}, \"data\": {\"type\": \"csv\", \"path\": \"rows.csv\", \"target\": 1,"               \
    "\"task\": \"regression\", \"header\": false}, \"loss\": \"mse\", \"optimizer\": {\"type\": \"sgd\", \"lr\": 0.1,"         \
    "\"momentum\": 0.9}, \"train\": {\"epochs\": 1, \"batch_size\": 4, \"shuffle\": false, \"checkpoint_every\": 1}}"

/* Memory of its own, so that a training's files can be closed before the test ends. */
static Bench inner_bench(const Bench *bench)
{
    Bench inner = *bench;
    inner.arena = arena_new(bench->arena);
    inner.err = error_new(inner.arena);
    return inner;
}

typedef struct Stopper {
    int64_t at;
    volatile sig_atomic_t flag;
} Stopper;

static void stop_at(void *context, const StepReport *report, const ClipResult *clip)
{
    (void)clip;
    Stopper *stopper = context;
    stopper->flag = report->step >= stopper->at;
}

/* Trains up to a step, as if a signal had come while it was made, and closes the run. */
static void run_until(Training *training, int64_t step, Error *err)
{
    Stopper stopper = {.at = step};
    monitor_listen(training->monitor, &(MonitorListener){.context = &stopper, .stepped = stop_at});
    TrainStatus status = trainer_run(training->trainer, &stopper.flag, err);
    assert_int_equal(status, TRAIN_INTERRUPTED);
    assert_true(monitor_close(training->monitor, status, trainer_steps_done(training->trainer), 0, err));
}

static void stop_new_run(Bench *bench, const char *config, const char *const *sets, int threads, const char *name, int64_t step)
{
    Bench inner = inner_bench(bench);
    Training training = training_start(&inner, config, sets, threads, name);
    run_until(&training, step, inner.err);
    arena_free(inner.arena);
}

static void check_stops(Bench *bench, const char *config, const char *const *sets, const int64_t *stops)
{
    Training straight = training_run(bench, config, sets, 1, "straight");
    for (int i = 0; stops[i]; i++) {
        const char *name = arena_printf(bench->arena, "stopped-%d", i);
        Resumption resumption;
        stop_new_run(bench, config, sets, 1 + i % 2, name, stops[i]);
        Training resumed = training_resume(bench, NULL, NULL, 2 - i % 2, name, &resumption);
        assert_int_equal(resumption.step, stops[i]);
        assert_false(resumption.is_changed);
        training_finish(bench, &resumed, TRAIN_COMPLETED);
        assert_same_run(bench, &straight, &resumed);
    }
}

static void a_stopped_net_with_dropout_accumulation_and_hooks_goes_on_to_the_same_bits(void **state)
{
    check_stops(*state, bench_file(*state, "mlp.json", MLP), NULL, (const int64_t[]){1, 4, 5, 6, 8, 11, 12, 0});
}

static void a_stopped_convolution_net_with_batch_statistics_and_momentum_goes_on_to_the_same_bits(void **state)
{
    check_stops(*state, bench_file(*state, "cnn.json", CNN), NULL, (const int64_t[]){2, 3, 7, 0});
}

static void a_stopped_recurrent_net_goes_on_to_the_same_bits(void **state)
{
    check_stops(*state, bench_file(*state, "lstm.json", LSTM), NULL, (const int64_t[]){1, 5, 8, 0});
}

static void a_stopped_gan_goes_on_to_the_same_bits(void **state)
{
    check_stops(*state, "configs/gan-ring.json",
                SETS("train.steps=14", "data.samples=300", "monitor.every=3", "train.checkpoint_every=5"),
                (const int64_t[]){1, 6, 10, 13, 0});
}

/* The scale grows every second step until it overflows, then falls: some steps are skipped. */
static void a_stopped_half_precision_net_goes_on_with_its_scale(void **state)
{
    Bench *bench = *state;
    const char *config = bench_file(bench, "mlp.json", MLP);
    const char *const *sets =
        SETS("precision={\"type\": \"float16\", \"scaler\": {\"init_scale\": 1e6, \"growth_interval\": 2}}", "train.epochs=6");
    check_stops(bench, config, sets, (const int64_t[]){1, 2, 5, 8, 9, 15, 0});
    Training straight = {.folder = path_join(bench->arena, bench->folder, "straight")};
    const char *events = training_events(bench, &straight, "scaler");
    assert_non_null(strstr(events, "\"skipped\":true"));
    assert_non_null(strstr(events, "\"skipped\":false"));
}

static void a_run_that_stops_at_every_step_ends_in_the_same_bits(void **state)
{
    Bench *bench = *state;
    const char *config = bench_file(bench, "mlp.json", MLP);
    Training straight = training_run(bench, config, NULL, 1, "straight");
    stop_new_run(bench, config, NULL, 1, "often", 1);
    for (int64_t step = 2; step < 12; step++) {
        Bench inner = inner_bench(bench);
        Resumption resumption;
        Training training = training_resume(&inner, NULL, NULL, 1, "often", &resumption);
        assert_int_equal(resumption.step, step - 1);
        run_until(&training, step, inner.err);
        arena_free(inner.arena);
    }
    Resumption resumption;
    Training last = training_resume(bench, NULL, NULL, 1, "often", &resumption);
    training_finish(bench, &last, TRAIN_COMPLETED);
    assert_same_run(bench, &straight, &last);
}

static const char *file_of(Bench *bench, const char *name)
{
    return path_join(bench->arena, bench->folder, name);
}

/* Changes a byte of a file, or cuts the file there. */
static void damage(Bench *bench, const char *name, size_t byte, bool cut)
{
    Bytes bytes;
    assert_true(file_read(bench->arena, file_of(bench, name), &bytes, bench->err));
    assert_true(byte < bytes.count);
    unsigned char *copy = arena_alloc(bench->arena, bytes.count);
    memcpy(copy, bytes.at, bytes.count);
    copy[byte] ^= 1;
    assert_true(file_write(file_of(bench, name), copy, cut ? byte : bytes.count, bench->err));
}

static void check_fall_back(Bench *bench, const Training *straight, const char *name, int64_t from, int notes)
{
    Bench inner = inner_bench(bench);
    Resumption resumption;
    Training resumed = training_resume(&inner, NULL, NULL, 1, name, &resumption);
    assert_int_equal(resumption.step, from);
    assert_int_equal(resumption.notes, notes);
    for (int i = 0; i < notes; i++)
        assert_non_null(strstr(resumption.note[i], "damaged"));
    assert_true(!resumption.path == !from);
    training_finish(&inner, &resumed, TRAIN_COMPLETED);
    assert_same_run(bench, straight, &resumed);
    arena_free(inner.arena);
}

static void a_damaged_checkpoint_is_passed_over_for_an_older_one(void **state)
{
    Bench *bench = *state;
    static const struct {
        const char *file;
        size_t byte;
        bool cut;
    } cases[] = {{"model.safetensors", 700, false},
                 {"optimizer.safetensors", 40, false},
                 {"model.safetensors", 300, true},
                 {"optimizer.safetensors", 0, true},
                 {"state.json", 60, false},
                 {"state.json", 60, true},
                 {"state.json", 0, true}};
    const char *config = bench_file(bench, "mlp.json", MLP);
    Training straight = training_run(bench, config, NULL, 1, "straight");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *name = arena_printf(bench->arena, "damaged-%zu", i);
        stop_new_run(bench, config, NULL, 1, name, 8);
        damage(bench, arena_printf(bench->arena, "%s/checkpoints/step-8/%s", name, cases[i].file), cases[i].byte, cases[i].cut);
        check_fall_back(bench, &straight, name, 4, 1);
    }
}

static void without_a_whole_checkpoint_the_run_starts_again(void **state)
{
    Bench *bench = *state;
    const char *config = bench_file(bench, "mlp.json", MLP);
    Training straight = training_run(bench, config, NULL, 1, "straight");
    stop_new_run(bench, config, NULL, 1, "damaged", 8);
    damage(bench, "damaged/checkpoints/step-8/state.json", 10, false);
    damage(bench, "damaged/checkpoints/step-4/model.safetensors", 500, false);
    check_fall_back(bench, &straight, "damaged", 0, 2);
    stop_new_run(bench, config, NULL, 1, "removed", 8);
    file_remove_folder(file_of(bench, "removed/checkpoints"));
    check_fall_back(bench, &straight, "removed", 0, 0);
}

static void a_checkpoint_whose_log_is_lost_is_passed_over(void **state)
{
    Bench *bench = *state;
    const char *config = bench_file(bench, "mlp.json", MLP);
    Training straight = training_run(bench, config, NULL, 1, "straight");
    stop_new_run(bench, config, NULL, 1, "short", 8);
    Bytes log;
    assert_true(file_read(bench->arena, file_of(bench, "short/log.jsonl"), &log, bench->err));
    const char *all = (const char *)log.at;
    damage(bench, "short/log.jsonl", (size_t)(strstr(all, "\"step\":6,") - all), true);
    Resumption resumption;
    Training resumed = training_resume(bench, NULL, NULL, 1, "short", &resumption);
    assert_int_equal(resumption.step, 4);
    assert_int_equal(resumption.notes, 1);
    assert_non_null(strstr(resumption.note[0], "log.jsonl"));
    training_finish(bench, &resumed, TRAIN_COMPLETED);
    assert_same_run(bench, &straight, &resumed);
}

static void the_newest_checkpoints_stay(void **state)
{
    Bench *bench = *state;
    int count;
    const char *config = bench_file(bench, "mlp.json", MLP);
    training_run(bench, config, SETS("train.checkpoint_every=2", "train.checkpoint_keep=3"), 1, "three");
    const int64_t *steps = checkpoint_list(bench->arena, file_of(bench, "three/checkpoints"), &count);
    assert_int_equal(count, 3);
    assert_int_equal(steps[0], 12);
    assert_int_equal(steps[1], 10);
    assert_int_equal(steps[2], 8);
    training_run(bench, config, SETS("train.checkpoint_every=0"), 1, "last");
    steps = checkpoint_list(bench->arena, file_of(bench, "last/checkpoints"), &count);
    assert_int_equal(count, 1);
    assert_int_equal(steps[0], 12);
}

static void a_finished_run_is_left_as_it_is(void **state)
{
    Bench *bench = *state;
    Bench inner = inner_bench(bench);
    Training training = training_run(&inner, bench_file(bench, "mlp.json", MLP), NULL, 1, "run");
    const char *log = arena_strdup(bench->arena, training_log(&inner, &training));
    arena_free(inner.arena);
    Resumption resumption;
    Training again = training_resume(bench, NULL, SETS("train.epochs=2"), 1, "run", &resumption);
    assert_true(resumption.is_finished);
    assert_int_equal(resumption.step, 12);
    assert_string_equal(training_log(bench, &again), log);
}

static void a_finished_run_goes_on_to_more_steps_as_if_it_had_had_them_from_the_start(void **state)
{
    Bench *bench = *state;
    const char *config = bench_file(bench, "mlp.json", MLP);
    static const char *const kinds[] = {"step", "gradients", "updates", "histogram", "hook", "eval", "clip", "accumulate"};
    const char *const *more = SETS("schedule.type=constant", "train.epochs=6");
    Training straight = training_run(bench, config, more, 1, "straight");
    Bench inner = inner_bench(bench);
    training_run(&inner, config, SETS("schedule.type=constant"), 1, "run");
    arena_free(inner.arena);
    Resumption resumption;
    Training resumed = training_resume(bench, NULL, SETS("train.epochs=6"), 1, "run", &resumption);
    assert_false(resumption.is_finished);
    assert_true(resumption.is_changed);
    assert_int_equal(resumption.step, 12);
    training_finish(bench, &resumed, TRAIN_COMPLETED);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        assert_same_events(bench, &straight, &resumed, kinds[i]);
    size_t count;
    float *a = training_state(bench, &straight, &count), *b = training_state(bench, &resumed, &count);
    assert_memory_equal(a, b, sizeof *a * count);
    assert_string_equal(training_events(bench, &resumed, "resume"), "{\"event\":\"resume\",\"step\":12,\"steps\":24}\n");
    Bytes texts[2];
    assert_true(file_read(bench->arena, file_of(bench, "straight/config.json"), &texts[0], bench->err));
    assert_true(file_read(bench->arena, file_of(bench, "run/config.json"), &texts[1], bench->err));
    assert_string_equal((const char *)texts[0].at, (const char *)texts[1].at);
}

static const char *broken_config(Bench *bench)
{
    bench_file(bench, "rows.csv", "1,2\n2,1\n3,0\n4,1\n2,2\n1,1\n0,0\n5,1\n1,1\nnan,1\n2,2\n3,1\n1,0\n1,1\n2,1\n3,3\n");
    return bench_file(bench, "broken.json", BROKEN);
}

static void a_run_that_diverged_goes_on_before_the_step_that_was_not_finite(void **state)
{
    Bench *bench = *state;
    Bench inner = inner_bench(bench);
    const char *const *rare = SETS("train.checkpoint_every=0");
    Training straight = training_start(&inner, broken_config(bench), rare, 1, "run");
    training_finish(&inner, &straight, TRAIN_DIVERGED);
    const char *log = arena_strdup(bench->arena, training_log(&inner, &straight));
    assert_non_null(strstr(log, "{\"event\":\"checkpoint\",\"step\":2,"));
    arena_free(inner.arena);
    Training before = training_run(bench, broken_config(bench), SETS("train.epochs=null", "train.steps=2"), 1, "before");
    inner = inner_bench(bench);
    Resumption resumption;
    Training again = training_resume(&inner, NULL, NULL, 1, "run", &resumption);
    assert_int_equal(resumption.step, 2);
    size_t count;
    float *kept = training_state(&inner, &again, &count), *expected = training_state(bench, &before, &count);
    assert_memory_equal(kept, expected, sizeof *kept * count);
    training_finish(&inner, &again, TRAIN_DIVERGED);
    assert_string_equal(training_log(&inner, &again), log);
    arena_free(inner.arena);
    Training healed = training_resume(bench, NULL, SETS("train.nonfinite=skip"), 1, "run", &resumption);
    assert_int_equal(resumption.step, 2);
    training_finish(bench, &healed, TRAIN_COMPLETED);
    Training skipped = training_run(bench, broken_config(bench), SETS("train.nonfinite=skip"), 1, "skipped");
    assert_same_events(bench, &healed, &skipped, "step");
    kept = training_state(bench, &healed, &count);
    expected = training_state(bench, &skipped, &count);
    assert_memory_equal(kept, expected, sizeof *kept * count);
}

static void check_refused(Bench *bench, const char *const *sets, const char *message)
{
    Bench inner = inner_bench(bench);
    int count = 0;
    while (sets && sets[count])
        count++;
    const char *folder = file_of(bench, "run");
    Config *config = config_read(inner.arena, path_join(inner.arena, folder, "config.json"), sets, count, inner.err);
    Monitor *monitor = monitor_new(inner.arena, config, inner.err);
    Trainer *trainer = trainer_new(inner.arena, config, NULL, monitor_observer(monitor), inner.err);
    Resumption resumption;
    assert_non_null(trainer);
    assert_false(monitor_resume(monitor, folder, trainer, &resumption, inner.err));
    const char *last = error_message(inner.err, error_count(inner.err) - 1);
    if (!strstr(last, message))
        fail_msg("`%s` does not say `%s`", last, message);
    arena_free(inner.arena);
}

static void a_checkpoint_of_another_model_or_place_is_refused(void **state)
{
    Bench *bench = *state;
    stop_new_run(bench, bench_file(bench, "mlp.json", MLP), NULL, 1, "run", 6);
    Bytes before, after;
    assert_true(file_read(bench->arena, file_of(bench, "run/log.jsonl"), &before, bench->err));
    check_refused(bench, SETS("model.layers[0].out=9"), "model and optimizer");
    check_refused(bench, SETS("optimizer={\"type\": \"adagrad\"}"), "model and optimizer");
    check_refused(bench, SETS("train.batch_size=4"), "in the middle of an epoch of 76 samples in batches of 8");
    check_refused(bench, SETS("data.samples=200"), "the config has 180 in batches of 8");
    assert_true(file_read(bench->arena, file_of(bench, "run/log.jsonl"), &after, bench->err));
    assert_string_equal((const char *)before.at, (const char *)after.at);
}

static void a_run_that_is_being_trained_is_not_resumed(void **state)
{
    Bench *bench = *state;
    Bench inner = inner_bench(bench);
    training_start(&inner, bench_file(bench, "mlp.json", MLP), NULL, 1, "run");
    check_refused(bench, NULL, "another process is training");
    arena_free(inner.arena);
    Resumption resumption;
    training_resume(bench, NULL, NULL, 1, "run", &resumption);
    check_refused(bench, NULL, "another process is training");
}

static void numbers_of_64_bits_come_back_exactly(void **state)
{
    Bench *bench = *state;
    Training training = training_start(bench, bench_file(bench, "mlp.json", MLP), NULL, 1, "run");
    const TrainPoint point = {
        .step = ((int64_t)1 << 53) + 1, .epoch = INT64_MAX, .micro = 3, .runs = INT64_MAX - 2, .scale = 0, .seconds = 1.0 / 3};
    const CheckpointNote note = {.log_bytes = ((int64_t)1 << 61) + 1, .config = 0xfedcba98};
    const char *path = checkpoint_path(bench->arena, bench->folder, point.step);
    training.config->model->state[0]->data[0] = -0.0f;
    assert_true(checkpoint_write(training.trainer, &point, path, &note, bench->err));
    const Checkpoint *read = checkpoint_read(bench->arena, path, bench->err);
    assert_non_null(read);
    assert_memory_equal(&read->point, &point, sizeof point);
    assert_true(read->note.log_bytes == note.log_bytes && read->note.config == note.config);
    training.config->model->state[0]->data[0] = 1;
    assert_true(checkpoint_restore(read, training.trainer, bench->err));
    assert_memory_equal(training.config->model->state[0]->data, (float[]){-0.0f}, sizeof(float));
    TrainPoint now;
    assert_true(trainer_point(training.trainer, &now));
    assert_memory_equal(&now, &point, sizeof point);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stopped_net_with_dropout_accumulation_and_hooks_goes_on_to_the_same_bits),
        TEST(a_stopped_convolution_net_with_batch_statistics_and_momentum_goes_on_to_the_same_bits),
        TEST(a_stopped_recurrent_net_goes_on_to_the_same_bits),
        TEST(a_stopped_gan_goes_on_to_the_same_bits),
        TEST(a_stopped_half_precision_net_goes_on_with_its_scale),
        TEST(a_run_that_stops_at_every_step_ends_in_the_same_bits),
        TEST(a_damaged_checkpoint_is_passed_over_for_an_older_one),
        TEST(without_a_whole_checkpoint_the_run_starts_again),
        TEST(a_checkpoint_whose_log_is_lost_is_passed_over),
        TEST(the_newest_checkpoints_stay),
        TEST(a_finished_run_is_left_as_it_is),
        TEST(a_finished_run_goes_on_to_more_steps_as_if_it_had_had_them_from_the_start),
        TEST(a_run_that_diverged_goes_on_before_the_step_that_was_not_finite),
        TEST(a_checkpoint_of_another_model_or_place_is_refused),
        TEST(a_run_that_is_being_trained_is_not_resumed),
        TEST(numbers_of_64_bits_come_back_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
