#include "support_test.h"

#include <math.h>
#include <string.h>

#include "support_scene.h"

static const char *const parameter_names[] = {"linear1.weight", "linear2.weight", "linear3.weight", "linear3.bias"};
static const char *const layer_names[] = {"linear1", "act1", "linear2", "act2", "linear3"};

void scene_config(Scene *scene, const char *const *sets)
{
    static const char text[] =
        "{\"model\": {\"input\": [4], \"layers\": ["
        "{\"type\": \"linear\", \"name\": \"linear1\", \"out\": 8}, {\"type\": \"relu\", \"name\": \"act1\"}, "
        "{\"type\": \"linear\", \"name\": \"linear2\", \"out\": 8}, {\"type\": \"relu\", \"name\": \"act2\"}, "
        "{\"type\": \"linear\", \"name\": \"linear3\", \"out\": 4}]}, "
        "\"data\": {\"type\": \"blobs\", \"features\": 4, \"classes\": 4, \"samples\": 200}, \"loss\": \"cross_entropy\", "
        "\"optimizer\": {\"type\": \"adamw\", \"lr\": 0.01}, \"train\": {\"steps\": 400}}";
    const char *path = bench_file(scene->bench, "scene.json", text);
    int count = 0;
    while (sets && sets[count])
        count++;
    Config *config = config_read(scene->bench->arena, path, sets, count, scene->bench->err);
    if (!config)
        fail_msg("%s", error_message(scene->bench->err, 0));
    scene->data = *data_facts_new(scene->bench->arena, config);
    scene->evidence.config = config;
    scene->evidence.data = &scene->data;
}

Scene scene_new(void **state, const char *activation)
{
    Scene scene = {.bench = *state};
    scene.record = record_new(scene.bench->arena, "run", "gradtool run");
    for (int i = 0; i < PARAMETERS; i++) {
        RecordTensor *p = record_add_parameter(scene.record, parameter_names[i]);
        p->rank = i == BIAS_3 ? 1 : 2;
        p->elements = i == BIAS_3 ? 4 : 32;
    }
    for (int i = 0; i < LAYERS; i++)
        record_add_layer(scene.record, layer_names[i], i % 2 ? activation : "linear");
    return scene;
}

Said healthy(int64_t step)
{
    Said said = {.loss = 1.386 * exp(-(double)step / 150) + 0.01 * (double)(step * 7 % 5),
                 .rate = 0.01,
                 .norm = 1 + 0.1 * (double)(step * 5 % 7),
                 .scale = 1};
    said.clipped = said.norm;
    for (int i = 0; i < PARAMETERS; i++) {
        said.gradient[i] = 0.5;
        said.ratio[i] = 1e-3;
        said.weight[i] = 3;
    }
    for (int i = 0; i < LAYERS; i++) {
        said.std[i] = 0.5;
        said.zeros[i] = i % 2 ? 0.5 : 0;
        said.flow[i] = 1e-3;
    }
    return said;
}

void scene_step(Scene *scene, int64_t step, const Said *said)
{
    Record *record = scene->record;
    const double scalar[] = {said->loss, said->rate, said->norm, said->clipped, said->scale, said->skipped};
    for (int i = 0; i < RECORD_SCALARS; i++)
        record_add_scalar(record, (RecordScalar)i, step, scalar[i]);
    for (int i = 0; i < PARAMETERS; i++) {
        record_add_value(record, RECORD_GRADIENT_NORM, i, step, said->gradient[i]);
        record_add_value(record, RECORD_UPDATE_RATIO, i, step, said->ratio[i]);
        record_add_value(record, RECORD_WEIGHT_NORM, i, step, said->weight[i]);
    }
    for (int i = 0; i < LAYERS; i++) {
        record_add_value(record, RECORD_ACTIVATION_MEAN, i, step, said->mean[i]);
        record_add_value(record, RECORD_ACTIVATION_STD, i, step, said->std[i]);
        record_add_value(record, RECORD_ACTIVATION_ZEROS, i, step, said->zeros[i]);
        record_add_value(record, RECORD_FLOW, i, step, said->flow[i]);
    }
    if (said->clipped < said->norm)
        record_add_clip(record, step, "norm", said->clipped);
    scene->steps = step;
}

const Diagnosis *scene_diagnose(Scene *scene)
{
    Arena *arena = scene->bench->arena;
    if (scene->steps) {
        record_end(scene->record);
        scene->record->planned = scene->steps;
        scene->evidence.record = scene->record;
    }
    return diagnose(arena, &scene->evidence, rule_settings_new(arena), NULL);
}

/* The first finding of one rule; NULL: there is none. */
static const Finding *judge(Scene *scene, const char *rule)
{
    const Diagnosis *diagnosis = scene_diagnose(scene);
    for (int i = 0; i < diagnosis->findings; i++)
        if (!strcmp(diagnosis->finding[i]->rule->name, rule))
            return diagnosis->finding[i];
    return NULL;
}

void assert_silent(Scene *scene, const char *rule)
{
    const Finding *finding = judge(scene, rule);
    if (finding)
        fail_msg("%s fired: %s", rule, finding->message);
}

const Finding *assert_fires(Scene *scene, const char *rule, Severity severity)
{
    const Finding *finding = judge(scene, rule);
    if (!finding)
        fail_msg("%s did not fire", rule);
    if (finding->severity != severity)
        fail_msg("%s: %s is %s", rule, finding->message, severity_name(finding->severity));
    return finding;
}

void scene_run(Scene *scene, int64_t steps, void (*change)(Said *said, int64_t step))
{
    for (int64_t step = 1; step <= steps; step++) {
        Said said = healthy(step);
        if (change)
            change(&said, step);
        scene_step(scene, step, &said);
    }
}
