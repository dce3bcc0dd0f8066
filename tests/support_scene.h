/* Rules on trial: a training made up step by step, and whether a rule finds it. */
#ifndef GRADTOOL_TESTS_SUPPORT_SCENE_H
#define GRADTOOL_TESTS_SUPPORT_SCENE_H

#include "diagnose/diagnosis.h"
#include "support_run.h"

enum { WEIGHT_1, WEIGHT_2, WEIGHT_3, BIAS_3, PARAMETERS };
enum { LINEAR_1, ACT_1, LINEAR_2, ACT_2, LINEAR_3, LAYERS };

/* A net of two hidden layers as a log knows it, and what is said of it at each step. */
typedef struct Scene {
    Bench *bench;
    Record *record;
    Evidence evidence;
    DataFacts data;
    Probe initial, final;
    Prediction prediction;
    OverfitTrial overfit;
    int64_t steps;
} Scene;

/* A record without steps of that net, with hidden layers of this type. */
Scene scene_new(void **state, const char *activation);
/* The config that the scene's model comes from; `sets` may be NULL. */
void scene_config(Scene *scene, const char *const *sets);

/* What a healthy step says; a test changes some of it. */
typedef struct Said {
    double loss, rate, norm, clipped, scale, skipped;
    double gradient[PARAMETERS], ratio[PARAMETERS], weight[PARAMETERS];
    double mean[LAYERS], std[LAYERS], zeros[LAYERS], flow[LAYERS];
} Said;

Said healthy(int64_t step);
void scene_step(Scene *scene, int64_t step, const Said *said);
/* Steps 1 to `steps`, changed by `change`, which may be NULL. */
void scene_run(Scene *scene, int64_t steps, void (*change)(Said *said, int64_t step));

/* What all rules say. */
const Diagnosis *scene_diagnose(Scene *scene);
void assert_silent(Scene *scene, const char *rule);
const Finding *assert_fires(Scene *scene, const char *rule, Severity severity);

/* Tests of one rule on a training of relu layers. */
#define FIRES(test, rule, severity, steps, change)                                                                             \
    static void test(void **state)                                                                                             \
    {                                                                                                                          \
        Scene scene = scene_new(state, "relu");                                                                                \
        scene_config(&scene, NULL);                                                                                            \
        scene_run(&scene, steps, change);                                                                                      \
        assert_fires(&scene, rule, severity);                                                                                  \
    }
#define SILENT(test, rule, steps, change)                                                                                      \
    static void test(void **state)                                                                                             \
    {                                                                                                                          \
        Scene scene = scene_new(state, "relu");                                                                                \
        scene_config(&scene, NULL);                                                                                            \
        scene_run(&scene, steps, change);                                                                                      \
        assert_silent(&scene, rule);                                                                                           \
    }

#define SCENE_TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

#endif
