/* Rules that judge a config before it trains: one that each finds, and one like it that it leaves alone. */
#include "support_test.h"

#include <math.h>

#include "support_story.h"

static void judge_config(void **state, const char *rule, const char *const *sets, int severity)
{
    Story story = {.bench = *state};
    story_config(&story, sets);
    story.evidence.prediction = prediction_new(story.bench->arena, story.evidence.config);
    story.evidence.initial = probe_new(story.bench->arena, story.evidence.config, 256, NULL, story.bench->err);
    assert_non_null(story.evidence.initial);
    if (severity < 0)
        assert_silent(&story, rule);
    else
        assert_fires(&story, rule, (Severity)severity);
}

enum { NO_FINDING = -1 };

#define CONFIG(test, rule, severity, ...)                                                                                      \
    static void test(void **state)                                                                                             \
    {                                                                                                                          \
        judge_config(state, rule, SETS(__VA_ARGS__), severity);                                                                \
    }
#define INLINE_DATA(inputs) "data={\"type\":\"inline\",\"inputs\":" inputs ",\"targets\":[0,1,2,3]}"
CONFIG(infinity_in_the_data_is_found, "data-nonfinite", SEVERITY_ERROR,
       INLINE_DATA("[[1,2,3,\"Infinity\"],[1,2,3,4],[1,2,3,5],[1,2,2,4]]"))
CONFIG(finite_data_is_left_alone, "data-nonfinite", NO_FINDING, "seed=1")
#define LAYERS_AND(last)                                                                                                       \
    "model.layers=[{\"type\":\"linear\",\"out\":8},{\"type\":\"relu\"},{\"type\":\"linear\",\"out\":4},{\"type\":\"" last "\"" \
    "}]"
CONFIG(softmax_before_cross_entropy_is_a_mismatch, "target-mismatch", SEVERITY_ERROR, LAYERS_AND("softmax"))
CONFIG(log_softmax_before_cross_entropy_is_harmless, "target-mismatch", NO_FINDING, LAYERS_AND("log_softmax"))
CONFIG(inputs_of_hundreds_are_found, "input-scale", SEVERITY_WARNING,
       INLINE_DATA("[[100,200,-100,50],[20,-200,30,40],[100,-20,30,50],[-100,20,-20,40]]"))
CONFIG(inputs_of_one_are_left_alone, "input-scale", NO_FINDING,
       INLINE_DATA("[[1,2,-1,0.5],[0.2,-2,0.3,0.4],[1,-0.2,0.3,0.5],[-1,0.2,-0.2,0.4]]"))
CONFIG(zeros_make_symmetric_units, "symmetric-units", SEVERITY_ERROR, "model.init=zeros")
CONFIG(a_zero_head_is_no_symmetry, "symmetric-units", NO_FINDING, "model.layers[4].init=zeros")
CONFIG(random_units_are_not_symmetric, "symmetric-units", NO_FINDING, "seed=1")
CONFIG(a_large_first_loss_is_wrong, "wrong-initial-loss", SEVERITY_WARNING,
       "model.layers[4].init={\"type\":\"normal\",\"std\":30}")
CONFIG(a_first_loss_at_chance_is_right, "wrong-initial-loss", NO_FINDING, "seed=1")
#define NARROW                                                                                                                 \
    "model.layers=[{\"type\":\"repeat\",\"times\":20,\"layers\":[{\"type\":\"linear\",\"out\":4},{\"type\":\"relu\"}]},{"      \
    "\"type\":\"linear\",\"out\":4}]"
CONFIG(narrow_and_deep_depends_on_the_seed, "seed-variance-risk", SEVERITY_INFO, NARROW)
CONFIG(narrow_relu_layers_may_be_born_dead, "born-dead-risk", SEVERITY_INFO, NARROW)
CONFIG(two_layers_of_eight_do_not_depend_on_the_seed, "seed-variance-risk", NO_FINDING, "model.layers[0].out=64",
       "model.layers[2].out=64")
CONFIG(wide_layers_are_not_born_dead, "born-dead-risk", NO_FINDING, "model.layers[0].out=64", "model.layers[2].out=64")

static void sorted(void **state, bool shuffle, bool fires)
{
    Story story = {.bench = *state};
    Text text = text_new(story.bench->arena), targets = text_new(story.bench->arena);
    for (int i = 0; i < 200; i++) {
        text_printf(&text, "%s[%d,1,0.5,-1]", i ? "," : "", i % 3 - 1);
        text_printf(&targets, "%s%d", i ? "," : "", i / 50);
    }
    const char *data =
        arena_printf(story.bench->arena, "data={\"type\":\"inline\",\"inputs\":[%s],\"targets\":[%s]}", text.at, targets.at);
    story_config(&story, SETS(data, shuffle ? "train.shuffle=true" : "train.shuffle=false", "train.batch_size=20"));
    if (fires)
        assert_fires(&story, "unshuffled", SEVERITY_WARNING);
    else
        assert_silent(&story, "unshuffled");
}
static void sorted_samples_are_found(void **state)
{
    sorted(state, false, true);
}
static void shuffled_samples_are_left_alone(void **state)
{
    sorted(state, true, false);
}

static void imbalance(void **state, int rare, bool fires)
{
    Story story = {.bench = *state};
    Text text = text_new(story.bench->arena), targets = text_new(story.bench->arena);
    for (int i = 0; i < 200; i++) {
        text_printf(&text, "%s[%d,1,0.5,-1]", i ? "," : "", i % 3 - 1);
        text_printf(&targets, "%s%d", i ? "," : "", i < rare);
    }
    story_config(&story, SETS(arena_printf(story.bench->arena, "data={\"type\":\"inline\",\"inputs\":[%s],\"targets\":[%s]}",
                                           text.at, targets.at)));
    if (fires)
        assert_fires(&story, "class-imbalance", SEVERITY_WARNING);
    else
        assert_silent(&story, "class-imbalance");
}
static void a_rare_class_is_found(void **state)
{
    imbalance(state, 10, true);
}
static void three_to_one_is_left_alone(void **state)
{
    imbalance(state, 50, false);
}

static void learned_by_heart(void **state, double best, bool fires)
{
    Story story = {.bench = *state};
    story_config(&story, NULL);
    story.overfit =
        (OverfitTrial){.samples = 32, .steps = 300, .first_loss = 1.4, .last_loss = best, .best_loss = best, .error_rate = 0.5};
    story.evidence.overfit = &story.overfit;
    if (fires)
        assert_fires(&story, "cannot-overfit-batch", SEVERITY_WARNING);
    else
        assert_silent(&story, "cannot-overfit-batch");
}
static void a_batch_that_is_not_learned_is_found(void **state)
{
    learned_by_heart(state, 1.3, true);
}
static void a_batch_that_is_learned_is_left_alone(void **state)
{
    learned_by_heart(state, 0.01, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY_TEST(a_batch_that_is_learned_is_left_alone),
        STORY_TEST(a_batch_that_is_not_learned_is_found),
        STORY_TEST(a_first_loss_at_chance_is_right),
        STORY_TEST(a_large_first_loss_is_wrong),
        STORY_TEST(a_rare_class_is_found),
        STORY_TEST(a_zero_head_is_no_symmetry),
        STORY_TEST(finite_data_is_left_alone),
        STORY_TEST(infinity_in_the_data_is_found),
        STORY_TEST(inputs_of_hundreds_are_found),
        STORY_TEST(inputs_of_one_are_left_alone),
        STORY_TEST(log_softmax_before_cross_entropy_is_harmless),
        STORY_TEST(narrow_and_deep_depends_on_the_seed),
        STORY_TEST(narrow_relu_layers_may_be_born_dead),
        STORY_TEST(random_units_are_not_symmetric),
        STORY_TEST(shuffled_samples_are_left_alone),
        STORY_TEST(softmax_before_cross_entropy_is_a_mismatch),
        STORY_TEST(sorted_samples_are_found),
        STORY_TEST(three_to_one_is_left_alone),
        STORY_TEST(two_layers_of_eight_do_not_depend_on_the_seed),
        STORY_TEST(wide_layers_are_not_born_dead),
        STORY_TEST(zeros_make_symmetric_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
