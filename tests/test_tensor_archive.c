/* Weights out of PyTorch's .pt and NumPy's .npz. The files are made by tools/make_tensor_files.py. */
#include "support_test.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "tensor/tensor_file.h"

static const char *const state_files[] = {TEST_DATA "tensors.pt", TEST_DATA "tensors-checkpoint.pt", TEST_DATA "tensors.npz",
                                          TEST_DATA "tensors-deflated.npz"};

static const FileTensor *find(const TensorFile *file, const char *name)
{
    for (int i = 0; i < file->count; i++)
        if (!strcmp(file->tensor[i].name, name))
            return &file->tensor[i];
    fail_msg("%s has no tensor %s", file->path, name);
    return NULL;
}

static TensorFile *read_file(Arena *arena, const char *path)
{
    Error *err = error_new(arena);
    TensorFile *file = tensor_file_read(arena, path, err);
    if (!file)
        fail_msg("%s", error_message(err, 0));
    return file;
}

static void check_values(const TensorFile *file, const char *name, Shape shape, const float expected[])
{
    Arena *arena = arena_new(NULL);
    const FileTensor *tensor = find(file, name);
    float values[16];
    assert_true(shape_equal(tensor->shape, shape));
    assert_true(shape_count(shape) <= 16 && tensor_file_floats(tensor, values, error_new(arena)));
    for (size_t i = 0; i < shape_count(shape); i++)
        assert_near(values[i], expected[i], 0);
    arena_free(arena);
}

static void a_state_dict_is_read_from_every_archive(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof state_files / sizeof *state_files; i++) {
        Arena *arena = arena_new(NULL);
        TensorFile *file = read_file(arena, state_files[i]);
        check_values(file, "fc1.weight", SHAPE(2, 3), (float[]){0, 1, 2, 3, 4, 5});
        check_values(file, "fc1.bias", SHAPE(2), (float[]){10, 11});
        check_values(file, "norm.running_var", SHAPE(2), (float[]){1, 1});
        check_values(file, "norm.num_batches_tracked", SHAPE_SCALAR, (float[]){42});
        check_values(file, "lstm.weight_hh_l0", SHAPE(4, 1), (float[]){50, 51, 52, 53});
        arena_free(arena);
    }
}

static void a_state_dict_fills_parameters_buffers_and_counters(void **state)
{
    (void)state;
    Arena *arena = arena_new(NULL);
    Error *err = error_new(arena);
    TensorFile *file = read_file(arena, TEST_DATA "tensors-checkpoint.pt");
    Parameter parameter[16] = {{0}}, *parameters[16];
    for (int i = 0; i < file->count; i++) {
        parameters[i] = &parameter[i];
        parameter[i] =
            (Parameter){.name = file->tensor[i].name, .shape = file->tensor[i].shape, .data = ARENA_ARRAY(arena, float, 16)};
        if (!strcmp(parameter[i].name, "norm.num_batches_tracked"))
            parameter[i].kind = PARAMETER_COUNTER;
    }
    assert_true(tensor_file_load(file, parameters, file->count, arena, err));
    for (int i = 0; i < file->count; i++)
        if (parameter[i].kind == PARAMETER_COUNTER)
            assert_int_equal(parameter[i].counter, 42);
    arena_free(arena);
}

static void views_of_a_storage_are_taken_apart(void **state)
{
    (void)state;
    Arena *arena = arena_new(NULL);
    TensorFile *file = read_file(arena, TEST_DATA "tensors-views.pt");
    const float matrix[] = {0, 1, 2, 3, 4, 5};
    check_values(file, "transposed", SHAPE(3, 2), (float[]){0, 3, 1, 4, 2, 5});
    check_values(file, "part", SHAPE(2), (float[]){4, 5});
    check_values(file, "repeated", SHAPE(2, 2), (float[]){1, 1, 1, 1});
    check_values(file, "half", SHAPE(2, 3), matrix);
    check_values(file, "bfloat16", SHAPE(2, 3), matrix);
    check_values(file, "double", SHAPE(2, 3), matrix);
    check_values(file, "scalar", SHAPE_SCALAR, (float[]){3.5f});
    check_values(file, "empty", SHAPE(0, 3), NULL);
    check_values(file, "flags", SHAPE(2), (float[]){1, 0});
    check_values(file, "parameter", SHAPE(2, 3), matrix);
    arena_free(arena);
}

static void fortran_order_and_big_endian_numbers_are_read(void **state)
{
    (void)state;
    Arena *arena = arena_new(NULL);
    TensorFile *file = read_file(arena, TEST_DATA "tensors-deflated.npz");
    check_values(file, "fortran", SHAPE(2, 3), (float[]){0, 1, 2, 3, 4, 5});
    check_values(file, "big_endian", SHAPE(3), (float[]){0, 1, 2});
    check_values(file, "scalar", SHAPE_SCALAR, (float[]){2});
    arena_free(arena);
}

static void assert_refused(const char *path, const char *why)
{
    Arena *arena = arena_new(NULL);
    Error *err = error_new(arena);
    assert_null(tensor_file_read(arena, path, err));
    if (!strstr(error_message(err, 0), why))
        fail_msg("\"%s\" does not say \"%s\"", error_message(err, 0), why);
    arena_free(arena);
}

static void what_holds_more_than_tensors_is_refused(void **state)
{
    (void)state;
    assert_refused(TEST_DATA "tensors-broken.pt", "contains Python objects (__builtin__.print)");
    assert_refused(TEST_DATA "tensors-broken.npz", "numbers of type '<U3'");
    assert_refused(TEST_DATA "inputs.npy", "one array without a name");
}

typedef struct Fuzz {
    Arena *arena;
    char path[64];
} Fuzz;

static int set_up(void **state)
{
    Arena *arena = arena_new(NULL);
    Fuzz *fuzz = ARENA_NEW(arena, Fuzz);
    fuzz->arena = arena;
    snprintf(fuzz->path, sizeof fuzz->path, "/tmp/gradtool-archive-%d", (int)getpid());
    *state = fuzz;
    return 0;
}

static int tear_down(void **state)
{
    Fuzz *fuzz = *state;
    unlink(fuzz->path);
    arena_free(fuzz->arena);
    return 0;
}

static void files_of_before_torch_1_6_are_named(void **state)
{
    Fuzz *fuzz = *state;
    assert_true(
        file_write(fuzz->path, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15, error_new(fuzz->arena)));
    assert_refused(fuzz->path, "before 1.6");
}

static void read_all(Arena *arena, const char *path, const unsigned char *bytes, size_t count)
{
    Error *err = error_new(arena);
    assert_true(file_write(path, bytes, count, err));
    TensorFile *file = tensor_file_read(arena, path, err);
    assert_int_equal(file != NULL, error_count(err) == 0);
    for (int i = 0; file && i < file->count; i++) {
        size_t n = shape_count(file->tensor[i].shape);
        assert_true(n <= (1 << 26));
        float *values = arena_try(arena, (n + 1) * sizeof *values);
        assert_true(values && tensor_file_floats(&file->tensor[i], values, err));
    }
}

/* Checksums of zero are not looked at, so that the damage reaches what is behind them. */
static void forget_checksums(unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i + 46 <= count; i++)
        if (!memcmp(bytes + i, "PK\1\2", 4))
            memset(bytes + i + 16, 0, 4);
}

static void damage(Fuzz *fuzz, const char *path)
{
    static const char words[] = "(})]\x85\x86\x87.RbcQqhseuaNKMJX\x8a\0\xff";
    Bytes bytes;
    assert_true(file_read(fuzz->arena, path, &bytes, error_new(fuzz->arena)));
    Random random = random_stream(3, RANDOM_DATA, bytes.count);
    for (uint64_t turn = 0; turn < 1000; turn++) {
        Arena *arena = arena_new(fuzz->arena);
        unsigned char *copy = arena_alloc(arena, bytes.count);
        memcpy(copy, bytes.at, bytes.count);
        if (turn % 5 != 0)
            forget_checksums(copy, bytes.count);
        size_t count = turn % 5 == 1 ? (size_t)random_below(&random, 32 * turn, bytes.count) : bytes.count;
        for (uint64_t i = 1; turn % 5 > 1 && i < 2 + turn % 9; i++) {
            size_t range = turn % 2 ? bytes.count : bytes.count / 4; /* the pickle stands first */
            size_t at = (size_t)random_below(&random, 32 * turn + i, range);
            uint64_t word = random_word(&random, 1000000 + 32 * turn + i);
            copy[at] = word & 256 ? (unsigned char)words[word % sizeof words] : (unsigned char)word;
        }
        read_all(arena, fuzz->path, copy, count);
        arena_free(arena);
    }
}

static void damaged_archives_are_at_worst_errors(void **state)
{
    for (size_t i = 0; i < sizeof state_files / sizeof *state_files; i++)
        damage(*state, state_files[i]);
    damage(*state, TEST_DATA "tensors-views.pt");
}

static void archives_cut_anywhere_are_errors(void **state)
{
    Fuzz *fuzz = *state;
    Bytes bytes;
    assert_true(file_read(fuzz->arena, TEST_DATA "tensors.pt", &bytes, error_new(fuzz->arena)));
    for (size_t count = 0; count < bytes.count; count += 1 + count / 64) {
        Arena *arena = arena_new(fuzz->arena);
        Error *err = error_new(arena);
        assert_true(file_write(fuzz->path, bytes.at, count, err));
        assert_null(tensor_file_read(arena, fuzz->path, err));
        assert_true(error_count(err) > 0);
        arena_free(arena);
    }
}

#define WITH_FILE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_dict_is_read_from_every_archive),
        cmocka_unit_test(a_state_dict_fills_parameters_buffers_and_counters),
        cmocka_unit_test(views_of_a_storage_are_taken_apart),
        cmocka_unit_test(fortran_order_and_big_endian_numbers_are_read),
        cmocka_unit_test(what_holds_more_than_tensors_is_refused),
        WITH_FILE(files_of_before_torch_1_6_are_named),
        WITH_FILE(damaged_archives_are_at_worst_errors),
        WITH_FILE(archives_cut_anywhere_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
