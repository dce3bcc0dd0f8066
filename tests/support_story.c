#include "support_test.h"

#include <math.h>
#include <string.h>

#include "support_story.h"

static const char *const parameter_names[] = {"linear1.weight", "linear2.weight", "linear3.weight", "linear3.bias"};
static const char *const layer_names[] = {"linear1", "act1", "linear2", "act2", "linear3"};

void story_config(Story *story, const char *const *sets)
{
    static const char text[] =
        "{\"model\": {\"input\": [4], \"layers\": ["
        "{\"type\": \"linear\", \"name\": \"linear1\", \"out\": 8}, {\"type\": \"relu\", \"name\": \"act1\"}, "
        "{\"type\": \"linear\", \"name\": \"linear2\", \"out\": 8}, {\"type\": \"relu\", \"name\": \"act2\"}, "
        "{\"type\": \"linear\", \"name\": \"linear3\", \"out\": 4}]}, "
        "\"data\": {\"type\": \"blobs\", \"features\": 4, \"classes\": 4, \"samples\": 200}, \"loss\": \"cross_entropy\", "
        "\"optimizer\": {\"type\": \"adamw\", \"lr\": 0.01}, \"train\": {\"steps\": 400}}";
    const char *path = bench_file(story->bench, "story.json", text);
    int count = 0;
    while (sets && sets[count])
        count++;
    Config *config = config_read(story->bench->arena, path, sets, count, story->bench->err);
    if (!config)
        fail_msg("%s", error_message(story->bench->err, 0));
    story->evidence.config = config;
    story->evidence.data = data_facts_new(story->bench->arena, config);
}

Story story_new(void **state, const char *activation)
{
    Story story = {.bench = *state};
    story.record = record_new(story.bench->arena, "run", "gradtool run");
    for (int i = 0; i < PARAMETERS; i++) {
        RecordTensor *p = record_add_parameter(story.record, parameter_names[i]);
        p->rank = i == BIAS_3 ? 1 : 2;
        p->elements = i == BIAS_3 ? 4 : 32;
    }
    for (int i = 0; i < LAYERS; i++)
        record_add_layer(story.record, layer_names[i], i % 2 ? activation : "linear");
    return story;
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

void story_step(Story *story, int64_t step, const Said *said)
{
    Record *record = story->record;
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
    story->steps = step;
}

const Diagnosis *story_diagnose(Story *story)
{
    Arena *arena = story->bench->arena;
    if (story->steps) {
        record_end(story->record);
        story->record->planned = story->steps;
        story->evidence.record = story->record;
    }
    return diagnose(arena, &story->evidence, rule_settings_new(arena), NULL);
}

/* The first finding of one rule; NULL: there is none. */
static const Finding *judge(Story *story, const char *rule)
{
    const Diagnosis *diagnosis = story_diagnose(story);
    for (int i = 0; i < diagnosis->findings; i++)
        if (!strcmp(diagnosis->finding[i]->rule->name, rule))
            return diagnosis->finding[i];
    return NULL;
}

void assert_silent(Story *story, const char *rule)
{
    const Finding *finding = judge(story, rule);
    if (finding)
        fail_msg("%s fired: %s", rule, finding->message);
}

const Finding *assert_fires(Story *story, const char *rule, Severity severity)
{
    const Finding *finding = judge(story, rule);
    if (!finding)
        fail_msg("%s did not fire", rule);
    if (finding->severity != severity)
        fail_msg("%s: %s is %s", rule, finding->message, severity_name(finding->severity));
    return finding;
}

void story_run(Story *story, int64_t steps, void (*change)(Said *said, int64_t step))
{
    for (int64_t step = 1; step <= steps; step++) {
        Said said = healthy(step);
        if (change)
            change(&said, step);
        story_step(story, step, &said);
    }
}
