#include "support_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "base/text.h"
#include "monitor/run_reader.h"

#define RUN                                                                                                                    \
    "{\"event\":\"run\",\"format\":1,\"name\":\"small\",\"seed\":7,\"parameters\":[{\"name\":\"a.weight\",\"layer\":\"a\","    \
    "\"shape\":"                                                                                                               \
    "[3,2]},{\"name\":\"a.bias\",\"layer\":\"a\",\"shape\":[3]}],\"layers\":[{\"name\":\"a\",\"type\":\"linear\",\"output\":[" \
    "3]}],"                                                                                                                    \
    "\"loss\":\"mse\",\"steps\":10}\n"

typedef struct Fixture {
    Arena *arena;
    Error *err;
    char folder[64];
    const char *path;
} Fixture;

static int set_up(void **state)
{
    Arena *arena = arena_new(NULL);
    Fixture *fixture = ARENA_NEW(arena, Fixture);
    fixture->arena = arena;
    fixture->err = error_new(arena);
    strcpy(fixture->folder, "/tmp/gradtool-reader-XXXXXX");
    if (!mkdtemp(fixture->folder))
        return -1;
    fixture->path = path_join(arena, fixture->folder, "log.jsonl");
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    file_remove_folder(fixture->folder);
    arena_free(fixture->arena);
    return 0;
}

static void write_log(Fixture *fixture, const char *text)
{
    assert_true(file_write(fixture->path, text, strlen(text), fixture->err));
}

static void append(Fixture *fixture, const char *text)
{
    FILE *file = fopen(fixture->path, "a");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static RunReader *open_log(Fixture *fixture, const char *text)
{
    write_log(fixture, text);
    RunReader *reader = run_reader_open(fixture->arena, fixture->folder, fixture->err);
    if (!reader)
        fail_msg("%s", error_message(fixture->err, 0));
    return reader;
}

static RunEvent next(Fixture *fixture, RunReader *reader)
{
    RunEvent event;
    if (!run_reader_next(reader, &event, fixture->err))
        fail_msg("%s", error_message(fixture->err, 0));
    return event;
}

static void the_run_event_gives_parameters_and_layers(void **state)
{
    Fixture *fixture = *state;
    const RunHeader *run = run_reader_header(open_log(fixture, RUN));
    assert_string_equal(run->name, "small");
    assert_string_equal(run->loss, "mse");
    assert_int_equal(run->seed, 7);
    assert_int_equal(run->steps, 10);
    assert_int_equal(run->parameter_count, 2);
    assert_string_equal(run->parameters[0].name, "a.weight");
    assert_string_equal(run->parameters[1].layer, "a");
    assert_int_equal(run->parameters[0].rank, 2);
    assert_int_equal(run->parameters[0].shape[1], 2);
    assert_int_equal(run->parameters[0].elements, 6);
    assert_int_equal(run->layer_count, 1);
    assert_string_equal(run->layers[0].type, "linear");
}

static void a_step_is_read_whatever_the_order_and_the_blanks(void **state)
{
    Fixture *fixture = *state;
    RunReader *reader =
        open_log(fixture, RUN
                 "  { \"loss\" : 1.5e0 ,\t\"new\":{\"deep\":[1,{\"x\":\"}\"}]},\"grad_norm\":\"Infinity\", \"skipped\":true,"
                 "\"clipped_norm\":null,\"step\":12, \"\\u0065vent\":\"st\\u0065p\"} \r\n\n");
    RunEvent event = next(fixture, reader);
    assert_int_equal(event.kind, RUN_EVENT_STEP);
    assert_int_equal(event.line, 2);
    RunStep step = run_event_step(&event);
    assert_int_equal(step.step, 12);
    assert_near(step.loss, 1.5, 0);
    assert_true(isinf(step.grad_norm));
    assert_true(step.skipped);
    assert_true(run_is_missing(step.clipped_norm));
    assert_true(run_is_missing(step.lr));
    const RunField *unknown = run_event_field(&event, "new");
    assert_int_equal(unknown->type, RUN_FIELD_OTHER);
    assert_memory_equal(unknown->string, "{\"deep\":[1,{\"x\":\"}\"}]}", unknown->length);
    assert_int_equal(next(fixture, reader).kind, RUN_EVENT_NONE);
}

static void arrays_keep_null_apart_from_nan(void **state)
{
    Fixture *fixture = *state;
    RunReader *reader = open_log(fixture, RUN "{\"event\":\"gradients\",\"step\":1,\"norm\":[null,\"NaN\"],\"min\":[-1e-30,"
                                              "\"-Infinity\"],\"max\":[ ]}\n");
    RunEvent event;
    assert_false(run_reader_next(reader, &event, fixture->err));
    reader =
        open_log(fixture, RUN "{\"event\":\"gradients\",\"step\":1,\"norm\":[null,\"NaN\"],\"min\":[-1e-30,\"-Infinity\"]}\n");
    event = next(fixture, reader);
    assert_int_equal(event.kind, RUN_EVENT_ARRAYS);
    int count;
    const double *norm = run_event_numbers(&event, "norm", &count);
    assert_int_equal(count, 2);
    assert_true(run_is_missing(norm[0]));
    assert_true(isnan(norm[1]) && !run_is_missing(norm[1]));
    const double *min = run_event_numbers(&event, "min", &count);
    assert_near(min[0], -1e-30, 0);
    assert_true(min[1] < 0 && isinf(min[1]));
    assert_null(run_event_numbers(&event, "absent", &count));
}

static void a_histogram_has_its_first_exponent_and_counts(void **state)
{
    Fixture *fixture = *state;
    RunReader *reader = open_log(fixture, RUN "{\"event\":\"histogram\",\"step\":5,\"of\":\"gradients\",\"name\":\"a.weight\","
                                              "\"zeros\":0.5,\"exponents\":[-12,1,0,2]}\n");
    RunEvent event = next(fixture, reader);
    RunHistogram histogram = run_event_histogram(&event);
    assert_string_equal(histogram.name, "a.weight");
    assert_int_equal(histogram.first, -12);
    assert_int_equal(histogram.count, 3);
    assert_near(histogram.counts[2], 2, 0);
    assert_near(histogram.zeros, 0.5, 0);
}

static void numbers_are_those_of_strtod(void **state)
{
    Fixture *fixture = *state;
    static const char *const hard[] = {"0",
                                       "-0",
                                       "0.1",
                                       "123456789",
                                       "1.7976931348623157e308",
                                       "5e-324",
                                       "1e-400",
                                       "1e400",
                                       "9007199254740993",
                                       "0.000000000000000000000000000001",
                                       "1E+2",
                                       "3.14e-02",
                                       "8.5e-46",
                                       "12345678901234567890123",
                                       "2.2250738585072011e-308"};
    RunLine line = run_line_new(fixture->arena);
    Random random = random_stream(1, RANDOM_PROBE, 0);
    for (int i = 0; i < 20000; i++) {
        char number[64], text[96];
        if (i < 15)
            snprintf(number, sizeof number, "%s", hard[i]);
        else
            snprintf(number, sizeof number, "%.*g", 1 + i % 19,
                     (random_uniform(&random, (uint64_t)i) - 0.5) *
                         pow(10, (double)random_below(&random, (uint64_t)i + 100000, 120) - 70));
        int length = snprintf(text, sizeof text, "{\"x\":%s}", number);
        assert_true(run_line_read(&line, text, (size_t)length));
        double expected = strtod(number, NULL);
        if (memcmp(&line.fields[0].number, &expected, sizeof expected) != 0)
            fail_msg("%s is read as %.17g", number, line.fields[0].number);
    }
}

static void what_is_no_json_object_is_refused(void **state)
{
    Fixture *fixture = *state;
    static const char *const bad[] = {
        "",
        "[]",
        "{",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":NaN}",
        "{\"a\":+1}",
        "{\"a\":1} x",
        "{\"a\":\"\\q\"}",
        "{\"a\":\"\\u12g4\"}",
        "{\"a\":[1,]}",
        "{\"a\":[1 2]}",
        "{\"a\":tru}",
        "{\"a\":1e}",
        "{a:1}",
        "{\"a\":\"x",
        "{\"a\":[1,",
        "{\"a\":{\"b\":]}",
        "{\"a\":[[1],]}",
        "{\"a\":[nul]}",
    };
    RunLine line = run_line_new(fixture->arena);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[64];
        strcpy(text, bad[i]);
        if (run_line_read(&line, text, strlen(text)))
            fail_msg("%s was taken", bad[i]);
        assert_non_null(line.problem);
    }
}

static void escapes_become_utf8(void **state)
{
    Fixture *fixture = *state;
    RunLine line = run_line_new(fixture->arena);
    char text[] = "{\"a\":\"\\u00e9\\ud83d\\ude00\\n\\\"\\ud800\"}";
    assert_true(run_line_read(&line, text, strlen(text)));
    assert_string_equal(line.fields[0].string, "\xc3\xa9\xf0\x9f\x98\x80\n\"\xef\xbf\xbd");
}

static void a_torn_last_line_is_the_end_until_it_is_finished(void **state)
{
    Fixture *fixture = *state;
    RunReader *reader = open_log(fixture, RUN "{\"event\":\"eval\",\"step\":1,\"lo");
    assert_int_equal(next(fixture, reader).kind, RUN_EVENT_NONE);
    assert_int_equal(next(fixture, reader).kind, RUN_EVENT_NONE);
    append(fixture, "ss\":2}\n{\"event\":\"end\",\"status\":\"completed\"}");
    RunEvent event = next(fixture, reader);
    assert_int_equal(event.kind, RUN_EVENT_EVAL);
    assert_near(run_event_number(&event, "loss"), 2, 0);
    event = next(fixture, reader);
    assert_int_equal(event.kind, RUN_EVENT_END);
    assert_string_equal(run_event_string(&event, "status"), "completed");
    assert_int_equal(next(fixture, reader).kind, RUN_EVENT_NONE);
    append(fixture, "\n{\"event\":\"later\"}\n");
    event = next(fixture, reader);
    assert_int_equal(event.kind, RUN_EVENT_OTHER);
    assert_int_equal(event.line, 4);
    assert_int_equal(next(fixture, reader).kind, RUN_EVENT_NONE);
}

static void a_broken_line_in_the_middle_is_an_error_with_its_number(void **state)
{
    Fixture *fixture = *state;
    RunReader *reader =
        open_log(fixture, RUN "{\"event\":\"eval\",\"step\":1}\n{\"event\":\"step\",\"st\n{\"event\":\"end\"}\n");
    next(fixture, reader);
    RunEvent event;
    assert_false(run_reader_next(reader, &event, fixture->err));
    assert_int_equal(error_count(fixture->err), 1);
    assert_non_null(strstr(error_message(fixture->err, 0), "broken line"));
}

static void an_array_that_does_not_fit_the_run_is_an_error(void **state)
{
    Fixture *fixture = *state;
    RunReader *reader = open_log(fixture, RUN "{\"event\":\"updates\",\"step\":1,\"ratio\":[1,2,3]}\n");
    RunEvent event;
    assert_false(run_reader_next(reader, &event, fixture->err));
    assert_string_equal(error_message(fixture->err, 0), "`ratio` of `updates` has 3 values, but the run has 2 parameters");
}

static void a_line_longer_than_the_buffer_is_read(void **state)
{
    Fixture *fixture = *state;
    Text text = text_new(fixture->arena);
    text_add(&text, RUN);
    for (int line = 0; line < 3; line++) {
        text_add(&text, "{\"event\":\"wide\",\"step\":3,\"values\":[0");
        for (int i = 1; i < 400000; i++)
            text_printf(&text, ",%d.5", i);
        text_add(&text, "]}\n");
    }
    RunReader *reader = open_log(fixture, text.at);
    for (int line = 0; line < 3; line++) {
        RunEvent event = next(fixture, reader);
        assert_int_equal(event.kind, RUN_EVENT_ARRAYS);
        int count;
        const double *values = run_event_numbers(&event, "values", &count);
        assert_int_equal(count, 400000);
        assert_near(values[399999], 399999.5, 0);
    }
    assert_int_equal(next(fixture, reader).kind, RUN_EVENT_NONE);
    assert_int_equal(run_reader_bytes(reader), text.length);
}

static void what_is_no_run_folder_says_so(void **state)
{
    Fixture *fixture = *state;
    assert_null(run_reader_open(fixture->arena, "/nonexistent/run", fixture->err));
    assert_null(run_reader_open(fixture->arena, fixture->folder, fixture->err));
    assert_non_null(strstr(error_message(fixture->err, 1), "no log.jsonl"));
    assert_null(run_reader_open(fixture->arena, "Makefile", fixture->err));
    write_log(fixture, "{\"event\":\"ru");
    assert_null(run_reader_open(fixture->arena, fixture->folder, fixture->err));
    assert_non_null(strstr(error_message(fixture->err, 3), "no `run` event"));
    write_log(fixture, "{\"event\":\"step\",\"step\":1}\n");
    assert_null(run_reader_open(fixture->arena, fixture->folder, fixture->err));
    assert_int_equal(error_count(fixture->err), 5);
}

static void any_bytes_are_at_worst_an_error(void **state)
{
    Fixture *fixture = *state;
    static const char good[] =
        "{\"event\":\"gradients\",\"step\":1,\"norm\":[null,\"NaN\",-1.25e-7],\"o\":{\"a\":[1,\"\\u00e9\"]},"
        "\"s\":\"\\ud83d\\ude00\\n\",\"t\":true}";
    RunLine line = run_line_new(fixture->arena);
    Random random = random_stream(2, RANDOM_PROBE, 0);
    uint64_t draw = 0;
    for (int i = 0; i < 30000; i++) {
        /* On its own piece of memory, so that the sanitizer sees a step beyond. */
        size_t length = (size_t)random_below(&random, draw++, sizeof good);
        char *text = test_malloc(length + 1);
        memcpy(text, good, length);
        for (int change = 0; length > 0 && change < i % 4; change++) {
            uint64_t place = random_below(&random, draw++, length);
            text[place] =
                i % 2 ? (char)random_below(&random, draw++, 256) : good[random_below(&random, draw++, sizeof good - 1)];
        }
        run_line_read(&line, text, length);
        test_free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_run_event_gives_parameters_and_layers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_step_is_read_whatever_the_order_and_the_blanks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(arrays_keep_null_apart_from_nan, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_histogram_has_its_first_exponent_and_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_are_those_of_strtod, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_json_object_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(escapes_become_utf8, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_torn_last_line_is_the_end_until_it_is_finished, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_broken_line_in_the_middle_is_an_error_with_its_number, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_array_that_does_not_fit_the_run_is_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_longer_than_the_buffer_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_run_folder_says_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_bytes_are_at_worst_an_error, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
