#include "diagnose/record.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "diagnose/spike_window.h"
#include "diagnose/step_table.h"
#include "monitor/run_line.h"

/* The bins reach beyond every exponent of float32; what a double has beyond either end is counted at the end. */
enum { BINS_FIRST = -150, BINS = 280, WARM_UP = 20, SHORTEST_WINDOW = 16 };
/* Numbers of tensors that are kept in all, 32 MB, unless there are so many tensors that each would have less than POINTS_LEAST.
 */
enum { CELL_LIMIT = 4000000, POINTS_LEAST = 48 };

struct RecordStore {
    Arena *arena;
    int parameter_capacity, layer_capacity;
    StepTable *scalars, *tracks, *evaluations; /* tracks: once the tensors are known */
    bool has_scalar[RECORD_SCALARS], has_track[RECORD_TRACKS];
    SpikeWindow loss_window, norm_window;
    RecordSpikes loss_spikes, norm_spikes;
    int64_t skips_in_row;
    /* The step that is being filled. */
    int64_t step;
    bool is_open, scaler_skipped, has_nonfinite;
    const double *scalar_row, *track_row; /* NULL when it has none */
    bool *nonfinite;                      /* gradients of parameters, outputs of layers, their gradients */
};

Record *record_new(Arena *arena, const char *source, const char *kind)
{
    Record *record = ARENA_NEW(arena, Record);
    RecordStore *store = ARENA_NEW(arena, RecordStore);
    *record = (Record){.source = arena_strdup(arena, source),
                       .kind = arena_strdup(arena, kind),
                       .name = "",
                       .summary = "",
                       .warning = "",
                       .loss = "",
                       .status = "",
                       .initial_loss = NAN,
                       .scaler = {.lowest_scale = NAN, .last_scale = NAN},
                       .clip = {.type = "", .limit = NAN},
                       .nonfinite = {.where = "", .phase = "", .kind = "", .op = "", .layer = "", .cause = ""},
                       .store = store};
    store->arena = arena;
    store->scalars = step_table_new(arena, RECORD_SCALARS, RECORD_STEPS);
    store->evaluations = step_table_new(arena, 2, RECORD_STEPS);
    store->loss_window = store->norm_window = spike_window_new(RECORD_WINDOW, RECORD_WINDOW / 2);
    return record;
}

static RecordTensor *add_tensor(Arena *arena, RecordTensor **list, int *count, int *capacity, const char *name)
{
    if (*count == *capacity) {
        int more = *capacity ? 2 * *capacity : 16;
        *list = arena_grow(arena, *list, (size_t)*count * sizeof **list, (size_t)more * sizeof **list);
        *capacity = more;
    }
    RecordTensor *tensor = &(*list)[(*count)++];
    *tensor = (RecordTensor){.name = arena_strdup(arena, name), .layer = "", .type = ""};
    return tensor;
}

RecordTensor *record_add_parameter(Record *record, const char *name)
{
    RecordStore *store = record->store;
    assert(!store->tracks);
    return add_tensor(store->arena, &record->parameter, &record->parameters, &store->parameter_capacity, name);
}

RecordTensor *record_add_layer(Record *record, const char *name, const char *type)
{
    RecordStore *store = record->store;
    assert(!store->tracks);
    RecordTensor *layer = add_tensor(store->arena, &record->layer, &record->layers, &store->layer_capacity, name);
    layer->type = arena_strdup(store->arena, type);
    return layer;
}

static int column_of(const Record *record, RecordTrack track, int index)
{
    bool of_layer = track >= RECORD_OF_LAYERS;
    assert(index >= 0 && index < (of_layer ? record->layers : record->parameters));
    return of_layer ? RECORD_OF_LAYERS * record->parameters + ((int)track - RECORD_OF_LAYERS) * record->layers + index
                    : (int)track * record->parameters + index;
}

/* So many tensors that the columns do not fit an int are refused by the readers' memory long before. */
static StepTable *tracks_of(Record *record)
{
    RecordStore *store = record->store;
    if (!store->tracks) {
        int columns = RECORD_OF_LAYERS * record->parameters + (RECORD_TRACKS - RECORD_OF_LAYERS) * record->layers;
        int limit = RECORD_POINTS;
        while (limit > POINTS_LEAST && (int64_t)limit * columns > CELL_LIMIT)
            limit = limit * 3 / 4 / 2 * 2;
        store->tracks = step_table_new(store->arena, columns, limit);
        store->nonfinite = ARENA_ARRAY(store->arena, bool, record->parameters + 2 * record->layers);
    }
    return store->tracks;
}

static void count_scalar(int64_t *seen, int64_t *nonfinite, int64_t *first, RecordStore *store, double value)
{
    if (run_is_missing(value))
        return;
    ++*seen;
    if (isfinite(value) || store->scaler_skipped)
        return;
    if (++*nonfinite == 1)
        *first = store->step;
}

static void count_scalars(Record *record)
{
    RecordStore *store = record->store;
    double loss = store->scalar_row[RECORD_LOSS], norm = store->scalar_row[RECORD_GRAD_NORM];
    if (record->seen_losses == 0 && !run_is_missing(loss))
        record->initial_loss = loss;
    count_scalar(&record->seen_losses, &record->nonfinite_losses, &record->first_nonfinite_loss, store, loss);
    count_scalar(&record->seen_norms, &record->nonfinite_norms, &record->first_nonfinite_norm, store, norm);
    spike_window_add(&store->loss_window, &store->loss_spikes, store->step, loss);
    spike_window_add(&store->norm_window, &store->norm_spikes, store->step, norm);
}

static void count_updates(Record *record)
{
    RecordStore *store = record->store;
    const double *scalar = store->scalar_row;
    if (!scalar || !(scalar[RECORD_RATE] > 0) || scalar[RECORD_SKIPPED] == 1)
        return;
    for (int i = 0; i < record->parameters; i++) {
        double ratio = store->track_row[column_of(record, RECORD_UPDATE_RATIO, i)];
        double norm = store->track_row[column_of(record, RECORD_GRADIENT_NORM, i)];
        if (run_is_missing(ratio) || !(norm > RECORD_ROUNDING * scalar[RECORD_GRAD_NORM]) || !(norm > 0))
            continue;
        RecordTensor *parameter = &record->parameter[i];
        parameter->updates++;
        if (ratio == 0 && ++parameter->unchanged == 1)
            parameter->first_unchanged = store->step;
    }
}

static void count_nonfinite(Record *record)
{
    RecordStore *store = record->store;
    const bool *flag = store->nonfinite;
    for (int i = 0; i < record->parameters && !store->scaler_skipped; i++)
        if (flag[i] && ++record->parameter[i].nonfinite == 1)
            record->parameter[i].first_nonfinite = store->step;
    for (int i = 0; i < record->layers; i++) {
        RecordTensor *layer = &record->layer[i];
        if (flag[record->parameters + i] && ++layer->nonfinite == 1)
            layer->first_nonfinite = store->step;
        if (flag[record->parameters + record->layers + i] && !store->scaler_skipped && ++layer->flow_nonfinite == 1)
            layer->first_flow_nonfinite = store->step;
    }
    memset(store->nonfinite, 0, ((size_t)record->parameters + 2 * (size_t)record->layers) * sizeof *store->nonfinite);
    store->has_nonfinite = false;
}

static void end_step(Record *record)
{
    RecordStore *store = record->store;
    if (!store->is_open)
        return;
    store->is_open = false;
    if (store->scalar_row)
        count_scalars(record);
    if (store->track_row)
        count_updates(record);
    if (store->has_nonfinite)
        count_nonfinite(record);
    if (store->scalar_row || store->track_row) {
        if (record->steps++ == 0)
            record->first_step = store->step;
        record->last_step = store->step;
    }
    step_table_end_row(store->scalars);
    if (store->tracks)
        step_table_end_row(store->tracks);
}

/* False for a step that is over. */
static bool open_step(Record *record, int64_t step)
{
    RecordStore *store = record->store;
    if (store->is_open && step == store->step)
        return true;
    bool is_first = !store->is_open && record->steps == 0;
    if (!is_first && step <= store->step)
        return false;
    end_step(record);
    store->is_open = true;
    store->step = step;
    store->scaler_skipped = false;
    store->scalar_row = store->track_row = NULL;
    return true;
}

void record_add_scalar(Record *record, RecordScalar scalar, int64_t step, double value)
{
    RecordStore *store = record->store;
    if (run_is_missing(value) || !open_step(record, step))
        return;
    double *row = step_table_row(store->scalars, step);
    row[scalar] = value;
    store->scalar_row = row;
    store->has_scalar[scalar] = true;
}

void record_add_value(Record *record, RecordTrack track, int index, int64_t step, double value)
{
    RecordStore *store = record->store;
    if (run_is_missing(value) || !open_step(record, step))
        return;
    double *row = step_table_row(tracks_of(record), step);
    row[column_of(record, track, index)] = value;
    store->track_row = row;
    store->has_track[track] = true;
    if (track == RECORD_GRADIENT_NORM)
        record->parameter[index].has_gradient = true;
    else if (track == RECORD_FLOW)
        record->layer[index].has_gradient = true;
}

void record_add_nonfinite(Record *record, RecordTrack of, int index, int64_t step)
{
    if (!open_step(record, step))
        return;
    tracks_of(record);
    int base = of == RECORD_GRADIENT_NORM     ? 0
               : of == RECORD_ACTIVATION_MEAN ? record->parameters
                                              : record->parameters + record->layers;
    record->store->nonfinite[base + index] = true;
    record->store->has_nonfinite = true;
}

void record_add_clip(Record *record, int64_t step, const char *type, double after)
{
    RecordClip *clip = &record->clip;
    if (!open_step(record, step))
        return;
    if (clip->events == 0) {
        clip->type = arena_strdup(record->store->arena, type);
        clip->first_step = step;
    }
    clip->events += clip->events == 0 || step != clip->last_step;
    clip->last_step = step;
    if (isfinite(after) && !(clip->limit <= after))
        clip->limit = after;
}

void record_add_scaler(Record *record, int64_t step, double scale, bool skipped)
{
    RecordStore *store = record->store;
    RecordScaler *scaler = &record->scaler;
    if (!open_step(record, step))
        return;
    scaler->events++;
    store->scaler_skipped |= skipped;
    store->skips_in_row = skipped ? store->skips_in_row + 1 : 0;
    if (skipped) {
        if (scaler->skips++ == 0)
            scaler->first_skip = step;
        scaler->last_skip = step;
        scaler->skips_after_warmup += step > WARM_UP && step > record->planned / 50;
    }
    if (store->skips_in_row > scaler->longest_skips)
        scaler->longest_skips = store->skips_in_row;
    if (!isfinite(scale))
        return;
    scaler->last_scale = scale;
    if (!(scaler->lowest_scale <= scale))
        scaler->lowest_scale = scale;
    if (scale <= 1 && scaler->first_floor == 0)
        scaler->first_floor = step;
}

void record_add_histogram(Record *record, int parameter, int first, const double counts[], int count)
{
    RecordTensor *tensor = &record->parameter[parameter];
    double *bins = tensor->histogram ? tensor->histogram + (BINS_FIRST - tensor->histogram_first) : NULL;
    if (!bins)
        bins = ARENA_ARRAY(record->store->arena, double, BINS);
    int low = tensor->histogram ? tensor->histogram_first - BINS_FIRST : BINS;
    int high = tensor->histogram ? low + tensor->histogram_bins : 0;
    for (int i = 0; i < count; i++) {
        if (!(counts[i] > 0) || isinf(counts[i]))
            continue;
        int bin = first + i - BINS_FIRST;
        bin = bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin;
        bins[bin] += counts[i];
        low = bin < low ? bin : low;
        high = bin + 1 > high ? bin + 1 : high;
    }
    if (high == 0)
        return;
    tensor->histogram = bins + low;
    tensor->histogram_first = BINS_FIRST + low;
    tensor->histogram_bins = high - low;
}

void record_add_evaluation(Record *record, int64_t step, double loss, double accuracy)
{
    StepTable *table = record->store->evaluations;
    double *row = step_table_row(table, step);
    if (!row)
        return;
    if (!run_is_missing(loss))
        row[0] = loss;
    if (!run_is_missing(accuracy))
        row[1] = accuracy;
}

/* What was counted as it passed; a run that is shorter than two windows is looked at again with what fits into it. */
static RecordSpikes spikes_of(RecordSeries series, int64_t seen, const RecordSpikes *counted)
{
    if (seen >= 2 * RECORD_WINDOW || seen < 2 * SHORTEST_WINDOW)
        return *counted;
    int size = (int)seen / 2, minimum = size / 2 > SHORTEST_WINDOW ? size / 2 : SHORTEST_WINDOW;
    SpikeWindow window = spike_window_new(size, minimum);
    RecordSpikes spikes = {0};
    for (int i = 0; i < series.count; i++)
        spike_window_add(&window, &spikes, series.step[i], series.value[i]);
    return spikes;
}

void record_end(Record *record)
{
    const RecordStore *store = record->store;
    end_step(record);
    step_table_end_row(store->evaluations);
    record->points = store->tracks ? step_table_count(store->tracks) : 0;
    record->evaluation = (RecordEvaluations){
        .step = step_table_steps(store->evaluations),
        .loss = step_table_column(store->evaluations, 0),
        .accuracy = step_table_column(store->evaluations, 1),
        .count = step_table_count(store->evaluations),
    };
    record->loss_spikes = spikes_of(record_scalar(record, RECORD_LOSS), record->seen_losses, &store->loss_spikes);
    record->norm_spikes = spikes_of(record_scalar(record, RECORD_GRAD_NORM), record->seen_norms, &store->norm_spikes);
}

static RecordSeries series_of(const StepTable *table, int column)
{
    return (RecordSeries){step_table_steps(table), step_table_column(table, column), step_table_count(table)};
}

RecordSeries record_scalar(const Record *record, RecordScalar scalar)
{
    const RecordStore *store = record->store;
    return store->has_scalar[scalar] ? series_of(store->scalars, (int)scalar) : (RecordSeries){0};
}

RecordSeries record_track(const Record *record, RecordTrack track, int index)
{
    return record_has(record, track) ? series_of(record->store->tracks, column_of(record, track, index)) : (RecordSeries){0};
}

bool record_has(const Record *record, RecordTrack track)
{
    return record->store->has_track[track];
}
