/* Every rule: a training that it finds, and one like it that it leaves alone. */
#include "support_test.h"

#include <math.h>
#include <string.h>

#include "diagnose/diagnosis.h"
#include "monitor/run_line.h"
#include "support_run.h"

/* A net of two hidden layers as a log knows it, and what is said of it at each step. */
typedef struct Scene {
    Bench *bench;
    Record *record;
    Evidence evidence;
    DataFacts data;
    Probe initial, final;
    Prediction prediction;
    OverfitTrial overfit;
    int64_t steps;
} Scene;

enum { WEIGHT_1, WEIGHT_2, WEIGHT_3, BIAS_3, PARAMETERS };
enum { LINEAR_1, ACT_1, LINEAR_2, ACT_2, LINEAR_3, LAYERS };

static const char *const parameter_names[] = {"linear1.weight", "linear2.weight", "linear3.weight", "linear3.bias"};
static const char *const layer_names[] = {"linear1", "act1", "linear2", "act2", "linear3"};

/* The config that the scene's model comes from; `sets` may be NULL. */
static void scene_config(Scene *scene, const char *const *sets)
{
    static const char text[] =
        "{\"model\": {\"input\": [4], \"layers\": [{\"type\": \"linear\", \"name\": \"linear1\", \"out\": 8}, {\"type\": "
        "\"relu\", \"name\": "
        "\"act1\"}, {\"type\": \"linear\", \"name\": \"linear2\", \"out\": 8}, {\"type\": \"relu\", \"name\": \"act2\"}, "
        "{\"type\": \"linear\", "
        "\"name\": \"linear3\", \"out\": 4}]}, \"data\": {\"type\": \"blobs\", \"features\": 4, \"classes\": 4, \"samples\": "
        "200}, \"loss\": "
        "\"cross_entropy\", \"optimizer\": {\"type\": \"adamw\", \"lr\": 0.01}, \"train\": {\"steps\": 400}}";
    const char *path = bench_file(scene->bench, "scene.json", text);
    int count = 0;
    while (sets && sets[count])
        count++;
    Config *config = config_read(scene->bench->arena, path, sets, count, scene->bench->err);
    if (!config)
        fail_msg("%s", error_message(scene->bench->err, 0));
    scene->data = *data_facts_new(scene->bench->arena, config);
    scene->evidence.config = config;
    scene->evidence.data = &scene->data;
}

static Scene scene_new(void **state, const char *activation)
{
    Scene scene = {.bench = *state};
    scene.record = record_new(scene.bench->arena, "run", "gradtool run");
    for (int i = 0; i < PARAMETERS; i++) {
        RecordTensor *p = record_add_parameter(scene.record, parameter_names[i]);
        p->rank = i == BIAS_3 ? 1 : 2;
        p->elements = i == BIAS_3 ? 4 : 32;
    }
    for (int i = 0; i < LAYERS; i++)
        record_add_layer(scene.record, layer_names[i], i % 2 ? activation : "linear");
    return scene;
}

/* What a healthy step says; a test changes some of it. */
typedef struct Said {
    double loss, rate, norm, clipped, scale, skipped;
    double gradient[PARAMETERS], ratio[PARAMETERS], weight[PARAMETERS];
    double mean[LAYERS], std[LAYERS], zeros[LAYERS], flow[LAYERS];
} Said;

static Said healthy(int64_t step)
{
    Said said = {.loss = 1.386 * exp(-(double)step / 150) + 0.01 * (double)(step * 7 % 5),
                 .rate = 0.01,
                 .norm = 1 + 0.1 * (double)(step * 5 % 7),
                 .scale = 1};
    said.clipped = said.norm;
    for (int i = 0; i < PARAMETERS; i++) {
        said.gradient[i] = 0.5;
        said.ratio[i] = 1e-3;
        said.weight[i] = 3;
    }
    for (int i = 0; i < LAYERS; i++) {
        said.std[i] = 0.5;
        said.zeros[i] = i % 2 ? 0.5 : 0;
        said.flow[i] = 1e-3;
    }
    return said;
}

static void scene_step(Scene *scene, int64_t step, const Said *said)
{
    Record *record = scene->record;
    const double scalar[] = {said->loss, said->rate, said->norm, said->clipped, said->scale, said->skipped};
    for (int i = 0; i < RECORD_SCALARS; i++)
        record_add_scalar(record, (RecordScalar)i, step, scalar[i]);
    for (int i = 0; i < PARAMETERS; i++) {
        record_add_value(record, RECORD_GRADIENT_NORM, i, step, said->gradient[i]);
        record_add_value(record, RECORD_UPDATE_RATIO, i, step, said->ratio[i]);
        record_add_value(record, RECORD_WEIGHT_NORM, i, step, said->weight[i]);
    }
    for (int i = 0; i < LAYERS; i++) {
        record_add_value(record, RECORD_ACTIVATION_MEAN, i, step, said->mean[i]);
        record_add_value(record, RECORD_ACTIVATION_STD, i, step, said->std[i]);
        record_add_value(record, RECORD_ACTIVATION_ZEROS, i, step, said->zeros[i]);
        record_add_value(record, RECORD_FLOW, i, step, said->flow[i]);
    }
    if (said->clipped < said->norm)
        record_add_clip(record, step, "norm", said->clipped);
    scene->steps = step;
}

/* The findings of one rule, all others switched off. */
static const Finding *judge(Scene *scene, const char *rule, int *count)
{
    Arena *arena = scene->bench->arena;
    if (scene->steps) {
        record_end(scene->record);
        scene->record->planned = scene->steps;
        scene->evidence.record = scene->record;
    }
    const RuleSettings *settings = rule_settings_new(arena);
    const Diagnosis *diagnosis = diagnose(arena, &scene->evidence, settings, NULL);
    const Finding *first = NULL;
    *count = 0;
    for (int i = 0; i < diagnosis->findings; i++)
        if (!strcmp(diagnosis->finding[i]->rule->name, rule)) {
            first = first ? first : diagnosis->finding[i];
            (*count)++;
        }
    return first;
}

static void assert_silent(Scene *scene, const char *rule)
{
    int count;
    const Finding *finding = judge(scene, rule, &count);
    if (finding)
        fail_msg("%s fired: %s", rule, finding->message);
}

static const Finding *assert_fires(Scene *scene, const char *rule, Severity severity)
{
    int count;
    const Finding *finding = judge(scene, rule, &count);
    if (!finding)
        fail_msg("%s did not fire", rule);
    if (finding->severity != severity)
        fail_msg("%s: %s is %s", rule, finding->message, severity_name(finding->severity));
    return finding;
}

/* Steps 1 to `steps`, changed by `change`. */
static void scene_run(Scene *scene, int64_t steps, void (*change)(Said *said, int64_t step))
{
    for (int64_t step = 1; step <= steps; step++) {
        Said said = healthy(step);
        if (change)
            change(&said, step);
        scene_step(scene, step, &said);
    }
}

#define FIRES(test, rule, severity, steps, change)                                                                             \
    static void test(void **state)                                                                                             \
    {                                                                                                                          \
        Scene scene = scene_new(state, "relu");                                                                                \
        scene_config(&scene, NULL);                                                                                            \
        scene_run(&scene, steps, change);                                                                                      \
        assert_fires(&scene, rule, severity);                                                                                  \
    }
#define SILENT(test, rule, steps, change)                                                                                      \
    static void test(void **state)                                                                                             \
    {                                                                                                                          \
        Scene scene = scene_new(state, "relu");                                                                                \
        scene_config(&scene, NULL);                                                                                            \
        scene_run(&scene, steps, change);                                                                                      \
        assert_silent(&scene, rule);                                                                                           \
    }

static void a_healthy_run_has_no_finding(void **state)
{
    Scene scene = scene_new(state, "relu");
    scene_config(&scene, NULL);
    scene_run(&scene, 400, NULL);
    record_end(scene.record);
    scene.record->planned = 400;
    scene.evidence.record = scene.record;
    const RuleSettings *settings = rule_settings_new(scene.bench->arena);
    const Diagnosis *diagnosis = diagnose(scene.bench->arena, &scene.evidence, settings, NULL);
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
    Scene scene = scene_new(state, "relu");
    ProbeLayer layer[LAYERS];
    scene_config(&scene, NULL);
    scene_run(&scene, 50, flow_falls);
    for (int i = 0; i < LAYERS; i++)
        layer[i] = (ProbeLayer){.name = layer_names[i],
                                .type = i % 2 ? "relu" : "linear",
                                .dead = i == ACT_1 ? 0.2
                                        : i % 2    ? 0
                                                   : NAN,
                                .saturated = NAN};
    scene.final = (Probe){.samples = 1024, .loss = 1, .loss_deviation = NAN, .layer = layer, .layers = LAYERS};
    scene.evidence.final = &scene.final;
    assert_fires(&scene, "dead-units", SEVERITY_WARNING);
    layer[ACT_1].dead = 0.75;
    assert_fires(&scene, "dead-units", SEVERITY_ERROR);
    layer[ACT_1].dead = 0.05;
    assert_silent(&scene, "dead-units");
}

static void tanh_sits_at_its_bounds(Said *said, int64_t step)
{
    (void)step;
    said->std[ACT_1] = 0.998;
}
static void saturation_is_seen_in_the_deviation(void **state)
{
    Scene scene = scene_new(state, "tanh");
    scene_run(&scene, 50, tanh_sits_at_its_bounds);
    assert_fires(&scene, "saturated-units", SEVERITY_WARNING);
}
static void a_tanh_of_moderate_deviation_is_not_saturated(void **state)
{
    Scene scene = scene_new(state, "tanh");
    scene_run(&scene, 50, NULL);
    assert_silent(&scene, "saturated-units");
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
    Scene scene = scene_new(state, "relu");
    scene_config(&scene, SETS("optimizer.type=sgd", "optimizer.weight_decay=0.5"));
    scene_run(&scene, 400, updates_are_tiny);
    assert_fires(&scene, "weight-decay-dominates", SEVERITY_WARNING);
}
SILENT(a_usual_weight_decay_is_left_alone, "weight-decay-dominates", 400, updates_are_tiny)

static void adam(void **state, double magnitude, bool fires)
{
    Scene scene = scene_new(state, "relu");
    double counts[] = {100};
    scene_config(&scene, NULL);
    scene_run(&scene, 400, updates_are_tiny);
    for (int i = 0; i < PARAMETERS; i++)
        record_add_histogram(scene.record, i, (int)floor(log2(magnitude)), counts, 1);
    if (fires)
        assert_fires(&scene, "adam-eps-dominates", SEVERITY_WARNING);
    else
        assert_silent(&scene, "adam-eps-dominates");
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
    Scene scene = scene_new(state, "relu");
    scene_config(&scene, SETS("clip={\"type\":\"norm\",\"max_norm\":1000}"));
    scene_run(&scene, 100, NULL);
    assert_fires(&scene, "clip-inert", SEVERITY_INFO);
}
static void a_clip_near_the_norms_is_not_inert(void **state)
{
    Scene scene = scene_new(state, "relu");
    scene_config(&scene, SETS("clip={\"type\":\"norm\",\"max_norm\":2}"));
    scene_run(&scene, 100, NULL);
    assert_silent(&scene, "clip-inert");
}

static Scene scaled(void **state, int skip_every, double scale)
{
    Scene scene = scene_new(state, "relu");
    scene_config(&scene, NULL);
    for (int64_t step = 1; step <= 400; step++) {
        Said said = healthy(step);
        bool skipped = skip_every && step % skip_every == 0;
        said.skipped = skipped;
        said.scale = scale;
        scene_step(&scene, step, &said);
        record_add_scaler(scene.record, step, scale, skipped);
    }
    return scene;
}
static void many_skips_are_found(void **state)
{
    Scene scene = scaled(state, 20, 1024);
    assert_fires(&scene, "scaler-skips", SEVERITY_WARNING);
    assert_silent(&scene, "scaler-floor");
}
static void a_skip_now_and_then_is_probing(void **state)
{
    Scene scene = scaled(state, 300, 1024);
    assert_silent(&scene, "scaler-skips");
}
static void a_scale_of_one_is_the_floor(void **state)
{
    Scene scene = scaled(state, 20, 1);
    assert_fires(&scene, "scaler-floor", SEVERITY_ERROR);
}

static void subnormal(void **state, int exponent, bool fires)
{
    Scene scene = scene_new(state, "relu");
    double counts[] = {1000};
    scene_config(&scene, NULL);
    scene_run(&scene, 50, NULL);
    record_add_histogram(scene.record, WEIGHT_1, exponent, counts, 1);
    if (fires)
        assert_fires(&scene, "underflow-flush", SEVERITY_WARNING);
    else
        assert_silent(&scene, "underflow-flush");
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
    Scene scene = scene_new(state, "relu");
    scene_config(&scene, NULL);
    scene_run(&scene, 400, loss_alternates);
    scene.final = (Probe){.samples = 200, .loss = 1, .loss_deviation = deviation};
    scene.evidence.final = &scene.final;
    if (fires)
        assert_fires(&scene, "loss-oscillation", SEVERITY_WARNING);
    else
        assert_silent(&scene, "loss-oscillation");
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
    Scene scene = scene_new(state, "relu");
    scene_config(&scene, NULL);
    for (int64_t step = 1; step <= 400; step++) {
        Said said = healthy(step);
        scene_step(&scene, step, &said);
        if (step % 20 == 0)
            record_add_evaluation(scene.record, step,
                                  step < 200 ? 1.386 - 0.004 * (double)step : 0.586 + rise * (double)(step - 200), 0.5);
    }
    if (fires)
        assert_fires(&scene, "overfit", SEVERITY_WARNING);
    else
        assert_silent(&scene, "overfit");
}
static void a_rising_validation_loss_is_overfitting(void **state)
{
    validated(state, 0.002, true);
}
static void a_flat_validation_loss_is_none(void **state)
{
    validated(state, 1e-5, false);
}

/* Before training. */

static void judge_config(void **state, const char *rule, const char *const *sets, int severity)
{
    Scene scene = {.bench = *state};
    scene_config(&scene, sets);
    scene.evidence.prediction = prediction_new(scene.bench->arena, scene.evidence.config);
    scene.evidence.initial = probe_new(scene.bench->arena, scene.evidence.config, 256, NULL, scene.bench->err);
    assert_non_null(scene.evidence.initial);
    if (severity < 0)
        assert_silent(&scene, rule);
    else
        assert_fires(&scene, rule, (Severity)severity);
}

enum { NO_FINDING = -1 };

#define CONFIG(test, rule, severity, ...)                                                                                      \
    static void test(void **state)                                                                                             \
    {                                                                                                                          \
        judge_config(state, rule, SETS(__VA_ARGS__), severity);                                                                \
    }
#define INLINE_DATA(inputs) "data={\"type\":\"inline\",\"inputs\":" inputs ",\"targets\":[0,1,2,3]}"
CONFIG(infinity_in_the_data_is_found, "data-nonfinite", SEVERITY_ERROR,
       INLINE_DATA("[[1,2,3,\"Infinity\"],[1,2,3,4],[1,2,3,5],[1,2,2,4]]"))
CONFIG(finite_data_is_left_alone, "data-nonfinite", NO_FINDING, "seed=1")
#define LAYERS_AND(last)                                                                                                       \
    "model.layers=[{\"type\":\"linear\",\"out\":8},{\"type\":\"relu\"},{\"type\":\"linear\",\"out\":4},{\"type\":\"" last "\"" \
    "}]"
CONFIG(softmax_before_cross_entropy_is_a_mismatch, "target-mismatch", SEVERITY_ERROR, LAYERS_AND("softmax"))
CONFIG(log_softmax_before_cross_entropy_is_harmless, "target-mismatch", NO_FINDING, LAYERS_AND("log_softmax"))
CONFIG(inputs_of_hundreds_are_found, "input-scale", SEVERITY_WARNING,
       INLINE_DATA("[[100,200,-100,50],[20,-200,30,40],[100,-20,30,50],[-100,20,-20,40]]"))
CONFIG(inputs_of_one_are_left_alone, "input-scale", NO_FINDING,
       INLINE_DATA("[[1,2,-1,0.5],[0.2,-2,0.3,0.4],[1,-0.2,0.3,0.5],[-1,0.2,-0.2,0.4]]"))
CONFIG(zeros_make_symmetric_units, "symmetric-units", SEVERITY_ERROR, "model.init=zeros")
CONFIG(a_zero_head_is_no_symmetry, "symmetric-units", NO_FINDING, "model.layers[4].init=zeros")
CONFIG(random_units_are_not_symmetric, "symmetric-units", NO_FINDING, "seed=1")
CONFIG(a_large_first_loss_is_wrong, "wrong-initial-loss", SEVERITY_WARNING,
       "model.layers[4].init={\"type\":\"normal\",\"std\":30}")
CONFIG(a_first_loss_at_chance_is_right, "wrong-initial-loss", NO_FINDING, "seed=1")
#define NARROW                                                                                                                 \
    "model.layers=[{\"type\":\"repeat\",\"times\":20,\"layers\":[{\"type\":\"linear\",\"out\":4},{\"type\":\"relu\"}]},{"      \
    "\"type\":\"linear\",\"out\":4}]"
CONFIG(narrow_and_deep_depends_on_the_seed, "seed-variance-risk", SEVERITY_INFO, NARROW)
CONFIG(narrow_relu_layers_may_be_born_dead, "born-dead-risk", SEVERITY_INFO, NARROW)
CONFIG(two_layers_of_eight_do_not_depend_on_the_seed, "seed-variance-risk", NO_FINDING, "model.layers[0].out=64",
       "model.layers[2].out=64")
CONFIG(wide_layers_are_not_born_dead, "born-dead-risk", NO_FINDING, "model.layers[0].out=64", "model.layers[2].out=64")

static void sorted(void **state, bool shuffle, bool fires)
{
    Scene scene = {.bench = *state};
    Text text = text_new(scene.bench->arena), targets = text_new(scene.bench->arena);
    for (int i = 0; i < 200; i++) {
        text_printf(&text, "%s[%d,1,0.5,-1]", i ? "," : "", i % 3 - 1);
        text_printf(&targets, "%s%d", i ? "," : "", i / 50);
    }
    const char *data =
        arena_printf(scene.bench->arena, "data={\"type\":\"inline\",\"inputs\":[%s],\"targets\":[%s]}", text.at, targets.at);
    scene_config(&scene, SETS(data, shuffle ? "train.shuffle=true" : "train.shuffle=false", "train.batch_size=20"));
    if (fires)
        assert_fires(&scene, "unshuffled", SEVERITY_WARNING);
    else
        assert_silent(&scene, "unshuffled");
}
static void sorted_samples_are_found(void **state)
{
    sorted(state, false, true);
}
static void shuffled_samples_are_left_alone(void **state)
{
    sorted(state, true, false);
}

static void imbalance(void **state, int rare, bool fires)
{
    Scene scene = {.bench = *state};
    Text text = text_new(scene.bench->arena), targets = text_new(scene.bench->arena);
    for (int i = 0; i < 200; i++) {
        text_printf(&text, "%s[%d,1,0.5,-1]", i ? "," : "", i % 3 - 1);
        text_printf(&targets, "%s%d", i ? "," : "", i < rare);
    }
    scene_config(&scene, SETS(arena_printf(scene.bench->arena, "data={\"type\":\"inline\",\"inputs\":[%s],\"targets\":[%s]}",
                                           text.at, targets.at)));
    if (fires)
        assert_fires(&scene, "class-imbalance", SEVERITY_WARNING);
    else
        assert_silent(&scene, "class-imbalance");
}
static void a_rare_class_is_found(void **state)
{
    imbalance(state, 10, true);
}
static void three_to_one_is_left_alone(void **state)
{
    imbalance(state, 50, false);
}

static void learned_by_heart(void **state, double best, bool fires)
{
    Scene scene = {.bench = *state};
    scene_config(&scene, NULL);
    scene.overfit =
        (OverfitTrial){.samples = 32, .steps = 300, .first_loss = 1.4, .last_loss = best, .best_loss = best, .error_rate = 0.5};
    scene.evidence.overfit = &scene.overfit;
    if (fires)
        assert_fires(&scene, "cannot-overfit-batch", SEVERITY_WARNING);
    else
        assert_silent(&scene, "cannot-overfit-batch");
}
static void a_batch_that_is_not_learned_is_found(void **state)
{
    learned_by_heart(state, 1.3, true);
}
static void a_batch_that_is_learned_is_left_alone(void **state)
{
    learned_by_heart(state, 0.01, false);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_batch_that_is_learned_is_left_alone),
        TEST(a_batch_that_is_not_learned_is_found),
        TEST(a_clip_far_above_all_norms_is_inert),
        TEST(a_clip_near_the_norms_is_not_inert),
        TEST(a_falling_gradient_does_not_explode),
        TEST(a_falling_loss_does_not_diverge),
        TEST(a_falling_loss_is_not_stuck),
        TEST(a_first_loss_at_chance_is_right),
        TEST(a_flat_validation_loss_is_none),
        TEST(a_gradient_of_exact_zeros_is_found),
        TEST(a_gradient_that_falls_over_depth_vanishes),
        TEST(a_gradient_that_grows_over_depth_explodes),
        TEST(a_healthy_run_has_no_finding),
        TEST(a_large_first_loss_is_wrong),
        TEST(a_layer_of_zeros_is_dead),
        TEST(a_loss_at_chance_is_stuck),
        TEST(a_loss_of_zero_beside_a_nan_gradient_hides_it),
        TEST(a_loss_that_alternates_beyond_sampling_oscillates),
        TEST(a_loss_that_falls_to_the_end_is_no_plateau),
        TEST(a_loss_that_rises_for_good_diverges),
        TEST(a_loss_that_stays_half_way_is_a_plateau),
        TEST(a_moving_loss_hides_nothing),
        TEST(a_nan_gradient_beside_a_finite_loss_is_of_the_backward_pass),
        TEST(a_nan_gradient_is_not_of_the_forward_pass),
        TEST(a_nan_loss_is_not_of_the_backward_pass),
        TEST(a_nan_loss_is_of_the_forward_pass),
        TEST(a_norm_that_grows_out_of_a_flat_start_is_learning),
        TEST(a_norm_that_grows_over_the_run_is_found),
        TEST(a_rare_class_is_found),
        TEST(a_rate_of_zero_changes_nothing_by_right),
        TEST(a_rising_validation_loss_is_overfitting),
        TEST(a_scale_of_one_is_the_floor),
        TEST(a_skip_now_and_then_is_probing),
        TEST(a_smooth_loss_has_no_spikes),
        TEST(a_steady_norm_is_no_sum),
        TEST(a_tanh_of_moderate_deviation_is_not_saturated),
        TEST(a_usual_weight_decay_is_left_alone),
        TEST(a_weight_without_a_gradient_has_no_path),
        TEST(a_zero_gradient_below_a_dead_layer_is_the_layers),
        TEST(a_zero_head_is_no_symmetry),
        TEST(activations_of_one_scale_are_left_alone),
        TEST(activations_that_grow_over_time_are_found),
        TEST(activations_that_shrink_over_depth_are_found),
        TEST(an_infinite_weight_is_found),
        TEST(clipping_every_step_a_little_is_a_warning),
        TEST(clipping_every_step_by_a_thousand_is_an_error),
        TEST(finite_data_is_left_alone),
        TEST(finite_weights_are_left_alone),
        TEST(gradients_above_eps_are_left_alone),
        TEST(gradients_below_eps_are_found),
        TEST(gradients_below_the_smallest_normal_number_are_found),
        TEST(gradients_that_add_up_are_found),
        TEST(half_zeros_are_no_dead_units),
        TEST(infinity_in_the_data_is_found),
        TEST(inputs_of_hundreds_are_found),
        TEST(inputs_of_one_are_left_alone),
        TEST(large_updates_are_a_warning),
        TEST(large_updates_of_what_learns_are_a_remark),
        TEST(layers_that_share_the_norm_are_left_alone),
        TEST(log_softmax_before_cross_entropy_is_harmless),
        TEST(many_skips_are_found),
        TEST(narrow_and_deep_depends_on_the_seed),
        TEST(narrow_relu_layers_may_be_born_dead),
        TEST(no_clipping_is_not_saturated),
        TEST(one_layer_that_decides_the_clipping_is_found),
        TEST(one_small_gradient_does_not_vanish),
        TEST(one_spike_is_no_rate),
        TEST(random_units_are_not_symmetric),
        TEST(saturation_is_seen_in_the_deviation),
        TEST(shuffled_samples_are_left_alone),
        TEST(small_normal_gradients_are_left_alone),
        TEST(softmax_before_cross_entropy_is_a_mismatch),
        TEST(sorted_samples_are_found),
        TEST(spikes_of_the_loss_are_found),
        TEST(spikes_of_the_norm_are_counted),
        TEST(steady_weights_do_not_grow),
        TEST(swings_that_sampling_explains_are_noise),
        TEST(three_to_one_is_left_alone),
        TEST(two_layers_of_eight_do_not_depend_on_the_seed),
        TEST(units_that_never_answer_are_counted_by_the_probe),
        TEST(updates_are_measured_by_the_first_weights),
        TEST(updates_beyond_the_weights_are_an_error),
        TEST(updates_of_a_thousandth_are_usual),
        TEST(updates_that_change_nothing_are_found),
        TEST(usual_updates_are_not_too_low),
        TEST(weight_decay_that_pulls_harder_than_the_loss_is_found),
        TEST(weights_that_grow_without_end_are_found),
        TEST(weights_that_stay_as_they_are_are_found),
        TEST(what_was_learned_may_have_small_gradients),
        TEST(wide_layers_are_not_born_dead),
        TEST(zeros_make_symmetric_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
