/* Arrays that stand on their own. */
#include "autograd/array.h"

#include <math.h>
#include <string.h>

#include "base/text.h"

Array array_new(Arena *arena, Shape shape)
{
    return (Array){.shape = shape, .values = ARENA_ARRAY(arena, double, shape_count(shape))};
}

Array *array_copy(Arena *arena, const Array *array)
{
    Array *copy = ARENA_NEW(arena, Array);
    *copy = array_new(arena, array->shape);
    memcpy(copy->values, array->values, sizeof(double) * shape_count(array->shape));
    return copy;
}

/* The number that a JSON scalar stands for; false when it is none. */
static bool number_of(const Json *value, double *number)
{
    *number = value->number;
    if (value->type != JSON_STRING)
        return value->type == JSON_NUMBER;
    if (!strcmp(value->string, "NaN"))
        *number = NAN;
    else if (!strcmp(value->string, "Infinity"))
        *number = INFINITY;
    else if (!strcmp(value->string, "-Infinity"))
        *number = -INFINITY;
    else
        return false;
    return true;
}

/* The shape that the first elements all the way down suggest. */
static bool shape_of(const Json *value, Shape *shape, Error *err)
{
    *shape = SHAPE_SCALAR;
    for (; value->type == JSON_ARRAY; value = value->first) {
        if (!value->count)
            return error_at(err, value, "an array without elements");
        if (shape->rank == SHAPE_MAX_RANK)
            return error_at(err, value, "an array nests deeper than %d", SHAPE_MAX_RANK);
        shape->dim[shape->rank++] = value->count;
    }
    return true;
}

static bool read_axis(const Json *value, Shape shape, int axis, double **next, Error *err)
{
    if (axis == shape.rank) {
        double number;
        if (!number_of(value, &number))
            return error_at(err, value,
                            value->type == JSON_ARRAY ? "an array stands where others have a number" : "this is no number");
        *(*next)++ = number;
        return true;
    }
    if (value->type != JSON_ARRAY)
        return error_at(err, value, "a number stands where others have an array of %d", shape.dim[axis]);
    if (value->count != shape.dim[axis])
        return error_at(err, value, "rows must be of one length, got %d and %d elements", shape.dim[axis], value->count);
    for (const Json *item = value->first; item; item = item->next)
        if (!read_axis(item, shape, axis + 1, next, err))
            return false;
    return true;
}

bool array_read(Arena *arena, const Json *value, Array *into, Error *err)
{
    Shape shape;
    if (!shape_of(value, &shape, err))
        return false;
    *into = array_new(arena, shape);
    double *next = into->values;
    return read_axis(value, shape, 0, &next, err);
}

Array *array_of_node(Arena *arena, const Workspace *workspace, const Node *node)
{
    return array_copy(arena, &(Array){.shape = node->shape, .values = workspace_value(workspace, node)});
}

const char *array_place(Arena *arena, Shape shape, size_t element)
{
    int at[SHAPE_MAX_RANK];
    for (int i = shape.rank - 1; i >= 0; i--) {
        at[i] = (int)(element % (size_t)shape.dim[i]);
        element /= (size_t)shape.dim[i];
    }
    Text text = text_new(arena);
    for (int i = 0; i < shape.rank; i++)
        text_printf(&text, "%s%d%s", i ? "," : "[", at[i], i == shape.rank - 1 ? "]" : "");
    return text.at ? text.at : "";
}
