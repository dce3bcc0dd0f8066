/* Rules about gradients and activations: a training that each finds, and one like it that it leaves alone. */
#include "support_test.h"

#include <math.h>

#include "monitor/run_line.h"
#include "support_story.h"

static void a_healthy_run_has_no_finding(void **state)
{
    Story story = story_new(state, "relu");
    story_config(&story, NULL);
    story_run(&story, 400, NULL);
    const Diagnosis *diagnosis = story_diagnose(&story);
    if (diagnosis->findings)
        fail_msg("%s: %s", diagnosis->finding[0]->rule->name, diagnosis->finding[0]->message);
}

/* Values that are not finite. */

static void loss_is_nan_from_50(Said *said, int64_t step)
{
    said->loss = step >= 50 ? NAN : said->loss;
    said->norm = step >= 50 ? NAN : said->norm;
}
static void norm_is_nan_from_50(Said *said, int64_t step)
{
    said->norm = step >= 50 ? NAN : said->norm;
}
static void weight_is_infinite_from_50(Said *said, int64_t step)
{
    said->weight[WEIGHT_2] = step >= 50 ? INFINITY : said->weight[WEIGHT_2];
}
static void loss_is_zero_beside_a_nan(Said *said, int64_t step)
{
    norm_is_nan_from_50(said, step);
    said->loss = step >= 50 ? 0 : said->loss;
}
FIRES(a_nan_loss_is_of_the_forward_pass, "nonfinite-forward", SEVERITY_ERROR, 60, loss_is_nan_from_50)
SILENT(a_nan_gradient_is_not_of_the_forward_pass, "nonfinite-forward", 60, norm_is_nan_from_50)
FIRES(a_nan_gradient_beside_a_finite_loss_is_of_the_backward_pass, "nonfinite-backward", SEVERITY_ERROR, 60,
      norm_is_nan_from_50)
SILENT(a_nan_loss_is_not_of_the_backward_pass, "nonfinite-backward", 60, loss_is_nan_from_50)
FIRES(an_infinite_weight_is_found, "nonfinite-parameter", SEVERITY_ERROR, 60, weight_is_infinite_from_50)
SILENT(finite_weights_are_left_alone, "nonfinite-parameter", 60, loss_is_nan_from_50)
FIRES(a_loss_of_zero_beside_a_nan_gradient_hides_it, "loss-hides-nan", SEVERITY_ERROR, 60, loss_is_zero_beside_a_nan)
SILENT(a_moving_loss_hides_nothing, "loss-hides-nan", 60, norm_is_nan_from_50)

/* Flow. */

static void flow_falls(Said *said, int64_t step)
{
    said->flow[LINEAR_1] = 1e-7;
    said->loss = 1.386 + 0.003 * (double)(step % 3);
}
static void flow_grows(Said *said, int64_t step)
{
    said->flow[LINEAR_1] = 10;
    said->loss = 5 + 0.1 * (double)(step % 3);
}
static void flow_falls_for_a_step(Said *said, int64_t step)
{
    said->flow[LINEAR_1] = step == 30 ? 1e-9 : said->flow[LINEAR_1];
}
static void flow_falls_but_all_is_learned(Said *said, int64_t step)
{
    said->flow[LINEAR_1] = step > 300 ? 1e-8 : 1e-3;
    said->loss = step > 300 ? 1e-3 : said->loss;
}
static void norm_grows(Said *said, int64_t step)
{
    said->norm = said->clipped = pow(10, (double)step / 100);
    said->loss = 1.4 + 0.01 * (double)(step % 3);
}
static void norm_grows_while_the_loss_falls(Said *said, int64_t step)
{
    said->norm = said->clipped = pow(10, (double)step / 100);
}
static void norm_spikes(Said *said, int64_t step)
{
    said->norm = said->clipped = step > 150 && step % 60 == 0 ? 50 : said->norm;
}
static void norm_spikes_once(Said *said, int64_t step)
{
    said->norm = said->clipped = step == 200 ? 50 : said->norm;
}
FIRES(a_gradient_that_falls_over_depth_vanishes, "vanishing-gradient", SEVERITY_ERROR, 400, flow_falls)
SILENT(one_small_gradient_does_not_vanish, "vanishing-gradient", 400, flow_falls_for_a_step)
SILENT(what_was_learned_may_have_small_gradients, "vanishing-gradient", 400, flow_falls_but_all_is_learned)
FIRES(a_gradient_that_grows_over_depth_explodes, "exploding-gradient", SEVERITY_ERROR, 400, flow_grows)
SILENT(a_falling_gradient_does_not_explode, "exploding-gradient", 400, flow_falls)
FIRES(a_norm_that_grows_over_the_run_is_found, "gradient-norm-growth", SEVERITY_ERROR, 400, norm_grows)
SILENT(a_norm_that_grows_out_of_a_flat_start_is_learning, "gradient-norm-growth", 400, norm_grows_while_the_loss_falls)
FIRES(spikes_of_the_norm_are_counted, "gradient-spikes", SEVERITY_WARNING, 400, norm_spikes)
SILENT(one_spike_is_no_rate, "gradient-spikes", 400, norm_spikes_once)

static void weight_1_has_no_gradient(Said *said, int64_t step)
{
    (void)step;
    said->gradient[WEIGHT_1] = run_missing();
}
static void weight_1_has_a_zero_gradient(Said *said, int64_t step)
{
    (void)step;
    said->gradient[WEIGHT_1] = 0;
}
static void a_dead_layer_stands_before_weight_1(Said *said, int64_t step)
{
    weight_1_has_a_zero_gradient(said, step);
    said->zeros[ACT_1] = 1;
}
FIRES(a_weight_without_a_gradient_has_no_path, "no-gradient-path", SEVERITY_ERROR, 50, weight_1_has_no_gradient)
FIRES(a_gradient_of_exact_zeros_is_found, "no-gradient-path", SEVERITY_ERROR, 50, weight_1_has_a_zero_gradient)
SILENT(a_zero_gradient_below_a_dead_layer_is_the_layers, "no-gradient-path", 50, a_dead_layer_stands_before_weight_1)

/* Activations. */

FIRES(a_layer_of_zeros_is_dead, "dead-units", SEVERITY_ERROR, 50, a_dead_layer_stands_before_weight_1)
SILENT(half_zeros_are_no_dead_units, "dead-units", 50, NULL)

static void units_that_never_answer_are_counted_by_the_probe(void **state)
{
    Story story = story_new(state, "relu");
    ProbeLayer layer[LAYERS];
    story_config(&story, NULL);
    story_run(&story, 50, flow_falls);
    for (int i = 0; i < LAYERS; i++)
        layer[i] = (ProbeLayer){.name = story.record->layer[i].name,
                                .type = i % 2 ? "relu" : "linear",
                                .dead = i == ACT_1 ? 0.2
                                        : i % 2    ? 0
                                                   : NAN,
                                .saturated = NAN};
    story.final = (Probe){.samples = 1024, .loss = 1, .loss_deviation = NAN, .layer = layer, .layers = LAYERS};
    story.evidence.final = &story.final;
    assert_fires(&story, "dead-units", SEVERITY_WARNING);
    layer[ACT_1].dead = 0.75;
    assert_fires(&story, "dead-units", SEVERITY_ERROR);
    layer[ACT_1].dead = 0.05;
    assert_silent(&story, "dead-units");
}

static void tanh_sits_at_its_bounds(Said *said, int64_t step)
{
    (void)step;
    said->std[ACT_1] = 0.998;
}
static void saturation_is_seen_in_the_deviation(void **state)
{
    Story story = story_new(state, "tanh");
    story_run(&story, 50, tanh_sits_at_its_bounds);
    assert_fires(&story, "saturated-units", SEVERITY_WARNING);
}
static void a_tanh_of_moderate_deviation_is_not_saturated(void **state)
{
    Story story = story_new(state, "tanh");
    story_run(&story, 50, NULL);
    assert_silent(&story, "saturated-units");
}
static void outputs_shrink_over_depth(Said *said, int64_t step)
{
    (void)step;
    said->std[LINEAR_2] = 0.5 / 30;
}
static void outputs_grow_over_time(Said *said, int64_t step)
{
    said->loss = 1.3 + 0.01 * (double)(step % 7);
    said->std[LINEAR_2] = step > 200 ? 50 : 0.5;
}
FIRES(activations_that_shrink_over_depth_are_found, "activation-scale", SEVERITY_WARNING, 50, outputs_shrink_over_depth)
FIRES(activations_that_grow_over_time_are_found, "activation-scale", SEVERITY_WARNING, 400, outputs_grow_over_time)
SILENT(activations_of_one_scale_are_left_alone, "activation-scale", 400, NULL)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(a_falling_gradient_does_not_explode),
        STORY_TEST(a_gradient_of_exact_zeros_is_found),
        STORY_TEST(a_gradient_that_falls_over_depth_vanishes),
        STORY_TEST(a_gradient_that_grows_over_depth_explodes),
        STORY_TEST(a_healthy_run_has_no_finding),
        STORY_TEST(a_layer_of_zeros_is_dead),
        STORY_TEST(a_loss_of_zero_beside_a_nan_gradient_hides_it),
        STORY_TEST(a_moving_loss_hides_nothing),
        STORY_TEST(a_nan_gradient_beside_a_finite_loss_is_of_the_backward_pass),
        STORY_TEST(a_nan_gradient_is_not_of_the_forward_pass),
        STORY_TEST(a_nan_loss_is_not_of_the_backward_pass),
        STORY_TEST(a_nan_loss_is_of_the_forward_pass),
        STORY_TEST(a_norm_that_grows_out_of_a_flat_start_is_learning),
        STORY_TEST(a_norm_that_grows_over_the_run_is_found),
        STORY_TEST(a_tanh_of_moderate_deviation_is_not_saturated),
        STORY_TEST(a_weight_without_a_gradient_has_no_path),
        STORY_TEST(a_zero_gradient_below_a_dead_layer_is_the_layers),
        STORY_TEST(activations_of_one_scale_are_left_alone),
        STORY_TEST(activations_that_grow_over_time_are_found),
        STORY_TEST(activations_that_shrink_over_depth_are_found),
        STORY_TEST(an_infinite_weight_is_found),
        STORY_TEST(finite_weights_are_left_alone),
        STORY_TEST(half_zeros_are_no_dead_units),
        STORY_TEST(one_small_gradient_does_not_vanish),
        STORY_TEST(one_spike_is_no_rate),
        STORY_TEST(saturation_is_seen_in_the_deviation),
        STORY_TEST(spikes_of_the_norm_are_counted),
        STORY_TEST(units_that_never_answer_are_counted_by_the_probe),
        STORY_TEST(what_was_learned_may_have_small_gradients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
