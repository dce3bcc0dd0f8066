/* Files appear whole or not at all. */
#ifndef GRADTOOL_BASE_FILE_H
#define GRADTOOL_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

typedef struct Bytes {
    const unsigned char *at;
    size_t count;
} Bytes;

/* The whole file; a terminating zero follows the last byte. False with an error that says why (absent, a folder, no right). */
bool file_read(Arena *arena, const char *path, Bytes *bytes, Error *err);
/* The same, unpacking gzip when the content (not the name) says so. `limit` bounds the unpacked size. */
bool file_read_gzip(Arena *arena, const char *path, size_t limit, Bytes *bytes, Error *err);
/* Writes to a temporary name in the same folder, fsyncs, renames. Nothing is left behind on failure. */
bool file_write(const char *path, const void *bytes, size_t count, Error *err);

/* Makes what was created, renamed or removed in the folder survive a power failure. False with errno; a file system that cannot
 * do so is no failure. */
bool file_sync_folder(const char *path);
/* CRC-32 as in gzip. */
uint32_t file_checksum(Bytes bytes);
/* The reason of a failure (an errno) in the words of a message; `absent` is what does not exist: "no such file". */
const char *file_reason(int error, const char *absent);

bool file_exists(const char *path);
bool file_is_folder(const char *path);
/* Makes the folder and its parents. */
bool file_make_folder(const char *path, Error *err);
/* Removes a folder that this program made, and all in it; best effort. */
void file_remove_folder(const char *path);

/* "a/b/c.json" -> "a/b" ("." when there is no slash); -> "c.json"; joined unless `name` is absolute. */
const char *path_folder(Arena *arena, const char *path);
const char *path_name(const char *path);
const char *path_join(Arena *arena, const char *folder, const char *name);
const char *path_absolute(Arena *arena, const char *path);

#endif
