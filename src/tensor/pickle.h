/* A Python pickle as a tree of values. Nothing is ever executed: a call is a node that names its function.
 *
 * The opcodes are those that torch.save writes (protocol 2), and the functions those that the caller allows; anything else is
 * refused. A value may be reached on several ways, and by a broken file even from within itself: walkers mark what they saw. */
#ifndef GRADTOOL_TENSOR_PICKLE_H
#define GRADTOOL_TENSOR_PICKLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"

typedef enum PickleKind {
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INTEGER,
    PICKLE_NUMBER,
    PICKLE_STRING,
    PICKLE_SEQUENCE,   /* tuple or list */
    PICKLE_DICT,       /* item: key, value, key, value, ... */
    PICKLE_GLOBAL,     /* text: "module name" */
    PICKLE_PERSISTENT, /* item[0]: what the file calls a thing that stands outside of the pickle */
    PICKLE_CALL        /* of `function` with `arguments`; items that were set on the result, as of a dict */
} PickleKind;

typedef struct Pickle Pickle;
struct Pickle {
    PickleKind kind;
    int64_t integer; /* of BOOL and INTEGER */
    double number;
    const char *text;
    Pickle **item;
    int count, capacity;
    Pickle *function, *arguments;
    bool is_seen; /* for walkers */
};

/* `allowed` are the globals that may occur, as "module name", ends with NULL. NULL and an error that names what is refused. */
Pickle *pickle_read(Arena *arena, const char *path, Bytes bytes, const char *const allowed[], Error *err);

#endif
