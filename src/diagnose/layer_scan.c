/* A layer's numbers are gone through sample by sample, in order: nothing depends on threads. */
#include "diagnose/layer_scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nn/layer.h"
#include "tensor/variant.h"

/* What a recurrent layer's state goes through; "" of other layers. */
static const char *nonlinearity(const Layer *layer)
{
    const Json *name = json_member(layer->json, "nonlinearity");
    return layer->type == &layer_rnn && name && name->string ? name->string : "";
}

void layer_scan_begin(LayerScan *scan, const Layer *layer, Arena *arena)
{
    const Shape shape = layer->output;
    *scan = (LayerScan){.output = statistics_empty(), .gradient = statistics_empty(), .low = 1, .high = -1, .inner = 1};
    scan->size = shape_count(shape);
    scan->units = (size_t)shape_last(shape);
    if (shape.rank == 3) { /* channels of images */
        scan->units = (size_t)shape.dim[0];
        scan->inner = scan->size / scan->units;
    }
    scan->is_relu = layer->type == &layer_relu || !strcmp(nonlinearity(layer), "relu");
    if (layer->type == &layer_sigmoid) {
        scan->low = 0.005;
        scan->high = 0.995;
    } else if (layer->type == &layer_tanh || layer->type == &layer_hardtanh || !strcmp(nonlinearity(layer), "tanh")) {
        scan->low = -0.99;
        scan->high = 0.99;
    }
    scan->alive = ARENA_ARRAY(arena, bool, scan->units);
    scan->deviation = ARENA_ARRAY(arena, double, scan->units);
    scan->mean = ARENA_ARRAY(arena, double, scan->size);
}

static void look_for_life(LayerScan *scan, const float *at, size_t count)
{
    for (const float *end = at + count; at < end;)
        for (size_t unit = 0; unit < scan->units; unit++, at += scan->inner)
            for (size_t i = 0; !scan->alive[unit] && i < scan->inner; i++)
                scan->alive[unit] = at[i] != 0;
}

static uint64_t count_saturated(const LayerScan *scan, const float *x, size_t count)
{
    const float low = (float)scan->low, high = (float)scan->high;
    uint64_t beyond = 0;
    for (size_t i = 0; i < count; i++)
        beyond += x[i] < low || x[i] > high;
    return beyond;
}

/* Two passes: what is the same for every sample has a deviation of exactly 0. */
static void add_deviation(LayerScan *scan, const float *output, size_t samples)
{
    memset(scan->mean, 0, sizeof *scan->mean * scan->size);
    for (size_t s = 0; s < samples; s++)
        for (size_t i = 0; i < scan->size; i++)
            scan->mean[i] += (double)output[s * scan->size + i];
    for (size_t i = 0; i < scan->size; i++)
        scan->mean[i] /= (double)samples;
    for (size_t s = 0; s < samples; s++) {
        const float *x = output + s * scan->size;
        const double *mean = scan->mean;
        for (const float *end = x + scan->size; x < end;)
            for (size_t unit = 0; unit < scan->units; unit++, x += scan->inner, mean += scan->inner) {
                double square = 0;
                for (size_t i = 0; i < scan->inner; i++)
                    square += ((double)x[i] - mean[i]) * ((double)x[i] - mean[i]);
                scan->deviation[unit] += square;
            }
    }
    scan->degrees += (double)(samples - 1) * (double)scan->size / (double)scan->units;
}

void layer_scan_add(LayerScan *scan, const float *output, const float *gradient, size_t samples)
{
    const size_t count = samples * scan->size;
    const Statistics seen = statistics_of(variant_best(), output, count);
    statistics_merge(&scan->output, &seen);
    if (scan->is_relu)
        look_for_life(scan, output, count);
    if (scan->low < scan->high)
        scan->saturated += count_saturated(scan, output, count);
    if (samples > 1)
        add_deviation(scan, output, samples);
    if (!gradient)
        return;
    const Statistics flow = statistics_of(variant_best(), gradient, count);
    statistics_merge(&scan->gradient, &flow);
    scan->has_gradient = true;
}

double layer_scan_dead(const LayerScan *scan)
{
    size_t dead = 0;
    for (size_t unit = 0; unit < scan->units; unit++)
        dead += !scan->alive[unit];
    return scan->is_relu ? (double)dead / (double)scan->units : NAN;
}

double layer_scan_saturated(const LayerScan *scan)
{
    return scan->low < scan->high ? (double)scan->saturated / (double)scan->output.count : NAN;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double layer_scan_unit_deviation(LayerScan *scan)
{
    const double rms = sqrt(scan->output.square / (double)scan->output.count);
    if (scan->degrees == 0 || !isfinite(rms))
        return NAN;
    qsort(scan->deviation, scan->units, sizeof *scan->deviation, by_size);
    const double low = sqrt(scan->deviation[(scan->units - 1) / 2] / scan->degrees),
                 high = sqrt(scan->deviation[scan->units / 2] / scan->degrees);
    return rms > 0 ? (low + high) / 2 / rms : 0;
}
