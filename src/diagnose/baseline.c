#include "diagnose/baseline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diagnose/rule.h"

const double baseline_shares[BASELINE_QUANTILES] = {0.05, 0.25, 0.5, 0.75, 0.95};
enum { MEDIAN = 2 };

Baseline *baseline_new(Arena *arena)
{
    Baseline *baseline = ARENA_NEW(arena, Baseline);
    baseline->arena = arena;
    return baseline;
}

BaselineRun *baseline_next_run(Baseline *baseline)
{
    if (baseline->runs == baseline->capacity) {
        int larger = baseline->capacity ? 2 * baseline->capacity : 4;
        baseline->run = arena_grow(baseline->arena, baseline->run, sizeof *baseline->run * (size_t)baseline->capacity,
                                   sizeof *baseline->run * (size_t)larger);
        baseline->capacity = larger;
    }
    return &baseline->run[baseline->runs++];
}

static int compare_numbers(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of sorted values, by linear interpolation. */
static double quantile_of(const double sorted[], int count, double share)
{
    double place = share * (count - 1);
    int below = (int)floor(place);
    double part = place - below;
    return below + 1 < count ? sorted[below] * (1 - part) + sorted[below + 1] * part : sorted[count - 1];
}

static void measure(Arena *scratch, RecordSeries series, BaselineTensor *tensor)
{
    double *decades = ARENA_ARRAY(scratch, double, series.count);
    int count = 0;
    for (int i = 0; i < series.count; i++)
        if (isfinite(series.value[i]) && series.value[i] > 0)
            decades[count++] = log10(series.value[i]);
    tensor->count = count;
    if (!count)
        return;
    qsort(decades, (size_t)count, sizeof *decades, compare_numbers);
    for (int k = 0; k < BASELINE_QUANTILES; k++)
        tensor->quantile[k] = quantile_of(decades, count, baseline_shares[k]);
    for (int i = 0; i < count; i++)
        decades[i] = fabs(decades[i] - tensor->quantile[MEDIAN]);
    qsort(decades, (size_t)count, sizeof *decades, compare_numbers);
    tensor->deviation = 1.4826 * quantile_of(decades, count, 0.5);
}

BaselineTensor *baseline_measure(Arena *arena, const Record *record, BaselineTrack track, int *count)
{
    const bool is_gradient = track == BASELINE_GRADIENTS;
    const RecordTensor *of = is_gradient ? record->parameter : record->layer;
    *count = is_gradient ? record->parameters : record->layers;
    BaselineTensor *tensors = ARENA_ARRAY(arena, BaselineTensor, *count);
    for (int i = 0; i < *count; i++) {
        Arena *scratch = arena_new(arena);
        tensors[i].name = of[i].name;
        if (!of[i].is_mean)
            measure(scratch, record_track(record, is_gradient ? RECORD_GRADIENT_NORM : RECORD_FLOW, i), &tensors[i]);
        arena_free(scratch);
    }
    return tensors;
}

void baseline_add_run(Baseline *baseline, const char *name, Finding *const findings[], int count, const Record *record)
{
    Arena *arena = baseline->arena;
    BaselineRun *run = baseline_next_run(baseline);
    *run = (BaselineRun){.name = arena_strdup(arena, name), .steps = record ? record->steps : 0, .findings = count};
    run->finding = ARENA_ARRAY(arena, BaselineFinding, count);
    for (int i = 0; i < count; i++) {
        const Finding *finding = findings[i];
        BaselineFinding *kept = &run->finding[i];
        *kept = (BaselineFinding){.rule = finding->rule->name,
                                  .place = arena_strdup(arena, finding->blame ? finding->blame : ""),
                                  .fingerprint = arena_strdup(arena, finding->fingerprint),
                                  .severity = finding->severity,
                                  .layer_count = finding->layer_count};
        kept->layers = ARENA_ARRAY(arena, const char *, finding->layer_count);
        for (int k = 0; k < finding->layer_count; k++)
            kept->layers[k] = arena_strdup(arena, finding->layers[k]);
    }
    for (int track = 0; record && track < BASELINE_TRACKS; track++) {
        run->tensor[track] = baseline_measure(arena, record, (BaselineTrack)track, &run->tensors[track]);
        for (int i = 0; i < run->tensors[track]; i++)
            run->tensor[track][i].name = arena_strdup(arena, run->tensor[track][i].name);
    }
}

static bool has_layer(const BaselineFinding *known, const char *layer)
{
    for (int i = 0; i < known->layer_count; i++)
        if (!strcmp(known->layers[i], layer))
            return true;
    return false;
}

static bool covers(const BaselineFinding *known, const Finding *finding)
{
    if (strcmp(known->rule, finding->rule->name) != 0 || strcmp(known->place, finding->blame ? finding->blame : "") != 0 ||
        known->severity < finding->severity)
        return false;
    for (int i = 0; i < finding->layer_count; i++)
        if (!has_layer(known, finding->layers[i]))
            return false;
    return true;
}

bool baseline_knows(const Baseline *baseline, const Finding *finding)
{
    for (int r = 0; baseline && r < baseline->runs; r++)
        for (int i = 0; i < baseline->run[r].findings; i++)
            if (covers(&baseline->run[r].finding[i], finding))
                return true;
    return false;
}

static const BaselineTensor *find_tensor(const BaselineRun *run, BaselineTrack track, int guess, const char *name)
{
    const BaselineTensor *tensors = run->tensor[track];
    if (guess < run->tensors[track] && !strcmp(tensors[guess].name, name))
        return tensors[guess].count ? &tensors[guess] : NULL;
    for (int i = 0; i < run->tensors[track]; i++)
        if (!strcmp(tensors[i].name, name))
            return tensors[i].count ? &tensors[i] : NULL;
    return NULL;
}

/* The median of the runs' medians, and the variance between them; of one run the square of its own deviation. */
static double between_runs(const Baseline *baseline, BaselineTrack track, const BaselineTensor *tensor, int index,
                           double medians[], BaselineBand *band)
{
    double sum = 0, squares = 0, own = 0;
    *band = (BaselineBand){0};
    for (int r = 0; r < baseline->runs; r++) {
        const BaselineTensor *of = find_tensor(&baseline->run[r], track, index, tensor->name);
        if (!of)
            continue;
        medians[band->runs++] = of->quantile[MEDIAN];
        sum += of->quantile[MEDIAN];
        own = of->deviation;
    }
    if (!band->runs)
        return 0;
    for (int r = 0; r < band->runs; r++)
        squares += (medians[r] - sum / band->runs) * (medians[r] - sum / band->runs);
    qsort(medians, (size_t)band->runs, sizeof *medians, compare_numbers);
    band->median = quantile_of(medians, band->runs, 0.5);
    return band->runs > 1 ? squares / (band->runs - 1) : own * own;
}

void baseline_expect(const Baseline *baseline, BaselineTrack track, const BaselineTensor tensors[], int count,
                     BaselineBand bands[])
{
    Arena *scratch = arena_new(baseline->arena);
    double *medians = ARENA_ARRAY(scratch, double, baseline->runs), *variance = ARENA_ARRAY(scratch, double, count);
    double weights = 0, squares = 0;
    for (int i = 0; i < count; i++) {
        variance[i] = between_runs(baseline, track, &tensors[i], i, medians, &bands[i]);
        if (bands[i].runs > 1) {
            weights += bands[i].runs - 1;
            squares += (bands[i].runs - 1) * variance[i];
        }
    }
    for (int i = 0; i < count; i++) {
        int freedom = bands[i].runs - 1;
        if (freedom < 1) {
            bands[i].deviation = sqrt(variance[i]);
            continue;
        }
        double drawn = (BASELINE_PRIOR * squares / weights + freedom * variance[i]) / (BASELINE_PRIOR + freedom);
        bands[i].deviation = sqrt(drawn * (1 + 1.0 / bands[i].runs));
    }
    arena_free(scratch);
}
