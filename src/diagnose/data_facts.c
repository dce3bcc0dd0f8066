/* Inputs feature by feature, then targets. */
#include "diagnose/data_facts.h"

#include <math.h>
#include <string.h>

#include "diagnose/class_facts.h"

/* A number of every sample, over those where it is finite. */
typedef struct Column {
    double count, sum, squares; /* squares of deviations from the mean */
    double low, high;
} Column;

/* Two passes: a running sum of squares loses the variance where the mean is much larger than the deviation. */
static Column *measure(const float *values, size_t samples, size_t size, bool negative_is_ignored, Arena *arena)
{
    Column *column = ARENA_ARRAY(arena, Column, size);
    for (size_t j = 0; j < size; j++)
        column[j] = (Column){.low = INFINITY, .high = -INFINITY};
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < samples; i++)
            for (size_t j = 0; j < size; j++) {
                Column *c = &column[j];
                const double x = (double)values[i * size + j];
                if (!isfinite(x) || (negative_is_ignored && x < 0))
                    continue;
                if (pass) {
                    c->squares += (x - c->sum / c->count) * (x - c->sum / c->count);
                    continue;
                }
                c->count++;
                c->sum += x;
                c->low = fmin(c->low, x);
                c->high = fmax(c->high, x);
            }
    return column;
}

static void find_nonfinite(DataFacts *facts, const float *values, size_t samples, size_t size, bool in_target)
{
    for (size_t i = 0; i < samples * size; i++) {
        if (isfinite(values[i]))
            continue;
        const NonfiniteCell cell = {i / size, i % size, in_target, (double)values[i]};
        if (!facts->nonfinite++ || cell.sample < facts->first_nonfinite.sample)
            facts->first_nonfinite = cell;
    }
}

static void describe_inputs(DataFacts *facts, const Dataset *data, Arena *scratch)
{
    const Column *column = measure(data->inputs, data->samples, facts->features, false, scratch);
    const double features = (double)facts->features;
    double square = 0, nonzero = 0, finite = 0, varying = 0, least = INFINITY, most = 0;
    size_t shifted = 0, constant = 0, zero = 0;
    for (size_t i = 0; i < data->samples * facts->features; i++) {
        const double x = (double)data->inputs[i];
        if (!isfinite(x))
            continue;
        square += x * x;
        nonzero += x != 0;
        finite++;
    }
    for (size_t j = 0; j < facts->features; j++) {
        const Column *c = &column[j];
        const double mean = c->sum / c->count, deviation = sqrt(c->squares / c->count);
        facts->min = fmin(facts->min, c->low);
        facts->max = fmax(facts->max, c->high);
        if (!(c->low < c->high)) {
            zero += c->count > 0 && c->low == 0;
            constant += c->count > 0 && c->low != 0;
            continue;
        }
        varying++;
        shifted += fabs(mean) > 3 * deviation;
        least = fmin(least, deviation);
        most = fmax(most, deviation);
    }
    facts->rms = sqrt(square / finite);
    facts->rms_nonzero = nonzero > 0 ? sqrt(square / nonzero) : 0;
    facts->zeros = 1 - nonzero / finite;
    facts->max_abs = fmax(fabs(facts->min), fabs(facts->max));
    facts->shifted_features = varying > 0 ? (double)shifted / varying : 0;
    facts->constant_features = (double)constant / features;
    facts->zero_features = (double)zero / features;
    facts->feature_spread = varying > 1 ? most / least : 1;
}

static void describe_targets(DataFacts *facts, const Dataset *data, Arena *scratch)
{
    const size_t size = shape_count(data->target);
    const Column *column = measure(data->targets, data->samples, size, facts->classes > 0, scratch);
    double sum = 0, count = 0, variance = 0, columns = 0;
    for (size_t j = 0; j < size; j++) {
        if (!(column[j].count > 0))
            continue;
        sum += column[j].sum;
        count += column[j].count;
        variance += column[j].squares / column[j].count;
        columns++;
        facts->target_min = fmin(facts->target_min, column[j].low);
        facts->target_max = fmax(facts->target_max, column[j].high);
    }
    facts->target_mean = sum / count;
    facts->target_variance = variance / columns;
}

/* Whether all targets are 0 or 1, one a sample. */
static bool is_binary(const Dataset *data)
{
    for (size_t i = 0; i < data->samples; i++)
        if (data->targets[i] != 0 && data->targets[i] != 1)
            return false;
    return shape_count(data->target) == 1;
}

/* Classes that class numbers are below; 0 where targets are numbers: a mean square of whole numbers knows no classes. */
static int count_classes(const Config *config)
{
    if (config->gan)
        return 0;
    const int classes = loss_classes(config->loss, config->model->output);
    const bool is_two = !strcmp(loss_name(config->loss), "bce_with_logits") && is_binary(&config->data.training);
    return is_two ? 2 : classes;
}

DataFacts *data_facts_new(Arena *arena, const Config *config)
{
    const Dataset *data = &config->data.training;
    DataFacts *facts = ARENA_NEW(arena, DataFacts);
    *facts = (DataFacts){.samples = data->samples,
                         .features = shape_count(data->input),
                         .is_tokens = data->tokens > 0 || config->model->tokens > 0,
                         .targets_are_integers = data->targets_are_integers};
    facts->rms = facts->rms_nonzero = facts->max_abs = facts->zeros = NAN;
    facts->min = facts->max = facts->target_min = facts->target_max = NAN;
    facts->shifted_features = facts->constant_features = facts->zero_features = facts->feature_spread = NAN;
    facts->entropy = facts->normalised_entropy = NAN;
    facts->batch_entropy = facts->shuffled_batch_entropy = facts->batch_entropy_deviation = NAN;
    Arena *scratch = arena_new(arena);
    find_nonfinite(facts, data->inputs, data->samples, facts->features, false);
    find_nonfinite(facts, data->targets, data->samples, shape_count(data->target), true);
    if (!facts->is_tokens)
        describe_inputs(facts, data, scratch);
    facts->classes = count_classes(config);
    describe_targets(facts, data, scratch);
    arena_free(scratch);
    if (facts->classes)
        class_facts_fill(facts, config, arena);
    return facts;
}
