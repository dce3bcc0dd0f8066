/* Errors are kept as finished text: what they point at (a JSON tree, a file's content) may be gone when they are printed. */
#include "base/error.h"

#include <string.h>

#include "base/json.h"
#include "base/text.h"

enum { LINE_LIMIT = 120, WINDOW_BEFORE = 40, TAB_WIDTH = 4, OPTION_LIMIT = 60 };

typedef struct Hint Hint;
struct Hint {
    Hint *next;
    const char *text;
};

typedef struct Entry {
    const char *message;
    const char *place;   /* "digits.json:14:5 optimizer.learning_rte", or NULL */
    long line;           /* of the excerpt */
    const char *excerpt; /* the line as it is shown, or NULL */
    int caret, carets;   /* columns before the carets, and how many */
    Hint *hints;
} Entry;

struct Error {
    Arena *arena;
    int count;
    Entry entry[ERROR_LIMIT];
};

Error *error_new(Arena *arena)
{
    Error *err = ARENA_NEW(arena, Error);
    err->arena = arena;
    return err;
}

/* One line of printable text: a message may quote bytes of a file, and must not move the cursor. */
static const char *one_line(Arena *arena, const char *format, va_list arguments)
{
    char *text = arena_vprintf(arena, format, arguments);
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = ' ';
    return text;
}

static const char *place_text(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
static const char *place_text(Arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const char *text = one_line(arena, format, arguments);
    va_end(arguments);
    return text;
}

/* The entry of a new error, or NULL when enough are kept. */
static Entry *entry_add(Error *err, const char *format, va_list arguments)
{
    int index = err->count++;
    if (index >= ERROR_LIMIT)
        return NULL;
    err->entry[index] = (Entry){.message = one_line(err->arena, format, arguments)};
    return &err->entry[index];
}

bool error_add(Error *err, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    entry_add(err, format, arguments);
    va_end(arguments);
    return false;
}

bool error_in_file(Error *err, const char *file, long line, long column, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    Entry *entry = entry_add(err, format, arguments);
    va_end(arguments);
    if (!entry)
        return false;
    if (line <= 0)
        entry->place = place_text(err->arena, "%s", file);
    else if (column <= 0)
        entry->place = place_text(err->arena, "%s:%ld", file, line);
    else
        entry->place = place_text(err->arena, "%s:%ld:%ld", file, line, column);
    return false;
}

/* Bytes of the character at `at`, 1 for what is not UTF-8, and the columns it is shown in. */
static size_t character(const char *at, size_t left, int *columns)
{
    int length = text_utf8_length(at, left);
    char alone[5] = {0};
    if (length > 0)
        memcpy(alone, at, (size_t)length);
    *columns = *at == '\t' ? TAB_WIDTH : length && (unsigned char)*at >= 0x20 && *at != 0x7f ? text_width(alone) : 1;
    return length ? (size_t)length : 1;
}

static int columns_between(const char *text, size_t begin, size_t end)
{
    int total = 0;
    for (size_t at = begin; at < end;) {
        int columns;
        at += character(text + at, end - at, &columns);
        total += columns;
    }
    return total;
}

/* Appends the characters that lie wholly in columns [from, to) of the line. */
static void add_window(Text *shown, const char *line, size_t length, int from, int to)
{
    int column = 0;
    for (size_t at = 0; at < length && column < to;) {
        int columns;
        size_t bytes = character(line + at, length - at, &columns);
        if (column >= from && column + columns <= to) {
            if (line[at] == '\t')
                text_add(shown, "    ");
            else if (!text_utf8_length(line + at, length - at) || (unsigned char)line[at] < 0x20 || line[at] == 0x7f)
                text_add_char(shown, '?');
            else
                text_add_bytes(shown, line + at, bytes);
        }
        at += bytes;
        column += columns;
    }
}

/* The line of byte `begin`, with carets below [begin, end) as far as that line goes; of a very long line a window. */
static void set_excerpt(Error *err, Entry *entry, const JsonSource *source, size_t begin, size_t end)
{
    size_t first = begin, last = begin;
    while (first > 0 && source->text[first - 1] != '\n')
        first--;
    while (last < source->length && source->text[last] != '\n' && source->text[last] != '\r')
        last++;
    if (first == last)
        return;
    const char *line = source->text + first;
    if (end > last)
        end = last;
    int width = columns_between(source->text, first, last);
    int caret = columns_between(source->text, first, begin);
    int carets = end > begin ? columns_between(source->text, begin, end) : 1;
    Text shown = text_new(err->arena);
    if (width <= LINE_LIMIT) {
        add_window(&shown, line, last - first, 0, width);
    } else {
        int from = caret > WINDOW_BEFORE ? caret - WINDOW_BEFORE : 0;
        int to = from + LINE_LIMIT - 6 < width ? from + LINE_LIMIT - 6 : width;
        if (from > 0)
            text_add(&shown, "...");
        add_window(&shown, line, last - first, from, to);
        if (to < width)
            text_add(&shown, "...");
        carets = caret + carets > to ? to - caret : carets;
        caret += (from > 0 ? 3 : 0) - from;
    }
    entry->excerpt = shown.at;
    entry->caret = caret;
    entry->carets = carets < 1 ? 1 : carets;
}

static void set_option_place(Error *err, Entry *entry, const JsonSource *source, bool is_whole, const char *path)
{
    bool cut = source->length > OPTION_LIMIT;
    entry->place = place_text(err->arena, "%s=%.*s%s%s%s", source->name, (int)(cut ? OPTION_LIMIT : source->length),
                              source->text, cut ? "..." : "", is_whole ? "" : " ", is_whole ? "" : path);
}

/* A value that was filled in stands nowhere: it is shown at the nearest value around it that was read. */
static void set_place(Error *err, Entry *entry, const Json *value, bool at_key)
{
    const Json *read = value;
    while (read && !read->source)
        read = read->parent;
    const char *path = json_path(err->arena, value);
    if (!read) {
        entry->place = *path ? place_text(err->arena, "%s", path) : NULL;
        return;
    }
    const JsonSource *source = read->source;
    bool use_key = at_key && read == value && value->key_end > value->key_begin;
    size_t begin = use_key ? value->key_begin : read->begin, end = use_key ? value->key_end : read->end;
    if (read != value)
        end = begin + 1;
    if (!strncmp(source->name, "--", 2)) {
        set_option_place(err, entry, source, begin == 0 && read == value, path);
        return;
    }
    long column;
    json_place(source, begin, &entry->line, &column);
    entry->place = place_text(err->arena, "%s:%ld:%ld%s%s", source->name, entry->line, column, *path ? " " : "", path);
    set_excerpt(err, entry, source, begin, end);
}

bool error_at(Error *err, const Json *value, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    Entry *entry = entry_add(err, format, arguments);
    va_end(arguments);
    if (entry && value)
        set_place(err, entry, value, false);
    return false;
}

bool error_at_key(Error *err, const Json *member, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    Entry *entry = entry_add(err, format, arguments);
    va_end(arguments);
    if (entry && member)
        set_place(err, entry, member, true);
    return false;
}

bool error_hint(Error *err, const char *format, ...)
{
    if (err->count < 1 || err->count > ERROR_LIMIT)
        return false;
    va_list arguments;
    va_start(arguments, format);
    Hint *hint = ARENA_NEW(err->arena, Hint);
    hint->text = one_line(err->arena, format, arguments);
    va_end(arguments);
    Hint **place = &err->entry[err->count - 1].hints;
    while (*place)
        place = &(*place)->next;
    *place = hint;
    return false;
}

bool error_suggest(Error *err, const char *word, const char *const words[], int count)
{
    const char *nearest = text_nearest(word, words, count);
    return nearest ? error_hint(err, "did you mean `%s`?", nearest) : false;
}

bool error_join(Error *err, const Error *other)
{
    for (int i = 0; i < other->count; i++, err->count++)
        if (i < ERROR_LIMIT && err->count < ERROR_LIMIT)
            err->entry[err->count] = other->entry[i];
    return false;
}

int error_count(const Error *err)
{
    return err->count;
}

const char *error_message(const Error *err, int index)
{
    return index >= 0 && index < err->count && index < ERROR_LIMIT ? err->entry[index].message : "";
}

static void print_entry(const Entry *entry, FILE *stream, const char *red, const char *bold, const char *plain)
{
    fprintf(stream, "%serror:%s %s%s%s\n", red, plain, bold, entry->message, plain);
    int gutter = entry->excerpt ? snprintf(NULL, 0, "%ld", entry->line) : 0;
    gutter = gutter < 2 ? 2 : gutter;
    if (entry->place)
        fprintf(stream, "%*s--> %s\n", gutter, "", entry->place);
    if (entry->excerpt) {
        fprintf(stream, "%*s |\n%*ld | %s\n", gutter, "", gutter, entry->line, entry->excerpt);
        fprintf(stream, "%*s | %*s%s", gutter, "", entry->caret, "", red);
        for (int i = 0; i < entry->carets; i++)
            fputc('^', stream);
        fprintf(stream, "%s\n", plain);
    }
    for (const Hint *hint = entry->hints; hint; hint = hint->next)
        fprintf(stream, "%*s = help: %s\n", gutter, "", hint->text);
}

void error_print(const Error *err, FILE *stream, bool colour)
{
    const char *red = colour ? "\033[1;31m" : "", *bold = colour ? "\033[1m" : "", *plain = colour ? "\033[0m" : "";
    int kept = err->count < ERROR_LIMIT ? err->count : ERROR_LIMIT;
    for (int i = 0; i < kept; i++)
        print_entry(&err->entry[i], stream, red, bold, plain);
    if (err->count > kept)
        fprintf(stream, "%serror:%s %s%d more errors are not shown%s\n", red, plain, bold, err->count - kept, plain);
}
