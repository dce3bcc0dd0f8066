/* The error bounds that vector_math.h states, over all floats at a stride that is coprime to the exponents' width. */
#include "support_test.h"

#define KERNEL_F32
#include "tensor/vector_math.h"

enum { STRIDE = 251 };

/* Units in the last place of the exact value; of the smallest normal number below it. */
static double units(float result, double exact)
{
    if (isnan(exact))
        return isnan(result) ? 0 : INFINITY;
    if (isinf((float)exact))
        return isinf(result) && (result > 0) == (exact > 0) ? 0 : fabsf(result) >= 3.4028e38f ? 1 : INFINITY;
    float magnitude = fabsf((float)exact);
    float unit = magnitude < 1.17549435e-38f ? 1.17549435e-38f * 1.1920929e-7f : nextafterf(magnitude, INFINITY) - magnitude;
    return fabs((double)result - exact) / (double)unit;
}

static double worst(float (*f)(float), double (*exact)(double))
{
    double top = 0;
    for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += STRIDE) {
        float x = float_of((uint32_t)bits);
        double error = units(f(x), exact((double)x));
        top = error > top ? error : top;
    }
    return top;
}

static double sigmoid(double x)
{
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

#define BOUND_TEST(name, limit, reference)                                                                                     \
    static void name##_is_within_##limit##_units(void **state)                                                                 \
    {                                                                                                                          \
        (void)state;                                                                                                           \
        double error = worst(name##_float, reference);                                                                         \
        if (!(error <= limit))                                                                                                 \
            fail_msg("%s is wrong by %.2f units in the last place", #name, error);                                             \
    }

BOUND_TEST(exp, 2, exp)
BOUND_TEST(expm1, 3, expm1)
BOUND_TEST(log, 2, log)
BOUND_TEST(log1p, 4, log1p)
BOUND_TEST(tanh, 3, tanh)
BOUND_TEST(sigmoid, 4, sigmoid)
BOUND_TEST(erf, 3, erf)

static void limits_are_exact(void **state)
{
    (void)state;
    assert_true(exp_float(INFINITY) == INFINITY && exp_float(-INFINITY) == 0);
    assert_true(log_float(0) == -INFINITY && log_float(INFINITY) == INFINITY && isnan(log_float(-1)));
    assert_true(tanh_float(INFINITY) == 1 && tanh_float(-INFINITY) == -1 && tanh_float(0) == 0);
    assert_true(sigmoid_float(INFINITY) == 1 && sigmoid_float(-INFINITY) == 0);
    assert_true(erf_float(INFINITY) == 1 && erf_float(-INFINITY) == -1);
    assert_true(isnan(exp_float(NAN)) && isnan(tanh_float(NAN)) && isnan(sigmoid_float(NAN)) && isnan(erf_float(NAN)));
    assert_true(isnan(log_float(NAN)) && isnan(log1p_float(NAN)) && isnan(expm1_float(NAN)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_is_within_2_units),  cmocka_unit_test(expm1_is_within_3_units),
        cmocka_unit_test(log_is_within_2_units),  cmocka_unit_test(log1p_is_within_4_units),
        cmocka_unit_test(tanh_is_within_3_units), cmocka_unit_test(sigmoid_is_within_4_units),
        cmocka_unit_test(erf_is_within_3_units),  cmocka_unit_test(limits_are_exact),
    };
    return cmocka_run_group_tests_name("vector_math", tests, NULL, NULL);
}
