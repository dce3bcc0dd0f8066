/* The first value that does not fit. */
#include "train/data_check.h"

#include <math.h>

static bool is_whole(float value)
{
    return floorf(value) == value && !isinf(value);
}

bool data_check_tokens(const Dataset *data, const char *what, int tokens, const Json *place, Error *err)
{
    const size_t size = shape_count(data->input), count = data->samples * size;
    for (size_t i = 0; i < count; i++) {
        const float value = data->inputs[i];
        if (is_whole(value) && value >= 0 && value < (float)tokens)
            continue;
        error_at(err, place,
                 "input %zu of %s sample %zu is %g, which is no token of the model: they are whole numbers from 0 to %d",
                 i % size, what, i / size, (double)value, tokens - 1);
        return is_whole(value) && value >= 0 ? error_hint(err, "the model's `tokens` must be above the largest token")
                                             : error_hint(err, "samples and inputs are counted from 0");
    }
    return true;
}

bool data_check_classes(const Dataset *data, const char *what, int classes, const Json *place, Error *err)
{
    const size_t size = shape_count(data->target), count = data->samples * size;
    for (size_t i = 0; i < count; i++) {
        const float value = data->targets[i];
        if (is_whole(value) && value < (float)classes)
            continue;
        error_at(err, place, "target %zu of %s sample %zu is %g, which is no class: the model's output has classes 0 to %d",
                 i % size, what, i / size, (double)value, classes - 1);
        return error_hint(err, is_whole(value) ? "the last layer's `out` must be above the largest class"
                                               : "samples and targets are counted from 0");
    }
    return true;
}
