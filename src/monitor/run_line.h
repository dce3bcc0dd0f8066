/* One line of a run log as a flat list of fields, read in place.
 *
 * A log of a million steps holds gigabytes of numbers, so a line is scanned once, without a tree: strings are unescaped where
 * they stand, arrays of numbers go to a pool that is used again for the next line. Every JSON object is accepted, whatever
 * its keys, their order and its blanks; values that are neither scalars nor arrays of numbers are checked and kept as text. */
#ifndef GRADTOOL_MONITOR_RUN_LINE_H
#define GRADTOOL_MONITOR_RUN_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

typedef enum RunFieldType {
    RUN_FIELD_NULL,
    RUN_FIELD_BOOL,
    RUN_FIELD_NUMBER, /* also the strings "NaN", "Infinity" and "-Infinity", which keep their `string` */
    RUN_FIELD_STRING,
    RUN_FIELD_NUMBERS, /* an array of numbers, of those strings and of null, which is run_missing() */
    RUN_FIELD_OTHER    /* an object or another array: `string` is its JSON text, `length` bytes, not terminated */
} RunFieldType;

typedef struct RunField {
    const char *key;
    RunFieldType type;
    double number;      /* of a number; 0 or 1 of a boolean; else run_missing() */
    const char *string; /* of a string, terminated; NULL of a number that was written without quotes */
    size_t length;
    const double *numbers;
    int count; /* of numbers */
} RunField;

typedef struct RunLine {
    Arena *arena;
    RunField *fields;
    int count, capacity;
    double *pool;
    size_t pool_count, pool_capacity;
    const char *problem; /* why the line is no JSON object */
    size_t place;        /* and the byte where */
} RunLine;

RunLine run_line_new(Arena *arena);

/* Reads a line of `length` bytes; text[length] must be writable and is set to zero, the text is changed, and the fields point
 * into it until the next call. False when it is not one JSON object: then `problem` and `place` say why. */
bool run_line_read(RunLine *line, char *text, size_t length);

/* The value that stands for null and for what is absent: a NaN that no calculation makes. */
double run_missing(void);
bool run_is_missing(double value);

#endif
