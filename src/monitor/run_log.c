/* The log is a text that is written and cleared once a step. */
#include "monitor/run_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

struct RunLog {
    const char *path;
    int file;
    int64_t bytes; /* in the file */
    Text text;
};

enum { RUN_LIMIT = 99999, TAIL = 4096 };

static bool make_new_folder(const char *path, Error *err)
{
    if (mkdir(path, 0777) == 0)
        return true;
    if (errno != EEXIST)
        return error_add(err, "cannot make the folder %s: %s", path, file_reason(errno, "no such folder"));
    error_add(err, "%s exists already; a run is never overwritten", path);
    Arena *scratch = arena_new(NULL);
    bool is_run = file_exists(path_join(scratch, path, "config.json"));
    arena_free(scratch);
    return is_run ? error_hint(err, "choose another folder with --out, or go on with this run by --resume")
                  : error_hint(err, "choose another folder with --out");
}

const char *run_folder_make(Arena *arena, const char *wanted, const char *base, const char *name, Error *err)
{
    if (wanted) {
        size_t length = strlen(wanted);
        char *path = arena_strdup(arena, wanted);
        while (length > 1 && path[length - 1] == '/')
            path[--length] = 0;
        if (!file_make_folder(path_folder(arena, path), err))
            return NULL;
        return make_new_folder(path, err) ? path : NULL;
    }
    if (!file_make_folder(base, err))
        return NULL;
    for (int i = 1; i <= RUN_LIMIT; i++) { /* mkdir is what decides, so that two runs never share a folder */
        const char *path = arena_printf(arena, "%s/%s-%03d", base, name, i);
        if (file_exists(path))
            continue;
        if (mkdir(path, 0777) == 0)
            return path;
        if (errno != EEXIST) {
            error_add(err, "cannot make the folder %s: %s", path, file_reason(errno, "no such folder"));
            return NULL;
        }
    }
    error_add(err, "%s holds %d runs called %s", base, RUN_LIMIT, name);
    return NULL;
}

static void close_log(void *context)
{
    close(((RunLog *)context)->file);
}

static bool cannot_write(const RunLog *log, Error *err)
{
    return error_add(err, "cannot write %s: %s", log->path, file_reason(errno, "no such folder"));
}

/* One writer a run. A file system without locks is taken as it is. */
static bool lock(const RunLog *log, const char *folder, Error *err)
{
    if (flock(log->file, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return true;
    error_add(err, "another process is training %s", folder);
    return error_hint(err, "stop it, or wait for its end");
}

static RunLog *open_log(Arena *arena, const char *folder, int flags, Error *err)
{
    RunLog *log = ARENA_NEW(arena, RunLog);
    log->path = arena_printf(arena, "%s/log.jsonl", folder);
    log->text = text_new(arena);
    text_reserve(&log->text, 1 << 16);
    log->file = open(log->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | flags, 0666);
    if (log->file < 0) {
        cannot_write(log, err);
        return NULL;
    }
    arena_defer(arena, close_log, log);
    return lock(log, folder, err) ? log : NULL;
}

RunLog *run_log_open(Arena *arena, const char *folder, Error *err)
{
    return open_log(arena, folder, O_EXCL, err);
}

RunLog *run_log_reopen(Arena *arena, const char *folder, Error *err)
{
    RunLog *log = open_log(arena, folder, 0, err);
    struct stat status;
    if (!log)
        return NULL;
    if (fstat(log->file, &status) != 0) {
        cannot_write(log, err);
        return NULL;
    }
    log->bytes = status.st_size;
    return log;
}

bool run_log_cut(RunLog *log, int64_t bytes, Error *err)
{
    text_clear(&log->text);
    if (ftruncate(log->file, (off_t)bytes) != 0)
        return cannot_write(log, err);
    log->bytes = bytes;
    return true;
}

bool run_log_is_completed(const RunLog *log, int64_t *step)
{
    char tail[TAIL + 1];
    int64_t from = log->bytes > TAIL ? log->bytes - TAIL : 0;
    ssize_t got = pread(log->file, tail, TAIL, (off_t)from);
    if (got < 1 || tail[got - 1] != '\n')
        return false;
    tail[got - 1] = 0;
    const char *line = strrchr(tail, '\n');
    long long steps;
    if (sscanf(line ? line + 1 : tail, "{\"event\":\"end\",\"status\":\"completed\",\"step\":%lld", &steps) != 1)
        return false;
    *step = steps;
    return true;
}

Text *run_log_begin(RunLog *log, const char *event)
{
    text_add(&log->text, "{\"event\":\"");
    text_add(&log->text, event);
    text_add_char(&log->text, '"');
    return &log->text;
}

Text *run_log_key(RunLog *log, const char *key)
{
    text_add(&log->text, ",\"");
    text_add(&log->text, key);
    text_add(&log->text, "\":");
    return &log->text;
}

void run_log_string(RunLog *log, const char *key, const char *value)
{
    run_log_key(log, key);
    text_add_quoted(&log->text, value);
}

void run_log_integer(RunLog *log, const char *key, int64_t value)
{
    run_log_key(log, key);
    text_printf(&log->text, "%lld", (long long)value);
}

void run_log_number(RunLog *log, const char *key, double value)
{
    run_log_key(log, key);
    text_add_number(&log->text, value);
}

void run_log_bool(RunLog *log, const char *key, bool value)
{
    run_log_key(log, key);
    text_add(&log->text, value ? "true" : "false");
}

void run_log_end(RunLog *log)
{
    text_add(&log->text, "}\n");
}

bool run_log_flush(RunLog *log, Error *err)
{
    size_t done = 0;
    bool fine = true;
    while (fine && done < log->text.length) {
        ssize_t written = write(log->file, log->text.at + done, log->text.length - done);
        if (written < 0 && errno != EINTR)
            fine = cannot_write(log, err);
        done += written > 0 ? (size_t)written : 0;
    }
    /* What is in the file must not come again. */
    memmove(log->text.at, log->text.at + done, log->text.length - done + 1);
    log->text.length -= done;
    log->bytes += (int64_t)done;
    return fine;
}

bool run_log_sync(RunLog *log, Error *err)
{
    return run_log_flush(log, err) && (fsync(log->file) == 0 || cannot_write(log, err));
}

int64_t run_log_bytes(const RunLog *log)
{
    return log->bytes;
}
