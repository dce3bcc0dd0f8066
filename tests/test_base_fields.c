#include "support_test.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fields.h"
#include "base/file.h"

typedef struct Options {
    bool nesterov;
    int64_t steps, seed;
    double lr, momentum, noise, keep, norm_type;
    const char *name;
    int mode;
    const char *path;
    Json *groups;
} Options;

static const char *const modes[] = {"mean", "sum", "none", NULL};

static const Field fields[] = {
    {"nesterov", FIELD_BOOL, offsetof(Options, nesterov), "false", .help = "looks ahead"},
    {"steps", FIELD_INTEGER, offsetof(Options, steps), NULL, .required = true, .limit = FIELD_POSITIVE,
     .help = "optimizer steps"},
    {"seed", FIELD_INTEGER, offsetof(Options, seed), "1", .limit = FIELD_NOT_NEGATIVE, .help = "of all random numbers"},
    {"lr", FIELD_NUMBER, offsetof(Options, lr), "0.01", .limit = FIELD_POSITIVE, .help = "learning rate"},
    {"momentum", FIELD_NUMBER, offsetof(Options, momentum), "0", .limit = FIELD_BELOW_ONE, .help = "of the past"},
    {"noise", FIELD_NUMBER, offsetof(Options, noise), "0", .limit = FIELD_NOT_NEGATIVE, .help = "deviation"},
    {"keep", FIELD_NUMBER, offsetof(Options, keep), "1", .limit = FIELD_FRACTION, .help = "a fraction"},
    {"norm_type", FIELD_NUMBER, offsetof(Options, norm_type), "2", .limit = FIELD_ANY_OR_INFINITE, .help = "1, 2 or inf"},
    {.name = NULL},
};

static const Field more_fields[] = {
    {"name", FIELD_STRING, offsetof(Options, name), "\"run\"", .help = "of the run"},
    {"mode", FIELD_CHOICE, offsetof(Options, mode), "\"mean\"", .choices = modes, .help = "reduction"},
    {"path", FIELD_PATH, offsetof(Options, path), NULL, .help = "of the data"},
    {"groups", FIELD_JSON, offsetof(Options, groups), NULL, .help = "of parameters"},
    {.name = NULL},
};

static int make_arena(void **state)
{
    *state = arena_new(NULL);
    return 0;
}

static int drop_arena(void **state)
{
    arena_free(*state);
    return 0;
}

static bool read_object(Arena *arena, Json *object, Options *options, Error *err)
{
    *options = (Options){0};
    const FieldSet sets[] = {{fields, options}, {more_fields, options}};
    return fields_read(arena, object, "the optimizer", sets, 2, err);
}

static Json *parsed(Arena *arena, const char *text)
{
    Json *value = json_read_text(arena, "test.json", text, strlen(text), error_new(arena));
    assert_non_null(value);
    return value;
}

static const char *written(Arena *arena, const Json *value)
{
    Text text = text_new(arena);
    json_write(&text, value, -1);
    return text.at;
}

static const char *printed(Arena *arena, const Error *err)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    error_print(err, file, false);
    long length = ftell(file);
    rewind(file);
    char *text = arena_alloc(arena, (size_t)length + 1);
    assert_int_equal(fread(text, 1, (size_t)length, file), (size_t)length);
    fclose(file);
    return text;
}

static void every_type_is_read_into_its_member(void **state)
{
    Options options;
    Json *object =
        parsed(*state, "{\"nesterov\": true, \"steps\": 1e3, \"seed\": 9007199254740992, \"lr\": 0.5, \"momentum\": 0.9,"
                       "\"norm_type\": \"inf\", \"name\": \"é\", \"mode\": \"sum\", \"groups\": [1]}");
    Error *err = error_new(*state);
    assert_true(read_object(*state, object, &options, err));
    assert_true(options.nesterov);
    assert_int_equal(options.steps, 1000);
    assert_true(options.seed == 9007199254740992);
    assert_near(options.lr, 0.5, 0);
    assert_near(options.momentum, 0.9, 0);
    assert_true(isinf(options.norm_type));
    assert_string_equal(options.name, "é");
    assert_int_equal(options.mode, 1);
    assert_int_equal(options.groups->count, 1);
    assert_null(options.path);
}

static void the_tree_is_completed_with_the_defaults(void **state)
{
    Options options;
    Json *object = parsed(*state, "{\"steps\": 3, \"path\": null}");
    Error *err = error_new(*state);
    assert_true(read_object(*state, object, &options, err));
    assert_near(options.lr, 0.01, 0);
    assert_near(options.norm_type, 2, 0);
    assert_string_equal(options.name, "run");
    assert_int_equal(options.mode, 0);
    assert_string_equal(written(*state, object),
                        "{\"steps\":3,\"path\":null,\"nesterov\":false,\"seed\":1,\"lr\":0.01,\"momentum\":0,\"noise\":0,"
                        "\"keep\":1,\"norm_type\":2,\"name\":\"run\",\"mode\":\"mean\"}");
    assert_null(json_member(object, "lr")->source);
    Options again;
    assert_true(read_object(*state, object, &again, err));
    assert_near(again.lr, options.lr, 0);
}

static void all_mistakes_of_an_object_are_reported_at_their_places(void **state)
{
    Options options;
    Json *object = parsed(*state, "{\n  \"nestrov\": true,\n  \"lr\": -0.1,\n  \"mode\": \"summ\"\n}");
    Error *err = error_new(*state);
    assert_false(read_object(*state, object, &options, err));
    assert_string_equal(printed(*state, err), "error: unknown key `nestrov` in the optimizer\n"
                                              "  --> test.json:2:3 nestrov\n"
                                              "   |\n"
                                              " 2 |   \"nestrov\": true,\n"
                                              "   |   ^^^^^^^^^\n"
                                              "   = help: did you mean `nesterov`?\n"
                                              "error: the optimizer needs `steps` (optimizer steps)\n"
                                              "  --> test.json:1:1\n"
                                              "   |\n"
                                              " 1 | {\n"
                                              "   | ^\n"
                                              "error: `lr` must be a positive number, got -0.1\n"
                                              "  --> test.json:3:9 lr\n"
                                              "   |\n"
                                              " 3 |   \"lr\": -0.1,\n"
                                              "   |         ^^^^\n"
                                              "error: `mode` must be one of mean, sum, none, got \"summ\"\n"
                                              "  --> test.json:4:11 mode\n"
                                              "   |\n"
                                              " 4 |   \"mode\": \"summ\"\n"
                                              "   |           ^^^^^^\n"
                                              "   = help: did you mean `sum`?\n");
}

static void a_value_beyond_its_type_or_limit_is_named(void **state)
{
    static const struct {
        const char *member, *message;
    } cases[] = {
        {"\"steps\": 2.5", "`steps` must be a whole number, got 2.5"},
        {"\"steps\": 0", "`steps` must be a positive whole number, got 0"},
        {"\"steps\": \"3\"", "`steps` must be a positive whole number, got \"3\""},
        {"\"steps\": null", "the optimizer needs `steps` (optimizer steps)"},
        {"\"steps\": 3, \"seed\": -1", "`seed` must be a whole number, 0 or more, got -1"},
        {"\"steps\": 3, \"seed\": 9007199254740993", "`seed` must be between -2^53 and 2^53, got 9007199254740993"},
        {"\"steps\": 3, \"seed\": 1e300", "`seed` must be between -2^53 and 2^53, got 1e300"},
        {"\"steps\": 3, \"lr\": null", "`lr` must be a positive number, got null"},
        {"\"steps\": 3, \"lr\": 0", "`lr` must be a positive number, got 0"},
        {"\"steps\": 3, \"lr\": \"inf\"", "`lr` must be a positive number, got \"inf\""},
        {"\"steps\": 3, \"momentum\": 1", "`momentum` must be a number from 0 to below 1, got 1"},
        {"\"steps\": 3, \"noise\": -1e-9", "`noise` must be a number, 0 or more, got -1e-9"},
        {"\"steps\": 3, \"keep\": 1.5", "`keep` must be a number from 0 to 1, got 1.5"},
        {"\"steps\": 3, \"norm_type\": \"two\"", "`norm_type` must be a number or \"inf\", got \"two\""},
        {"\"steps\": 3, \"nesterov\": 1", "`nesterov` must be true or false, got 1"},
        {"\"steps\": 3, \"name\": [1, 2]", "`name` must be a string, got [1,2]"},
        {"\"steps\": 3, \"mode\": {\"a\": 1}", "`mode` must be one of mean, sum, none, got an object"},
        {"\"steps\": 3, \"path\": \"\"", "`path` must be the path of a file or folder, got \"\""},
        {"\"steps\": 3, \"path\": [1, 2, 3, 4, 5]", "`path` must be the path of a file or folder, got a list of 5"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Options options;
        Error *err = error_new(*state);
        Json *object = parsed(*state, arena_printf(*state, "{%s}", cases[i].member));
        assert_false(read_object(*state, object, &options, err));
        assert_string_equal(error_message(err, 0), cases[i].message);
        assert_int_equal(error_count(err), 1);
    }
    Options options;
    Error *err = error_new(*state);
    assert_false(read_object(*state, parsed(*state, "[1]"), &options, err));
    assert_string_equal(error_message(err, 0), "the optimizer must be an object, got [1]");
}

static void a_path_is_relative_to_the_file_that_names_it(void **state)
{
    char folder[] = "/tmp/gradtool-test-XXXXXX", here[4096];
    assert_non_null(mkdtemp(folder));
    assert_non_null(getcwd(here, sizeof here));
    const char *config = path_join(*state, folder, "sub/config.json");
    Error *err = error_new(*state);
    assert_true(file_make_folder(path_folder(*state, config), err));
    const char text[] = "{\"steps\": 1, \"path\": \"../data.csv\"}";
    assert_true(file_write(config, text, sizeof text - 1, err));
    Json *object = json_read_file(*state, config, err);
    Options options;
    assert_true(read_object(*state, object, &options, err));
    assert_string_equal(options.path, path_join(*state, folder, "data.csv"));
    assert_string_equal(json_member(object, "path")->string, options.path);
    assert_true(json_set(*state, object, "path=configs/x.csv", err));
    assert_true(read_object(*state, object, &options, err));
    assert_string_equal(options.path, path_join(*state, here, "configs/x.csv"));
    file_remove_folder(folder);
    assert_false(file_exists(folder));
}

static void a_row_is_chosen_by_its_name(void **state)
{
    static const char *const names[] = {"sgd", "adam", "adamw", NULL};
    Error *err = error_new(*state);
    assert_int_equal(fields_choose(parsed(*state, "\"adamw\""), "optimizer", names, err), 2);
    assert_int_equal(error_count(err), 0);
    assert_int_equal(fields_choose(parsed(*state, "\"adamm\""), "optimizer", names, err), -1);
    assert_int_equal(fields_choose(parsed(*state, "\"lion\""), "optimizer", names, err), -1);
    assert_int_equal(fields_choose(parsed(*state, "3"), "optimizer", names, err), -1);
    assert_string_equal(error_message(err, 0), "unknown optimizer `adamm`");
    assert_string_equal(error_message(err, 1), "unknown optimizer `lion`");
    assert_string_equal(error_message(err, 2), "the name of the optimizer must be a string, got 3");
    assert_non_null(strstr(printed(*state, err), "did you mean `adam`?"));
    assert_non_null(strstr(printed(*state, err), "there are sgd, adam, adamw"));
}

static void one_number_stands_for_all_of_a_list(void **state)
{
    int64_t kernel[2];
    Error *err = error_new(*state);
    assert_true(fields_read_integers(parsed(*state, "3"), "kernel", kernel, 2, 1, err));
    assert_true(kernel[0] == 3 && kernel[1] == 3);
    assert_true(fields_read_integers(parsed(*state, "[3, 5]"), "kernel", kernel, 2, 1, err));
    assert_true(kernel[0] == 3 && kernel[1] == 5);
    static const char *const wrong[] = {"0", "[3, 0]", "[3]", "[1, 2, 3]", "\"3\"", "[1, \"2\"]", "2.5", "{}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        err = error_new(*state);
        assert_false(fields_read_integers(parsed(*state, wrong[i]), "kernel", kernel, 2, 1, err));
        assert_int_equal(error_count(err), 1);
    }
    err = error_new(*state);
    fields_read_integers(parsed(*state, "[3, 0]"), "kernel", kernel, 2, 1, err);
    assert_string_equal(error_message(err, 0), "`kernel` must be a whole number, 1 or more, or a list of 2, got [3,0]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_read_into_its_member),
        cmocka_unit_test(the_tree_is_completed_with_the_defaults),
        cmocka_unit_test(all_mistakes_of_an_object_are_reported_at_their_places),
        cmocka_unit_test(a_value_beyond_its_type_or_limit_is_named),
        cmocka_unit_test(a_path_is_relative_to_the_file_that_names_it),
        cmocka_unit_test(a_row_is_chosen_by_its_name),
        cmocka_unit_test(one_number_stands_for_all_of_a_list),
    };
    return cmocka_run_group_tests(tests, make_arena, drop_arena);
}
