/* The log is a text that is written and cleared once a step. */
#include "monitor/run_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

struct RunLog {
    const char *path;
    int file;
    Text text;
};

enum { RUN_LIMIT = 99999 };

static bool make_new_folder(const char *path, Error *err)
{
    if (mkdir(path, 0777) == 0)
        return true;
    if (errno != EEXIST)
        return error_add(err, "cannot make the folder %s: %s", path, strerror(errno));
    error_add(err, "%s exists already; a run is never overwritten", path);
    return error_hint(err, "choose another folder with --out");
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
            error_add(err, "cannot make the folder %s: %s", path, strerror(errno));
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

RunLog *run_log_open(Arena *arena, const char *folder, Error *err)
{
    RunLog *log = ARENA_NEW(arena, RunLog);
    log->path = arena_printf(arena, "%s/log.jsonl", folder);
    log->text = text_new(arena);
    text_reserve(&log->text, 1 << 16);
    log->file = open(log->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    if (log->file < 0) {
        error_add(err, "cannot write %s: %s", log->path, strerror(errno));
        return NULL;
    }
    arena_defer(arena, close_log, log);
    return log;
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
    const char *at = log->text.at;
    size_t left = log->text.length;
    while (left) {
        ssize_t written = write(log->file, at, left);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return error_add(err, "cannot write %s: %s", log->path, strerror(errno));
        at += written;
        left -= (size_t)written;
    }
    text_clear(&log->text);
    return true;
}
