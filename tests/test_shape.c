#include "support_test.h"

#include "tensor/shape.h"

static void counts_are_products(void **state)
{
    (void)state;
    assert_int_equal(shape_count(SHAPE(3, 2, 4)), 24);
    assert_int_equal(shape_count(SHAPE(3, 0)), 0);
    assert_int_equal(shape_count(SHAPE_SCALAR), 1);
}

static void shapes_are_equal_by_rank_and_axes(void **state)
{
    (void)state;
    assert_true(shape_equal(SHAPE(3, 2), SHAPE(3, 2)));
    assert_false(shape_equal(SHAPE(3, 2), SHAPE(3, 3)));
    assert_false(shape_equal(SHAPE(1), SHAPE_SCALAR));
    assert_true(shape_equal(SHAPE_SCALAR, SHAPE_SCALAR));
}

static void the_first_axis_is_put_on_and_taken_off(void **state)
{
    (void)state;
    assert_true(shape_equal(shape_prepend(5, SHAPE(3, 2)), SHAPE(5, 3, 2)));
    assert_true(shape_equal(shape_prepend(5, SHAPE_SCALAR), SHAPE(5)));
    assert_true(shape_equal(shape_rest(SHAPE(5, 3, 2)), SHAPE(3, 2)));
    assert_true(shape_equal(shape_rest(SHAPE(5)), SHAPE_SCALAR));
}

static void the_last_axis_of_a_scalar_is_one(void **state)
{
    (void)state;
    assert_int_equal(shape_last(SHAPE(5, 3)), 3);
    assert_int_equal(shape_last(SHAPE_SCALAR), 1);
}

static void shapes_are_written_in_brackets(void **state)
{
    (void)state;
    Arena *arena = arena_new(NULL);
    assert_string_equal(shape_text(arena, SHAPE(3, 2)), "[3, 2]");
    assert_string_equal(shape_text(arena, SHAPE(7)), "[7]");
    assert_string_equal(shape_text(arena, SHAPE_SCALAR), "[]");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_products),
        cmocka_unit_test(shapes_are_equal_by_rank_and_axes),
        cmocka_unit_test(the_first_axis_is_put_on_and_taken_off),
        cmocka_unit_test(the_last_axis_of_a_scalar_is_one),
        cmocka_unit_test(shapes_are_written_in_brackets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
