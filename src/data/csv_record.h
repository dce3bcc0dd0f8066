/* Records of comma-separated text, as RFC 4180 has them: quotes, doubled quotes, line breaks inside quotes. Beyond it, the
 * separator may be a semicolon or a tab, lines may end in LF, CR LF or CR, blanks around a cell are dropped, and so are
 * empty lines and the byte order mark. */
#ifndef GRADTOOL_DATA_CSV_RECORD_H
#define GRADTOOL_DATA_CSV_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

/* The text and how far it has been read. A copy of it is a bookmark. */
typedef struct CsvText {
    const char *path;
    const char *at, *end, *line_start;
    long line;
    char separator;
    bool is_broken;
} CsvText;

typedef struct CsvCell {
    size_t begin; /* in the record's text; ends with a zero */
    long column;  /* in its line, from 1 */
} CsvCell;

/* One record; reused from one to the next, so that reading on allocates nothing. */
typedef struct CsvRecord {
    Arena *arena;
    Text text;
    CsvCell *cell;
    int count, capacity;
    long line; /* where it begins, from 1 */
} CsvRecord;

/* The separator is the one that is most frequent in the first line that has any text, quotes left out. */
CsvText csv_open(const char *path, Bytes bytes);
CsvRecord csv_record_new(Arena *arena);

/* The next record; false at the end, and after an error, which sets is_broken. */
bool csv_next(CsvText *csv, CsvRecord *record, Error *err);
const char *csv_cell(const CsvRecord *record, int index);
/* Whether a cell is a number and nothing else: decimal, or "nan", "inf", "infinity" in any case, with an optional sign. */
bool csv_number(const char *cell, double *number);

#endif
