/* Memory with a clear life: everything allocated from an arena is freed with it, in one go.
 *
 * Three lives are used: run (configuration, parameters, data), plan (graph, workspace) and scratch
 * (reset when the caller returns). Nothing outside this file calls malloc. */
#ifndef GRADTOOL_BASE_ARENA_H
#define GRADTOOL_BASE_ARENA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

typedef struct Arena Arena;

/* Where an allocation that cannot be served unwinds to. main() owns one; `bytes` is what was asked for. */
typedef struct OutOfMemory {
    jmp_buf unwind;
    size_t bytes;
} OutOfMemory;

/* A new arena. `parent` may be NULL; otherwise the arena is freed with its parent and unwinds to the same place. */
Arena *arena_new(Arena *parent);
void arena_on_out_of_memory(Arena *arena, OutOfMemory *handler);

/* Frees everything, running deferred functions in reverse order. NULL is allowed. */
void arena_free(Arena *arena);
/* The same, but the arena may be used again. */
void arena_reset(Arena *arena);

/* Zeroed memory, aligned to 16 bytes. Never returns NULL: out of memory unwinds to the handler (or aborts without one). */
void *arena_alloc(Arena *arena, size_t bytes);
/* Zeroed memory for what is large (data sets, workspaces), aligned to 64 bytes; NULL when it cannot be had. */
void *arena_try(Arena *arena, size_t bytes);
/* A larger copy of `old` (which stays allocated until the arena is freed). */
void *arena_grow(Arena *arena, const void *old, size_t old_bytes, size_t new_bytes);

char *arena_strdup(Arena *arena, const char *text);
char *arena_strndup(Arena *arena, const char *text, size_t length);
char *arena_printf(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(Arena *arena, const char *format, va_list arguments);

/* Calls close(context) when the arena is freed or reset: files, pipes and maps close on every exit path. */
void arena_defer(Arena *arena, void (*close)(void *context), void *context);

/* Bytes held by this arena and its children. */
size_t arena_bytes(const Arena *arena);

#define ARENA_ARRAY(arena, Type, count) ((Type *)arena_alloc((arena), sizeof(Type) * (size_t)(count)))
#define ARENA_NEW(arena, Type) ARENA_ARRAY(arena, Type, 1)

#endif
