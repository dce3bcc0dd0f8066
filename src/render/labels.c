#include "render/labels.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

int64_t label_step_distance(int64_t span, int most)
{
    static const int factors[] = {2, 5, 10};
    int64_t power = 1;
    for (;;) {
        if (span / power < most)
            return power;
        for (int i = 0; i < 2; i++)
            if (span / (power * factors[i]) < most)
                return power * factors[i];
        if (power > INT64_MAX / 100)
            return power;
        power *= 10;
    }
}

const char *label_count(Arena *arena, int64_t value)
{
    if (value >= 1000000)
        return arena_printf(arena, "%gM", (double)value / 1e6);
    if (value >= 10000)
        return arena_printf(arena, "%gk", (double)value / 1e3);
    return arena_printf(arena, "%" PRId64, value);
}

static bool is_inside_character(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

const char *label_name(Arena *arena, const char *name)
{
    size_t length = strlen(name);
    if (length <= LABEL_NAME_LIMIT)
        return name;
    size_t head = LABEL_NAME_LIMIT / 2 - 2, tail = length - (LABEL_NAME_LIMIT - head - 2);
    while (head > 0 && is_inside_character(name[head]))
        head--;
    while (is_inside_character(name[tail]))
        tail++;
    return arena_printf(arena, "%.*s..%s", (int)head, name, name + tail);
}

const char *label_file_name(Arena *arena, const char *name)
{
    char *safe = arena_strdup(arena, name);
    for (char *p = safe; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f || strchr("/\\:*?\"<>|'`$;&^ ", *p))
            *p = '_';
    if (safe[0] == '.')
        safe[0] = '_';
    /* A file name has at most 255 bytes, and the kind and the suffix come to it. */
    if (strlen(safe) > 200) {
        size_t end = 200;
        while (end > 0 && is_inside_character(safe[end]))
            end--;
        safe[end] = '\0';
    }
    return safe;
}
