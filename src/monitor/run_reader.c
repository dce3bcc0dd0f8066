#include "monitor/run_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"

enum { READ_BYTES = 1 << 20 };

struct RunReader {
    Arena *arena;
    const char *path;
    int file;
    char *buffer; /* one byte longer than its capacity, for the terminating zero */
    size_t capacity, begin, end, searched;
    char *tail; /* a copy of an unfinished last line: reading changes the text, and the line may be read again */
    size_t tail_capacity;
    bool tail_taken;
    int64_t taken;
    long line_number;
    RunLine line;
    RunHeader header;
};

static void close_file(void *context)
{
    RunReader *reader = context;
    close(reader->file);
}

const RunHeader *run_reader_header(const RunReader *reader)
{
    return &reader->header;
}

int64_t run_reader_bytes(const RunReader *reader)
{
    return reader->taken;
}

const RunField *run_event_field(const RunEvent *event, const char *key)
{
    for (int i = 0; i < event->field_count; i++)
        if (strcmp(event->fields[i].key, key) == 0)
            return &event->fields[i];
    return NULL;
}

double run_event_number(const RunEvent *event, const char *key)
{
    const RunField *field = run_event_field(event, key);
    return field ? field->number : run_missing();
}

const char *run_event_string(const RunEvent *event, const char *key)
{
    const RunField *field = run_event_field(event, key);
    bool is_string = field && (field->type == RUN_FIELD_STRING || field->type == RUN_FIELD_NUMBER);
    return is_string ? field->string : NULL;
}

const double *run_event_numbers(const RunEvent *event, const char *key, int *count)
{
    const RunField *field = run_event_field(event, key);
    bool is_array = field && field->type == RUN_FIELD_NUMBERS;
    *count = is_array ? field->count : 0;
    return is_array ? field->numbers : NULL;
}

RunStep run_event_step(const RunEvent *event)
{
    return (RunStep){
        .step = event->step,
        .epoch = run_event_number(event, "epoch"),
        .loss = run_event_number(event, "loss"),
        .lr = run_event_number(event, "lr"),
        .grad_norm = run_event_number(event, "grad_norm"),
        .clipped_norm = run_event_number(event, "clipped_norm"),
        .scale = run_event_number(event, "scale"),
        .samples = run_event_number(event, "samples"),
        .seconds = run_event_number(event, "seconds"),
        .skipped = run_event_number(event, "skipped") == 1,
    };
}

RunHistogram run_event_histogram(const RunEvent *event)
{
    RunHistogram histogram = {.of = run_event_string(event, "of"), .name = run_event_string(event, "name")};
    int count;
    const double *exponents = run_event_numbers(event, "exponents", &count);
    if (!histogram.of)
        histogram.of = "";
    if (!histogram.name)
        histogram.name = "";
    histogram.zeros = run_event_number(event, "zeros");
    double nonfinite = run_event_number(event, "nonfinite");
    histogram.nonfinite = nonfinite > 0 ? nonfinite : 0;
    /* The bound is far beyond double's exponents and keeps nonsense out of int. */
    if (count > 1 && fabs(exponents[0]) < 5000) {
        histogram.first = (int)exponents[0];
        histogram.counts = exponents + 1;
        histogram.count = count - 1;
    }
    return histogram;
}

double run_histogram_zeros(const RunHistogram *histogram)
{
    double total = 0, zeros = histogram->zeros;
    for (int i = 0; i < histogram->count; i++)
        total += histogram->counts[i] > 0 ? histogram->counts[i] : 0;
    if (!(zeros > 0))
        return 0;
    return zeros < 1 ? zeros / (1 - zeros) * total : zeros;
}

static RunEventKind kind_of(const RunEvent *event)
{
    static const struct {
        const char *name;
        RunEventKind kind;
    } known[] = {
        {"step", RUN_EVENT_STEP},
        {"histogram", RUN_EVENT_HISTOGRAM},
        {"accumulate", RUN_EVENT_ACCUMULATE},
        {"clip", RUN_EVENT_CLIP},
        {"penalty", RUN_EVENT_PENALTY},
        {"scaler", RUN_EVENT_SCALER},
        {"hook", RUN_EVENT_HOOK},
        {"nonfinite", RUN_EVENT_NONFINITE},
        {"eval", RUN_EVENT_EVAL},
        {"checkpoint", RUN_EVENT_CHECKPOINT},
        {"finding", RUN_EVENT_FINDING},
        {"end", RUN_EVENT_END},
        {"run", RUN_EVENT_OTHER},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(event->name, known[i].name) == 0)
            return known[i].kind;
    for (int i = 0; i < event->field_count; i++)
        if (event->fields[i].type == RUN_FIELD_NUMBERS)
            return RUN_EVENT_ARRAYS;
    return RUN_EVENT_OTHER;
}

/* More bytes behind those in the buffer; *got is 0 at the end of the file. */
static bool fill(RunReader *reader, size_t *got, Error *err)
{
    if (reader->begin > 0 && reader->begin == reader->end)
        reader->begin = reader->end = reader->searched = 0;
    if (reader->end == reader->capacity && reader->begin > 0) {
        memmove(reader->buffer, reader->buffer + reader->begin, reader->end - reader->begin);
        reader->end -= reader->begin;
        reader->searched -= reader->begin;
        reader->begin = 0;
    }
    if (reader->end == reader->capacity) {
        reader->buffer = arena_grow(reader->arena, reader->buffer, reader->capacity, 2 * reader->capacity + 1);
        reader->capacity *= 2;
    }
    ssize_t count;
    do {
        count = read(reader->file, reader->buffer + reader->end, reader->capacity - reader->end);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        return error_add(err, "cannot read %s: %s", reader->path, strerror(errno));
    *got = (size_t)count;
    reader->end += *got;
    return true;
}

/* The next line, without its end; *whole is false for a last one that has none. *text is NULL at the end of the file. */
static bool next_line(RunReader *reader, char **text, size_t *length, bool *whole, Error *err)
{
    for (;;) {
        char *from = reader->buffer + reader->searched;
        char *newline = memchr(from, '\n', reader->end - reader->searched);
        if (newline) {
            *text = reader->buffer + reader->begin;
            *length = (size_t)(newline - *text);
            *whole = true;
            reader->taken += (int64_t)*length + 1;
            reader->begin += *length + 1;
            reader->searched = reader->begin;
            return true;
        }
        reader->searched = reader->end;
        size_t got = 0;
        if (!fill(reader, &got, err))
            return false;
        if (got == 0)
            break;
    }
    *whole = false;
    *length = reader->end - reader->begin;
    *text = *length > 0 ? reader->buffer + reader->begin : NULL;
    return true;
}

static bool is_blank(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r')
            return false;
    return true;
}

/* The last line has no end: taken once when it is complete all the same, else left for later. */
static bool read_tail(RunReader *reader, const char *text, size_t length)
{
    if (reader->tail_taken)
        return false;
    if (length + 1 > reader->tail_capacity) {
        reader->tail_capacity = 2 * length + 1;
        reader->tail = ARENA_ARRAY(reader->arena, char, reader->tail_capacity);
    }
    memcpy(reader->tail, text, length);
    reader->tail_taken = run_line_read(&reader->line, reader->tail, length);
    return reader->tail_taken;
}

static bool check_arrays(const RunReader *reader, const RunEvent *event, Error *err)
{
    const RunHeader *header = &reader->header;
    bool by_parameter = strcmp(event->name, "gradients") == 0 || strcmp(event->name, "updates") == 0;
    bool by_layer = strcmp(event->name, "activations") == 0 || strcmp(event->name, "activation_gradients") == 0;
    if (!by_parameter && !by_layer)
        return true;
    int expected = by_parameter ? header->parameter_count : header->layer_count;
    for (int i = 0; i < event->field_count; i++) {
        const RunField *field = &event->fields[i];
        if (field->type == RUN_FIELD_NUMBERS && field->count != expected)
            return error_in_file(err, reader->path, event->line, 0, "`%s` of `%s` has %d values, but the run has %d %s",
                                 field->key, event->name, field->count, expected, by_parameter ? "parameters" : "layers");
    }
    return true;
}

static bool make_event(RunReader *reader, RunEvent *event, Error *err)
{
    *event = (RunEvent){.step = -1, .line = reader->line_number, .fields = reader->line.fields};
    event->field_count = reader->line.count;
    event->name = run_event_string(event, "event");
    if (!event->name)
        return error_in_file(err, reader->path, event->line, 0, "a line of the log has no \"event\"");
    double step = run_event_number(event, "step");
    if (fabs(step) < 9e15)
        event->step = (int64_t)step;
    event->kind = kind_of(event);
    return event->kind != RUN_EVENT_ARRAYS || check_arrays(reader, event, err);
}

bool run_reader_next(RunReader *reader, RunEvent *event, Error *err)
{
    for (;;) {
        char *text;
        size_t length;
        bool whole;
        if (!next_line(reader, &text, &length, &whole, err))
            return false;
        if (!text || (!whole && !read_tail(reader, text, length))) {
            *event = (RunEvent){.kind = RUN_EVENT_NONE, .name = "", .step = -1, .line = reader->line_number};
            return true;
        }
        if (whole && reader->tail_taken) {
            reader->tail_taken = false; /* this line was delivered before its end was written */
            continue;
        }
        reader->line_number++;
        if (is_blank(text, length))
            continue;
        if (whole && !run_line_read(&reader->line, text, length))
            return error_in_file(err, reader->path, reader->line_number, (long)reader->line.place + 1,
                                 "a broken line in the log: %s", reader->line.problem);
        return make_event(reader, event, err);
    }
}

static int64_t header_integer(const RunEvent *event, const char *key)
{
    double value = run_event_number(event, key);
    return fabs(value) < 9e15 ? (int64_t)value : 0;
}

static const char *header_string(Arena *arena, const RunEvent *event, const char *key)
{
    const char *value = run_event_string(event, key);
    return value ? arena_strdup(arena, value) : "";
}

static const char *member_string(const Json *object, const char *key)
{
    const Json *member = json_member(object, key);
    return member && member->type == JSON_STRING ? member->string : "";
}

/* The array of objects that the `run` event keeps under `key`; an empty one is read as an array of no numbers. */
static bool header_list(RunReader *reader, const RunEvent *event, const char *key, Json **list, Error *err)
{
    const RunField *field = run_event_field(event, key);
    *list = NULL;
    if (!field || (field->type == RUN_FIELD_NUMBERS && field->count == 0))
        return true;
    if (field->type == RUN_FIELD_OTHER && field->string[0] == '[') {
        const char *text = arena_strndup(reader->arena, field->string, field->length);
        *list = json_read_text(reader->arena, reader->path, text, field->length, err);
        if (!*list)
            return false;
    }
    for (const Json *item = *list ? (*list)->first : NULL; item; item = item->next)
        if (item->type != JSON_OBJECT)
            *list = NULL;
    return *list || error_in_file(err, reader->path, event->line, 0, "`%s` of the `run` event must be a list of objects", key);
}

static RunParameter read_parameter(Arena *arena, const Json *object)
{
    const Json *shape = json_member(object, "shape");
    RunParameter parameter = {.name = member_string(object, "name"), .layer = member_string(object, "layer"), .elements = 1};
    parameter.rank = shape && shape->type == JSON_ARRAY ? shape->count : 0;
    int64_t *sizes = ARENA_ARRAY(arena, int64_t, parameter.rank + 1);
    for (int i = 0; i < parameter.rank; i++) {
        double size = json_item(shape, i)->number;
        sizes[i] = size >= 0 && size < 1e9 ? (int64_t)size : 0;
        /* A product beyond any memory is no size: 0 says that it is not known. */
        parameter.elements = (double)parameter.elements * (double)sizes[i] < 1e15 ? parameter.elements * sizes[i] : 0;
    }
    parameter.shape = sizes;
    return parameter;
}

/* Of the shape of one sample's output: the first of an image's three axes, else the last. */
static int64_t channels_of(const Json *shape)
{
    const Json *axis =
        shape && shape->type == JSON_ARRAY && shape->count ? json_item(shape, shape->count == 3 ? 0 : shape->count - 1) : NULL;
    bool is_count = axis && axis->type == JSON_NUMBER && axis->number >= 1 && axis->number < 1e9;
    return is_count ? (int64_t)axis->number : 0;
}

static bool read_header(RunReader *reader, const RunEvent *event, Error *err)
{
    RunHeader *header = &reader->header;
    Json *parameters, *layers;
    if (!header_list(reader, event, "parameters", &parameters, err) || !header_list(reader, event, "layers", &layers, err))
        return false;
    header->name = header_string(reader->arena, event, "name");
    header->version = header_string(reader->arena, event, "version");
    header->loss = header_string(reader->arena, event, "loss");
    header->seed = header_integer(event, "seed");
    header->steps = header_integer(event, "steps");
    header->parameter_count = parameters ? parameters->count : 0;
    header->layer_count = layers ? layers->count : 0;
    RunParameter *parameter = ARENA_ARRAY(reader->arena, RunParameter, header->parameter_count + 1);
    RunLayer *layer = ARENA_ARRAY(reader->arena, RunLayer, header->layer_count + 1);
    header->parameters = parameter;
    header->layers = layer;
    for (const Json *item = parameters ? parameters->first : NULL; item; item = item->next)
        *parameter++ = read_parameter(reader->arena, item);
    for (const Json *item = layers ? layers->first : NULL; item; item = item->next)
        *layer++ =
            (RunLayer){member_string(item, "name"), member_string(item, "type"), channels_of(json_member(item, "output"))};
    return true;
}

static bool find_header(RunReader *reader, Error *err)
{
    RunEvent event = {0};
    if (!run_reader_next(reader, &event, err))
        return false;
    if (event.kind == RUN_EVENT_NONE)
        return error_add(err, "%s has no `run` event: nothing was logged", reader->path);
    if (strcmp(event.name, "run") != 0) {
        error_in_file(err, reader->path, event.line, 0, "the log begins with `%s` instead of its `run` event", event.name);
        return false;
    }
    return read_header(reader, &event, err);
}

RunReader *run_reader_open(Arena *arena, const char *folder, Error *err)
{
    if (!file_is_folder(folder)) {
        error_add(err, file_exists(folder) ? "%s is not a run folder" : "%s does not exist", folder);
        error_hint(err, "a run folder is what `gradtool train` makes; it holds log.jsonl");
        return NULL;
    }
    RunReader *reader = ARENA_NEW(arena, RunReader);
    reader->arena = arena;
    reader->path = path_join(arena, folder, "log.jsonl");
    reader->header.folder = arena_strdup(arena, folder);
    reader->file = open(reader->path, O_RDONLY | O_CLOEXEC);
    if (reader->file < 0) {
        if (errno == ENOENT)
            error_add(err, "%s is not a run folder: it has no log.jsonl", folder);
        else
            error_add(err, "cannot read %s: %s", reader->path, strerror(errno));
        return NULL;
    }
    arena_defer(arena, close_file, reader);
    reader->capacity = READ_BYTES;
    reader->buffer = ARENA_ARRAY(arena, char, reader->capacity + 1);
    reader->line = run_line_new(arena);
    return find_header(reader, err) ? reader : NULL;
}
