/* Places for buffers in one block of memory: those whose lives do not meet may share. */
#ifndef GRADTOOL_AUTOGRAD_PLACEMENT_H
#define GRADTOOL_AUTOGRAD_PLACEMENT_H

#include <stddef.h>

#include "base/arena.h"

typedef struct Buffer {
    size_t bytes;    /* a multiple of 64 */
    int first, last; /* steps in which it lives, both included */
    size_t offset;   /* the result */
} Buffer;

/* Buffers are in order of `first`. Returns the bytes needed. Best fit over a list of holes in execution order: linear in the
 * number of steps, as the list holds a few dozen holes (placing the largest first needs 0-3 % less, but is quadratic). */
size_t placement_assign(Buffer *buffer, int count, int steps, Arena *scratch);

#endif
