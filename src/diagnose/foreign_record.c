#include "diagnose/foreign_record.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "diagnose/foreign_layers.h"
#include "diagnose/tag_grammar.h"
#include "monitor/run_line.h"

enum { SHOWN_NAMES = 20 };

/* Where the values of one series go. */
typedef enum Goal { GOAL_SCALAR, GOAL_TRACK, GOAL_NONFINITE, GOAL_EVAL_LOSS, GOAL_EVAL_ACCURACY } Goal;

typedef struct Feed {
    const ForeignTag *tag;
    Goal goal;
    int what;  /* the scalar, or the track */
    int index; /* of the parameter */
    int next;  /* value to be taken */
} Feed;

/* What is known of one parameter: its own name and the series about it. */
typedef struct Layer {
    const char *name;
    const ForeignTag *norm;
    const ForeignTag *zeros, *nonfinite, *weight_norm, *update_ratio;
} Layer;

typedef struct Builder {
    Arena *arena;
    const ForeignLog *log;
    Tag *meaning; /* of each series of the log */
    Layer *layer;
    int layers;
    const ForeignTag *total, *clipped, *loss, *rate, *scale, *eval_loss, *eval_accuracy;
    Feed *feed;
    int feeds;
    int *heap; /* indices of feeds, the one with the earliest step on top */
    int in_heap;
} Builder;

/* "grad_norm=NAME" */
static bool map_one(Builder *builder, const char *assignment, Error *err)
{
    static const struct {
        const char *word;
        TagKind kind;
    } kinds[] = {{"grad_norm", TAG_TOTAL}, {"clipped_norm", TAG_CLIPPED}, {"loss", TAG_LOSS},
                 {"lr", TAG_RATE},         {"val_loss", TAG_EVAL_LOSS},   {"layer", TAG_LAYER}};
    size_t length = strcspn(assignment, "="), kind = 0, count = sizeof kinds / sizeof *kinds;
    while (kind < count && (strlen(kinds[kind].word) != length || strncmp(kinds[kind].word, assignment, length) != 0))
        kind++;
    if (kind == count || !assignment[length]) {
        error_add(err, "`%s` maps nothing: it must be KIND=NAME", assignment);
        return error_hint(err,
                          "KIND is grad_norm, clipped_norm, loss, lr, val_loss or layer, NAME that of a series of the log");
    }
    const char *name = assignment + length + 1;
    const char **names = ARENA_ARRAY(builder->arena, const char *, builder->log->tags + 1);
    int found = -1;
    for (int i = 0; i < builder->log->tags; i++) {
        names[i] = builder->log->tag[i]->name;
        found = strcmp(names[i], name) == 0 ? i : found;
        /* What is mapped is the only one of its kind, but for layers. */
        if (builder->meaning[i].kind == kinds[kind].kind && kinds[kind].kind != TAG_LAYER)
            builder->meaning[i].kind = TAG_OTHER;
    }
    if (found >= 0) {
        builder->meaning[found] = (Tag){kinds[kind].kind, names[found], strlen(name), false};
        return true;
    }
    error_add(err, "the log has no series `%s`", name);
    return error_suggest(err, name, names, builder->log->tags);
}

static bool find_meanings(Builder *builder, const char *const *map, Error *err)
{
    builder->meaning = ARENA_ARRAY(builder->arena, Tag, builder->log->tags + 1);
    for (int i = 0; i < builder->log->tags; i++)
        builder->meaning[i] = tag_of(builder->log->tag[i]->name);
    for (; map && *map; map++)
        if (!map_one(builder, *map, err))
            return false;
    return true;
}

/* Totals of several networks ("actor", "critic") stand for these networks, unless it is the only one. */
static void settle_totals(Builder *builder)
{
    int plain = 0, owned = 0;
    for (int i = 0; i < builder->log->tags; i++) {
        const Tag *tag = &builder->meaning[i];
        bool is_total = tag->kind == TAG_TOTAL && builder->log->tag[i]->count > 0;
        plain += is_total && !tag->has_owner;
        owned += is_total && tag->has_owner;
    }
    for (int i = 0; i < builder->log->tags; i++)
        if (builder->meaning[i].kind == TAG_TOTAL && builder->meaning[i].has_owner && (plain > 0 || owned > 1))
            builder->meaning[i].kind = TAG_LAYER;
}

/* The longest series of the kind, the first of those. */
static const ForeignTag *longest(const Builder *builder, TagKind kind)
{
    const ForeignTag *found = NULL;
    for (int i = 0; i < builder->log->tags; i++) {
        const ForeignTag *tag = builder->log->tag[i];
        if (builder->meaning[i].kind == kind && tag->count > (found ? found->count : 0))
            found = tag;
    }
    return found;
}

static Layer *layer_named(Builder *builder, const char *name, size_t length)
{
    for (int i = 0; i < builder->layers; i++)
        if (strncmp(builder->layer[i].name, name, length) == 0 && builder->layer[i].name[length] == 0)
            return &builder->layer[i];
    return NULL;
}

/* A norm says more than a histogram, and that more than what must be a mean, as norms are not negative. */
static int worth(const ForeignTag *tag)
{
    return !tag || tag->count == 0 ? 0 : tag->has_negative ? 1 : tag->is_histogram ? 2 : 3;
}

static void find_layers(Builder *builder)
{
    builder->layer = ARENA_ARRAY(builder->arena, Layer, builder->log->tags + 1);
    for (int i = 0; i < builder->log->tags; i++) {
        const Tag *tag = &builder->meaning[i];
        const ForeignTag *series = builder->log->tag[i];
        if (tag->kind != TAG_LAYER || series->count == 0)
            continue;
        Layer *layer = layer_named(builder, tag->layer, tag->length);
        if (!layer) {
            layer = &builder->layer[builder->layers++];
            *layer = (Layer){.name = arena_strndup(builder->arena, tag->layer, tag->length)};
        }
        if (worth(series) > worth(layer->norm))
            layer->norm = series;
    }
    for (int i = 0; i < builder->log->tags; i++) {
        const Tag *tag = &builder->meaning[i];
        const ForeignTag *series = builder->log->tag[i];
        bool is_about = tag->kind == TAG_ZEROS || tag->kind == TAG_NONFINITE || tag->kind == TAG_WEIGHT_NORM ||
                        tag->kind == TAG_UPDATE_RATIO;
        Layer *layer = is_about && series->count > 0 ? layer_named(builder, tag->layer, tag->length) : NULL;
        if (layer)
            *(tag->kind == TAG_ZEROS         ? &layer->zeros
              : tag->kind == TAG_NONFINITE   ? &layer->nonfinite
              : tag->kind == TAG_WEIGHT_NORM ? &layer->weight_norm
                                             : &layer->update_ratio) = series;
    }
}

static void find_series(Builder *builder)
{
    settle_totals(builder);
    find_layers(builder);
    builder->total = longest(builder, TAG_TOTAL);
    /* A group of one is no group: "grad_norm/train_batch". */
    if (!builder->total && builder->layers == 1 && worth(builder->layer[0].norm) == 3) {
        builder->total = builder->layer[0].norm;
        builder->layers = 0;
    }
    builder->clipped = longest(builder, TAG_CLIPPED);
    builder->loss = longest(builder, TAG_LOSS);
    builder->rate = longest(builder, TAG_RATE);
    builder->scale = longest(builder, TAG_SCALE);
    builder->eval_loss = longest(builder, TAG_EVAL_LOSS);
    builder->eval_accuracy = longest(builder, TAG_EVAL_ACCURACY);
}

static void add_feed(Builder *builder, const ForeignTag *tag, Goal goal, int what, int index)
{
    if (tag)
        builder->feed[builder->feeds++] = (Feed){tag, goal, what, index, 0};
}

static void add_feeds(Builder *builder)
{
    builder->feed = ARENA_ARRAY(builder->arena, Feed, 7 + 5 * builder->layers);
    add_feed(builder, builder->total, GOAL_SCALAR, RECORD_GRAD_NORM, 0);
    add_feed(builder, builder->clipped, GOAL_SCALAR, RECORD_CLIPPED_NORM, 0);
    add_feed(builder, builder->loss, GOAL_SCALAR, RECORD_LOSS, 0);
    add_feed(builder, builder->rate, GOAL_SCALAR, RECORD_RATE, 0);
    add_feed(builder, builder->scale, GOAL_SCALAR, RECORD_SCALE, 0);
    add_feed(builder, builder->eval_loss, GOAL_EVAL_LOSS, 0, 0);
    add_feed(builder, builder->eval_accuracy, GOAL_EVAL_ACCURACY, 0, 0);
    for (int i = 0; i < builder->layers; i++) {
        const Layer *layer = &builder->layer[i];
        add_feed(builder, layer->norm, GOAL_TRACK, RECORD_GRADIENT_NORM, i);
        add_feed(builder, layer->zeros, GOAL_TRACK, RECORD_GRADIENT_ZEROS, i);
        add_feed(builder, layer->weight_norm, GOAL_TRACK, RECORD_WEIGHT_NORM, i);
        add_feed(builder, layer->update_ratio, GOAL_TRACK, RECORD_UPDATE_RATIO, i);
        add_feed(builder, layer->nonfinite, GOAL_NONFINITE, 0, i);
    }
}

static int64_t step_of(const Builder *builder, int feed)
{
    return builder->feed[feed].tag->step[builder->feed[feed].next];
}

/* Moves the entry at `at` down to where no entry below it is earlier. */
static void sift(Builder *builder, int at)
{
    int *heap = builder->heap;
    for (;;) {
        int least = at;
        for (int child = 2 * at + 1; child <= 2 * at + 2 && child < builder->in_heap; child++)
            if (step_of(builder, heap[child]) < step_of(builder, heap[least]))
                least = child;
        if (least == at)
            return;
        int moved = heap[at];
        heap[at] = heap[least];
        heap[least] = moved;
        at = least;
    }
}

/* The norm of all layers together, where every one that is a norm has a value at the step. */
typedef struct Sum {
    int64_t step;
    double squares;
    int count, wanted; /* 0: the log has a total of its own */
} Sum;

static void end_sum(Record *record, const Sum *sum)
{
    if (sum->wanted > 0 && sum->count == sum->wanted)
        record_add_scalar(record, RECORD_GRAD_NORM, sum->step, sqrt(sum->squares));
}

static void take(Record *record, const Feed *feed, int64_t step, Sum *sum)
{
    double value = feed->tag->value[feed->next];
    switch (feed->goal) {
    case GOAL_SCALAR:
        record_add_scalar(record, (RecordScalar)feed->what, step, value);
        break;
    case GOAL_TRACK:
        if (feed->what == RECORD_GRADIENT_NORM && !isfinite(value))
            record_add_nonfinite(record, RECORD_GRADIENT_NORM, feed->index, step);
        if (feed->what == RECORD_GRADIENT_NORM && !record->parameter[feed->index].is_mean) {
            sum->squares += value * value;
            sum->count++;
        }
        record_add_value(record, (RecordTrack)feed->what, feed->index, step, fabs(value));
        break;
    case GOAL_NONFINITE:
        if (value > 0)
            record_add_nonfinite(record, RECORD_GRADIENT_NORM, feed->index, step);
        break;
    case GOAL_EVAL_LOSS:
        record_add_evaluation(record, step, value, run_missing());
        break;
    case GOAL_EVAL_ACCURACY:
        record_add_evaluation(record, step, run_missing(), value);
        break;
    }
}

static void pour(Builder *builder, Record *record, Sum sum)
{
    builder->heap = ARENA_ARRAY(builder->arena, int, builder->feeds + 1);
    for (int i = 0; i < builder->feeds; i++)
        builder->heap[builder->in_heap++] = i;
    for (int i = builder->in_heap / 2; i >= 0; i--)
        sift(builder, i);
    while (builder->in_heap > 0) {
        Feed *feed = &builder->feed[builder->heap[0]];
        int64_t step = feed->tag->step[feed->next];
        if (step != sum.step) {
            end_sum(record, &sum);
            sum = (Sum){.step = step, .wanted = sum.wanted};
        }
        take(record, feed, step, &sum);
        if (++feed->next == feed->tag->count)
            builder->heap[0] = builder->heap[--builder->in_heap];
        sift(builder, 0);
    }
    end_sum(record, &sum);
    record_end(record);
}

/* "fc1" of "fc1.weight"; "" of what is no parameter of a layer. */
static const char *owner_of(Arena *arena, const char *name)
{
    const char *dot = strrchr(name, '.');
    bool is_parameter = dot && (strstr(dot, "weight") || strstr(dot, "bias") || strstr(dot, "kernel"));
    return is_parameter ? arena_strndup(arena, name, (size_t)(dot - name)) : "";
}

static bool complain(const Builder *builder, const char *source, Error *err)
{
    Text names = text_new(builder->arena);
    int count = 0;
    for (int i = 0; i < builder->log->tags; i++) {
        if (builder->log->tag[i]->count == 0)
            continue;
        if (count < SHOWN_NAMES)
            text_printf(&names, "%s%s", count ? ", " : ": ", builder->log->tag[i]->name);
        count++;
    }
    if (count > SHOWN_NAMES)
        text_printf(&names, ", and %d more", count - SHOWN_NAMES);
    if (count == 0)
        return error_add(err, "%s is no log of a training: it has no series of numbers", source);
    error_add(err, "%s has %d series but no gradients%s", source, count, names.at);
    error_hint(err, "PyTorch, after backward(): for name, p in model.named_parameters(): "
                    "writer.add_scalar(\"grad_norm/\" + name, p.grad.norm(), step)");
    error_hint(err, "Lightning: def on_before_optimizer_step(self, optimizer): "
                    "self.log_dict(lightning.pytorch.utilities.grad_norm(self, norm_type=2))");
    error_hint(err, "Hugging Face: TrainingArguments(logging_steps=1, max_grad_norm=1.0) logs grad_norm");
    return error_hint(err, "a series of another name: --map grad_norm=NAME");
}

static const char *summary_of(Arena *arena, const Record *record, const ForeignLog *log)
{
    return arena_printf(arena, "read %lld step%s, %d layer%s from %s (%s: %lld file%s, %lld bad record%s)",
                        (long long)record->steps, record->steps == 1 ? "" : "s", record->parameters,
                        record->parameters == 1 ? "" : "s", record->kind, record->name, (long long)log->files,
                        log->files == 1 ? "" : "s", (long long)log->bad_records, log->bad_records == 1 ? "" : "s");
}

static const char *warning_of(Arena *arena, const ForeignLog *log)
{
    if (log->bad_records == 0)
        return "";
    return arena_printf(arena, "%lld of %lld records cannot be read and were skipped; the first: %s",
                        (long long)log->bad_records, (long long)log->records, log->first_bad);
}

Record *foreign_record_new(Arena *arena, const ForeignLog *log, const char *source, const ForeignOptions *options, Error *err)
{
    Builder builder = {.arena = arena_new(arena), .log = log};
    Record *record = NULL;
    const char *layers = options ? options->layers : NULL;
    bool fine = find_meanings(&builder, options ? options->map : NULL, err);
    if (fine)
        find_series(&builder);
    if (fine && !builder.total && builder.layers == 0)
        fine = complain(&builder, source, err);
    if (fine)
        fine = foreign_layers_sort(builder.arena, builder.layer, sizeof(Layer), builder.layers, layers, log->is_ordered, err);
    if (fine) {
        Sum sum = {.step = INT64_MIN};
        record = record_new(arena, source, log->kind);
        record->is_foreign = true;
        record->name = arena_strdup(arena, path_name(source));
        record->planned = log->planned;
        for (int i = 0; i < builder.layers; i++) {
            RecordTensor *parameter = record_add_parameter(record, builder.layer[i].name);
            parameter->layer = owner_of(arena, parameter->name);
            parameter->is_mean = builder.layer[i].norm->has_negative;
            sum.wanted += !builder.total && !parameter->is_mean;
        }
        add_feeds(&builder);
        pour(&builder, record, sum);
        record->summary = summary_of(arena, record, log);
        record->warning = warning_of(arena, log);
    }
    arena_free(builder.arena);
    return record;
}
