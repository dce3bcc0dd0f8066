#include "support_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/random.h"
#include "tensor/tensor_file.h"

typedef struct Fixture {
    Arena *arena;
    Error *err;
    char folder[32];
    const char *path;
} Fixture;

static int set_up(void **state)
{
    Arena *arena = arena_new(NULL);
    Fixture *fixture = ARENA_NEW(arena, Fixture);
    *fixture = (Fixture){arena, error_new(arena), "/tmp/gradtool-test-XXXXXX", NULL};
    assert_non_null(mkdtemp(fixture->folder));
    fixture->path = path_join(arena, fixture->folder, "file.safetensors");
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

/* A file of this header and `count` bytes 0, 1, 2, ... of data. */
static TensorFile *file_of(Fixture *fixture, const char *header, size_t count)
{
    size_t length = strlen(header);
    unsigned char *bytes = arena_alloc(fixture->arena, 8 + length + count);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)length >> 8 * i);
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < count; i++)
        bytes[8 + length + i] = (unsigned char)i;
    fixture->err = error_new(fixture->arena);
    assert_true(file_write(fixture->path, bytes, 8 + length + count, fixture->err));
    TensorFile *file = tensor_file_read(fixture->arena, fixture->path, fixture->err);
    assert_int_equal(file != NULL, error_count(fixture->err) == 0);
    return file;
}

static void assert_message(Fixture *fixture, int index, const char *words)
{
    if (!strstr(error_message(fixture->err, index), words))
        fail_msg("says: %s\nnot: %s", error_message(fixture->err, index), words);
}

static void a_file_of_the_reference_writer_is_read(void **state)
{
    Fixture *fixture = *state;
    TensorFile *file = tensor_file_read(fixture->arena, TEST_DATA "tensors.safetensors", fixture->err);
    assert_non_null(file);
    assert_int_equal(file->count, 3);
    assert_string_equal(file->format, "pt");
    assert_string_equal(file->tensor[0].name, "bn.num_batches_tracked");
    assert_string_equal(file->tensor[1].name, "fc1.weight");
    assert_true(shape_equal(file->tensor[1].shape, SHAPE(2, 3)));
    float weight[6], bias[2], counter;
    assert_true(tensor_file_floats(&file->tensor[0], &counter, fixture->err));
    assert_true(tensor_file_floats(&file->tensor[1], weight, fixture->err));
    assert_true(tensor_file_floats(&file->tensor[2], bias, fixture->err));
    assert_near(counter, 7, 0);
    for (int i = 0; i < 6; i++)
        assert_near(weight[i], i, 0);
    assert_near(bias[0], 0.5, 0);
    assert_near(bias[1], -0.5, 0);
}

static void any_order_blanks_empty_scalar_and_unaligned_tensors_are_read(void **state)
{
    TensorFile *file = file_of(*state,
                               "  {\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[1,5]},"
                               "\"e\":{\"dtype\":\"F32\",\"shape\":[3,0],\"data_offsets\":[1,1]},"
                               "\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}   ",
                               5);
    assert_non_null(file);
    assert_string_equal(file->tensor[0].name, "a");
    assert_string_equal(file->tensor[1].name, "e");
    assert_string_equal(file->tensor[2].name, "b");
    assert_null(file->format);
    assert_non_null(file_of(*state, "{}", 0));
}

static void what_the_reference_reader_rejects_is_rejected(void **state)
{
    static const struct {
        const char *header;
        size_t bytes;
        const char *words;
    } rows[] = {
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", 3, "behind a hole"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_"
         "offsets\":[1,3]}}",
         3, "overlap"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 3, "1 bytes after the last tensor"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 1, "cut short"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2, "not what its shape takes as F32"},
        {"{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1, "not what its shape takes as F4"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2147483647,2147483647,2147483647],\"data_offsets\":[0,1]}}", 1,
         "not what its shape"},
        {"{\"a\":{\"dtype\":\"F31\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2, "unknown type `F31`"},
        {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,2]}}", 2, "no `dtype`"},
        {"{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,2]}}", 2, "no `shape`"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[-2],\"data_offsets\":[0,2]}}", 2, "no whole number"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1.5],\"data_offsets\":[0,2]}}", 2, "no whole number"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1, "9 axes"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2]}}", 2, "no `data_offsets`"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,0]}}", 2, "no `data_offsets`"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,1e300]}}", 2, "no `data_offsets`"},
        {"{\"a\":3}", 0, "no object"},
        {"{\"__metadata__\":{\"format\":3}}", 0, "no string"},
        {"{\"__metadata__\":[]}", 0, "no object"},
        {"[]", 0, "no JSON object"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_"
         "offsets\":[0,1]}}",
         1, ""},
        {"{\"a\"", 0, ""},
        {"", 0, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_null(file_of(*state, rows[i].header, rows[i].bytes));
        assert_message(*state, 0, rows[i].words);
    }
    Fixture *fixture = *state;
    assert_null(tensor_file_read(fixture->arena, TEST_DATA "tensors-broken.safetensors", fixture->err));
    static const char *const starts[] = {"", "short", "\xff\xff\xff\xff\xff\xff\xff\x7f{}", "\x03\0\0\0\0\0\0\0{}"};
    static const size_t counts[] = {0, 5, 10, 10};
    for (int i = 0; i < 4; i++) {
        assert_true(file_write(fixture->path, starts[i], counts[i], fixture->err));
        fixture->err = error_new(fixture->arena);
        assert_null(tensor_file_read(fixture->arena, fixture->path, fixture->err));
        assert_message(fixture, 0, "no safetensors file");
    }
}

static void all_number_types_become_floats(void **state)
{
    Fixture *fixture = *state;
    TensorFile *file = file_of(*state,
                               "{\"bool\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[0,2]},"
                               "\"bf16\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[2,4]},"
                               "\"i16\":{\"dtype\":\"I16\",\"shape\":[1],\"data_offsets\":[4,6]},"
                               "\"f8\":{\"dtype\":\"F8_E4M3\",\"shape\":[2],\"data_offsets\":[6,8]}}",
                               8);
    assert_non_null(file);
    float values[2];
    assert_true(tensor_file_floats(&file->tensor[0], values, fixture->err));
    assert_near(values[0], 0, 0);
    assert_near(values[1], 1, 0);
    assert_true(tensor_file_floats(&file->tensor[1], values, fixture->err));
    uint32_t bits = 0x03020000;
    assert_memory_equal(values, &bits, sizeof bits);
    assert_true(tensor_file_floats(&file->tensor[2], values, fixture->err));
    assert_near(values[0], 0x0504, 0);
    assert_false(tensor_file_floats(&file->tensor[3], values, fixture->err));
    assert_message(fixture, 0, "tensor `f8` is of type F8_E4M3");
}

static float weight_values[] = {1, -2, NAN, INFINITY, 0x1p-149f, -0.0f}, bias_values[] = {0.5f, 1.5f};

static Parameter weight_of(float *data)
{
    return (Parameter){.name = "fc1.weight", .layer = "fc1", .shape = SHAPE(2, 3), .data = data};
}

static Parameter bias_of(float *data)
{
    return (Parameter){.name = "fc1.bias", .layer = "fc1", .shape = SHAPE(2), .data = data};
}

static Parameter counter_of(int64_t value)
{
    return (Parameter){.name = "norm.num_batches_tracked", .layer = "norm", .kind = PARAMETER_COUNTER, .counter = value};
}

static void what_is_written_reads_back_bit_by_bit(void **state)
{
    Fixture *fixture = *state;
    Parameter weight = weight_of(weight_values), bias = bias_of(bias_values), counter = counter_of(INT64_MAX - 1);
    Parameter *written[] = {&weight, &bias, &counter};
    assert_true(tensor_file_write(fixture->path, written, 3, fixture->arena, fixture->err));
    TensorFile *file = tensor_file_read(fixture->arena, fixture->path, fixture->err);
    assert_non_null(file);
    assert_string_equal(file->format, "pt");
    assert_string_equal(file->tensor[0].name, "norm.num_batches_tracked");
    assert_string_equal(file->tensor[1].name, "fc1.bias");
    assert_string_equal(file->tensor[2].name, "fc1.weight");
    float weights[6] = {0}, biases[2] = {0};
    Parameter weight_read = weight_of(weights), bias_read = bias_of(biases), counter_read = counter_of(0);
    Parameter *read[] = {&counter_read, &weight_read, &bias_read};
    assert_true(tensor_file_load(file, read, 3, fixture->arena, fixture->err));
    assert_memory_equal(weights, weight_values, sizeof weights);
    assert_memory_equal(biases, bias_values, sizeof biases);
    assert_true(counter_read.counter == INT64_MAX - 1);
}

static void the_written_bytes_are_those_of_the_reference(void **state)
{
    Fixture *fixture = *state;
    float values[] = {1};
    Parameter weight = {.name = "w", .layer = "", .shape = SHAPE(1, 1), .data = values};
    Parameter *written[] = {&weight};
    static const char expected[] = "\x58\0\0\0\0\0\0\0{\"__metadata__\":{\"format\":\"pt\"},"
                                   "\"w\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[0,4]}} \0\0\x80\x3f";
    Bytes bytes;
    assert_true(tensor_file_write(fixture->path, written, 1, fixture->arena, fixture->err));
    assert_true(file_read(fixture->arena, fixture->path, &bytes, fixture->err));
    assert_int_equal(bytes.count, sizeof expected - 1);
    assert_memory_equal(bytes.at, expected, sizeof expected - 1);
}

static void names_that_only_one_side_has_are_all_reported(void **state)
{
    Fixture *fixture = *state;
    TensorFile *file = file_of(*state,
                               "{\"fc1.wieght\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
                               "\"fc1.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[24,32]}}",
                               32);
    float weights[6] = {0}, biases[2] = {9, 9};
    Parameter weight = weight_of(weights), bias = bias_of(biases), counter = counter_of(0);
    Parameter *parameters[] = {&weight, &bias, &counter};
    assert_false(tensor_file_load(file, parameters, 3, fixture->arena, fixture->err));
    assert_int_equal(error_count(fixture->err), 3);
    assert_message(fixture, 0, "tensor `fc1.weight` of the model is not in the file");
    assert_message(fixture, 1, "tensor `norm.num_batches_tracked` of the model");
    assert_message(fixture, 2, "tensor `fc1.wieght` of the file is not in the model");
    assert_near(biases[0], 9, 0); /* all or nothing */
}

static void shapes_and_types_that_differ_are_reported(void **state)
{
    Fixture *fixture = *state;
    TensorFile *file = file_of(*state,
                               "{\"fc1.weight\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[0,24]},"
                               "\"fc1.bias\":{\"dtype\":\"F8_E5M2\",\"shape\":[2],\"data_offsets\":[24,26]},"
                               "\"norm.num_batches_tracked\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[26,30]}}",
                               30);
    float weights[6], biases[2];
    Parameter weight = weight_of(weights), bias = bias_of(biases), counter = counter_of(0);
    Parameter *parameters[] = {&weight, &bias, &counter};
    assert_false(tensor_file_load(file, parameters, 3, fixture->arena, fixture->err));
    assert_int_equal(error_count(fixture->err), 3);
    assert_message(fixture, 0, "tensor `fc1.weight` is [3, 2] in the file and [2, 3] in the model");
    assert_message(fixture, 1, "F8_E5M2");
    assert_message(fixture, 2, "counter");
}

static void a_file_that_cannot_be_written_is_an_error(void **state)
{
    Fixture *fixture = *state;
    Parameter bias = bias_of(bias_values);
    Parameter *written[] = {&bias};
    assert_false(tensor_file_write("/no/such/folder/x.safetensors", written, 1, fixture->arena, fixture->err));
    assert_true(error_count(fixture->err) > 0);
}

static void damaged_files_are_at_worst_errors(void **state)
{
    Fixture *fixture = *state;
    Bytes bytes;
    assert_true(file_read(fixture->arena, TEST_DATA "tensors.safetensors", &bytes, fixture->err));
    Random random = random_stream(1, RANDOM_DATA, 0);
    for (uint64_t turn = 0; turn < 1000; turn++) {
        Arena *arena = arena_new(fixture->arena);
        Error *err = error_new(arena);
        unsigned char *copy = arena_alloc(arena, bytes.count);
        memcpy(copy, bytes.at, bytes.count);
        size_t count = turn % 3 == 0 ? (size_t)random_below(&random, 16 * turn, bytes.count) : bytes.count;
        for (uint64_t i = 1; turn % 3 > 0 && i < 1 + turn % 7; i++)
            copy[random_below(&random, 16 * turn + i, bytes.count)] =
                (unsigned char)random_word(&random, 100000 + 16 * turn + i);
        assert_true(file_write(fixture->path, copy, count, err));
        TensorFile *file = tensor_file_read(arena, fixture->path, err);
        assert_int_equal(file != NULL, error_count(err) == 0);
        for (int i = 0; file && i < file->count; i++) {
            float values[64];
            assert_true(shape_count(file->tensor[i].shape) <= 64);
            tensor_file_floats(&file->tensor[i], values, err);
        }
        arena_free(arena);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_of_the_reference_writer_is_read),        TEST(any_order_blanks_empty_scalar_and_unaligned_tensors_are_read),
        TEST(what_the_reference_reader_rejects_is_rejected), TEST(all_number_types_become_floats),
        TEST(what_is_written_reads_back_bit_by_bit),         TEST(the_written_bytes_are_those_of_the_reference),
        TEST(names_that_only_one_side_has_are_all_reported), TEST(shapes_and_types_that_differ_are_reported),
        TEST(a_file_that_cannot_be_written_is_an_error),     TEST(damaged_files_are_at_worst_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
