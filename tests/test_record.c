#include "support_test.h"

#include <math.h>
#include <string.h>

#include "base/text.h"
#include "diagnose/record.h"
#include "diagnose/step_table.h"
#include "monitor/run_line.h"
#include "support_run.h"

#define RUN                                                                                                                    \
    "{\"event\":\"run\",\"format\":1,\"name\":\"small\",\"seed\":7,\"parameters\":[{\"name\":\"a.weight\",\"layer\":\"a\","    \
    "\"shape\":[3,2]},{\"name\":\"a.bias\",\"layer\":\"a\",\"shape\":[3]}],\"layers\":[{\"name\":\"a\",\"type\":\"linear\","   \
    "\"output\":[3]}],\"loss\":\"mse\",\"steps\":10}\n"
#define STEP(step, loss, norm)                                                                                                 \
    "{\"event\":\"step\",\"step\":" #step ",\"epoch\":1,\"loss\":" loss ",\"lr\":0.1,\"grad_norm\":" norm                      \
    ",\"clipped_norm\":" norm ",\"scale\":1,\"skipped\":false,\"samples\":4,\"seconds\":0.1}\n"
#define SKIPPED(step)                                                                                                          \
    "{\"event\":\"step\",\"step\":" #step ",\"loss\":1,\"lr\":0.1,\"grad_norm\":\"Infinity\",\"skipped\":true}\n"
#define GRADIENTS(step, norms, nonfinite)                                                                                      \
    "{\"event\":\"gradients\",\"step\":" #step ",\"norm\":" norms                                                              \
    ",\"std\":[0.5,0.25],\"zeros\":[0,0.5],\"nonfinite\":" nonfinite "}\n"
#define UPDATES(step, ratios) "{\"event\":\"updates\",\"step\":" #step ",\"ratio\":" ratios ",\"weight_norm\":[5,6]}\n"
#define SCALER(step, scale, skipped)                                                                                           \
    "{\"event\":\"scaler\",\"step\":" #step ",\"scale\":" #scale ",\"found_inf\":" skipped ",\"skipped\":" skipped "}\n"

static const Record *read_log(Bench *bench, const char *log)
{
    bench_file(bench, "log.jsonl", log);
    const Record *record = record_read(bench->arena, bench->folder, bench->err);
    if (!record)
        fail_msg("%s", error_message(bench->err, 0));
    return record;
}

static double at_step(RecordSeries series, int64_t step)
{
    for (int i = 0; i < series.count; i++)
        if (series.step[i] == step)
            return series.value[i];
    fail_msg("no step %lld", (long long)step);
    return 0;
}

static void a_log_becomes_series_of_its_parameters_and_layers(void **state)
{
    const Record *record = read_log(
        *state,
        RUN STEP(1, "2", "5") GRADIENTS(1, "[3,4]", "[0,0]") UPDATES(
            1,
            "[0.01,0.02]") "{\"event\":\"activations\",\"step\":1,\"min\":[-7],\"max\":[2],\"mean\":[1],\"std\":[2],"
                           "\"zeros\":[0.25],\"nonfinite\":[0]}\n"
                           "{\"event\":\"activation_gradients\",\"step\":1,\"min\":[-1],\"max\":[1],\"mean\":[3],\"std\":[4],"
                           "\"zeros\":[0.125],\"nonfinite\":[0]}\n" STEP(
                               2, "1", "6") "{\"event\":\"end\",\"status\":\"completed\",\"step\":2,\"seconds\":1}\n");
    assert_string_equal(record->name, "small");
    assert_string_equal(record->kind, "gradtool run");
    assert_string_equal(record->loss, "mse");
    assert_string_equal(record->status, "completed");
    assert_false(record->is_foreign);
    assert_int_equal(record->planned, 10);
    assert_int_equal(record->steps, 2);
    assert_int_equal(record->first_step, 1);
    assert_int_equal(record->last_step, 2);
    assert_int_equal(record->parameters, 2);
    assert_string_equal(record->parameter[1].name, "a.bias");
    assert_string_equal(record->parameter[1].layer, "a");
    assert_int_equal(record->parameter[0].rank, 2);
    assert_int_equal(record->parameter[0].elements, 6);
    assert_string_equal(record->layer[0].type, "linear");
    assert_near(record->initial_loss, 2, 0);
    assert_int_equal(record_scalar(record, RECORD_LOSS).count, 2);
    assert_near(at_step(record_scalar(record, RECORD_LOSS), 2), 1, 0);
    assert_near(at_step(record_scalar(record, RECORD_RATE), 1), 0.1, 0);
    assert_near(at_step(record_scalar(record, RECORD_CLIPPED_NORM), 2), 6, 0);
    assert_int_equal(record->points, 1);
    assert_near(at_step(record_track(record, RECORD_GRADIENT_NORM, 1), 1), 4, 0);
    assert_near(at_step(record_track(record, RECORD_GRADIENT_STD, 1), 1), 0.25, 0);
    assert_near(at_step(record_track(record, RECORD_GRADIENT_ZEROS, 1), 1), 0.5, 0);
    assert_near(at_step(record_track(record, RECORD_UPDATE_RATIO, 0), 1), 0.01, 0);
    assert_near(at_step(record_track(record, RECORD_WEIGHT_NORM, 1), 1), 6, 0);
    assert_near(at_step(record_track(record, RECORD_ACTIVATION_MEAN, 0), 1), 1, 0);
    assert_near(at_step(record_track(record, RECORD_ACTIVATION_STD, 0), 1), 2, 0);
    assert_near(at_step(record_track(record, RECORD_ACTIVATION_ZEROS, 0), 1), 0.25, 0);
    assert_near(at_step(record_track(record, RECORD_ACTIVATION_MAX, 0), 1), 7, 0);
    assert_near(at_step(record_track(record, RECORD_FLOW, 0), 1), 5, 0);
    assert_near(at_step(record_track(record, RECORD_FLOW_ZEROS, 0), 1), 0.125, 0);
}

static void what_was_never_logged_is_an_empty_series(void **state)
{
    const Record *record = read_log(*state, RUN STEP(1, "2", "5"));
    assert_false(record_has(record, RECORD_FLOW));
    assert_int_equal(record_track(record, RECORD_FLOW, 0).count, 0);
    assert_int_equal(record_scalar(record, RECORD_LOSS).count, 1);
    assert_int_equal(record->points, 0);
    assert_string_equal(record->status, "");
}

static void a_norm_of_null_is_a_parameter_without_a_gradient(void **state)
{
    const Record *record = read_log(*state, RUN STEP(1, "2", "5") GRADIENTS(1, "[5,null]", "[0,null]") STEP(2, "2", "5")
                                                GRADIENTS(2, "[5,null]", "[0,null]"));
    assert_true(record->parameter[0].has_gradient);
    assert_false(record->parameter[1].has_gradient);
    assert_true(run_is_missing(at_step(record_track(record, RECORD_GRADIENT_NORM, 1), 2)));
}

static void events_of_a_step_may_come_in_any_order_and_unknown_ones_are_passed_over(void **state)
{
    const Record *record = read_log(
        *state, RUN UPDATES(1, "[0,0.1]") "{\"event\":\"accumulate\",\"step\":1,\"micro\":1,\"of\":2,\"loss\":3}\n"
                                          "{\"event\":\"curvature\",\"step\":1,\"values\":[1,2,3,4,5,6,7]}\n" GRADIENTS(
                                              1, "[1,1]", "[0,0]")
                                              STEP(1, "2", "5") "{\"event\":\"anything\",\"x\":{}}\n" STEP(2, "1", "5"));
    assert_int_equal(record->steps, 2);
    assert_int_equal(record->points, 1);
    assert_near(at_step(record_track(record, RECORD_UPDATE_RATIO, 1), 1), 0.1, 0);
    assert_int_equal(record->parameter[0].unchanged, 1);
}

static void a_torn_last_line_is_a_normal_end(void **state)
{
    const Record *record = read_log(*state, RUN STEP(1, "2", "5") "{\"event\":\"step\",\"step\":2,\"lo");
    assert_int_equal(record->steps, 1);
    assert_int_equal(record->last_step, 1);
}

static void where_steps_fall_the_later_values_count(void **state)
{
    const Record *record =
        read_log(*state, RUN STEP(1, "4", "1") STEP(2, "3", "1") "{\"event\":\"eval\",\"step\":2,\"loss\":9}\n" STEP(
                             3, "\"NaN\"",
                             "\"NaN\"") "{\"event\":\"nonfinite\",\"step\":3,\"where\":\"a\",\"phase\":\"forward\"}\n"
                                        "{\"event\":\"end\",\"status\":\"diverged\",\"step\":3,\"seconds\":1}\n"
                                        "{\"event\":\"clip\",\"step\":2,\"type\":\"norm\",\"before\":9,\"after\":1}\n" STEP(
                                            2, "2.5", "1") "{\"event\":\"eval\",\"step\":2,\"loss\":8}\n" STEP(3, "2", "1")
                                            STEP(4, "1", "1"));
    assert_int_equal(record->steps, 4);
    assert_near(at_step(record_scalar(record, RECORD_LOSS), 1), 4, 0);
    assert_near(at_step(record_scalar(record, RECORD_LOSS), 2), 2.5, 0);
    assert_near(at_step(record_scalar(record, RECORD_LOSS), 3), 2, 0);
    assert_int_equal(record->nonfinite_losses, 0);
    assert_int_equal(record->nonfinite.step, 0);
    assert_int_equal(record->clip.events, 1);
    assert_string_equal(record->status, "");
    assert_int_equal(record->evaluation.count, 1);
    assert_near(record->evaluation.loss[0], 8, 0);
}

static void steps_may_fall_more_than_once(void **state)
{
    const Record *record = read_log(*state, RUN STEP(1, "1", "1") STEP(2, "2", "1") STEP(3, "3", "1") STEP(2, "12", "1")
                                                STEP(3, "13", "1") STEP(1, "21", "1") STEP(2, "22", "1"));
    assert_int_equal(record->steps, 2);
    assert_near(at_step(record_scalar(record, RECORD_LOSS), 1), 21, 0);
    assert_near(at_step(record_scalar(record, RECORD_LOSS), 2), 22, 0);
}

static void an_update_of_exactly_0_counts_as_unchanged_where_there_was_reason_to_change(void **state)
{
    const Record *record = read_log(
        *state, RUN STEP(1, "2", "5") GRADIENTS(1, "[1,1]", "[0,0]") UPDATES(1, "[0,0.1]") STEP(2, "2", "5")
                    GRADIENTS(2, "[1,0]", "[0,0]") UPDATES(2, "[0,0]") SKIPPED(3) GRADIENTS(3, "[1,1]", "[0,0]")
                        UPDATES(3, "[0,0]") "{\"event\":\"step\",\"step\":4,\"loss\":1,\"lr\":0,\"grad_norm\":1,\"skipped\":"
                                            "false}\n" GRADIENTS(4, "[1,1]", "[0,0]") UPDATES(4, "[0,0]") STEP(5, "2", "5")
                                                GRADIENTS(5, "[1,null]", "[0,0]") UPDATES(5, "[0.5,null]"));
    assert_int_equal(record->parameter[0].updates, 3);
    assert_int_equal(record->parameter[0].unchanged, 2);
    assert_int_equal(record->parameter[0].first_unchanged, 1);
    assert_int_equal(record->parameter[1].updates, 1);
    assert_int_equal(record->parameter[1].unchanged, 0);
}

static void values_that_are_not_finite_are_counted_by_tensor_and_step(void **state)
{
    const Record *record =
        read_log(*state, RUN STEP(1, "2", "5") GRADIENTS(1, "[1,1]", "[0,0]") STEP(2, "\"NaN\"", "\"Infinity\"")
                             GRADIENTS(2, "[\"NaN\",1]", "[3,0]") STEP(3, "1", "\"NaN\"")
                                 GRADIENTS(3, "[\"Infinity\",1]",
                                           "[1,0]") "{\"event\":\"activations\",\"step\":3,\"min\":[1],\"max\":["
                                                    "\"Infinity\"],\"nonfinite\":[2]}\n"
                                                    "{\"event\":\"activation_gradients\",\"step\":3,\"mean\":[\"NaN\"]"
                                                    ",\"std\":[\"NaN\"],\"nonfinite\":[1]}\n");
    assert_int_equal(record->parameter[0].nonfinite, 2);
    assert_int_equal(record->parameter[0].first_nonfinite, 2);
    assert_int_equal(record->parameter[1].nonfinite, 0);
    assert_int_equal(record->layer[0].nonfinite, 1);
    assert_int_equal(record->layer[0].first_nonfinite, 3);
    assert_int_equal(record->layer[0].flow_nonfinite, 1);
    assert_int_equal(record->nonfinite_losses, 1);
    assert_int_equal(record->first_nonfinite_loss, 2);
    assert_int_equal(record->nonfinite_norms, 2);
    assert_int_equal(record->first_nonfinite_norm, 2);
    assert_int_equal(record->seen_losses, 3);
    assert_true(isinf(at_step(record_scalar(record, RECORD_GRAD_NORM), 2)));
    assert_true(isinf(at_step(record_track(record, RECORD_ACTIVATION_MAX, 0), 3)));
    assert_true(isnan(at_step(record_track(record, RECORD_FLOW, 0), 3)));
}

static void gradients_of_steps_that_the_scaler_skipped_are_no_fault(void **state)
{
    const Record *record = read_log(*state, RUN SCALER(1, 32768, "true") SKIPPED(1) GRADIENTS(1, "[\"Infinity\",1]", "[1,0]")
                                                SCALER(2, 32768, "false") STEP(2, "1", "1") GRADIENTS(2, "[1,1]", "[0,0]")
                                                    SKIPPED(30) GRADIENTS(30, "[\"NaN\",1]", "[1,0]") SCALER(30, 2, "true")
                                                        SCALER(31, 1, "true") SKIPPED(31) SCALER(32, 0.5, "true") SKIPPED(32));
    assert_int_equal(record->nonfinite_norms, 0);
    assert_int_equal(record->parameter[0].nonfinite, 0);
    assert_int_equal(record->scaler.events, 5);
    assert_int_equal(record->scaler.skips, 4);
    assert_int_equal(record->scaler.longest_skips, 3);
    assert_int_equal(record->scaler.skips_after_warmup, 3);
    assert_int_equal(record->scaler.first_skip, 1);
    assert_int_equal(record->scaler.last_skip, 32);
    assert_near(record->scaler.lowest_scale, 0.5, 0);
    assert_near(record->scaler.last_scale, 0.5, 0);
    assert_int_equal(record->scaler.first_floor, 31);
}

static void clipped_steps_are_counted_once_however_many_parameters_were_clipped(void **state)
{
#define CLIP(step, after) "{\"event\":\"clip\",\"step\":" #step ",\"type\":\"value\",\"before\":9,\"after\":" #after "}\n"
    const Record *record =
        read_log(*state, RUN CLIP(1, 2) CLIP(1, 1) STEP(1, "1", "1") STEP(2, "1", "1") CLIP(3, 3) STEP(3, "1", "1"));
    assert_int_equal(record->clip.events, 2);
    assert_int_equal(record->clip.first_step, 1);
    assert_int_equal(record->clip.last_step, 3);
    assert_string_equal(record->clip.type, "value");
    assert_near(record->clip.limit, 1, 0);
}

static void histograms_of_gradients_are_added_up(void **state)
{
#define HISTOGRAM(step, of, name, exponents)                                                                                   \
    "{\"event\":\"histogram\",\"step\":" #step ",\"of\":\"" of "\",\"name\":\"" name "\",\"zeros\":0,\"exponents\":" exponents \
    "}\n"
    const Record *record =
        read_log(*state, RUN STEP(1, "1", "1") HISTOGRAM(1, "gradients", "a.weight", "[-3,1,2]")
                             HISTOGRAM(1, "gradients", "a.bias", "[2000,1]") HISTOGRAM(1, "activations", "a.weight", "[0,9]")
                                 STEP(2, "1", "1") HISTOGRAM(2, "gradients", "a.weight", "[-5,4,0,1]")
                                     HISTOGRAM(2, "gradients", "gone", "[0,9]"));
    const RecordTensor *weight = &record->parameter[0];
    assert_int_equal(weight->histogram_first, -5);
    assert_int_equal(weight->histogram_bins, 4);
    assert_near(weight->histogram[0], 4, 0);
    assert_near(weight->histogram[1], 0, 0);
    assert_near(weight->histogram[2], 2, 0);
    assert_near(weight->histogram[3], 2, 0);
    assert_int_equal(record->parameter[1].histogram_bins, 1);
}

static void the_first_operation_that_was_not_finite_is_kept_with_all_that_is_said_of_it(void **state)
{
    const Record *record = read_log(
        *state, RUN STEP(1, "1", "1") "{\"event\":\"nonfinite\",\"step\":1,\"where\":\"fc1\",\"phase\":\"forward\","
                                      "\"kind\":\"nan\",\"inputs_finite\":true,\"op\":\"log\",\"layer\":\"fc1\",\"cause\":"
                                      "\"log of 0\",\"more\":[1]}\n"
                                      "{\"event\":\"nonfinite\",\"step\":2,\"where\":\"fc2\"}\n");
    assert_int_equal(record->nonfinite.step, 1);
    assert_string_equal(record->nonfinite.where, "fc1");
    assert_string_equal(record->nonfinite.phase, "forward");
    assert_string_equal(record->nonfinite.kind, "nan");
    assert_string_equal(record->nonfinite.op, "log");
    assert_string_equal(record->nonfinite.layer, "fc1");
    assert_string_equal(record->nonfinite.cause, "log of 0");
    assert_true(record->nonfinite.inputs_finite);
}

static void evaluations_are_kept_apart(void **state)
{
    const Record *record =
        read_log(*state, RUN STEP(1, "1", "1") "{\"event\":\"eval\",\"step\":1,\"loss\":3,\"accuracy\":0.5}\n" STEP(
                             2, "1", "1") "{\"event\":\"eval\",\"step\":2,\"loss\":2}\n");
    assert_int_equal(record->evaluation.count, 2);
    assert_int_equal(record->evaluation.step[1], 2);
    assert_near(record->evaluation.loss[1], 2, 0);
    assert_near(record->evaluation.accuracy[0], 0.5, 0);
    assert_true(run_is_missing(record->evaluation.accuracy[1]));
}

/* A series that alternates between 1 and 1.1, with spikes: log10 has median 0.0207 and MAD 0.0207, so z of 10 is
 * (1 - 0.0207) / (1.4826 * 0.0207 + 0.02) = 19.3 and z of 1.6 is 3.6. */
static Record *alternating(Arena *arena, int steps)
{
    Record *record = record_new(arena, "test", "test");
    for (int i = 1; i <= steps; i++) {
        double value = i % 2 ? 1 : 1.1;
        record_add_scalar(record, RECORD_GRAD_NORM, i, i == steps - 4 ? 10 : i == steps - 2 ? 1.6 : value);
        record_add_scalar(record, RECORD_LOSS, i, i == 3 ? 10 : value);
    }
    record_end(record);
    return record;
}

static void a_value_far_above_the_window_before_it_is_a_spike(void **state)
{
    Bench *bench = *state;
    const Record *record = alternating(bench->arena, 300);
    assert_int_equal(record->norm_spikes.count, 1);
    assert_int_equal(record->norm_spikes.step[0], 296);
    assert_int_equal(record->norm_spikes.first_step, 296);
    assert_near(record->norm_spikes.ratio[0], 10 / sqrt(1.1), 1e-9);
    assert_near(record->norm_spikes.largest_ratio, 10 / sqrt(1.1), 1e-9);
    assert_int_equal(record->loss_spikes.count, 0);
}

static void a_short_run_has_shorter_windows(void **state)
{
    Bench *bench = *state;
    assert_int_equal(alternating(bench->arena, 40)->norm_spikes.count, 1);
    assert_int_equal(alternating(bench->arena, 20)->norm_spikes.count, 0);
}

static void a_million_values_take_the_memory_of_a_bounded_number(void **state)
{
    Bench *bench = *state;
    Record *record = record_new(bench->arena, "test", "test");
    record_add_parameter(record, "a");
    record_add_parameter(record, "b");
    enum { STEPS = 1000000, SPIKE = 777777 };
    for (int64_t i = 1; i <= STEPS; i++) {
        record_add_scalar(record, RECORD_LOSS, i, i == SPIKE ? 1000 : 1 + 0.1 * sin((double)i));
        record_add_value(record, RECORD_GRADIENT_NORM, 0, i, (double)i);
    }
    record_end(record);
    RecordSeries loss = record_scalar(record, RECORD_LOSS), norm = record_track(record, RECORD_GRADIENT_NORM, 0);
    assert_in_range(loss.count, RECORD_STEPS / 2, RECORD_STEPS + 1);
    assert_in_range(norm.count, RECORD_POINTS / 2, RECORD_POINTS + 1);
    assert_int_equal(norm.step[0], 1);
    assert_int_equal(norm.step[norm.count - 1], STEPS);
    assert_int_equal(loss.step[loss.count - 1], STEPS);
    for (int i = 0; i < norm.count; i++)
        assert_near(norm.value[i], (double)norm.step[i], 0);
    for (int i = 1; i < norm.count; i++)
        assert_true(norm.step[i] > norm.step[i - 1]);
    assert_int_equal(record->steps, STEPS);
    assert_int_equal(record->loss_spikes.count, 1);
    assert_int_equal(record->loss_spikes.first_step, SPIKE);
    assert_true(arena_bytes(bench->arena) < 20 << 20);
}

static void of_two_neighbours_the_fuller_row_stays(void **state)
{
    Bench *bench = *state;
    StepTable *table = step_table_new(bench->arena, 2, 8);
    for (int i = 0; i < 100; i++) {
        double *row = step_table_row(table, i);
        row[0] = i;
        if (i % 20 == 19)
            row[1] = i;
    }
    step_table_end_row(table);
    int rare = 0, count = step_table_count(table);
    for (int i = 0; i < count; i++)
        rare += !run_is_missing(step_table_column(table, 1)[i]);
    assert_in_range(count, 4, 9);
    assert_int_equal(step_table_steps(table)[0], 0);
    assert_int_equal(step_table_steps(table)[count - 1], 99);
    assert_true(rare >= 4);
    assert_null(step_table_row(table, 98));
}

static void a_follower_sees_what_is_appended_and_what_is_cut_back(void **state)
{
    Bench *bench = *state;
    bench_file(bench, "log.jsonl", RUN STEP(1, "3", "1"));
    RecordFollower *follower = record_follow(bench->arena, bench->folder, bench->err);
    assert_int_equal(record_follow_next(follower, bench->err)->steps, 1);
    FILE *file = fopen(path_join(bench->arena, bench->folder, "log.jsonl"), "a");
    fputs(STEP(2, "2", "1") STEP(3, "\"NaN\"", "1"), file);
    fclose(file);
    const Record *record = record_follow_next(follower, bench->err);
    assert_int_equal(record->steps, 3);
    assert_int_equal(record->nonfinite_losses, 1);
    bench_file(bench, "log.jsonl", RUN STEP(1, "3", "1") STEP(2, "5", "1"));
    record = record_follow_next(follower, bench->err);
    assert_int_equal(record->steps, 2);
    assert_int_equal(record->nonfinite_losses, 0);
    assert_near(at_step(record_scalar(record, RECORD_LOSS), 2), 5, 0);
}

static void a_folder_that_is_no_run_is_an_error(void **state)
{
    Bench *bench = *state;
    assert_null(record_read(bench->arena, bench->folder, bench->err));
    assert_non_null(strstr(error_message(bench->err, 0), "is not a run folder"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_log_becomes_series_of_its_parameters_and_layers),
        TEST(what_was_never_logged_is_an_empty_series),
        TEST(a_norm_of_null_is_a_parameter_without_a_gradient),
        TEST(events_of_a_step_may_come_in_any_order_and_unknown_ones_are_passed_over),
        TEST(a_torn_last_line_is_a_normal_end),
        TEST(where_steps_fall_the_later_values_count),
        TEST(steps_may_fall_more_than_once),
        TEST(an_update_of_exactly_0_counts_as_unchanged_where_there_was_reason_to_change),
        TEST(values_that_are_not_finite_are_counted_by_tensor_and_step),
        TEST(gradients_of_steps_that_the_scaler_skipped_are_no_fault),
        TEST(clipped_steps_are_counted_once_however_many_parameters_were_clipped),
        TEST(histograms_of_gradients_are_added_up),
        TEST(the_first_operation_that_was_not_finite_is_kept_with_all_that_is_said_of_it),
        TEST(evaluations_are_kept_apart),
        TEST(a_value_far_above_the_window_before_it_is_a_spike),
        TEST(a_short_run_has_shorter_windows),
        TEST(a_million_values_take_the_memory_of_a_bounded_number),
        TEST(of_two_neighbours_the_fuller_row_stays),
        TEST(a_follower_sees_what_is_appended_and_what_is_cut_back),
        TEST(a_folder_that_is_no_run_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
