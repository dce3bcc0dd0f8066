/* Somebody else's log as its series, by name and in the order of their first appearance, before anything is known of what they
 * mean. A series keeps up to 65536 values (fewer where there are very many series); beyond that every second one is dropped,
 * values that are not finite being kept, and the last one. */
#ifndef GRADTOOL_DIAGNOSE_FOREIGN_LOG_H
#define GRADTOOL_DIAGNOSE_FOREIGN_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

typedef enum ForeignPlugin { PLUGIN_UNKNOWN, PLUGIN_SCALARS, PLUGIN_HISTOGRAMS, PLUGIN_OTHER } ForeignPlugin;

typedef struct ForeignTag {
    const char *name;
    int64_t *step; /* rise */
    double *value; /* of a histogram the 2-norm of its values */
    int count, capacity;
    int64_t seen, stride; /* all values; of the finite ones every so many is kept */
    bool has_temporary;   /* the last value is only kept as long as it is the last */
    bool is_histogram;
    bool has_negative;
    ForeignPlugin plugin; /* of event files: said once, with the first value */
} ForeignTag;

typedef struct ForeignLog {
    Arena *arena;
    const char *kind; /* "PyTorch events", ... */
    ForeignTag **tag; /* those without values, too */
    int tags, capacity;
    int *slot; /* of a hash table: 1 + the tag's index, 0 when free */
    int slots;
    const char *key; /* appended to all names, after a slash; NULL: nothing */
    bool is_ordered; /* layers come in the model's order */
    int64_t planned; /* steps that were to be made; 0: unknown */
    int64_t files, records, bad_records;
    const char *first_bad; /* what was wrong with the first of them, and where: "a bad checksum at byte 88214 of x" */
} ForeignLog;

ForeignLog *foreign_log_new(Arena *arena);
/* The series of this name, which is copied; made when there is none. */
ForeignTag *foreign_log_tag(ForeignLog *log, const char *name, size_t length);
/* A value at a step up to the last one replaces what the series has from there on. */
void foreign_log_add(ForeignLog *log, ForeignTag *tag, int64_t step, double value);
/* The run was taken up again at this step: what all series have from there on is dropped. */
void foreign_log_restart(ForeignLog *log, int64_t step);
/* A record that cannot be read; `format` says what is wrong and where. */
void foreign_log_bad(ForeignLog *log, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One format: foreign_<name>.c, and a row in foreign_readers.def. */
typedef struct ForeignReader {
    const char *name, *help;
    /* Whether a file is of this format, by its name and its first bytes; `head` ends with a zero. */
    bool (*matches)(const char *name, const char *head, size_t count);
    /* Reads the file into the log. False with an error when it is not of this format or cannot be read; what is broken inside
     * of it is counted as bad records. */
    bool (*read)(ForeignLog *log, const char *path, Error *err);
} ForeignReader;

#endif
