#include "monitor/run_line.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_LIMIT = 200 };

static const uint64_t MISSING_BITS = 0x7ff80000006d6973u;

double run_missing(void)
{
    double value;
    memcpy(&value, &MISSING_BITS, sizeof value);
    return value;
}

bool run_is_missing(double value)
{
    return memcmp(&value, &MISSING_BITS, sizeof value) == 0;
}

RunLine run_line_new(Arena *arena)
{
    RunLine line = {.arena = arena, .capacity = 16, .pool_capacity = 256};
    line.fields = ARENA_ARRAY(arena, RunField, line.capacity);
    line.pool = ARENA_ARRAY(arena, double, line.pool_capacity);
    return line;
}

/* The text ends with a zero byte, so that looking at *at is always allowed. */
typedef struct Scan {
    RunLine *line;
    char *at;
} Scan;

static bool refuse(Scan *scan, const char *problem)
{
    scan->line->problem = problem;
    return false;
}

static void skip_blanks(Scan *scan)
{
    while (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\r' || *scan->at == '\n')
        scan->at++;
}

static bool expect(Scan *scan, char c, const char *problem)
{
    skip_blanks(scan);
    if (*scan->at != c)
        return refuse(scan, problem);
    scan->at++;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* digits * 10^exponent, correctly rounded. Exact in double where both factors are (Clinger 1990); beyond that in long double,
 * whose two roundings can only matter near the middle of two doubles, where strtod decides. */
static double scaled(uint64_t digits, int exponent, const char *text)
{
    static const double exact[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    static const long double long_exact[] = {1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,  1e7L,  1e8L,  1e9L,
                                             1e10L, 1e11L, 1e12L, 1e13L, 1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L,
                                             1e20L, 1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L};
    if (digits == 0)
        return 0;
    if (digits <= (uint64_t)1 << 53 && exponent >= -22 && exponent <= 22)
        return exponent < 0 ? (double)digits / exact[-exponent] : (double)digits * exact[exponent];
#if LDBL_MANT_DIG >= 64
    if (exponent >= -54 && exponent <= 54) {
        int power = exponent < 0 ? -exponent : exponent;
        int low = power > 27 ? 27 : power;
        long double value = (long double)digits;
        value = exponent < 0 ? value / long_exact[low] / long_exact[power - low]
                             : value * long_exact[low] * long_exact[power - low];
        double rounded = (double)value;
        if ((double)(value * (1 + 0x1p-62L)) == rounded && (double)(value * (1 - 0x1p-62L)) == rounded)
            return rounded;
    }
#endif
    return fabs(strtod(text, NULL));
}

static bool scan_exponent(Scan *scan, char **at, int *exponent)
{
    char *p = *at + 1;
    bool negative = *p == '-';
    if (*p == '-' || *p == '+')
        p++;
    if (!is_digit(*p))
        return refuse(scan, "a number's exponent has no digits");
    int value = 0;
    for (; is_digit(*p); p++)
        if (value < 10000)
            value = value * 10 + (*p - '0');
    *exponent += negative ? -value : value;
    *at = p;
    return true;
}

/* The digits at *at, appended to *digits as long as they fit; the rest is counted in *dropped. Returns how many were appended.
 */
static int scan_digits(char **at, uint64_t *digits, int *dropped)
{
    /* 2^64 has 20 digits: below this bound one more always fits. */
    const uint64_t full = UINT64_MAX / 10 - 1;
    char *p = *at;
    uint64_t value = *digits;
    for (; is_digit(*p) && value < full; p++)
        value = value * 10 + (uint64_t)(*p - '0');
    int taken = (int)(p - *at);
    for (; is_digit(*p); p++)
        (*dropped)++;
    *digits = value;
    *at = p;
    return taken;
}

static bool scan_number(Scan *scan, double *value)
{
    char *const text = scan->at;
    char *p = text;
    bool negative = *p == '-';
    p += negative;
    if (!is_digit(*p))
        return refuse(scan, "not a JSON value; a number that is not finite is written \"NaN\" or \"Infinity\"");
    if (*p == '0' && is_digit(p[1]))
        return refuse(scan, "a number starts with a superfluous zero");
    uint64_t digits = 0;
    int exponent = 0, dropped = 0;
    scan_digits(&p, &digits, &dropped);
    if (*p == '.') {
        p++;
        if (!is_digit(*p))
            return refuse(scan, "a number has no digit after its point");
        exponent -= scan_digits(&p, &digits, &dropped);
    }
    if ((*p == 'e' || *p == 'E') && !scan_exponent(scan, &p, &exponent))
        return false;
    double magnitude = dropped > 0 ? fabs(strtod(text, NULL)) : scaled(digits, exponent, text);
    *value = negative ? -magnitude : magnitude;
    scan->at = p;
    return true;
}

static bool hex4(const char *p, uint32_t *value)
{
    *value = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0)
            return false;
        *value = *value * 16 + (uint32_t)digit;
    }
    return true;
}

static char *put_utf8(char *out, uint32_t code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xc0 | code >> 6);
        *out++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *out++ = (char)(0xe0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    } else {
        *out++ = (char)(0xf0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 0x3f));
        *out++ = (char)(0x80 | (code >> 6 & 0x3f));
        *out++ = (char)(0x80 | (code & 0x3f));
    }
    return out;
}

/* At the character after the backslash; an escape is never shorter than what it stands for. */
static bool unescape(Scan *scan, char **from, char **out)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char *p = *from;
    const char *found = *p ? strchr(names, *p) : NULL;
    if (found) {
        *(*out)++ = values[found - names];
        *from = p + 1;
        return true;
    }
    uint32_t code = 0, low = 0;
    if (*p != 'u' || !hex4(p + 1, &code))
        return refuse(scan, "an escape that JSON does not know");
    p += 5;
    if (code >= 0xd800 && code < 0xdc00 && p[0] == '\\' && p[1] == 'u' && hex4(p + 2, &low) && low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        p += 6;
    }
    /* A half of a pair and a zero cannot stand in a C string of UTF-8. */
    *out = put_utf8(*out, code == 0 || (code >= 0xd800 && code < 0xe000) ? 0xfffd : code);
    *from = p;
    return true;
}

/* At the opening quote. With `text`, unescapes in place and terminates; without, only checks. */
static bool scan_string(Scan *scan, const char **text, size_t *length)
{
    char *p = scan->at + 1;
    char *const begin = p;
    while (*p != '"' && *p != '\\' && (unsigned char)*p >= 0x20)
        p++;
    char *out = p;
    char unused[4];
    while (*p != '"') {
        if ((unsigned char)*p < 0x20)
            return refuse(scan, *p ? "a control character in a string" : "a string has no end");
        if (*p == '\\') {
            p++;
            char *sink = unused;
            if (!unescape(scan, &p, text ? &out : &sink))
                return false;
        } else if (text) {
            *out++ = *p++;
        } else {
            p++;
        }
    }
    scan->at = p + 1;
    if (text) {
        *out = '\0';
        *text = begin;
        *length = (size_t)(out - begin);
    }
    return true;
}

static bool is_nonfinite_word(const char *text, double *value)
{
    if (strncmp(text, "\"NaN\"", 5) == 0)
        *value = NAN;
    else if (strncmp(text, "\"Infinity\"", 10) == 0)
        *value = INFINITY;
    else if (strncmp(text, "\"-Infinity\"", 11) == 0)
        *value = -INFINITY;
    else
        return false;
    return true;
}

static bool scan_word(Scan *scan, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(scan->at, word, length) != 0)
        return refuse(scan, "not a JSON value");
    scan->at += length;
    return true;
}

static bool skip_value(Scan *scan, int depth);

static bool skip_members(Scan *scan, char close, int depth)
{
    scan->at++;
    skip_blanks(scan);
    if (*scan->at == close) {
        scan->at++;
        return true;
    }
    for (;;) {
        skip_blanks(scan);
        if (close == '}') {
            if (*scan->at != '"')
                return refuse(scan, "a key in quotes was expected");
            if (!scan_string(scan, NULL, NULL) || !expect(scan, ':', "a colon was expected after a key"))
                return false;
        }
        if (!skip_value(scan, depth + 1))
            return false;
        skip_blanks(scan);
        if (*scan->at == close) {
            scan->at++;
            return true;
        }
        if (!expect(scan, ',', "a comma or a closing bracket was expected"))
            return false;
    }
}

static bool skip_value(Scan *scan, int depth)
{
    if (depth > DEPTH_LIMIT)
        return refuse(scan, "nested too deeply");
    skip_blanks(scan);
    double unused;
    switch (*scan->at) {
    case '{':
        return skip_members(scan, '}', depth);
    case '[':
        return skip_members(scan, ']', depth);
    case '"':
        return scan_string(scan, NULL, NULL);
    case 't':
        return scan_word(scan, "true");
    case 'f':
        return scan_word(scan, "false");
    case 'n':
        return scan_word(scan, "null");
    default:
        return scan_number(scan, &unused);
    }
}

static void pool_add(RunLine *line, double value)
{
    if (line->pool_count == line->pool_capacity) {
        line->pool = arena_grow(line->arena, line->pool, line->pool_capacity * sizeof *line->pool,
                                2 * line->pool_capacity * sizeof *line->pool);
        line->pool_capacity *= 2;
    }
    line->pool[line->pool_count++] = value;
}

/* After '['. False without a problem when the array holds something else than numbers. */
static bool scan_numbers(Scan *scan)
{
    skip_blanks(scan);
    if (*scan->at == ']') {
        scan->at++;
        return true;
    }
    for (;;) {
        double value = run_missing();
        skip_blanks(scan);
        if (*scan->at == '"') {
            if (!is_nonfinite_word(scan->at, &value))
                return false;
            scan->at += isnan(value) ? 5 : value > 0 ? 10 : 11;
        } else if (*scan->at == 'n') {
            if (!scan_word(scan, "null"))
                return false;
        } else if (*scan->at == '[' || *scan->at == '{' || *scan->at == 't' || *scan->at == 'f') {
            return false;
        } else if (!scan_number(scan, &value)) {
            return false;
        }
        pool_add(scan->line, value);
        skip_blanks(scan);
        if (*scan->at == ']') {
            scan->at++;
            return true;
        }
        if (!expect(scan, ',', "a comma or a closing bracket was expected"))
            return false;
    }
}

static bool scan_array(Scan *scan, RunField *field)
{
    char *begin = scan->at++;
    size_t first = scan->line->pool_count;
    field->type = RUN_FIELD_NUMBERS;
    if (scan_numbers(scan)) {
        /* The pool may still move: the pointer is set when the line is complete. */
        field->length = first;
        field->count = (int)(scan->line->pool_count - first);
        return true;
    }
    if (scan->line->problem)
        return false;
    scan->line->pool_count = first;
    scan->at = begin;
    field->type = RUN_FIELD_OTHER;
    field->string = begin;
    if (!skip_value(scan, 0))
        return false;
    field->length = (size_t)(scan->at - begin);
    return true;
}

static bool scan_field(Scan *scan, RunField *field)
{
    field->number = run_missing();
    skip_blanks(scan);
    char *begin = scan->at;
    switch (*begin) {
    case '"':
        field->type = is_nonfinite_word(begin, &field->number) ? RUN_FIELD_NUMBER : RUN_FIELD_STRING;
        return scan_string(scan, &field->string, &field->length);
    case '[':
        return scan_array(scan, field);
    case '{':
        field->type = RUN_FIELD_OTHER;
        field->string = begin;
        if (!skip_value(scan, 0))
            return false;
        field->length = (size_t)(scan->at - begin);
        return true;
    case 't':
    case 'f':
        field->type = RUN_FIELD_BOOL;
        field->number = *begin == 't';
        return scan_word(scan, *begin == 't' ? "true" : "false");
    case 'n':
        field->type = RUN_FIELD_NULL;
        return scan_word(scan, "null");
    default:
        field->type = RUN_FIELD_NUMBER;
        return scan_number(scan, &field->number);
    }
}

static RunField *field_new(RunLine *line)
{
    if (line->count == line->capacity) {
        size_t bytes = (size_t)line->capacity * sizeof *line->fields;
        line->fields = arena_grow(line->arena, line->fields, bytes, 2 * bytes);
        line->capacity *= 2;
    }
    RunField *field = &line->fields[line->count++];
    *field = (RunField){0};
    return field;
}

static bool scan_fields(Scan *scan)
{
    if (!expect(scan, '{', "an object was expected"))
        return false;
    skip_blanks(scan);
    if (*scan->at == '}') {
        scan->at++;
        return true;
    }
    for (;;) {
        RunField *field = field_new(scan->line);
        size_t key_length;
        skip_blanks(scan);
        if (*scan->at != '"')
            return refuse(scan, "a key in quotes was expected");
        if (!scan_string(scan, &field->key, &key_length) || !expect(scan, ':', "a colon was expected after a key") ||
            !scan_field(scan, field))
            return false;
        skip_blanks(scan);
        if (*scan->at == '}') {
            scan->at++;
            return true;
        }
        if (!expect(scan, ',', "a comma or a closing brace was expected"))
            return false;
    }
}

bool run_line_read(RunLine *line, char *text, size_t length)
{
    text[length] = '\0';
    line->count = 0;
    line->pool_count = 0;
    line->problem = NULL;
    Scan scan = {line, text};
    bool whole = scan_fields(&scan);
    skip_blanks(&scan);
    if (whole && scan.at != text + length)
        whole = refuse(&scan, "more text after the object");
    line->place = (size_t)(scan.at - text);
    for (int i = 0; whole && i < line->count; i++) {
        if (line->fields[i].type == RUN_FIELD_NUMBERS) {
            line->fields[i].numbers = line->pool + line->fields[i].length;
            line->fields[i].length = 0;
        }
    }
    return whole;
}
