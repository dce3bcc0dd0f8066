/* Text that grows in an arena, numbers in the log's form, and words that are nearly right. */
#include "base/text.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_CAPACITY = 64, LONGEST_WORD = 64 };

Text text_new(Arena *arena)
{
    Text text = {.arena = arena, .at = arena_alloc(arena, FIRST_CAPACITY), .capacity = FIRST_CAPACITY};
    return text;
}

void text_clear(Text *text)
{
    text->length = 0;
    text->at[0] = 0;
}

void text_reserve(Text *text, size_t more)
{
    size_t needed = text->length + more + 1;
    if (needed <= text->capacity)
        return;
    size_t capacity = 2 * text->capacity > needed ? 2 * text->capacity : needed;
    text->at = arena_grow(text->arena, text->at, text->length + 1, capacity);
    text->capacity = capacity;
}

void text_add(Text *text, const char *string)
{
    text_add_bytes(text, string, strlen(string));
}

void text_add_bytes(Text *text, const char *bytes, size_t count)
{
    text_reserve(text, count);
    if (count)
        memcpy(text->at + text->length, bytes, count);
    text->length += count;
    text->at[text->length] = 0;
}

void text_add_char(Text *text, char c)
{
    text_add_bytes(text, &c, 1);
}

void text_printf(Text *text, const char *format, ...)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        va_list arguments;
        va_start(arguments, format);
        size_t room = text->capacity - text->length;
        int length = vsnprintf(text->at + text->length, room, format, arguments);
        va_end(arguments);
        if (length < 0) {
            text->at[text->length] = 0;
            return;
        }
        if ((size_t)length < room) {
            text->length += (size_t)length;
            return;
        }
        text_reserve(text, (size_t)length);
    }
}

static const uint64_t power_of_5[] = {
    1u,
    5u,
    25u,
    125u,
    625u,
    3125u,
    15625u,
    78125u,
    390625u,
    1953125u,
    9765625u,
    48828125u,
    244140625u,
    1220703125u,
    6103515625u,
    30517578125u,
    152587890625u,
    762939453125u,
    3814697265625u,
    19073486328125u,
    95367431640625u,
    476837158203125u,
    2384185791015625u,
    11920928955078125u,
    59604644775390625u,
    298023223876953125u,
    1490116119384765625u,
    7450580596923828125u,
};
enum { LARGEST_POWER = 27 };

__extension__ typedef unsigned __int128 Wide;

/* mantissa * 2^exponent with the mantissa's top bit set; the true value lies at most `below` units above it. */
typedef struct Scaled {
    uint64_t mantissa;
    int exponent;
    unsigned below;
} Scaled;

static void scaled_set(Scaled *scaled, Wide value, bool exact)
{
    uint64_t high = (uint64_t)(value >> 64);
    int shift = high ? 64 - __builtin_clzll(high) : -__builtin_clzll((uint64_t)value);
    if (shift > 0) {
        exact = exact && !(value & (((Wide)1 << shift) - 1));
        scaled->mantissa = (uint64_t)(value >> shift);
    } else {
        scaled->mantissa = (uint64_t)value << -shift;
    }
    scaled->exponent += shift;
    scaled->below = exact ? 2 * scaled->below : 2 * scaled->below + 1;
}

/* value * 10^power, for values with 53 bits and |power| <= 54 up, 27 down. */
static Scaled scale(uint64_t bits, int power)
{
    Scaled scaled = {(bits & 0xfffffffffffffu) | 0x10000000000000u, (int)(bits >> 52) - 1075 + power, 0};
    scaled_set(&scaled, scaled.mantissa, true);
    if (power < 0) {
        Wide shifted = (Wide)scaled.mantissa << 64;
        uint64_t divisor = power_of_5[-power];
        scaled.exponent -= 64;
        scaled_set(&scaled, shifted / divisor, shifted % divisor == 0);
    }
    while (power > 0) {
        int part = power < LARGEST_POWER ? power : LARGEST_POWER;
        scaled_set(&scaled, (Wide)scaled.mantissa * power_of_5[part], true);
        power -= part;
    }
    return scaled;
}

/* The nine significant digits of a positive normal number, correctly rounded; false where 64 bits do not decide it. */
static bool nine_digits(uint64_t bits, uint32_t *digits, int *exponent)
{
    int binary = (int)(bits >> 52) - 1023;
    if (binary < -148 || binary > 115)
        return false;
    /* floor(log10(2^binary)); the number itself may have one digit more. */
    for (int decimal = (int)floor(binary * 0.30102999566398120), last = decimal + 1; decimal <= last; decimal++) {
        Scaled scaled = scale(bits, 8 - decimal);
        int shift = -scaled.exponent;
        if (shift < 1 || shift > 62)
            return false;
        uint64_t whole = scaled.mantissa >> shift, fraction = scaled.mantissa & ((1ull << shift) - 1);
        uint64_t half = 1ull << (shift - 1);
        if (whole >= 1000000000u)
            continue;
        if (scaled.below && fraction <= half && fraction + scaled.below >= half)
            return false;
        bool up = fraction > half || (fraction == half && whole % 2);
        whole += up;
        bool carried = whole == 1000000000u;
        *digits = carried ? 100000000u : (uint32_t)whole;
        *exponent = decimal + carried;
        return true;
    }
    return false;
}

/* Lays the digits out as %.9g does: trailing zeros dropped, an exponent below 1e-4 and from 1e9 on. */
static size_t lay_out(char *into, uint32_t digits, int exponent)
{
    char digit[9];
    for (int i = 8; i >= 0; i--, digits /= 10)
        digit[i] = (char)('0' + digits % 10);
    int count = 9;
    while (count > 1 && digit[count - 1] == '0')
        count--;
    char *at = into;
    bool scientific = exponent < -4 || exponent >= 9;
    int before_point = scientific ? 1 : exponent + 1;
    if (before_point <= 0) {
        *at++ = '0';
        *at++ = '.';
        for (int i = before_point; i < 0; i++)
            *at++ = '0';
    }
    for (int i = 0; i < count || i < before_point; i++) {
        if (i == before_point && i > 0)
            *at++ = '.';
        *at++ = i < count ? digit[i] : '0';
    }
    if (scientific) {
        int size = exponent < 0 ? -exponent : exponent;
        *at++ = 'e';
        *at++ = exponent < 0 ? '-' : '+';
        *at++ = (char)('0' + size / 10);
        *at++ = (char)('0' + size % 10);
    }
    return (size_t)(at - into);
}

/* Exactly "%.9g", without snprintf where 64-bit arithmetic decides the digits: a step logs a hundred numbers, and snprintf
 * takes longer than the step of a small network. */
void text_add_number(Text *text, double value)
{
    if (!isfinite(value)) {
        text_add(text, isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        return;
    }
    text_reserve(text, 32);
    char *at = text->at + text->length;
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t digits = 0;
    int exponent = 0;
    if (value == 0) {
        text_add(text, bits ? "-0" : "0");
        return;
    }
    if (!nine_digits(bits & 0x7fffffffffffffffu, &digits, &exponent)) {
        text->length += (size_t)snprintf(at, 32, "%.9g", value);
        return;
    }
    if (value < 0)
        *at++ = '-';
    at += lay_out(at, digits, exponent);
    *at = 0;
    text->length = (size_t)(at - text->at);
}

int text_utf8_length(const char *at, size_t left)
{
    const unsigned char *byte = (const unsigned char *)at;
    if (!left)
        return 0;
    if (byte[0] < 0x80)
        return 1;
    int length = byte[0] >= 0xc2 && byte[0] <= 0xdf   ? 2
                 : (byte[0] & 0xf0) == 0xe0           ? 3
                 : byte[0] >= 0xf0 && byte[0] <= 0xf4 ? 4
                                                      : 0;
    if (!length || (size_t)length > left)
        return 0;
    for (int i = 1; i < length; i++)
        if ((byte[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (byte[0] == 0xe0 && byte[1] < 0xa0) || (byte[0] == 0xf0 && byte[1] < 0x90);
    bool surrogate = byte[0] == 0xed && byte[1] >= 0xa0;
    bool too_large = byte[0] == 0xf4 && byte[1] >= 0x90;
    return overlong || surrogate || too_large ? 0 : length;
}

/* Bytes that are not UTF-8 (file names may hold them) become U+FFFD, so that the result is always JSON. */
void text_add_quoted(Text *text, const char *string)
{
    text_add_char(text, '"');
    size_t left = strlen(string);
    while (left) {
        int length = text_utf8_length(string, left);
        unsigned char c = (unsigned char)*string;
        const char *escape = c < 0x20 ? strchr("\bb\ff\nn\rr\tt", c) : NULL;
        if (!length)
            text_add(text, "\xef\xbf\xbd");
        else if (c == '"' || c == '\\')
            text_add_bytes(text, (char[]){'\\', (char)c}, 2);
        else if (escape)
            text_add_bytes(text, (char[]){'\\', escape[1]}, 2);
        else if (c < 0x20)
            text_printf(text, "\\u%04x", c);
        else
            text_add_bytes(text, string, (size_t)length);
        string += length ? length : 1;
        left -= (size_t)(length ? length : 1);
    }
    text_add_char(text, '"');
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* Damerau-Levenshtein distance (optimal string alignment) of words of at most LONGEST_WORD bytes; case does not count. */
static int distance(const char *a, size_t length_a, const char *b, size_t length_b)
{
    int rows[3][LONGEST_WORD + 1];
    int *before_last = rows[0], *last = rows[1], *current = rows[2];
    for (size_t j = 0; j <= length_b; j++)
        current[j] = (int)j;
    for (size_t i = 1; i <= length_a; i++) {
        int *oldest = before_last;
        before_last = last;
        last = current;
        current = oldest;
        current[0] = (int)i;
        for (size_t j = 1; j <= length_b; j++) {
            int change = lower(a[i - 1]) != lower(b[j - 1]);
            current[j] = least(least(last[j], current[j - 1]) + 1, last[j - 1] + change);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
                current[j] = least(current[j], before_last[j - 2] + 1);
        }
    }
    return current[length_b];
}

const char *text_nearest(const char *word, const char *const candidates[], int count)
{
    size_t length = strlen(word);
    if (!length || length > LONGEST_WORD)
        return NULL;
    const char *nearest = NULL;
    int limit = length < 6 ? 1 : (int)(length / 3);
    for (int i = 0; i < count; i++) {
        size_t other = strlen(candidates[i]);
        if (other > LONGEST_WORD)
            continue;
        int away = distance(word, length, candidates[i], other);
        if (away <= limit) {
            nearest = candidates[i];
            limit = away - 1;
        }
    }
    return nearest;
}

/* On a mismatch the last star takes one character more; stars before it need not be tried again. */
bool text_glob(const char *pattern, const char *name)
{
    const char *star = NULL, *resume = NULL;
    while (*name) {
        if (*pattern == '*') {
            star = pattern++;
            resume = name;
        } else if (*pattern == '?' || *pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star + 1;
            name = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

bool text_ends_in(const char *text, const char *ending)
{
    size_t length = strlen(text), tail = strlen(ending);
    return length >= tail && strcmp(text + length - tail, ending) == 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

int text_compare_natural(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        if (is_digit(*a) && is_digit(*b)) {
            a += strspn(a, "0");
            b += strspn(b, "0");
            size_t left = strspn(a, "0123456789"), right = strspn(b, "0123456789");
            int order = left != right ? (left > right) - (left < right) : strncmp(a, b, left);
            if (order)
                return order;
            a += left;
            b += left;
            if (!*a || !*b)
                break;
        }
        if (*a != *b)
            return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
    }
    return (*a != 0) - (*b != 0);
}

static uint32_t decode(const char *at, int length)
{
    static const unsigned char mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code = (unsigned char)at[0] & mask[length];
    for (int i = 1; i < length; i++)
        code = code << 6 | ((unsigned char)at[i] & 0x3f);
    return code;
}

/* Blocks of combining marks (0) and of wide characters (2); the rest is one column. Not wcwidth(): it needs a locale. */
static int code_width(uint32_t code)
{
    static const struct {
        uint32_t first, last;
        int width;
    } blocks[] = {
        {0x0000, 0x001f, 0},   {0x007f, 0x009f, 0},   {0x0300, 0x036f, 0}, {0x1100, 0x115f, 2},   {0x200b, 0x200f, 0},
        {0x20d0, 0x20ff, 0},   {0x2e80, 0xa4cf, 2},   {0xac00, 0xd7a3, 2}, {0xf900, 0xfaff, 2},   {0xfe00, 0xfe0f, 0},
        {0xfe30, 0xfe6f, 2},   {0xff00, 0xff60, 2},   {0xffe0, 0xffe6, 2}, {0x1f300, 0x1f64f, 2}, {0x1f680, 0x1f6ff, 2},
        {0x1f900, 0x1f9ff, 2}, {0x20000, 0x3fffd, 2},
    };
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        if (code >= blocks[i].first && code <= blocks[i].last)
            return blocks[i].width;
    return 1;
}

int text_width(const char *utf8)
{
    int width = 0;
    for (size_t left = strlen(utf8); left;) {
        int length = text_utf8_length(utf8, left);
        width += length ? code_width(decode(utf8, length)) : 1;
        utf8 += length ? length : 1;
        left -= (size_t)(length ? length : 1);
    }
    return width;
}
