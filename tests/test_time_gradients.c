/* Gradients by position, against values by hand; and their picture. */
#include "support_test.h"

#include <math.h>
#include <string.h>

#include "render/plot.h"
#include "support_run.h"

/* h_t = relu(x_t + h_(t-1) / 2) of ones, so that all states are positive and dL/dh_(t-1) gains half of dL/d gates_t. */
static const char *config(Bench *bench, const char *result, int positions, const char *instruments)
{
    Text text = text_new(bench->arena);
    text_printf(
        &text,
        "{\"model\": {\"input\": [%d, 1], \"layers\": [{\"type\": \"rnn\", \"hidden\": 1, \"bias\": false, \"nonlinearity\": "
        "\"relu\", \"return\": \"%s\", \"init\": {\"type\": \"constant\", \"value\": 0.5}}]}, \"loss\": \"mean_output\", "
        "\"data\": {\"type\": \"inline\", \"inputs\": [",
        positions, result);
    for (int i = 0; i < 2; i++) {
        text_add(&text, i ? ",[" : "[");
        for (int t = 0; t < positions; t++)
            text_add(&text, t ? ",[1]" : "[1]");
        text_add(&text, "]");
    }
    text_add(&text,
             "], \"targets\": [0, 0]}, \"train\": {\"steps\": 2, \"batch_size\": 2}, \"monitor\": {\"histogram_every\": 0");
    if (instruments)
        text_printf(&text, ", \"instruments\": %s", instruments);
    text_add(&text, "}, \"output\": {\"plots\": false}}");
    return bench_file(bench, "config.json", text.at);
}

/* The arrays of the first event; counts are 0 where there is none. */
typedef struct Measured {
    int outputs, gates;
    double output[300], gate[300];
} Measured;

static Measured measure(Bench *bench, const char *folder)
{
    Measured measured = {0};
    RunReader *reader = run_reader_open(bench->arena, folder, bench->err);
    RunEvent event;
    assert_non_null(reader);
    while (run_reader_next(reader, &event, bench->err) && event.kind != RUN_EVENT_NONE) {
        if (strcmp(event.name, "time_gradients") != 0 || event.step != 1)
            continue;
        assert_string_equal(run_event_string(&event, "name"), "rnn1");
        const double *outputs = run_event_numbers(&event, "rms", &measured.outputs);
        const double *gates = run_event_numbers(&event, "delta_rms", &measured.gates);
        memcpy(measured.output, outputs ? outputs : measured.output, sizeof(double) * (size_t)measured.outputs);
        memcpy(measured.gate, gates ? gates : measured.gate, sizeof(double) * (size_t)measured.gates);
    }
    return measured;
}

static void the_gates_gradient_fades_through_time(void **state)
{
    Bench *bench = *state;
    Training training = training_run(bench, config(bench, "last", 3, NULL), NULL, 1, "run");
    const Measured m = measure(bench, training.folder);
    assert_int_equal(m.outputs, 0);
    assert_int_equal(m.gates, 3);
    for (int t = 0; t < 3; t++)
        assert_near(m.gate[t], 0.5 * pow(0.5, 2 - t), 1e-7); /* the mean of two samples */
}

static void every_position_of_a_sequence_is_measured(void **state)
{
    Bench *bench = *state;
    Training training = training_run(bench, config(bench, "sequence", 3, NULL), NULL, 1, "run");
    const Measured m = measure(bench, training.folder);
    assert_int_equal(m.outputs, 3);
    assert_int_equal(m.gates, 3);
    for (int t = 0; t < 3; t++) {
        assert_near(m.output[t], 1.0 / 6, 1e-7);
        assert_near(m.gate[t], (t == 2 ? 1 : t == 1 ? 1.5 : 1.75) / 6, 1e-7);
    }
}

static void long_sequences_are_binned(void **state)
{
    Bench *bench = *state;
    Training training = training_run(bench, config(bench, "sequence", 5000, NULL), NULL, 1, "run");
    const Measured m = measure(bench, training.folder);
    assert_int_equal(m.outputs, 256);
    for (int i = 0; i < 256; i++)
        assert_near(m.output[i], 1.0 / 10000, 1e-10);
    assert_near(m.gate[128], 2.0 / 10000, 1e-9);
}

static void micro_batches_count_as_one(void **state)
{
    Bench *bench = *state;
    const char *path = config(bench, "sequence", 3, NULL);
    Training whole = training_run(bench, path, NULL, 1, "whole");
    Training parts = training_run(bench, path, SETS("train.batch_size=1", "train.accumulate=2"), 1, "parts");
    const Measured a = measure(bench, whole.folder), b = measure(bench, parts.folder);
    for (int t = 0; t < 3; t++)
        assert_near(a.output[t], b.output[t], 1e-8);
}

static void models_without_a_recurrent_layer_are_not_measured_by_default(void **state)
{
    Bench *bench = *state;
    static const char *const model =
        "model={\"input\": [3, 1], \"layers\": [{\"type\": \"linear\", \"out\": 1}, {\"type\": \"tanh\"}]}";
    const char *path = config(bench, "sequence", 3, NULL);
    Training plain = training_run(bench, path, SETS(model), 1, "plain");
    assert_string_equal(training_events(bench, &plain, "time_gradients"), "");
    Training asked = training_run(bench, path, SETS(model, "monitor.instruments=[\"time_gradients\"]"), 1, "asked");
    assert_non_null(strstr(training_events(bench, &asked, "time_gradients"), "\"name\":\"tanh1\""));
}

static void the_picture_is_drawn_of_each_recurrent_layer(void **state)
{
    Bench *bench = *state;
    Training training = training_run(bench, config(bench, "last", 40, NULL), NULL, 1, "run");
    PlotResult result;
    assert_true(plot_run(training.folder, &(PlotOptions){.only = "heatmap_time_rnn1"}, &result, bench->arena, bench->err));
    assert_int_equal(result.file_count, 1);
    assert_non_null(strstr(result.files[0], "heatmap_time_rnn1.png"));
    assert_false(plot_run(training.folder, &(PlotOptions){.only = "heatmap_time_other"}, &result, bench->arena, bench->err));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_gates_gradient_fades_through_time),
        TEST(every_position_of_a_sequence_is_measured),
        TEST(long_sequences_are_binned),
        TEST(micro_batches_count_as_one),
        TEST(models_without_a_recurrent_layer_are_not_measured_by_default),
        TEST(the_picture_is_drawn_of_each_recurrent_layer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
