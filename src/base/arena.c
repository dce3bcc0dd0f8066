/* Chunks that are filled from front to back. A chunk comes zeroed from calloc, so a page that nobody writes to is never
 * touched; what an arena_reset leaves behind is cleared where it was used. Under AddressSanitizer what is not handed out is
 * poisoned, with a gap behind each block, so that an overrun inside a chunk is seen as well. */
#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __has_feature
#define ARENA_HAS_FEATURE(name) __has_feature(name)
#else
#define ARENA_HAS_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || ARENA_HAS_FEATURE(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define POISON(at, count) ASAN_POISON_MEMORY_REGION((at), (count))
#define UNPOISON(at, count) ASAN_UNPOISON_MEMORY_REGION((at), (count))
enum { GAP = 16 };
#else
#define POISON(at, count) ((void)(at), (void)(count))
#define UNPOISON(at, count) ((void)(at), (void)(count))
enum { GAP = 0 };
#endif

enum { ALIGNMENT = 16, LARGE_ALIGNMENT = 64, FIRST_CHUNK = 4096, LAST_CHUNK = 1 << 20 };

typedef struct Chunk Chunk;
struct Chunk {
    Chunk *next;
    size_t capacity, used; /* of the bytes behind this header */
};

typedef struct Deferred Deferred;
struct Deferred {
    Deferred *next;
    void (*close)(void *context);
    void *context;
};

struct Arena {
    Arena *parent, *children, *previous, *next; /* previous and next among the parent's children */
    OutOfMemory *handler;
    Chunk *chunks; /* the first is the one that is being filled */
    Deferred *deferred;
    size_t next_capacity;
    size_t held; /* bytes of all chunks and large blocks */
};

static size_t round_up(size_t bytes, size_t to)
{
    return (bytes + to - 1) / to * to;
}

/* The first room behind the header is aligned as the blocks are. */
static size_t header_size(void)
{
    return round_up(sizeof(Chunk), ALIGNMENT);
}

static unsigned char *chunk_room(Chunk *chunk)
{
    return (unsigned char *)chunk + header_size();
}

_Noreturn static void out_of_memory(const Arena *arena, size_t bytes)
{
    for (; arena; arena = arena->parent) {
        if (arena->handler) {
            arena->handler->bytes = bytes;
            longjmp(arena->handler->unwind, 1);
        }
    }
    fprintf(stderr, "error: out of memory: %zu bytes asked for\n", bytes);
    abort();
}

Arena *arena_new(Arena *parent)
{
    Arena *arena = calloc(1, sizeof *arena);
    if (!arena)
        out_of_memory(parent, sizeof *arena);
    arena->next_capacity = FIRST_CHUNK;
    arena->parent = parent;
    if (parent) {
        arena->next = parent->children;
        if (arena->next)
            arena->next->previous = arena;
        parent->children = arena;
    }
    return arena;
}

void arena_on_out_of_memory(Arena *arena, OutOfMemory *handler)
{
    arena->handler = handler;
}

static void chunk_free(Arena *arena, Chunk *chunk)
{
    arena->held -= chunk->capacity;
    UNPOISON(chunk_room(chunk), chunk->capacity);
    free(chunk);
}

static void close_everything(Arena *arena);

static void destroy(Arena *arena)
{
    close_everything(arena);
    while (arena->chunks) {
        Chunk *chunk = arena->chunks;
        arena->chunks = chunk->next;
        chunk_free(arena, chunk);
    }
    free(arena);
}

/* Children first: they were made later and may use what the parent holds. */
static void close_everything(Arena *arena)
{
    while (arena->children) {
        Arena *child = arena->children;
        arena->children = child->next;
        if (child->next)
            child->next->previous = NULL;
        destroy(child);
    }
    while (arena->deferred) {
        Deferred *deferred = arena->deferred;
        arena->deferred = deferred->next;
        deferred->close(deferred->context);
    }
}

void arena_free(Arena *arena)
{
    if (!arena)
        return;
    if (arena->previous)
        arena->previous->next = arena->next;
    else if (arena->parent)
        arena->parent->children = arena->next;
    if (arena->next)
        arena->next->previous = arena->previous;
    destroy(arena);
}

void arena_reset(Arena *arena)
{
    close_everything(arena);
    Chunk *kept = NULL;
    while (arena->chunks) {
        Chunk *chunk = arena->chunks;
        arena->chunks = chunk->next;
        if (!kept && chunk->capacity <= LAST_CHUNK)
            kept = chunk;
        else
            chunk_free(arena, chunk);
    }
    if (!kept)
        return;
    UNPOISON(chunk_room(kept), kept->used);
    memset(chunk_room(kept), 0, kept->used);
    POISON(chunk_room(kept), kept->capacity);
    kept->used = 0;
    kept->next = NULL;
    arena->chunks = kept;
}

/* A new chunk with this much room, in front of the others or, when it is for one block alone, behind the first. */
static Chunk *chunk_add(Arena *arena, size_t capacity, bool behind_first)
{
    if (capacity > SIZE_MAX / 2)
        return NULL;
    Chunk *chunk = calloc(1, header_size() + capacity);
    if (!chunk)
        return NULL;
    chunk->capacity = capacity;
    arena->held += capacity;
    Chunk **place = behind_first && arena->chunks ? &arena->chunks->next : &arena->chunks;
    chunk->next = *place;
    *place = chunk;
    POISON(chunk_room(chunk), capacity);
    return chunk;
}

void *arena_alloc(Arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX / 4)
        out_of_memory(arena, bytes);
    size_t needed = round_up(bytes ? bytes : 1, ALIGNMENT) + GAP;
    Chunk *chunk = arena->chunks;
    if (!chunk || chunk->capacity - chunk->used < needed) {
        bool alone = needed > arena->next_capacity / 4;
        chunk = chunk_add(arena, alone ? needed : arena->next_capacity, alone);
        if (!chunk)
            out_of_memory(arena, bytes);
        if (!alone && arena->next_capacity < LAST_CHUNK)
            arena->next_capacity *= 2;
    }
    void *block = chunk_room(chunk) + chunk->used;
    chunk->used += needed;
    UNPOISON(block, bytes);
    return block;
}

void *arena_try(Arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX / 4)
        return NULL;
    Chunk *chunk = chunk_add(arena, bytes + LARGE_ALIGNMENT + GAP, true);
    if (!chunk)
        return NULL;
    chunk->used = chunk->capacity;
    unsigned char *room = chunk_room(chunk);
    void *block = room + (LARGE_ALIGNMENT - (uintptr_t)room % LARGE_ALIGNMENT) % LARGE_ALIGNMENT;
    UNPOISON(block, bytes);
    return block;
}

void *arena_grow(Arena *arena, const void *old, size_t old_bytes, size_t new_bytes)
{
    void *block = arena_alloc(arena, new_bytes);
    if (old_bytes)
        memcpy(block, old, old_bytes < new_bytes ? old_bytes : new_bytes);
    return block;
}

char *arena_strdup(Arena *arena, const char *text)
{
    return arena_strndup(arena, text, strlen(text));
}

char *arena_strndup(Arena *arena, const char *text, size_t length)
{
    char *copy = arena_alloc(arena, length + 1);
    if (length)
        memcpy(copy, text, length);
    return copy;
}

char *arena_printf(Arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = arena_vprintf(arena, format, arguments);
    va_end(arguments);
    return text;
}

char *arena_vprintf(Arena *arena, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *text = arena_alloc(arena, length < 0 ? 1 : (size_t)length + 1);
    if (length > 0)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

void arena_defer(Arena *arena, void (*close)(void *context), void *context)
{
    Deferred *deferred = ARENA_NEW(arena, Deferred);
    *deferred = (Deferred){arena->deferred, close, context};
    arena->deferred = deferred;
}

size_t arena_bytes(const Arena *arena)
{
    size_t bytes = sizeof *arena + arena->held;
    for (const Arena *child = arena->children; child; child = child->next)
        bytes += arena_bytes(child);
    return bytes;
}
