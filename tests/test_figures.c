#include "support_test.h"

#include <math.h>

#include "cli/figures.h"
#include "cli/table.h"

static void a_figure_has_three_digits_or_a_power_of_ten(void **state)
{
    (void)state;
    char text[FIGURE_SIZE];
    assert_string_equal(figure(text, 0.8614, 3), "0.861");
    assert_string_equal(figure(text, 12.345, 3), "12.3");
    assert_string_equal(figure(text, 99999, 3), "99999");
    assert_string_equal(figure(text, 123456, 3), "1.2e+05");
    assert_string_equal(figure(text, -1.2e-7, 3), "-1.2e-07");
    assert_string_equal(figure(text, 0, 3), "0");
}

static void a_figure_that_is_not_finite_is_a_word(void **state)
{
    (void)state;
    char text[FIGURE_SIZE];
    assert_string_equal(figure(text, NAN, 3), "nan");
    assert_string_equal(figure(text, -NAN, 3), "nan");
    assert_string_equal(figure(text, -INFINITY, 3), "-inf");
}

static void a_time_has_minutes_and_seconds_and_hours_where_it_needs_them(void **state)
{
    (void)state;
    char text[FIGURE_SIZE];
    assert_string_equal(figure_time(text, 41.7), "0:42");
    assert_string_equal(figure_time(text, 3723), "1:02:03");
    assert_string_equal(figure_time(text, INFINITY), "0:00");
}

static void counts_are_grouped_and_bytes_have_units(void **state)
{
    (void)state;
    Arena *arena = arena_new(NULL);
    assert_string_equal(figure_count(arena, 0), "0");
    assert_string_equal(figure_count(arena, 999), "999");
    assert_string_equal(figure_count(arena, 8970), "8,970");
    assert_string_equal(figure_count(arena, 1234567), "1,234,567");
    assert_string_equal(figure_bytes(arena, 999), "999 B");
    assert_string_equal(figure_bytes(arena, 35880), "35.9 kB");
    assert_string_equal(figure_bytes(arena, 999999), "1.0 MB");
    assert_string_equal(figure_of(arena, 1, "step"), "1 step");
    assert_string_equal(figure_of(arena, 2000, "step"), "2,000 steps");
    arena_free(arena);
}

static void a_table_aligns_its_columns_and_ends_no_line_with_blanks(void **state)
{
    (void)state;
    Arena *arena = arena_new(NULL);
    Table table = table_new(arena, "lrl");
    const char *const cells[] = {"fc1", "8", "", "a", "1,024", "x", "\xe2\x96\x85", "", ""};
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++)
        table_add(&table, cells[i]);
    Text text = text_new(arena);
    table_write(&table, &text);
    assert_string_equal(text.at, "fc1      8\na    1,024  x\n\xe2\x96\x85\n");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_figure_has_three_digits_or_a_power_of_ten),
        cmocka_unit_test(a_figure_that_is_not_finite_is_a_word),
        cmocka_unit_test(a_time_has_minutes_and_seconds_and_hours_where_it_needs_them),
        cmocka_unit_test(counts_are_grouped_and_bytes_have_units),
        cmocka_unit_test(a_table_aligns_its_columns_and_ends_no_line_with_blanks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
