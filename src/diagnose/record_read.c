/* A run folder's log as a record.
 *
 * A log whose steps fall (a run that was resumed by appending to it) is read once more: only then is it known which lines were
 * replaced by later ones. */
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "diagnose/record.h"
#include "monitor/run_reader.h"

/* From this line on, the steps from `step` on are told anew. */
typedef struct Fall {
    long line;
    int64_t step;
} Fall;

struct RecordFollower {
    Arena *arena, *life; /* life: of one reading from the beginning */
    const char *folder, *log;
    RunReader *reader;
    Record *record;
    Fall *fall;
    int64_t *least; /* the smallest step of this and all later falls */
    int falls, capacity;
    int next_fall;        /* the first one behind the line that is being read */
    bool is_outdated;     /* a fall was found in this reading: it only looks for more */
    int64_t step, logged; /* of the last event of training, and of the last `step` event; -1: none yet */
    int parameter;        /* of the last histogram: they come in the order of the parameters */
};

static void make_tensors(RecordFollower *follower)
{
    const RunHeader *run = run_reader_header(follower->reader);
    Record *record = follower->record;
    record->name = run->name;
    record->loss = run->loss;
    record->planned = run->steps;
    record->outputs = run->layer_count ? run->layers[run->layer_count - 1].channels : 0;
    for (int i = 0; i < run->parameter_count; i++) {
        RecordTensor *parameter = record_add_parameter(record, run->parameters[i].name);
        parameter->layer = run->parameters[i].layer;
        parameter->rank = run->parameters[i].rank;
        parameter->elements = run->parameters[i].elements;
    }
    for (int i = 0; i < run->layer_count; i++)
        record_add_layer(record, run->layers[i].name, run->layers[i].type);
}

static bool restart(RecordFollower *follower, Error *err)
{
    arena_free(follower->life);
    follower->life = arena_new(follower->arena);
    follower->reader = run_reader_open(follower->life, follower->folder, err);
    if (!follower->reader)
        return false;
    follower->record = record_new(follower->life, follower->folder, "gradtool run");
    follower->step = follower->logged = -1;
    follower->next_fall = 0;
    follower->is_outdated = false;
    make_tensors(follower);
    return true;
}

RecordFollower *record_follow(Arena *arena, const char *folder, Error *err)
{
    RecordFollower *follower = ARENA_NEW(arena, RecordFollower);
    follower->arena = arena;
    follower->folder = arena_strdup(arena, folder);
    follower->log = path_join(arena, folder, "log.jsonl");
    return restart(follower, err) ? follower : NULL;
}

static bool is_of_training(RunEventKind kind)
{
    return kind == RUN_EVENT_STEP || kind == RUN_EVENT_ARRAYS || kind == RUN_EVENT_HISTOGRAM || kind == RUN_EVENT_ACCUMULATE ||
           kind == RUN_EVENT_CLIP || kind == RUN_EVENT_SCALER || kind == RUN_EVENT_HOOK;
}

static void add_fall(RecordFollower *follower, Fall fall)
{
    if (follower->falls == follower->capacity) {
        int more = follower->capacity ? 2 * follower->capacity : 8;
        size_t count = (size_t)follower->falls;
        follower->fall = arena_grow(follower->arena, follower->fall, count * sizeof(Fall), (size_t)more * sizeof(Fall));
        follower->least = ARENA_ARRAY(follower->arena, int64_t, more);
        follower->capacity = more;
    }
    follower->fall[follower->falls++] = fall;
    follower->is_outdated = true;
}

static void look_for_fall(RecordFollower *follower, const RunEvent *event)
{
    if (!is_of_training(event->kind) || event->step < 0)
        return;
    bool is_step = event->kind == RUN_EVENT_STEP;
    bool falls = event->step < follower->step || (is_step && event->step <= follower->logged);
    bool is_known = follower->falls > 0 && event->line <= follower->fall[follower->falls - 1].line;
    if (falls && !is_known)
        add_fall(follower, (Fall){event->line, event->step});
    follower->step = event->step;
    if (is_step || falls)
        follower->logged = is_step ? event->step : event->step - 1;
}

static bool is_replaced(RecordFollower *follower, const RunEvent *event)
{
    while (follower->next_fall < follower->falls && follower->fall[follower->next_fall].line <= event->line)
        follower->next_fall++;
    return follower->next_fall < follower->falls && event->step >= follower->least[follower->next_fall];
}

static void take_step(Record *record, const RunEvent *event)
{
    RunStep step = run_event_step(event);
    record_add_scalar(record, RECORD_LOSS, step.step, step.loss);
    record_add_scalar(record, RECORD_RATE, step.step, step.lr);
    record_add_scalar(record, RECORD_GRAD_NORM, step.step, step.grad_norm);
    record_add_scalar(record, RECORD_CLIPPED_NORM, step.step, step.clipped_norm);
    record_add_scalar(record, RECORD_SCALE, step.step, step.scale);
    record_add_scalar(record, RECORD_SKIPPED, step.step, step.skipped);
    record->status = "";
}

/* What two arrays say of a tensor together; `second` may be absent. */
typedef double Combine(double first, double second);

static double only(double first, double second)
{
    (void)second;
    return first;
}

static double root_mean_square(double mean, double deviation)
{
    return hypot(mean, deviation);
}

/* The larger magnitude; what is not finite wins over what is. */
static double larger_magnitude(double least, double greatest)
{
    return isnan(least) || isnan(greatest) ? NAN : fmax(fabs(least), fabs(greatest));
}

typedef struct TrackSource {
    const char *event, *first, *second;
    Combine *combine;
    RecordTrack track;
} TrackSource;

static const TrackSource sources[] = {
    {"gradients", "norm", NULL, only, RECORD_GRADIENT_NORM},
    {"gradients", "std", NULL, only, RECORD_GRADIENT_STD},
    {"gradients", "zeros", NULL, only, RECORD_GRADIENT_ZEROS},
    {"updates", "ratio", NULL, only, RECORD_UPDATE_RATIO},
    {"updates", "weight_norm", NULL, only, RECORD_WEIGHT_NORM},
    {"activations", "mean", NULL, only, RECORD_ACTIVATION_MEAN},
    {"activations", "std", NULL, only, RECORD_ACTIVATION_STD},
    {"activations", "zeros", NULL, only, RECORD_ACTIVATION_ZEROS},
    {"activations", "min", "max", larger_magnitude, RECORD_ACTIVATION_MAX},
    {"activation_gradients", "mean", "std", root_mean_square, RECORD_FLOW},
    {"activation_gradients", "zeros", NULL, only, RECORD_FLOW_ZEROS},
};

static void take_track(Record *record, const RunEvent *event, const TrackSource *source)
{
    int count, seconds = 0;
    const double *first = run_event_numbers(event, source->first, &count);
    const double *second = source->second ? run_event_numbers(event, source->second, &seconds) : first;
    if (source->second && seconds != count)
        return;
    for (int i = 0; i < count; i++)
        if (!run_is_missing(first[i]) && !run_is_missing(second[i]))
            record_add_value(record, source->track, i, event->step, source->combine(first[i], second[i]));
}

/* Through time: the gates' gradient at the first position over that at the last. */
static void take_times(Record *record, const RunEvent *event)
{
    int count = 0;
    const double *rms = run_event_numbers(event, "delta_rms", &count);
    const char *name = run_event_string(event, "name");
    for (int i = 0; rms && name && count > 1 && i < record->layers; i++)
        if (!strcmp(record->layer[i].name, name) && rms[count - 1] > 0)
            record_add_value(record, RECORD_TIME_RATIO, i, event->step, rms[0] / rms[count - 1]);
}

static void take_arrays(Record *record, const RunEvent *event)
{
    bool is_known = false;
    if (!strcmp(event->name, "time_gradients")) {
        take_times(record, event);
        return;
    }
    RecordTrack of = RECORD_GRADIENT_NORM;
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        if (strcmp(event->name, sources[i].event) != 0)
            continue;
        take_track(record, event, &sources[i]);
        if (!is_known)
            of = sources[i].track;
        is_known = true;
    }
    int count;
    const double *nonfinite = run_event_numbers(event, "nonfinite", &count);
    for (int i = 0; is_known && i < count; i++)
        if (nonfinite[i] > 0)
            record_add_nonfinite(record, of, i, event->step);
}

static void take_histogram(RecordFollower *follower, const RunEvent *event)
{
    Record *record = follower->record;
    RunHistogram histogram = run_event_histogram(event);
    if (strcmp(histogram.of, "gradients") != 0)
        return;
    for (int i = 0; i < record->parameters; i++) {
        int index = (follower->parameter + 1 + i) % record->parameters;
        if (strcmp(record->parameter[index].name, histogram.name) != 0)
            continue;
        record_add_histogram(record, index, histogram.first, histogram.counts, histogram.count);
        follower->parameter = index;
        return;
    }
}

static const char *copy_text(Arena *arena, const RunEvent *event, const char *key)
{
    const char *text = run_event_string(event, key);
    return text ? arena_strdup(arena, text) : "";
}

static void take_nonfinite(RecordFollower *follower, const RunEvent *event)
{
    if (follower->record->nonfinite.step != 0)
        return;
    follower->record->nonfinite = (RecordNonfinite){
        .step = event->step,
        .where = copy_text(follower->life, event, "where"),
        .phase = copy_text(follower->life, event, "phase"),
        .kind = copy_text(follower->life, event, "kind"),
        .op = copy_text(follower->life, event, "op"),
        .layer = copy_text(follower->life, event, "layer"),
        .cause = copy_text(follower->life, event, "cause"),
        .inputs_finite = run_event_number(event, "inputs_finite") == 1,
    };
}

static void take(RecordFollower *follower, const RunEvent *event)
{
    Record *record = follower->record;
    const char *text;
    switch (event->kind) {
    case RUN_EVENT_STEP:
        take_step(record, event);
        break;
    case RUN_EVENT_ARRAYS:
        take_arrays(record, event);
        break;
    case RUN_EVENT_HISTOGRAM:
        take_histogram(follower, event);
        break;
    case RUN_EVENT_CLIP:
        text = run_event_string(event, "type");
        record_add_clip(record, event->step, text ? text : "", run_event_number(event, "after"));
        break;
    case RUN_EVENT_SCALER:
        record_add_scaler(record, event->step, run_event_number(event, "scale"), run_event_number(event, "skipped") == 1);
        break;
    case RUN_EVENT_NONFINITE:
        take_nonfinite(follower, event);
        break;
    case RUN_EVENT_EVAL:
        record_add_evaluation(record, event->step, run_event_number(event, "loss"), run_event_number(event, "accuracy"));
        break;
    case RUN_EVENT_END:
        record->status = copy_text(follower->life, event, "status");
        break;
    default:
        break;
    }
}

static bool read_to_end(RecordFollower *follower, Error *err)
{
    RunEvent event;
    for (;;) {
        if (!run_reader_next(follower->reader, &event, err))
            return false;
        if (event.kind == RUN_EVENT_NONE)
            return true;
        look_for_fall(follower, &event);
        bool is_placed = event.step >= 0 || event.kind == RUN_EVENT_END;
        if (!follower->is_outdated && is_placed && !is_replaced(follower, &event))
            take(follower, &event);
    }
}

/* The log was cut back, as resuming does, or is another file. */
static bool has_shrunk(const RecordFollower *follower)
{
    struct stat status;
    return stat(follower->log, &status) == 0 && status.st_size < run_reader_bytes(follower->reader);
}

const Record *record_follow_next(RecordFollower *follower, Error *err)
{
    if (has_shrunk(follower)) {
        follower->falls = 0;
        if (!restart(follower, err))
            return NULL;
    }
    if (!read_to_end(follower, err))
        return NULL;
    while (follower->is_outdated) {
        for (int i = follower->falls - 1; i >= 0; i--) {
            int64_t later = i + 1 < follower->falls ? follower->least[i + 1] : INT64_MAX;
            follower->least[i] = follower->fall[i].step < later ? follower->fall[i].step : later;
        }
        if (!restart(follower, err) || !read_to_end(follower, err))
            return NULL;
    }
    record_end(follower->record);
    return follower->record;
}

Record *record_read(Arena *arena, const char *folder, Error *err)
{
    RecordFollower *follower = record_follow(arena, folder, err);
    return follower && record_follow_next(follower, err) ? follower->record : NULL;
}
