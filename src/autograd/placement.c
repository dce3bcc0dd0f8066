/* Best fit over a sorted list of holes; neighbours merge when a buffer dies. */
#include "autograd/placement.h"

#include <string.h>

typedef struct Hole {
    size_t offset, bytes;
} Hole;

/* Free ranges below `top`, sorted by offset, never touching each other. */
typedef struct Holes {
    Hole *at;
    int count;
    size_t top;
} Holes;

static void holes_remove(Holes *holes, int index)
{
    memmove(&holes->at[index], &holes->at[index + 1], sizeof(Hole) * (size_t)(holes->count - index - 1));
    holes->count--;
}

static size_t take(Holes *holes, size_t bytes)
{
    int best = -1;
    for (int i = 0; i < holes->count; i++)
        if (holes->at[i].bytes >= bytes && (best < 0 || holes->at[i].bytes < holes->at[best].bytes))
            best = i;
    if (best >= 0) {
        Hole *hole = &holes->at[best];
        size_t offset = hole->offset;
        hole->offset += bytes;
        hole->bytes -= bytes;
        if (!hole->bytes)
            holes_remove(holes, best);
        return offset;
    }
    const Hole *last = holes->count ? &holes->at[holes->count - 1] : NULL;
    size_t offset = holes->top;
    if (last && last->offset + last->bytes == holes->top) { /* grow the hole at the end */
        offset = last->offset;
        holes->count--;
    }
    holes->top = offset + bytes;
    return offset;
}

static void give(Holes *holes, size_t offset, size_t bytes)
{
    int i = holes->count;
    while (i && holes->at[i - 1].offset > offset)
        i--;
    Hole *left = i ? &holes->at[i - 1] : NULL, *right = i < holes->count ? &holes->at[i] : NULL;
    int joins_left = left && left->offset + left->bytes == offset, joins_right = right && offset + bytes == right->offset;
    if (joins_left && joins_right) {
        left->bytes += bytes + right->bytes;
        holes_remove(holes, i);
    } else if (joins_left) {
        left->bytes += bytes;
    } else if (joins_right) {
        right->offset = offset;
        right->bytes += bytes;
    } else {
        memmove(&holes->at[i + 1], &holes->at[i], sizeof(Hole) * (size_t)(holes->count - i));
        holes->at[i] = (Hole){offset, bytes};
        holes->count++;
    }
}

size_t placement_assign(Buffer *buffer, int count, int steps, Arena *scratch)
{
    int *dying = ARENA_ARRAY(scratch, int, steps + 1); /* head of the list of buffers whose last step this is, plus one */
    int *next = ARENA_ARRAY(scratch, int, count + 1);
    Holes holes = {.at = ARENA_ARRAY(scratch, Hole, count + 1)};
    size_t peak = 0;
    for (int i = 0; i < count; i++) {
        next[i] = dying[buffer[i].last];
        dying[buffer[i].last] = i + 1;
    }
    for (int i = 0, step = 0; step <= steps; step++) {
        for (; i < count && buffer[i].first == step; i++) {
            buffer[i].offset = take(&holes, buffer[i].bytes);
            peak = holes.top > peak ? holes.top : peak;
        }
        for (int d = dying[step]; d; d = next[d - 1])
            give(&holes, buffer[d - 1].offset, buffer[d - 1].bytes);
    }
    return peak;
}
