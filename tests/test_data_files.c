#include "support_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/random.h"
#include "data/dataset.h"

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

static const char *write_bytes(Fixture *fixture, const char *name, const void *bytes, size_t count)
{
    const char *path = path_join(fixture->arena, fixture->folder, name);
    if (!file_write(path, bytes, count, fixture->err))
        fail_msg("%s", error_message(fixture->err, 0));
    return path;
}

static bool read_data(Fixture *fixture, Dataset *into, const char *format, ...) __attribute__((format(printf, 3, 4)));
static bool read_data(Fixture *fixture, Dataset *into, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = arena_vprintf(fixture->arena, format, arguments);
    va_end(arguments);
    fixture->err = error_new(fixture->arena);
    Json *object = json_read_text(fixture->arena, "test", text, strlen(text), fixture->err);
    DataSplit data;
    assert_non_null(object);
    bool is_read = dataset_read(fixture->arena, object, 1, &data, fixture->err);
    assert_int_equal(is_read, error_count(fixture->err) == 0);
    *into = data.training;
    return is_read;
}

static bool read_csv(Fixture *fixture, const char *text, const char *more, Dataset *into)
{
    const char *path = write_bytes(fixture, "table.csv", text, strlen(text));
    return read_data(fixture, into, "{\"type\": \"csv\", \"path\": \"%s\"%s}", path, more);
}

static Dataset csv_of(void **state, const char *text, const char *more)
{
    Dataset data;
    Fixture *fixture = *state;
    if (!read_csv(fixture, text, more, &data))
        fail_msg("%s: %s", text, error_message(fixture->err, 0));
    return data;
}

static void assert_message(Fixture *fixture, const char *words)
{
    if (!strstr(error_message(fixture->err, 0), words))
        fail_msg("says: %s\nnot: %s", error_message(fixture->err, 0), words);
}

static void assert_csv_refused(void **state, const char *text, const char *more, const char *words)
{
    Dataset data;
    assert_false(read_csv(*state, text, more, &data));
    assert_message(*state, words);
}

static void assert_floats(const float *actual, size_t count, const float *expected)
{
    for (size_t i = 0; i < count; i++)
        if (isnan(expected[i]))
            assert_true(isnan(actual[i]));
        else if (isinf(expected[i]))
            assert_true(actual[i] == expected[i]);
        else
            assert_near(actual[i], expected[i], 1e-6);
}
#define ASSERT_FLOATS(actual, ...) assert_floats(actual, sizeof((float[]){__VA_ARGS__}) / sizeof(float), (float[]){__VA_ARGS__})

static void csv_numbers_text_classes_by_their_bytes(void **state)
{
    Dataset data = csv_of(state, "a,b,kind\n1,2,zebra\n3,4,Ant\n5,6,zebra\n", "");
    assert_int_equal(data.samples, 3);
    assert_int_equal(data.target_classes, 2);
    assert_true(shape_equal(data.input, SHAPE(2)) && data.target.rank == 0);
    assert_string_equal(data.class_names[0], "Ant");
    ASSERT_FLOATS(data.inputs, 1, 2, 3, 4, 5, 6);
    ASSERT_FLOATS(data.targets, 1, 0, 1);
    assert_string_equal(data.origin, "table.csv");
}

static void csv_numbers_number_classes_by_value(void **state)
{
    Dataset data = csv_of(state, "1,10\n2,9\n3,-1\n4,9.0\n", "");
    assert_int_equal(data.target_classes, 3);
    ASSERT_FLOATS(data.targets, 2, 1, 0, 1);
    assert_string_equal(data.class_names[1], "9");
}

static void csv_takes_other_separators_line_ends_quotes_and_marks(void **state)
{
    ASSERT_FLOATS(csv_of(state,
                         "\xef\xbb\xbf"
                         "a;b;c\r\n1;2;0\r\n\r\n3;4;1",
                         "")
                      .inputs,
                  1, 2, 3, 4);
    ASSERT_FLOATS(csv_of(state, "1\t2\t0\n3\t4\t1\n", "").inputs, 1, 2, 3, 4);
    ASSERT_FLOATS(csv_of(state, "1,2,0\r3,4,1\r", "").inputs, 1, 2, 3, 4);
    Dataset data = csv_of(state, "\"a \"\"b\"\",\nc\",kind\n \"1\" ,\"x,\ny\"\n2, x\n", "");
    ASSERT_FLOATS(data.inputs, 1, 2);
    ASSERT_FLOATS(data.targets, 1, 0);
    assert_string_equal(data.class_names[1], "x,\ny");
}

static void csv_takes_the_target_by_name_or_place(void **state)
{
    const char *text = "a,b,c\n1,2,3\n4,5,6\n";
    ASSERT_FLOATS(csv_of(state, text, ", \"target\": \"a\", \"task\": \"regression\"").inputs, 2, 3, 5, 6);
    Dataset data = csv_of(state, text, ", \"target\": 1, \"task\": \"regression\"");
    ASSERT_FLOATS(data.inputs, 1, 3, 4, 6);
    ASSERT_FLOATS(data.targets, 2, 5);
    assert_true(shape_equal(data.target, SHAPE(1)));
    assert_int_equal(data.target_classes, 0);
    assert_csv_refused(state, text, ", \"target\": \"d\"", "no column `d`");
    assert_csv_refused(state, text, ", \"target\": 3", "from 0 to 2, got 3");
    assert_csv_refused(state, text, ", \"target\": 0.5", "from 0 to 2, got 0.5");
    assert_csv_refused(state, text, ", \"target\": [1]", "`target` is the name");
    assert_csv_refused(state, "1,2\n3,4\n", ", \"target\": \"a\"", "no header");
    assert_csv_refused(state, "a,a\n3,4\n", ", \"target\": \"a\"", "several columns");
}

static void csv_obeys_header(void **state)
{
    assert_int_equal(csv_of(state, "1,2\n3,4\n", ", \"header\": true").samples, 1);
    assert_int_equal(csv_of(state, "1,x\n3,y\n", ", \"header\": false").samples, 2);
    assert_int_equal(csv_of(state, "1,x\n3,y\n", "").samples, 1);
    assert_int_equal(csv_of(state, "1,nan,2\n3,4,5\n", "").samples, 2);
}

static void csv_keeps_what_is_not_finite(void **state)
{
    Dataset data = csv_of(state, "nan,Inf,-infinity,1e60,0\n+1,-2.5e-1,.5,5.,1\n", "");
    ASSERT_FLOATS(data.inputs, NAN, INFINITY, -INFINITY, INFINITY, 1, -0.25f, 0.5f, 5);
}

static void csv_says_where_a_cell_is_no_number(void **state)
{
    assert_csv_refused(state, "a,size,c\n1,2,0\n\n3,big,1\n5,large,1\n", "", "row 4, column `size`: `big` is no number");
    assert_int_equal(error_count(((Fixture *)*state)->err), 1);
    assert_csv_refused(state, "1,2,0\n3,,1\n", "", "row 2, column 1: the cell is empty");
    assert_csv_refused(state, "1,2,0\n0x10,1,1\n", "", "`0x10` is no number");
    assert_csv_refused(state, "1,2,0\nnan(1),1,1\n", "", "`nan(1)` is no number");
    assert_csv_refused(state, "1,2\n3,x\n", ", \"task\": \"regression\"", "`x` is no number");
    assert_csv_refused(state, "1,2\n3,\n", "", "row 2, column 1: the class is missing");
    assert_csv_refused(state, "1,2\n3,nan\n", "", "row 2, column 1: `nan` is no class");
}

static void csv_refuses_broken_tables(void **state)
{
    assert_csv_refused(state, "", "", "no rows");
    assert_csv_refused(state, "\n\n", "", "no rows");
    assert_csv_refused(state, "a,b\n", "", "no rows of data");
    assert_csv_refused(state, "1\n2\n", "", "one column only");
    assert_csv_refused(state, "1,2\n3\n4,5\n6,7,8\n", "", "row 2 has 1 cells, the first row has 2");
    assert_int_equal(error_count(((Fixture *)*state)->err), 2);
    assert_csv_refused(state, "1,2\n3,\"4\n", "", "not closed");
    assert_csv_refused(state, "\"1", "", "not closed");
    assert_csv_refused(state, "1,2\n\"3\"4,5\n", "", "text follows the closing quote");
    Fixture *fixture = *state;
    Dataset data;
    const char *path = write_bytes(fixture, "zero.csv", "1,2\n3,\0\n", 8);
    assert_false(read_data(fixture, &data, "{\"type\": \"csv\", \"path\": \"%s\"}", path));
    assert_message(fixture, "zero bytes");
    assert_false(read_data(fixture, &data, "{\"type\": \"csv\", \"path\": \"%s/absent.csv\"}", fixture->folder));
    assert_message(fixture, "no such file");
}

static void csv_takes_many_classes(void **state)
{
    enum { ROWS = 3000 };
    Fixture *fixture = *state;
    Text text = text_new(fixture->arena);
    for (int i = 0; i < ROWS; i++)
        text_printf(&text, "%d,c%04d\n", i, (i * 7) % ROWS);
    Dataset data = csv_of(state, text.at, ", \"header\": false");
    assert_int_equal(data.target_classes, ROWS);
    for (int i = 0; i < ROWS; i++)
        assert_near(data.targets[i], (i * 7) % ROWS, 0);
}

/* A version 1 .npy of this header and data, written to `name`. */
static const char *write_npy(Fixture *fixture, const char *name, const char *dict, const void *data, size_t count)
{
    Text text = text_new(fixture->arena);
    text_add_bytes(&text, "\x93NUMPY\x01\x00", 8);
    text_add_char(&text, (char)strlen(dict));
    text_add_char(&text, 0);
    text_add(&text, dict);
    text_add_bytes(&text, data, count);
    return write_bytes(fixture, name, text.at, text.length);
}

static bool read_npy(Fixture *fixture, const char *dict, const void *data, size_t count, Dataset *into)
{
    const char *path = write_npy(fixture, "inputs.npy", dict, data, count);
    return read_data(fixture, into, "{\"type\": \"npy\", \"inputs\": \"%s\", \"targets\": \"%s\"}", path, path);
}

static Dataset npy_of(void **state, const char *dict, const void *data, size_t count)
{
    Dataset result;
    Fixture *fixture = *state;
    if (!read_npy(fixture, dict, data, count, &result))
        fail_msg("%s: %s", dict, error_message(fixture->err, 0));
    return result;
}

static void npy_reads_all_types_in_both_byte_orders(void **state)
{
    static const struct {
        const char *type, *bytes;
        size_t count;
        float first, second;
    } rows[] = {
        {"<f4", "\x00\x00\x80\x3f\x00\x00\x00\xc0", 8, 1, -2},
        {">f4", "\x3f\x80\x00\x00\xff\x80\x00\x00", 8, 1, -INFINITY},
        {"<f2", "\x00\x3c\x01\x00", 4, 1, 0x1p-24f},
        {">f2", "\xfb\xff\x7e\x00", 4, -65504, NAN},
        {"<f8", "\x00\x00\x00\x00\x00\x00\xf0\x3f\x00\x00\x00\x00\x00\x00\x00\xc0", 16, 1, -2},
        {"|u1", "\xff\x01", 2, 255, 1},
        {"|i1", "\xff\x01", 2, -1, 1},
        {"|b1", "\x00\x01", 2, 0, 1},
        {"<i2", "\xfe\xff\x01\x00", 4, -2, 1},
        {">u2", "\xff\xfe\x00\x01", 4, 65534, 1},
        {"<i4", "\xfe\xff\xff\xff\x01\x00\x00\x00", 8, -2, 1},
        {"<u4", "\xff\xff\xff\xff\x01\x00\x00\x00", 8, 4294967295.0f, 1},
        {">i8", "\xff\xff\xff\xff\xff\xff\xff\xfe\x00\x00\x00\x00\x00\x00\x00\x05", 16, -2, 5},
        {"<u8", "\xff\xff\xff\xff\xff\xff\xff\xff\x05\x00\x00\x00\x00\x00\x00\x00", 16, 0x1p64f, 5},
    };
    Fixture *fixture = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *dict =
            arena_printf(fixture->arena, "{'descr': '%s', 'fortran_order': False, 'shape': (2, 1), }\n", rows[i].type);
        Dataset data = npy_of(state, dict, rows[i].bytes, rows[i].count);
        assert_int_equal(data.samples, 2);
        ASSERT_FLOATS(data.inputs, rows[i].first, rows[i].second);
        assert_true(shape_equal(data.target, SHAPE(1)));
    }
}

static void npy_reads_fortran_order(void **state)
{
    static const unsigned char bytes[24] = {0, 12, 4, 16, 8,  20, 1, 13, 5, 17, 9,  21,
                                            2, 14, 6, 18, 10, 22, 3, 15, 7, 19, 11, 23};
    Dataset data = npy_of(state, "{'shape': (2, 3, 4), 'fortran_order': True, 'descr': '|u1'}", bytes, sizeof bytes);
    assert_true(shape_equal(data.input, SHAPE(3, 4)));
    for (size_t i = 0; i < sizeof bytes; i++)
        assert_near(data.inputs[i], i, 0);
}

static void npy_targets_are_classes_when_they_are_whole(void **state)
{
    Dataset data = npy_of(state, "{'descr': '|i1', 'fortran_order': False, 'shape': (3,), }", "\x02\x9c\x00", 3);
    assert_int_equal(data.target_classes, 3);
    assert_int_equal(data.target.rank, 0);
    assert_true(shape_equal(data.input, SHAPE(1)));
    ASSERT_FLOATS(data.targets, 2, -100, 0);
    data = npy_of(state, "{'descr': '|i1', 'fortran_order': False, 'shape': (3,), }", "\x02\xff\x00", 3);
    assert_int_equal(data.target_classes, 0);
    assert_true(data.targets_are_integers);
    data = npy_of(state, "{'descr': '<f2', 'fortran_order': False, 'shape': (2,), }", "\x00\x3c\x00\x3c", 4);
    assert_int_equal(data.target_classes, 0);
}

static void npy_refuses_what_it_cannot_read(void **state)
{
    static const struct {
        const char *dict, *words;
    } rows[] = {
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (2,), }", "numbers of type '<c8' are not read"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", "numbers of type '|O'"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", "are not read"},
        {"{'fortran_order': False, 'shape': (2,), }", "are not read"},
        {"{'descr': '<f4', 'shape': (2,), }", "no `fortran_order`"},
        {"{'descr': '<f4', 'fortran_order': False}", "no `shape`"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,, }", "no `shape`"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2 3)}", "no `shape`"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}", "no `shape`"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2", "no `shape`"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999,)}", "more than"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1)}", "more than 9 axes"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': ()}", "no axes"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (0, 3)}", "too long"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (3,)}",
         "cut short: its header promises 24 bytes of numbers, and 8 follow"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "too long"},
        {"", "no `fortran_order`"},
    };
    Fixture *fixture = *state;
    Dataset data;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_false(read_npy(fixture, rows[i].dict, "\0\0\0\0\0\0\0\0", 8, &data));
        assert_message(fixture, rows[i].words);
    }
    const char *archive = write_bytes(fixture, "a.npz", "PK\x03\x04 and more", 13);
    assert_false(read_data(fixture, &data, "{\"type\": \"npy\", \"inputs\": \"%s\", \"targets\": \"x\"}", archive));
    assert_message(fixture, ".npz");
    assert_false(
        read_data(fixture, &data, "{\"type\": \"npy\", \"inputs\": \"" TEST_DATA "inputs.npy\", \"targets\": \"%s\"}",
                  write_npy(fixture, "t.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (3,)}", "\1\2\3", 3)));
    assert_message(fixture, "4 inputs but 3 targets");
}

static bool read_idx(Fixture *fixture, const void *images, size_t image_bytes, const void *labels, size_t label_bytes,
                     Dataset *into)
{
    const char *image_path = write_bytes(fixture, "images", images, image_bytes);
    const char *label_path = write_bytes(fixture, "labels", labels, label_bytes);
    return read_data(fixture, into, "{\"type\": \"idx\", \"images\": \"%s\", \"labels\": \"%s\"}", image_path, label_path);
}

static void idx_reads_pixels_and_labels(void **state)
{
    Dataset data;
    Fixture *fixture = *state;
    assert_true(read_data(fixture, &data,
                          "{\"type\": \"idx\", \"images\": \"" TEST_DATA "images.idx3.gz\", \"labels\": \"" TEST_DATA
                          "labels.idx1\"}"));
    assert_true(shape_equal(data.input, SHAPE(1, 2, 2)));
    assert_int_equal(data.target_classes, 8);
    ASSERT_FLOATS(data.inputs, 0, 0.2f, 0.4f, 1);
    ASSERT_FLOATS(data.targets, 7, 0, 2);
}

static void idx_says_what_is_wrong(void **state)
{
    static const char images[] = "\0\0\x08\x03\0\0\0\1\0\0\0\1\0\0\0\2\xff\x80", labels[] = "\0\0\x08\x01\0\0\0\1\x05";
    static const struct {
        const char *images;
        size_t bytes;
        const char *words;
    } rows[] = {
        {images, 17, "cut short: its header promises 2 bytes of images, and 1 follow"},
        {images, 19, "too long"},
        {images, 9, "cut short within its header"},
        {images, 3, "no idx file"},
        {"\1\0\x08\x03", 4, "no idx file"},
        {"\0\0\x0d\x03", 4, "the number type is 0x0d"},
        {labels, 9, "the file has 1 axes, but images have 3"},
        {"\0\0\x08\x03\xff\xff\xff\xff\0\0\0\1\0\0\0\1", 16, "more than"},
        {"\0\0\x08\x03\x7f\xff\xff\xff\x7f\xff\xff\xff\x7f\xff\xff\xff", 16, "cut short"},
        {"\0\0\x08\x03\0\0\0\0\0\0\0\1\0\0\0\1", 16, "0 images but 1 labels"},
        {"\0\0\x08\x03\0\0\0\1\0\0\0\0\0\0\0\1", 16, "hold no numbers"},
        {"\0\0\x08\x03\0\0\0\2\0\0\0\1\0\0\0\1\1\2", 18, "2 images but 1 labels"},
    };
    Dataset data;
    assert_true(read_idx(*state, images, 18, labels, 9, &data));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_false(read_idx(*state, rows[i].images, rows[i].bytes, labels, 9, &data));
        assert_message(*state, rows[i].words);
    }
}

static void inline_arrays_give_the_shapes(void **state)
{
    Dataset data;
    Fixture *fixture = *state;
    assert_true(
        read_data(fixture, &data, "{\"type\": \"inline\", \"inputs\": [[[1, 2], [3, \"-Infinity\"]]], \"targets\": [[0.5]]}"));
    assert_true(shape_equal(data.input, SHAPE(2, 2)) && shape_equal(data.target, SHAPE(1)));
    ASSERT_FLOATS(data.inputs, 1, 2, 3, -INFINITY);
    assert_true(read_data(fixture, &data, "{\"type\": \"inline\", \"inputs\": [1, 2], \"targets\": [3, 0]}"));
    assert_true(shape_equal(data.input, SHAPE(1)) && data.target.rank == 0);
    assert_int_equal(data.target_classes, 4);
    assert_true(read_data(fixture, &data, "{\"type\": \"inline\", \"inputs\": [1, 2], \"targets\": [1, -1]}"));
    assert_int_equal(data.target_classes, 0);
    assert_true(data.targets_are_integers);
    assert_true(read_data(fixture, &data, "{\"type\": \"inline\", \"inputs\": [1, 2], \"targets\": [1, \"NaN\"]}"));
    assert_int_equal(data.target_classes, 0);
    assert_false(data.targets_are_integers);
}

static void inline_mistakes_are_found_at_their_place(void **state)
{
    static const char *const rows[][2] = {
        {"\"inputs\": [[1, 2], [3]], \"targets\": [0, 1]", "has 1 elements where the first has 2"},
        {"\"inputs\": [[1, 2], 3], \"targets\": [0, 1]", "need an array of 2 here"},
        {"\"inputs\": [1, [2]], \"targets\": [0, 1]", "an array stands among the inputs"},
        {"\"inputs\": [1, \"nan\"], \"targets\": [0, 1]", "must be numbers"},
        {"\"inputs\": [1, null], \"targets\": [0, 1]", "must be numbers"},
        {"\"inputs\": [], \"targets\": []", "is empty"},
        {"\"inputs\": [[]], \"targets\": [1]", "is empty"},
        {"\"inputs\": 1, \"targets\": [1]", "must be an array"},
        {"\"inputs\": [[[[[[[[[[1]]]]]]]]]], \"targets\": [1]", "nest deeper than 9"},
        {"\"inputs\": [1, 2], \"targets\": [1]", "2 inputs but 1 targets"},
        {"\"inputs\": [1, 2]", "needs `targets`"},
    };
    Dataset data;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_false(read_data(*state, &data, "{\"type\": \"inline\", %s}", rows[i][0]));
        assert_message(*state, rows[i][1]);
    }
}

/* Cuts and changes bytes of a good file; whatever comes of it must be samples or an error. */
static void mutate(Fixture *fixture, const char *good, const char *format)
{
    Bytes bytes;
    assert_true(file_read(fixture->arena, good, &bytes, fixture->err));
    Random random = random_stream(random_hash(good), RANDOM_DATA, 0);
    for (uint64_t turn = 0; turn < 200; turn++) {
        Fixture inner = *fixture;
        inner.arena = arena_new(fixture->arena);
        unsigned char *copy = arena_alloc(inner.arena, bytes.count);
        memcpy(copy, bytes.at, bytes.count);
        size_t count = turn % 3 == 0 ? (size_t)random_below(&random, 16 * turn, bytes.count) : bytes.count;
        for (uint64_t i = 1; turn % 3 > 0 && i < 1 + turn % 7; i++)
            copy[random_below(&random, 16 * turn + i, bytes.count)] =
                (unsigned char)random_word(&random, 100000 + 16 * turn + i);
        const char *path = write_bytes(&inner, "mutated", copy, count);
        Dataset data;
        Error *err = error_new(inner.arena);
        const char *text = arena_printf(inner.arena, format, path);
        Json *object = json_read_text(inner.arena, "test", text, strlen(text), err);
        DataSplit both;
        assert_non_null(object);
        if (dataset_read(inner.arena, object, 1, &both, err)) {
            data = both.training;
            for (size_t i = 0; i < data.samples && data.target_classes; i++)
                assert_true(data.targets[i] < (float)data.target_classes);
        } else {
            assert_true(error_count(err) > 0);
        }
        arena_free(inner.arena);
    }
}

static void damaged_files_are_at_worst_errors(void **state)
{
    Fixture *fixture = *state;
    mutate(fixture, TEST_DATA "flowers.csv", "{\"type\": \"csv\", \"path\": \"%s\"}");
    mutate(fixture, "configs/data/digits.csv.gz", "{\"type\": \"csv\", \"path\": \"%s\", \"limit\": 10}");
    mutate(fixture, TEST_DATA "inputs.npy",
           "{\"type\": \"npy\", \"inputs\": \"%s\", \"targets\": \"" TEST_DATA "targets.npy\"}");
    mutate(fixture, TEST_DATA "targets.npy",
           "{\"type\": \"npy\", \"inputs\": \"" TEST_DATA "inputs.npy\", \"targets\": \"%s\"}");
    mutate(fixture, TEST_DATA "images.idx3.gz",
           "{\"type\": \"idx\", \"images\": \"%s\", \"labels\": \"" TEST_DATA "labels.idx1\"}");
    mutate(fixture, TEST_DATA "labels.idx1",
           "{\"type\": \"idx\", \"images\": \"" TEST_DATA "images.idx3.gz\", \"labels\": \"%s\"}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(csv_numbers_text_classes_by_their_bytes),
        TEST(csv_numbers_number_classes_by_value),
        TEST(csv_takes_other_separators_line_ends_quotes_and_marks),
        TEST(csv_takes_the_target_by_name_or_place),
        TEST(csv_obeys_header),
        TEST(csv_keeps_what_is_not_finite),
        TEST(csv_says_where_a_cell_is_no_number),
        TEST(csv_refuses_broken_tables),
        TEST(csv_takes_many_classes),
        TEST(npy_reads_all_types_in_both_byte_orders),
        TEST(npy_reads_fortran_order),
        TEST(npy_targets_are_classes_when_they_are_whole),
        TEST(npy_refuses_what_it_cannot_read),
        TEST(idx_reads_pixels_and_labels),
        TEST(idx_says_what_is_wrong),
        TEST(inline_arrays_give_the_shapes),
        TEST(inline_mistakes_are_found_at_their_place),
        TEST(damaged_files_are_at_worst_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
