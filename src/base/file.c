/* Whole files in, whole files out. */
#define _XOPEN_SOURCE 700 /* nftw */
#include "base/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { READ_BLOCK = 1 << 16, OPEN_FOLDERS = 16, TRIES = 100, PATH_LIMIT = 4096 };

const char *file_reason(int error, const char *absent)
{
    switch (error) {
    case ENOENT:
        return absent;
    case EACCES:
    case EPERM:
        return "no permission";
    case EISDIR:
        return "it is a folder";
    case ENOTDIR:
        return "a part of its path is not a folder";
    case ENOSPC:
        return "no space left on the disk";
    default:
        return strerror(error);
    }
}

static void close_descriptor(void *context)
{
    close((int)(intptr_t)context);
}

static bool too_large(Error *err, const char *path, size_t bytes)
{
    return error_add(err, "cannot read %s: %zu bytes of memory cannot be had", path, bytes);
}

/* Reads to the end into room that starts at what the file claims to be; a pipe claims nothing. */
static bool read_all(Arena *arena, int descriptor, size_t room, const char *path, Bytes *bytes, Error *err)
{
    unsigned char *at = arena_try(arena, room + 1);
    if (!at)
        return too_large(err, path, room);
    size_t count = 0;
    for (;;) {
        if (count == room) {
            unsigned char probe;
            ssize_t more = read(descriptor, &probe, 1);
            if (more == 0)
                break;
            if (more < 0 && errno != EINTR)
                return error_add(err, "cannot read %s: %s", path, strerror(errno));
            if (more < 0)
                continue;
            unsigned char *larger = arena_try(arena, 2 * room + READ_BLOCK + 1);
            if (!larger)
                return too_large(err, path, 2 * room + READ_BLOCK);
            memcpy(larger, at, count);
            at = larger;
            room = 2 * room + READ_BLOCK;
            at[count++] = probe;
        }
        ssize_t got = read(descriptor, at + count, room - count);
        if (got == 0)
            break;
        if (got < 0 && errno != EINTR)
            return error_add(err, "cannot read %s: %s", path, strerror(errno));
        count += got > 0 ? (size_t)got : 0;
    }
    *bytes = (Bytes){at, count};
    return true;
}

bool file_read(Arena *arena, const char *path, Bytes *bytes, Error *err)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return error_add(err, "cannot read %s: %s", path, file_reason(errno, "no such file"));
    Arena *scope = arena_new(arena);
    arena_defer(scope, close_descriptor, (void *)(intptr_t)descriptor);
    struct stat status;
    bool done;
    if (fstat(descriptor, &status) != 0)
        done = error_add(err, "cannot read %s: %s", path, strerror(errno));
    else if (S_ISDIR(status.st_mode))
        done = error_add(err, "cannot read %s: it is a folder", path);
    else
        done = read_all(arena, descriptor, status.st_size > 0 ? (size_t)status.st_size : 0, path, bytes, err);
    arena_free(scope);
    return done;
}

static void *zlib_alloc(void *arena, unsigned items, unsigned size)
{
    return arena_try(arena, (size_t)items * size);
}

/* The scratch arena frees it. */
static void zlib_free(void *arena, void *block)
{
    (void)arena;
    (void)block;
}

/* Where a gzip stream is unpacked to. */
typedef struct Output {
    unsigned char *at;
    size_t used, room, limit;
} Output;

static bool output_grow(Arena *arena, Output *output, size_t room)
{
    room = room < output->limit ? room : output->limit;
    unsigned char *block = arena_try(arena, room + 1); /* a terminating zero */
    if (!block)
        return false;
    if (output->used)
        memcpy(block, output->at, output->used);
    output->at = block;
    output->room = room;
    return true;
}

/* The last four bytes of most gzip files are the unpacked size; a lie costs only time, as deflate gains at most 1032 : 1. */
static size_t unpacked_size(Bytes packed)
{
    if (packed.count < 4)
        return READ_BLOCK;
    const unsigned char *tail = packed.at + packed.count - 4;
    size_t size = (size_t)tail[0] | (size_t)tail[1] << 8 | (size_t)tail[2] << 16 | (size_t)tail[3] << 24;
    return size && size / 1032 <= packed.count ? size : READ_BLOCK;
}

/* One call of inflate. When the room is used up, a single byte is asked for, to see whether there is more at all. */
static int unpack_some(Arena *arena, z_stream *stream, Bytes *packed, Output *output)
{
    unsigned char spare = 0;
    bool full = output->used == output->room;
    size_t in = packed->count < INT_MAX ? packed->count : INT_MAX;
    size_t out = full ? 1 : output->room - output->used;
    out = out < INT_MAX ? out : INT_MAX;
    stream->next_in = (unsigned char *)(uintptr_t)packed->at;
    stream->avail_in = (unsigned)in;
    stream->next_out = full ? &spare : output->at + output->used;
    stream->avail_out = (unsigned)out;
    int status = inflate(stream, Z_NO_FLUSH);
    size_t taken = in - stream->avail_in, made = out - stream->avail_out;
    *packed = (Bytes){packed->at + taken, packed->count - taken};
    if (made && full) {
        if (output->room < output->limit && !output_grow(arena, output, 2 * output->room + READ_BLOCK))
            return Z_MEM_ERROR;
        if (output->used < output->room)
            output->at[output->used] = spare;
    }
    output->used += made;
    return status == Z_OK && !taken && !made ? Z_BUF_ERROR : status;
}

/* A gzip file may hold several streams, one behind the other; what they unpack to is one file. */
static bool unpack(Arena *arena, z_stream *stream, const char *path, Bytes packed, size_t limit, Bytes *bytes, Error *err)
{
    assert(packed.at);
    Output output = {.limit = limit};
    size_t expected = unpacked_size(packed);
    if (!output_grow(arena, &output, expected))
        return too_large(err, path, expected);
    for (;;) {
        int status = unpack_some(arena, stream, &packed, &output);
        if (output.used > limit)
            return error_add(err, "cannot read %s: it unpacks to more than %zu bytes", path, limit);
        if (status == Z_MEM_ERROR)
            return too_large(err, path, output.room);
        if (status == Z_BUF_ERROR)
            return error_add(err, "cannot read %s: the gzip data is cut off", path);
        if (status != Z_OK && status != Z_STREAM_END)
            return error_add(err, "cannot read %s: damaged gzip data (%s)", path, stream->msg ? stream->msg : "no detail");
        if (status == Z_STREAM_END) {
            if (packed.count < 2 || packed.at[0] != 0x1f || packed.at[1] != 0x8b)
                break;
            inflateReset(stream);
        }
    }
    *bytes = (Bytes){output.at, output.used};
    return true;
}

/* Only a regular file is looked into: a pipe could not be read again. */
static bool is_gzip(const char *path)
{
    struct stat status;
    int descriptor = stat(path, &status) == 0 && S_ISREG(status.st_mode) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (descriptor < 0)
        return false;
    unsigned char magic[2] = {0};
    bool is = read(descriptor, magic, sizeof magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
    close(descriptor);
    return is;
}

bool file_read_gzip(Arena *arena, const char *path, size_t limit, Bytes *bytes, Error *err)
{
    if (!is_gzip(path))
        return file_read(arena, path, bytes, err);
    Arena *scratch = arena_new(arena);
    z_stream stream = {.zalloc = zlib_alloc, .zfree = zlib_free, .opaque = scratch};
    Bytes packed = {0};
    bool done = file_read(scratch, path, &packed, err);
    if (done && inflateInit2(&stream, MAX_WBITS + 16) != Z_OK)
        done = error_add(err, "cannot read %s: zlib %s cannot be used", path, zlibVersion());
    else if (done)
        done = unpack(arena, &stream, path, packed, limit, bytes, err);
    arena_free(scratch);
    return done;
}

/* Opens a new file beside `path`; the name says whose it is, should the machine fail before the rename. */
static int open_temporary(const char *path, char *name, size_t size)
{
    const char *last = strrchr(path, '/');
    int folder = last ? (int)(last + 1 - path) : 0;
    for (int try = 0; try < TRIES; try++) {
        int length = snprintf(name, size, "%.*s.%s.%ld-%d.tmp", folder, path, path + folder, (long)getpid(), try);
        if (length < 0 || (size_t)length >= size) {
            errno = ENAMETOOLONG;
            return -1;
        }
        int descriptor = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (descriptor >= 0 || errno != EEXIST)
            return descriptor;
    }
    return -1;
}

static bool write_all(int descriptor, const unsigned char *at, size_t count)
{
    while (count) {
        ssize_t written = write(descriptor, at, count);
        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0) {
            at += written;
            count -= (size_t)written;
        }
    }
    return true;
}

/* Devices and pipes cannot be replaced, only written to. */
static bool write_in_place(const char *path, const void *bytes, size_t count)
{
    int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    bool written = write_all(descriptor, bytes, count);
    return close(descriptor) == 0 && written;
}

bool file_sync_folder(const char *path)
{
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return errno == EACCES;                                                  /* a folder may be written to, but not read */
    bool synced = fsync(descriptor) == 0 || errno == EINVAL || errno == ENOTSUP; /* of a file system that cannot */
    int cause = errno;
    close(descriptor);
    errno = cause;
    return synced;
}

/* The name itself must survive a power failure too. */
static bool sync_folder_of(const char *path)
{
    char folder[PATH_LIMIT];
    const char *last = strrchr(path, '/');
    size_t length = last ? (size_t)(last - path) + 1 : 0;
    if (length >= sizeof folder) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(folder, length ? path : "./", length ? length : 2);
    folder[length ? length : 2] = 0;
    return file_sync_folder(folder);
}

static bool write_and_rename(const char *path, const void *bytes, size_t count)
{
    char name[PATH_LIMIT];
    int descriptor = open_temporary(path, name, sizeof name);
    if (descriptor < 0)
        return false;
    bool written = write_all(descriptor, bytes, count) && fsync(descriptor) == 0;
    int cause = errno;
    if (close(descriptor) != 0 && written) {
        written = false;
        cause = errno;
    }
    if (written && rename(name, path) == 0)
        return sync_folder_of(path);
    cause = written ? errno : cause;
    unlink(name);
    errno = cause;
    return false;
}

bool file_write(const char *path, const void *bytes, size_t count, Error *err)
{
    struct stat status;
    char target[PATH_LIMIT];
    bool exists = stat(path, &status) == 0, written;
    if (exists && S_ISDIR(status.st_mode)) {
        errno = EISDIR;
        written = false;
    } else if (exists && access(path, W_OK) != 0) {
        written = false; /* a rename would replace a file that is protected from writing */
    } else if (exists && !S_ISREG(status.st_mode)) {
        written = write_in_place(path, bytes, count);
    } else {
        written = write_and_rename(exists && realpath(path, target) ? target : path, bytes, count);
    }
    if (!written)
        return error_add(err, "cannot write %s: %s", path, file_reason(errno, "no such folder"));
    return true;
}

uint32_t file_checksum(Bytes bytes)
{
    return (uint32_t)crc32_z(0, bytes.at, bytes.count);
}

bool file_exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0;
}

bool file_is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool file_make_folder(const char *path, Error *err)
{
    char part[PATH_LIMIT];
    size_t length = strlen(path);
    if (length >= sizeof part)
        return error_add(err, "cannot make the folder %s: its name is too long", path);
    for (size_t end = 1; end <= length; end++) {
        if (end < length && path[end] != '/')
            continue;
        memcpy(part, path, end);
        part[end] = 0;
        int cause = mkdir(part, 0777) == 0 ? 0 : errno;
        if (cause && !file_is_folder(part))
            return error_add(err, "cannot make the folder %s: %s", part,
                             cause == EEXIST ? "a file of that name is in the way" : file_reason(cause, "no such folder"));
    }
    return true;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    remove(path);
    return 0;
}

void file_remove_folder(const char *path)
{
    nftw(path, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS);
}

static size_t without_last_slashes(const char *path)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    return length;
}

const char *path_folder(Arena *arena, const char *path)
{
    size_t length = without_last_slashes(path);
    while (length > 0 && path[length - 1] != '/')
        length--;
    if (!length)
        return ".";
    while (length > 1 && path[length - 1] == '/')
        length--;
    return arena_strndup(arena, path, length);
}

const char *path_name(const char *path)
{
    size_t length = without_last_slashes(path);
    while (length > 0 && path[length - 1] != '/')
        length--;
    return path + length;
}

const char *path_join(Arena *arena, const char *folder, const char *name)
{
    if (name[0] == '/' || !folder[0] || !strcmp(folder, "."))
        return arena_strdup(arena, name);
    return arena_printf(arena, "%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/", name);
}

/* `path` without "//", "." and "..", which is the same file unless a link is on the way. */
static char *shortened(Arena *arena, const char *path)
{
    char *into = arena_alloc(arena, strlen(path) + 2), *end = into;
    while (*path) {
        size_t length = strcspn(path, "/");
        if (length == 2 && path[0] == '.' && path[1] == '.') {
            while (end > into && *--end != '/')
                ;
        } else if (length > 1 || (length == 1 && path[0] != '.')) {
            *end++ = '/';
            memcpy(end, path, length);
            end += length;
        }
        path += length;
        path += *path == '/';
    }
    if (end == into)
        *end++ = '/';
    *end = 0;
    return into;
}

const char *path_absolute(Arena *arena, const char *path)
{
    char here[PATH_LIMIT];
    if (path[0] != '/' && !getcwd(here, sizeof here))
        return arena_strdup(arena, path);
    const char *whole = path[0] == '/' ? path : path_join(arena, here, path);
    const char *brief = shortened(arena, whole);
    struct stat a, b;
    bool same = stat(whole, &a) != 0 || (stat(brief, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino);
    return same ? brief : whole;
}
