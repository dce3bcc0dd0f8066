/* What the axes of all pictures share: round steps, short numbers, names that fit. */
#ifndef GRADTOOL_RENDER_LABELS_H
#define GRADTOOL_RENDER_LABELS_H

#include <stdint.h>

#include "base/arena.h"

enum { LABEL_NAME_LIMIT = 34 };

/* The distance of round ticks (1, 2 or 5 times a power of ten, at least 1) so that at most `most` lie in `span`. */
int64_t label_step_distance(int64_t span, int most);
/* "250", "20k", "1.5M". */
const char *label_count(Arena *arena, int64_t value);
/* The name, its middle replaced by ".." when it is longer than LABEL_NAME_LIMIT characters: the end says weight or bias. */
const char *label_name(Arena *arena, const char *name);
/* The name as part of a file name: slashes and what else troubles shells and file systems become '_'; never hidden. */
const char *label_file_name(Arena *arena, const char *name);

#endif
