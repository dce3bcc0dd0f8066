/* Reading JSON: our scanner checks the text and notes where every key and value stands; cJSON then decodes strings and
 * numbers, and the two trees, which have the same shape, are walked together.
 *
 * The scanner is the stricter one (cJSON takes control characters in strings and blanks that JSON does not know), so
 * whatever passes it is taken by cJSON; only lack of memory is left as a failure there. */
#include "base/json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { DEPTH_LIMIT = 200, NUMBER_LIMIT = 63 /* cJSON's buffer */ };

typedef struct Scan {
    Arena *arena;
    const JsonSource *source;
    Error *err;
    size_t at;
    int depth;
} Scan;

static bool fail(Scan *scan, size_t begin, size_t end, const char *format, ...) __attribute__((format(printf, 4, 5)));
static bool fail(Scan *scan, size_t begin, size_t end, const char *format, ...)
{
    Json place = {.source = scan->source, .begin = begin, .end = end};
    va_list arguments;
    va_start(arguments, format);
    const char *message = arena_vprintf(scan->arena, format, arguments);
    va_end(arguments);
    return error_at(scan->err, &place, "%s", message);
}

/* 0 at the end of the text. */
static char peek(const Scan *scan)
{
    return scan->at < scan->source->length ? scan->source->text[scan->at] : 0;
}

static bool is_at_end(const Scan *scan)
{
    return scan->at >= scan->source->length;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static void skip_blanks(Scan *scan)
{
    while (!is_at_end(scan) && strchr(" \t\r\n", peek(scan)) && peek(scan))
        scan->at++;
}

/* What stands where something else was expected, in the user's words. */
static bool unexpected(Scan *scan, const char *expected)
{
    if (is_at_end(scan))
        return fail(scan, scan->source->length, scan->source->length, "the text ends where %s is expected", expected);
    char c = peek(scan);
    if (c == '/' || c == '#') {
        fail(scan, scan->at, scan->at + 1, "expected %s, found `%c`", expected, c);
        return error_hint(scan->err, "JSON has no comments");
    }
    if (c == '\'') {
        fail(scan, scan->at, scan->at + 1, "expected %s, found a single quote", expected);
        return error_hint(scan->err, "JSON strings stand in double quotes");
    }
    int length = text_utf8_length(scan->source->text + scan->at, scan->source->length - scan->at);
    if ((unsigned char)c < 0x20 || c == 0x7f)
        return fail(scan, scan->at, scan->at + 1, "expected %s, found the control character 0x%02x", expected, (unsigned)c);
    return fail(scan, scan->at, scan->at + (size_t)length, "expected %s, found `%.*s`", expected, length,
                scan->source->text + scan->at);
}

/* The four digits of a \u escape; -1 when they are not there. */
static long scan_hex(Scan *scan)
{
    long code = 0;
    for (int i = 0; i < 4; i++, scan->at++) {
        char c = peek(scan);
        int digit = is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0)
            return -1;
        code = code * 16 + digit;
    }
    return code;
}

static bool scan_escape(Scan *scan)
{
    size_t begin = scan->at++;
    char c = peek(scan);
    if (c && strchr("\"\\/bfnrt", c)) {
        scan->at++;
        return true;
    }
    if (c != 'u') {
        fail(scan, begin, begin + 2, "unknown escape in a string");
        return error_hint(scan->err, "a backslash itself is written \\\\");
    }
    scan->at++;
    long code = scan_hex(scan);
    if (code < 0)
        return fail(scan, begin, scan->at, "\\u needs four hexadecimal digits");
    if (code == 0)
        return fail(scan, begin, scan->at, "a string must not hold \\u0000");
    if (code >= 0xdc00 && code <= 0xdfff)
        return fail(scan, begin, scan->at, "the second half of a surrogate pair stands alone");
    if (code >= 0xd800 && code <= 0xdbff) {
        bool follows = peek(scan) == '\\' && scan->at + 1 < scan->source->length && scan->source->text[scan->at + 1] == 'u';
        scan->at += follows ? 2 : 0;
        long second = follows ? scan_hex(scan) : -1;
        if (second < 0xdc00 || second > 0xdfff)
            return fail(scan, begin, scan->at, "the first half of a surrogate pair stands alone");
    }
    return true;
}

static bool scan_string(Scan *scan)
{
    size_t begin = scan->at++;
    while (!is_at_end(scan)) {
        char c = peek(scan);
        if (c == '"') {
            scan->at++;
            return true;
        }
        if (c == '\n' || c == '\r')
            return fail(scan, begin, scan->at, "a string has no closing quote");
        if ((unsigned char)c < 0x20)
            return fail(scan, scan->at, scan->at + 1, "a string holds the control character 0x%02x", (unsigned)c);
        if (c != '\\')
            scan->at++;
        else if (!scan_escape(scan))
            return false;
    }
    return fail(scan, begin, scan->at, "a string has no closing quote");
}

static int scan_digits(Scan *scan)
{
    int count = 0;
    for (; is_digit(peek(scan)); scan->at++)
        count++;
    return count;
}

static bool scan_number(Scan *scan)
{
    size_t begin = scan->at;
    scan->at += peek(scan) == '-';
    bool good = peek(scan) != '+', leading_zero = peek(scan) == '0';
    scan->at += !good; /* what follows is shown with the plus */
    int digits = scan_digits(scan);
    good = good && digits > 0 && !(leading_zero && digits > 1);
    if (peek(scan) == '.') {
        scan->at++;
        good = scan_digits(scan) > 0 && good;
    }
    if (peek(scan) == 'e' || peek(scan) == 'E') {
        scan->at++;
        scan->at += peek(scan) == '+' || peek(scan) == '-';
        good = scan_digits(scan) > 0 && good;
    }
    while (is_word(peek(scan)) || peek(scan) == '.') {
        scan->at++;
        good = false;
    }
    const char *text = scan->source->text + begin;
    int shown = scan->at - begin < NUMBER_LIMIT ? (int)(scan->at - begin) : NUMBER_LIMIT;
    if (!good) {
        fail(scan, begin, scan->at, "`%.*s` is not a JSON number", shown, text);
        if (shown > 1 && (text[1] == 'I' || text[1] == 'i'))
            return error_hint(scan->err, "JSON has no infinity: write a number, or \"-Infinity\" in quotes where it is taken");
        return error_hint(scan->err, "a number is written like 0.5, -3 or 1e-4");
    }
    if (scan->at - begin > NUMBER_LIMIT)
        return fail(scan, begin, scan->at, "a number may have at most %d characters", NUMBER_LIMIT);
    return true;
}

/* true, false, null, and what people write in their place. */
static bool scan_word(Scan *scan, Json *value)
{
    static const char *const meant[][2] = {{"True", "true"},   {"False", "false"}, {"None", "null"}, {"TRUE", "true"},
                                           {"FALSE", "false"}, {"NULL", "null"},   {"yes", "true"},  {"no", "false"}};
    size_t begin = scan->at;
    while (is_word(peek(scan)))
        scan->at++;
    const char *word = arena_strndup(scan->arena, scan->source->text + begin, scan->at - begin);
    if (!strcmp(word, "null"))
        return true;
    if (!strcmp(word, "true") || !strcmp(word, "false")) {
        value->type = JSON_BOOL;
        return true;
    }
    fail(scan, begin, scan->at, "`%.40s` is not a JSON value", word);
    for (size_t i = 0; i < sizeof meant / sizeof meant[0]; i++)
        if (!strcmp(word, meant[i][0]))
            return error_hint(scan->err, "write %s", meant[i][1]);
    if (!strcmp(word, "NaN") || !strcmp(word, "nan"))
        return error_hint(scan->err, "JSON has no NaN: write a number, or \"NaN\" in quotes where it is taken");
    if (!strcmp(word, "Infinity") || !strcmp(word, "inf"))
        return error_hint(scan->err, "JSON has no infinity: write a number, or \"Infinity\" in quotes where it is taken");
    return error_hint(scan->err, "a string stands in double quotes: \"%.40s\"", word);
}

static Json *scan_value(Scan *scan, Json *parent);

/* A member's key and colon; the key itself is filled in by cJSON. */
static bool scan_key(Scan *scan, size_t *begin, size_t *end)
{
    if (peek(scan) != '"') {
        size_t word = scan->at;
        while (is_word(peek(scan)))
            scan->at++;
        if (scan->at == word)
            return unexpected(scan, "a key in double quotes");
        fail(scan, word, scan->at, "the key `%.*s` needs double quotes", scan->at - word < 40 ? (int)(scan->at - word) : 40,
             scan->source->text + word);
        return false;
    }
    *begin = scan->at;
    if (!scan_string(scan))
        return false;
    *end = scan->at;
    skip_blanks(scan);
    if (peek(scan) != ':')
        return unexpected(scan, "`:` after the key");
    scan->at++;
    return true;
}

/* Members or items up to the closing bracket. */
static bool scan_children(Scan *scan, Json *value)
{
    bool is_object = value->type == JSON_OBJECT;
    char close = is_object ? '}' : ']';
    scan->at++;
    skip_blanks(scan);
    if (peek(scan) == close) {
        scan->at++;
        return true;
    }
    for (;;) {
        size_t key_begin = 0, key_end = 0;
        if (is_object && !scan_key(scan, &key_begin, &key_end))
            return false;
        Json *child = scan_value(scan, value);
        if (!child)
            return false;
        child->key_begin = key_begin;
        child->key_end = key_end;
        skip_blanks(scan);
        size_t comma = scan->at;
        if (peek(scan) == close) {
            scan->at++;
            return true;
        }
        if (peek(scan) != ',')
            return unexpected(scan, is_object ? "`,` or `}`" : "`,` or `]`");
        scan->at++;
        skip_blanks(scan);
        if (peek(scan) == close)
            return fail(scan, comma, comma + 1, "a comma stands before the closing `%c`", close);
    }
}

static Json *scan_value(Scan *scan, Json *parent)
{
    skip_blanks(scan);
    Json *value = json_new(scan->arena, JSON_NULL);
    value->source = scan->source;
    value->begin = scan->at;
    char c = peek(scan);
    bool good;
    if (c == '{' || c == '[') {
        value->type = c == '{' ? JSON_OBJECT : JSON_ARRAY;
        if (++scan->depth > DEPTH_LIMIT)
            good = fail(scan, scan->at, scan->at + 1, "more than %d levels of brackets", DEPTH_LIMIT);
        else
            good = scan_children(scan, value);
        scan->depth--;
    } else if (c == '"') {
        value->type = JSON_STRING;
        good = scan_string(scan);
    } else if (c == '-' || c == '+' || c == '.' || is_digit(c)) {
        value->type = JSON_NUMBER;
        good = scan_number(scan);
    } else if (is_word(c)) {
        good = scan_word(scan, value);
    } else {
        good = unexpected(scan, "a value");
    }
    value->end = scan->at;
    if (good && parent)
        json_add_item(parent, value);
    return good ? value : NULL;
}

static int compare_keys(const void *a, const void *b)
{
    const Json *left = *(Json *const *)a, *right = *(Json *const *)b;
    int order = strcmp(left->key, right->key);
    return order ? order : (left->begin > right->begin) - (left->begin < right->begin);
}

/* By sorting: a header of a large model has thousands of members. */
static void check_duplicates(Arena *scratch, const Json *object, Error *err)
{
    Json **members = ARENA_ARRAY(scratch, Json *, object->count + 1);
    int count = 0;
    for (Json *member = object->first; member; member = member->next)
        members[count++] = member;
    qsort(members, (size_t)count, sizeof members[0], compare_keys);
    for (int i = 1; i < count; i++) {
        if (strcmp(members[i - 1]->key, members[i]->key) != 0)
            continue;
        long line, column;
        json_place(object->source, members[i - 1]->key_begin, &line, &column);
        error_at_key(err, members[i], "duplicate key `%s`", members[i]->key);
        error_hint(err, "it stands in line %ld already", line);
    }
}

/* Gives a scanned value, and all below it, what cJSON has read. */
static void fill(Arena *arena, Arena *scratch, Json *value, const cJSON *read, Error *err)
{
    if (read->string)
        value->key = arena_strdup(arena, read->string);
    if (value->type == JSON_BOOL)
        value->number = cJSON_IsTrue(read) ? 1 : 0;
    if (value->type == JSON_STRING)
        value->string = arena_strdup(arena, read->valuestring);
    if (value->type == JSON_NUMBER) {
        value->number = read->valuedouble;
        value->string = arena_strndup(arena, value->source->text + value->begin, value->end - value->begin);
        if (!isfinite(value->number))
            error_at(err, value, "`%s` is beyond the largest number, 1.8e308", value->string);
    }
    const cJSON *child = read->child;
    for (Json *item = value->first; item; item = item->next, child = child->next)
        fill(arena, scratch, item, child, err);
    if (value->type == JSON_OBJECT && value->count > 1)
        check_duplicates(scratch, value, err);
}

static void delete_tree(void *tree)
{
    cJSON_Delete(tree);
}

static bool check_utf8(Scan *scan)
{
    const JsonSource *source = scan->source;
    for (size_t at = 0; at < source->length;) {
        int length = text_utf8_length(source->text + at, source->length - at);
        if (!length) {
            fail(scan, at, at + 1, "byte 0x%02x is not UTF-8", (unsigned char)source->text[at]);
            return error_hint(scan->err, "save the file as UTF-8");
        }
        at += (size_t)length;
    }
    return true;
}

static Json *read_source(Arena *arena, const JsonSource *source, Error *err)
{
    Arena *scratch = arena_new(arena);
    Scan scan = {.arena = arena, .source = source, .err = err};
    int errors_before = error_count(err);
    Json *root = check_utf8(&scan) ? scan_value(&scan, NULL) : NULL;
    skip_blanks(&scan);
    if (root && !is_at_end(&scan)) {
        unexpected(&scan, "nothing after the value");
        root = NULL;
    }
    if (root) {
        cJSON *read = cJSON_ParseWithLengthOpts(source->text, source->length, NULL, false);
        arena_defer(scratch, delete_tree, read);
        if (read)
            fill(arena, scratch, root, read, err);
        else
            error_in_file(err, source->name, 0, 0, "there is not enough memory to read it");
    }
    arena_free(scratch);
    return error_count(err) == errors_before ? root : NULL;
}

/* A byte order mark is not part of the text, and does not move the columns. */
static const JsonSource *new_source(Arena *arena, const char *name, const char *text, size_t length, bool is_file)
{
    JsonSource *source = ARENA_NEW(arena, JsonSource);
    bool has_mark = length >= 3 && !memcmp(text, "\xef\xbb\xbf", 3);
    *source = (JsonSource){arena_strdup(arena, name), has_mark ? text + 3 : text, has_mark ? length - 3 : length, is_file};
    return source;
}

Json *json_read_file(Arena *arena, const char *path, Error *err)
{
    Bytes bytes;
    if (!file_read(arena, path, &bytes, err))
        return NULL;
    return read_source(arena, new_source(arena, path, (const char *)bytes.at, bytes.count, true), err);
}

Json *json_read_text(Arena *arena, const char *name, const char *text, size_t length, Error *err)
{
    const char *copy = arena_strndup(arena, text, length);
    return read_source(arena, new_source(arena, name, copy, length, false), err);
}
