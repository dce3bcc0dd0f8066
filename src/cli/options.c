#include "cli/options.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_LIMIT = 64, HELP_COLUMN = 26 };

typedef struct Parser {
    Arena *arena;
    const char *command;
    const OptionSet *sets;
    int set_count;
    char *const *words;
    int count, next;
    int operands;
    Error *err;
} Parser;

/* A row and the struct that it fills. */
typedef struct Target {
    const Option *row;
    void *into;
} Target;

/* A list whose name ends in dots: it takes all operands from there on. */
static bool takes_operands(const Option *row)
{
    size_t length = strlen(row->name);
    return row->type == OPT_LIST && length > 3 && !strcmp(row->name + length - 3, "...");
}

static bool is_operand(const Option *row)
{
    return row->type == OPT_ARGUMENT || row->type == OPT_OPTIONAL || takes_operands(row);
}

static Target find(const Parser *p, const char *name, size_t length, char letter)
{
    for (int s = 0; s < p->set_count; s++)
        for (const Option *row = p->sets[s].options; row->name; row++)
            if (!is_operand(row) &&
                (name ? strlen(row->name) == length && !strncmp(row->name, name, length) : row->letter == letter))
                return (Target){row, p->sets[s].into};
    return (Target){0};
}

static void *member(const Target *target)
{
    return (char *)target->into + target->row->offset;
}

static void list_add(Arena *arena, StringList *list, const char *text, int word)
{
    if (list->count == list->capacity) {
        int larger = list->capacity ? 2 * list->capacity : 8;
        size_t used = (size_t)list->capacity, wanted = (size_t)larger;
        list->at = arena_grow(arena, list->at, sizeof *list->at * used, sizeof *list->at * wanted);
        list->word = arena_grow(arena, list->word, sizeof *list->word * used, sizeof *list->word * wanted);
        list->capacity = larger;
    }
    list->word[list->count] = word;
    list->at[list->count++] = text;
}

static bool read_integer(const Option *row, const char *text, int64_t *into, Error *err)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno || (double)value < row->low || (double)value > row->high)
        return error_add(err, "--%s must be a whole number from %.0f to %.0f, got `%s`", row->name, row->low, row->high, text);
    *into = value;
    return true;
}

static bool read_number(const Option *row, const char *text, double *into, Error *err)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= row->low && value <= row->high))
        return error_add(err, "--%s must be a number from %g to %g, got `%s`", row->name, row->low, row->high, text);
    *into = value;
    return true;
}

static bool read_choice(const Option *row, const char *text, int *into, Error *err)
{
    int count = 0;
    for (; row->choices[count]; count++)
        if (!strcmp(row->choices[count], text)) {
            *into = count;
            return true;
        }
    error_add(err, "--%s cannot be `%s`", row->name, text);
    const char *nearest = text_nearest(text, row->choices, count);
    return nearest ? error_hint(err, "did you mean `%s`?", nearest) : error_hint(err, "it is %s", row->value);
}

static bool assign(Parser *p, Target target, const char *text)
{
    switch (target.row->type) {
    case OPT_INTEGER:
        return read_integer(target.row, text, member(&target), p->err);
    case OPT_NUMBER:
        return read_number(target.row, text, member(&target), p->err);
    case OPT_CHOICE:
        return read_choice(target.row, text, member(&target), p->err);
    case OPT_LIST:
        list_add(p->arena, member(&target), text, p->next);
        return true;
    case OPT_FLAG:
        *(bool *)member(&target) = true;
        return true;
    default:
        *(const char **)member(&target) = text;
        return true;
    }
}

/* The value that follows an option in the next word. */
static bool assign_next(Parser *p, Target target)
{
    if (p->next < p->count)
        return assign(p, target, p->words[p->next++]);
    error_add(p->err, "--%s needs a value", target.row->name);
    return error_hint(p->err, "--%s %s", target.row->name, target.row->value);
}

static bool unknown_option(const Parser *p, const char *name, size_t length)
{
    const char *names[NAME_LIMIT];
    int count = 0;
    for (int s = 0; s < p->set_count; s++)
        for (const Option *row = p->sets[s].options; row->name && count < NAME_LIMIT; row++)
            if (!is_operand(row))
                names[count++] = row->name;
    const char *word = arena_strndup(p->arena, name, length), *nearest = text_nearest(word, names, count);
    error_add(p->err, "%s has no option `--%s`", p->command, word);
    return nearest ? error_hint(p->err, "did you mean `--%s`?", nearest)
                   : error_hint(p->err, "%s --help lists them", p->command);
}

static bool parse_long(Parser *p, const char *word)
{
    const char *name = word + 2, *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    Target target = find(p, name, length, 0);
    if (!target.row)
        return unknown_option(p, name, length);
    if (target.row->type == OPT_FLAG && equals)
        return error_add(p->err, "--%s takes no value", target.row->name);
    if (target.row->type == OPT_FLAG)
        return assign(p, target, "");
    return equals ? assign(p, target, equals + 1) : assign_next(p, target);
}

static bool parse_letters(Parser *p, const char *word)
{
    for (const char *at = word + 1; *at; at++) {
        Target target = find(p, NULL, 0, *at);
        if (!target.row) {
            error_add(p->err, "%s has no option `-%c`", p->command, isprint((unsigned char)*at) ? *at : '?');
            return error_hint(p->err, "%s --help lists them", p->command);
        }
        if (target.row->type != OPT_FLAG)
            return at[1] ? assign(p, target, at + 1) : assign_next(p, target);
        assign(p, target, "");
    }
    return true;
}

/* Where any number of operands is taken, one may begin with a minus: -x^2 is no option, -t4 is. */
static bool is_expression(const Parser *p, const char *word)
{
    bool takes_any = false;
    for (int s = 0; s < p->set_count; s++)
        for (const Option *row = p->sets[s].options; row->name; row++)
            takes_any |= takes_operands(row);
    if (!takes_any || word[1] == '-')
        return false;
    for (const char *at = word + 1; *at; at++)
        if (!isalnum((unsigned char)*at))
            return true;
    return !find(p, NULL, 0, word[1]).row;
}

static bool parse_operand(Parser *p, const char *word)
{
    int index = 0;
    for (int s = 0; s < p->set_count; s++)
        for (const Option *row = p->sets[s].options; row->name; row++)
            if (is_operand(row) && index++ == p->operands) {
                p->operands += !takes_operands(row);
                return assign(p, (Target){row, p->sets[s].into}, word);
            }
    error_add(p->err, "`%s` is one argument too many", word);
    Text usage = text_new(p->arena);
    options_add_usage(&usage, p->command, p->sets[0].options);
    return error_hint(p->err, "%s", usage.at);
}

static bool check_operands(Parser *p)
{
    int index = 0;
    for (int s = 0; s < p->set_count; s++)
        for (const Option *row = p->sets[s].options; row->name; row++)
            if (is_operand(row) && index++ >= p->operands && row->type == OPT_ARGUMENT) {
                error_add(p->err, "%s needs %s: %s", p->command, row->name, row->help);
                return error_hint(p->err, "%s --help", p->command);
            }
    return true;
}

bool options_parse(Arena *arena, const char *command, const OptionSet sets[], int set_count, int count, char *const words[],
                   Error *err)
{
    Parser p = {
        .arena = arena, .command = command, .sets = sets, .set_count = set_count, .words = words, .count = count, .err = err};
    for (int s = 0; s < set_count; s++)
        for (const Option *row = sets[s].options; row->name; row++)
            if (row->standard)
                assign(&p, (Target){row, sets[s].into}, row->standard);
    bool fine = true, has_ended = false;
    while (p.next < count) {
        const char *word = words[p.next++];
        if (has_ended || word[0] != '-' || !word[1] || is_expression(&p, word))
            fine = parse_operand(&p, word) && fine;
        else if (!strcmp(word, "--"))
            has_ended = true;
        else
            fine = (word[1] == '-' ? parse_long(&p, word) : parse_letters(&p, word)) && fine;
    }
    return fine && check_operands(&p);
}

void options_add_usage(Text *text, const char *command, const Option *options)
{
    text_add(text, command);
    for (const Option *row = options; row->name; row++)
        if (is_operand(row))
            text_printf(text, row->type == OPT_ARGUMENT ? " %s" : " [%s]", row->name);
    text_add(text, " [options]");
}

void options_add_help(Text *text, const Option *options)
{
    for (const Option *row = options; row->name; row++) {
        size_t begin = text->length;
        if (is_operand(row))
            text_printf(text, "  %s", row->name);
        else if (row->letter)
            text_printf(text, "  -%c, --%s", row->letter, row->name);
        else
            text_printf(text, "      --%s", row->name);
        if (row->value)
            text_printf(text, " %s", row->value);
        if (text->length - begin > HELP_COLUMN - 2)
            text_printf(text, "\n%*s", HELP_COLUMN, "");
        else
            text_printf(text, "%*s", (int)(HELP_COLUMN - (text->length - begin)), "");
        text_add(text, row->help);
        if (row->standard)
            text_printf(text, " (default %s)", row->standard);
        text_add_char(text, '\n');
    }
}
