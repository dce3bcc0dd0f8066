#include "support_test.h"

#include <math.h>

#include "diagnose/robust.h"
#include "monitor/run_line.h"

enum { LONGEST = 2000 };

typedef struct Sample {
    int64_t step[LONGEST];
    double value[LONGEST];
} Sample;

/* Steps 10, 20, 30, ... */
static RecordSeries series_from(Sample *sample, const double values[], int count)
{
    for (int i = 0; i < count; i++) {
        sample->step[i] = 10 * (i + 1);
        sample->value[i] = values[i];
    }
    return (RecordSeries){sample->step, sample->value, count};
}

#define SERIES(...)                                                                                                            \
    series_from(&(Sample){{0}, {0}}, (const double[]){__VA_ARGS__}, (int)(sizeof(double[]){__VA_ARGS__} / sizeof(double)))

static const RecordSeries empty = {0};

static void parts_of_a_series_are_taken_by_step_and_by_count(void **state)
{
    (void)state;
    RecordSeries series = SERIES(1, 2, 3, 4, 5);
    RecordSeries middle = series_between(series, 15, 40);
    assert_int_equal(middle.count, 3);
    assert_int_equal(middle.step[0], 20);
    assert_int_equal(series_between(series, 60, 90).count, 0);
    assert_near(series_tail(series, 2).value[0], 4, 0);
    assert_int_equal(series_tail(series, 9).count, 5);
    assert_near(series_head(series, 2).value[1], 2, 0);
    assert_int_equal(series_last_share(series, 0.5).step[0], 30);
    assert_int_equal(series_last_share(series, 0).count, 1);
    assert_int_equal(series_last_share(series, 1).count, 5);
    assert_int_equal(series_last_share(empty, 0.5).count, 0);
}

static void quantiles_lie_between_values_as_in_numpy(void **state)
{
    (void)state;
    RecordSeries series = SERIES(3, -1, 2, 10);
    assert_near(series_median(series), 2.5, 0);
    assert_near(series_quantile(series, 0), -1, 0);
    assert_near(series_quantile(series, 1), 10, 0);
    assert_near(series_quantile(series, 0.9), 7.9, 1e-12);
    assert_near(series_median(SERIES(5, -7, 1)), 1, 0);
    assert_near(median_of((const double[]){4, 1, 2, 3}, 4), 2.5, 0);
    assert_near(series_median(SERIES(1e-300, -1e300, 4e-320)), 4e-320, 0);
}

static void values_that_are_missing_or_not_finite_are_passed_over(void **state)
{
    (void)state;
    RecordSeries series = SERIES(NAN, 1, run_missing(), 5, INFINITY, -INFINITY);
    assert_int_equal(series_finite(series), 2);
    assert_near(series_median(series), 3, 0);
    assert_near(series_minimum(series), 1, 0);
    assert_near(series_maximum(series), 5, 0);
    assert_near(series_mean(series), 3, 0);
    assert_near(series_first(series), 1, 0);
    assert_near(series_last(series), 5, 0);
    assert_true(isnan(series_median(empty)) && isnan(series_mean(empty)) && isnan(series_last(empty)));
    assert_true(isnan(series_maximum(SERIES(NAN, INFINITY))));
}

static void the_robust_z_is_that_of_logarithms(void **state)
{
    (void)state;
    const double window[] = {1, 10, 100, 1000, 10000, -3, 0, NAN};
    /* log10: 0 1 2 3 4, median 2, deviations 2 1 0 1 2, MAD 1. */
    assert_near(robust_z(1e6, window, 8), 4 / 1.5026, 1e-12);
    assert_near(robust_z(1, window, 8), -2 / 1.5026, 1e-12);
    const double even[] = {1, 10, 100, 1e5};
    /* log10: 0 1 2 5, median 1.5, deviations 0.5 0.5 1.5 3.5, MAD 1. */
    assert_near(robust_z(1e3, even, 4), 1.5 / 1.5026, 1e-12);
    assert_near(robust_z(10, (const double[]){1, 1, 1}, 3), 50, 1e-12);
    assert_true(isnan(robust_z(0, window, 8)));
    assert_true(isnan(robust_z(1, window + 5, 3)));
}

static void a_trend_is_the_median_of_slopes(void **state)
{
    (void)state;
    TrendLine line = series_trend(SERIES(1, 2, 3, 100, 5), false);
    /* Slopes a step: 0.1 six times, 4.85, 3.27, 9.7, -9.5. */
    assert_near(line.slope, 0.1, 1e-12);
    assert_int_equal(line.count, 5);
    assert_true(line.low < 0.1 && line.high > 0.1);
    TrendLine decades = series_trend(SERIES(1, 10, 0, 1000, -5, 1e5), true);
    assert_near(decades.slope, 0.1, 1e-12);
    assert_near(decades.low, 0.1, 1e-12);
    assert_near(decades.high, 0.1, 1e-12);
    assert_int_equal(decades.count, 4);
    assert_true(isnan(series_trend(SERIES(1), false).slope));
}

static void the_interval_of_a_trend_has_the_ranks_of_sen(void **state)
{
    (void)state;
    /* n = 10: variance of Kendall's statistic 125, half width (45 - 21.9) / 2 = 11.5: the 11th smallest slope of 45 and the
     * 35th (rounded outwards). Values 0, 1, 4, ..., 81 over steps of 10 have the slopes (i + j) / 10. */
    double values[10];
    for (int i = 0; i < 10; i++)
        values[i] = i * i;
    Sample sample;
    TrendLine line = series_trend(series_from(&sample, values, 10), false);
    assert_near(line.slope, 0.9, 1e-12);
    assert_near(line.low, 0.6, 1e-12);
    assert_near(line.high, 1.2, 1e-12);
}

static void a_long_trend_is_taken_of_evenly_chosen_points(void **state)
{
    (void)state;
    double values[LONGEST];
    for (int i = 0; i < LONGEST; i++)
        values[i] = i;
    Sample sample;
    TrendLine line = series_trend(series_from(&sample, values, LONGEST), false);
    assert_int_equal(line.count, 400);
    assert_near(line.slope, 0.1, 1e-12);
}

static void a_line_is_fitted_by_least_squares(void **state)
{
    (void)state;
    LineFit fit = line_fit((const double[]){1, 3, 2}, 3);
    /* Mean 2; sum xy 1, xx 2, yy 2: slope 1/2, r2 = 1 / 4. */
    assert_near(fit.slope, 0.5, 1e-12);
    assert_near(fit.intercept, 1.5, 1e-12);
    assert_near(fit.r2, 0.25, 1e-12);
    LineFit gap = line_fit((const double[]){1e9, NAN, 1e9 + 4}, 3);
    assert_near(gap.slope, 2, 1e-6);
    assert_near(gap.r2, 1, 1e-12);
    assert_near(line_fit((const double[]){7, 7}, 2).r2, 1, 0);
    assert_true(isnan(line_fit((const double[]){7, NAN}, 2).slope));
}

static void shares_and_beginnings_are_counted_over_finite_values(void **state)
{
    (void)state;
    RecordSeries series = SERIES(5, 1, NAN, 6, 7);
    assert_near(series_share_above(series, 4), 0.75, 0);
    assert_near(series_share_below(series, 4), 0.25, 0);
    assert_int_equal(series_above_since(series, 4), 40);
    assert_int_equal(series_above_since(series, 0), 10);
    assert_int_equal(series_below_since(series, 6.5), -1);
    assert_int_equal(series_below_since(series, 8), 10);
    assert_near(series_share_above(empty, 0), 0, 0);
    assert_int_equal(series_above_since(empty, 0), -1);
}

static void a_condition_persists_when_it_holds_in_5_of_8_checks(void **state)
{
    (void)state;
    assert_true(holds_mostly((const bool[]){1, 0, 1, 0, 1, 0, 1, 1}, 8));
    assert_false(holds_mostly((const bool[]){1, 0, 1, 0, 1, 0, 1, 0, 0, 1, 0, 1}, 12));
    assert_true(holds_mostly((const bool[]){0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1}, 13));
    assert_false(holds_mostly((const bool[]){1, 1, 1, 1}, 4));
}

static void a_condition_holds_to_the_end_or_20_times_in_a_row(void **state)
{
    (void)state;
    bool holds[100] = {false};
    for (int i = 30; i < 49; i++)
        holds[i] = true;
    assert_false(holds_to_end(holds, 100));
    holds[49] = true;
    assert_true(holds_to_end(holds, 100));
    assert_true(holds_to_end((const bool[]){0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1}, 12));
    assert_false(holds_to_end((const bool[]){0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1}, 12));
    assert_false(holds_to_end((const bool[]){1, 1}, 2));
}

static void smoothing_starts_at_the_median_and_forgets_by_e(void **state)
{
    (void)state;
    double out[4];
    RecordSeries series = SERIES(2, 2, NAN, 4);
    series_smooth(series, 20, out);
    assert_near(out[0], 2, 1e-12);
    assert_near(out[2], 2, 1e-12);
    /* 20 steps after the last value: 4 - 2 e^-1. */
    assert_near(out[3], 4 - 2 * exp(-1), 1e-12);
    series_smooth(SERIES(NAN, INFINITY), 5, out);
    assert_true(isnan(out[0]) && isnan(out[1]));
}

static void neighbouring_differences_tell_noise_from_curves(void **state)
{
    (void)state;
    /* Differences 1, -1, 1, -1: mean 0, products -3, squares 4. */
    assert_near(series_difference_autocorrelation(SERIES(0, 1, 0, 1, 0)), -0.75, 1e-12);
    /* Differences 1, 2, 3, mean 2: -1 0 1: products 0. */
    assert_near(series_difference_autocorrelation(SERIES(0, 1, NAN, 3, 6)), 0, 1e-12);
    /* Differences 1, 1, 5, 5, mean 3: products 4 - 4 + 4, squares 16. */
    assert_near(series_difference_autocorrelation(SERIES(0, 1, 2, 7, 12)), 0.25, 1e-12);
    assert_true(isnan(series_difference_autocorrelation(SERIES(1, 2, 3))));
    assert_true(isnan(series_difference_autocorrelation(SERIES(1, 2, 3, 4))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_of_a_series_are_taken_by_step_and_by_count),
        cmocka_unit_test(quantiles_lie_between_values_as_in_numpy),
        cmocka_unit_test(values_that_are_missing_or_not_finite_are_passed_over),
        cmocka_unit_test(the_robust_z_is_that_of_logarithms),
        cmocka_unit_test(a_trend_is_the_median_of_slopes),
        cmocka_unit_test(the_interval_of_a_trend_has_the_ranks_of_sen),
        cmocka_unit_test(a_long_trend_is_taken_of_evenly_chosen_points),
        cmocka_unit_test(a_line_is_fitted_by_least_squares),
        cmocka_unit_test(shares_and_beginnings_are_counted_over_finite_values),
        cmocka_unit_test(a_condition_persists_when_it_holds_in_5_of_8_checks),
        cmocka_unit_test(a_condition_holds_to_the_end_or_20_times_in_a_row),
        cmocka_unit_test(smoothing_starts_at_the_median_and_forgets_by_e),
        cmocka_unit_test(neighbouring_differences_tell_noise_from_curves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
