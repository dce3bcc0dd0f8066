/* Properties of training as a whole: what no unit can show by itself. */
#include "support_test.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "support_run.h"

#define NET                                                                                                                    \
    "{\"input\": [8], \"layers\": [{\"type\": \"linear\", \"name\": \"fc1\", \"out\": 24}, {\"type\": \"batchnorm\"},"         \
    "{\"type\": \"relu\"}, {\"type\": \"dropout\", \"p\": 0.2}, {\"type\": \"linear\", \"name\": \"fc2\", \"out\": 24},"       \
    "{\"type\": \"gelu\"}, {\"type\": \"linear\", \"name\": \"head\", \"out\": 3}]}"
/* 75 samples in batches of 16: the last of an epoch has 11. */
#define CONFIG                                                                                                                 \
    "{\"name\": \"small\", \"seed\": 3, \"model\": " NET ", \"data\": {\"type\": \"blobs\", \"samples\": 75,"                  \
    "\"features\": 8, \"noise\": 1}, \"loss\": \"cross_entropy\", \"optimizer\": {\"type\": \"adamw\", \"lr\": 0.01},"         \
    "\"schedule\": {\"type\": \"cosine\", \"warmup\": 3}, \"train\": {\"epochs\": 4, \"batch_size\": 16},"                     \
    "\"clip\": {\"type\": \"norm\", \"max_norm\": 0.5}, \"monitor\": {\"instruments\": \"all\", \"histogram_every\": 2}}"
/* Without layers that look at the batch as a whole or draw numbers by it. */
#define PLAIN_NET                                                                                                              \
    "model={\"input\": [8], \"layers\": [{\"type\": \"linear\", \"out\": 24}, {\"type\": \"tanh\"},"                           \
    "{\"type\": \"layernorm\"}, {\"type\": \"linear\", \"out\": 3}]}"

static atomic_long allocations;

#ifdef __has_feature
#define HAS_FEATURE(name) __has_feature(name)
#else
#define HAS_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || HAS_FEATURE(address_sanitizer) ||                         \
    HAS_FEATURE(thread_sanitizer)
/* Of the sanitizers' run-time library; not every compiler brings the header. */
extern int __sanitizer_install_malloc_and_free_hooks(void (*allocated)(const volatile void *, size_t),
                                                     void (*freed)(const volatile void *));

static void count_allocation(const volatile void *at, size_t bytes)
{
    (void)at, (void)bytes;
    allocations++;
}

static void ignore_free(const volatile void *at)
{
    (void)at;
}

static bool counts_allocations(void)
{
    return __sanitizer_install_malloc_and_free_hooks(count_allocation, ignore_free) > 0;
}
#elif defined(__GLIBC__)
/* These take the place of the C library's in this program. */
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *old, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);

void *malloc(size_t bytes)
{
    allocations++;
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    allocations++;
    return __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes)
{
    allocations++;
    return __libc_realloc(old, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    allocations++;
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **into, size_t alignment, size_t bytes)
{
    allocations++;
    *into = __libc_memalign(alignment, bytes);
    return *into ? 0 : ENOMEM;
}

static bool counts_allocations(void)
{
    return true;
}
#else
static bool counts_allocations(void)
{
    return false;
}
#endif

static const char *small_config(Bench *bench)
{
    return bench_file(bench, "small.json", CONFIG);
}

/* Takes all that is left of the arena's chunk, so that the next block it gives out has to come from the system. */
static void fill_to_the_brim(Arena *arena)
{
    enum { BLOCK = 16 };
    size_t blocks, grown = 0, grown_before;
    do { /* chunks grow up to a largest size; then two are alike */
        size_t held = arena_bytes(arena);
        grown_before = grown;
        for (blocks = 0; arena_bytes(arena) == held; blocks++)
            arena_alloc(arena, BLOCK);
        grown = arena_bytes(arena) - held;
    } while (grown != grown_before);
    for (size_t i = 1; i < blocks; i++)
        arena_alloc(arena, BLOCK);
}

/* On one thread: OpenBLAS takes another buffer when two threads first meet in it, which is up to chance. */
static void check_steps_allocate_nothing(Bench *bench, const char *const *sets, const char *name)
{
    enum { WARM_UP = 12, STEPS = 50 };
    Training training = training_start(bench, small_config(bench), sets, 1, name);
    for (int i = 0; i < WARM_UP; i++)
        assert_int_equal(trainer_step(training.trainer, bench->err), TRAIN_COMPLETED);
    fill_to_the_brim(bench->arena);
    long before = allocations;
    for (int i = 0; i < STEPS; i++)
        assert_int_equal(trainer_step(training.trainer, bench->err), TRAIN_COMPLETED);
    if (allocations != before)
        fail_msg("%s: %ld allocations in %d steps", name, allocations - before, STEPS);
}

static void a_steady_training_step_allocates_nothing(void **state)
{
    long before = allocations;
    if (!counts_allocations())
        skip();
    char *volatile block = malloc(1); /* volatile: a pair that nobody looks at may be left out */
    free(block);
    assert_true(allocations > before);
    check_steps_allocate_nothing(*state, SETS("train.epochs=100"), "all-instruments");
    check_steps_allocate_nothing(*state, SETS("train.epochs=100", "train.accumulate=3"), "accumulate");
    check_steps_allocate_nothing(*state, SETS("train.epochs=100", "clip={\"type\": \"adaptive\", \"ratio\": 0.01}"),
                                 "adaptive");
    check_steps_allocate_nothing(*state, SETS("train.epochs=100", "monitor.instruments=none"), "no-instruments");
    check_steps_allocate_nothing(*state, SETS("train.epochs=100", "precision.type=bfloat16"), "bfloat16");
    check_steps_allocate_nothing(*state, SETS("train.epochs=100", "precision.type=float16"), "float16");
    check_steps_allocate_nothing(
        *state,
        SETS("train.epochs=100", "clip={\"type\": \"value\", \"limit\": 0.01}", "train.nonfinite=skip", "monitor.every=3"),
        "clip-value");
}

static void the_same_config_and_seed_give_the_same_bits(void **state)
{
    Training first = training_run(*state, small_config(*state), NULL, 1, "first");
    Training second = training_run(*state, small_config(*state), NULL, 1, "second");
    assert_same_run(*state, &first, &second);
    Training other = training_run(*state, small_config(*state), SETS("seed=4"), 1, "other");
    assert_string_not_equal(training_events(*state, &first, "step"), training_events(*state, &other, "step"));
}

static void the_number_of_threads_changes_no_bit(void **state)
{
    const char *const *sets =
        SETS("model.layers[0].out=500", "model.layers[4].out=300", "data.samples=1000", "train.epochs=null", "train.steps=6",
             "train.batch_size=150", "train.accumulate=2", "data.validation=0.1");
    Training one = training_run(*state, small_config(*state), sets, 1, "one");
    Training two = training_run(*state, small_config(*state), sets, 2, "two");
    Training three = training_run(*state, small_config(*state), sets, 3, "three");
    assert_same_run(*state, &one, &two);
    assert_same_run(*state, &one, &three);
}

static void the_written_config_trains_to_the_same_bits(void **state)
{
    Bench *bench = *state;
    Training first = training_run(bench, "configs/iris.json", SETS("train.epochs=3", "optimizer.lr=0.02"), 1, "first");
    Training again = training_run(bench, path_join(bench->arena, first.folder, "config.json"), NULL, 1, "again");
    assert_same_run(bench, &first, &again);
    Training small = training_run(bench, small_config(bench), SETS("train.accumulate=2"), 1, "small");
    again = training_run(bench, path_join(bench->arena, small.folder, "config.json"), NULL, 1, "small-again");
    assert_same_run(bench, &small, &again);
}

/* 75 samples: groups of 16 + 16 + 16 and 16 + 11, against batches of 48 and 27. */
static void check_groups_equal_batches(Bench *bench, const char *loss)
{
    Training groups = training_run(bench, small_config(bench), SETS(PLAIN_NET, loss, "train.accumulate=3"), 1, "groups");
    Training batches = training_run(bench, small_config(bench), SETS(PLAIN_NET, loss, "train.batch_size=48"), 1, "batches");
    RunReader *a = run_reader_open(bench->arena, groups.folder, bench->err);
    RunReader *b = run_reader_open(bench->arena, batches.folder, bench->err);
    RunEvent in_groups, in_batches = {.kind = RUN_EVENT_OTHER};
    int steps = 0;
    while (run_reader_next(a, &in_groups, bench->err) && in_groups.kind != RUN_EVENT_NONE) {
        if (in_groups.kind != RUN_EVENT_STEP)
            continue;
        do
            assert_true(run_reader_next(b, &in_batches, bench->err));
        while (in_batches.kind != RUN_EVENT_STEP && in_batches.kind != RUN_EVENT_NONE);
        RunStep x = run_event_step(&in_groups), y = run_event_step(&in_batches);
        assert_int_equal(x.step, y.step);
        assert_near(x.samples, y.samples, 0);
        assert_near(x.loss, y.loss, 1e-5 * y.loss);
        assert_near(x.grad_norm, y.grad_norm, 1e-4 * y.grad_norm);
        steps++;
    }
    assert_int_equal(steps, 8);
    file_remove_folder(groups.folder);
    file_remove_folder(batches.folder);
}

static void ragged_accumulation_equals_one_big_batch(void **state)
{
    check_groups_equal_batches(*state, "loss=\"cross_entropy\"");
    check_groups_equal_batches(*state, "loss={\"type\": \"cross_entropy\", \"reduction\": \"sum\"}");
}

static void an_evaluation_changes_no_bit_of_training(void **state)
{
    Bench *bench = *state;
    Training often = training_run(bench, small_config(bench), SETS("data.validation=0.3", "train.eval_every=1"), 1, "often");
    Training once = training_run(bench, small_config(bench), SETS("data.validation=0.3", "train.eval_every=1000"), 1, "once");
    static const char *const kinds[] = {"step",    "gradients", "activations", "activation_gradients",
                                        "updates", "histogram", "clip"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        assert_same_events(bench, &often, &once, kinds[i]);
    size_t count;
    float *a = training_state(bench, &often, &count), *b = training_state(bench, &once, &count);
    assert_memory_equal(a, b, sizeof *a * count);
    assert_true(strlen(training_events(bench, &often, "eval")) > 10 * strlen(training_events(bench, &once, "eval")));
}

/* Batches of four in file order; row 9, of the third batch, is not a number. */
static const char *config_with_nan(Bench *bench)
{
    Text rows = text_new(bench->arena);
    for (int i = 0; i < 20; i++)
        text_printf(&rows, "%s,%d,%d\n", i == 9 ? "nan" : i % 2 ? "0.5" : "-0.5", i % 7 - 3, i % 3);
    bench_file(bench, "rows.csv", rows.at);
    return bench_file(bench, "nan.json",
                      "{\"model\": {\"input\": [2], \"layers\": [{\"type\": \"linear\", \"out\": 6}, {\"type\": \"batchnorm\"},"
                      "{\"type\": \"tanh\"}, {\"type\": \"linear\", \"out\": 3}]},"
                      "\"data\": {\"type\": \"csv\", \"path\": \"rows.csv\", \"target\": 2, \"header\": false},"
                      "\"loss\": \"cross_entropy\", \"optimizer\": {\"type\": \"sgd\", \"lr\": 0.1, \"momentum\": 0.9},"
                      "\"train\": {\"epochs\": 1, \"batch_size\": 4, \"shuffle\": false},"
                      "\"monitor\": {\"instruments\": \"all\", \"histogram_every\": 1}}");
}

static bool all_finite(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

static void a_nan_stops_training_with_the_weights_before_the_step(void **state)
{
    Bench *bench = *state;
    Training before = training_run(bench, config_with_nan(bench), SETS("train.epochs=null", "train.steps=2"), 1, "before");
    Training stopped = training_start(bench, config_with_nan(bench), NULL, 1, "stopped");
    training_finish(bench, &stopped, TRAIN_DIVERGED);
    assert_int_equal(trainer_steps_done(stopped.trainer), 3);
    size_t count;
    float *expected = training_state(bench, &before, &count), *kept = training_state(bench, &stopped, &count);
    assert_memory_equal(kept, expected, sizeof *kept * count);
    assert_non_null(strstr(training_events(bench, &stopped, "step"), "\"step\":3,\"epoch\":1,\"loss\":\"NaN\""));
    assert_non_null(strstr(training_events(bench, &stopped, "end"), "\"status\":\"diverged\",\"step\":3"));
}

static void a_nan_skips_the_step_and_training_goes_on(void **state)
{
    Bench *bench = *state;
    Training training = training_start(bench, config_with_nan(bench), SETS("train.nonfinite=skip"), 1, "skip");
    size_t count;
    trainer_step(training.trainer, bench->err);
    trainer_step(training.trainer, bench->err);
    float *before = training_state(bench, &training, &count);
    assert_int_equal(trainer_step(training.trainer, bench->err), TRAIN_COMPLETED);
    float *after = training_state(bench, &training, &count);
    assert_memory_equal(before, after, sizeof *before * count);
    training_finish(bench, &training, TRAIN_COMPLETED);
    assert_int_equal(trainer_steps_done(training.trainer), 5);
    after = training_state(bench, &training, &count);
    assert_memory_not_equal(before, after, sizeof *before * count);
    assert_true(all_finite(after, count));
    const char *steps = training_events(bench, &training, "step"), *skipped = strstr(steps, "\"skipped\":true");
    assert_non_null(skipped);
    assert_null(strstr(skipped + 1, "\"skipped\":true"));
}

static void a_nan_is_taken_where_the_config_says_continue(void **state)
{
    Bench *bench = *state;
    Training training = training_start(bench, config_with_nan(bench), SETS("train.nonfinite=continue"), 1, "continue");
    training_finish(bench, &training, TRAIN_COMPLETED);
    size_t count;
    float *weights = training_state(bench, &training, &count);
    assert_false(all_finite(weights, count));
    assert_null(strstr(training_log(bench, &training), "\"skipped\":true"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_steady_training_step_allocates_nothing),
        TEST(the_same_config_and_seed_give_the_same_bits),
        TEST(the_number_of_threads_changes_no_bit),
        TEST(the_written_config_trains_to_the_same_bits),
        TEST(ragged_accumulation_equals_one_big_batch),
        TEST(an_evaluation_changes_no_bit_of_training),
        TEST(a_nan_stops_training_with_the_weights_before_the_step),
        TEST(a_nan_skips_the_step_and_training_goes_on),
        TEST(a_nan_is_taken_where_the_config_says_continue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
