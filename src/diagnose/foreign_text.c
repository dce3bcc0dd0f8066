/* Logs that were printed: lines with `key: value`, `key=value` or `"key": "value"` anywhere in them, as Megatron, fairseq,
 * MMEngine, Hugging Face's Trainer and most scripts print them.
 *
 * Only values whose name the grammar knows are taken; the rest of a line is prose. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "diagnose/foreign_log.h"
#include "diagnose/tag_grammar.h"

enum { LONGEST_KEY = 128, LINE_VALUES = 64 };
static const size_t FILE_LIMIT = (size_t)1 << 32;

typedef struct LineValue {
    char key[LONGEST_KEY];
    double value;
} LineValue;

/* What one line says: its values in their order, and where they belong. */
typedef struct Line {
    LineValue value[LINE_VALUES];
    int count;
    int64_t step;
    bool has_step;
} Line;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* A number at `at`, which ends where a number can end; NULL when there is none. */
static const char *number_end(const char *at, double *value)
{
    const char *sign = at + (*at == '-' || *at == '+');
    bool is_word = strncasecmp(sign, "nan", 3) == 0 || strncasecmp(sign, "inf", 3) == 0;
    if (!is_word && !isdigit((unsigned char)*sign) && !(*sign == '.' && isdigit((unsigned char)sign[1])))
        return NULL;
    if (!is_word && sign[0] == '0' && (sign[1] == 'x' || sign[1] == 'X'))
        return NULL;
    char *end;
    *value = strtod(at, &end);
    /* "12:00:05", "3.1.4" and "5abc" are no numbers; "100/ 500" begins with one. */
    bool is_over =
        !isalnum((unsigned char)*end) && *end != '.' && *end != '_' && !(*end == ':' && isdigit((unsigned char)end[1]));
    bool is_sentence_end = *end == '.' && !isalnum((unsigned char)end[1]);
    return end > at && (is_over || is_sentence_end || strncmp(end, "s,", 2) == 0) ? end : NULL;
}

/* The key that ends before `end`: back to a delimiter, and from there the longest run of words that the grammar knows. */
static bool find_key(const char *begin, const char *end, char key[LONGEST_KEY])
{
    while (end > begin && (is_blank(end[-1]) || end[-1] == '"' || end[-1] == '\''))
        end--;
    const char *at = end;
    while (at > begin && !strchr(",;|{}[]()\"'\t=:", at[-1]))
        at--;
    while (at < end) {
        while (at < end && (is_blank(*at) || *at == '*' || *at == '-'))
            at++;
        size_t length = (size_t)(end - at);
        if (length > 0 && length < LONGEST_KEY && !isdigit((unsigned char)*at)) {
            memcpy(key, at, length);
            key[length] = 0;
            if (tag_of(key).kind != TAG_OTHER)
                return true;
        }
        while (at < end && !is_blank(*at))
            at++;
    }
    return false;
}

static void take_value(Line *line, const char *key, double value)
{
    TagKind kind = tag_of(key).kind;
    if (tag_is_place(kind)) {
        if (!(fabs(value) < 9e15))
            return;
        if (kind == TAG_STEP && !line->has_step) {
            line->step = (int64_t)value;
            line->has_step = true;
        }
    } else if (line->count < LINE_VALUES) {
        LineValue *into = &line->value[line->count++];
        strcpy(into->key, key);
        into->value = value;
    }
}

/* "step 100", "iteration   100/  500": a step without a separator. */
static void find_place(Line *line, const char *text)
{
    static const char *const words[] = {"global_step", "step", "iteration", "iter"};
    for (size_t i = 0; i < sizeof words / sizeof *words && !line->has_step; i++) {
        size_t length = strlen(words[i]);
        for (const char *at = text; *at && !line->has_step; at++) {
            double value;
            bool begins = at == text || !(isalnum((unsigned char)at[-1]) || at[-1] == '_' || at[-1] == '/');
            if (!begins || strncasecmp(at, words[i], length) != 0 || !is_blank(at[length]))
                continue;
            const char *number = at + length;
            while (is_blank(*number))
                number++;
            if (isdigit((unsigned char)*number) && number_end(number, &value))
                take_value(line, words[i], value);
        }
    }
}

static void scan_line(Line *line, const char *text)
{
    *line = (Line){.count = 0};
    find_place(line, text);
    const char *begin = text;
    for (const char *at = text; *at; at++) {
        if (*at != ':' && *at != '=')
            continue;
        const char *number = at + 1;
        while (is_blank(*number) || *number == '"' || *number == '\'')
            number++;
        double value;
        char key[LONGEST_KEY];
        const char *end = number_end(number, &value);
        if (!end || !find_key(begin, at, key))
            continue;
        take_value(line, key, value);
        begin = end;
        at = end - 1;
    }
}

/* Where a line belongs: to its step, or that of the line before it when it only evaluates; else lines count. */
static int64_t step_of(const Line *line, int64_t last)
{
    if (line->has_step)
        return line->step;
    bool only_evaluates = true;
    for (int i = 0; i < line->count; i++) {
        TagKind kind = tag_of(line->value[i].key).kind;
        only_evaluates = only_evaluates && (kind == TAG_EVAL_LOSS || kind == TAG_EVAL_ACCURACY);
    }
    return only_evaluates && last >= 0 ? last : last + 1;
}

static void take_line(ForeignLog *log, const char *text, int64_t *last)
{
    Line line;
    scan_line(&line, text);
    if (line.count == 0) {
        if (line.has_step)
            *last = line.step;
        return;
    }
    log->records++;
    *last = step_of(&line, *last);
    for (int i = 0; i < line.count; i++)
        foreign_log_add(log, foreign_log_tag(log, line.value[i].key, strlen(line.value[i].key)), *last, line.value[i].value);
}

static bool read_text(ForeignLog *log, const char *path, Error *err)
{
    Arena *scratch = arena_new(log->arena);
    Bytes bytes;
    bool fine = file_read_gzip(scratch, path, FILE_LIMIT, &bytes, err);
    char *copy = fine ? arena_strndup(scratch, (const char *)bytes.at, bytes.count) : NULL;
    char *at = copy, *end = fine ? copy + bytes.count : NULL;
    int64_t last = -1;
    log->kind = "text log";
    log->is_ordered = true;
    while (at < end) {
        char *newline = memchr(at, '\n', (size_t)(end - at));
        if (newline)
            *newline = 0;
        take_line(log, at, &last);
        at = newline ? newline + 1 : end;
    }
    arena_free(scratch);
    return fine;
}

/* Bytes that text has, whatever its language. */
static bool is_text(const char *name, const char *head, size_t count)
{
    (void)name;
    for (size_t i = 0; i < count; i++)
        if ((unsigned char)head[i] < 0x20 && !strchr("\t\n\r\f\033\b", head[i]))
            return false;
    return count > 0 && !memchr(head, 0, count);
}

extern const ForeignReader foreign_text;
const ForeignReader foreign_text = {"text", "printed lines: key: value, key=value", is_text, read_text};
