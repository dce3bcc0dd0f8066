/* Rules about the optimizer, clipping, the loss scale and the loss: a training that each finds, and one like it that it leaves
 * alone. */
#include "support_test.h"

#include <math.h>

#include "support_story.h"

/* Optimizer. */

static void updates_are_huge(Said *said, int64_t step)
{
    said->ratio[WEIGHT_1] = 2;
    said->loss = 2 + 0.1 * (double)(step % 7);
}
static void updates_are_large(Said *said, int64_t step)
{
    (void)step;
    said->ratio[WEIGHT_1] = 0.3;
}
static void updates_are_large_and_nothing_is_learned(Said *said, int64_t step)
{
    updates_are_large(said, step);
    said->loss = 1.3 + 0.01 * (double)(step % 7);
}
static void weights_grow_along(Said *said, int64_t step)
{
    said->loss = 1.3 + 0.01 * (double)(step % 7);
    said->ratio[WEIGHT_1] = 0.04;
    said->weight[WEIGHT_1] = 3 * (1 + 0.04 * (double)step);
}
static void updates_are_tiny(Said *said, int64_t step)
{
    for (int i = 0; i < PARAMETERS; i++)
        said->ratio[i] = 1e-8;
    said->loss = 1.386 + 0.001 * (double)(step % 3);
}
static void weight_1_does_not_change(Said *said, int64_t step)
{
    (void)step;
    said->ratio[WEIGHT_1] = 0;
}
static void rate_is_zero(Said *said, int64_t step)
{
    weight_1_does_not_change(said, step);
    said->rate = 0;
}
static void weight_2_grows(Said *said, int64_t step)
{
    said->weight[WEIGHT_2] = 3 * exp(0.015 * (double)step);
}
FIRES(updates_beyond_the_weights_are_an_error, "update-ratio-high", SEVERITY_ERROR, 400, updates_are_huge)
FIRES(large_updates_of_what_learns_are_a_remark, "update-ratio-high", SEVERITY_INFO, 400, updates_are_large)
FIRES(large_updates_are_a_warning, "update-ratio-high", SEVERITY_WARNING, 400, updates_are_large_and_nothing_is_learned)
FIRES(updates_are_measured_by_the_first_weights, "update-ratio-high", SEVERITY_WARNING, 400, weights_grow_along)
SILENT(updates_of_a_thousandth_are_usual, "update-ratio-high", 400, NULL)
FIRES(updates_that_change_nothing_are_found, "update-ratio-low", SEVERITY_WARNING, 400, updates_are_tiny)
SILENT(usual_updates_are_not_too_low, "update-ratio-low", 400, NULL)
FIRES(weights_that_stay_as_they_are_are_found, "params-unchanged", SEVERITY_ERROR, 50, weight_1_does_not_change)
SILENT(a_rate_of_zero_changes_nothing_by_right, "params-unchanged", 50, rate_is_zero)
FIRES(weights_that_grow_without_end_are_found, "weight-growth", SEVERITY_WARNING, 400, weight_2_grows)
SILENT(steady_weights_do_not_grow, "weight-growth", 400, NULL)

static void weight_decay_that_pulls_harder_than_the_loss_is_found(void **state)
{
    Story story = story_new(state, "relu");
    story_config(&story, SETS("optimizer.type=sgd", "optimizer.weight_decay=0.5"));
    story_run(&story, 400, updates_are_tiny);
    assert_fires(&story, "weight-decay-dominates", SEVERITY_WARNING);
}
SILENT(a_usual_weight_decay_is_left_alone, "weight-decay-dominates", 400, updates_are_tiny)

static void adam(void **state, double magnitude, bool fires)
{
    Story story = story_new(state, "relu");
    double counts[] = {100};
    story_config(&story, NULL);
    story_run(&story, 400, updates_are_tiny);
    for (int i = 0; i < PARAMETERS; i++)
        record_add_histogram(story.record, i, (int)floor(log2(magnitude)), counts, 1);
    if (fires)
        assert_fires(&story, "adam-eps-dominates", SEVERITY_WARNING);
    else
        assert_silent(&story, "adam-eps-dominates");
}
static void gradients_below_eps_are_found(void **state)
{
    adam(state, 1e-9, true);
}
static void gradients_above_eps_are_left_alone(void **state)
{
    adam(state, 1e-5, false);
}

/* Clipping, accumulation, the loss scale. */

static void all_is_clipped_hard(Said *said, int64_t step)
{
    said->clipped = 1e-3;
    said->loss = 1.386 - 1e-5 * (double)step;
}
static void all_is_clipped_a_little(Said *said, int64_t step)
{
    (void)step;
    said->clipped = 0.9;
}
static void one_layer_holds_the_norm(Said *said, int64_t step)
{
    (void)step;
    said->gradient[WEIGHT_3] = 10;
    said->norm = 10.04;
    said->clipped = 1;
}
static void norm_grows_in_a_line(Said *said, int64_t step)
{
    said->norm = said->clipped = 0.5 * (double)step;
}
FIRES(clipping_every_step_by_a_thousand_is_an_error, "clip-saturated", SEVERITY_ERROR, 400, all_is_clipped_hard)
FIRES(clipping_every_step_a_little_is_a_warning, "clip-saturated", SEVERITY_WARNING, 400, all_is_clipped_a_little)
SILENT(no_clipping_is_not_saturated, "clip-saturated", 400, NULL)
FIRES(one_layer_that_decides_the_clipping_is_found, "clip-one-layer", SEVERITY_WARNING, 400, one_layer_holds_the_norm)
SILENT(layers_that_share_the_norm_are_left_alone, "clip-one-layer", 400, all_is_clipped_a_little)
FIRES(gradients_that_add_up_are_found, "accum-stale", SEVERITY_WARNING, 100, norm_grows_in_a_line)
SILENT(a_steady_norm_is_no_sum, "accum-stale", 100, NULL)

static void a_clip_far_above_all_norms_is_inert(void **state)
{
    Story story = story_new(state, "relu");
    story_config(&story, SETS("clip={\"type\":\"norm\",\"max_norm\":1000}"));
    story_run(&story, 100, NULL);
    assert_fires(&story, "clip-inert", SEVERITY_INFO);
}
static void a_clip_near_the_norms_is_not_inert(void **state)
{
    Story story = story_new(state, "relu");
    story_config(&story, SETS("clip={\"type\":\"norm\",\"max_norm\":2}"));
    story_run(&story, 100, NULL);
    assert_silent(&story, "clip-inert");
}

static Story scaled(void **state, int skip_every, double scale)
{
    Story story = story_new(state, "relu");
    story_config(&story, NULL);
    for (int64_t step = 1; step <= 400; step++) {
        Said said = healthy(step);
        bool skipped = skip_every && step % skip_every == 0;
        said.skipped = skipped;
        said.scale = scale;
        story_step(&story, step, &said);
        record_add_scaler(story.record, step, scale, skipped);
    }
    return story;
}
static void many_skips_are_found(void **state)
{
    Story story = scaled(state, 20, 1024);
    assert_fires(&story, "scaler-skips", SEVERITY_WARNING);
    assert_silent(&story, "scaler-floor");
}
static void a_skip_now_and_then_is_probing(void **state)
{
    Story story = scaled(state, 300, 1024);
    assert_silent(&story, "scaler-skips");
}
static void a_scale_of_one_is_the_floor(void **state)
{
    Story story = scaled(state, 20, 1);
    assert_fires(&story, "scaler-floor", SEVERITY_ERROR);
}

static void subnormal(void **state, int exponent, bool fires)
{
    Story story = story_new(state, "relu");
    double counts[] = {1000};
    story_config(&story, NULL);
    story_run(&story, 50, NULL);
    record_add_histogram(story.record, WEIGHT_1, exponent, counts, 1);
    if (fires)
        assert_fires(&story, "underflow-flush", SEVERITY_WARNING);
    else
        assert_silent(&story, "underflow-flush");
}
static void gradients_below_the_smallest_normal_number_are_found(void **state)
{
    subnormal(state, -130, true);
}
static void small_normal_gradients_are_left_alone(void **state)
{
    subnormal(state, -100, false);
}

/* The loss. */

static void loss_stays_at_chance(Said *said, int64_t step)
{
    said->loss = 1.386 + 0.02 * (double)(step * 7 % 5 - 2);
}
static void loss_falls_then_rises(Said *said, int64_t step)
{
    said->loss = step < 200 ? said->loss : 0.4 * exp(0.02 * (double)(step - 200));
}
static void loss_spikes(Said *said, int64_t step)
{
    said->loss = step > 150 && step % 80 == 0 ? 6 : said->loss;
}
static void loss_falls_and_stays_half_way(Said *said, int64_t step)
{
    said->loss = 1.2 + 0.2 * exp(-(double)step / 20) + 0.01 * (double)(step * 7 % 5);
}
FIRES(a_loss_at_chance_is_stuck, "stuck-at-chance", SEVERITY_ERROR, 400, loss_stays_at_chance)
SILENT(a_falling_loss_is_not_stuck, "stuck-at-chance", 400, NULL)
FIRES(a_loss_that_rises_for_good_diverges, "loss-divergence", SEVERITY_ERROR, 400, loss_falls_then_rises)
SILENT(a_falling_loss_does_not_diverge, "loss-divergence", 400, NULL)
FIRES(spikes_of_the_loss_are_found, "loss-spike", SEVERITY_WARNING, 400, loss_spikes)
SILENT(a_smooth_loss_has_no_spikes, "loss-spike", 400, NULL)
FIRES(a_loss_that_stays_half_way_is_a_plateau, "plateau", SEVERITY_WARNING, 400, loss_falls_and_stays_half_way)
SILENT(a_loss_that_falls_to_the_end_is_no_plateau, "plateau", 400, NULL)

static void loss_alternates(Said *said, int64_t step)
{
    said->loss = 1 + (step % 2 ? 0.3 : -0.3);
}
static void oscillation(void **state, double deviation, bool fires)
{
    Story story = story_new(state, "relu");
    story_config(&story, NULL);
    story_run(&story, 400, loss_alternates);
    story.final = (Probe){.samples = 200, .loss = 1, .loss_deviation = deviation};
    story.evidence.final = &story.final;
    if (fires)
        assert_fires(&story, "loss-oscillation", SEVERITY_WARNING);
    else
        assert_silent(&story, "loss-oscillation");
}
static void a_loss_that_alternates_beyond_sampling_oscillates(void **state)
{
    oscillation(state, 0.1, true);
}
static void swings_that_sampling_explains_are_noise(void **state)
{
    oscillation(state, 3, false);
}

static void validated(void **state, double rise, bool fires)
{
    Story story = story_new(state, "relu");
    story_config(&story, NULL);
    for (int64_t step = 1; step <= 400; step++) {
        Said said = healthy(step);
        story_step(&story, step, &said);
        if (step % 20 == 0)
            record_add_evaluation(story.record, step,
                                  step < 200 ? 1.386 - 0.004 * (double)step : 0.586 + rise * (double)(step - 200), 0.5);
    }
    if (fires)
        assert_fires(&story, "overfit", SEVERITY_WARNING);
    else
        assert_silent(&story, "overfit");
}
static void a_rising_validation_loss_is_overfitting(void **state)
{
    validated(state, 0.002, true);
}
static void a_flat_validation_loss_is_none(void **state)
{
    validated(state, 1e-5, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(a_clip_far_above_all_norms_is_inert),
        STORY_TEST(a_clip_near_the_norms_is_not_inert),
        STORY_TEST(a_falling_loss_does_not_diverge),
        STORY_TEST(a_falling_loss_is_not_stuck),
        STORY_TEST(a_flat_validation_loss_is_none),
        STORY_TEST(a_loss_at_chance_is_stuck),
        STORY_TEST(a_loss_that_alternates_beyond_sampling_oscillates),
        STORY_TEST(a_loss_that_falls_to_the_end_is_no_plateau),
        STORY_TEST(a_loss_that_rises_for_good_diverges),
        STORY_TEST(a_loss_that_stays_half_way_is_a_plateau),
        STORY_TEST(a_rate_of_zero_changes_nothing_by_right),
        STORY_TEST(a_rising_validation_loss_is_overfitting),
        STORY_TEST(a_scale_of_one_is_the_floor),
        STORY_TEST(a_skip_now_and_then_is_probing),
        STORY_TEST(a_smooth_loss_has_no_spikes),
        STORY_TEST(a_steady_norm_is_no_sum),
        STORY_TEST(a_usual_weight_decay_is_left_alone),
        STORY_TEST(clipping_every_step_a_little_is_a_warning),
        STORY_TEST(clipping_every_step_by_a_thousand_is_an_error),
        STORY_TEST(gradients_above_eps_are_left_alone),
        STORY_TEST(gradients_below_eps_are_found),
        STORY_TEST(gradients_below_the_smallest_normal_number_are_found),
        STORY_TEST(gradients_that_add_up_are_found),
        STORY_TEST(large_updates_are_a_warning),
        STORY_TEST(large_updates_of_what_learns_are_a_remark),
        STORY_TEST(layers_that_share_the_norm_are_left_alone),
        STORY_TEST(many_skips_are_found),
        STORY_TEST(no_clipping_is_not_saturated),
        STORY_TEST(one_layer_that_decides_the_clipping_is_found),
        STORY_TEST(small_normal_gradients_are_left_alone),
        STORY_TEST(spikes_of_the_loss_are_found),
        STORY_TEST(steady_weights_do_not_grow),
        STORY_TEST(swings_that_sampling_explains_are_noise),
        STORY_TEST(updates_are_measured_by_the_first_weights),
        STORY_TEST(updates_beyond_the_weights_are_an_error),
        STORY_TEST(updates_of_a_thousandth_are_usual),
        STORY_TEST(updates_that_change_nothing_are_found),
        STORY_TEST(usual_updates_are_not_too_low),
        STORY_TEST(weight_decay_that_pulls_harder_than_the_loss_is_found),
        STORY_TEST(weights_that_grow_without_end_are_found),
        STORY_TEST(weights_that_stay_as_they_are_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
