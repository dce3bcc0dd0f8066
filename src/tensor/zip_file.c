/* Reading zip archives: the end record, the central directory, and one entry at a time. */
#include "tensor/zip_file.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

#include "tensor/number_type.h"

enum { END_BYTES = 22, END64_BYTES = 56, LOCATOR_BYTES = 20, DIRECTORY_BYTES = 46, LOCAL_BYTES = 30, COMMENT_LIMIT = 65535 };
enum { STORED = 0, DEFLATED = 8, FLAG_ENCRYPTED = 1, EXTRA_ZIP64 = 1 };
enum { PACKING_LIMIT = 1032 }; /* deflate makes of a byte at most so many */

bool zip_file_is(Bytes bytes)
{
    return bytes.count >= 4 && (!memcmp(bytes.at, "PK\3\4", 4) || !memcmp(bytes.at, "PK\5\6", 4));
}

static uint64_t field(const unsigned char *at, size_t offset, size_t size)
{
    return number_bits(at + offset, size, false);
}

static bool broken(const ZipFile *zip, Error *err, const char *why)
{
    return error_in_file(err, zip->path, 0, 0, "a broken zip archive: %s", why);
}

/* Where the directory stands, how long it is and how many entries it has. */
typedef struct Directory {
    uint64_t begin, bytes, count;
} Directory;

/* The end record stands at the end, before a comment that may be there. */
static const unsigned char *find_end(Bytes bytes)
{
    for (size_t back = END_BYTES; back <= bytes.count && back <= END_BYTES + COMMENT_LIMIT; back++) {
        const unsigned char *at = bytes.at + bytes.count - back;
        if (!memcmp(at, "PK\5\6", 4) && field(at, 20, 2) == back - END_BYTES)
            return at;
    }
    return NULL;
}

static bool read_end(const ZipFile *zip, Directory *directory, Error *err)
{
    Bytes bytes = zip->bytes;
    const unsigned char *end = find_end(bytes);
    if (!end)
        return broken(zip, err, "it has no end record, so the file is cut short");
    if (field(end, 4, 2) != 0 && field(end, 4, 2) != 0xffff)
        return broken(zip, err, "it is split over several files");
    *directory = (Directory){field(end, 16, 4), field(end, 12, 4), field(end, 10, 2)};
    size_t before = (size_t)(end - bytes.at);
    if (before >= LOCATOR_BYTES && !memcmp(end - LOCATOR_BYTES, "PK\6\7", 4)) {
        uint64_t at = field(end - LOCATOR_BYTES, 8, 8);
        if (bytes.count < END64_BYTES || at > bytes.count - END64_BYTES || memcmp(bytes.at + at, "PK\6\6", 4) != 0)
            return broken(zip, err, "its zip64 end record is not where it should be");
        const unsigned char *end64 = bytes.at + at;
        *directory = (Directory){field(end64, 48, 8), field(end64, 40, 8), field(end64, 32, 8)};
    }
    if (directory->begin > bytes.count || directory->bytes > bytes.count - directory->begin ||
        directory->count > directory->bytes / DIRECTORY_BYTES || directory->count > INT_MAX)
        return broken(zip, err, "its directory reaches beyond the file");
    return true;
}

/* Sizes beyond 32 bits stand in an extra field, in this order, each only where the plain one is all ones. */
static bool read_zip64(const unsigned char *extra, size_t bytes, uint64_t *size, uint64_t *packed, uint64_t *header)
{
    while (bytes >= 4) {
        size_t kind = (size_t)field(extra, 0, 2), length = (size_t)field(extra, 2, 2);
        extra += 4;
        bytes -= 4;
        if (length > bytes)
            return false;
        if (kind == EXTRA_ZIP64) {
            uint64_t *wide[] = {size, packed, header};
            for (size_t i = 0; i < 3; i++) {
                if (*wide[i] != 0xffffffff)
                    continue;
                if (length < 8)
                    return false;
                *wide[i] = field(extra, 0, 8);
                extra += 8;
                length -= 8;
                bytes -= 8;
            }
        }
        extra += length;
        bytes -= length;
    }
    return true;
}

/* The entry at `at`, of whose directory `left` bytes remain; *taken becomes its length there. */
static bool read_entry(Arena *arena, const ZipFile *zip, const unsigned char *at, size_t left, ZipEntry *entry, size_t *taken,
                       Error *err)
{
    if (left < DIRECTORY_BYTES || memcmp(at, "PK\1\2", 4) != 0)
        return broken(zip, err, "an entry of its directory is missing");
    size_t name = (size_t)field(at, 28, 2), extra = (size_t)field(at, 30, 2), comment = (size_t)field(at, 32, 2);
    uint64_t packed = field(at, 20, 4), size = field(at, 24, 4), header = field(at, 42, 4);
    *taken = DIRECTORY_BYTES + name + extra + comment;
    if (*taken > left || !read_zip64(at + DIRECTORY_BYTES + name, extra, &size, &packed, &header))
        return broken(zip, err, "an entry of its directory reaches beyond it");
    *entry = (ZipEntry){
        .name = arena_strndup(arena, (const char *)at + DIRECTORY_BYTES, name),
        .method = (int)field(at, 10, 2),
        .flags = (int)field(at, 8, 2),
        .checksum = (uint32_t)field(at, 16, 4),
        .packed = (size_t)packed,
        .size = (size_t)size,
        .header = (size_t)header,
    };
    return true;
}

ZipFile *zip_file_read(Arena *arena, const char *path, Bytes bytes, Error *err)
{
    ZipFile *zip = ARENA_NEW(arena, ZipFile);
    *zip = (ZipFile){.path = arena_strdup(arena, path), .bytes = bytes};
    Directory directory = {0};
    if (!read_end(zip, &directory, err))
        return NULL;
    zip->entry = ARENA_ARRAY(arena, ZipEntry, directory.count + 1);
    const unsigned char *at = bytes.at + directory.begin;
    size_t left = (size_t)directory.bytes;
    for (; zip->count < (int)directory.count; zip->count++) {
        size_t taken = 0;
        if (!read_entry(arena, zip, at, left, &zip->entry[zip->count], &taken, err))
            return NULL;
        at += taken;
        left -= taken;
    }
    return zip;
}

const ZipEntry *zip_file_find(const ZipFile *zip, const char *name)
{
    for (int i = 0; i < zip->count; i++)
        if (!strcmp(zip->entry[i].name, name))
            return &zip->entry[i];
    return NULL;
}

static void *take(void *arena, unsigned count, unsigned size)
{
    return arena_alloc(arena, (size_t)count * size);
}

static void give_back(void *arena, void *memory)
{
    (void)arena, (void)memory;
}

/* zlib counts in unsigned ints, so long entries go in several calls. */
static bool unpack(Bytes packed, unsigned char *into, size_t size, Arena *scratch)
{
    z_stream stream = {.zalloc = take, .zfree = give_back, .opaque = scratch};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
        return false;
    int status = Z_OK;
    unsigned char spare = 0;
    stream.next_in = (unsigned char *)(uintptr_t)packed.at;
    stream.next_out = size ? into : &spare;
    while (status == Z_OK) {
        size_t in = packed.count - (size_t)(stream.next_in - packed.at),
               out = size - (size_t)(size ? stream.next_out - into : 0);
        stream.avail_in = in < INT_MAX ? (unsigned)in : INT_MAX;
        stream.avail_out = out < INT_MAX ? (unsigned)out : INT_MAX;
        status = inflate(&stream, Z_NO_FLUSH);
    }
    return status == Z_STREAM_END && stream.total_out == size;
}

bool zip_file_content(const ZipFile *zip, const ZipEntry *entry, Arena *arena, Bytes *content, Error *err)
{
    Bytes bytes = zip->bytes;
    if (entry->flags & FLAG_ENCRYPTED)
        return error_in_file(err, zip->path, 0, 0, "entry `%s` is encrypted", entry->name);
    if (entry->method != STORED && entry->method != DEFLATED)
        return error_in_file(err, zip->path, 0, 0, "entry `%s` is packed with method %d, which is not read", entry->name,
                             entry->method);
    if (bytes.count < LOCAL_BYTES || entry->header > bytes.count - LOCAL_BYTES ||
        memcmp(bytes.at + entry->header, "PK\3\4", 4) != 0)
        return error_in_file(err, zip->path, 0, 0, "entry `%s` is not where the directory says", entry->name);
    const unsigned char *local = bytes.at + entry->header;
    size_t left = bytes.count - entry->header, begin = LOCAL_BYTES + (size_t)field(local, 26, 2) + (size_t)field(local, 28, 2);
    if (begin > left || entry->packed > left - begin || (entry->method == STORED && entry->size != entry->packed) ||
        entry->size / PACKING_LIMIT > entry->packed)
        return error_in_file(err, zip->path, 0, 0, "entry `%s` reaches beyond the file", entry->name);
    *content = (Bytes){local + begin, entry->packed};
    if (entry->method == DEFLATED) {
        unsigned char *into = arena_try(arena, entry->size + 1);
        if (!into)
            return error_in_file(err, zip->path, 0, 0, "no memory for the %zu bytes of entry `%s`", entry->size, entry->name);
        Arena *scratch = arena_new(arena);
        bool done = unpack(*content, into, entry->size, scratch);
        arena_free(scratch);
        if (!done)
            return error_in_file(err, zip->path, 0, 0, "entry `%s` cannot be unpacked", entry->name);
        *content = (Bytes){into, entry->size};
    }
    uint32_t checksum = (uint32_t)crc32_z(0, content->at, content->count);
    return checksum == entry->checksum || !entry->checksum ||
           error_in_file(err, zip->path, 0, 0, "entry `%s` is damaged: its checksum is wrong", entry->name);
}
