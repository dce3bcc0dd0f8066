#include "support_test.h"

#include <math.h>

#include "base/arena.h"
#include "monitor/precision_log.h"

static int set_up(void **state)
{
    *state = arena_new(NULL);
    return 0;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

static void count(ExponentHistogram *histogram, int exponent, uint64_t values)
{
    histogram->count[exponent - EXPONENT_FIRST] += values;
}

static void assert_loss(FormatLoss loss, uint64_t underflow, uint64_t subnormal, uint64_t overflow, uint64_t edge)
{
    assert_int_equal(loss.underflow, underflow);
    assert_int_equal(loss.subnormal, subnormal);
    assert_int_equal(loss.overflow, overflow);
    assert_int_equal(loss.edge, edge);
}

/* The bins on either side of every border of fp16: 2^-25 rounds to zero or up, 2^-14 is normal, 65504 lies in [2^15, 2^16). */
static void fp16_flushes_below_half_its_smallest_and_overflows_from_the_bin_of_its_largest(void **state)
{
    (void)state;
    ExponentHistogram histogram = {.zeros = 1000, .nonfinite = 7};
    count(&histogram, -149, 1);
    count(&histogram, -26, 2);
    count(&histogram, -25, 4);
    count(&histogram, -15, 8);
    count(&histogram, -14, 16);
    count(&histogram, 14, 32);
    count(&histogram, 15, 64);
    count(&histogram, 16, 128);
    FormatLoss loss = format_loss(&histogram, FORMAT_FP16, 0);
    assert_int_equal(loss.counted, 255);
    assert_loss(loss, 3, 12, 192, 64);
    assert_loss(format_loss(&histogram, FORMAT_FP16, 1), 1, 14 - 8, 224, 32);
    assert_loss(format_loss(&histogram, FORMAT_FP16, -1), 7, 8 + 16, 128, 128);
    assert_int_equal(exponents_below(&histogram, -24), 7);
    assert_int_equal(exponents_below(&histogram, -25), 3);
    assert_int_equal(exponents_below(&histogram, 1000), 255);
}

static void the_borders_of_the_other_formats_are_where_their_numbers_end(void **state)
{
    (void)state;
    static const struct {
        NumberFormat format;
        double smallest, normal, largest;
    } cases[] = {{FORMAT_BF16, 0x1p-133, 0x1p-126, 0x1.FEp127},
                 {FORMAT_E4M3, 0x1p-9, 0x1p-6, 448},
                 {FORMAT_E5M2, 0x1p-16, 0x1p-14, 57344}};
    for (int i = 0; i < 3; i++) {
        int zero = ilogb(cases[i].smallest / 2), normal = ilogb(cases[i].normal), top = ilogb(cases[i].largest);
        ExponentHistogram histogram = {.zeros = 0};
        count(&histogram, zero - 1, 1);
        count(&histogram, zero, 2);
        count(&histogram, normal - 1, 4);
        count(&histogram, normal, 8);
        count(&histogram, top - 1, 16);
        count(&histogram, top, 32);
        assert_loss(format_loss(&histogram, cases[i].format, 0), 1, 6, 32, 32);
        assert_near(format_range[cases[i].format].largest, cases[i].largest, 0);
    }
}

static void what_loses_nothing_at_scale_1_is_left_there(void **state)
{
    PrecisionLoss *loss = ARENA_NEW((Arena *)*state, PrecisionLoss);
    ExponentHistogram histogram = {.zeros = 5};
    count(&histogram, -14, 3);
    count(&histogram, 3, 1);
    precision_loss_add(loss, 1, &histogram);
    BestScale scale = precision_loss_scale(loss, FORMAT_FP16);
    assert_int_equal(scale.best, 0);
    assert_int_equal(scale.low, -11); /* 2^-14 becomes 2^-25: any lower and it is zero */
    assert_int_equal(scale.high, 11); /* 2^3 becomes 2^14: any higher and it may be beyond 65504 */
    assert_near(scale.lost, 0, 0);
    assert_int_equal(loss->worst[FORMAT_FP16].step, 0);
}

/* 2^-40 to 2^-10: lifted by 15 the smallest is no longer zero, by 24 the largest is still fp16; of these 24 leaves the fewest
 * subnormal values, for only then is 2^-38 normal. */
static void the_best_scale_loses_least_then_has_the_fewest_subnormals(void **state)
{
    PrecisionLoss *loss = ARENA_NEW((Arena *)*state, PrecisionLoss);
    ExponentHistogram histogram = {.zeros = 0};
    count(&histogram, -40, 1);
    count(&histogram, -38, 1);
    count(&histogram, -10, 8);
    precision_loss_add(loss, 3, &histogram);
    BestScale scale = precision_loss_scale(loss, FORMAT_FP16);
    assert_int_equal(scale.best, 24);
    assert_int_equal(scale.low, 15);
    assert_int_equal(scale.high, 24);
    assert_near(scale.lost, 0, 0);
    assert_near(loss->worst[FORMAT_FP16].share, 0.2, 1e-15);
    assert_int_equal(loss->worst[FORMAT_FP16].step, 3);
    assert_near(precision_loss_scale(loss, FORMAT_E4M3).lost, 0.2, 1e-15);
}

/* Four of 100 values are saved only where one of the others becomes infinite, and that costs the step. */
static void an_overflow_costs_its_whole_step(void **state)
{
    PrecisionLoss *loss = ARENA_NEW((Arena *)*state, PrecisionLoss);
    ExponentHistogram histogram = {.zeros = 0};
    count(&histogram, -45, 4);
    count(&histogram, -5, 95);
    count(&histogram, 0, 1);
    precision_loss_add(loss, 1, &histogram);
    BestScale scale = precision_loss_scale(loss, FORMAT_FP16);
    assert_near(scale.lost, 0.04, 1e-15);
    assert_int_equal(scale.high, 14);
    assert_int_equal(format_loss(&loss->sum, FORMAT_FP16, scale.best).overflow, 0);
}

/* One step of a thousand that explodes must not cost the others their small values: it is skipped. */
static void a_step_that_explodes_does_not_decide_the_scale(void **state)
{
    PrecisionLoss *loss = ARENA_NEW((Arena *)*state, PrecisionLoss);
    ExponentHistogram usual = {.zeros = 0}, exploded = {.zeros = 0};
    count(&usual, -30, 50);
    count(&usual, -20, 50);
    count(&exploded, 40, 100);
    for (int64_t step = 1; step <= 999; step++)
        precision_loss_add(loss, step, &usual);
    precision_loss_add(loss, 1000, &exploded);
    BestScale scale = precision_loss_scale(loss, FORMAT_FP16);
    assert_int_equal(scale.low, 5);
    assert_int_equal(scale.high, 34);
    assert_int_equal(scale.best, 16); /* 2^-30 is normal from here on */
    assert_near(scale.lost, 1e-3, 1e-15);
    assert_int_equal(loss->worst[FORMAT_FP16].step, 1000);
    assert_near(loss->worst[FORMAT_FP16].share, 1, 0);
}

static void without_a_value_that_counts_nothing_is_lost(void **state)
{
    PrecisionLoss *loss = ARENA_NEW((Arena *)*state, PrecisionLoss);
    ExponentHistogram histogram = {.zeros = 12, .nonfinite = 3};
    precision_loss_add(loss, 1, &histogram);
    BestScale scale = precision_loss_scale(loss, FORMAT_FP16);
    assert_int_equal(scale.best, 0);
    assert_int_equal(scale.low, LOSS_SCALE_LEAST);
    assert_int_equal(scale.high, LOSS_SCALE_MOST);
    assert_near(scale.lost, 0, 0);
    assert_int_equal(loss->sum.nonfinite, 3);
}

/* Two parameters that are fine each by itself: together one scale has to serve both. */
static void a_log_is_gathered_by_parameter_and_by_step(void **state)
{
    PrecisionLog *log = ARENA_NEW((Arena *)*state, PrecisionLog);
    log->arena = *state;
    const double one[] = {10}, two[] = {10}, beyond[] = {1, 0, 1};
    for (int64_t step = 1; step <= 2; step++) {
        precision_log_add(log, step, &(RunHistogram){.of = "gradients", .name = "a", .first = -45, .count = 1, .counts = one});
        precision_log_add(log, step, &(RunHistogram){.of = "", .name = "b", .zeros = 0.5, .count = 1, .counts = two});
        precision_log_add(log, step, &(RunHistogram){.of = "weights", .name = "a", .count = 1, .counts = one});
    }
    precision_log_add(log, 7,
                      &(RunHistogram){.of = "", .name = "b", .nonfinite = 4, .first = -151, .count = 3, .counts = beyond});
    precision_log_end(log);
    assert_int_equal(log->count, 2);
    assert_string_equal(log->rows[1]->name, "b");
    assert_int_equal(log->rows[0]->loss.steps, 2);
    assert_int_equal(log->rows[1]->loss.sum.zeros, 20);
    assert_int_equal(log->rows[1]->loss.sum.nonfinite, 4);
    assert_int_equal(log->rows[1]->loss.sum.count[0], 2); /* 2^-151 is kept at the end */
    assert_int_equal(log->total.steps, 3);
    assert_int_equal(log->first_step, 1);
    assert_int_equal(log->last_step, 7);
    assert_near(precision_loss_scale(&log->rows[0]->loss, FORMAT_FP16).lost, 0, 0);
    assert_near(precision_loss_scale(&log->total, FORMAT_FP16).lost, 22.0 / 42, 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fp16_flushes_below_half_its_smallest_and_overflows_from_the_bin_of_its_largest),
        cmocka_unit_test(the_borders_of_the_other_formats_are_where_their_numbers_end),
        cmocka_unit_test_setup_teardown(what_loses_nothing_at_scale_1_is_left_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_best_scale_loses_least_then_has_the_fewest_subnormals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_overflow_costs_its_whole_step, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_step_that_explodes_does_not_decide_the_scale, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_value_that_counts_nothing_is_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_log_is_gathered_by_parameter_and_by_step, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
