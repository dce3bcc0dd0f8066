#include "cli/document.h"

#include <math.h>

#include "base/text.h"

Json *document_number(Arena *arena, double value)
{
    if (!isfinite(value))
        return json_new_string(arena, isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
    Json *number = json_new(arena, JSON_NUMBER);
    Text text = text_new(arena);
    if (fabs(value) < 9007199254740992.0 && value == floor(value)) /* counts keep all their digits */
        text_printf(&text, "%.0f", value);
    else
        text_add_number(&text, value);
    number->number = value;
    number->string = text.at;
    return number;
}

Json *document_shape(Arena *arena, Shape shape)
{
    Json *list = json_new(arena, JSON_ARRAY);
    for (int i = 0; i < shape.rank; i++)
        json_add_item(list, document_number(arena, shape.dim[i]));
    return list;
}

void document_add_number(Arena *arena, Json *object, const char *key, double value)
{
    json_add_member(arena, object, key, document_number(arena, value));
}

void document_add_string(Arena *arena, Json *object, const char *key, const char *value)
{
    json_add_member(arena, object, key, value ? json_new_string(arena, value) : json_new(arena, JSON_NULL));
}

Json *document_add(Arena *arena, Json *object, const char *key, JsonType type)
{
    Json *value = json_new(arena, type);
    json_add_member(arena, object, key, value);
    return value;
}

void document_print(Arena *arena, const Json *document, FILE *stream)
{
    Text text = text_new(arena);
    json_write(&text, document, 0);
    text_add_char(&text, '\n');
    fwrite(text.at, 1, text.length, stream);
}
