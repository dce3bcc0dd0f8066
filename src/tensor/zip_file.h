/* A zip archive in memory, by its central directory: PyTorch leaves the sizes in the local headers zero.
 *
 * Stored and deflated entries, zip64. Encrypted and split archives, other methods, entries that overlap nothing of the file or
 * reach beyond it, and wrong checksums are errors. */
#ifndef GRADTOOL_TENSOR_ZIP_FILE_H
#define GRADTOOL_TENSOR_ZIP_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"

typedef struct ZipEntry {
    const char *name;
    int method, flags;
    uint32_t checksum; /* 0: the writer left it out */
    size_t packed, size, header;
} ZipEntry;

typedef struct ZipFile {
    const char *path;
    Bytes bytes;
    ZipEntry *entry;
    int count;
} ZipFile;

/* Whether the content (not the name) begins as an archive does. */
bool zip_file_is(Bytes bytes);
/* `bytes` must outlive the result. */
ZipFile *zip_file_read(Arena *arena, const char *path, Bytes bytes, Error *err);
/* NULL when there is none. */
const ZipEntry *zip_file_find(const ZipFile *zip, const char *name);
/* The entry's content: within the file's bytes when it is stored, else unpacked into the arena. */
bool zip_file_content(const ZipFile *zip, const ZipEntry *entry, Arena *arena, Bytes *content, Error *err);

#endif
