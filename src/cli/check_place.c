/* From the key that is to blame to a place in a file. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/check_report.h"

/* The folder without links, or NULL where there is none. */
static const char *real_folder(Arena *arena, const char *path)
{
    char real[PATH_MAX];
    return path && *path && file_is_folder(path) && realpath(path, real) ? arena_strdup(arena, real) : NULL;
}

static bool lies_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return !strncmp(path, folder, length) && (path[length] == '/' || (length && folder[length - 1] == '/'));
}

const char *check_root(Arena *arena)
{
    const char *here = real_folder(arena, ".");
    const char *const jobs[] = {getenv("GITHUB_WORKSPACE"), getenv("CI_PROJECT_DIR")};
    if (!here)
        return "/";
    for (size_t i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        const char *job = real_folder(arena, jobs[i]);
        if (job && (!strcmp(here, job) || lies_below(here, job)))
            return job;
    }
    for (const char *folder = here;; folder = path_folder(arena, folder)) {
        if (file_exists(path_join(arena, folder, ".git")))
            return folder;
        if (!strcmp(folder, "/"))
            return here;
    }
}

static const char *relative_to(Arena *arena, const char *path, const char *folder)
{
    if (!lies_below(path, folder))
        return NULL;
    const char *rest = path + strlen(folder);
    return arena_strdup(arena, rest + (*rest == '/'));
}

static void name_file(const CheckReport *report, const char *name, CheckPlace *place)
{
    Arena *arena = report->arena;
    char real[PATH_MAX];
    const char *here = real_folder(arena, ".");
    const char *whole = realpath(name, real) ? real : path_absolute(arena, name);
    const char *near = here ? relative_to(arena, whole, here) : NULL, *inside = relative_to(arena, whole, report->root);
    place->file = near ? near : name;
    /* A path of this machine means nothing elsewhere. */
    place->uri =
        inside ? inside
               : arena_printf(arena, "%s/%s", path_name(path_folder(arena, whole)), path_name(arena_strdup(arena, whole)));
}

/* The key and, where it stands on the same line, its value; of an item, the value's first line. */
static void mark(const Json *value, CheckPlace *place)
{
    const JsonSource *source = value->source;
    bool has_key = value->key_end > value->key_begin, is_scalar = value->type != JSON_ARRAY && value->type != JSON_OBJECT;
    size_t begin = has_key ? value->key_begin : value->begin;
    size_t end = has_key && !is_scalar ? value->key_end : value->end;
    json_place(source, begin, &place->line, &place->column);
    json_place(source, end, &place->end_line, &place->end_column);
    if (place->end_line == place->line)
        return;
    size_t line_end = begin + strcspn(source->text + begin, "\r\n");
    json_place(source, has_key ? value->key_end : line_end, &place->end_line, &place->end_column);
}

/* The nearest value at or around the key that a file holds. */
static bool find_in_file(const Json *tree, const char *key, const Json **found)
{
    const Json *value = json_find(tree, key, NULL);
    while (value && !(value->source && value->source->is_file))
        value = value->parent;
    *found = value;
    return value != NULL;
}

static CheckPlace annotated_place(const CheckReport *report, const char *key)
{
    Arena *arena = report->arena;
    CheckPlace place = {.key = "", .line = 1, .column = 1, .end_line = 1, .end_column = 1};
    const Json *value;
    if (report->annotate_tree && find_in_file(report->annotate_tree, key, &value)) {
        mark(value, &place);
        place.key = json_path(arena, value);
        name_file(report, value->source->name, &place);
        return place;
    }
    const char *colon = strrchr(report->annotate, ':');
    long line = colon ? strtol(colon + 1, NULL, 10) : 0;
    place.line = place.end_line = line > 0 ? line : 1;
    name_file(report, line > 0 ? arena_strndup(arena, report->annotate, (size_t)(colon - report->annotate)) : report->annotate,
              &place);
    return place;
}

CheckPlace check_place(const CheckReport *report, const CheckSubject *subject, const Finding *finding)
{
    Arena *arena = report->arena;
    CheckPlace place = {.key = "", .line = 1, .column = 1, .end_line = 1, .end_column = 1};
    const char *key = finding && finding->blame ? finding->blame : "";
    const Json *value;
    if (report->annotate)
        return annotated_place(report, key);
    if (subject->config && find_in_file(subject->config, key, &value)) {
        mark(value, &place);
        place.key = json_path(arena, value);
        name_file(report, value->source->name, &place);
        return place;
    }
    const char *log = path_join(arena, subject->path, "log.jsonl");
    name_file(report, file_is_folder(subject->path) && file_exists(log) ? log : subject->path, &place);
    return place;
}
