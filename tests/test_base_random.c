#include "support_test.h"

#include <math.h>

#include "base/random.h"

/* The known answers of Random123 (kat_vectors, philox4x32 10). */
static void the_generator_gives_the_known_answers_of_philox(void **state)
{
    (void)state;
    static const struct {
        uint64_t index;
        Random random;
        uint32_t words[4];
    } known[] = {
        {0, {{0, 0}, {0, 0}}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {UINT64_MAX, {{0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {0x85a308d3243f6a88u,
         {{0xa4093822, 0x299f31d0}, {0x13198a2e, 0x03707344}},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint32_t words[4];
        random_block(&known[i].random, known[i].index, words);
        for (int j = 0; j < 4; j++)
            assert_int_equal(words[j], known[i].words[j]);
    }
}

static void words_are_the_quarters_of_blocks(void **state)
{
    (void)state;
    Random random = random_stream(7, RANDOM_INIT, 3);
    uint32_t words[4];
    random_block(&random, 5, words);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(random_word(&random, 20 + i), words[i]);
}

static void seeds_uses_and_streams_differ(void **state)
{
    (void)state;
    Random base = random_stream(1, RANDOM_INIT, 0);
    const Random others[] = {random_stream(2, RANDOM_INIT, 0), random_stream(1, RANDOM_DROPOUT, 0),
                             random_stream(1, RANDOM_INIT, 1), random_stream(1ull << 32 | 1, RANDOM_INIT, 0)};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_true(random_word(&base, 0) != random_word(&others[i], 0));
    assert_true(random_hash("fc1") != random_hash("fc2"));
    assert_true(random_hash("") != random_hash("a"));
}

static void uniform_numbers_are_below_one_with_the_right_mean_and_variance(void **state)
{
    (void)state;
    enum { COUNT = 200000 };
    Random random = random_stream(3, RANDOM_DATA, 0);
    double sum = 0, squares = 0, sum_float = 0;
    for (uint64_t i = 0; i < COUNT; i++) {
        double x = random_uniform(&random, i);
        float y = random_uniform_float(&random, i);
        assert_true(x >= 0 && x < 1 && y >= 0 && y < 1);
        sum += x;
        squares += x * x;
        sum_float += (double)y;
    }
    assert_near(sum / COUNT, 0.5, 0.003);
    assert_near(sum_float / COUNT, 0.5, 0.003);
    assert_near(squares / COUNT, 1 / 3.0, 0.003);
}

static void normal_numbers_have_the_moments_of_a_standard_normal(void **state)
{
    (void)state;
    enum { COUNT = 200000 };
    Random random = random_stream(4, RANDOM_INIT, 0);
    double moment[5] = {0}, neighbours = 0, previous = 0;
    for (uint64_t i = 0; i < COUNT; i++) {
        double x = random_normal(&random, i);
        assert_true(isfinite(x));
        for (int power = 1; power < 5; power++)
            moment[power] += pow(x, power) / COUNT;
        neighbours += x * previous / COUNT;
        previous = x;
    }
    assert_near(moment[1], 0, 0.01);
    assert_near(moment[2], 1, 0.015);
    assert_near(moment[3], 0, 0.04);
    assert_near(moment[4], 3, 0.1);
    assert_near(neighbours, 0, 0.01);
}

static void numbers_below_a_bound_fall_evenly_also_for_large_bounds(void **state)
{
    (void)state;
    enum { COUNT = 70000 };
    Random random = random_stream(5, RANDOM_SHUFFLE, 0);
    int count[7] = {0};
    const uint64_t huge = 0xfffffffffffffff0u;
    int upper_half = 0;
    for (uint64_t i = 0; i < COUNT; i++) {
        uint64_t small = random_below(&random, i, 7), large = random_below(&random, i, huge);
        assert_true(small < 7 && large < huge);
        count[small]++;
        upper_half += large >= huge / 2;
        assert_int_equal(random_below(&random, i, 1), 0);
        /* Of a power of two the result is the top bits. */
        assert_int_equal(random_below(&random, i, 1ull << 33) >> 32, random_below(&random, i, 2));
    }
    for (int i = 0; i < 7; i++)
        assert_near(count[i], COUNT / 7, 400);
    assert_near(upper_half, COUNT / 2, 600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_generator_gives_the_known_answers_of_philox),
        cmocka_unit_test(words_are_the_quarters_of_blocks),
        cmocka_unit_test(seeds_uses_and_streams_differ),
        cmocka_unit_test(uniform_numbers_are_below_one_with_the_right_mean_and_variance),
        cmocka_unit_test(normal_numbers_have_the_moments_of_a_standard_normal),
        cmocka_unit_test(numbers_below_a_bound_fall_evenly_also_for_large_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
