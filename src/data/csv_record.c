/* One pass over the text, a cell at a time. */
#include "data/csv_record.h"

#include <stdlib.h>
#include <string.h>

static bool is_line_end(char c)
{
    return c == '\n' || c == '\r';
}

static bool is_blank(const CsvText *csv, char c)
{
    return c == ' ' || (c == '\t' && csv->separator != '\t');
}

static char find_separator(const char *at, const char *end)
{
    static const char candidates[] = ",;\t";
    int count[3] = {0}, best = 0;
    bool is_quoted = false, has_text = false;
    for (; at < end && (is_quoted || !has_text || !is_line_end(*at)); at++) {
        const char *candidate = memchr(candidates, *at, 3);
        is_quoted ^= *at == '"';
        has_text = has_text || !is_line_end(*at);
        if (candidate && !is_quoted)
            count[candidate - candidates]++;
    }
    for (int i = 1; i < 3; i++)
        best = count[i] > count[best] ? i : best;
    return candidates[best];
}

CsvText csv_open(const char *path, Bytes bytes)
{
    const char *at = (const char *)bytes.at, *end = at + bytes.count;
    if (bytes.count >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
        at += 3;
    return (CsvText){.path = path, .at = at, .end = end, .line_start = at, .line = 1, .separator = find_separator(at, end)};
}

CsvRecord csv_record_new(Arena *arena)
{
    return (CsvRecord){.arena = arena, .text = text_new(arena)};
}

const char *csv_cell(const CsvRecord *record, int index)
{
    return record->text.at + record->cell[index].begin;
}

bool csv_number(const char *cell, double *number)
{
    char *end;
    size_t digits = 0;
    for (*number = 0; digits < 9 && cell[digits] >= '0' && cell[digits] <= '9'; digits++)
        *number = 10 * *number + (cell[digits] - '0');
    if (digits > 0 && cell[digits] == 0) /* most cells there are: pixels, counts and classes */
        return true;
    /* strtod takes hexadecimal and nan(...) as well, which nobody means. */
    if (strpbrk(cell, "xX("))
        return false;
    *number = strtod(cell, &end);
    return end > cell && end[strspn(end, " ")] == 0;
}

static void skip_blanks(CsvText *csv)
{
    while (csv->at < csv->end && is_blank(csv, *csv->at))
        csv->at++;
}

static bool break_at(CsvText *csv, long line, long column, const char *message, Error *err)
{
    csv->is_broken = true;
    return error_in_file(err, csv->path, line, column, "%s", message);
}

static bool read_quoted(CsvText *csv, Text *text, Error *err)
{
    long line = csv->line, column = (long)(csv->at - csv->line_start) + 1;
    csv->at++;
    for (;;) {
        const char *quote = memchr(csv->at, '"', (size_t)(csv->end - csv->at));
        if (!quote)
            return break_at(csv, line, column, "a quoted cell is not closed", err);
        text_add_bytes(text, csv->at, (size_t)(quote - csv->at));
        for (const char *at = csv->at; at < quote; at++)
            if (*at == '\n') {
                csv->line++;
                csv->line_start = at + 1;
            }
        csv->at = quote + 1;
        if (csv->at == csv->end || *csv->at != '"')
            break;
        text_add_char(text, '"');
        csv->at++;
    }
    skip_blanks(csv);
    if (csv->at < csv->end && *csv->at != csv->separator && !is_line_end(*csv->at))
        return break_at(csv, csv->line, (long)(csv->at - csv->line_start) + 1, "text follows the closing quote of a cell", err);
    return true;
}

static void read_plain(CsvText *csv, Text *text)
{
    const char *begin = csv->at;
    while (csv->at < csv->end && *csv->at != csv->separator && !is_line_end(*csv->at))
        csv->at++;
    const char *end = csv->at;
    while (end > begin && is_blank(csv, end[-1]))
        end--;
    text_add_bytes(text, begin, (size_t)(end - begin));
}

static CsvCell *add_cell(CsvRecord *record)
{
    if (record->count == record->capacity) {
        int capacity = record->capacity > 0 ? 2 * record->capacity : 16;
        record->cell = arena_grow(record->arena, record->cell, sizeof(CsvCell) * (size_t)record->count,
                                  sizeof(CsvCell) * (size_t)capacity);
        record->capacity = capacity;
    }
    return &record->cell[record->count++];
}

static void skip_line_end(CsvText *csv)
{
    if (csv->at == csv->end)
        return;
    bool is_pair = csv->at[0] == '\r' && csv->at + 1 < csv->end && csv->at[1] == '\n';
    csv->at += is_pair ? 2 : 1;
    csv->line++;
    csv->line_start = csv->at;
}

/* A whole line of cells; `has_text` says whether there is anything in it. */
static bool read_line(CsvText *csv, CsvRecord *record, bool *has_text, Error *err)
{
    text_clear(&record->text);
    record->count = 0;
    record->line = csv->line;
    *has_text = false;
    for (;;) {
        skip_blanks(csv);
        *add_cell(record) = (CsvCell){record->text.length, (long)(csv->at - csv->line_start) + 1};
        bool is_quoted = csv->at < csv->end && *csv->at == '"';
        if (!is_quoted)
            read_plain(csv, &record->text);
        else if (!read_quoted(csv, &record->text, err))
            return false;
        *has_text = *has_text || is_quoted || record->text.length > 0;
        text_add_char(&record->text, 0);
        if (csv->at == csv->end || *csv->at != csv->separator)
            break;
        csv->at++;
    }
    *has_text = *has_text || record->count > 1;
    skip_line_end(csv);
    return true;
}

bool csv_next(CsvText *csv, CsvRecord *record, Error *err)
{
    bool has_text = false;
    while (!csv->is_broken && csv->at < csv->end && !has_text)
        if (!read_line(csv, record, &has_text, err))
            return false;
    return has_text;
}
