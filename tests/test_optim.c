#include "support_test.h"

#include <math.h>
#include <string.h>

#include "optim/optimizer.h"
#include "optim/schedule.h"

#include "optim_reference.h"

typedef struct Fixture {
    Arena *arena;
    Error *err;
} Fixture;

static Fixture fixture_new(void)
{
    Arena *arena = arena_new(NULL);
    return (Fixture){arena, error_new(arena)};
}

static Json *parse(Fixture *f, const char *text)
{
    Json *json = json_read_text(f->arena, "test", text, strlen(text), f->err);
    assert_non_null(json);
    return json;
}

static Parameter *parameter_new(Fixture *f, const char *name, int count)
{
    Parameter *parameter = ARENA_NEW(f->arena, Parameter);
    *parameter = (Parameter){.name = name, .layer = "fc1", .shape = SHAPE(count)};
    parameter->data = arena_try(f->arena, sizeof(float) * (size_t)count);
    return parameter;
}

static float reference_weight(int i)
{
    return (float)((i * 37 + 11) % 101) / 64 - 0.75f;
}

static float reference_gradient(int i, int step)
{
    return (float)((i * 53 + step * 29 + 7) % 97) / 128 - 0.375f;
}

static Optimizer *optimizer_for(Fixture *f, const char *config, Parameter *const parameters[], int count)
{
    return optimizer_new(f->arena, parse(f, config), parameters, count, f->err);
}

/* A few roundings of float32, of the weight or of an update of about 0.1. */
static double tolerance_at(float value)
{
    return 4e-7 * fmax(fabs((double)value), 0.1);
}

static void every_optimizer_does_what_pytorch_does(void **state)
{
    (void)state;
    for (size_t r = 0; r < sizeof optimizer_references / sizeof optimizer_references[0]; r++) {
        const struct OptimizerReference *reference = &optimizer_references[r];
        Fixture f = fixture_new();
        Parameter *parameter = parameter_new(&f, "fc1.weight", REFERENCE_COUNT);
        for (int i = 0; i < REFERENCE_COUNT; i++)
            parameter->data[i] = reference_weight(i);
        Optimizer *optimizer = optimizer_for(&f, reference->config, &parameter, 1);
        assert_non_null(optimizer);
        for (int step = 0; step < REFERENCE_UPDATES; step++) {
            float gradient[REFERENCE_COUNT];
            for (int i = 0; i < REFERENCE_COUNT; i++)
                gradient[i] = reference_gradient(i, step);
            optimizer_update(optimizer, 0, gradient, 1, NULL);
            const float *expected = step == 0 ? reference->first : reference->last;
            for (int i = 0; i < REFERENCE_COUNT && (step == 0 || step == REFERENCE_UPDATES - 1); i++)
                if (!(fabs((double)parameter->data[i] - (double)expected[i]) <= tolerance_at(expected[i])))
                    fail_msg("%s: weight %d after step %d is %.9g, expected %.9g", reference->config, i, step + 1,
                             (double)parameter->data[i], (double)expected[i]);
        }
        arena_free(f.arena);
    }
}

static void every_instruction_set_updates_alike(void **state)
{
    (void)state;
    enum { COUNT = 2500 };
    static float x[VARIANT_COUNT][COUNT], states[VARIANT_COUNT][OPTIMIZER_MAX_STATES][COUNT], gradient[COUNT];
    const OptimizerOptions options = {
        .lr = 0.1, .momentum = 0.9, .weight_decay = 0.1, .alpha = 0.9, .eps = 1e-3, .betas = {0.9, 0.99}, .nesterov = true};
    for (int type = 0; type < optimizer_count; type++)
        for (int variant = 0; variant < VARIANT_F64; variant++) {
            if (!variant_is_supported((Variant)variant))
                continue;
            UpdateStatistics statistics = {0};
            Update update = {.options = &options,
                             .lr = 0.1,
                             .count = COUNT,
                             .x = x[variant],
                             .gradient = gradient,
                             .statistics = &statistics};
            for (int i = 0; i < COUNT; i++)
                x[variant][i] = reference_weight(i);
            memset(states[variant], 0, sizeof states[variant]);
            for (int i = 0; i < OPTIMIZER_MAX_STATES; i++)
                update.state[i] = optimizer_table[type]->state_names[i] ? states[variant][i] : NULL;
            for (update.step = 1; update.step <= 4; update.step++) {
                for (int i = 0; i < COUNT; i++)
                    gradient[i] = reference_gradient(i, (int)update.step);
                update.coefficient = 0.5;
                optimizer_table[type]->update[variant](&update);
            }
            for (int i = 0; i < COUNT; i++)
                assert_near(x[variant][i], x[VARIANT_F32][i], 1e-6 * fmax(fabs((double)x[VARIANT_F32][i]), 1));
        }
}

static void every_schedule_does_what_pytorch_does(void **state)
{
    (void)state;
    for (size_t r = 0; r < sizeof schedule_references / sizeof schedule_references[0]; r++) {
        const struct ScheduleReference *reference = &schedule_references[r];
        Fixture f = fixture_new();
        Schedule *schedule = schedule_new(f.arena, parse(&f, reference->config), 0.3, REFERENCE_STEPS, f.err);
        assert_non_null(schedule);
        for (int step = 0; step < REFERENCE_STEPS; step++)
            if (!(fabs(schedule_rate(schedule, step) - reference->rates[step]) <= 1e-13))
                fail_msg("%s: rate of step %d is %.17g, expected %.17g", reference->config, step, schedule_rate(schedule, step),
                         reference->rates[step]);
        arena_free(f.arena);
    }
}

static void a_run_of_one_step_has_a_finite_rate(void **state)
{
    (void)state;
    Fixture f = fixture_new();
    for (int i = 0; i < schedule_count; i++) {
        const char *text = arena_printf(f.arena, "{\"type\": \"%s\"%s%s}", schedule_table[i]->name,
                                        strcmp(schedule_table[i]->name, "step") ? "" : ", \"every\": 1, \"gamma\": 0.5",
                                        strcmp(schedule_table[i]->name, "exponential") ? "" : ", \"gamma\": 0.5");
        for (int64_t steps = 0; steps < 5; steps++) {
            Schedule *schedule = schedule_new(f.arena, parse(&f, text), 1, steps, f.err);
            for (int64_t step = 0; step < 6; step++)
                assert_true(isfinite(schedule_rate(schedule, step)));
        }
    }
    arena_free(f.arena);
}

static void the_default_is_sgd_at_a_hundredth_and_a_constant_rate(void **state)
{
    (void)state;
    Fixture f = fixture_new();
    Parameter *parameter = parameter_new(&f, "fc1.weight", 1);
    Optimizer *optimizer = optimizer_new(f.arena, NULL, &parameter, 1, f.err);
    assert_string_equal(optimizer_name(optimizer), "sgd");
    assert_near(optimizer_base_lr(optimizer), 0.01, 0);
    assert_int_equal(optimizer_bytes(optimizer), 0);
    Schedule *schedule = schedule_new(f.arena, NULL, 0.01, 10, f.err);
    assert_near(schedule_rate(schedule, 9), 0.01, 0);
    optimizer_update(optimizer, 0, &(float){2}, 1, NULL);
    assert_near(parameter->data[0], -0.02, 1e-9);
    arena_free(f.arena);
}

static void the_object_becomes_the_complete_config(void **state)
{
    (void)state;
    Fixture f = fixture_new();
    Parameter *parameter = parameter_new(&f, "fc1.weight", 1);
    Json *object = parse(&f, "{\"type\": \"adamw\"}");
    assert_non_null(optimizer_new(f.arena, object, &parameter, 1, f.err));
    assert_near(json_member(object, "weight_decay")->number, 0.01, 0);
    assert_near(json_item(json_member(object, "betas"), 1)->number, 0.999, 0);
    arena_free(f.arena);
}

static void groups_merge_key_by_key_and_later_ones_win(void **state)
{
    (void)state;
    Fixture f = fixture_new();
    Parameter *parameters[] = {parameter_new(&f, "blocks.0.weight", 1), parameter_new(&f, "blocks.0.bias", 1),
                               parameter_new(&f, "head.bias", 1)};
    Optimizer *optimizer = optimizer_for(&f,
                                         "{\"type\": \"sgd\", \"lr\": 0.5, \"weight_decay\": 0.5, \"groups\": ["
                                         "{\"match\": \"*.bias\", \"weight_decay\": 0, \"lr\": 0.25},"
                                         "{\"match\": \"head*\", \"lr\": 0.125}]}",
                                         parameters, 3);
    assert_non_null(optimizer);
    for (int i = 0; i < 3; i++) {
        parameters[i]->data[0] = 1;
        optimizer_update(optimizer, i, &(float){1}, 1, NULL);
    }
    assert_near(parameters[0]->data[0], 1 - 0.5 * 1.5, 0);
    assert_near(parameters[1]->data[0], 1 - 0.25, 0);
    assert_near(parameters[2]->data[0], 1 - 0.125, 0);
    arena_free(f.arena);
}

static void a_schedule_gives_each_group_its_rate(void **state)
{
    (void)state;
    Fixture f = fixture_new();
    Parameter *parameters[] = {parameter_new(&f, "a", 1), parameter_new(&f, "b", 1)};
    Optimizer *optimizer =
        optimizer_for(&f, "{\"type\": \"sgd\", \"lr\": 0.5, \"groups\": [{\"match\": \"b\", \"lr\": 0.25}]}", parameters, 2);
    Schedule *schedule =
        schedule_new(f.arena, parse(&f, "{\"type\": \"linear\", \"min_lr\": 0.125}"), optimizer_base_lr(optimizer), 10, f.err);
    optimizer_start_step(optimizer, schedule, 5);
    for (int i = 0; i < 2; i++)
        optimizer_update(optimizer, i, &(float){1}, 1, NULL);
    assert_near(parameters[0]->data[0], -(0.5 + 0.125) / 2, 1e-7);
    assert_near(parameters[1]->data[0], -(0.25 + 0.125) / 2, 1e-7);
    arena_free(f.arena);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{\"type\": \"adan\"}", "unknown optimizer"},
        {"{\"type\": \"adam\", \"momentum\": 0.9}", "unknown key `momentum`"},
        {"{\"type\": \"sgd\", \"lr\": -1}", "lr"},
        {"{\"type\": \"adam\", \"betas\": [0.9, 1]}", "betas must be two numbers"},
        {"{\"type\": \"adam\", \"betas\": 0.9}", "betas must be two numbers"},
        {"{\"type\": \"sgd\", \"nesterov\": true}", "nesterov needs"},
        {"{\"type\": \"sgd\", \"groups\": [{\"match\": \"fc1*\", \"nesterov\": true}]}", "nesterov needs"},
        {"{\"type\": \"sgd\", \"groups\": [{\"match\": \"fc2*\", \"lr\": 1}]}", "no parameter's name matches \"fc2*\""},
        {"{\"type\": \"sgd\", \"groups\": [{\"match\": \"fc1*\", \"rate\": 1}]}", "unknown key `rate`"},
        {"{\"type\": \"sgd\", \"groups\": [{\"lr\": 1}]}", "match"},
        {"{\"type\": \"sgd\", \"groups\": {}}", "groups must be a list"},
        {"[]", "the optimizer must be an object"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Fixture f = fixture_new();
        Parameter *parameter = parameter_new(&f, "fc1.weight", 1);
        assert_null(optimizer_for(&f, cases[i][0], &parameter, 1));
        if (!strstr(error_message(f.err, 0), cases[i][1]))
            fail_msg("%s: \"%s\" does not say \"%s\"", cases[i][0], error_message(f.err, 0), cases[i][1]);
        arena_free(f.arena);
    }
    Fixture f = fixture_new();
    assert_null(schedule_new(f.arena, parse(&f, "{\"type\": \"cosin\"}"), 1, 10, f.err));
    assert_null(schedule_new(f.arena, parse(&f, "{\"type\": \"step\"}"), 1, 10, f.err));
    assert_null(schedule_new(f.arena, parse(&f, "{\"type\": \"cosine\", \"gamma\": 1}"), 1, 10, f.err));
    assert_int_equal(error_count(f.err), 3);
    arena_free(f.arena);
}

static void buffers_and_frozen_weights_have_no_state_and_do_not_move(void **state)
{
    (void)state;
    Fixture f = fixture_new();
    Parameter *parameters[] = {parameter_new(&f, "a", 1), parameter_new(&f, "b", 1), parameter_new(&f, "c", 1)};
    parameters[0]->frozen = true;
    parameters[1]->kind = PARAMETER_BUFFER;
    Optimizer *optimizer = optimizer_for(&f, "{\"type\": \"adam\"}", parameters, 3);
    int count;
    Parameter *const *saved = optimizer_state(optimizer, &count);
    assert_int_equal(count, 3);
    assert_string_equal(saved[0]->name, "c.step");
    assert_string_equal(saved[1]->name, "c.exp_avg");
    assert_string_equal(saved[2]->name, "c.exp_avg_sq");
    assert_int_equal(optimizer_bytes(optimizer), 128);
    UpdateStatistics statistics;
    for (int i = 0; i < 3; i++)
        optimizer_update(optimizer, i, &(float){1}, 1, &statistics);
    assert_near(parameters[0]->data[0], 0, 0);
    assert_near(parameters[1]->data[0], 0, 0);
    assert_near(parameters[2]->data[0], -0.001, 1e-9);
    assert_int_equal(saved[0]->counter, 1);
    arena_free(f.arena);
}

static void saved_state_goes_on_exactly(void **state)
{
    (void)state;
    enum { COUNT = 40 };
    Fixture f = fixture_new();
    const char *config = "{\"type\": \"adam\", \"amsgrad\": true}";
    Parameter *one = parameter_new(&f, "w", COUNT), *two = parameter_new(&f, "w", COUNT);
    Optimizer *first = optimizer_for(&f, config, &one, 1), *second = optimizer_for(&f, config, &two, 1);
    float gradient[COUNT];
    for (int step = 0; step < 6; step++) {
        for (int i = 0; i < COUNT; i++)
            gradient[i] = reference_gradient(i, step);
        if (step == 3) {
            int count;
            Parameter *const *from = optimizer_state(first, &count), *const *to = optimizer_state(second, &count);
            for (int i = 0; i < count; i++) {
                to[i]->counter = from[i]->counter;
                if (from[i]->data)
                    memcpy(to[i]->data, from[i]->data, sizeof gradient);
            }
            memcpy(two->data, one->data, sizeof gradient);
        }
        optimizer_update(first, 0, gradient, 1, NULL);
        if (step >= 3)
            optimizer_update(second, 0, gradient, 1, NULL);
    }
    assert_memory_equal(one->data, two->data, sizeof gradient);
    arena_free(f.arena);
}

static void check_update_statistics(float weight, float lr, double tolerance)
{
    enum { COUNT = 3001 };
    Fixture f = fixture_new();
    Parameter *parameter = parameter_new(&f, "w", COUNT);
    static float gradient[COUNT], before[COUNT];
    Optimizer *optimizer =
        optimizer_for(&f, arena_printf(f.arena, "{\"type\": \"sgd\", \"lr\": %.9g}", (double)lr), &parameter, 1);
    for (int i = 0; i < COUNT; i++) {
        before[i] = parameter->data[i] = weight * reference_weight(i);
        gradient[i] = reference_gradient(i, 1);
    }
    UpdateStatistics statistics;
    optimizer_update(optimizer, 0, gradient, 1, &statistics);
    long double update = 0, weights = 0;
    for (int i = 0; i < COUNT; i++) {
        long double d = (long double)parameter->data[i] - (long double)before[i];
        update += d * d;
        weights += (long double)before[i] * (long double)before[i];
    }
    assert_near(statistics.update_square / (double)update, 1, tolerance);
    assert_near(statistics.weight_square / (double)weights, 1, tolerance);
    arena_free(f.arena);
}

static void the_update_is_measured_at_any_scale(void **state)
{
    (void)state;
    check_update_statistics(1, 0.1f, 1e-7);
    check_update_statistics(1e-25f, 1e-26f, 1e-7);
    check_update_statistics(1e25f, 1e24f, 1e-7);
}

static bool all_finite(const Parameter *parameter, const Optimizer *optimizer, int count)
{
    Update update;
    bool are_finite = optimizer_next(optimizer, 0, &update);
    for (int i = 0; i < count; i++) {
        are_finite = are_finite && isfinite(parameter->data[i]);
        for (int k = 0; k < OPTIMIZER_MAX_STATES; k++)
            are_finite = are_finite && (!update.state[k] || isfinite(update.state[k][i]));
    }
    return are_finite;
}

/* Gradients grow tenfold a step: whatever overflows first, it was not called safe. */
static void no_update_that_is_called_safe_leaves_the_finite_numbers(void **state)
{
    enum { COUNT = 5, HEALTHY = 300 };
    (void)state;
    for (size_t r = 0; r < sizeof optimizer_references / sizeof optimizer_references[0]; r++) {
        const char *config = optimizer_references[r].config;
        Fixture f = fixture_new();
        Parameter *parameter = parameter_new(&f, "fc1.weight", COUNT);
        Optimizer *optimizer = optimizer_for(&f, config, &parameter, 1);
        Schedule *schedule = schedule_new(f.arena, json_new(f.arena, JSON_OBJECT), optimizer_base_lr(optimizer), 1000, f.err);
        bool is_centred = strstr(config, "centered") != NULL, is_safe = true, were_finite = true;
        for (int step = 0; step < HEALTHY + 40; step++) {
            float gradient[COUNT];
            double square = 0, scale = step < HEALTHY ? 1 : pow(10, step - HEALTHY);
            for (int i = 0; i < COUNT; i++) {
                gradient[i] = (float)(scale * (double)reference_gradient(i, step));
                square += (double)gradient[i] * (double)gradient[i];
            }
            optimizer_start_step(optimizer, schedule, step);
            is_safe = optimizer_is_safe(optimizer, sqrt(square));
            optimizer_update(optimizer, 0, gradient, 1, NULL);
            if (were_finite && step < HEALTHY && is_safe == is_centred)
                fail_msg("%s: step %d is called %s", config, step, is_safe ? "safe" : "unsafe");
            were_finite = all_finite(parameter, optimizer, COUNT);
            if (is_safe && !were_finite)
                fail_msg("%s: step %d is called safe and is not", config, step);
        }
        assert_false(is_safe);
        arena_free(f.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_optimizer_does_what_pytorch_does),
        cmocka_unit_test(every_instruction_set_updates_alike),
        cmocka_unit_test(every_schedule_does_what_pytorch_does),
        cmocka_unit_test(a_run_of_one_step_has_a_finite_rate),
        cmocka_unit_test(the_default_is_sgd_at_a_hundredth_and_a_constant_rate),
        cmocka_unit_test(the_object_becomes_the_complete_config),
        cmocka_unit_test(groups_merge_key_by_key_and_later_ones_win),
        cmocka_unit_test(a_schedule_gives_each_group_its_rate),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(buffers_and_frozen_weights_have_no_state_and_do_not_move),
        cmocka_unit_test(saved_state_goes_on_exactly),
        cmocka_unit_test(the_update_is_measured_at_any_scale),
        cmocka_unit_test(no_update_that_is_called_safe_leaves_the_finite_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
