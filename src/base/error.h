/* One type for every failure that is somebody else's mistake: what, where and what to do.
 *
 * A function that can fail takes an Error as its last argument, adds to it where the cause is known, and returns
 * false or NULL. Several mistakes of one file are collected and reported together (at most ERROR_LIMIT are kept,
 * the rest is counted). Only main() prints an Error. */
#ifndef GRADTOOL_BASE_ERROR_H
#define GRADTOOL_BASE_ERROR_H

#include <stdbool.h>
#include <stdio.h>

#include "base/arena.h"

struct Json;

enum { ERROR_LIMIT = 10 };

typedef struct Error Error;

Error *error_new(Arena *arena);

/* Each adds one error and returns false. Without a place; at a line and column of a file (from 1, 0 when unknown);
 * at a JSON value; at the key of a JSON object's member. A JSON place carries file, line, column, key path and the
 * offending line as an excerpt with carets. */
bool error_add(Error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool error_in_file(Error *err, const char *file, long line, long column, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
bool error_at(Error *err, const struct Json *value, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool error_at_key(Error *err, const struct Json *member, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Adds a sentence of help to the last error, returns false. */
bool error_hint(Error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "did you mean `x`?" when one of `count` words is near enough to `word` (Damerau-Levenshtein <= max(1, length/3)). */
bool error_suggest(Error *err, const char *word, const char *const words[], int count);

/* Adds all errors of another, whose arena must live as long. Returns false. */
bool error_join(Error *err, const Error *other);

int error_count(const Error *err);
/* The first message, for tests; "" when there is none. */
const char *error_message(const Error *err, int index);
void error_print(const Error *err, FILE *stream, bool colour);

#endif
