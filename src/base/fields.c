/* Reading the options of a JSON object by a table. */
#include "base/fields.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

enum { SHOWN_LENGTH = 40 };

static const double largest_integer = 9007199254740992.0; /* 2^53: beyond it double skips integers */

/* The value as a message quotes it: `got ...`. */
static const char *shown(Arena *arena, const Json *value)
{
    if (value->type == JSON_ARRAY && value->count > 4)
        return arena_printf(arena, "a list of %d", value->count);
    if (value->type == JSON_OBJECT)
        return "an object";
    Text text = text_new(arena);
    json_write(&text, value, -1);
    if (text.length <= SHOWN_LENGTH)
        return text.at;
    size_t length = SHOWN_LENGTH;
    while (length > 0 && ((unsigned char)text.at[length] & 0xc0) == 0x80)
        length--;
    return arena_printf(arena, "%.*s...", (int)length, text.at);
}

static bool must_be(Error *err, const Json *value, const char *name, const char *wanted)
{
    Arena *scratch = arena_new(NULL);
    error_at(err, value, "`%s` must be %s, got %s", name, wanted, shown(scratch, value));
    arena_free(scratch);
    return false;
}

static const char *wanted_number(FieldLimit limit, bool is_integer)
{
    switch (limit) {
    case FIELD_POSITIVE:
        return is_integer ? "a positive whole number" : "a positive number";
    case FIELD_NOT_NEGATIVE:
        return is_integer ? "a whole number, 0 or more" : "a number, 0 or more";
    case FIELD_FRACTION:
        return is_integer ? "0 or 1" : "a number from 0 to 1";
    case FIELD_BELOW_ONE:
        return is_integer ? "0" : "a number from 0 to below 1";
    case FIELD_ANY_OR_INFINITE:
        return is_integer ? "a whole number" : "a number or \"inf\"";
    default:
        return is_integer ? "a whole number" : "a number";
    }
}

/* False for NaN as well. */
static bool is_within(double x, FieldLimit limit)
{
    switch (limit) {
    case FIELD_POSITIVE:
        return x > 0;
    case FIELD_NOT_NEGATIVE:
        return x >= 0;
    case FIELD_FRACTION:
        return x >= 0 && x <= 1;
    case FIELD_BELOW_ONE:
        return x >= 0 && x < 1;
    default:
        return !isnan(x);
    }
}

/* The number's value where it is whole: from its text, since double cannot tell 2^53 + 1 from 2^53. */
static bool whole_number(const Json *value, int64_t *into)
{
    if (value->type != JSON_NUMBER || !(fabs(value->number) <= largest_integer) || value->number != floor(value->number))
        return false;
    char *end = NULL;
    long long written = value->string ? strtoll(value->string, &end, 10) : 0;
    *into = end && !*end ? written : (int64_t)value->number;
    return *into <= (int64_t)largest_integer && *into >= -(int64_t)largest_integer;
}

static bool read_integer(const Field *field, const Json *value, int64_t *into, Error *err)
{
    if (value->type == JSON_NUMBER && fabs(value->number) >= largest_integer && !whole_number(value, into))
        return must_be(err, value, field->name, "between -2^53 and 2^53");
    int64_t number;
    if (!whole_number(value, &number))
        return must_be(err, value, field->name,
                       value->type == JSON_NUMBER ? "a whole number" : wanted_number(field->limit, true));
    if (!is_within((double)number, field->limit))
        return must_be(err, value, field->name, wanted_number(field->limit, true));
    *into = number;
    return true;
}

static bool read_number(const Field *field, const Json *value, double *into, Error *err)
{
    bool is_infinite = field->limit == FIELD_ANY_OR_INFINITE && value->type == JSON_STRING &&
                       (!strcmp(value->string, "inf") || !strcmp(value->string, "Infinity"));
    double number = is_infinite ? (double)INFINITY : value->number;
    if ((value->type != JSON_NUMBER && !is_infinite) || !is_within(number, field->limit))
        return must_be(err, value, field->name, wanted_number(field->limit, false));
    *into = number;
    return true;
}

static int count_of(const char *const *names)
{
    int count = 0;
    while (names[count])
        count++;
    return count;
}

static int index_of(const char *name, const char *const *names)
{
    for (int i = 0; names[i]; i++)
        if (!strcmp(names[i], name))
            return i;
    return -1;
}

/* "a, b, c" */
static const char *listed(Arena *arena, const char *const *names)
{
    Text text = text_new(arena);
    for (int i = 0; names[i]; i++)
        text_printf(&text, "%s%s", i ? ", " : "", names[i]);
    return text.at;
}

static bool read_choice(Arena *arena, const Field *field, const Json *value, int *into, Error *err)
{
    int index = value->type == JSON_STRING ? index_of(value->string, field->choices) : -1;
    if (index >= 0) {
        *into = index;
        return true;
    }
    must_be(err, value, field->name, arena_printf(arena, "one of %s", listed(arena, field->choices)));
    if (value->type == JSON_STRING)
        error_suggest(err, value->string, field->choices, count_of(field->choices));
    return false;
}

/* Written back absolute, so that the completed config means the same wherever it lies. */
static bool read_path(Arena *arena, const Field *field, Json *value, const char **into, Error *err)
{
    if (value->type != JSON_STRING || !value->string[0])
        return must_be(err, value, field->name, "the path of a file or folder");
    bool in_file = value->source && value->source->is_file;
    const char *folder = in_file ? path_folder(arena, value->source->name) : ".";
    value->string = path_absolute(arena, path_join(arena, folder, value->string));
    *into = value->string;
    return true;
}

static bool read_value(Arena *arena, const Field *field, Json *value, char *into, Error *err)
{
    void *member = into + field->offset;
    switch (field->type) {
    case FIELD_BOOL:
        if (value->type != JSON_BOOL)
            return must_be(err, value, field->name, "true or false");
        *(bool *)member = value->number != 0;
        return true;
    case FIELD_INTEGER:
        return read_integer(field, value, member, err);
    case FIELD_NUMBER:
        return read_number(field, value, member, err);
    case FIELD_STRING:
        if (value->type != JSON_STRING)
            return must_be(err, value, field->name, "a string");
        *(const char **)member = value->string;
        return true;
    case FIELD_CHOICE:
        return read_choice(arena, field, value, member, err);
    case FIELD_PATH:
        return read_path(arena, field, value, member, err);
    case FIELD_JSON:
        *(Json **)member = value;
        return true;
    }
    return false;
}

static void forget_source(Json *value)
{
    value->source = NULL;
    value->begin = value->end = value->key_begin = value->key_end = 0;
    for (Json *child = value->first; child; child = child->next)
        forget_source(child);
}

static Json *add_default(Arena *arena, Json *object, const Field *field)
{
    Error *ours = error_new(arena);
    Json *value = json_read_text(arena, field->name, field->standard, strlen(field->standard), ours);
    assert(value && "the default of a field is not JSON");
    forget_source(value);
    json_add_member(arena, object, field->name, value);
    return value;
}

static bool read_field(Arena *arena, Json *object, const char *what, const Field *field, void *into, Error *err)
{
    Json *value = json_member(object, field->name);
    bool null_is_absent = !field->standard || !strcmp(field->standard, "null");
    bool is_absent = !value || (value->type == JSON_NULL && null_is_absent);
    if (is_absent && field->required) {
        if (field->help && *field->help)
            return error_at(err, value ? value : object, "%s needs `%s` (%s)", what, field->name, field->help);
        return error_at(err, value ? value : object, "%s needs `%s`", what, field->name);
    }
    if (!value && field->standard)
        value = add_default(arena, object, field);
    if (!value || (value->type == JSON_NULL && null_is_absent))
        return true;
    return read_value(arena, field, value, into, err);
}

/* All keys that the sets know. */
static const char **known_keys(Arena *arena, const FieldSet *sets, int count, int *keys)
{
    *keys = 0;
    for (int i = 0; i < count; i++)
        for (const Field *field = sets[i].fields; field->name; field++)
            ++*keys;
    const char **names = ARENA_ARRAY(arena, const char *, *keys + 1);
    int index = 0;
    for (int i = 0; i < count; i++)
        for (const Field *field = sets[i].fields; field->name; field++)
            names[index++] = field->name;
    return names;
}

bool fields_read(Arena *arena, Json *object, const char *what, const FieldSet *sets, int count, Error *err)
{
    if (object->type != JSON_OBJECT) {
        Arena *scratch = arena_new(arena);
        error_at(err, object, "%s must be an object, got %s", what, shown(scratch, object));
        arena_free(scratch);
        return false;
    }
    int errors_before = error_count(err), keys;
    const char **names = known_keys(arena, sets, count, &keys);
    for (const Json *member = object->first; member; member = member->next) {
        if (index_of(member->key, names) >= 0)
            continue;
        error_at_key(err, member, "unknown key `%s` in %s", member->key, what);
        error_suggest(err, member->key, names, keys);
    }
    for (int i = 0; i < count; i++)
        for (const Field *field = sets[i].fields; field->name; field++)
            read_field(arena, object, what, field, sets[i].into, err);
    return error_count(err) == errors_before;
}

int fields_choose(const Json *value, const char *what, const char *const *names, Error *err)
{
    int index = value->type == JSON_STRING ? index_of(value->string, names) : -1;
    if (index >= 0)
        return index;
    Arena *scratch = arena_new(NULL);
    int count = count_of(names);
    if (value->type != JSON_STRING) {
        error_at(err, value, "the name of the %s must be a string, got %s", what, shown(scratch, value));
    } else {
        error_at(err, value, "unknown %s `%s`", what, value->string);
        if (text_nearest(value->string, names, count))
            error_suggest(err, value->string, names, count);
        else
            error_hint(err, "there are %s", listed(scratch, names));
    }
    arena_free(scratch);
    return -1;
}

bool fields_read_integers(const Json *value, const char *what, int64_t *into, int count, int64_t low, Error *err)
{
    bool good = value->type == JSON_NUMBER || (value->type == JSON_ARRAY && value->count == count);
    const Json *item = value->type == JSON_ARRAY ? value->first : value;
    for (int i = 0; good && i < count; i++) {
        good = whole_number(item, &into[i]) && into[i] >= low;
        item = item->next && value->type == JSON_ARRAY ? item->next : item;
    }
    if (good)
        return true;
    Arena *scratch = arena_new(NULL);
    if (count == 1)
        must_be(err, value, what, arena_printf(scratch, "a whole number, %lld or more", (long long)low));
    else
        must_be(err, value, what,
                arena_printf(scratch, "a whole number, %lld or more, or a list of %d", (long long)low, count));
    arena_free(scratch);
    return false;
}
