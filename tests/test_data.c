#include "support_test.h"

#include <math.h>
#include <string.h>

#include "base/text.h"
#include "data/dataset.h"

/* The sanitizer would end the program where malloc returns NULL. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

typedef struct Fixture {
    Arena *arena;
    Error *err;
} Fixture;

static int set_up(void **state)
{
    Arena *arena = arena_new(NULL);
    Fixture *fixture = ARENA_NEW(arena, Fixture);
    *fixture = (Fixture){arena, error_new(arena)};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    arena_free(((Fixture *)*state)->arena);
    return 0;
}

static bool read_text(void **state, const char *text, uint64_t seed, DataSplit *into)
{
    Fixture *fixture = *state;
    Json *object = json_read_text(fixture->arena, "test", text, strlen(text), fixture->err);
    assert_non_null(object);
    return dataset_read(fixture->arena, object, seed, into, fixture->err);
}

static DataSplit data_of(void **state, const char *text, uint64_t seed)
{
    DataSplit data;
    if (!read_text(state, text, seed, &data))
        fail_msg("%s: %s", text, error_message(((Fixture *)*state)->err, 0));
    return data;
}

/* The text must be refused, with these words in its first message. */
static void assert_refused(void **state, const char *text, const char *words)
{
    Fixture *fixture = *state;
    DataSplit data;
    fixture->err = error_new(fixture->arena);
    assert_false(read_text(state, text, 1, &data));
    const char *message = error_message(fixture->err, 0);
    if (!strstr(message, words))
        fail_msg("%s\n  says: %s\n  not: %s", text, message, words);
}

static void each_type_has_a_good_and_a_broken_file(void **state)
{
    Fixture *fixture = *state;
    for (int i = 0; i < data_reader_count; i++) {
        const char *name = data_reader_table[i]->name;
        DataSplit data;
        Error *err = error_new(fixture->arena);
        Json *good = json_read_file(fixture->arena, arena_printf(fixture->arena, TEST_DATA "data-%s.json", name), err);
        assert_non_null(good);
        if (!dataset_read(fixture->arena, good, 1, &data, err))
            fail_msg("%s: %s", name, error_message(err, 0));
        assert_true(data.training.samples > 0);
        assert_int_equal(error_count(err), 0);
        assert_string_equal(data.type, name);
        Json *broken = json_read_file(fixture->arena, arena_printf(fixture->arena, TEST_DATA "data-%s-broken.json", name), err);
        assert_non_null(broken);
        assert_false(dataset_read(fixture->arena, broken, 1, &data, err));
        assert_true(error_count(err) > 0);
    }
}

static void each_row_explains_itself(void **state)
{
    (void)state;
    for (int i = 0; i < data_reader_count; i++) {
        const DataReader *reader = data_reader_table[i];
        assert_true(strlen(reader->help) > 0 && reader->options_size > 0);
        for (const Field *field = reader->fields; field->name; field++)
            assert_true(field->help && field->help[0]);
    }
}

static void generated_samples_depend_on_seed_and_place_alone(void **state)
{
    for (int i = 0; i < data_reader_count; i++) {
        const char *name = data_reader_table[i]->name;
        if (data_reader_table[i]->fields[0].name && strcmp(data_reader_table[i]->fields[0].name, "samples") != 0)
            continue;
        Arena *arena = ((Fixture *)*state)->arena;
        Dataset few = data_of(state, arena_printf(arena, "{\"type\": \"%s\", \"samples\": 10}", name), 7).training;
        Dataset many =
            data_of(state, arena_printf(arena, "{\"type\": \"%s\", \"samples\": 50, \"limit\": 10}", name), 7).training;
        Dataset own = data_of(state, arena_printf(arena, "{\"type\": \"%s\", \"samples\": 10, \"seed\": 7}", name), 8).training;
        Dataset other = data_of(state, arena_printf(arena, "{\"type\": \"%s\", \"samples\": 10}", name), 8).training;
        size_t bytes = 10 * shape_count(few.input) * sizeof(float);
        assert_int_equal(many.samples, 10);
        assert_memory_equal(few.inputs, many.inputs, bytes);
        assert_memory_equal(few.inputs, own.inputs, bytes);
        assert_memory_equal(few.targets, many.targets, 10 * shape_count(few.target) * sizeof(float));
        assert_true(memcmp(few.inputs, other.inputs, bytes) != 0);
    }
}

static void defaults_are_written_back_and_read_the_same(void **state)
{
    Fixture *fixture = *state;
    Json *object = json_read_text(fixture->arena, "test", "{\"type\": \"spiral\"}", 18, fixture->err);
    DataSplit first, second;
    assert_true(dataset_read(fixture->arena, object, 1, &first, fixture->err));
    assert_int_equal(json_member(object, "samples")->number, 1000);
    assert_int_equal(json_member(object, "classes")->number, 3);
    assert_int_equal(json_member(object, "validation")->number, 0);
    assert_string_equal(json_member(object, "normalize")->string, "none");
    Text text = text_new(fixture->arena);
    json_write(&text, object, 0);
    second = data_of(state, text.at, 1);
    assert_memory_equal(first.training.inputs, second.training.inputs, 2000 * sizeof(float));
}

static void class_counts_are_even(Dataset data, int classes)
{
    int count[10] = {0};
    assert_int_equal(data.target_classes, classes);
    assert_int_equal(data.target.rank, 0);
    assert_true(data.targets_are_integers);
    for (size_t i = 0; i < data.samples; i++)
        count[(int)data.targets[i]]++;
    for (int i = 0; i < classes; i++)
        assert_int_equal(count[i], data.samples / (size_t)classes);
}

static void spirals_and_moons_have_even_classes(void **state)
{
    class_counts_are_even(data_of(state, "{\"type\": \"spiral\", \"samples\": 300}", 1).training, 3);
    class_counts_are_even(data_of(state, "{\"type\": \"moons\", \"samples\": 300}", 1).training, 2);
    class_counts_are_even(
        data_of(state, "{\"type\": \"blobs\", \"samples\": 300, \"classes\": 5, \"features\": 7}", 1).training, 5);
    class_counts_are_even(data_of(state, "{\"type\": \"digits\", \"samples\": 100}", 1).training, 10);
}

static void moons_without_noise_lie_on_two_half_circles(void **state)
{
    Dataset data = data_of(state, "{\"type\": \"moons\", \"noise\": 0, \"samples\": 100}", 1).training;
    for (size_t i = 0; i < data.samples; i++) {
        double x = data.inputs[2 * i] - data.targets[i], y = data.inputs[2 * i + 1] - data.targets[i] / 2;
        assert_near(x * x + y * y, 1, 1e-5);
        assert_true(data.targets[i] > 0 ? y <= 1e-6 : y >= -1e-6);
    }
}

static void blobs_of_another_seed_have_the_same_centres(void **state)
{
    Dataset a = data_of(state, "{\"type\": \"blobs\", \"noise\": 0, \"features\": 3}", 1).training;
    Dataset b = data_of(state, "{\"type\": \"blobs\", \"noise\": 0, \"features\": 3}", 2).training;
    assert_memory_equal(a.inputs, b.inputs, 3000 * sizeof(float));
    assert_near(a.inputs[0], 2, 1e-6);
    assert_near(a.inputs[2], -2, 1e-6);
}

static void xor_is_one_where_the_signs_differ(void **state)
{
    Dataset data = data_of(state, "{\"type\": \"xor\"}", 1).training;
    for (size_t i = 0; i < data.samples; i++) {
        assert_true(fabsf(data.inputs[2 * i]) <= 1 && fabsf(data.inputs[2 * i + 1]) <= 1);
        assert_int_equal(data.targets[i], data.inputs[2 * i] * data.inputs[2 * i + 1] < 0);
    }
}

static void sine_is_a_regression(void **state)
{
    Dataset data = data_of(state, "{\"type\": \"sine\", \"noise\": 0}", 1).training;
    assert_true(shape_equal(data.input, SHAPE(1)) && shape_equal(data.target, SHAPE(1)));
    assert_int_equal(data.target_classes, 0);
    assert_false(data.targets_are_integers);
    for (size_t i = 0; i < data.samples; i++)
        assert_near(data.targets[i], sin(data.inputs[i]), 1e-6);
}

static void parity_counts_the_bits(void **state)
{
    Dataset data = data_of(state, "{\"type\": \"parity\", \"length\": 5}", 1).training;
    assert_true(shape_equal(data.input, SHAPE(5)));
    for (size_t i = 0; i < data.samples; i++) {
        int ones = 0;
        for (int j = 0; j < 5; j++)
            ones += (int)data.inputs[5 * i + (size_t)j];
        assert_int_equal(data.targets[i], ones % 2);
    }
}

static void copy_asks_for_the_symbols_after_the_signal(void **state)
{
    Dataset data = data_of(state, "{\"type\": \"copy\", \"length\": 3, \"classes\": 4}", 1).training;
    assert_true(shape_equal(data.input, SHAPE(6)) && shape_equal(data.target, SHAPE(6)));
    assert_int_equal(data.tokens, 6);
    assert_int_equal(data.target_classes, 6);
    for (size_t i = 0; i < data.samples; i++)
        for (size_t j = 0; j < 3; j++) {
            const float *input = data.inputs + 6 * i, *target = data.targets + 6 * i;
            assert_true(input[j] >= 1 && input[j] <= 4);
            assert_near(input[3 + j], j == 0 ? 5 : 0, 0);
            assert_near(target[j], -100, 0);
            assert_near(target[3 + j], input[j], 0);
        }
}

static void adding_marks_one_number_in_each_half(void **state)
{
    Dataset data = data_of(state, "{\"type\": \"adding\", \"length\": 7, \"samples\": 200}", 1).training;
    assert_true(shape_equal(data.input, SHAPE(7, 2)) && shape_equal(data.target, SHAPE(1)));
    for (size_t i = 0; i < data.samples; i++) {
        float sum = 0;
        int first = 0, second = 0;
        for (int j = 0; j < 7; j++) {
            const float *position = data.inputs + 14 * i + 2 * j;
            assert_true(position[0] >= 0 && position[0] <= 1);
            first += j < 3 && position[1] == 1;
            second += j >= 3 && position[1] == 1;
            sum += position[0] * position[1];
        }
        assert_int_equal(first, 1);
        assert_int_equal(second, 1);
        assert_near(data.targets[i], sum, 1e-6);
    }
}

#define TEXT "{\"type\": \"text\", \"path\": \"" TEST_DATA "text.txt\""

static void text_is_cut_into_windows_that_ask_for_the_next_character(void **state)
{
    Dataset data = data_of(state, TEXT ", \"length\": 8}", 1).training;
    assert_int_equal(data.samples, 8); /* of 69 characters, the last 4 and a target are left over */
    assert_true(shape_equal(data.input, SHAPE(8)) && shape_equal(data.target, SHAPE(8)));
    assert_int_equal(data.tokens, data.target_classes);
    assert_string_equal(data.token_names[0], "\\t");
    assert_string_equal(data.token_names[1], "\\n");
    const char *expected = "To be, or not to be:";
    for (size_t i = 0; i < 16; i++) {
        assert_int_equal(data.token_names[(int)data.inputs[i]][0], expected[i]);
        assert_int_equal(data.token_names[(int)data.targets[i]][0], expected[i + 1]);
    }
    assert_string_equal(data.token_names[data.tokens - 1], "\xf0\x9d\x84\x9e");
    assert_int_equal(data_of(state, TEXT ", \"length\": 8, \"stride\": 3}", 1).training.samples, (69 - 9) / 3 + 1);
    Dataset bytes = data_of(state, TEXT ", \"length\": 8, \"level\": \"byte\"}", 1).training;
    assert_true(bytes.samples > data.samples);
    assert_string_equal(bytes.token_names[bytes.tokens - 1], "\\xf0");
}

static void a_second_text_shares_the_vocabulary(void **state)
{
    DataSplit data = data_of(state, TEXT ", \"length\": 8, \"validation\": " TEXT ", \"length\": 8, \"limit\": 2}}", 1);
    assert_memory_equal(data.validation.inputs, data.training.inputs, 16 * sizeof(float));
    assert_int_equal(data.validation.tokens, data.training.tokens);
    assert_refused(state, TEXT ", \"length\": 69}", "the text has 69 characters, too few");
    assert_refused(
        state,
        TEXT ", \"length\": 8, \"validation\": {\"type\": \"text\", \"path\": \"configs/data/README.md\", \"length\": 8}}",
        "`, which the training data have not");
}

static void real_and_fake_samples_take_turns(void **state)
{
    Dataset data = data_of(state, "{\"type\": \"real_fake\", \"noise\": 0}", 1).training;
    assert_int_equal(data.target_classes, 0);
    assert_true(data.targets_are_integers);
    for (size_t i = 0; i < data.samples; i++) {
        assert_near(data.targets[i], i % 2 ? -1 : 1, 0);
        if (i % 2 == 0)
            assert_near(hypotf(data.inputs[2 * i], data.inputs[2 * i + 1]), 2, 1e-5);
    }
}

static void digits_are_drawn_inside_the_image(void **state)
{
    Dataset data = data_of(state, "{\"type\": \"digits\", \"samples\": 200}", 1).training;
    assert_true(shape_equal(data.input, SHAPE(1, 28, 28)));
    for (size_t i = 0; i < data.samples; i++) {
        double ink = 0;
        for (size_t j = 0; j < 784; j++) {
            float pixel = data.inputs[784 * i + j];
            assert_true(pixel >= 0 && pixel <= 1);
            ink += (double)pixel;
        }
        assert_true(ink > 20 && ink < 300);
    }
}

static void noise_has_mean_zero_and_all_labels(void **state)
{
    Dataset data = data_of(state, "{\"type\": \"noise\", \"features\": 4, \"classes\": 3, \"samples\": 5000}", 1).training;
    double sum = 0, squares = 0, ones = 0;
    for (size_t i = 0; i < 20000; i++) {
        sum += (double)data.inputs[i];
        squares += (double)(data.inputs[i] * data.inputs[i]);
    }
    for (size_t i = 0; i < data.samples; i++)
        ones += data.targets[i] == 1;
    assert_near(sum / 20000, 0, 0.03);
    assert_near(squares / 20000, 1, 0.05);
    assert_near(ones / 5000, 1 / 3.0, 0.03);
}

static void validation_is_taken_from_the_end(void **state)
{
    DataSplit all = data_of(state, "{\"type\": \"spiral\", \"samples\": 10}", 1);
    DataSplit data = data_of(state, "{\"type\": \"spiral\", \"samples\": 10, \"validation\": 0.3}", 1);
    assert_int_equal(all.validation.samples, 0);
    assert_int_equal(data.training.samples, 7);
    assert_int_equal(data.validation.samples, 3);
    assert_memory_equal(data.validation.inputs, all.training.inputs + 14, 6 * sizeof(float));
    assert_memory_equal(data.validation.targets, all.training.targets + 7, 3 * sizeof(float));
    assert_int_equal(data_of(state, "{\"type\": \"xor\", \"samples\": 100, \"validation\": 0.001}", 1).validation.samples, 1);
    assert_int_equal(
        data_of(state, "{\"type\": \"xor\", \"samples\": 10, \"limit\": 5, \"validation\": 0.2}", 1).training.samples, 4);
}

static void a_second_source_validates_with_other_samples(void **state)
{
    DataSplit data = data_of(state, "{\"type\": \"spiral\", \"validation\": {\"type\": \"spiral\", \"samples\": 50}}", 1);
    assert_int_equal(data.training.samples, 1000);
    assert_int_equal(data.validation.samples, 50);
    assert_true(memcmp(data.training.inputs, data.validation.inputs, 100 * sizeof(float)) != 0);
    assert_int_equal(data.validation.target_classes, 3);
    assert_refused(state, "{\"type\": \"spiral\", \"validation\": {\"type\": \"sine\"}}",
                   "the validation data have inputs [1]");
    assert_refused(state, "{\"type\": \"spiral\", \"validation\": {\"type\": \"spiral\", \"normalize\": \"minmax\"}}",
                   "unknown key");
}

static void classes_of_a_second_source_are_matched_by_name(void **state)
{
    DataSplit data = data_of(state,
                             "{\"type\": \"csv\", \"path\": \"" TEST_DATA "flowers.csv\", \"validation\": "
                             "{\"type\": \"csv\", \"path\": \"" TEST_DATA "flowers-validation.csv\"}}",
                             1);
    assert_int_equal(data.validation.target_classes, 2);
    assert_near(data.validation.targets[0], 1, 0);
    assert_string_equal(data.validation.class_names[1], "versi, color");
    assert_refused(state,
                   "{\"type\": \"csv\", \"path\": \"" TEST_DATA "flowers-validation.csv\", \"validation\": "
                   "{\"type\": \"csv\", \"path\": \"" TEST_DATA "flowers.csv\"}}",
                   "the validation data have class `setosa`");
}

static void standard_gives_mean_zero_and_population_deviation_one(void **state)
{
    DataSplit data = data_of(state,
                             "{\"type\": \"inline\", \"inputs\": [[1, 5, 3], [2, 5, 5], [3, 5, 7], [7, 6, \"NaN\"]],"
                             " \"targets\": [0, 1, 2, 0], \"validation\": 0.25, \"normalize\": \"standard\"}",
                             1);
    double deviation = sqrt(2.0 / 3);
    assert_near(data.training.inputs[0], -1 / deviation, 1e-6);
    assert_near(data.training.inputs[6], 1 / deviation, 1e-6);
    assert_near(data.training.inputs[1], 0, 0);
    assert_near(data.training.inputs[2], -2 / sqrt(8.0 / 3), 1e-6);
    assert_near(data.validation.inputs[0], 5 / deviation, 1e-6);
    assert_near(data.validation.inputs[1], 0, 0);
    assert_true(isnan(data.validation.inputs[2]));
}

static void minmax_gives_the_range_from_0_to_1_and_keeps_what_is_not_finite(void **state)
{
    DataSplit data =
        data_of(state,
                "{\"type\": \"inline\", \"inputs\": [[-1, 0.1], [\"Infinity\", 0.1], [3, 0.1]], \"targets\": [0, 1, 2],"
                " \"normalize\": \"minmax\"}",
                1);
    assert_near(data.training.inputs[0], 0, 0);
    assert_near(data.training.inputs[1], 0, 0);
    assert_true(isinf(data.training.inputs[2]));
    assert_near(data.training.inputs[4], 1, 0);
}

static void mistakes_are_refused_with_their_cause(void **state)
{
    assert_refused(state, "{}", "the data have no `type`");
    assert_refused(state, "[]", "data is an object");
    assert_refused(state, "{\"type\": \"spirl\"}", "unknown data type `spirl`");
    assert_refused(state, "{\"type\": \"spiral\", \"sampels\": 3}", "unknown key `sampels`");
    assert_refused(state, "{\"type\": \"spiral\", \"samples\": 0}", "`samples`");
    assert_refused(state, "{\"type\": \"spiral\", \"limit\": 0}", "`limit`");
    assert_refused(state, "{\"type\": \"spiral\", \"noise\": -1}", "`noise`");
    assert_refused(state, "{\"type\": \"spiral\", \"validation\": 1}", "`validation` must be a fraction");
    assert_refused(state, "{\"type\": \"spiral\", \"validation\": -0.1}", "`validation` must be a fraction");
    assert_refused(state, "{\"type\": \"spiral\", \"validation\": true}", "a fraction or a data object");
    assert_refused(state, "{\"type\": \"spiral\", \"samples\": 2, \"validation\": 0.9}", "leaves none of 2 samples");
    assert_refused(state, "{\"type\": \"spiral\", \"samples\": 1, \"validation\": 0.1}", "leaves none of 1 samples");
    assert_refused(state, "{\"type\": \"spiral\", \"classes\": 1000000}", "`classes` must be from");
    assert_refused(state, "{\"type\": \"digits\", \"classes\": 11}", "`classes` must be from 1 to 10");
    assert_refused(state, "{\"type\": \"copy\", \"normalize\": \"standard\"}", "tokens");
    assert_refused(state, "{\"type\": \"noise\", \"samples\": 4000000000, \"features\": 16000000}",
                   "no memory for 4000000000 samples");
}

static void an_order_is_a_permutation_of_its_own_for_every_epoch(void **state)
{
    (void)state;
    enum { COUNT = 100 };
    uint32_t first[COUNT], again[COUNT], next[COUNT], file[COUNT];
    bool is_seen[COUNT] = {false};
    dataset_order(COUNT, 5, 0, true, first);
    dataset_order(COUNT, 5, 0, true, again);
    dataset_order(COUNT, 5, 1, true, next);
    dataset_order(COUNT, 5, 0, false, file);
    assert_memory_equal(first, again, sizeof first);
    assert_true(memcmp(first, next, sizeof first) != 0);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_int_equal(file[i], i);
        assert_true(first[i] < COUNT && !is_seen[first[i]]);
        is_seen[first[i]] = true;
    }
}

static void every_permutation_of_three_is_as_likely(void **state)
{
    (void)state;
    int count[27] = {0}, kinds = 0;
    for (uint64_t epoch = 0; epoch < 6000; epoch++) {
        uint32_t order[3];
        dataset_order(3, 1, epoch, true, order);
        count[9 * order[0] + 3 * order[1] + order[2]]++;
    }
    for (int i = 0; i < 27; i++) {
        kinds += count[i] > 0;
        assert_true(count[i] == 0 || (count[i] > 850 && count[i] < 1150));
    }
    assert_int_equal(kinds, 6);
}

static void gather_copies_the_samples_in_order(void **state)
{
    Dataset data =
        data_of(state, "{\"type\": \"inline\", \"inputs\": [[1, 2], [3, 4], [5, 6]], \"targets\": [7, 8, 9]}", 1).training;
    uint32_t order[] = {2, 0};
    float inputs[4], targets[2];
    dataset_gather(&data, order, 2, inputs, targets);
    assert_memory_equal(inputs, ((float[]){5, 6, 1, 2}), sizeof inputs);
    assert_memory_equal(targets, ((float[]){9, 7}), sizeof targets);
}

static void the_shipped_data_are_whole(void **state)
{
    Dataset iris =
        data_of(state, "{\"type\": \"csv\", \"path\": \"configs/data/iris.csv\", \"target\": \"species\"}", 1).training;
    class_counts_are_even(iris, 3);
    assert_int_equal(iris.samples, 150);
    assert_string_equal(iris.class_names[0], "setosa");
    assert_near(iris.inputs[0], 5.1, 1e-6);
    Dataset digits = data_of(state, "{\"type\": \"csv\", \"path\": \"configs/data/digits.csv.gz\"}", 1).training;
    assert_int_equal(digits.samples, 1797);
    assert_int_equal(digits.target_classes, 10);
    assert_true(shape_equal(digits.input, SHAPE(64)));
    assert_near(digits.inputs[2], 5, 0);
    assert_near(digits.targets[1796], 8, 0);
    Dataset text = data_of(state, "{\"type\": \"text\", \"path\": \"configs/data/northanger-abbey.txt\"}", 1).training;
    assert_int_equal(text.samples, 1942);
    assert_int_equal(text.tokens, 73);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_type_has_a_good_and_a_broken_file),
        TEST(each_row_explains_itself),
        TEST(generated_samples_depend_on_seed_and_place_alone),
        TEST(defaults_are_written_back_and_read_the_same),
        TEST(spirals_and_moons_have_even_classes),
        TEST(moons_without_noise_lie_on_two_half_circles),
        TEST(blobs_of_another_seed_have_the_same_centres),
        TEST(xor_is_one_where_the_signs_differ),
        TEST(sine_is_a_regression),
        TEST(parity_counts_the_bits),
        TEST(copy_asks_for_the_symbols_after_the_signal),
        TEST(adding_marks_one_number_in_each_half),
        TEST(text_is_cut_into_windows_that_ask_for_the_next_character),
        TEST(a_second_text_shares_the_vocabulary),
        TEST(real_and_fake_samples_take_turns),
        TEST(digits_are_drawn_inside_the_image),
        TEST(noise_has_mean_zero_and_all_labels),
        TEST(validation_is_taken_from_the_end),
        TEST(a_second_source_validates_with_other_samples),
        TEST(classes_of_a_second_source_are_matched_by_name),
        TEST(standard_gives_mean_zero_and_population_deviation_one),
        TEST(minmax_gives_the_range_from_0_to_1_and_keeps_what_is_not_finite),
        TEST(mistakes_are_refused_with_their_cause),
        TEST(an_order_is_a_permutation_of_its_own_for_every_epoch),
        TEST(every_permutation_of_three_is_as_likely),
        TEST(gather_copies_the_samples_in_order),
        TEST(the_shipped_data_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
