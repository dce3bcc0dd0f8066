/* What is said of a data set, worked out by hand. */
#include "support_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diagnose/data_facts.h"
#include "support_run.h"

static const DataFacts *facts_of(Bench *bench, const char *json, const char *const *sets)
{
    int count = 0;
    while (sets && sets[count])
        count++;
    const Config *config = config_read(bench->arena, bench_file(bench, "config.json", json), sets, count, bench->err);
    assert_string_equal(error_message(bench->err, 0), "");
    return data_facts_new(bench->arena, config);
}

#define CONFIG(inputs, outputs, data, loss, train)                                                                             \
    "{\"seed\": 1, \"model\": {\"input\": " inputs ", \"layers\": [{\"type\": \"linear\", \"out\": " outputs "}]},"            \
    "\"data\": {" data "}, \"loss\": \"" loss "\", \"train\": {\"steps\": 1" train "}}"

/* Columns: mean 2, deviation 1 (varies); always 5 (constant); always 0; mean 100, deviation 10 (shifted). */
static void features_are_told_apart(void **state)
{
    const DataFacts *f = facts_of(
        *state,
        CONFIG("[4]", "1", "\"type\": \"inline\", \"inputs\": [[1, 5, 0, 90], [3, 5, 0, 110]], \"targets\": [[0.5], [-1.5]]",
               "mse", ""),
        NULL);
    assert_int_equal(f->samples, 2);
    assert_int_equal(f->features, 4);
    assert_false(f->is_tokens);
    assert_int_equal(f->nonfinite, 0);
    assert_near(f->rms, sqrt((1 + 9 + 50 + 8100 + 12100) / 8.0), 1e-9);
    assert_near(f->rms_nonzero, sqrt((1 + 9 + 50 + 8100 + 12100) / 6.0), 1e-9);
    assert_near(f->zeros, 0.25, 1e-12);
    assert_near(f->min, 0, 0);
    assert_near(f->max, 110, 0);
    assert_near(f->max_abs, 110, 0);
    assert_near(f->shifted_features, 0.5, 0); /* of the two that vary */
    assert_near(f->constant_features, 0.25, 0);
    assert_near(f->zero_features, 0.25, 0);
    assert_near(f->feature_spread, 10, 1e-9);
    assert_int_equal(f->classes, 0);
    assert_true(isnan(f->entropy) && isnan(f->batch_entropy));
    assert_near(f->target_mean, -0.5, 1e-12);
    assert_near(f->target_variance, 1, 1e-12);
    assert_near(f->target_min, -1.5, 0);
    assert_near(f->target_max, 0.5, 0);
    assert_false(f->targets_are_integers);
}

/* Two targets a sample: 0 and 10, 2 and 10. The best constant is (1, 10), with a mean square of (1 + 0) / 2. */
static void the_variance_of_targets_is_by_column(void **state)
{
    const DataFacts *f = facts_of(
        *state, CONFIG("[1]", "2", "\"type\": \"inline\", \"inputs\": [[1], [2]], \"targets\": [[0, 10], [2, 10]]", "mse", ""),
        NULL);
    assert_near(f->target_variance, 0.5, 1e-12);
    assert_near(f->target_mean, 5.5, 1e-12);
    assert_true(f->targets_are_integers);
    assert_int_equal(f->classes, 0); /* mse knows no classes */
}

static void values_that_are_not_finite_are_found_and_left_out(void **state)
{
    Bench *bench = *state;
    const char *csv = bench_file(bench, "gaps.csv", "a,b,y\n1,2,0\n3,nan,1\ninf,2,1\n");
    const char *json = arena_printf(
        bench->arena,
        CONFIG("[2]", "1", "\"type\": \"csv\", \"path\": \"%s\", \"target\": \"y\", \"task\": \"regression\"", "mse", ""), csv);
    const DataFacts *f = facts_of(bench, json, NULL);
    assert_int_equal(f->nonfinite, 2);
    assert_int_equal(f->first_nonfinite.sample, 1);
    assert_int_equal(f->first_nonfinite.element, 1);
    assert_false(f->first_nonfinite.in_target);
    assert_true(isnan(f->first_nonfinite.value));
    assert_near(f->rms, sqrt(18.0 / 4), 1e-12); /* 1, 2, 3, 2 */
    assert_near(f->constant_features, 0.5, 0);
    assert_near(f->feature_spread, 1, 0);
}

#define FOUR "\"type\": \"inline\", \"inputs\": [[1], [2], [3], [4]], \"targets\": [0, 0, 0, 2]"

/* Three of class 0, one of class 2, of four classes that the model knows. */
static void classes_are_counted(void **state)
{
    const DataFacts *f = facts_of(*state, CONFIG("[1]", "4", FOUR, "cross_entropy", ""), NULL);
    assert_int_equal(f->classes, 4);
    assert_int_equal(f->class_count[0], 3);
    assert_int_equal(f->class_count[1], 0);
    assert_int_equal(f->class_count[2], 1);
    assert_int_equal(f->largest_class, 3);
    assert_int_equal(f->smallest_class, 1);
    const double entropy = -(0.75 * log(0.75) + 0.25 * log(0.25));
    assert_near(f->entropy, entropy, 1e-12);
    assert_near(f->normalised_entropy, entropy / log(4), 1e-12);
    assert_near(f->batch_entropy, entropy, 1e-12); /* one batch holds all */
    assert_near(f->shuffled_batch_entropy, entropy, 1e-12);
    assert_near(f->batch_entropy_deviation, 0, 1e-12);
}

/* Batches of two in file order: (0, 0) and (0, 2). A random order has class 2 in one of two batches as well. */
static void batches_in_file_order_have_their_entropy(void **state)
{
    const DataFacts *f =
        facts_of(*state, CONFIG("[1]", "4", FOUR, "cross_entropy", ", \"batch_size\": 2, \"shuffle\": false"), NULL);
    assert_near(f->batch_entropy, log(2) / 2, 1e-12);
    assert_near(f->shuffled_batch_entropy, log(2) / 2, 1e-12);
}

#define SORTED                                                                                                                 \
    CONFIG("[1]", "2", "\"type\": \"csv\", \"path\": \"%s\", \"target\": \"y\"", "cross_entropy", ", \"batch_size\": 20")

/* 200 of one class, then 200 of the other. A batch of 20 at random has k of one class with a hypergeometric distribution. */
static void sorted_classes_show_without_a_shuffle(void **state)
{
    Bench *bench = *state;
    Text csv = text_new(bench->arena);
    text_add(&csv, "x,y\n");
    for (int i = 0; i < 400; i++)
        text_add(&csv, i < 200 ? "1,a\n" : "2,b\n");
    const char *json = arena_printf(bench->arena, SORTED, bench_file(bench, "sorted.csv", csv.at));
    double expected = 0;
    for (int k = 0; k <= 20; k++) {
        double chance = 1, share = k / 20.0;
        for (int i = 0; i < 20; i++) /* draws one by one: first k of one class, then the rest, times the orders */
            chance *= (i < k ? (200.0 - i) * (20 - i) / (k - i) : 200.0 - (i - k)) / (400 - i);
        expected -= k > 0 && k < 20 ? chance * (share * log(share) + (1 - share) * log(1 - share)) : 0;
    }
    const DataFacts *sorted = facts_of(bench, json, SETS("train.shuffle=false")), *shuffled = facts_of(bench, json, NULL);
    assert_near(sorted->batch_entropy, 0, 0);
    assert_near(sorted->shuffled_batch_entropy, expected, 0.005);
    assert_near(shuffled->shuffled_batch_entropy, expected, 0.005);
    assert_near(shuffled->batch_entropy, expected, 4 * shuffled->batch_entropy_deviation);
    assert_true(sorted->batch_entropy_deviation > 0 && sorted->batch_entropy_deviation < 0.02);
}

static void zeros_and_ones_of_a_two_class_loss_are_classes(void **state)
{
    const char *data =
        CONFIG("[1]", "1", "\"type\": \"inline\", \"inputs\": [[1], [2], [3], [4]], \"targets\": [[0], [1], [0], [0]]",
               "bce_with_logits", "");
    const DataFacts *f = facts_of(*state, data, NULL);
    assert_int_equal(f->classes, 2);
    assert_int_equal(f->class_count[0], 3);
    assert_near(f->entropy, -(0.75 * log(0.75) + 0.25 * log(0.25)), 1e-12); /* the least loss of a constant */
    assert_int_equal(facts_of(*state, data, SETS("data.targets=[[0], [0.5], [0], [1]]"))->classes, 0);
}

static void tokens_have_no_scale(void **state)
{
    Bench *bench = *state;
    const Config *config = config_read(bench->arena, "configs/lstm-text.json", NULL, 0, bench->err);
    const DataFacts *f = data_facts_new(bench->arena, config);
    assert_true(f->is_tokens && isnan(f->rms) && isnan(f->feature_spread));
    assert_int_equal(f->classes, 96);
    size_t total = 0;
    for (int i = 0; i < f->classes; i++)
        total += f->class_count[i];
    assert_int_equal(total, f->samples * 64);
    assert_near(f->batch_entropy, f->shuffled_batch_entropy, 5 * f->batch_entropy_deviation);
}

static void a_gan_reads_no_targets(void **state)
{
    Bench *bench = *state;
    const Config *config = config_read(bench->arena, "configs/gan-ring.json", NULL, 0, bench->err);
    const DataFacts *f = data_facts_new(bench->arena, config);
    assert_int_equal(f->classes, 0);
    assert_true(f->rms > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(features_are_told_apart),
        TEST(the_variance_of_targets_is_by_column),
        TEST(values_that_are_not_finite_are_found_and_left_out),
        TEST(classes_are_counted),
        TEST(batches_in_file_order_have_their_entropy),
        TEST(sorted_classes_show_without_a_shuffle),
        TEST(zeros_and_ones_of_a_two_class_loss_are_classes),
        TEST(tokens_have_no_scale),
        TEST(a_gan_reads_no_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
