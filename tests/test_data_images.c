#include "support_test.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/dataset.h"

#define TEST_DATA "tests/data/"

typedef struct Fixture {
    Arena *arena;
    Error *err;
    char folder[32];
} Fixture;

static int set_up(void **state)
{
    Arena *arena = arena_new(NULL);
    Fixture *fixture = ARENA_NEW(arena, Fixture);
    *fixture = (Fixture){arena, error_new(arena), "/tmp/gradtool-test-XXXXXX"};
    assert_non_null(mkdtemp(fixture->folder));
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

static bool read_text(Fixture *fixture, const char *text, Dataset *into)
{
    DataSplit split = {0};
    fixture->err = error_new(fixture->arena);
    Json *object = json_read_text(fixture->arena, "test", text, strlen(text), fixture->err);
    assert_non_null(object);
    bool is_read = dataset_read(fixture->arena, object, 1, &split, fixture->err);
    *into = split.training;
    return is_read;
}

static void assert_refused(Fixture *fixture, const char *text, const char *words)
{
    Dataset data;
    assert_false(read_text(fixture, text, &data));
    if (!strstr(error_message(fixture->err, 0), words))
        fail_msg("%s\n  says: %s\n  not: %s", text, error_message(fixture->err, 0), words);
}

/* Copies a file of the test data into a class folder of the fixture's. */
static void put_image(Fixture *fixture, const char *from, const char *class, const char *name)
{
    Bytes bytes;
    const char *folder = path_join(fixture->arena, fixture->folder, class);
    assert_true(file_make_folder(folder, fixture->err));
    assert_true(file_read(fixture->arena, path_join(fixture->arena, TEST_DATA, from), &bytes, fixture->err));
    assert_true(file_write(path_join(fixture->arena, folder, name), bytes.at, bytes.count, fixture->err));
}

static const char *folder_config(Fixture *fixture)
{
    return arena_printf(fixture->arena, "{\"type\": \"images\", \"path\": \"%s\"}", fixture->folder);
}

static void cifar10_records_are_a_class_and_three_planes(void **state)
{
    Dataset data;
    assert_true(read_text(*state, "{\"type\": \"cifar10\", \"paths\": \"" TEST_DATA "cifar10.bin.gz\"}", &data));
    assert_int_equal(data.samples, 4);
    assert_true(shape_equal(data.input, SHAPE(3, 32, 32)));
    assert_int_equal(data.target_classes, 10);
    assert_string_equal(data.class_names[3], "cat");
    assert_near(data.targets[0], 3, 0);
    assert_near(data.targets[1], 9, 0);
    assert_near(data.inputs[0], 150 / 255.0, 1e-6);
    assert_near(data.inputs[1024], 3 / 255.0, 1e-6);
    assert_near(data.inputs[2048], 1, 0);
}

static void cifar10_files_follow_each_other(void **state)
{
    Dataset data;
    assert_true(read_text(
        *state, "{\"type\": \"cifar10\", \"paths\": [\"" TEST_DATA "cifar10.bin.gz\", \"" TEST_DATA "cifar10.bin.gz\"]}",
        &data));
    assert_int_equal(data.samples, 8);
    assert_near(data.targets[5], 9, 0);
    assert_memory_equal(data.inputs, data.inputs + 4 * 3072, 4 * 3072 * sizeof(float));
}

static void cifar10_refuses_what_are_no_records(void **state)
{
    assert_refused(*state, "{\"type\": \"cifar10\", \"paths\": [\"" TEST_DATA "cifar10-broken.bin\"]}",
                   "100 bytes are no whole number of records");
    assert_refused(*state, "{\"type\": \"cifar10\", \"paths\": []}", "names no file");
    assert_refused(*state, "{\"type\": \"cifar10\", \"paths\": [3]}", "or a list of them");
    Fixture *fixture = *state;
    unsigned char *record = ARENA_ARRAY(fixture->arena, unsigned char, 3073);
    record[0] = 10;
    const char *path = path_join(fixture->arena, fixture->folder, "class.bin");
    assert_true(file_write(path, record, 3073, fixture->err));
    assert_refused(fixture, arena_printf(fixture->arena, "{\"type\": \"cifar10\", \"paths\": \"%s\"}", path),
                   "record 1 is of class 10");
}

static void images_of_any_kind_become_planes(void **state)
{
    Dataset data;
    assert_true(read_text(*state, "{\"type\": \"images\", \"path\": \"" TEST_DATA "images\"}", &data));
    assert_int_equal(data.samples, 4);
    assert_true(shape_equal(data.input, SHAPE(3, 2, 3)));
    assert_int_equal(data.target_classes, 2);
    assert_string_equal(data.class_names[0], "bird");
    assert_string_equal(data.class_names[1], "cat");
    const float *rgb = data.inputs, *alpha = NULL, *palette = NULL, *deep = NULL;
    assert_near(rgb[1], 10 / 255.0, 1e-6);     /* red of the second pixel */
    assert_near(rgb[6 + 2], 21 / 255.0, 1e-6); /* green of the third */
    for (int i = 1; i < 4; i++) {              /* in turn: bird 1, cat 1, bird 2, bird 3 or alike */
        const float *x = data.inputs + i * 18;
        if (data.targets[i] > 0)
            deep = x;
        else if (!alpha)
            alpha = x;
        else
            palette = x;
    }
    assert_near(alpha[0], 10 / 255.0, 1e-6);
    assert_near(alpha[12], 30 / 255.0, 1e-6);
    assert_near(palette[0], 1, 0);
    assert_near(palette[1], 0, 0);
    assert_near(palette[12 + 1], 51 / 255.0, 1e-6);
    assert_near(deep[0], 1, 0);
    assert_near(deep[6], 0, 0);
    assert_near(deep[12], 100 / 255.0, 1e-6);
}

static void classes_take_turns(void **state)
{
    Fixture *fixture = *state;
    Dataset data;
    for (int i = 0; i < 4; i++)
        put_image(fixture, "images/bird/1.png", "a", arena_printf(fixture->arena, "%d.png", i));
    for (int i = 0; i < 2; i++)
        put_image(fixture, "images/bird/1.png", "b", arena_printf(fixture->arena, "%d.PNG", i));
    put_image(fixture, "cifar10-broken.bin", "b", "notes.txt");
    assert_true(read_text(fixture, folder_config(fixture), &data));
    assert_int_equal(data.samples, 6);
    float expected[] = {0, 1, 0, 0, 1, 0};
    assert_memory_equal(data.targets, expected, sizeof expected);
}

static void images_that_differ_are_refused_by_name(void **state)
{
    assert_refused(*state, "{\"type\": \"images\", \"path\": \"" TEST_DATA "images-broken\"}", "3 wide and 3 high");
    assert_refused(*state, "{\"type\": \"images\", \"path\": \"" TEST_DATA "nowhere\"}", "there is no such folder");
    assert_refused(*state, "{\"type\": \"images\", \"path\": \"" TEST_DATA "images/bird\"}", "no folders of images");
    Fixture *fixture = *state;
    put_image(fixture, "cifar10-broken.bin", "a", "1.png");
    assert_refused(fixture, folder_config(fixture), "no PNG file");
}

static void a_png_that_is_cut_short_is_refused(void **state)
{
    Fixture *fixture = *state;
    Bytes bytes;
    Dataset data;
    assert_true(file_read(fixture->arena, TEST_DATA "images/bird/1.png", &bytes, fixture->err));
    const char *folder = path_join(fixture->arena, fixture->folder, "a");
    assert_true(file_make_folder(folder, fixture->err));
    for (size_t count = 1; count < bytes.count; count++) {
        assert_true(file_write(path_join(fixture->arena, folder, "1.png"), bytes.at, count, fixture->err));
        assert_false(read_text(fixture, folder_config(fixture), &data));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cifar10_records_are_a_class_and_three_planes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cifar10_files_follow_each_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cifar10_refuses_what_are_no_records, set_up, tear_down),
        cmocka_unit_test_setup_teardown(images_of_any_kind_become_planes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(classes_take_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(images_that_differ_are_refused_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_png_that_is_cut_short_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
