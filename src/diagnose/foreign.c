#include "diagnose/foreign.h"

#include <string.h>

#include "diagnose/foreign_find.h"
#include "diagnose/foreign_record.h"

extern const ForeignReader foreign_text;

static Record *read_source(Arena *arena, const ForeignSource *source, const ForeignOptions *options, Error *err)
{
    if (!source->reader)
        return record_read(arena, source->path, err);
    Arena *scratch = arena_new(arena);
    ForeignLog *log = foreign_log_new(scratch);
    bool fine = true;
    for (int i = 0; fine && i < source->files; i++) {
        log->key = source->key[i];
        fine = source->reader->read(log, source->file[i], err);
        log->files++;
    }
    Record *record = fine ? foreign_record_new(arena, log, source->path, options, err) : NULL;
    arena_free(scratch);
    return record;
}

bool foreign_read_all(Arena *arena, const char *path, const ForeignOptions *options, RecordList *list, Error *err)
{
    ForeignSources sources;
    *list = (RecordList){0};
    if (!foreign_find(arena, path, options ? options->format : NULL, &sources, err))
        return false;
    list->at = ARENA_ARRAY(arena, Record *, sources.count);
    list->passed_over = ARENA_ARRAY(arena, const char *, sources.count);
    for (int i = 0; i < sources.count; i++) {
        Error *own = error_new(arena);
        Record *record = read_source(arena, sources.at[i], options, own);
        if (record)
            list->at[list->count++] = record;
        else
            list->passed_over[list->passed_over_count++] = error_message(own, 0);
    }
    /* Read once more, so that the error comes with its place and its hints. */
    if (list->count == 0 && read_source(arena, sources.at[0], options, err))
        error_add(err, "%s is being changed", path);
    return list->count > 0;
}

Record *foreign_read(Arena *arena, const char *path, const ForeignOptions *options, Error *err)
{
    RecordList list;
    if (!foreign_read_all(arena, path, options, &list, err))
        return NULL;
    for (int i = 0; i < list.count; i++)
        if (list.count == 1 || strcmp(list.at[i]->source, path) == 0)
            return list.at[i];
    error_add(err, "%s holds %d runs", path, list.count);
    error_hint(err, "name one of them: %s, %s%s", list.at[0]->source, list.at[1]->source, list.count > 2 ? ", ..." : "");
    return NULL;
}

ForeignList foreign_list(Arena *arena, const char *path, const ForeignOptions *options)
{
    ForeignSources sources;
    ForeignList list = {0};
    if (!foreign_find(arena, path, options ? options->format : NULL, &sources, error_new(arena)))
        return list;
    list.path = ARENA_ARRAY(arena, const char *, sources.count);
    list.passed_over = ARENA_ARRAY(arena, const char *, sources.count);
    for (int i = 0; i < sources.count; i++) {
        Arena *scratch = arena_new(arena);
        Error *own = error_new(arena);
        const ForeignSource *source = sources.at[i];
        if (sources.count == 1 || !source->reader || read_source(scratch, source, options, own))
            list.path[list.count++] = source->path;
        else
            list.passed_over[list.passed_over_count++] = error_message(own, 0);
        arena_free(scratch);
    }
    return list;
}

bool foreign_is_log(const char *path)
{
    const ForeignReader *reader = foreign_reader_of(path);
    return reader && reader != &foreign_text;
}

bool foreign_format(int index, const char **name, const char **help)
{
    if (index < 0 || index >= foreign_reader_count)
        return false;
    *name = foreign_reader_table[index]->name;
    *help = foreign_reader_table[index]->help;
    return true;
}
