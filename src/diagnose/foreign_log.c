#include "diagnose/foreign_log.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST_NAME = 1024, SERIES_LIMIT = 65536, SERIES_LEAST = 2048, VALUES_LIMIT = 1 << 23, FIRST_SLOTS = 64 };

static const int64_t STEP_LIMIT = (int64_t)1 << 53;

ForeignLog *foreign_log_new(Arena *arena)
{
    ForeignLog *log = ARENA_NEW(arena, ForeignLog);
    *log = (ForeignLog){.arena = arena, .kind = "", .slots = FIRST_SLOTS};
    log->slot = ARENA_ARRAY(arena, int, log->slots);
    return log;
}

/* FNV-1a. */
static uint32_t hash_of(const char *name, size_t length)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    return hash;
}

/* Where the name is, or where it would be. */
static int *slot_of(const ForeignLog *log, const char *name, size_t length)
{
    uint32_t mask = (uint32_t)log->slots - 1, at = hash_of(name, length) & mask;
    for (;; at = (at + 1) & mask) {
        int *slot = &log->slot[at];
        const char *other = *slot ? log->tag[*slot - 1]->name : NULL;
        if (!other || (strncmp(other, name, length) == 0 && other[length] == 0))
            return slot;
    }
}

static void make_room(ForeignLog *log)
{
    if (log->tags == log->capacity) {
        int more = log->capacity ? 2 * log->capacity : FIRST_SLOTS / 2;
        log->tag = arena_grow(log->arena, log->tag, (size_t)log->tags * sizeof *log->tag, (size_t)more * sizeof *log->tag);
        log->capacity = more;
    }
    if (2 * (log->tags + 1) <= log->slots)
        return;
    log->slots *= 2;
    log->slot = ARENA_ARRAY(log->arena, int, log->slots);
    for (int i = 0; i < log->tags; i++)
        *slot_of(log, log->tag[i]->name, strlen(log->tag[i]->name)) = i + 1;
}

ForeignTag *foreign_log_tag(ForeignLog *log, const char *name, size_t length)
{
    char whole[LONGEST_NAME];
    length = strnlen(name, length);
    if (log->key && length < LONGEST_NAME) {
        snprintf(whole, sizeof whole, "%.*s/%s", (int)length, name, log->key);
        name = whole;
        length = strlen(whole);
    }
    int *slot = slot_of(log, name, length);
    if (*slot)
        return log->tag[*slot - 1];
    make_room(log);
    slot = slot_of(log, name, length);
    ForeignTag *tag = ARENA_NEW(log->arena, ForeignTag);
    tag->name = arena_strndup(log->arena, name, length);
    tag->stride = 1;
    log->tag[log->tags++] = tag;
    *slot = log->tags;
    return tag;
}

/* Every second value goes; one that is not finite stays where it begins to be so. */
static void thin(ForeignTag *tag)
{
    int kept = 0;
    for (int i = 0; i < tag->count; i++) {
        bool begins = !isfinite(tag->value[i]) && i > 0 && isfinite(tag->value[i - 1]);
        if (i % 2 != 0 && !begins)
            continue;
        tag->step[kept] = tag->step[i];
        tag->value[kept++] = tag->value[i];
    }
    tag->count = kept;
    tag->stride *= 2;
}

static void reserve(ForeignLog *log, ForeignTag *tag)
{
    if (tag->count < tag->capacity)
        return;
    int limit = log->tags > VALUES_LIMIT / SERIES_LIMIT ? VALUES_LIMIT / log->tags : SERIES_LIMIT;
    limit = limit < SERIES_LEAST ? SERIES_LEAST : limit;
    /* What alternates between finite and not is not made shorter by thinning. */
    if (tag->count >= limit)
        thin(tag);
    if (tag->count < tag->capacity)
        return;
    int more = tag->capacity ? 2 * tag->capacity : 16;
    size_t count = (size_t)tag->count;
    tag->step = arena_grow(log->arena, tag->step, count * sizeof *tag->step, (size_t)more * sizeof *tag->step);
    tag->value = arena_grow(log->arena, tag->value, count * sizeof *tag->value, (size_t)more * sizeof *tag->value);
    tag->capacity = more;
}

static void drop_from(ForeignTag *tag, int64_t step)
{
    int low = 0, high = tag->count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (tag->step[middle] < step)
            low = middle + 1;
        else
            high = middle;
    }
    tag->has_temporary = tag->has_temporary && low == tag->count;
    tag->count = low;
}

void foreign_log_add(ForeignLog *log, ForeignTag *tag, int64_t step, double value)
{
    /* Beyond this no step is meant, and differences of steps would overflow. */
    if (step > STEP_LIMIT || step < -STEP_LIMIT)
        return;
    if (tag->count > 0 && step <= tag->step[tag->count - 1])
        drop_from(tag, step);
    if (tag->has_temporary)
        tag->count--;
    reserve(log, tag);
    bool begins = !isfinite(value) && tag->count > 0 && isfinite(tag->value[tag->count - 1]);
    tag->has_temporary = tag->seen % tag->stride != 0 && !begins;
    tag->seen++;
    tag->step[tag->count] = step;
    tag->value[tag->count++] = value;
    tag->has_negative |= value < 0;
}

void foreign_log_restart(ForeignLog *log, int64_t step)
{
    for (int i = 0; i < log->tags; i++)
        if (log->tag[i]->count > 0)
            drop_from(log->tag[i], step);
}

void foreign_log_bad(ForeignLog *log, const char *format, ...)
{
    if (log->bad_records++ > 0)
        return;
    va_list arguments;
    va_start(arguments, format);
    log->first_bad = arena_vprintf(log->arena, format, arguments);
    va_end(arguments);
}
