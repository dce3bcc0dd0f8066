/* JSON trees: finding, placing, changing, writing. json_read.c makes them from text. */
#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_LENGTH = 100, INDENT = 2, SET_DEPTH_LIMIT = 100 };

Json *json_member(const Json *object, const char *key)
{
    if (!object || object->type != JSON_OBJECT)
        return NULL;
    for (Json *member = object->first; member; member = member->next)
        if (!strcmp(member->key, key))
            return member;
    return NULL;
}

Json *json_item(const Json *array, int index)
{
    if (!array || array->type != JSON_ARRAY || index < 0)
        return NULL;
    Json *item = array->first;
    while (item && index-- > 0)
        item = item->next;
    return item;
}

static void add_path(Text *text, const Json *value)
{
    const Json *parent = value->parent;
    if (!parent)
        return;
    add_path(text, parent);
    if (parent->type == JSON_OBJECT) {
        text_add(text, text->length ? "." : "");
        text_add(text, value->key ? value->key : "");
        return;
    }
    int index = 0;
    for (const Json *item = parent->first; item && item != value; item = item->next)
        index++;
    text_printf(text, "[%d]", index);
}

const char *json_path(Arena *arena, const Json *value)
{
    Text text = text_new(arena);
    add_path(&text, value);
    return text.at;
}

/* Columns count characters, as editors do, not bytes. */
void json_place(const JsonSource *source, size_t byte, long *line, long *column)
{
    *line = 1;
    *column = 1;
    for (size_t at = 0; at < byte && at < source->length; at++) {
        if (source->text[at] == '\n') {
            ++*line;
            *column = 1;
        } else if ((source->text[at] & 0xc0) != 0x80) {
            ++*column;
        }
    }
}

Json *json_new(Arena *arena, JsonType type)
{
    Json *value = ARENA_NEW(arena, Json);
    value->type = type;
    return value;
}

/* The shortest text that reads back as the same double. */
static const char *exact_text(Arena *arena, double value)
{
    char text[32];
    if (!isfinite(value))
        return isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    if (fabs(value) < 1e17 && value == floor(value))
        snprintf(text, sizeof text, "%.0f", value);
    return arena_strdup(arena, text);
}

Json *json_new_number(Arena *arena, double value)
{
    Json *number = json_new(arena, JSON_NUMBER);
    number->number = value;
    number->string = exact_text(arena, value);
    return number;
}

Json *json_new_string(Arena *arena, const char *value)
{
    Json *string = json_new(arena, JSON_STRING);
    string->string = arena_strdup(arena, value);
    return string;
}

void json_add_item(Json *array, Json *value)
{
    value->parent = array;
    value->next = NULL;
    if (array->last)
        array->last->next = value;
    else
        array->first = value;
    array->last = value;
    array->count++;
}

void json_add_member(Arena *arena, Json *object, const char *key, Json *value)
{
    Json *present = json_member(object, key);
    if (present) {
        json_replace(present, value);
        return;
    }
    value->key = arena_strdup(arena, key);
    json_add_item(object, value);
}

void json_replace(Json *value, const Json *with)
{
    Json content = *with;
    content.key = value->key;
    content.parent = value->parent;
    content.next = value->next;
    /* The key's bytes are those of the old source. */
    content.key_begin = content.source == value->source ? value->key_begin : 0;
    content.key_end = content.source == value->source ? value->key_end : 0;
    *value = content;
    for (Json *child = value->first; child; child = child->next)
        child->parent = value;
}

Json *json_copy(Arena *arena, const Json *value)
{
    Json *copy = json_new(arena, value->type);
    *copy = *value;
    copy->key = value->key ? arena_strdup(arena, value->key) : NULL;
    copy->string = value->string ? arena_strdup(arena, value->string) : NULL;
    copy->parent = copy->next = copy->first = copy->last = NULL;
    copy->count = 0;
    for (const Json *child = value->first; child; child = child->next)
        json_add_item(copy, json_copy(arena, child));
    return copy;
}

void json_remove(const Json *value)
{
    Json *parent = value->parent, *before = NULL;
    for (Json *child = parent->first; child != value; child = child->next)
        before = child;
    if (before)
        before->next = value->next;
    else
        parent->first = value->next;
    if (parent->last == value)
        parent->last = before;
    parent->count--;
}

/* One step of a path: a name, or an index when the name is NULL. */
typedef struct Step {
    const char *name;
    int index;
} Step;

/* Takes a step off the front of a path; false when it is not a path. */
static bool next_step(Arena *arena, const char **path, bool is_first, Step *step)
{
    const char *at = *path;
    *step = (Step){0};
    if (*at == '[') {
        char *end;
        if (at[1] < '0' || at[1] > '9')
            return false;
        long index = strtol(at + 1, &end, 10);
        if (*end != ']' || index > 1000000000)
            return false;
        step->index = (int)index;
        *path = end + 1;
        return true;
    }
    if (!is_first && *at++ != '.')
        return false;
    size_t length = strcspn(at, ".[");
    step->name = arena_strndup(arena, at, length);
    *path = at + length;
    return length > 0;
}

const Json *json_find(const Json *root, const char *path, bool *found)
{
    Arena *scratch = arena_new(NULL);
    bool is_whole = true;
    for (const char *rest = path; *rest && is_whole;) {
        const Json *child = NULL;
        Step step;
        if (next_step(scratch, &rest, rest == path, &step))
            child = step.name ? json_member(root, step.name) : json_item(root, step.index);
        is_whole = child != NULL;
        root = child ? child : root;
    }
    arena_free(scratch);
    if (found)
        *found = is_whole;
    return root;
}

static const char *type_name(const Json *value)
{
    static const char *const names[] = {"null", "true or false", "a number", "a string", "a list", "an object"};
    return names[value->type];
}

/* The child that the step names, made where it is missing; NULL with an error where it cannot be. */
static Json *take_step(Arena *arena, Json *at, Step step, const Json *place, const char *target, Error *err)
{
    JsonType needed = step.name ? JSON_OBJECT : JSON_ARRAY;
    if (at->type == JSON_NULL)
        at->type = needed;
    if (at->type != needed) {
        const char *path = json_path(arena, at);
        error_at(err, place, "cannot set `%s`: `%s` is %s, not %s", target, *path ? path : "the config", type_name(at),
                 needed == JSON_OBJECT ? "an object" : "a list");
        if (at->type == JSON_STRING && step.name && at->key)
            error_hint(err, "to give it options, make it an object: --set '%s={\"type\": \"%s\", \"%s\": ...}'", path,
                       at->string, step.name);
        return NULL;
    }
    if (step.name) {
        Json *member = json_member(at, step.name);
        if (!member) {
            member = json_new(arena, JSON_NULL);
            json_add_member(arena, at, step.name, member);
        }
        return member;
    }
    if (step.index > at->count) {
        error_at(err, place, "cannot set `%s`: `%s` has %d item%s, so there is no [%d]", target, json_path(arena, at),
                 at->count, at->count == 1 ? "" : "s", step.index);
        error_hint(err, "items count from 0; [%d] adds one at the end", at->count);
        return NULL;
    }
    if (step.index == at->count)
        json_add_item(at, json_new(arena, JSON_NULL));
    return json_item(at, step.index);
}

/* What is not JSON is a string, so that names need no quotes on the command line. */
static Json *assigned_value(Arena *arena, const char *name, const char *text)
{
    Arena *scratch = arena_new(arena);
    Json *value = json_read_text(arena, name, text, strlen(text), error_new(scratch));
    arena_free(scratch);
    if (value)
        return value;
    JsonSource *source = ARENA_NEW(arena, JsonSource);
    *source = (JsonSource){.name = name, .text = arena_strdup(arena, text), .length = strlen(text)};
    value = json_new_string(arena, text);
    value->source = source;
    value->end = source->length;
    return value;
}

bool json_set(Arena *arena, Json *root, const char *assignment, Error *err)
{
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment) {
        error_add(err, "`--set %s` is not an assignment", assignment);
        return error_hint(err, "write --set KEY=VALUE, as in --set optimizer.lr=0.1");
    }
    const char *target = arena_strndup(arena, assignment, (size_t)(equals - assignment));
    Json *value = assigned_value(arena, arena_printf(arena, "--set %s", target), equals + 1);
    Json place = {.source = value->source, .end = value->source->length};
    Json *at = root;
    const char *rest = target;
    for (int depth = 0; *rest; depth++) {
        Step step;
        if (!next_step(arena, &rest, depth == 0, &step) || depth >= SET_DEPTH_LIMIT) {
            error_at(err, &place, "`%s` does not name a key", target);
            return error_hint(err, "names are joined by dots, items stand in brackets: model.layers[0].out");
        }
        at = take_step(arena, at, step, &place, target, err);
        if (!at)
            return false;
    }
    json_replace(at, value);
    return true;
}

static void write_scalar(Text *text, const Json *value)
{
    switch (value->type) {
    case JSON_NULL:
        text_add(text, "null");
        break;
    case JSON_BOOL:
        text_add(text, value->number != 0 ? "true" : "false");
        break;
    case JSON_NUMBER:
        if (isfinite(value->number))
            text_add(text, value->string);
        else
            text_add_quoted(text, value->string);
        break;
    default:
        text_add_quoted(text, value->string ? value->string : "");
    }
}

static bool is_scalar(const Json *value)
{
    return value->type != JSON_ARRAY && value->type != JSON_OBJECT;
}

static void write_line(Text *text, const Json *value, const char *comma, const char *colon)
{
    if (is_scalar(value)) {
        write_scalar(text, value);
        return;
    }
    bool is_object = value->type == JSON_OBJECT;
    text_add_char(text, is_object ? '{' : '[');
    for (const Json *child = value->first; child; child = child->next) {
        if (child != value->first)
            text_add(text, comma);
        if (is_object) {
            text_add_quoted(text, child->key);
            text_add(text, colon);
        }
        write_line(text, child, comma, colon);
    }
    text_add_char(text, is_object ? '}' : ']');
}

/* The room that a value takes on one line, escapes not counted; stops counting beyond `limit`. */
static size_t line_length(const Json *value, size_t limit)
{
    if (value->type == JSON_NULL || value->type == JSON_BOOL)
        return 5;
    size_t length = 2 + (is_scalar(value) && value->string ? strlen(value->string) : 0);
    for (const Json *child = value->first; child && length <= limit; child = child->next) {
        length += 2 + (child->key ? strlen(child->key) + 4 : 0);
        length += line_length(child, limit);
    }
    return length;
}

typedef struct Writer {
    Text *text;
    size_t line; /* where the current line begins */
} Writer;

static void new_line(Writer *writer, int indent)
{
    text_add_char(writer->text, '\n');
    writer->line = writer->text->length;
    for (int i = 0; i < indent; i++)
        text_add_char(writer->text, ' ');
}

static void write_pretty(Writer *writer, const Json *value, int indent)
{
    Text *text = writer->text;
    size_t used = text->length - writer->line, room = used < LINE_LENGTH ? LINE_LENGTH - used : 0;
    if (is_scalar(value) || !value->first || line_length(value, room) <= room) {
        write_line(text, value, ", ", ": ");
        return;
    }
    bool is_object = value->type == JSON_OBJECT;
    text_add_char(text, is_object ? '{' : '[');
    for (const Json *child = value->first; child; child = child->next) {
        /* Numbers of a long list share lines. */
        bool goes_on = !is_object && child != value->first && is_scalar(child) &&
                       text->length - writer->line + line_length(child, LINE_LENGTH) < LINE_LENGTH;
        if (goes_on)
            text_add_char(text, ' ');
        else
            new_line(writer, indent + INDENT);
        if (is_object) {
            text_add_quoted(text, child->key);
            text_add(text, ": ");
        }
        write_pretty(writer, child, indent + INDENT);
        if (child->next)
            text_add_char(text, ',');
    }
    new_line(writer, indent);
    text_add_char(text, is_object ? '}' : ']');
}

void json_write(Text *text, const Json *value, int indent)
{
    Writer writer = {text, text->length};
    if (indent < 0)
        write_line(text, value, ",", ":");
    else
        write_pretty(&writer, value, indent);
}
