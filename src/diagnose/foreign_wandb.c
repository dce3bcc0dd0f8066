/* W&B's offline file, run-ID.wandb: a log of blocks as LevelDB's (github.com/google/leveldb, doc/log_format.md), with 7 bytes
 * of its own at the begin and zlib's checksum, of Record messages (wandb/proto/wandb_internal.proto). */
#include <math.h>
#include <string.h>
#include <zlib.h>

#include "base/file.h"
#include "base/json.h"
#include "data/csv_record.h"
#include "diagnose/foreign_log.h"
#include "diagnose/proto_reader.h"

enum { BLOCK = 32768, CHUNK_HEADER = 7, FILE_HEADER = 7, WHOLE = 1, FIRST = 2, MIDDLE = 3, LAST = 4 };
enum { RECORD_HISTORY = 2, HISTORY_ITEM = 1, HISTORY_STEP = 2, LONGEST_KEY = 512 };

typedef struct WandbFile {
    const char *path;
    const unsigned char *bytes;
    size_t count, at;
    Text record; /* put together from its chunks */
} WandbFile;

/* One item of a step: a key, whose parts are joined by slashes, and a value as JSON. */
typedef struct Item {
    char key[LONGEST_KEY];
    const char *value;
    size_t length;
} Item;

static void add_key(Item *item, const ProtoField *field)
{
    size_t used = strlen(item->key), room = sizeof item->key - used - 2;
    if (field->type != PROTO_BYTES || field->count > room)
        return;
    if (used > 0)
        item->key[used++] = '/';
    memcpy(item->key + used, field->bytes, field->count);
    item->key[used + field->count] = 0;
}

static Item read_item(ProtoReader reader)
{
    Item item = {.value = NULL};
    ProtoField field;
    while (proto_next(&reader, &field)) {
        if (field.number == 1 || field.number == 2)
            add_key(&item, &field);
        else if (field.number == 16 && field.type == PROTO_BYTES) {
            item.value = (const char *)field.bytes;
            item.length = field.count;
        }
    }
    return item;
}

static const char *without_ending(Item *item, const char *ending)
{
    size_t length = strlen(item->key), tail = strlen(ending);
    if (length <= tail || strcmp(item->key + length - tail, ending) != 0)
        return NULL;
    item->key[length - tail] = 0;
    return item->key;
}

/* Counts of a histogram come first, its edges, one more, in an item of their own. */
typedef struct Bins {
    char key[LONGEST_KEY];
    const Json *counts;
} Bins;

static double norm_of(const Json *counts, const Json *edges)
{
    double squares = 0;
    const Json *edge = edges->first;
    for (const Json *count = counts->first; count && edge && edge->next; count = count->next, edge = edge->next) {
        double middle = edge->number / 2 + edge->next->number / 2;
        if (count->number > 0)
            squares += count->number * middle * middle;
    }
    return sqrt(squares);
}

static const Json *read_list(Arena *scratch, const Item *item)
{
    const char *text = arena_strndup(scratch, item->value, item->length);
    const Json *list = json_read_text(scratch, "value", text, item->length, error_new(scratch));
    return list && list->type == JSON_ARRAY ? list : NULL;
}

static void take_item(ForeignLog *log, Item *item, int64_t step, Bins *bins, Arena *scratch)
{
    char number[64];
    double value;
    if (!item->value || !item->key[0] || item->key[0] == '_')
        return;
    if (without_ending(item, "/values")) {
        bins->counts = read_list(scratch, item);
        memcpy(bins->key, item->key, sizeof bins->key);
    } else if (without_ending(item, "/bins")) {
        const Json *edges = read_list(scratch, item);
        if (!edges || !bins->counts || strcmp(bins->key, item->key) != 0)
            return;
        ForeignTag *tag = foreign_log_tag(log, item->key, strlen(item->key));
        tag->is_histogram = true;
        foreign_log_add(log, tag, step, norm_of(bins->counts, edges));
    } else if (item->length < sizeof number) {
        memcpy(number, item->value, item->length);
        number[item->length] = 0;
        size_t quotes = number[0] == '"' ? 1 : 0;
        number[quotes + strcspn(number + quotes, "\"")] = 0;
        if (csv_number(number + quotes, &value))
            foreign_log_add(log, foreign_log_tag(log, item->key, strlen(item->key)), step, value);
    }
}

/* A decimal number, as `_step` has it. */
static bool whole_number(const Item *item, int64_t *value)
{
    double sum = 0;
    for (size_t i = 0; i < item->length && item->value[i] >= '0' && item->value[i] <= '9'; i++)
        sum = 10 * sum + (item->value[i] - '0');
    if (item->length == 0 || !(sum < 9e15))
        return false;
    *value = (int64_t)sum;
    return true;
}

/* From the message that says it, or from the item `_step`. */
static int64_t history_step(ProtoReader history, int64_t otherwise)
{
    ProtoField field, inner;
    while (proto_next(&history, &field)) {
        ProtoReader reader = proto_message(&field);
        while (field.number == HISTORY_STEP && proto_next(&reader, &inner))
            if (inner.number == 1 && inner.type == PROTO_VARINT)
                return (int64_t)inner.bits;
        if (field.number == HISTORY_ITEM) {
            Item item = read_item(reader);
            if (strcmp(item.key, "_step") == 0 && item.value)
                whole_number(&item, &otherwise);
        }
    }
    return otherwise;
}

static void take_history(ForeignLog *log, ProtoReader history, int64_t *step)
{
    Arena *scratch = arena_new(log->arena);
    Bins bins = {.counts = NULL};
    ProtoField field;
    *step = history_step(history, *step + 1);
    while (proto_next(&history, &field)) {
        if (field.number != HISTORY_ITEM)
            continue;
        Item item = read_item(proto_message(&field));
        take_item(log, &item, *step, &bins, scratch);
    }
    arena_free(scratch);
}

static bool take_record(ForeignLog *log, const Text *record, int64_t *step)
{
    ProtoReader reader = proto_reader((const unsigned char *)record->at, record->length);
    ProtoField field;
    while (proto_next(&reader, &field))
        if (field.number == RECORD_HISTORY)
            take_history(log, proto_message(&field), step);
    return !reader.is_broken;
}

/* The next record in file->record; false at the end, also of one that is still being written. */
static bool next_record(ForeignLog *log, WandbFile *file)
{
    text_clear(&file->record);
    for (;;) {
        size_t room = BLOCK - file->at % BLOCK;
        if (room < CHUNK_HEADER) {
            file->at += room;
            continue;
        }
        if (file->count < file->at + CHUNK_HEADER)
            return false;
        const unsigned char *chunk = file->bytes + file->at;
        size_t length = proto_little_endian(chunk + 4, 2);
        int type = chunk[6];
        bool fits = length <= room - CHUNK_HEADER && type >= WHOLE && type <= LAST;
        if (fits && length > file->count - file->at - CHUNK_HEADER)
            return false;
        bool is_sound = fits && crc32(0, chunk + 6, (uInt)length + 1) == proto_little_endian(chunk, 4);
        if (!is_sound) {
            log->records++;
            foreign_log_bad(log, "a bad checksum at byte %zu of %s", file->at, file->path);
            text_clear(&file->record);
        }
        file->at += fits ? CHUNK_HEADER + length : room;
        if (!is_sound)
            continue;
        if (type == WHOLE || type == FIRST)
            text_clear(&file->record);
        text_add_bytes(&file->record, (const char *)chunk + CHUNK_HEADER, length);
        if (type == WHOLE || type == LAST)
            return true;
    }
}

static bool read_wandb(ForeignLog *log, const char *path, Error *err)
{
    static const unsigned char magic[FILE_HEADER] = {':', 'W', '&', 'B', 0xe1, 0xbe, 0};
    Arena *scratch = arena_new(log->arena);
    Bytes bytes;
    bool fine = file_read(scratch, path, &bytes, err);
    if (fine && (bytes.count < FILE_HEADER || memcmp(bytes.at, magic, FILE_HEADER) != 0))
        fine = error_add(err, "%s is not a W&B log of a version that is known", path);
    WandbFile file = {.path = path, .record = text_new(scratch)};
    if (fine) {
        file.bytes = bytes.at;
        file.count = bytes.count;
        file.at = FILE_HEADER;
    }
    log->kind = "W&B";
    int64_t step = -1;
    while (fine && next_record(log, &file)) {
        log->records++;
        if (!take_record(log, &file.record, &step))
            foreign_log_bad(log, "a broken message before byte %zu of %s", file.at, path);
    }
    arena_free(scratch);
    return fine;
}

static bool is_wandb(const char *name, const char *head, size_t count)
{
    return text_ends_in(name, ".wandb") || (count >= 4 && memcmp(head, ":W&B", 4) == 0);
}

extern const ForeignReader foreign_wandb;
const ForeignReader foreign_wandb = {"wandb", "the .wandb file of an offline run", is_wandb, read_wandb};
