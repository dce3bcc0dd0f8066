/* Folders that appear whole, and what killed writers leave. */
#include "support_test.h"

#include <string.h>

#include "base/folder.h"
#include "support_run.h"

static const char *names_in(Bench *bench, const char *folder)
{
    Text text = text_new(bench->arena);
    int count;
    const char *const *names = folder_list(bench->arena, folder, &count);
    for (int i = 0; i < count; i++)
        text_printf(&text, "%s ", names[i]);
    return text.at;
}

static void a_folder_is_listed_in_the_order_of_its_names(void **state)
{
    Bench *bench = *state;
    static const char *const files[] = {"b", "a", "c10", ".hidden", "c2"};
    assert_string_equal(names_in(bench, bench->folder), "");
    for (int i = 0; i < 5; i++)
        bench_file(bench, files[i], "");
    assert_string_equal(names_in(bench, bench->folder), ".hidden a b c10 c2 ");
    assert_string_equal(names_in(bench, path_join(bench->arena, bench->folder, "absent")), "");
}

static void a_folder_appears_with_all_that_was_put_into_it(void **state)
{
    Bench *bench = *state;
    const char *path = path_join(bench->arena, bench->folder, "whole");
    for (int round = 0; round < 2; round++) { /* the second takes the place of the first */
        const char *temporary = folder_begin(bench->arena, path, bench->err), *file = round ? "second" : "first";
        assert_non_null(temporary);
        assert_true(file_write(path_join(bench->arena, temporary, file), "x", 1, bench->err));
        assert_true(folder_commit(temporary, path, bench->err));
        assert_string_equal(names_in(bench, bench->folder), "whole ");
        assert_string_equal(names_in(bench, path), round ? "second " : "first ");
    }
}

static void a_folder_that_cannot_be_made_is_an_error_with_its_name(void **state)
{
    Bench *bench = *state;
    assert_null(folder_begin(bench->arena, path_join(bench->arena, bench->folder, "absent/whole"), bench->err));
    assert_non_null(strstr(error_message(bench->err, 0), "absent/whole: no such folder"));
}

static void only_what_looks_like_a_leftover_is_removed(void **state)
{
    Bench *bench = *state;
    static const char *const files[] = {".a.json.12-0.tmp", ".b.json.12-0.tmp",  ".a.json.12.tmp", ".12-0.tmp",
                                        "a.json.12-0.tmp",  ".a.json.12-0.tmp2", "step-1.tmp-x",   "a.tmp"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        bench_file(bench, files[i], "");
    assert_true(file_make_folder(path_join(bench->arena, bench->folder, "step-1.tmp-12-3"), bench->err));
    bench_file(bench, "step-1.tmp-12-3/file", "");
    folder_remove_leftovers(bench->arena, bench->folder, "a.json");
    assert_null(strstr(names_in(bench, bench->folder), ".a.json.12-0.tmp "));
    assert_non_null(strstr(names_in(bench, bench->folder), ".b.json.12-0.tmp "));
    folder_remove_leftovers(bench->arena, bench->folder, "step-2");
    assert_non_null(strstr(names_in(bench, bench->folder), "step-1.tmp-12-3 "));
    folder_remove_leftovers(bench->arena, bench->folder, NULL);
    assert_string_equal(names_in(bench, bench->folder),
                        ".12-0.tmp .a.json.12-0.tmp2 .a.json.12.tmp a.json.12-0.tmp a.tmp step-1.tmp-x ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_folder_is_listed_in_the_order_of_its_names),
        TEST(a_folder_appears_with_all_that_was_put_into_it),
        TEST(a_folder_that_cannot_be_made_is_an_error_with_its_name),
        TEST(only_what_looks_like_a_leftover_is_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
