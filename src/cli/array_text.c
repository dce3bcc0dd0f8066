#include "cli/array_text.h"

#include <math.h>

enum { SHOWN_WHOLE = 1000, SHOWN_EDGE = 3, BRIEF_LIMIT = 6, LINE_COLUMNS = 80 };

const char *array_number(char into[FIGURE_SIZE], double value)
{
    if (isnan(value)) /* its sign says nothing */
        snprintf(into, FIGURE_SIZE, "nan");
    else
        snprintf(into, FIGURE_SIZE, "%.6g", value + 0.0); /* -0 becomes 0 */
    return into;
}

typedef struct Writer {
    Text *text;
    const Array *array;
    int width;
    bool is_cut;
} Writer;

/* The next index to show after `i`: a cut axis leaves out its middle. */
static int next_shown(const Writer *w, int i, int count)
{
    return w->is_cut && count > 2 * SHOWN_EDGE && i == SHOWN_EDGE - 1 ? count - SHOWN_EDGE : i + 1;
}

static void add_break(Writer *w, int indent)
{
    text_add_char(w->text, '\n');
    for (int i = 0; i < indent; i++)
        text_add_char(w->text, ' ');
}

static void add_axis(Writer *w, int axis, const double *values, size_t count, int indent)
{
    Shape shape = w->array->shape;
    char number[FIGURE_SIZE];
    if (axis == shape.rank) {
        text_printf(w->text, "%*s", w->width, array_number(number, *values));
        return;
    }
    bool is_row = axis == shape.rank - 1;
    int size = shape.dim[axis], on_line = 0, per_line = (LINE_COLUMNS - indent) / (w->width + 2);
    size_t step = count / (size_t)size;
    text_add_char(w->text, '[');
    for (int i = 0; i < size; i = next_shown(w, i, size)) {
        if (i) {
            text_add_char(w->text, ',');
            if (is_row && ++on_line < per_line)
                text_add_char(w->text, ' ');
            else
                add_break(w, indent + 1);
            on_line = on_line < per_line ? on_line : 0;
        }
        add_axis(w, axis + 1, values + (size_t)i * step, step, indent + 1);
        if (next_shown(w, i, size) != i + 1) {
            text_add_char(w->text, ',');
            if (!is_row)
                add_break(w, indent + 1);
            text_add(w->text, is_row ? " ..." : "...");
        }
    }
    text_add_char(w->text, ']');
}

void array_add(Text *text, const Array *array, int indent)
{
    size_t count = shape_count(array->shape);
    Writer writer = {.text = text, .array = array, .is_cut = count > SHOWN_WHOLE};
    for (size_t i = 0; i < count && array->shape.rank; i++) {
        char number[FIGURE_SIZE];
        int width = text_width(array_number(number, array->values[i]));
        writer.width = width > writer.width ? width : writer.width;
    }
    add_axis(&writer, 0, array->values, count, indent);
}

static void add_typed(Text *text, Shape shape, int axis, const double **next)
{
    char number[FIGURE_SIZE];
    if (axis == shape.rank) {
        text_add(text, array_number(number, *(*next)++));
        return;
    }
    for (int i = 0; i < shape.dim[axis]; i++) {
        text_add(text, i ? ", " : "[");
        add_typed(text, shape, axis + 1, next);
    }
    text_add_char(text, ']');
}

const char *array_typed(Arena *arena, const Array *array)
{
    Text text = text_new(arena);
    const double *next = array->values;
    add_typed(&text, array->shape, 0, &next);
    return text.at;
}

const char *array_brief(Arena *arena, const Array *array)
{
    size_t count = shape_count(array->shape);
    if (count <= BRIEF_LIMIT)
        return array_typed(arena, array);
    double square = 0;
    for (size_t i = 0; i < count; i++)
        square += array->values[i] * array->values[i];
    char number[FIGURE_SIZE];
    return arena_printf(arena, "%s of norm %s", shape_text(arena, array->shape), array_number(number, sqrt(square)));
}
