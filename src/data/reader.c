/* What the readers share. */
#include "data/reader.h"

#include <math.h>

#define PI 3.14159265358979323846

/* A class number, a token and a feature are below this; beyond 2^24 a float32 no longer tells them apart. */
enum { NUMBER_LIMIT = 1 << 24, IGNORED_TARGET = -100 };

static const float *largest(const float *values, size_t count)
{
    const float *top = values;
    for (size_t i = 1; i < count; i++)
        if (values[i] > *top)
            top = &values[i];
    return top;
}

bool reader_allocate(Arena *arena, const Json *object, Dataset *into, Error *err)
{
    if (into->samples == 0)
        return error_at(err, object, "the data have no samples");
    if (into->samples > UINT32_MAX)
        return error_at(err, object, "%zu samples are more than the %lu that can be told apart", into->samples,
                        (unsigned long)UINT32_MAX);
    size_t inputs = shape_count(into->input), targets = shape_count(into->target);
    if (inputs == 0 || targets == 0)
        return error_at(err, object, "the %s of a sample hold no numbers", inputs == 0 ? "inputs" : "targets");
    double bytes = ((double)inputs + (double)targets) * (double)into->samples * sizeof(float);
    if (bytes < (double)(SIZE_MAX / 4)) {
        into->inputs = arena_try(arena, inputs * into->samples * sizeof(float));
        into->targets = into->inputs ? arena_try(arena, targets * into->samples * sizeof(float)) : NULL;
    }
    if (into->targets)
        return true;
    error_at(err, object, "no memory for %zu samples: they take %.1f MiB", into->samples, bytes / 0x1p20);
    return error_hint(err, "fewer samples or smaller inputs take less");
}

bool reader_has(const Json *object, const char *key)
{
    const Json *value = json_member(object, key);
    return value && value->type != JSON_NULL;
}

bool reader_in_range(const Json *object, const char *key, int64_t value, int64_t low, int64_t high, Error *err)
{
    if (value >= low && value <= high)
        return true;
    return error_at(err, json_member(object, key), "`%s` must be from %lld to %lld, got %lld", key, (long long)low,
                    (long long)high, (long long)value);
}

/* One more than the largest class, or 0 when these are no class numbers. */
static int count_classes(const SampleArray *targets)
{
    if (targets->rank != 1 || !targets->integers)
        return 0;
    for (size_t i = 0; i < targets->samples; i++)
        if (targets->values[i] < 0 && targets->values[i] != IGNORED_TARGET)
            return 0;
    float top = *largest(targets->values, targets->samples);
    return top < 0 || top >= NUMBER_LIMIT ? 0 : (int)top + 1;
}

bool reader_pair(const SampleArray *inputs, const SampleArray *targets, Dataset *into, Error *err)
{
    const SampleArray *both[] = {inputs, targets};
    for (int i = 0; i < 2; i++)
        if (both[i]->samples == 0 || shape_count(both[i]->shape) == 0)
            return error_at(err, both[i]->place, "the %s hold no numbers", both[i]->what);
    if (inputs->samples != targets->samples)
        return error_at(err, targets->place, "there are %zu %s but %zu %s", inputs->samples, inputs->what, targets->samples,
                        targets->what);
    if (inputs->samples > UINT32_MAX)
        return error_at(err, inputs->place, "%zu samples are more than the %lu that can be told apart", inputs->samples,
                        (unsigned long)UINT32_MAX);
    into->samples = inputs->samples;
    into->input = inputs->rank == 1 ? SHAPE(1) : inputs->shape;
    into->target = targets->shape;
    into->target_classes = count_classes(targets);
    into->inputs = inputs->values;
    into->targets = targets->values;
    return true;
}

double draw_uniform(Draws *draws, double low, double high)
{
    return low + (high - low) * random_uniform(&draws->uniform, draws->uniforms++);
}

/* Box-Muller on the four words of a block, in single precision. random_normal takes a block for each number and its
 * functions in double: 60 ms instead of 24 for a thousand samples of 784, and a run should have started by then. */
double draw_normal(Draws *draws)
{
    unsigned next = draws->normals % 4;
    if (next == 0) {
        uint32_t words[4];
        random_block(&draws->normal, draws->normals / 4, words);
        for (int i = 0; i < 4; i += 2) {
            float radius = sqrtf(-2 * logf(((float)words[i] + 0.5f) * 0x1p-32f));
            float angle = (float)(2 * PI) * (float)words[i + 1] * 0x1p-32f;
            draws->ready[i] = radius * cosf(angle);
            draws->ready[i + 1] = radius * sinf(angle);
        }
    }
    draws->normals++;
    return (double)draws->ready[next];
}

int draw_below(Draws *draws, int bound)
{
    return (int)random_below(&draws->uniform, draws->uniforms++, (uint64_t)bound);
}

static bool check_limits(const Generator *options, const Json *object, Error *err)
{
    return reader_in_range(object, "samples", options->samples, 1, UINT32_MAX, err) &&
           reader_in_range(object, "classes", options->classes, 0, 1 << 16, err) &&
           reader_in_range(object, "features", options->features, 0, 1 << 24, err) &&
           reader_in_range(object, "length", options->length, 0, 1 << 24, err);
}

bool generator_run(Arena *arena, const Generator *options, const Json *object, uint64_t seed, GeneratorFill *fill,
                   Dataset *into, Error *err)
{
    if (!check_limits(options, object, err))
        return false;
    into->samples = (size_t)options->samples;
    if (!reader_allocate(arena, object, into, err))
        return false;
    uint64_t own_seed = reader_has(object, "seed") ? (uint64_t)options->seed : seed;
    size_t inputs = shape_count(into->input), targets = shape_count(into->target);
    for (size_t i = 0; i < into->samples; i++) {
        Draws draws = {.uniform = random_stream(own_seed, RANDOM_DATA, 2 * i),
                       .normal = random_stream(own_seed, RANDOM_DATA, 2 * i + 1)};
        fill(options, i, &draws, into->inputs + i * inputs, into->targets + i * targets);
    }
    return true;
}
