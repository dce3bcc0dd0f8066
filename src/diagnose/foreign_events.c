/* TensorBoard event files: TFRecords (tensorflow/core/lib/io/record_writer.h) of Event messages
 * (tensorflow/core/util/event.proto), as PyTorch, TensorFlow, Lightning, Hugging Face and others write them. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/crc32c.h"
#include "diagnose/foreign_log.h"
#include "diagnose/proto_reader.h"

enum { LENGTH_BYTES = 8, CRC_BYTES = 4, HEADER_BYTES = LENGTH_BYTES + CRC_BYTES };
enum { TYPE_FLOAT = 1, TYPE_DOUBLE = 2, TYPE_INT32 = 3, TYPE_INT64 = 9 };
enum { SESSION_START = 1 };

static bool has_checksum(const unsigned char *bytes, size_t count, const unsigned char *checksum)
{
    return crc32c_masked(bytes, count) == proto_little_endian(checksum, CRC_BYTES);
}

/* What of a TensorProto is of use here. */
typedef struct Tensor {
    uint64_t type;
    int rank;
    double elements, last_size; /* product of the sizes, and the last of them */
    const unsigned char *numbers;
    size_t bytes;
    double first;    /* of numbers that are written one by one */
    bool has_number; /* there is one of them */
} Tensor;

static void read_shape(ProtoReader shape, Tensor *tensor)
{
    ProtoField dimension, size;
    while (proto_next(&shape, &dimension)) {
        if (dimension.number != 2)
            continue;
        ProtoReader reader = proto_message(&dimension);
        tensor->last_size = 0;
        while (proto_next(&reader, &size))
            if (size.number == 1 && size.type == PROTO_VARINT)
                tensor->last_size = (double)size.bits;
        tensor->elements *= tensor->last_size;
        tensor->rank++;
    }
}

static Tensor read_tensor(ProtoReader reader)
{
    Tensor tensor = {.elements = 1};
    ProtoReader packed;
    ProtoField field;
    while (proto_next(&reader, &field)) {
        bool is_packed = field.type == PROTO_BYTES;
        switch (field.number) {
        case 1:
            tensor.type = field.type == PROTO_VARINT ? field.bits : 0;
            break;
        case 2:
            read_shape(proto_message(&field), &tensor);
            break;
        case 4: /* tensor_content, raw */
        case 5: /* float_val */
        case 6: /* double_val */
            if (is_packed) {
                tensor.numbers = field.bytes;
                tensor.bytes = field.count;
            } else if (!tensor.has_number) {
                tensor.first = proto_number(&field);
                tensor.has_number = true;
            }
            break;
        case 7:  /* int_val */
        case 10: /* int64_val */
            packed = proto_message(&field);
            if (!is_packed || proto_varint(&packed, &field.bits))
                tensor.first = (double)(int64_t)field.bits;
            tensor.has_number = true;
            break;
        default:
            break;
        }
    }
    return tensor;
}

/* NaN and false where the tensor is no single number. */
static bool single_number(const Tensor *tensor, double *value)
{
    if (tensor->elements != 1)
        return false;
    *value = tensor->first;
    if (tensor->type == TYPE_DOUBLE && tensor->bytes == 8)
        *value = proto_double_at(tensor->numbers);
    else if (tensor->type == TYPE_FLOAT && tensor->bytes == 4)
        *value = proto_float_at(tensor->numbers);
    else if ((tensor->type == TYPE_INT32 && tensor->bytes == 4) || (tensor->type == TYPE_INT64 && tensor->bytes == 8))
        *value = (double)(tensor->bytes == 4 ? (int32_t)proto_little_endian(tensor->numbers, 4)
                                             : (int64_t)proto_little_endian(tensor->numbers, 8));
    else
        return tensor->has_number;
    return true;
}

/* Rows of left edge, right edge, count. The 2-norm of the values, taken to lie in the middle of their bins. */
static bool norm_of_rows(const Tensor *tensor, double *norm)
{
    if (tensor->type != TYPE_DOUBLE || tensor->rank != 2 || tensor->last_size != 3 || tensor->bytes % 24 != 0 ||
        tensor->elements * 8 != (double)tensor->bytes)
        return false;
    double squares = 0;
    for (size_t at = 0; at < tensor->bytes; at += 24) {
        double left = proto_double_at(tensor->numbers + at), right = proto_double_at(tensor->numbers + at + 8);
        double count = proto_double_at(tensor->numbers + at + 16), middle = left / 2 + right / 2;
        if (count > 0)
            squares += count * middle * middle;
    }
    *norm = sqrt(squares);
    return true;
}

typedef struct Histogram {
    double min, max, sum_squares;
    bool has_squares;
    const unsigned char *limits, *counts;
    size_t limit_bytes, count_bytes;
} Histogram;

static Histogram read_histogram(ProtoReader reader)
{
    Histogram histogram = {0};
    ProtoField field;
    while (proto_next(&reader, &field)) {
        if (field.number == 1)
            histogram.min = proto_number(&field);
        else if (field.number == 2)
            histogram.max = proto_number(&field);
        else if (field.number == 5) {
            histogram.sum_squares = proto_number(&field);
            histogram.has_squares = true;
        } else if (field.number == 6 && field.type == PROTO_BYTES) {
            histogram.limits = field.bytes;
            histogram.limit_bytes = field.count;
        } else if (field.number == 7 && field.type == PROTO_BYTES) {
            histogram.counts = field.bytes;
            histogram.count_bytes = field.count;
        }
    }
    return histogram;
}

/* The sum of squares is exact where it is there; a sum of 0 is left out. Else from the bins, whose right edges are given:
 * empty ones at both ends count for nothing, and the smallest and largest value are the outermost edges. */
static double norm_of_histogram(const Histogram *histogram)
{
    if (histogram->has_squares || (histogram->min == 0 && histogram->max == 0))
        return sqrt(histogram->sum_squares);
    double squares = 0, left = histogram->min;
    size_t bytes = histogram->limit_bytes < histogram->count_bytes ? histogram->limit_bytes : histogram->count_bytes;
    for (size_t at = 0; at + 8 <= bytes; at += 8) {
        double right = fmin(proto_double_at(histogram->limits + at), histogram->max);
        double count = proto_double_at(histogram->counts + at), middle = left / 2 + right / 2;
        if (count > 0)
            squares += count * middle * middle;
        left = fmax(right, histogram->min);
    }
    return sqrt(squares);
}

static ForeignPlugin plugin_of(ProtoReader metadata)
{
    ProtoField field, inner;
    while (proto_next(&metadata, &field)) {
        if (field.number != 1)
            continue;
        ProtoReader plugin = proto_message(&field);
        while (proto_next(&plugin, &inner))
            if (inner.number == 1)
                return proto_is(&inner, "scalars")      ? PLUGIN_SCALARS
                       : proto_is(&inner, "histograms") ? PLUGIN_HISTOGRAMS
                                                        : PLUGIN_OTHER;
    }
    return PLUGIN_UNKNOWN;
}

static void add_histogram(ForeignLog *log, ForeignTag *tag, int64_t step, double norm)
{
    tag->is_histogram = true;
    foreign_log_add(log, tag, step, norm);
}

static bool take_value(ForeignLog *log, ProtoReader reader, int64_t step)
{
    ProtoField field, name = {0}, content = {0};
    ForeignPlugin plugin = PLUGIN_UNKNOWN;
    while (proto_next(&reader, &field)) {
        if (field.number == 1 && field.type == PROTO_BYTES)
            name = field;
        else if (field.number == 9)
            plugin = plugin_of(proto_message(&field));
        else if (field.number == 2 || field.number == 5 || field.number == 8)
            content = field;
    }
    if (reader.is_broken)
        return false;
    if (!name.count || !content.number)
        return true;
    ForeignTag *tag = foreign_log_tag(log, (const char *)name.bytes, name.count);
    if (plugin != PLUGIN_UNKNOWN)
        tag->plugin = plugin;
    double value;
    if (content.number == 2 && content.type == PROTO_FIXED32) {
        foreign_log_add(log, tag, step, proto_number(&content));
    } else if (content.number == 5) {
        Histogram histogram = read_histogram(proto_message(&content));
        add_histogram(log, tag, step, norm_of_histogram(&histogram));
    } else if (content.number == 8 && tag->plugin != PLUGIN_OTHER) {
        log->kind = "TensorBoard events"; /* PyTorch writes no tensors */
        Tensor tensor = read_tensor(proto_message(&content));
        if (tag->plugin != PLUGIN_HISTOGRAMS && single_number(&tensor, &value))
            foreign_log_add(log, tag, step, value);
        else if (tag->plugin != PLUGIN_SCALARS && norm_of_rows(&tensor, &value))
            add_histogram(log, tag, step, value);
    }
    return true;
}

static void take_session(ForeignLog *log, ProtoReader session, int64_t step)
{
    ProtoField field;
    while (proto_next(&session, &field))
        if (field.number == 1 && field.type == PROTO_VARINT && field.bits == SESSION_START && step > 0)
            foreign_log_restart(log, step);
}

static bool has_text(const ProtoField *field, const char *text)
{
    size_t length = strlen(text);
    for (size_t i = 0; field->type == PROTO_BYTES && i + length <= field->count; i++)
        if (memcmp(field->bytes + i, text, length) == 0)
            return true;
    return false;
}

/* The step may stand behind what belongs to it. */
static bool take_event(ForeignLog *log, const unsigned char *bytes, size_t count)
{
    ProtoReader reader = proto_reader(bytes, count);
    ProtoField field, value;
    int64_t step = 0;
    while (proto_next(&reader, &field)) {
        if (field.number == 2 && field.type == PROTO_VARINT)
            step = (int64_t)field.bits;
        else if (field.number == 10 && has_text(&field, "tensorboard.summary.writer"))
            log->kind = "PyTorch events";
    }
    bool is_whole = !reader.is_broken;
    reader = proto_reader(bytes, count);
    while (is_whole && proto_next(&reader, &field)) {
        if (field.number == 7)
            take_session(log, proto_message(&field), step);
        if (field.number != 5)
            continue;
        ProtoReader summary = proto_message(&field);
        while (is_whole && proto_next(&summary, &value))
            is_whole = value.number != 1 || take_value(log, proto_message(&value), step);
        is_whole = is_whole && !summary.is_broken;
    }
    return is_whole;
}

typedef struct EventFile {
    Arena *arena;
    const char *path;
    FILE *file;
    uint64_t size, at;
    unsigned char *buffer;
    size_t capacity;
} EventFile;

static void close_file(void *context)
{
    fclose(((EventFile *)context)->file);
}

/* At most `count` bytes; fewer at the end. */
static size_t take_bytes(EventFile *file, size_t count)
{
    if (count > file->capacity) {
        file->capacity = 2 * count;
        file->buffer = ARENA_ARRAY(file->arena, unsigned char, file->capacity);
    }
    return fread(file->buffer, 1, count, file->file);
}

/* One record; *more is false at the end: also of a tail that is still being written, and behind a length that cannot be
 * trusted. */
static bool take_record(ForeignLog *log, EventFile *file, bool *more, Error *err)
{
    *more = false;
    size_t got = take_bytes(file, HEADER_BYTES);
    if (got < HEADER_BYTES)
        return true;
    if (!has_checksum(file->buffer, LENGTH_BYTES, file->buffer + LENGTH_BYTES)) {
        if (file->at == 0)
            return error_add(err, "%s is not a TensorBoard event file", file->path);
        log->records++;
        foreign_log_bad(log, "a length with a bad checksum at byte %llu of %s, where reading stopped",
                        (unsigned long long)file->at, file->path);
        return true;
    }
    uint64_t length = proto_little_endian(file->buffer, LENGTH_BYTES), left = file->size - file->at;
    if (left < HEADER_BYTES + CRC_BYTES || length > left - HEADER_BYTES - CRC_BYTES)
        return true;
    if (take_bytes(file, (size_t)length + CRC_BYTES) < length + CRC_BYTES)
        return true;
    log->records++;
    if (!has_checksum(file->buffer, (size_t)length, file->buffer + length))
        foreign_log_bad(log, "a bad checksum at byte %llu of %s", (unsigned long long)file->at, file->path);
    else if (!take_event(log, file->buffer, (size_t)length))
        foreign_log_bad(log, "a broken message at byte %llu of %s", (unsigned long long)file->at, file->path);
    file->at += HEADER_BYTES + length + CRC_BYTES;
    *more = true;
    return true;
}

static bool read_events(ForeignLog *log, const char *path, Error *err)
{
    Arena *scratch = arena_new(log->arena);
    EventFile *file = ARENA_NEW(scratch, EventFile);
    *file = (EventFile){.arena = scratch, .path = path, .file = fopen(path, "rb")};
    struct stat status;
    bool fine = file->file != NULL;
    if (fine)
        arena_defer(scratch, close_file, file);
    else
        error_add(err, "cannot read %s: %s", path, strerror(errno));
    if (!*log->kind)
        log->kind = "TensorBoard events";
    log->is_ordered = true;
    bool more = fine && stat(path, &status) == 0;
    file->size = more ? (uint64_t)status.st_size : 0;
    while (fine && more)
        fine = take_record(log, file, &more, err);
    arena_free(scratch);
    return fine;
}

/* The name says it; without it, a first record with a good checksum of its length does. */
static bool is_events(const char *name, const char *head, size_t count)
{
    const unsigned char *bytes = (const unsigned char *)head;
    return strstr(name, "tfevents") || (count >= HEADER_BYTES && has_checksum(bytes, LENGTH_BYTES, bytes + LENGTH_BYTES));
}

extern const ForeignReader foreign_events;
const ForeignReader foreign_events = {"tensorboard", "TensorBoard event files (PyTorch, Lightning, TensorFlow, ...)", is_events,
                                      read_events};
