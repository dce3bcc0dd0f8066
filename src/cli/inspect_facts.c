#include <math.h>
#include <string.h>

#include "cli/inspect.h"

enum { SMALL_TENSOR = 64 };

static void count_values(DataFacts *facts, const Dataset *data)
{
    size_t inputs = data->samples * shape_count(data->input), targets = data->samples * shape_count(data->target);
    for (size_t i = 0; i < inputs; i++) {
        float x = data->inputs[i];
        if (!isfinite(x)) {
            facts->nonfinite++;
            continue;
        }
        facts->min = fmin(facts->min, x);
        facts->max = fmax(facts->max, x);
    }
    for (size_t i = 0; i < targets; i++) {
        float target = data->targets[i];
        if (!isfinite(target))
            facts->nonfinite++;
        else if (facts->classes && target >= 0 && target < (float)facts->classes) { /* -100 is ignored */
            facts->count[(size_t)target]++;
            facts->counted++;
        }
    }
}

DataFacts *inspect_data(Arena *arena, const Config *config)
{
    const Dataset *data = &config->data.training;
    DataFacts *facts = ARENA_NEW(arena, DataFacts);
    *facts = (DataFacts){.min = NAN, .max = NAN, .classes = data->target_classes};
    facts->count = ARENA_ARRAY(arena, size_t, facts->classes + 1);
    count_values(facts, data);
    return facts;
}

size_t inspect_layer_parameters(const Model *model, const Layer *layer)
{
    size_t count = 0;
    for (int i = 0; i < model->parameters; i++)
        if (!strcmp(model->parameter[i]->layer, layer_path(layer)))
            count += shape_count(model->parameter[i]->shape);
    return count;
}

bool inspect_shows_values(const Subject *subject, int index)
{
    return trainer_gradient(subject->trainer, index) &&
           (subject->wants_values || shape_count(subject->model->parameter[index]->shape) <= SMALL_TENSOR);
}

bool inspect_gradient(const Subject *subject, int index, Statistics *statistics)
{
    const float *gradient = trainer_gradient(subject->trainer, index);
    if (gradient)
        *statistics = statistics_of(variant_best(), gradient, shape_count(subject->model->parameter[index]->shape));
    return gradient != NULL;
}
