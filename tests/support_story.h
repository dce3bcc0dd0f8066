/* Rules on trial: a training made up step by step, and whether a rule finds it. */
#ifndef GRADTOOL_TESTS_SUPPORT_STORY_H
#define GRADTOOL_TESTS_SUPPORT_STORY_H

#include "diagnose/diagnosis.h"
#include "support_run.h"

enum { WEIGHT_1, WEIGHT_2, WEIGHT_3, BIAS_3, PARAMETERS };
enum { LINEAR_1, ACT_1, LINEAR_2, ACT_2, LINEAR_3, LAYERS };

/* A net of two hidden layers as a log knows it, and what is said of it at each step. */
typedef struct Story {
    Bench *bench;
    Record *record;
    Evidence evidence;
    Probe initial, final;
    Prediction prediction;
    OverfitTrial overfit;
    int64_t steps;
} Story;

/* A record without steps of that net, with hidden layers of this type. */
Story story_new(void **state, const char *activation);
/* The config that the story's model comes from; `sets` may be NULL. */
void story_config(Story *story, const char *const *sets);

/* What a healthy step says; a test changes some of it. */
typedef struct Said {
    double loss, rate, norm, clipped, scale, skipped;
    double gradient[PARAMETERS], ratio[PARAMETERS], weight[PARAMETERS];
    double mean[LAYERS], std[LAYERS], zeros[LAYERS], flow[LAYERS];
} Said;

Said healthy(int64_t step);
void story_step(Story *story, int64_t step, const Said *said);
/* Steps 1 to `steps`, changed by `change`, which may be NULL. */
void story_run(Story *story, int64_t steps, void (*change)(Said *said, int64_t step));

/* What all rules say. */
const Diagnosis *story_diagnose(Story *story);
void assert_silent(Story *story, const char *rule);
const Finding *assert_fires(Story *story, const char *rule, Severity severity);

/* Tests of one rule on a training of relu layers. */
#define FIRES(test, rule, severity, steps, change)                                                                             \
    static void test(void **state)                                                                                             \
    {                                                                                                                          \
        Story story = story_new(state, "relu");                                                                                \
        story_config(&story, NULL);                                                                                            \
        story_run(&story, steps, change);                                                                                      \
        assert_fires(&story, rule, severity);                                                                                  \
    }
#define SILENT(test, rule, steps, change)                                                                                      \
    static void test(void **state)                                                                                             \
    {                                                                                                                          \
        Story story = story_new(state, "relu");                                                                                \
        story_config(&story, NULL);                                                                                            \
        story_run(&story, steps, change);                                                                                      \
        assert_silent(&story, rule);                                                                                           \
    }

#define STORY_TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

#endif
