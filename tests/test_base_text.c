#include "support_test.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "base/text.h"

static int make_arena(void **state)
{
    *state = arena_new(NULL);
    return 0;
}

static int drop_arena(void **state)
{
    arena_free(*state);
    return 0;
}

static void text_grows_and_keeps_its_memory_when_cleared(void **state)
{
    Text text = text_new(*state);
    for (int i = 0; i < 1000; i++)
        text_printf(&text, "%d,", i);
    assert_int_equal(text.length, 10 * 2 + 90 * 3 + 900 * 4);
    assert_string_equal(text.at + text.length - 8, "998,999,");
    size_t capacity = text.capacity, held = arena_bytes(*state);
    text_clear(&text);
    assert_string_equal(text.at, "");
    for (int i = 0; i < 1000; i++)
        text_printf(&text, "%d,", i);
    assert_int_equal(text.capacity, capacity);
    assert_int_equal(arena_bytes(*state), held);
    text_clear(&text);
    text_add(&text, "a");
    text_add_char(&text, 'b');
    text_add_bytes(&text, "cd", 1);
    assert_string_equal(text.at, "abc");
}

static void assert_like_printf(Text *text, double value)
{
    char expected[64];
    snprintf(expected, sizeof expected, "%.9g", value);
    text_clear(text);
    text_add_number(text, value);
    if (strcmp(text->at, expected))
        fail_msg("%.17g is written %s, expected %s", value, text->at, expected);
    assert_int_equal(text->length, strlen(expected));
}

static void numbers_are_written_as_printf_does_whatever_their_bits(void **state)
{
    Text text = text_new(*state);
    Random random = random_stream(1, RANDOM_DATA, 0);
    for (uint64_t i = 0; i < 1000000; i++) {
        uint32_t words[4];
        random_block(&random, i, words);
        uint64_t bits = (uint64_t)words[1] << 32 | words[0];
        double number;
        float single;
        memcpy(&number, &bits, sizeof number);
        memcpy(&single, &words[2], sizeof single);
        if (isfinite(number))
            assert_like_printf(&text, number);
        if (isfinite(single))
            assert_like_printf(&text, (double)single);
        assert_like_printf(&text, ldexp((double)words[3] - 0x1p31, (int)(words[2] % 80) - 60));
    }
}

static void numbers_on_the_edge_of_rounding_are_written_as_printf_does(void **state)
{
    Text text = text_new(*state);
    Random random = random_stream(2, RANDOM_DATA, 0);
    for (int exponent = -60; exponent < 45; exponent++) {
        for (uint64_t i = 0; i < 300; i++) {
            /* Ten digits that end in 5: as near to a tie as a double comes, and exact ties among the integers. */
            double digits = (double)(random_below(&random, i, 900000000) + 100000000) * 10 + 5;
            double number = digits * pow(10, exponent - 9);
            assert_like_printf(&text, number);
            assert_like_printf(&text, nextafter(number, 0));
            assert_like_printf(&text, -nextafter(number, INFINITY));
            assert_like_printf(&text, digits * ldexp(1, exponent));
        }
        double power = pow(10, exponent), nines = 999999999.5 * power;
        assert_like_printf(&text, power);
        assert_like_printf(&text, nextafter(power, 0));
        assert_like_printf(&text, nines);
        assert_like_printf(&text, nextafter(nines, 0));
    }
}

static void numbers_take_the_shortest_form_and_non_finite_ones_are_strings(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "-0"},
        {0.25, "0.25"},
        {1e-7, "1e-07"},
        {-1.5, "-1.5"},
        {1e8, "100000000"},
        {1e9, "1e+09"},
        {1 / 3.0, "0.333333333"},
        {1e-4, "0.0001"},
        {1e300, "1e+300"},
        {5e-324, "4.94065646e-324"},
        {NAN, "\"NaN\""},
        {INFINITY, "\"Infinity\""},
        {-INFINITY, "\"-Infinity\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Text text = text_new(*state);
        text_add_number(&text, cases[i].value);
        assert_string_equal(text.at, cases[i].text);
    }
}

static void quoted_text_is_always_a_json_string(void **state)
{
    Text text = text_new(*state);
    text_add_quoted(&text, "a\"b\\c\n\t\x01/é\xff\xc3");
    assert_string_equal(text.at, "\"a\\\"b\\\\c\\n\\t\\u0001/é\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void the_nearest_word_is_found_when_it_is_near_enough(void **state)
{
    (void)state;
    static const char *const words[] = {"lr", "learning_rate", "momentum", "weight_decay", "sgd"};
    assert_string_equal(text_nearest("learning_rte", words, 5), "learning_rate");
    assert_string_equal(text_nearest("momentmu", words, 5), "momentum");
    assert_string_equal(text_nearest("weight-decay", words, 5), "weight_decay");
    assert_string_equal(text_nearest("SGD", words, 5), "sgd");
    assert_string_equal(text_nearest("rl", words, 5), "lr");
    assert_null(text_nearest("dropout", words, 5));
    assert_null(text_nearest("x", words, 0));
    assert_null(text_nearest("", words, 5));
}

static void a_star_matches_any_characters_dots_too(void **state)
{
    (void)state;
    assert_true(text_glob("*.bias", "blocks.0.fc.bias"));
    assert_true(text_glob("fc?.weight", "fc1.weight"));
    assert_true(text_glob("*", ""));
    assert_true(text_glob("a*b*c", "a.b.b.c"));
    assert_true(text_glob("fc1", "fc1"));
    assert_false(text_glob("fc1", "fc10"));
    assert_false(text_glob("*.bias", "fc.weight"));
    assert_false(text_glob("fc?", "fc"));
    assert_false(text_glob("", "x"));
    assert_false(text_glob("*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

static void width_counts_columns_not_bytes(void **state)
{
    (void)state;
    assert_int_equal(text_width("abc"), 3);
    assert_int_equal(text_width("é"), 1);
    assert_int_equal(text_width("e\xcc\x81"), 1);
    assert_int_equal(text_width("勾配"), 4);
    assert_int_equal(text_width("\xff"), 1);
    assert_int_equal(text_utf8_length("\xed\xa0\x80", 3), 0);
    assert_int_equal(text_utf8_length("\xc0\x80", 2), 0);
    assert_int_equal(text_utf8_length("\xf4\x90\x80\x80", 4), 0);
    assert_int_equal(text_utf8_length("勾", 2), 0);
    assert_int_equal(text_utf8_length("勾", 3), 3);
}

static void numbers_in_names_are_ordered_as_numbers(void **state)
{
    (void)state;
    static const char *const names[] = {"", "9", "10", "fc2.bias", "fc2.weight", "fc02.x1", "fc10.weight", "fca", "head"};
    enum { COUNT = sizeof names / sizeof *names };
    for (int i = 0; i < COUNT; i++)
        for (int k = 0; k < COUNT; k++) {
            int order = text_compare_natural(names[i], names[k]);
            assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_grows_and_keeps_its_memory_when_cleared),
        cmocka_unit_test(numbers_are_written_as_printf_does_whatever_their_bits),
        cmocka_unit_test(numbers_on_the_edge_of_rounding_are_written_as_printf_does),
        cmocka_unit_test(numbers_take_the_shortest_form_and_non_finite_ones_are_strings),
        cmocka_unit_test(quoted_text_is_always_a_json_string),
        cmocka_unit_test(the_nearest_word_is_found_when_it_is_near_enough),
        cmocka_unit_test(a_star_matches_any_characters_dots_too),
        cmocka_unit_test(width_counts_columns_not_bytes),
        cmocka_unit_test(numbers_in_names_are_ordered_as_numbers),
    };
    return cmocka_run_group_tests(tests, make_arena, drop_arena);
}
