/* Text that grows, and words that are nearly right. */
#ifndef GRADTOOL_BASE_TEXT_H
#define GRADTOOL_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

/* A string that grows in an arena; always terminated. text_clear keeps the memory, so a buffer that has reached its
 * size allocates no more. */
typedef struct Text {
    Arena *arena;
    char *at;
    size_t length, capacity;
} Text;

Text text_new(Arena *arena);
void text_clear(Text *text);
void text_reserve(Text *text, size_t more);
void text_add(Text *text, const char *string);
void text_add_bytes(Text *text, const char *bytes, size_t count);
void text_add_char(Text *text, char c);
void text_printf(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A number as the run log writes it: 9 significant digits, shortest form ("0.25", "1e-07"); non-finite as the JSON
 * strings "NaN", "Infinity", "-Infinity". */
void text_add_number(Text *text, double value);
/* A JSON string with quotes and escapes. */
void text_add_quoted(Text *text, const char *string);

/* The candidate nearest to `word`, or NULL when none is near (Damerau-Levenshtein <= max(1, length/3), case ignored). */
const char *text_nearest(const char *word, const char *const candidates[], int count);
/* Glob with * (any characters, dots too) and ?. */
bool text_glob(const char *pattern, const char *name);
bool text_ends_in(const char *text, const char *ending);
/* Less than, equal to or greater than 0: an order in which runs of digits count as numbers, so that fc2 stands before fc10. */
int text_compare_natural(const char *a, const char *b);
/* Bytes of the UTF-8 character at `at`, of which `left` are there; 0 when it is not one. */
int text_utf8_length(const char *at, size_t left);
/* Display width in columns of UTF-8 text. */
int text_width(const char *utf8);

#endif
