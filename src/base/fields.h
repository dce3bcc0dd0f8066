/* Options of a JSON object as a table: one row states the key, its type, default, limits and help, and from it come the
 * reading, every error, the completed config and `gradtool list`. */
#ifndef GRADTOOL_BASE_FIELDS_H
#define GRADTOOL_BASE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/json.h"

typedef enum FieldType {
    FIELD_BOOL,    /* bool */
    FIELD_INTEGER, /* int64_t */
    FIELD_NUMBER,  /* double; the strings "inf" and "Infinity" are taken where the limit is FIELD_ANY_OR_INFINITE */
    FIELD_STRING,  /* const char * */
    FIELD_CHOICE,  /* int: the index into `choices` */
    FIELD_PATH,    /* const char *: resolved against the folder of the file that names it, and so written back, absolute */
    FIELD_JSON     /* Json *: any value, read by its owner */
} FieldType;

typedef enum FieldLimit {
    FIELD_ANY,          /* finite */
    FIELD_POSITIVE,     /* > 0 */
    FIELD_NOT_NEGATIVE, /* >= 0 */
    FIELD_FRACTION,     /* 0 <= x <= 1 */
    FIELD_BELOW_ONE,    /* 0 <= x < 1 */
    FIELD_ANY_OR_INFINITE
} FieldLimit;

typedef struct Field {
    const char *name;
    FieldType type;
    size_t offset;        /* in the struct that is filled */
    const char *standard; /* the default as JSON text; NULL: none, the member stays zero when the key is absent */
    bool required;
    FieldLimit limit;           /* of numbers and integers */
    const char *const *choices; /* NULL-terminated */
    const char *help;           /* one line */
} Field;

/* One table and the struct it fills. `fields` ends with a row whose name is NULL. */
typedef struct FieldSet {
    const Field *fields;
    void *into;
} FieldSet;

/* Reads the object through all sets together. A key that no set knows is an error with the nearest known key; a missing
 * required key, a wrong type and a value beyond its limit are errors. Missing keys that have a default are added to the
 * object, so that afterwards the tree is the complete config. `what` names the object in messages ("the optimizer").
 * JSON null counts as absent for a field without default. All errors of the object are reported, not just the first. */
bool fields_read(Arena *arena, Json *object, const char *what, const FieldSet *sets, int count, Error *err);

/* The row of a table of named rows that `value` (a JSON string) names, else an error "unknown `what`" with a suggestion.
 * `names` ends with NULL. Returns the index or -1. */
int fields_choose(const Json *value, const char *what, const char *const *names, Error *err);

/* Reads `value` as a list of numbers or one number that stands for all `count`: kernel, padding, ... */
bool fields_read_integers(const Json *value, const char *what, int64_t *into, int count, int64_t low, Error *err);

#endif
