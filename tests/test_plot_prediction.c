/* The picture of predicted and measured gradient flow: from a run's config and log alone. */
#include "support_test.h"

#include <math.h>
#include <string.h>

#include "render/gnuplot.h"
#include "render/plot.h"
#include "support_run.h"

#define MODEL(layers)                                                                                                          \
    "{\"name\": \"deep\", \"seed\": 3, \"model\": {\"input\": [8], \"layers\": [" layers                                       \
    "{\"type\": \"linear\", \"name\": \"head\", \"out\": 3}]}, \"data\": {\"type\": \"noise\", \"samples\": 32,"               \
    "\"features\": 8, \"classes\": 3}, \"loss\": \"cross_entropy\", \"optimizer\": {\"lr\": 0.5},"                             \
    "\"train\": {\"steps\": 3, \"batch_size\": 16}}"
#define HIDDEN(name) "{\"type\": \"linear\", \"name\": \"" name "\", \"out\": 24}, {\"type\": \"tanh\"},"

static const char *train(Bench *bench, const char *config)
{
    return training_run(bench, bench_file(bench, "config.json", config), NULL, 1, "run").folder;
}

static bool has_gnuplot(Bench *bench)
{
    Text script = text_new(bench->arena), output = text_new(bench->arena);
    text_add(&script, "set terminal dumb\nplot x\n");
    bool missing;
    return gnuplot_run(NULL, &script, &output, &missing, error_new(bench->arena));
}

static void a_run_tells_what_was_predicted_before_it_trained(void **state)
{
    Bench *bench = *state;
    const char *folder = train(bench, MODEL(HIDDEN("fc1") HIDDEN("fc2") HIDDEN("fc3")));
    Config *config = config_read(bench->arena, path_join(bench->arena, bench->folder, "config.json"), NULL, 0, bench->err);
    const Prediction *before = prediction_new(bench->arena, config);
    const Prediction *after = prediction_of_run(bench->arena, folder, bench->err);
    assert_non_null(after);
    assert_int_equal(after->layers, 4);
    for (int i = 0; i < 4; i++) {
        assert_string_equal(after->layer[i].name, before->layer[i].name);
        assert_near(after->layer[i].weight_variance, before->layer[i].weight_variance, 0);
    }
    assert_near(after->flow_ratio, before->flow_ratio, 0);
}

static void the_picture_has_each_hidden_layer_and_what_step_1_measured(void **state)
{
    Bench *bench = *state;
    if (!has_gnuplot(bench))
        skip();
    const char *folder = train(bench, MODEL(HIDDEN("fc1") HIDDEN("fc2") HIDDEN("fc3")));
    PlotResult result;
    if (!plot_run(folder, &(PlotOptions){.only = "prediction", .svg = true}, &result, bench->arena, bench->err))
        fail_msg("%s", error_message(bench->err, 0));
    Bytes svg;
    assert_int_equal(result.file_count, 1);
    assert_int_equal(result.note_count, 0);
    assert_true(file_read(bench->arena, result.files[0], &svg, bench->err));
    static const char *const texts[] = {"fc1 over fc3: predicted ", ", measured ", ">fc1<", ">fc2<", ">fc3<",
                                        "measured in step 1"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!strstr((const char *)svg.at, texts[i]))
            fail_msg("the picture lacks `%s`", texts[i]);
    assert_null(strstr((const char *)svg.at, ">head<"));
}

/* A step that the scaler skips leaves no finite gradient; the first that is finite stands at the same weights. */
static void the_first_step_that_is_finite_is_the_one_that_counts(void **state)
{
    Bench *bench = *state;
    bench_file(bench, "log.jsonl",
               "{\"event\":\"run\",\"layers\":[{\"name\":\"a\",\"type\":\"linear\"},{\"name\":\"b\",\"type\":\"linear\"},"
               "{\"name\":\"c\",\"type\":\"detach\"}]}\n"
               "{\"event\":\"activation_gradients\",\"step\":1,\"mean\":[0,\"NaN\",null],\"std\":[1,\"NaN\",null],"
               "\"nonfinite\":[0,2,null]}\n"
               "{\"event\":\"activation_gradients\",\"step\":2,\"mean\":[3,0,null],\"std\":[4,0.5,null],"
               "\"nonfinite\":[0,0,null]}\n"
               "{\"event\":\"activation_gradients\",\"step\":3,\"mean\":[9,9,null],\"std\":[9,9,null],"
               "\"nonfinite\":[0,0,null]}\n");
    const PlotData *data = plot_data_read(bench->arena, bench->folder, bench->err);
    assert_non_null(data);
    assert_int_equal(data->first_flow.step, 2);
    assert_int_equal(data->first_flow.layers, 3);
    assert_string_equal(data->first_flow.name[1], "b");
    assert_near(data->first_flow.rms[0], 5, 1e-12);
    assert_near(data->first_flow.rms[1], 0.5, 1e-12);
    assert_true(run_is_missing(data->first_flow.rms[2]));
}

static void asked_for_by_name_it_says_why_it_cannot_be_drawn(void **state)
{
    Bench *bench = *state;
    static const struct {
        const char *config, *reason;
    } cases[] = {
        {NULL, "it has no config.json"},
        {MODEL(HIDDEN("fc1")), "fewer than two hidden layers get a gradient"},
        {MODEL("{\"type\": \"softmax\"}," HIDDEN("fc1") HIDDEN("fc2")), "`softmax1` is not an element-by-element function"},
        {"{\"model\": \"gone.json\"}", "gone.json"},
    };
    bench_file(bench, "log.jsonl", "{\"event\":\"run\"}\n{\"event\":\"step\",\"step\":1,\"loss\":1}\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Error *err = error_new(bench->arena);
        PlotResult result;
        if (cases[i].config)
            bench_file(bench, "config.json", cases[i].config);
        assert_false(plot_run(bench->folder, &(PlotOptions){.only = "prediction"}, &result, bench->arena, err));
        assert_non_null(strstr(error_message(err, 0), "the picture `prediction` of "));
        if (!strstr(error_message(err, 0), cases[i].reason))
            fail_msg("no `%s` in: %s", cases[i].reason, error_message(err, 0));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_run_tells_what_was_predicted_before_it_trained),
        TEST(the_picture_has_each_hidden_layer_and_what_step_1_measured),
        TEST(the_first_step_that_is_finite_is_the_one_that_counts),
        TEST(asked_for_by_name_it_says_why_it_cannot_be_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
