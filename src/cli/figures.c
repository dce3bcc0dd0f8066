#include "cli/figures.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

const char *figure(char into[FIGURE_SIZE], double value, int digits)
{
    double magnitude = fabs(value);
    if (isnan(value)) /* its sign says nothing */
        snprintf(into, FIGURE_SIZE, "nan");
    else if (!isfinite(value) || value == 0)
        snprintf(into, FIGURE_SIZE, "%g", value);
    else if (magnitude < 1e-3 || magnitude >= 1e5)
        snprintf(into, FIGURE_SIZE, "%.1e", value);
    else {
        int decimals = digits - 1 - (int)floor(log10(magnitude));
        snprintf(into, FIGURE_SIZE, "%.*f", decimals < 0 ? 0 : decimals, value);
    }
    return into;
}

const char *figure_time(char into[FIGURE_SIZE], double seconds)
{
    long total = isfinite(seconds) && seconds >= 0 && seconds < 1e9 ? lround(seconds) : 0;
    if (total >= 3600)
        snprintf(into, FIGURE_SIZE, "%ld:%02ld:%02ld", total / 3600, total / 60 % 60, total % 60);
    else
        snprintf(into, FIGURE_SIZE, "%ld:%02ld", total / 60, total % 60);
    return into;
}

const char *figure_count(Arena *arena, double count)
{
    if (!(count >= 0 && count < 9007199254740992.0))
        return arena_printf(arena, "%.3g", count);
    char digits[FIGURE_SIZE], grouped[2 * FIGURE_SIZE];
    int length = snprintf(digits, sizeof digits, "%.0f", count), at = 0;
    for (int i = 0; i < length; i++) {
        if (i && (length - i) % 3 == 0)
            grouped[at++] = ',';
        grouped[at++] = digits[i];
    }
    return arena_strndup(arena, grouped, (size_t)at);
}

const char *figure_bytes(Arena *arena, double bytes)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB"};
    if (bytes < 1000)
        return arena_printf(arena, "%.0f B", bytes);
    int unit = 0;
    for (bytes /= 1000; bytes >= 999.95 && unit < 3; unit++)
        bytes /= 1000;
    return arena_printf(arena, "%.1f %s", bytes, units[unit]);
}

const char *figure_of(Arena *arena, double count, const char *one)
{
    return arena_printf(arena, "%s %s%s", figure_count(arena, count), one, count == 1 ? "" : "s");
}

const char *figure_word(Arena *arena, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+=:,@%";
    if (*text && !text[strspn(text, plain)])
        return text;
    Text word = text_new(arena);
    text_add_char(&word, '\'');
    for (; *text; text++)
        *text == '\'' ? text_add(&word, "'\\''") : text_add_char(&word, *text);
    text_add_char(&word, '\'');
    return word.at;
}
