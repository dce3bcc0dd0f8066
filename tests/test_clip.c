#include "support_test.h"

#include <math.h>
#include <string.h>

#include "optim/clip.h"

enum { PARAMETERS = 3 };

/* A matrix of gradients 3, 4 / 0, 12, a vector of -1, and a parameter without a gradient. */
typedef struct Fixture {
    Arena *arena;
    Error *err;
    Parameter parameter[PARAMETERS], *parameters[PARAMETERS];
    float weights[4], weight, other, matrix[4], vector[1];
    float *gradients[PARAMETERS];
    double squares[PARAMETERS];
} Fixture;

static void measure(Fixture *f)
{
    f->squares[0] = f->squares[1] = 0;
    for (int i = 0; i < 4; i++)
        f->squares[0] += (double)f->matrix[i] * (double)f->matrix[i];
    f->squares[1] = (double)f->vector[0] * (double)f->vector[0];
}

static void fixture_start(Fixture *f)
{
    *f = (Fixture){.weights = {1, 0, 30, 40}, .weight = 0, .matrix = {3, 4, 0, 12}, .vector = {-1}};
    f->arena = arena_new(NULL);
    f->err = error_new(f->arena);
    f->parameter[0] = (Parameter){.name = "fc1.weight", .shape = SHAPE(2, 2), .data = f->weights};
    f->parameter[1] = (Parameter){.name = "fc1.bias", .shape = SHAPE(1), .data = &f->weight};
    f->parameter[2] = (Parameter){.name = "fc2.weight", .shape = SHAPE(1), .data = &f->other};
    for (int i = 0; i < PARAMETERS; i++)
        f->parameters[i] = &f->parameter[i];
    f->gradients[0] = f->matrix;
    f->gradients[1] = f->vector;
    measure(f);
}

static Clip *clip_from(Fixture *f, const char *text)
{
    Json *object = text ? json_read_text(f->arena, "test", text, strlen(text), f->err) : NULL;
    return clip_new(f->arena, object, PARAMETERS, f->err);
}

static const ClipResult *apply(Fixture *f, const char *text)
{
    Clip *clip = clip_from(f, text);
    assert_non_null(clip);
    return clip_apply(clip, f->parameters, f->gradients, f->squares);
}

static void the_total_norm_scales_all_gradients_alike(void **state)
{
    (void)state;
    Fixture f;
    fixture_start(&f);
    const ClipResult *r = apply(&f, "{\"type\": \"norm\", \"max_norm\": 1}");
    double norm = sqrt(9 + 16 + 144 + 1), coefficient = 1 / (norm + 1e-6);
    assert_true(r->total.changed);
    assert_near(r->total.before, norm, 1e-12);
    assert_near(r->total.coefficient, coefficient, 1e-12);
    assert_near(r->total.after, norm * coefficient, 1e-12);
    assert_near(r->clipped_norm, norm * coefficient, 1e-12);
    for (int i = 0; i < 2; i++)
        assert_near(r->factor[i], coefficient, 1e-12);
    assert_near(r->factor[2], 1, 0);
    assert_near(f.matrix[0], 3, 0);
    arena_free(f.arena);
}

static void gradients_below_the_limit_are_left_alone(void **state)
{
    (void)state;
    Fixture f;
    fixture_start(&f);
    const char *const configs[] = {"{\"type\": \"norm\", \"max_norm\": 100}", "{\"type\": \"value\", \"limit\": 12}",
                                   "{\"type\": \"adaptive\", \"ratio\": 100000}", NULL, "null"};
    for (int i = 0; i < 5; i++) {
        const ClipResult *r = apply(&f, configs[i]);
        assert_false(r->total.changed);
        assert_near(r->total.coefficient, 1, 0);
        assert_near(r->factor[0], 1, 0);
        assert_near(r->clipped_norm, sqrt(170), 1e-12);
        assert_near(f.matrix[3], 12, 0);
    }
    arena_free(f.arena);
}

static void norms_of_any_order_are_right(void **state)
{
    (void)state;
    static const struct {
        const char *order;
        double norm;
    } cases[] = {{"1", 20}, {"2", 13.038404810405298}, {"3", 12.200219682}, {"\"inf\"", 12}, {"0.5", 66.2562}};
    for (int i = 0; i < 5; i++) {
        Fixture f;
        fixture_start(&f);
        const char *text = arena_printf(f.arena, "{\"type\": \"norm\", \"max_norm\": 2, \"norm_type\": %s}", cases[i].order);
        const ClipResult *r = apply(&f, text);
        double order = i == 2 ? 3 : 0.5, expected = cases[i].norm;
        if (i == 2 || i == 4)
            expected = pow(pow(3, order) + pow(4, order) + pow(12, order) + 1, 1 / order);
        assert_near(r->total.before, expected, 1e-9);
        assert_near(r->total.coefficient, 2 / (expected + 1e-6), 1e-12);
        assert_near(r->total.after, expected * r->total.coefficient, 1e-12);
        assert_near(r->clipped_norm, sqrt(170) * r->total.coefficient, 1e-12);
        arena_free(f.arena);
    }
}

static void a_high_order_does_not_leave_the_range_of_double(void **state)
{
    (void)state;
    Fixture f;
    fixture_start(&f);
    for (int i = 0; i < 4; i++)
        f.matrix[i] = 1e30f;
    measure(&f);
    const ClipResult *r = apply(&f, "{\"type\": \"norm\", \"max_norm\": 2, \"norm_type\": 50}");
    assert_near(r->total.before / (1e30 * pow(4, 1.0 / 50)), 1, 1e-6);
    arena_free(f.arena);
}

static void per_layer_clips_each_parameter_by_itself(void **state)
{
    (void)state;
    Fixture f;
    fixture_start(&f);
    const ClipResult *r = apply(&f, "{\"type\": \"norm\", \"max_norm\": 2, \"per_layer\": true}");
    assert_true(r->parameter[0].changed);
    assert_near(r->parameter[0].before, 13, 1e-12);
    assert_near(r->factor[0], 2 / (13 + 1e-6), 1e-12);
    assert_near(r->parameter[0].after, 2, 1e-6);
    assert_false(r->parameter[1].changed);
    assert_near(r->factor[1], 1, 0);
    assert_false(r->parameter[2].changed);
    assert_near(r->clipped_norm, sqrt(5), 1e-6);
    assert_near(r->total.after, sqrt(5), 1e-6);
    arena_free(f.arena);
}

static void values_are_clamped_in_place(void **state)
{
    (void)state;
    Fixture f;
    fixture_start(&f);
    f.vector[0] = -9;
    measure(&f);
    const ClipResult *r = apply(&f, "{\"type\": \"value\", \"limit\": 3.5}");
    assert_near(f.matrix[0], 3, 0);
    assert_near(f.matrix[1], 3.5, 0);
    assert_near(f.matrix[3], 3.5, 0);
    assert_near(f.vector[0], -3.5, 0);
    assert_near(r->total.before, sqrt(9 + 16 + 144 + 81), 1e-12);
    assert_near(r->total.after, sqrt(9 + 3 * 12.25), 1e-12);
    assert_near(r->total.coefficient, r->total.after / r->total.before, 1e-12);
    assert_near(r->parameter[1].after, 3.5, 1e-12);
    assert_near(r->factor[0], 1, 0);
    arena_free(f.arena);
}

static void adaptive_clipping_compares_each_row_with_its_weights(void **state)
{
    (void)state;
    Fixture f;
    fixture_start(&f);
    const ClipResult *r = apply(&f, "{\"type\": \"adaptive\", \"ratio\": 0.5}");
    assert_near(f.matrix[0], 3 * 0.5 / 5, 1e-7);
    assert_near(f.matrix[1], 4 * 0.5 / 5, 1e-7);
    assert_near(f.matrix[3], 12, 0);
    assert_near(f.vector[0], -0.5 * 1e-3, 1e-10);
    assert_true(r->parameter[0].changed);
    assert_near(r->parameter[0].after, sqrt(0.25 + 144), 1e-6);
    arena_free(f.arena);

    fixture_start(&f);
    r = apply(&f, "{\"type\": \"adaptive\", \"ratio\": 0.1, \"unit\": \"whole\"}");
    double coefficient = 0.1 * sqrt(1 + 900 + 1600) / 13;
    assert_near(f.matrix[3], 12 * coefficient, 1e-6);
    assert_near(f.matrix[0], 3 * coefficient, 1e-6);
    arena_free(f.arena);
}

static void gradients_that_are_not_finite_do_as_in_pytorch(void **state)
{
    (void)state;
    Fixture f;
    fixture_start(&f);
    const char *const orders[] = {"1", "2", "3", "\"inf\""};
    for (int i = 0; i < 4; i++) {
        const char *text = arena_printf(f.arena, "{\"type\": \"norm\", \"max_norm\": 2, \"norm_type\": %s}", orders[i]);
        f.matrix[2] = INFINITY;
        measure(&f);
        const ClipResult *r = apply(&f, text);
        assert_true(isinf(r->total.before) && r->total.changed);
        assert_near(r->factor[1], 0, 0);
        f.matrix[2] = NAN;
        measure(&f);
        r = apply(&f, text);
        assert_true(isnan(r->total.before) && isnan(r->factor[1]) && r->total.changed);
    }
    const ClipResult *r = apply(&f, "{\"type\": \"value\", \"limit\": 1}");
    assert_true(isnan(f.matrix[2]) && isnan(r->clipped_norm));
    assert_near(f.matrix[3], 1, 0);
    apply(&f, "{\"type\": \"adaptive\", \"ratio\": 1}");
    arena_free(f.arena);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{\"max_norm\": 1}", "type"},
        {"{\"type\": \"norms\"}", "unknown clip type `norms`"},
        {"{\"type\": \"norm\"}", "max_norm"},
        {"{\"type\": \"norm\", \"max_norm\": 0}", "max_norm"},
        {"{\"type\": \"norm\", \"max_norm\": 1, \"norm_type\": 0}", "norm_type"},
        {"{\"type\": \"norm\", \"max_norm\": 1, \"norm_type\": \"two\"}", "norm_type"},
        {"{\"type\": \"norm\", \"max_norm\": 1, \"limit\": 2}", "limit"},
        {"{\"type\": \"value\", \"limit\": -1}", "limit"},
        {"{\"type\": \"adaptive\", \"ratio\": 0.1, \"unit\": \"column\"}", "unit"},
        {"3", "clip"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Fixture f;
        fixture_start(&f);
        assert_null(clip_from(&f, cases[i][0]));
        if (!strstr(error_message(f.err, 0), cases[i][1]))
            fail_msg("%s: \"%s\" does not say \"%s\"", cases[i][0], error_message(f.err, 0), cases[i][1]);
        arena_free(f.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_total_norm_scales_all_gradients_alike),
        cmocka_unit_test(gradients_below_the_limit_are_left_alone),
        cmocka_unit_test(norms_of_any_order_are_right),
        cmocka_unit_test(a_high_order_does_not_leave_the_range_of_double),
        cmocka_unit_test(per_layer_clips_each_parameter_by_itself),
        cmocka_unit_test(values_are_clamped_in_place),
        cmocka_unit_test(adaptive_clipping_compares_each_row_with_its_weights),
        cmocka_unit_test(gradients_that_are_not_finite_do_as_in_pytorch),
        cmocka_unit_test(mistakes_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
