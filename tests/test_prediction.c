/* Mean-field theory against its published numbers, and predictions against what a probe of the model measures. */
#include "support_test.h"

#include <math.h>
#include <string.h>

#include "diagnose/mean_field.h"
#include "support_run.h"

/* The fixed point q* of q = sigma_w^2 E[tanh(sqrt(q) z)^2] + sigma_b^2, and chi_1 there. */
static double tanh_chi(double weight_variance, double bias_variance)
{
    const MeanFieldFunction *f = mean_field_function("tanh");
    double q = 1;
    for (int i = 0; i < 2000; i++)
        q = weight_variance * mean_field_moments(f, 0, 0, sqrt(q), 1).square + bias_variance;
    return weight_variance * mean_field_moments(f, 0, 0, sqrt(q), 1).slope_2;
}

static void tanh_has_the_phases_of_schoenholz(void **state)
{
    (void)state;
    static const double table[][2] = {{1.0, 0.7590}, {1.3, 0.8802}, {1.5, 0.9386}, {2.0, 1.0477}, {2.5, 1.1335}, {4.0, 1.3424}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_near(tanh_chi(table[i][0], 0.05), table[i][1], 5e-5);
    assert_near(tanh_chi(1.7603, 0.05), 1, 2e-4);
}

static void moments_have_their_closed_forms(void **state)
{
    (void)state;
    MeanFieldMoments m = mean_field_moments(mean_field_function(""), 0, 0.5, 2, 1);
    assert_near(m.mean, 0.5, 1e-12);
    assert_near(m.square, 4.25, 1e-11);
    assert_near(m.slope_2, 1, 1e-12);
    m = mean_field_moments(mean_field_function("relu"), 0, 0, 3, 1);
    assert_near(m.mean, 3 / sqrt(2 * M_PI), 1e-11);
    assert_near(m.square, 4.5, 1e-10);
    assert_near(m.slope_2, 0.5, 1e-12);
    assert_near(m.slope_4, 0.5, 1e-12);
    m = mean_field_moments(mean_field_function("relu"), 0, 1, 1, 1); /* Phi(1) */
    assert_near(m.slope_2, 0.841344746068543, 1e-11);
    m = mean_field_moments(mean_field_function("leaky_relu"), 0.2, 0, 1e-200, 1);
    assert_near(m.slope_2, 0.52, 1e-11);
    m = mean_field_moments(mean_field_function("hardtanh"), 0, 0, 0.5, 1); /* 2 Phi(2) - 1 */
    assert_near(m.slope_2, 0.954499736103642, 1e-11);
    m = mean_field_moments(mean_field_function("selu"), 0, 0, 1, 1); /* Klambauer et al. 2017: a fixed point */
    assert_near(m.mean, 0, 1e-9);
    assert_near(m.square, 1, 1e-9);
    m = mean_field_moments(mean_field_function("sigmoid"), 0, 0, 1e4, 1); /* a step */
    assert_near(m.mean, 0.5, 1e-12);
    assert_near(m.square, 0.5, 1e-3);
}

static void the_largest_of_several_has_its_order_statistics(void **state)
{
    (void)state;
    MeanFieldMoments m = mean_field_moments(mean_field_function(""), 0, 0, 1, 2);
    assert_near(m.mean, 1 / sqrt(M_PI), 1e-11);
    assert_near(m.square, 1, 1e-11);
    m = mean_field_moments(mean_field_function("relu"), 0, 0, 1, 4); /* dead only where all four are */
    assert_near(m.slope_2, 15.0 / 16, 1e-11);
}

/* Cho & Saul 2009, "Kernel methods for deep learning", equation 6. */
static void products_of_relu_are_the_arc_cosine_kernel(void **state)
{
    (void)state;
    for (double c = 0; c <= 1; c += 0.125) {
        double expected = 4 * (sqrt(1 - c * c) + c * (M_PI - acos(c))) / (2 * M_PI);
        assert_near(mean_field_product(mean_field_function("relu"), 0, 0, 2, c), expected, 1e-6);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tanh_has_the_phases_of_schoenholz),
        cmocka_unit_test(moments_have_their_closed_forms),
        cmocka_unit_test(the_largest_of_several_has_its_order_statistics),
        cmocka_unit_test(products_of_relu_are_the_arc_cosine_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
