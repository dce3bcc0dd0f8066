/* Shapes: row-major (C order), as in PyTorch. */
#ifndef GRADTOOL_TENSOR_SHAPE_H
#define GRADTOOL_TENSOR_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

enum { SHAPE_MAX_RANK = 8 };

typedef struct Shape {
    int rank; /* 0: a scalar */
    int dim[SHAPE_MAX_RANK];
} Shape;

#define SHAPE(...) ((Shape){.rank = (int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), .dim = {__VA_ARGS__}})
#define SHAPE_SCALAR ((Shape){.rank = 0})

size_t shape_count(Shape shape);
bool shape_equal(Shape a, Shape b);
/* `shape` with `dim` in front: the batch axis. The rank must be below SHAPE_MAX_RANK. */
Shape shape_prepend(int dim, Shape shape);
/* The shape without its first axis. */
Shape shape_rest(Shape shape);
/* The last axis' size, 1 for a scalar. */
int shape_last(Shape shape);
/* "[3, 2]" */
const char *shape_text(Arena *arena, Shape shape);

#endif
