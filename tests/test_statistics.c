#include "support_test.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "tensor/statistics.h"

enum { LONGEST = 10000 };

static const size_t lengths[] = {1, 2, 15, 16, 17, 31, 33, 64, 127, 513, 4095, 4096, 4097, LONGEST};
enum { LENGTHS = sizeof lengths / sizeof lengths[0] };

/* Kinds of data that have defeated a running sum somewhere. */
typedef enum Kind {
    NORMAL,
    FAR_MEAN,
    TINY,
    SUBNORMAL,
    HUGE_VALUES,
    CONSTANT,
    ZERO,
    RECTIFIED,
    OUTLIER_FIRST,
    MIXED_SCALES,
    KINDS
} Kind;

static float sample(Kind kind, size_t i)
{
    Random random = random_stream(1, RANDOM_DATA, (uint64_t)kind);
    double normal = random_normal(&random, i);
    switch (kind) {
    case FAR_MEAN:
        return (float)(1e5 + normal);
    case TINY:
        return (float)(normal * 1e-25);
    case SUBNORMAL:
        return (float)(normal * 1e-42);
    case HUGE_VALUES:
        return (float)(normal * 1e25);
    case CONSTANT:
        return 1.0f / 3;
    case ZERO:
        return 0;
    case RECTIFIED:
        return normal > 0 ? (float)normal : 0;
    case OUTLIER_FIRST:
        return (float)(i == 0 ? 1e6 : normal);
    case MIXED_SCALES:
        return (float)ldexp(normal, (int)(i % 61) - 30);
    default:
        return (float)normal;
    }
}

static float floats[LONGEST];
static double doubles[LONGEST];

static void fill(Kind kind, size_t n)
{
    for (size_t i = 0; i < n; i++)
        doubles[i] = (double)(floats[i] = sample(kind, i));
}

static const void *values_for(Variant variant)
{
    return variant == VARIANT_F64 ? (const void *)doubles : (const void *)floats;
}

static void assert_ratio(double actual, long double expected, const char *what, Variant variant, Kind kind, size_t n)
{
    if (!(fabsl((long double)actual - expected) <= 1e-7L * fabsl(expected)))
        fail_msg("%s of %zu numbers, kind %d, %s: %.17g, expected %.17Lg", what, n, (int)kind, variant_name(variant), actual,
                 expected);
}

static void check(Variant variant, Kind kind, size_t n)
{
    long double sum = 0, square = 0, deviation = 0, absolute = 0;
    double min = doubles[0], max = doubles[0];
    uint64_t zeros = 0;
    for (size_t i = 0; i < n; i++) {
        long double x = (long double)doubles[i];
        sum += x;
        square += x * x;
        absolute += fabsl(x);
        min = fmin(min, doubles[i]);
        max = fmax(max, doubles[i]);
        zeros += doubles[i] == 0;
    }
    for (size_t i = 0; i < n; i++) {
        long double d = (long double)doubles[i] - sum / (long double)n;
        deviation += d * d;
    }
    Statistics s = statistics_of(variant, values_for(variant), n);
    assert_int_equal(s.count, n);
    assert_int_equal(s.zeros, zeros);
    assert_int_equal(s.nonfinite, 0);
    assert_near(s.min, min, 0);
    assert_near(s.max, max, 0);
    assert_ratio(statistics_norm(&s), sqrtl(square), "norm", variant, kind, n);
    /* Where all are equal, the deviation of the exact mean is the rounding of long double. */
    if (kind == CONSTANT)
        assert_near(statistics_std(&s), 0, 0);
    else
        assert_ratio(statistics_std(&s), sqrtl(deviation / (long double)n), "std", variant, kind, n);
    assert_near(s.sum, sum, 1e-7L * absolute);
    assert_ratio(sqrt(statistics_square_sum(variant, values_for(variant), NULL, n)), sqrtl(square), "square sum", variant, kind,
                 n);
}

static void statistics_agree_with_long_double(void **state)
{
    (void)state;
    for (Kind kind = NORMAL; kind < KINDS; kind++) {
        fill(kind, LONGEST);
        for (int i = 0; i < LENGTHS; i++)
            for (Variant variant = VARIANT_F32; variant < VARIANT_COUNT; variant++)
                if (variant_is_supported(variant))
                    check(variant, kind, lengths[i]);
    }
}

static void statistics_of_nothing_are_neutral(void **state)
{
    (void)state;
    Statistics empty = statistics_of(VARIANT_F32, floats, 0), one = statistics_of(VARIANT_F32, (float[]){2}, 1), both = empty;
    assert_int_equal(empty.count, 0);
    assert_near(statistics_norm(&empty), 0, 0);
    statistics_merge(&both, &one);
    statistics_merge(&both, &empty);
    assert_near(statistics_mean(&both), 2, 0);
    assert_near(both.min, 2, 0);
    assert_near(both.max, 2, 0);
}

static void nan_spoils_everything_but_the_counts(void **state)
{
    (void)state;
    const size_t places[] = {0, 5, 4095, 5000, LONGEST - 1};
    for (Variant variant = VARIANT_F32; variant < VARIANT_COUNT; variant++)
        for (size_t place = 0; variant_is_supported(variant) && place < 5; place++) {
            fill(RECTIFIED, LONGEST);
            Statistics before = statistics_of(variant, values_for(variant), LONGEST);
            uint64_t lost = doubles[places[place]] == 0;
            doubles[places[place]] = (double)(floats[places[place]] = NAN);
            Statistics s = statistics_of(variant, values_for(variant), LONGEST);
            assert_int_equal(s.nonfinite, 1);
            assert_int_equal(s.zeros, before.zeros - lost);
            assert_true(isnan(s.min) && isnan(s.max) && isnan(statistics_mean(&s)));
            assert_true(isnan(statistics_norm(&s)) && isnan(statistics_std(&s)));
        }
}

static void infinity_follows_ieee_arithmetic(void **state)
{
    (void)state;
    for (Variant variant = VARIANT_F32; variant < VARIANT_COUNT; variant++) {
        if (!variant_is_supported(variant))
            continue;
        fill(NORMAL, LONGEST);
        doubles[4500] = (double)(floats[4500] = INFINITY);
        Statistics s = statistics_of(variant, values_for(variant), LONGEST);
        assert_int_equal(s.nonfinite, 1);
        assert_true(isinf(s.max) && isfinite(s.min) && isinf(statistics_mean(&s)) && isinf(statistics_norm(&s)));
        assert_true(isnan(statistics_std(&s)));
        doubles[9] = (double)(floats[9] = -INFINITY);
        s = statistics_of(variant, values_for(variant), LONGEST);
        assert_int_equal(s.nonfinite, 2);
        assert_true(isinf(s.min) && isinf(s.max) && isnan(statistics_mean(&s)) && isinf(statistics_norm(&s)));
        assert_true(isnan(statistics_std(&s)));
    }
}

static void differences_are_squared_at_any_scale(void **state)
{
    (void)state;
    static float less[LONGEST];
    for (Kind kind = NORMAL; kind < KINDS; kind++) {
        fill(kind, LONGEST);
        for (int l = 0; l < LENGTHS; l++) {
            long double expected = 0;
            for (size_t i = 0; i < lengths[l]; i++) {
                less[i] = floats[i] * 0.75f;
                long double d = (long double)floats[i] - (long double)less[i];
                expected += d * d;
            }
            for (Variant variant = VARIANT_F32; variant < VARIANT_F64; variant++)
                if (variant_is_supported(variant))
                    assert_ratio(sqrt(statistics_square_sum(variant, floats, less, lengths[l])), sqrtl(expected), "difference",
                                 variant, kind, lengths[l]);
        }
    }
}

static void check_histogram(Variant variant, size_t n)
{
    static ExponentHistogram expected, actual;
    memset(&expected, 0, sizeof expected);
    memset(&actual, 0, sizeof actual);
    for (size_t i = 0; i < n; i++) {
        if (floats[i] == 0)
            expected.zeros++;
        else if (!isfinite(floats[i]))
            expected.nonfinite++;
        else
            expected.count[ilogb((double)floats[i]) - EXPONENT_FIRST]++;
    }
    exponent_histogram_add(variant, values_for(variant), n, &actual);
    assert_memory_equal(&actual, &expected, sizeof actual);
}

static void exponents_are_counted_exactly(void **state)
{
    (void)state;
    for (int kind = NORMAL; kind <= KINDS; kind++) {
        fill(kind == KINDS ? NORMAL : (Kind)kind, LONGEST);
        for (size_t i = 0; kind == KINDS && i < LONGEST; i++) {
            Random random = random_stream(2, RANDOM_DATA, 0);
            uint32_t bits = random_word(&random, i);
            memcpy(&floats[i], &bits, sizeof bits);
            doubles[i] = (double)floats[i];
        }
        for (int l = 0; l < LENGTHS; l++)
            for (Variant variant = VARIANT_F32; variant < VARIANT_COUNT; variant++)
                if (variant_is_supported(variant))
                    check_histogram(variant, lengths[l]);
    }
}

static void every_exponent_has_its_bin(void **state)
{
    (void)state;
    size_t n = 0;
    for (int exponent = EXPONENT_FIRST; exponent <= EXPONENT_LAST; exponent++, n++)
        doubles[n] = (double)(floats[n] = (float)ldexp(exponent & 1 ? -1 : 1, exponent));
    for (Variant variant = VARIANT_F32; variant < VARIANT_COUNT; variant++)
        if (variant_is_supported(variant)) {
            ExponentHistogram histogram = {.zeros = 0};
            exponent_histogram_add(variant, values_for(variant), n, &histogram);
            for (int bin = 0; bin < EXPONENT_BINS; bin++)
                assert_int_equal(histogram.count[bin], 1);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_agree_with_long_double),    cmocka_unit_test(statistics_of_nothing_are_neutral),
        cmocka_unit_test(nan_spoils_everything_but_the_counts), cmocka_unit_test(infinity_follows_ieee_arithmetic),
        cmocka_unit_test(differences_are_squared_at_any_scale), cmocka_unit_test(exponents_are_counted_exactly),
        cmocka_unit_test(every_exponent_has_its_bin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
