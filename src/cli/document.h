/* A command's result as one JSON document. Numbers have 9 significant digits; those that are not finite are strings, as in
 * the run log. */
#ifndef GRADTOOL_CLI_DOCUMENT_H
#define GRADTOOL_CLI_DOCUMENT_H

#include <stdio.h>

#include "base/json.h"
#include "tensor/shape.h"

Json *document_number(Arena *arena, double value);
Json *document_shape(Arena *arena, Shape shape);

void document_add_number(Arena *arena, Json *object, const char *key, double value);
void document_add_string(Arena *arena, Json *object, const char *key, const char *value); /* null for NULL */
/* An empty list or object that is filled by the caller. */
Json *document_add(Arena *arena, Json *object, const char *key, JsonType type);

/* The whole document, and the end of the line. */
void document_print(Arena *arena, const Json *document, FILE *stream);

#endif
