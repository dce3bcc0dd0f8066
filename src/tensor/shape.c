/* Shapes are small values: passed by copy, compared entry by entry. */
#include "tensor/shape.h"

#include <assert.h>

#include "base/text.h"

size_t shape_count(Shape shape)
{
    size_t count = 1;
    for (int i = 0; i < shape.rank; i++)
        count *= (size_t)shape.dim[i];
    return count;
}

bool shape_equal(Shape a, Shape b)
{
    if (a.rank != b.rank)
        return false;
    for (int i = 0; i < a.rank; i++)
        if (a.dim[i] != b.dim[i])
            return false;
    return true;
}

Shape shape_prepend(int dim, Shape shape)
{
    assert(shape.rank < SHAPE_MAX_RANK);
    Shape result = {.rank = shape.rank + 1, .dim = {dim}};
    for (int i = 0; i < shape.rank; i++)
        result.dim[i + 1] = shape.dim[i];
    return result;
}

Shape shape_rest(Shape shape)
{
    assert(shape.rank > 0);
    Shape result = {.rank = shape.rank - 1};
    for (int i = 0; i < result.rank; i++)
        result.dim[i] = shape.dim[i + 1];
    return result;
}

int shape_last(Shape shape)
{
    return shape.rank > 0 ? shape.dim[shape.rank - 1] : 1;
}

const char *shape_text(Arena *arena, Shape shape)
{
    Text text = text_new(arena);
    text_add_char(&text, '[');
    for (int i = 0; i < shape.rank; i++)
        text_printf(&text, i > 0 ? ", %d" : "%d", shape.dim[i]);
    text_add_char(&text, ']');
    return text.at;
}
