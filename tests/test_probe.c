/* What a probe says of a model, worked out by hand; and that the model does not notice. */
#include "support_test.h"

#include <math.h>
#include <string.h>

#include "diagnose/probe.h"
#include "support_run.h"

static Config *read_config(Bench *bench, const char *path, const char *const *sets)
{
    int count = 0;
    while (sets && sets[count])
        count++;
    Config *config = config_read(bench->arena, path, sets, count, bench->err);
    assert_string_equal(error_message(bench->err, 0), "");
    return config;
}

static Probe *probe_of(Bench *bench, const Config *config, int64_t limit)
{
    Probe *probe = probe_new(bench->arena, config, limit, NULL, bench->err);
    assert_string_equal(error_message(bench->err, 0), "");
    assert_non_null(probe);
    return probe;
}

static const ProbeLayer *layer_of(const Probe *probe, const char *name)
{
    for (int i = 0; i < probe->layers; i++)
        if (!strcmp(probe->layer[i].name, name))
            return &probe->layer[i];
    fail_msg("the probe has no layer %s", name);
    return NULL;
}

static const ProbeParameter *parameter_of(const Probe *probe, const char *name)
{
    for (int i = 0; i < probe->parameters; i++)
        if (!strcmp(probe->parameter[i].name, name))
            return &probe->parameter[i];
    fail_msg("the probe has no parameter %s", name);
    return NULL;
}

static void set_weights(const Config *config, const char *name, const float *values)
{
    for (int i = 0; i < config->model->parameters; i++) {
        const Parameter *p = config->model->parameter[i];
        if (!strcmp(p->name, name)) {
            memcpy(p->data, values, sizeof *values * shape_count(p->shape));
            return;
        }
    }
    fail_msg("the model has no weights %s", name);
}

#define SMALL(layers, data, loss)                                                                                              \
    "{\"seed\": 1, \"model\": {\"input\": [2], \"layers\": [" layers "]}, \"data\": {\"type\": \"inline\", " data              \
    "}, \"loss\": " loss ", \"train\": {\"steps\": 1, \"batch_size\": 2}}"

/* Inputs (1, 0) and (2, 1), targets 1 and 2. fc1 gives (1, -1, 1) and (2, -3, 2), relu cuts the unit in the middle, and the
 * head's outputs are 2 and 4: losses 1 and 4, dL/dy = (1, 2). */
static Config *three_units(Bench *bench)
{
    const char *path = bench_file(bench, "three.json",
                                  SMALL("{\"type\": \"linear\", \"name\": \"fc1\", \"out\": 3, \"bias_init\": \"zeros\"},"
                                        "{\"type\": \"relu\"},"
                                        "{\"type\": \"linear\", \"name\": \"head\", \"out\": 1, \"bias_init\": \"zeros\"}",
                                        "\"inputs\": [[1, 0], [2, 1]], \"targets\": [[1], [2]]", "\"mse\""));
    Config *config = read_config(bench, path, NULL);
    set_weights(config, "fc1.weight", (float[]){1, 0, -1, -1, 1, 0});
    set_weights(config, "head.weight", (float[]){1, 5, 1});
    return config;
}

static void a_net_of_three_units_is_measured_as_by_hand(void **state)
{
    Bench *bench = *state;
    const Probe *probe = probe_of(bench, three_units(bench), 100);
    assert_int_equal(probe->samples, 2);
    assert_near(probe->loss, 2.5, 1e-6);
    assert_near(probe->loss_deviation, 1.5, 1e-6);
    assert_true(isnan(probe->accuracy));
    assert_near(probe->output_min, 2, 1e-6);
    assert_near(probe->output_max, 4, 1e-6);
    assert_near(probe->output_std, 1, 1e-6);
    const ProbeLayer *fc1 = layer_of(probe, "fc1"), *relu = layer_of(probe, "relu1"), *head = layer_of(probe, "head");
    assert_string_equal(relu->type, "relu");
    assert_int_equal(relu->units, 3);
    assert_near(relu->dead, 1.0 / 3, 1e-12);
    assert_near(relu->zeros, 1.0 / 3, 1e-12);
    assert_near(relu->mean, 1, 1e-12);
    assert_near(relu->flow, sqrt(135.0 / 6), 1e-5); /* (1, 5, 1) and (2, 10, 2) */
    assert_near(fc1->flow, sqrt(10.0 / 6), 1e-6);   /* the middle one cut */
    assert_near(fc1->flow_zeros, 1.0 / 3, 1e-12);
    assert_near(fc1->max_abs, 3, 1e-12);
    assert_true(isnan(fc1->dead) && isnan(fc1->saturated) && isnan(relu->saturated));
    assert_near(fc1->unit_deviation, sqrt(0.5) / sqrt(20.0 / 6), 1e-6);
    assert_near(head->flow, sqrt(2.5), 1e-6);
    assert_int_equal(fc1->nonfinite, 0);
}

static void two_units_with_the_same_weights_and_gradients_are_twins(void **state)
{
    Bench *bench = *state;
    Config *config = three_units(bench);
    const Probe *probe = probe_of(bench, config, 2);
    const ProbeParameter *weight = parameter_of(probe, "fc1.weight");
    assert_string_equal(weight->layer, "fc1");
    assert_true(weight->has_path && !weight->is_frozen);
    assert_near(weight->weight_norm, 2, 1e-6);
    assert_near(weight->gradient_norm, sqrt(58), 1e-5); /* rows (5, 2), 0, (5, 2) */
    assert_near(weight->twins, 2.0 / 3, 1e-12);
    assert_near(weight->equal_rows, 2.0 / 3, 1e-12);
    assert_true(isnan(parameter_of(probe, "fc1.bias")->twins));    /* no rows */
    assert_true(isnan(parameter_of(probe, "head.weight")->twins)); /* one row */
    set_weights(config, "head.weight", (float[]){1, 5, 2});        /* now they learn different things */
    weight = parameter_of(probe_of(bench, config, 2), "fc1.weight");
    assert_near(weight->twins, 0, 0);
    assert_near(weight->equal_rows, 2.0 / 3, 1e-12);
    set_weights(config, "head.weight", (float[]){0, 0, 0}); /* a head of zeros teaches nothing, for now */
    assert_near(parameter_of(probe_of(bench, config, 2), "fc1.weight")->twins, 0, 0);
}

/* Pre-activations 3, 0.1, 3, 0.1: tanh(3) = 0.995; sigmoid(3) = 0.953 is not within 0.005 of 1, sigmoid(6) = 0.998 is. */
static void saturation_is_the_share_near_a_bound(void **state)
{
    Bench *bench = *state;
    const char *path =
        bench_file(bench, "bounds.json",
                   SMALL("{\"type\": \"linear\", \"name\": \"fc1\", \"out\": 2, \"bias\": false},"
                         "{\"type\": \"tanh\"}, {\"type\": \"linear\", \"name\": \"fc2\", \"out\": 2, \"bias\": false},"
                         "{\"type\": \"sigmoid\"}, {\"type\": \"linear\", \"name\": \"head\", \"out\": 1}",
                         "\"inputs\": [[1, 0], [1, 0]], \"targets\": [[1], [2]]", "\"mse\""));
    Config *config = read_config(bench, path, NULL);
    set_weights(config, "fc1.weight", (float[]){3, 0, 0.1F, 0});
    set_weights(config, "fc2.weight", (float[]){-6.1F, 0, 3, 0});
    const Probe *probe = probe_of(bench, config, 2);
    assert_near(layer_of(probe, "tanh1")->saturated, 0.5, 0);
    assert_near(layer_of(probe, "sigmoid1")->saturated, 0.5, 0);
    assert_true(isnan(layer_of(probe, "tanh1")->dead));
    assert_near(layer_of(probe, "tanh1")->unit_deviation, 0, 0); /* both samples are the same */
}

/* A 1x1 convolution of three channels, of which the last is negative everywhere; one pixel of one image wakes the second. */
static void units_of_images_are_channels(void **state)
{
    Bench *bench = *state;
    const char *path = bench_file(
        bench, "images.json",
        "{\"seed\": 1, \"model\": {\"input\": [4], \"layers\": [{\"type\": \"reshape\", \"shape\": [1, 2, 2]},"
        "{\"type\": \"conv2d\", \"name\": \"conv\", \"out\": 3, \"kernel\": 1}, {\"type\": \"relu\"}, {\"type\": \"flatten\"},"
        "{\"type\": \"linear\", \"name\": \"head\", \"out\": 2}]},"
        "\"data\": {\"type\": \"inline\", \"inputs\": [[1, 1, 1, 1], [1, 1, 1, 3]], \"targets\": [0, 1]},"
        "\"loss\": \"cross_entropy\", \"train\": {\"steps\": 1}}");
    Config *config = read_config(bench, path, NULL);
    set_weights(config, "conv.weight", (float[]){1, 1, -1});
    set_weights(config, "conv.bias", (float[]){0, -2, 0});
    const ProbeLayer *relu = layer_of(probe_of(bench, config, 2), "relu1");
    assert_int_equal(relu->units, 3);
    assert_near(relu->dead, 1.0 / 3, 1e-12);
    assert_near(relu->zeros, 15.0 / 24, 1e-12); /* four, seven and eight positions have 8, 1, 0 values */
}

static void a_gradient_that_is_stopped_is_no_path(void **state)
{
    Bench *bench = *state;
    const char *path = bench_file(
        bench, "stopped.json",
        SMALL("{\"type\": \"linear\", \"name\": \"below\", \"out\": 2}, {\"type\": \"detach\"},"
              "{\"type\": \"block\", \"name\": \"cold\", \"freeze\": true, \"layers\": [{\"type\": \"linear\", \"out\": 2}]},"
              "{\"type\": \"linear\", \"name\": \"head\", \"out\": 1}",
              "\"inputs\": [[1, 0], [2, 1]], \"targets\": [[1], [2]]", "\"mse\""));
    const Probe *probe = probe_of(bench, read_config(bench, path, NULL), 2);
    const ProbeParameter *below = parameter_of(probe, "below.weight"), *cold = parameter_of(probe, "cold.linear1.weight");
    assert_true(!below->has_path && !below->is_frozen && isnan(below->gradient_norm) && isnan(below->twins));
    assert_true(!cold->has_path && cold->is_frozen);
    assert_true(parameter_of(probe, "head.weight")->has_path);
    assert_true(isnan(layer_of(probe, "below")->flow) && isnan(layer_of(probe, "below")->flow_zeros));
    assert_true(layer_of(probe, "head")->flow > 0);
}

static void what_is_not_finite_is_counted(void **state)
{
    Bench *bench = *state;
    Config *config = three_units(bench);
    set_weights(config, "fc1.weight", (float[]){INFINITY, 0, -1, -1, 1, 0});
    const Probe *probe = probe_of(bench, config, 2);
    assert_true(layer_of(probe, "fc1")->nonfinite > 0);
    assert_true(!isfinite(probe->loss));
}

#define NET                                                                                                                    \
    "{\"input\": [8], \"layers\": [{\"type\": \"linear\", \"name\": \"fc1\", \"out\": 24}, {\"type\": \"batchnorm\"},"         \
    "{\"type\": \"relu\"}, {\"type\": \"dropout\", \"p\": 0.5}, {\"type\": \"linear\", \"name\": \"fc2\", \"out\": 24},"       \
    "{\"type\": \"gelu\"}, {\"type\": \"linear\", \"name\": \"head\", \"out\": 3}]}"
/* 75 samples in batches of 16. */
#define CONFIG                                                                                                                 \
    "{\"name\": \"small\", \"seed\": 3, \"model\": " NET ", \"data\": {\"type\": \"blobs\", \"samples\": 75,"                  \
    "\"features\": 8, \"noise\": 1}, \"loss\": \"cross_entropy\", \"optimizer\": {\"type\": \"adamw\", \"lr\": 0.01},"         \
    "\"train\": {\"epochs\": 2, \"batch_size\": 16},"                                                                          \
    "\"hooks\": [{\"on\": \"fc1\", \"at\": \"output\", \"do\": \"0 * output\"}]}"

static void a_training_after_a_probe_equals_one_without(void **state)
{
    Bench *bench = *state;
    const char *config = bench_file(bench, "config.json", CONFIG);
    const char *const *sets = SETS("hooks=[]");
    Training plain = training_run(bench, config, sets, 1, "plain"), probed = training_start(bench, config, sets, 1, "probed");
    size_t before_count, after_count;
    const float *before = training_state(bench, &probed, &before_count);
    probe_of(bench, probed.config, 75);
    const float *after = training_state(bench, &probed, &after_count);
    assert_int_equal(before_count, after_count);
    assert_memory_equal(before, after, sizeof *before * before_count);
    training_finish(bench, &probed, TRAIN_COMPLETED);
    assert_same_run(bench, &plain, &probed);
}

static void dropout_and_hooks_are_off(void **state)
{
    Bench *bench = *state;
    const char *path = bench_file(bench, "config.json", CONFIG);
    const Probe *as_it_is = probe_of(bench, read_config(bench, path, NULL), 64),
                *without = probe_of(bench, read_config(bench, path, SETS("hooks=[]", "model.layers[3].p=0")), 64);
    assert_near(as_it_is->loss, without->loss, 0);
    assert_near(layer_of(as_it_is, "fc2")->flow, layer_of(without, "fc2")->flow, 0);
    assert_true(layer_of(as_it_is, "fc1")->std > 0);
}

/* Without its loss scale float16 would flush small gradients to zero. */
static void a_half_precision_model_is_seen_in_float32(void **state)
{
    Bench *bench = *state;
    const char *path = bench_file(bench, "config.json", CONFIG);
    const Probe *whole = probe_of(bench, read_config(bench, path, NULL), 64),
                *half = probe_of(bench, read_config(bench, path, SETS("precision.type=\"float16\"")), 64);
    assert_near(whole->loss, half->loss, 0);
    assert_near(parameter_of(whole, "fc1.weight")->gradient_norm, parameter_of(half, "fc1.weight")->gradient_norm, 0);
}

static void the_size_of_the_batches_changes_only_rounding(void **state)
{
    Bench *bench = *state;
    const char *path = bench_file(bench, "config.json", CONFIG);
    const char *const *plain = SETS("hooks=[]", "model.layers[1]={\"type\": \"layernorm\"}"),
                      *const *big = SETS("hooks=[]", "model.layers[1]={\"type\": \"layernorm\"}", "train.batch_size=75");
    const Probe *a = probe_of(bench, read_config(bench, path, plain), 1000),
                *b = probe_of(bench, read_config(bench, path, big), 1000);
    assert_int_equal(a->samples, 75);
    assert_int_equal(a->batch, 25); /* at least 32 would be three batches, and three of one size */
    assert_int_equal(b->batch, 75);
    assert_near(a->loss, b->loss, 1e-6);
    assert_near(a->loss_deviation, b->loss_deviation, 1e-6);
    assert_near(a->accuracy, b->accuracy, 1e-12);
    assert_near(layer_of(a, "relu1")->mean, layer_of(b, "relu1")->mean, 1e-6);
    assert_near(parameter_of(a, "fc2.weight")->gradient_norm, parameter_of(b, "fc2.weight")->gradient_norm, 1e-6);
    assert_near(layer_of(a, "fc2")->flow, 3 * layer_of(b, "fc2")->flow, 1e-7); /* a mean over a third of the samples */
}

static void the_number_of_threads_changes_no_bit(void **state)
{
    Bench *bench = *state;
    const Config *config = read_config(bench, "configs/resnet-cifar-shaped.json", SETS("data.samples=60"));
    Threads *threads = threads_new(bench->arena, 3, bench->err);
    const Probe *a = probe_new(bench->arena, config, 48, NULL, bench->err),
                *b = probe_new(bench->arena, config, 48, threads, bench->err);
    assert_true(a && b);
    for (int i = 0; i < a->layers; i++) {
        assert_string_equal(a->layer[i].name, b->layer[i].name);
        assert_memory_equal(&a->layer[i].units, &b->layer[i].units, sizeof *a->layer - offsetof(ProbeLayer, units));
    }
    for (int i = 0; i < a->parameters; i++)
        assert_true(a->parameter[i].gradient_norm == b->parameter[i].gradient_norm);
}

/* What each brings: tokens, attention, images with batch statistics, recurrence, a penalty with its second graph. */
static void every_kind_of_model_is_probed_and_left_alone(void **state)
{
    Bench *bench = *state;
    static const char *const paths[] = {
        "configs/lstm-text.json",       "configs/transformer-text.json", "configs/resnet-cifar-shaped.json",
        "configs/rnn-vanishing.json",   "configs/wgan-gp.json",          "configs/residual-mlp.json",
        "configs/huber-expression.json"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        Training training = {.config = read_config(bench, paths[i], NULL)};
        size_t count;
        const float *before = training_state(bench, &training, &count);
        const Probe *probe = probe_of(bench, training.config, 8);
        assert_memory_equal(before, training_state(bench, &training, &count), sizeof *before * count);
        assert_int_equal(probe->samples, 8);
        assert_true(isfinite(probe->loss) && probe->output_std > 0);
        for (int k = 0; k < probe->parameters; k++)
            assert_true(probe->parameter[k].has_path && isfinite(probe->parameter[k].gradient_norm));
        for (int k = 0; k < probe->layers; k++)
            assert_true(probe->layer[k].std > 0 && probe->layer[k].unit_deviation >= 0);
    }
}

/* Token targets: a sample's loss is the mean over its positions, and the deviation that of samples. */
static void the_loss_of_a_sample_is_the_mean_over_its_positions(void **state)
{
    Bench *bench = *state;
    const Config *config = read_config(bench, "configs/lstm-text.json", NULL);
    const Probe *probe = probe_of(bench, config, 8);
    double mean = 0, square = 0;
    for (int i = 0; i < 8; i++) { /* a probe of one sample has its loss */
        Config one = *config;
        uint32_t order[4096];
        dataset_order(config->data.training.samples, config->seed, 0, true, order);
        one.data.training.samples = 1;
        one.data.training.inputs += order[i] * shape_count(one.data.training.input);
        one.data.training.targets += order[i] * shape_count(one.data.training.target);
        double loss = probe_of(bench, &one, 1)->loss;
        mean += loss / 8;
        square += loss * loss / 8;
    }
    assert_near(probe->loss, mean, 1e-5);
    assert_near(probe->loss_deviation, sqrt(square - mean * mean), 1e-4);
}

static void a_gan_is_not_probed(void **state)
{
    Bench *bench = *state;
    assert_null(probe_new(bench->arena, read_config(bench, "configs/gan-ring.json", NULL), 8, NULL, bench->err));
    assert_int_equal(error_count(bench->err), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_net_of_three_units_is_measured_as_by_hand),
        TEST(two_units_with_the_same_weights_and_gradients_are_twins),
        TEST(saturation_is_the_share_near_a_bound),
        TEST(units_of_images_are_channels),
        TEST(a_gradient_that_is_stopped_is_no_path),
        TEST(what_is_not_finite_is_counted),
        TEST(a_training_after_a_probe_equals_one_without),
        TEST(dropout_and_hooks_are_off),
        TEST(a_half_precision_model_is_seen_in_float32),
        TEST(the_size_of_the_batches_changes_only_rounding),
        TEST(the_number_of_threads_changes_no_bit),
        TEST(every_kind_of_model_is_probed_and_left_alone),
        TEST(the_loss_of_a_sample_is_the_mean_over_its_positions),
        TEST(a_gan_is_not_probed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
