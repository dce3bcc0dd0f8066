#include "diagnose/foreign_find.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/folder.h"
#include "base/text.h"

enum { DEPTH_LIMIT = 8, RUN_LIMIT = 1000, HEAD_BYTES = 1024 };

#define READER(name) extern const ForeignReader foreign_##name;
#include "diagnose/foreign_readers.def"

const ForeignReader *const foreign_reader_table[] = {
#define READER(name) &foreign_##name,
#include "diagnose/foreign_readers.def"
};
const int foreign_reader_count = sizeof foreign_reader_table / sizeof *foreign_reader_table;

typedef struct Finder {
    Arena *arena;
    ForeignSources *sources;
    const char *format;
} Finder;

/* What is in a folder, without hidden names, in natural order. */
typedef struct Entries {
    const char **path;
    int count;
} Entries;

static ForeignSource *add_source(Finder *finder, const char *path, const ForeignReader *reader)
{
    ForeignSources *sources = finder->sources;
    ForeignSource *source = ARENA_NEW(finder->arena, ForeignSource);
    *source = (ForeignSource){.path = path, .reader = reader};
    if (sources->count == sources->capacity) {
        int more = sources->capacity ? 2 * sources->capacity : 8;
        sources->at = arena_grow(finder->arena, sources->at, (size_t)sources->count * sizeof *sources->at,
                                 (size_t)more * sizeof *sources->at);
        sources->capacity = more;
    }
    sources->at[sources->count++] = source;
    return source;
}

static void add_file(Finder *finder, ForeignSource *source, const char *file, const char *key)
{
    if (source->files == source->capacity) {
        int more = source->capacity ? 2 * source->capacity : 4;
        size_t old = (size_t)source->files * sizeof *source->file, new = (size_t)more * sizeof *source->file;
        source->file = arena_grow(finder->arena, source->file, old, new);
        source->key = arena_grow(finder->arena, source->key, old, new);
        source->capacity = more;
    }
    source->file[source->files] = file;
    source->key[source->files++] = key;
}

/* The first bytes of a file, with a zero behind them; 0 for what cannot be read. */
static size_t read_head(const char *path, char head[HEAD_BYTES + 1])
{
    FILE *file = file_is_folder(path) ? NULL : fopen(path, "rb");
    size_t count = file ? fread(head, 1, HEAD_BYTES, file) : 0;
    if (file)
        fclose(file);
    head[count] = 0;
    return count;
}

static const ForeignReader *reader_named(const char *name)
{
    for (int i = 0; i < foreign_reader_count; i++)
        if (strcmp(foreign_reader_table[i]->name, name) == 0)
            return foreign_reader_table[i];
    return NULL;
}

const ForeignReader *foreign_reader_of(const char *path)
{
    char head[HEAD_BYTES + 1];
    size_t count = read_head(path, head);
    for (int i = 0; i < foreign_reader_count; i++)
        if (foreign_reader_table[i]->matches(path_name(path), head, count))
            return foreign_reader_table[i];
    return NULL;
}

static bool is_own_log(const char *path)
{
    char head[HEAD_BYTES + 1];
    read_head(path, head);
    return strstr(head, "\"event\"") && strstr(head, "\"run\"");
}

static int by_nature(const void *left, const void *right)
{
    const char *const *a = left, *const *b = right;
    return text_compare_natural(*a, *b);
}

static Entries entries_of(Arena *arena, const char *folder)
{
    int count;
    const char *const *names = folder_list(arena, folder, &count);
    Entries entries = {.path = ARENA_ARRAY(arena, const char *, count + 1)};
    for (int i = 0; i < count; i++)
        if (names[i][0] != '.')
            entries.path[entries.count++] = path_join(arena, folder, names[i]);
    if (entries.count)
        qsort(entries.path, (size_t)entries.count, sizeof *entries.path, by_nature);
    return entries;
}

/* A link to a folder is another name of a run that is found anyhow ("latest-run"). */
static bool is_real_folder(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static bool is_event_file(const char *path)
{
    return strstr(path_name(path), "tfevents") && !file_is_folder(path);
}

/* Slashes and blanks of a tag are underscores in the name of its folder. */
static const char *key_behind(const char *folder, const char *tag)
{
    size_t length = strlen(tag);
    for (size_t i = 0; i < length; i++)
        if (folder[i] != tag[i] && !(folder[i] == '_' && strchr("/ ", tag[i])))
            return NULL;
    return folder[length] == '_' && folder[length + 1] ? folder + length + 1 : NULL;
}

/* PyTorch's add_scalars writes each of its values into a folder of its own, MAIN_KEY, as the series MAIN. The key; NULL when
 * the folder is something else. */
static const char *add_scalars_key(Finder *finder, const char *folder, const Entries *entries)
{
    const ForeignReader *events = reader_named("tensorboard");
    if (entries->count != 1 || !is_event_file(entries->path[0]))
        return NULL;
    Arena *scratch = arena_new(finder->arena);
    ForeignLog *log = foreign_log_new(scratch);
    bool fine = events->read(log, entries->path[0], error_new(scratch)) && log->tags == 1;
    const char *key = fine ? key_behind(path_name(folder), log->tag[0]->name) : NULL;
    arena_free(scratch);
    return key;
}

static bool find_in(Finder *finder, const char *path, int depth);

static bool find_below(Finder *finder, const Entries *entries, int depth)
{
    bool found = false;
    for (int i = 0; i < entries->count && finder->sources->count < RUN_LIMIT; i++)
        if (is_real_folder(entries->path[i]))
            found = find_in(finder, entries->path[i], depth + 1) || found;
    return found;
}

/* All event files of a folder are one run, and what add_scalars has put apart belongs to it. */
static bool find_events(Finder *finder, const char *folder, const Entries *entries, int depth)
{
    ForeignSource *source = NULL;
    for (int i = 0; i < entries->count; i++) {
        if (!is_event_file(entries->path[i]))
            continue;
        source = source ? source : add_source(finder, folder, reader_named("tensorboard"));
        add_file(finder, source, entries->path[i], NULL);
    }
    for (int i = 0; source && i < entries->count; i++) {
        if (!is_real_folder(entries->path[i]))
            continue;
        Entries inner = entries_of(finder->arena, entries->path[i]);
        const char *key = add_scalars_key(finder, entries->path[i], &inner);
        if (key)
            add_file(finder, source, inner.path[0], key);
        else
            find_in(finder, entries->path[i], depth + 1);
    }
    return source != NULL;
}

static bool is_wanted(const Finder *finder, const char *format)
{
    return !finder->format || strcmp(finder->format, format) == 0;
}

static bool find_file(Finder *finder, const char *run, const char *file, const char *reader)
{
    add_file(finder, add_source(finder, run, reader_named(reader)), file, NULL);
    return true;
}

/* Its own state, or that of the last checkpoint. */
static bool find_trainer_state(Finder *finder, const char *folder, const Entries *entries)
{
    const char *found = NULL;
    for (int i = 0; i < entries->count; i++) {
        const char *name = path_name(entries->path[i]);
        const char *inner = path_join(finder->arena, entries->path[i], "trainer_state.json");
        if (strcmp(name, "trainer_state.json") == 0)
            return find_file(finder, folder, entries->path[i], "huggingface");
        if (strncmp(name, "checkpoint-", strlen("checkpoint-")) == 0 && file_exists(inner))
            found = inner;
    }
    return found && find_file(finder, folder, found, "huggingface");
}

static bool ends_in(const char *text, const char *suffix)
{
    size_t length = strlen(text), tail = strlen(suffix);
    return length >= tail && strcmp(text + length - tail, suffix) == 0;
}

static bool find_named(Finder *finder, const Entries *entries, const char *suffix, const char *reader)
{
    bool found = false;
    for (int i = 0; i < entries->count; i++)
        if (ends_in(entries->path[i], suffix) && !file_is_folder(entries->path[i]))
            found = find_file(finder, entries->path[i], entries->path[i], reader);
    return found;
}

/* A folder with event files, a trainer's state or W&B's file is one run, also where it is logged in tables as well. Tables and
 * lines of JSON are a run each, and there may be more below. */
static bool find_in(Finder *finder, const char *path, int depth)
{
    if (depth > DEPTH_LIMIT)
        return false;
    const char *log = path_join(finder->arena, path, "log.jsonl");
    if (!finder->format && is_own_log(log)) {
        add_source(finder, path, NULL);
        return true;
    }
    Entries entries = entries_of(finder->arena, path);
    if ((is_wanted(finder, "tensorboard") && find_events(finder, path, &entries, depth)) ||
        (is_wanted(finder, "huggingface") && find_trainer_state(finder, path, &entries)) ||
        (is_wanted(finder, "wandb") && find_named(finder, &entries, ".wandb", "wandb")))
        return true;
    bool found = is_wanted(finder, "csv") && find_named(finder, &entries, ".csv", "csv");
    found = (is_wanted(finder, "jsonl") && find_named(finder, &entries, ".jsonl", "jsonl")) || found;
    return find_below(finder, &entries, depth) || found;
}

static bool find_printed(Finder *finder, const char *path)
{
    Entries entries = entries_of(finder->arena, path);
    bool found = false;
    static const char *const suffixes[] = {".log", ".txt", ".out"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        found = find_named(finder, &entries, suffixes[i], "text") || found;
    return found;
}

static bool check_format(const char *format, Error *err)
{
    if (!format || reader_named(format))
        return true;
    const char *names[16];
    int count = 0;
    for (; count < foreign_reader_count && count < 16; count++)
        names[count] = foreign_reader_table[count]->name;
    error_add(err, "unknown format `%s`", format);
    if (!text_nearest(format, names, count))
        return error_hint(err, "there are tensorboard, huggingface, wandb, jsonl, csv and text");
    return error_suggest(err, format, names, count);
}

bool foreign_find(Arena *arena, const char *path, const char *format, ForeignSources *sources, Error *err)
{
    Finder finder = {arena, sources, format};
    *sources = (ForeignSources){0};
    if (!check_format(format, err))
        return false;
    if (!file_exists(path))
        return error_add(err, "%s does not exist", path);
    const char *whole = arena_strdup(arena, path);
    if (file_is_folder(path)) {
        if (find_in(&finder, whole, 0) || (is_wanted(&finder, "text") && find_printed(&finder, whole)))
            return true;
        error_add(err, "%s holds no log of a training", path);
    } else if (!format && is_own_log(path)) {
        add_source(&finder, path_folder(arena, path), NULL);
        return true;
    } else {
        const ForeignReader *reader = format ? reader_named(format) : foreign_reader_of(path);
        if (reader) {
            add_file(&finder, add_source(&finder, whole, reader), whole, NULL);
            return true;
        }
        error_add(err, "%s is no log of a training", path);
    }
    return error_hint(err,
                      "what can be read: a gradtool run, TensorBoard event files, trainer_state.json, .csv, .jsonl, .wandb, "
                      "printed lines");
}
