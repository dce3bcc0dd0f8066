/* JSON values that know where they stand in their file.
 *
 * cJSON reads the values; this file adds what it lacks: line and column of every key and value, duplicate keys and
 * numbers beyond double as errors, numbers written exactly, and a tree that can be completed and changed.
 * A tree lives in the arena that it was read into. */
#ifndef GRADTOOL_BASE_JSON_H
#define GRADTOOL_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"

typedef enum JsonType { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT } JsonType;

/* The text a value was read from: a file, or an option of the command line ("--set optimizer.lr"). */
typedef struct JsonSource {
    const char *name; /* as the user would write it */
    const char *text;
    size_t length;
    bool is_file;
} JsonSource;

typedef struct Json Json;
struct Json {
    JsonType type;
    const char *key;           /* in an object, else NULL */
    const char *string;        /* JSON_STRING, and the text of a JSON_NUMBER as it was written */
    double number;             /* JSON_NUMBER, and 0 or 1 of a JSON_BOOL */
    Json *first, *last, *next; /* children in file order; the next sibling */
    Json *parent;
    int count;                 /* of children */
    const JsonSource *source;  /* NULL for a value that was filled in */
    size_t begin, end;         /* the value's bytes in source->text */
    size_t key_begin, key_end; /* the key's, quotes included */
};

/* Reads a whole file or text. NULL and an error (with line and column) when it is not JSON, has a duplicate key,
 * nests deeper than 200, is not UTF-8 or cannot be read. The tokens NaN and Infinity are errors that say what to write. */
Json *json_read_file(Arena *arena, const char *path, Error *err);
Json *json_read_text(Arena *arena, const char *name, const char *text, size_t length, Error *err);

Json *json_member(const Json *object, const char *key); /* NULL when absent or not an object */
Json *json_item(const Json *array, int index);
/* The key path from the root: "train.batch_size", "layers[2].out"; "" for the root. */
const char *json_path(Arena *arena, const Json *value);
/* The value at such a path from `root`. Where there is none: the nearest parent of it that exists, and *found (may be NULL) is
 * false. */
const Json *json_find(const Json *root, const char *path, bool *found);
/* Line and column, from 1, of a byte of the source. */
void json_place(const JsonSource *source, size_t byte, long *line, long *column);

/* New values, and changes to the tree. Adding a key that exists replaces its value. */
Json *json_new(Arena *arena, JsonType type);
Json *json_new_number(Arena *arena, double value);
Json *json_new_string(Arena *arena, const char *value);
void json_add_member(Arena *arena, Json *object, const char *key, Json *value);
void json_add_item(Json *array, Json *value);
/* Puts the content of `with` (type, children, source, place) in the place of `value`, which keeps its key and parent. */
void json_replace(Json *value, const Json *with);
Json *json_copy(Arena *arena, const Json *value);
/* Takes a member or an item out of what holds it. */
void json_remove(const Json *value);

/* `assignment` is key=value as --set takes it: "optimizer.lr=0.1", "model.layers[0].out=8". The value is parsed as JSON,
 * and is a string where that fails. Missing objects on the way are made; a number in between is an error. */
bool json_set(Arena *arena, Json *root, const char *assignment, Error *err);

/* Appends the value; indent < 0 for one line, else pretty with two blanks a level, short arrays and objects on one line. */
void json_write(Text *text, const Json *value, int indent);

#endif
