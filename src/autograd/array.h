/* A tensor of doubles on its own: what a user typed, or what a plan computed. */
#ifndef GRADTOOL_AUTOGRAD_ARRAY_H
#define GRADTOOL_AUTOGRAD_ARRAY_H

#include "autograd/plan.h"
#include "base/json.h"
#include "tensor/shape.h"

typedef struct Array {
    Shape shape;
    double *values; /* row-major */
} Array;

/* Zeros. */
Array array_new(Arena *arena, Shape shape);
Array *array_copy(Arena *arena, const Array *array);

/* A JSON number, "NaN", "Infinity", "-Infinity", or an array of arrays of one shape. False with an error at the place. */
bool array_read(Arena *arena, const Json *value, Array *into, Error *err);

/* A copy of a root's value after a run in double. */
Array *array_of_node(Arena *arena, const Workspace *workspace, const Node *node);

/* "[1,2]" for element 5 of shape [2, 3]; "" of a scalar. */
const char *array_place(Arena *arena, Shape shape, size_t element);

#endif
