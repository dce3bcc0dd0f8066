#include "base/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum { TRIES = 100 };

static int by_name(const void *left, const void *right)
{
    const char *const *a = left, *const *b = right;
    return strcmp(*a, *b);
}

const char *const *folder_list(Arena *arena, const char *path, int *count)
{
    const char **names = ARENA_ARRAY(arena, const char *, 1);
    size_t capacity = 1, used = 0;
    DIR *folder = opendir(path);
    for (const struct dirent *entry; folder && (entry = readdir(folder));) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        if (used == capacity) {
            names = arena_grow(arena, names, sizeof *names * used, sizeof *names * 2 * capacity);
            capacity *= 2;
        }
        names[used++] = arena_strdup(arena, entry->d_name);
    }
    if (folder)
        closedir(folder);
    qsort(names, used, sizeof *names, by_name);
    *count = (int)used;
    return names;
}

const char *folder_begin(Arena *arena, const char *path, Error *err)
{
    for (int try = 0; try < TRIES; try++) {
        const char *name = arena_printf(arena, "%s.tmp-%ld-%d", path, (long)getpid(), try);
        if (mkdir(name, 0777) == 0)
            return name;
        if (errno != EEXIST)
            break;
    }
    error_add(err, "cannot make the folder %s: %s", path, file_reason(errno, "no such folder"));
    return NULL;
}

bool folder_commit(const char *temporary, const char *path, Error *err)
{
    Arena *scratch = arena_new(NULL);
    const char *parent = path_folder(scratch, path);
    if (file_exists(path)) /* a rename replaces an empty folder only */
        file_remove_folder(path);
    bool done = rename(temporary, path) == 0 && file_sync_folder(parent);
    if (!done) {
        error_add(err, "cannot write %s: %s", path, file_reason(errno, "no such folder"));
        file_remove_folder(temporary);
    }
    arena_free(scratch);
    return done;
}

/* Is `text` "PID-TRY" and then `end`? */
static bool is_owner(const char *text, const char *end)
{
    long process;
    int try, length = 0;
    return sscanf(text, "%ld-%d%n", &process, &try, &length) == 2 && !strcmp(text + length, end);
}

/* Is `entry` the temporary file or folder of `name`, or of any name? */
static bool is_leftover(const char *entry, const char *name)
{
    const char *mark = strstr(entry, ".tmp-"), *dot = strrchr(entry, '.');
    if (mark && is_owner(mark + strlen(".tmp-"), ""))
        return !name || ((size_t)(mark - entry) == strlen(name) && !strncmp(entry, name, strlen(name)));
    if (entry[0] != '.' || strcmp(dot, ".tmp") != 0)
        return false;
    while (dot > entry && *--dot != '.')
        ;
    if (dot == entry || !is_owner(dot + 1, ".tmp"))
        return false;
    return !name || ((size_t)(dot - entry - 1) == strlen(name) && !strncmp(entry + 1, name, strlen(name)));
}

void folder_remove_leftovers(Arena *scratch, const char *path, const char *name)
{
    int count;
    const char *const *names = folder_list(scratch, path, &count);
    for (int i = 0; i < count; i++) {
        const char *whole = path_join(scratch, path, names[i]);
        if (is_leftover(names[i], name))
            file_remove_folder(whole); /* nftw takes a file, too */
    }
}
