#include "support_test.h"

#include <stdbool.h>
#include <unistd.h>

#include "base/threads.h"

enum { THREADS = 4, ROUNDS = 2000 };

typedef struct Sum {
    Threads *threads;
    long value[THREADS];
    long total;
    int rounds;
    bool sleeps;
} Sum;

/* Neither atomic nor locked: right only if the meetings order what the threads write and read. */
static void add_in_turns(void *context, int thread, int threads)
{
    Sum *sum = context;
    for (int round = 0; round < sum->rounds; round++) {
        sum->value[thread] = round + thread;
        if (sum->sleeps && thread == round % threads)
            usleep(1000);
        threads_meet(sum->threads, thread);
        if (thread == round % threads)
            for (int i = 0; i < threads; i++)
                sum->total += sum->value[i];
        threads_meet(sum->threads, thread);
    }
}

static long expected_total(int rounds, int threads)
{
    long total = 0;
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < threads; i++)
            total += round + i;
    return total;
}

static void what_was_written_before_a_meeting_is_seen_after_it(void **state)
{
    (void)state;
    for (int count = 1; count <= THREADS; count++) {
        Arena *arena = arena_new(NULL);
        Sum sum = {.threads = threads_new(arena, count, error_new(arena)), .rounds = ROUNDS};
        assert_non_null(sum.threads);
        assert_int_equal(threads_count(sum.threads), count);
        threads_run(sum.threads, add_in_turns, &sum);
        assert_int_equal(sum.total, expected_total(ROUNDS, count));
        arena_free(arena);
    }
}

static void a_late_thread_finds_the_others_asleep_and_wakes_them(void **state)
{
    (void)state;
    Arena *arena = arena_new(NULL);
    Sum sum = {.threads = threads_new(arena, THREADS, error_new(arena)), .rounds = 30, .sleeps = true};
    threads_run(sum.threads, add_in_turns, &sum);
    assert_int_equal(sum.total, expected_total(30, THREADS));
    arena_free(arena);
}

static void count_call(void *context, int thread, int threads)
{
    assert_in_range(thread, 0, threads - 1);
    ((int *)context)[thread]++;
}

static void every_run_calls_every_thread_once(void **state)
{
    (void)state;
    Arena *arena = arena_new(NULL);
    Threads *threads = threads_new(arena, THREADS, error_new(arena));
    int calls[THREADS] = {0};
    for (int run = 1; run <= ROUNDS; run++) {
        threads_run(threads, count_call, calls);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(calls[i], run);
        if (run % 500 == 0)
            usleep(2000); /* long enough to fall asleep between runs */
    }
    arena_free(arena);
}

static void threads_that_never_ran_end_with_their_arena(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        Arena *arena = arena_new(NULL);
        assert_non_null(threads_new(arena, 1 + i % THREADS, error_new(arena)));
        arena_free(arena);
    }
}

static void fewer_than_one_thread_is_an_error(void **state)
{
    (void)state;
    Arena *arena = arena_new(NULL);
    Error *err = error_new(arena);
    assert_null(threads_new(arena, 0, err));
    assert_string_equal(error_message(err, 0), "the number of threads must be at least 1, got 0");
    assert_true(threads_available() >= 1);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_before_a_meeting_is_seen_after_it),
        cmocka_unit_test(a_late_thread_finds_the_others_asleep_and_wakes_them),
        cmocka_unit_test(every_run_calls_every_thread_once),
        cmocka_unit_test(threads_that_never_ran_end_with_their_arena),
        cmocka_unit_test(fewer_than_one_thread_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
