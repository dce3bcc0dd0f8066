#include "support_test.h"

#include <stdbool.h>
#include <string.h>

#include "base/arena.h"

static void memory_is_zeroed_and_aligned_also_after_a_reset(void **state)
{
    (void)state;
    Arena *arena = arena_new(NULL);
    for (int round = 0; round < 3; round++) {
        for (size_t bytes = 0; bytes < 3000; bytes += 37) {
            unsigned char *block = arena_alloc(arena, bytes);
            assert_int_equal((uintptr_t)block % 16, 0);
            for (size_t i = 0; i < bytes; i++)
                assert_int_equal(block[i], 0);
            memset(block, 0xff, bytes);
        }
        arena_reset(arena);
    }
    arena_free(arena);
}

static void a_reset_keeps_one_chunk_and_repeating_the_work_needs_no_more(void **state)
{
    (void)state;
    Arena *arena = arena_new(NULL);
    arena_alloc(arena, 100);
    arena_reset(arena);
    size_t held = arena_bytes(arena);
    for (int i = 0; i < 1000; i++) {
        arena_alloc(arena, 100);
        arena_reset(arena);
    }
    assert_int_equal(arena_bytes(arena), held);
    arena_try(arena, 10 << 20);
    arena_reset(arena);
    assert_true(arena_bytes(arena) <= held);
    arena_free(arena);
}

static void large_blocks_are_aligned_to_64_bytes_and_zeroed(void **state)
{
    (void)state;
    Arena *arena = arena_new(NULL);
    for (size_t bytes = 0; bytes < 1 << 21; bytes = 3 * bytes + 1) {
        unsigned char *block = arena_try(arena, bytes);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 64, 0);
        for (size_t i = 0; i < bytes; i++)
            assert_int_equal(block[i], 0);
        memset(block, 1, bytes);
    }
    assert_true(arena_bytes(arena) >= 1 << 20);
    arena_free(arena);
}

static void what_cannot_be_had_is_null_from_try(void **state)
{
    (void)state;
    Arena *arena = arena_new(NULL);
    assert_null(arena_try(arena, SIZE_MAX));
    assert_null(arena_try(arena, SIZE_MAX - 100));
    assert_null(arena_try(arena, SIZE_MAX / 2));
    arena_free(arena);
}

static void out_of_memory_unwinds_to_the_handler_of_the_nearest_ancestor(void **state)
{
    (void)state;
    Arena *arena = arena_new(NULL), *child = arena_new(arena);
    OutOfMemory handler = {.bytes = 0};
    arena_on_out_of_memory(arena, &handler);
    volatile bool unwound = false;
    if (setjmp(handler.unwind) == 0)
        ARENA_ARRAY(child, double, -1);
    else
        unwound = true;
    assert_true(unwound);
    assert_true(handler.bytes > SIZE_MAX / 16);
    arena_free(arena);
}

static char order[8];

static void note(void *name)
{
    strcat(order, name);
}

static void deferred_functions_run_backwards_and_children_close_before_their_parent(void **state)
{
    (void)state;
    char a[] = "a", b[] = "b", c[] = "c", d[] = "d";
    order[0] = 0;
    Arena *arena = arena_new(NULL);
    arena_defer(arena, note, a);
    arena_defer(arena, note, b);
    Arena *child = arena_new(arena);
    arena_defer(child, note, c);
    arena_defer(arena, note, d);
    arena_reset(arena);
    assert_string_equal(order, "cdba");
    arena_defer(arena, note, a);
    arena_free(arena);
    assert_string_equal(order, "cdbaa");
}

static void children_may_be_freed_in_any_order_and_count_in_the_parent(void **state)
{
    (void)state;
    Arena *arena = arena_new(NULL), *child[5];
    size_t alone = arena_bytes(arena);
    for (int i = 0; i < 5; i++)
        arena_alloc(child[i] = arena_new(arena), 10000);
    assert_true(arena_bytes(arena) >= alone + 50000);
    arena_free(child[2]);
    arena_free(child[4]);
    arena_free(child[0]);
    arena_alloc(child[1], 10000);
    arena_free(child[1]);
    assert_true(arena_bytes(arena) < alone + 20000);
    arena_free(arena);
    arena_free(NULL);
}

static void strings_are_copied_printed_and_grown(void **state)
{
    (void)state;
    Arena *arena = arena_new(NULL);
    assert_string_equal(arena_strdup(arena, "gradient"), "gradient");
    assert_string_equal(arena_strndup(arena, "gradient", 4), "grad");
    assert_string_equal(arena_printf(arena, "%s.%d", "fc", 1), "fc.1");
    assert_string_equal(arena_printf(arena, "%5000d", 7) + 4999, "7");
    int *numbers = ARENA_ARRAY(arena, int, 2);
    numbers[0] = 3, numbers[1] = 4;
    numbers = arena_grow(arena, numbers, 2 * sizeof *numbers, 5 * sizeof *numbers);
    assert_int_equal(numbers[1], 4);
    assert_int_equal(numbers[4], 0);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed_and_aligned_also_after_a_reset),
        cmocka_unit_test(a_reset_keeps_one_chunk_and_repeating_the_work_needs_no_more),
        cmocka_unit_test(large_blocks_are_aligned_to_64_bytes_and_zeroed),
        cmocka_unit_test(what_cannot_be_had_is_null_from_try),
        cmocka_unit_test(out_of_memory_unwinds_to_the_handler_of_the_nearest_ancestor),
        cmocka_unit_test(deferred_functions_run_backwards_and_children_close_before_their_parent),
        cmocka_unit_test(children_may_be_freed_in_any_order_and_count_in_the_parent),
        cmocka_unit_test(strings_are_copied_printed_and_grown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
