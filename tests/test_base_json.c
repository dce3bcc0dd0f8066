#include "support_test.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/random.h"

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

/* What main() would print. */
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

static Json *read(Arena *arena, const char *text)
{
    Error *err = error_new(arena);
    Json *root = json_read_text(arena, "test.json", text, strlen(text), err);
    if (!root)
        fail_msg("%s", printed(arena, err));
    return root;
}

static const char *written(Arena *arena, const Json *value, int indent)
{
    Text text = text_new(arena);
    json_write(&text, value, indent);
    return text.at;
}

static void assert_error(Arena *arena, const char *text, const char *expected)
{
    Error *err = error_new(arena);
    assert_null(json_read_text(arena, "test.json", text, strlen(text), err));
    assert_string_equal(printed(arena, err), expected);
}

static void every_value_is_read_with_its_place(void **state)
{
    const char *text =
        "{\n  \"lr\": 1e-3, \"on\" : [true, false, null, \"a\\u00e9\\n\"],\n  \"é\": {\"x\": -12345678901234567890}}";
    Json *root = read(*state, text);
    assert_int_equal(root->count, 3);
    Json *lr = json_member(root, "lr");
    assert_near(lr->number, 1e-3, 0);
    assert_string_equal(lr->string, "1e-3");
    long line, column;
    json_place(lr->source, lr->begin, &line, &column);
    assert_int_equal(line, 2);
    assert_int_equal(column, 9);
    json_place(lr->source, lr->key_begin, &line, &column);
    assert_int_equal(column, 3);
    Json *on = json_member(root, "on");
    assert_int_equal(on->count, 4);
    assert_near(json_item(on, 0)->number, 1, 0);
    assert_int_equal(json_item(on, 2)->type, JSON_NULL);
    assert_string_equal(json_item(on, 3)->string, "aé\n");
    assert_null(json_item(on, 4));
    Json *x = json_member(json_member(root, "é"), "x");
    assert_string_equal(x->string, "-12345678901234567890");
    assert_string_equal(json_path(*state, x), "é.x");
    assert_string_equal(json_path(*state, json_item(on, 2)), "on[2]");
    assert_string_equal(json_path(*state, root), "");
    json_place(x->source, x->begin, &line, &column);
    assert_int_equal(line, 3);
    assert_int_equal(column, 14);
    assert_null(json_member(root, "absent"));
    assert_null(json_member(on, "lr"));
}

static void a_byte_order_mark_is_skipped(void **state)
{
    Json *root = read(*state, "\xef\xbb\xbf{\"a\": 1}");
    assert_int_equal(json_member(root, "a")->key_begin, 1);
}

static void what_is_not_json_is_shown_where_it_stands(void **state)
{
    assert_error(*state, "{\"lr\": 1,\n \"x\": NaN}",
                 "error: `NaN` is not a JSON value\n"
                 "  --> test.json:2:7\n"
                 "   |\n"
                 " 2 |  \"x\": NaN}\n"
                 "   |       ^^^\n"
                 "   = help: JSON has no NaN: write a number, or \"NaN\" in quotes where it is taken\n");
    assert_error(*state, "[1, -Infinity]",
                 "error: `-Infinity` is not a JSON number\n"
                 "  --> test.json:1:5\n"
                 "   |\n"
                 " 1 | [1, -Infinity]\n"
                 "   |     ^^^^^^^^^\n"
                 "   = help: JSON has no infinity: write a number, or \"-Infinity\" in quotes where it is taken\n");
    assert_error(*state, "{\"a\": 1,\n \"b\": 2,\n \"a\": 3}",
                 "error: duplicate key `a`\n"
                 "  --> test.json:3:2 a\n"
                 "   |\n"
                 " 3 |  \"a\": 3}\n"
                 "   |  ^^^\n"
                 "   = help: it stands in line 1 already\n");
    assert_error(*state, "", "error: the text ends where a value is expected\n  --> test.json:1:1\n");
    assert_error(*state, "{\"a\": [1, 2}",
                 "error: expected `,` or `]`, found `}`\n"
                 "  --> test.json:1:12\n"
                 "   |\n"
                 " 1 | {\"a\": [1, 2}\n"
                 "   |            ^\n");
}

static void messages_say_what_is_wrong(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{\"a\": Infinity}", "`Infinity` is not a JSON value"},
        {"[nan]", "`nan` is not a JSON value"},
        {"True", "`True` is not a JSON value"},
        {"{a: 1}", "the key `a` needs double quotes"},
        {"{'a': 1}", "expected a key in double quotes, found a single quote"},
        {"{\"a\": 1,}", "a comma stands before the closing `}`"},
        {"[1,]", "a comma stands before the closing `]`"},
        {"{\"a\" 1}", "expected `:` after the key, found `1`"},
        {"[1 2]", "expected `,` or `]`, found `2`"},
        {"[1] // comment", "expected nothing after the value, found `/`"},
        {"1 2", "expected nothing after the value, found `2`"},
        {"[01]", "`01` is not a JSON number"},
        {"[1.]", "`1.` is not a JSON number"},
        {"[.5]", "`.5` is not a JSON number"},
        {"[+5]", "`+5` is not a JSON number"},
        {"[0x10]", "`0x10` is not a JSON number"},
        {"[1e]", "`1e` is not a JSON number"},
        {"[-]", "`-` is not a JSON number"},
        {"[1e999]", "`1e999` is beyond the largest number, 1.8e308"},
        {"[1e-999, 1]x", "expected nothing after the value, found `x`"},
        {"[\"abc", "a string has no closing quote"},
        {"[\"ab\nc\"]", "a string has no closing quote"},
        {"[\"a\tb\"]", "a string holds the control character 0x09"},
        {"\"\\x\"", "unknown escape in a string"},
        {"\"\\u12g4\"", "\\u needs four hexadecimal digits"},
        {"\"\\u0000\"", "a string must not hold \\u0000"},
        {"\"\\ud800\"", "the first half of a surrogate pair stands alone"},
        {"\"\\ud800\\u0041\"", "the first half of a surrogate pair stands alone"},
        {"\"\\udc00\"", "the second half of a surrogate pair stands alone"},
        {"\"\xff\"", "byte 0xff is not UTF-8"},
        {"[1]\x01", "expected nothing after the value, found the control character 0x01"},
        {"{\"a\": {\"b\": 1, \"\\u0062\": 2}}", "duplicate key `b`"},
        {"[1,", "the text ends where a value is expected"},
        {"{", "the text ends where a key in double quotes is expected"},
        {"[é]", "expected a value, found `é`"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Error *err = error_new(*state);
        assert_null(json_read_text(*state, "test", cases[i].text, strlen(cases[i].text), err));
        assert_string_equal(error_message(err, 0), cases[i].message);
        assert_int_equal(error_count(err), 1);
    }
}

static void brackets_may_nest_200_levels_deep_and_no_deeper(void **state)
{
    Text text = text_new(*state);
    for (int i = 0; i < 200; i++)
        text_add(&text, "[");
    for (int i = 0; i < 200; i++)
        text_add(&text, "]");
    read(*state, text.at);
    text_clear(&text);
    for (int i = 0; i < 100000; i++)
        text_add(&text, "[");
    Error *err = error_new(*state);
    assert_null(json_read_text(*state, "deep", text.at, text.length, err));
    assert_string_equal(error_message(err, 0), "more than 200 levels of brackets");
}

static void any_bytes_are_at_worst_an_error(void **state)
{
    (void)state;
    static const char seed[] = "{\"a\": [1, -2.5e3, \"x\\u00e9\\n\", true], \"b\": {\"c\": null, \"é\": \"\\ud83d\\ude00\"}}";
    Random random = random_stream(1, RANDOM_DATA, 0);
    for (uint64_t round = 0; round < 20000; round++) {
        Arena *arena = arena_new(NULL);
        char text[sizeof seed];
        memcpy(text, seed, sizeof seed);
        size_t length = sizeof seed - 1 - random_below(&random, 9 * round, 20);
        for (uint64_t i = 1; i < 4; i++)
            text[random_below(&random, 9 * round + i, length)] =
                i == 3 ? "{}[],:\"\\"[round % 8] : (char)random_word(&random, 9 * round + i);
        Error *err = error_new(arena);
        Json *root = json_read_text(arena, "fuzz", text, length, err);
        assert_true((root != NULL) == (error_count(err) == 0));
        if (root) {
            const char *once = written(arena, root, -1);
            assert_string_equal(written(arena, read(arena, once), -1), once);
        }
        arena_free(arena);
    }
}

static void what_is_written_reads_back_the_same(void **state)
{
    const char *text =
        "{\"name\":\"é \\\"x\\\"\",\"seed\":12345678901234567890,\"lr\":1.0e-3,\"list\":[1,[],{},null,true,false]}";
    Json *root = read(*state, text);
    assert_string_equal(written(*state, root, -1), text);
    assert_string_equal(written(*state, read(*state, written(*state, root, 0)), -1), text);
    assert_string_equal(written(*state, json_copy(*state, root), -1), text);
    double exact[] = {0.1, 1e-3, 1.0 / 3, 65536, 1e22, -0.0, 9007199254740992, 5e-324, 1e300};
    for (size_t i = 0; i < sizeof exact / sizeof exact[0]; i++) {
        const Json *number = json_new_number(*state, exact[i]);
        assert_near(read(*state, written(*state, number, -1))->number, exact[i], 0);
    }
    assert_string_equal(written(*state, json_new_number(*state, 0.1), -1), "0.1");
    assert_string_equal(written(*state, json_new_number(*state, 65536), -1), "65536");
    assert_string_equal(written(*state, json_new_number(*state, (double)-INFINITY), -1), "\"-Infinity\"");
}

static void pretty_printing_keeps_what_is_short_on_one_line(void **state)
{
    Json *root = read(*state, "{\"name\":\"spiral-mlp-with-a-long-name\",\"data\":{\"type\":\"spiral\",\"classes\":3},"
                              "\"optimizer\":{\"type\":\"adamw\",\"lr\":0.001,\"betas\":[0.9,0.999]},\"empty\":{}}");
    assert_string_equal(written(*state, root, 0),
                        "{\n"
                        "  \"name\": \"spiral-mlp-with-a-long-name\",\n"
                        "  \"data\": {\"type\": \"spiral\", \"classes\": 3},\n"
                        "  \"optimizer\": {\"type\": \"adamw\", \"lr\": 0.001, \"betas\": [0.9, 0.999]},\n"
                        "  \"empty\": {}\n"
                        "}");
    Json *list = json_new(*state, JSON_ARRAY);
    for (int i = 0; i < 60; i++)
        json_add_item(list, json_new_number(*state, i));
    const char *text = written(*state, list, 0);
    int lines = 1;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    assert_in_range(lines, 4, 6);
    assert_int_equal(read(*state, text)->count, 60);
}

static void members_are_added_and_replaced_in_place(void **state)
{
    Json *root = read(*state, "{\"model\": \"m.json\", \"seed\": 1}"), *other = read(*state, "  {\"layers\": []}");
    Json *model = json_member(root, "model");
    json_replace(model, other);
    assert_string_equal(written(*state, root, -1), "{\"model\":{\"layers\":[]},\"seed\":1}");
    assert_string_equal(json_path(*state, json_member(model, "layers")), "model.layers");
    assert_ptr_equal(model->source, other->source);
    json_add_member(*state, root, "seed", json_new_number(*state, 2));
    json_add_member(*state, root, "name", json_new_string(*state, "x"));
    assert_string_equal(written(*state, root, -1), "{\"model\":{\"layers\":[]},\"seed\":2,\"name\":\"x\"}");
    Error *err = error_new(*state);
    error_at_key(err, model, "wrong");
    assert_string_equal(printed(*state, err), "error: wrong\n"
                                              "  --> test.json:1:3 model\n"
                                              "   |\n"
                                              " 1 |   {\"layers\": []}\n"
                                              "   |   ^^^^^^^^^^^^^^\n");
}

static void an_assignment_changes_the_tree(void **state)
{
    Json *root = read(*state, "{\"optimizer\":{\"lr\":1},\"model\":{\"layers\":[{\"out\":3},{\"out\":1}]},\"clip\":null}");
    static const char *const assignments[] = {
        "optimizer.lr=0.1",    "optimizer.type=adamw", "model.layers[1].out=8",       "train.epochs=20",
        "clip.max_norm=1e3",   "hooks[0].on=*.bias",   "data={\"type\": \"spiral\"}", "name=a=b",
        "model.layers[2]=null"};
    Error *err = error_new(*state);
    for (size_t i = 0; i < sizeof assignments / sizeof assignments[0]; i++)
        assert_true(json_set(*state, root, assignments[i], err));
    assert_string_equal(written(*state, root, -1),
                        "{\"optimizer\":{\"lr\":0.1,\"type\":\"adamw\"},\"model\":{\"layers\":[{\"out\":3},{\"out\":8},null]},"
                        "\"clip\":{\"max_norm\":1e3},\"train\":{\"epochs\":20},\"hooks\":[{\"on\":\"*.bias\"}],"
                        "\"data\":{\"type\":\"spiral\"},\"name\":\"a=b\"}");
}

static void an_assignment_that_cannot_be_says_why(void **state)
{
    static const struct {
        const char *assignment, *printed;
    } cases[] = {
        {"optimizer.lr.x=1", "error: cannot set `optimizer.lr.x`: `optimizer.lr` is a number, not an object\n"
                             "  --> --set optimizer.lr.x=1\n"},
        {"loss.reduction=sum",
         "error: cannot set `loss.reduction`: `loss` is a string, not an object\n"
         "  --> --set loss.reduction=sum\n"
         "   = help: to give it options, make it an object: --set 'loss={\"type\": \"mse\", \"reduction\": ...}'\n"},
        {"layers[5].out=1", "error: cannot set `layers[5].out`: `layers` has 1 item, so there is no [5]\n"
                            "  --> --set layers[5].out=1\n"
                            "   = help: items count from 0; [1] adds one at the end\n"},
        {"layers.out=1", "error: cannot set `layers.out`: `layers` is a list, not an object\n"
                         "  --> --set layers.out=1\n"},
        {"[0]=1", "error: cannot set `[0]`: `the config` is an object, not a list\n"
                  "  --> --set [0]=1\n"},
        {"optimizer..lr=1", "error: `optimizer..lr` does not name a key\n"
                            "  --> --set optimizer..lr=1\n"
                            "   = help: names are joined by dots, items stand in brackets: model.layers[0].out\n"},
        {"lr", "error: `--set lr` is not an assignment\n"
               "   = help: write --set KEY=VALUE, as in --set optimizer.lr=0.1\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Json *root = read(*state, "{\"optimizer\":{\"lr\":1},\"loss\":\"mse\",\"layers\":[{}]}");
        Error *err = error_new(*state);
        assert_false(json_set(*state, root, cases[i].assignment, err));
        assert_string_equal(printed(*state, err), cases[i].printed);
    }
}

static void errors_at_assigned_and_filled_in_values_name_where_they_come_from(void **state)
{
    Json *root = read(*state, "{\"optimizer\":\n  {\"type\": \"sgd\"}}");
    Error *err = error_new(*state);
    assert_true(json_set(*state, root, "optimizer.lr=-1", err));
    assert_true(json_set(*state, root, "clip={\"limit\": -2}", err));
    error_at(err, json_member(json_member(root, "optimizer"), "lr"), "negative");
    error_at(err, json_member(json_member(root, "clip"), "limit"), "negative");
    json_add_member(*state, json_member(root, "optimizer"), "momentum", json_new_number(*state, 0));
    error_at(err, json_member(json_member(root, "optimizer"), "momentum"), "filled in");
    assert_string_equal(printed(*state, err), "error: negative\n"
                                              "  --> --set optimizer.lr=-1\n"
                                              "error: negative\n"
                                              "  --> --set clip={\"limit\": -2} clip.limit\n"
                                              "error: filled in\n"
                                              "  --> test.json:2:3 optimizer.momentum\n"
                                              "   |\n"
                                              " 2 |   {\"type\": \"sgd\"}}\n"
                                              "   |   ^\n");
}

static void an_excerpt_aligns_its_carets_below_tabs_and_wide_characters(void **state)
{
    Json *root = read(*state, "\n\n\n\n\n\n\n\n\n{\t\"勾配\":\t\"é\", \"x\x7f\": 5}");
    Error *err = error_new(*state);
    error_at(err, root->last, "no \x1b[31m\n");
    assert_string_equal(printed(*state, err), "error: no  [31m \n"
                                              "  --> test.json:10:20 x \n"
                                              "   |\n"
                                              "10 | {    \"勾配\":    \"é\", \"x?\": 5}\n"
                                              "   |                            ^\n");
}

static void of_a_very_long_line_a_window_is_shown(void **state)
{
    Text text = text_new(*state);
    text_add(&text, "[");
    for (int i = 0; i < 500; i++)
        text_printf(&text, "%d,", i);
    text_add(&text, "1]");
    Json *root = read(*state, text.at);
    static const int items[] = {0, 250, 499};
    for (int i = 0; i < 3; i++) {
        Error *err = error_new(*state);
        error_at(err, json_item(root, items[i]), "here");
        char *line = strstr(printed(*state, err), " 1 | ") + 5, *carets = strstr(line, "\n") + 6;
        *strchr(line, '\n') = 0;
        assert_true(strlen(line) <= 120);
        size_t column = strcspn(carets, "^");
        assert_int_equal(atoi(line + column), items[i]);
        assert_true((strncmp(line, "...", 3) == 0) == (i > 0));
        assert_true((strcmp(line + strlen(line) - 3, "...") == 0) == (i < 2));
    }
    Error *err = error_new(*state);
    error_at(err, root, "all of it");
    assert_null(strchr(strstr(printed(*state, err), "^"), ' '));
}

static void more_errors_than_are_kept_are_counted(void **state)
{
    Error *err = error_new(*state);
    for (int i = 0; i < ERROR_LIMIT + 3; i++) {
        assert_false(error_add(err, "error %d", i));
        assert_false(error_hint(err, "hint %d", i));
    }
    assert_int_equal(error_count(err), ERROR_LIMIT + 3);
    assert_string_equal(error_message(err, ERROR_LIMIT - 1), "error 9");
    assert_string_equal(error_message(err, ERROR_LIMIT), "");
    const char *text = printed(*state, err);
    assert_string_equal(strstr(text, "error: error 9"),
                        "error: error 9\n   = help: hint 9\nerror: 3 more errors are not shown\n");
    assert_null(strchr(text, '\033'));
}

static void a_place_in_a_file_may_lack_line_or_column(void **state)
{
    Error *err = error_new(*state);
    error_in_file(err, "data.csv", 3, 7, "a");
    error_in_file(err, "data.csv", 3, 0, "b");
    error_in_file(err, "data.csv", 0, 0, "c");
    assert_string_equal(printed(*state, err),
                        "error: a\n  --> data.csv:3:7\nerror: b\n  --> data.csv:3\nerror: c\n  --> data.csv\n");
}

static void an_object_with_many_members_is_checked_for_duplicates_quickly(void **state)
{
    Text text = text_new(*state);
    for (int i = 0; i < 50000; i++)
        text_printf(&text, "%c\"layer.%d.weight\": %d", i ? ',' : '{', i, i);
    text_add(&text, ",\"layer.77.weight\": 0}");
    Error *err = error_new(*state);
    assert_null(json_read_text(*state, "large", text.at, text.length, err));
    assert_string_equal(error_message(err, 0), "duplicate key `layer.77.weight`");
}

static void a_path_finds_its_value_or_the_nearest_parent(void **state)
{
    const Json *root = read(*state, "{\"a\":{\"b\":[{\"c\":1},2]}}");
    static const struct {
        const char *path, *found;
        bool is_whole;
    } cases[] = {{"", "", true},
                 {"a", "a", true},
                 {"a.b[0].c", "a.b[0].c", true},
                 {"a.b[1]", "a.b[1]", true},
                 {"a.b[2]", "a.b", false},
                 {"a.x.y", "a", false},
                 {"x", "", false},
                 {"a.b[1].c", "a.b[1]", false},
                 {"a..b", "a", false},
                 {"a.b[x]", "a.b", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool found;
        const Json *value = json_find(root, cases[i].path, &found);
        assert_string_equal(json_path(*state, value), cases[i].found);
        assert_int_equal(found, cases[i].is_whole);
    }
    const Json *inner = json_member(root, "a"); /* the path begins where the search does */
    assert_near(json_find(inner, "b[1]", NULL)->number, 2, 0);
}

static void values_are_taken_out_wherever_they_stand(void **state)
{
    Json *list = read(*state, "[1,2,3]");
    json_remove(json_item(list, 1));
    json_add_item(list, json_new_number(*state, 4));
    json_remove(json_item(list, 2));
    json_add_item(list, json_new_number(*state, 5));
    json_remove(json_item(list, 0));
    Text text = text_new(*state);
    json_write(&text, list, -1);
    assert_string_equal(text.at, "[3,5]");
    assert_int_equal(list->count, 2);
    json_remove(json_item(list, 0));
    json_remove(json_item(list, 0));
    json_add_item(list, json_new_number(*state, 6));
    text_clear(&text);
    json_write(&text, list, -1);
    assert_string_equal(text.at, "[6]");
}

static void errors_of_one_list_join_another(void **state)
{
    Error *one = error_new(*state), *two = error_new(*state);
    error_add(one, "first");
    for (int i = 0; i < ERROR_LIMIT + 2; i++)
        error_add(two, "number %d", i);
    assert_false(error_join(one, two));
    assert_int_equal(error_count(one), ERROR_LIMIT + 3);
    assert_string_equal(error_message(one, 0), "first");
    assert_string_equal(error_message(one, ERROR_LIMIT - 1), "number 8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_value_is_read_with_its_place),
        cmocka_unit_test(a_byte_order_mark_is_skipped),
        cmocka_unit_test(what_is_not_json_is_shown_where_it_stands),
        cmocka_unit_test(messages_say_what_is_wrong),
        cmocka_unit_test(brackets_may_nest_200_levels_deep_and_no_deeper),
        cmocka_unit_test(any_bytes_are_at_worst_an_error),
        cmocka_unit_test(what_is_written_reads_back_the_same),
        cmocka_unit_test(pretty_printing_keeps_what_is_short_on_one_line),
        cmocka_unit_test(members_are_added_and_replaced_in_place),
        cmocka_unit_test(an_assignment_changes_the_tree),
        cmocka_unit_test(an_assignment_that_cannot_be_says_why),
        cmocka_unit_test(errors_at_assigned_and_filled_in_values_name_where_they_come_from),
        cmocka_unit_test(an_excerpt_aligns_its_carets_below_tabs_and_wide_characters),
        cmocka_unit_test(of_a_very_long_line_a_window_is_shown),
        cmocka_unit_test(more_errors_than_are_kept_are_counted),
        cmocka_unit_test(a_place_in_a_file_may_lack_line_or_column),
        cmocka_unit_test(an_object_with_many_members_is_checked_for_duplicates_quickly),
        cmocka_unit_test(a_path_finds_its_value_or_the_nearest_parent),
        cmocka_unit_test(values_are_taken_out_wherever_they_stand),
        cmocka_unit_test(errors_of_one_list_join_another),
    };
    return cmocka_run_group_tests(tests, make_arena, drop_arena);
}
