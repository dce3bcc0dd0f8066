/* Parsing: Dijkstra's shunting-yard, so that nesting costs memory and not stack.
 *
 * Open operators, parentheses and brackets wait on a stack; values go straight into the postfix order. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/expression_internal.h"

enum { NAME_LIMIT = 64 };

/* What waits: an operator, or an opened parenthesis, call or bracket with the arguments so far. */
typedef enum OpenKind { OPEN_OPERATOR, OPEN_PARENTHESIS, OPEN_CALL, OPEN_BRACKET } OpenKind;
typedef struct Open {
    OpenKind kind;
    ExpressionOperator op;
    int arguments;
    size_t begin, end;
    const Function *function;
    const UserFunction *user;
} Open;

typedef struct Parser {
    Expression *e;
    const UserFunction *functions;
    Error *err;
    size_t at;
    Open *open;
    int opened;
    bool wants_value; /* an operand comes next, else an operator */
} Parser;

static int precedence(ExpressionOperator op)
{
    if (op <= OPERATOR_NOT_EQUAL)
        return 1;
    if (op <= OPERATOR_SUBTRACT)
        return 2;
    if (op <= OPERATOR_PRODUCT)
        return 3;
    return op == OPERATOR_NEGATE ? 4 : 5;
}

bool expression_error(const Expression *e, size_t begin, size_t end, Error *err, const char *format, ...)
{
    Arena *scratch = arena_new(e->arena);
    va_list arguments;
    va_start(arguments, format);
    const char *message = arena_vprintf(scratch, format, arguments);
    va_end(arguments);
    Json place = *e->value;
    const char *source = place.source ? place.source->text + place.begin : NULL;
    size_t quote = source && *source == '"';
    /* Where the file writes it with escapes, columns differ: then the whole string is shown. */
    if (source && place.end - place.begin == e->length + 2 * quote && !memcmp(source + quote, e->text, e->length)) {
        place.begin += quote + begin;
        place.end = place.begin + (end > begin ? end - begin : 1);
    }
    error_at(err, &place, "%s", message);
    arena_free(scratch);
    return false;
}

const Json *expression_text(Arena *arena, const char *name, const char *text)
{
    JsonSource *source = ARENA_NEW(arena, JsonSource);
    *source = (JsonSource){.name = name, .text = arena_strdup(arena, text), .length = strlen(text)};
    Json *value = json_new_string(arena, text);
    value->source = source;
    value->end = source->length;
    return value;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static void emit(Parser *p, Token token)
{
    p->e->token[p->e->count++] = token;
}

static void emit_operator(Parser *p, const Open *open)
{
    emit(p, (Token){.kind = TOKEN_OPERATOR,
                    .op = open->op,
                    .arguments = open->op == OPERATOR_NEGATE ? 1 : 2,
                    .begin = open->begin,
                    .end = open->end});
}

/* Emits waiting operators that bind at least as tightly as `least`. */
static void close_operators(Parser *p, int least)
{
    while (p->opened && p->open[p->opened - 1].kind == OPEN_OPERATOR && precedence(p->open[p->opened - 1].op) >= least)
        emit_operator(p, &p->open[--p->opened]);
}

static void push(Parser *p, Open open)
{
    p->open[p->opened++] = open;
}

static bool read_number(Parser *p)
{
    Expression *e = p->e;
    size_t end = p->at;
    while (is_digit(e->text[end]))
        end++;
    if (e->text[end] == '.')
        for (end++; is_digit(e->text[end]);)
            end++;
    if (e->text[end] == 'e' || e->text[end] == 'E') {
        size_t exponent = end + 1 + (e->text[end + 1] == '-' || e->text[end + 1] == '+');
        if (is_digit(e->text[exponent]))
            for (end = exponent; is_digit(e->text[end]);)
                end++;
    }
    if (is_letter(e->text[end]))
        return expression_error(e, p->at, end + 1, p->err, "a number is followed by a letter; products are written with *");
    if (end - p->at == 1 && e->text[p->at] == '.')
        return expression_error(e, p->at, end, p->err, "unexpected `.`");
    emit(p, (Token){.kind = TOKEN_NUMBER, .number = strtod(e->text + p->at, NULL), .begin = p->at, .end = end});
    p->at = end;
    p->wants_value = false;
    return true;
}

static void note_name(Expression *e, const char *name)
{
    for (int i = 0; i < e->name_count; i++)
        if (!strcmp(e->names[i], name))
            return;
    e->names[e->name_count++] = name;
}

static bool unknown_function(Parser *p, const char *name, size_t begin, size_t end)
{
    const char **known = ARENA_ARRAY(p->e->arena, const char *, function_count + 64);
    int count = 0;
    for (; count < function_count; count++)
        known[count] = function_table[count].name;
    for (const UserFunction *f = p->functions; f && count < function_count + 64; f = f->next)
        known[count++] = f->name;
    expression_error(p->e, begin, end, p->err, "unknown function `%s`", name);
    return error_suggest(p->err, name, known, count);
}

static bool open_call(Parser *p, const char *name, size_t begin, size_t end)
{
    Open open = {.kind = OPEN_CALL, .begin = begin, .end = end};
    for (const UserFunction *f = p->functions; f && !open.user; f = f->next)
        open.user = strcmp(f->name, name) ? NULL : f;
    for (int i = 0; i < function_count && !open.user && !open.function; i++)
        open.function = strcmp(function_table[i].name, name) ? NULL : &function_table[i];
    if (!open.user && !open.function)
        return unknown_function(p, name, begin, end);
    push(p, open);
    return true;
}

static bool read_word(Parser *p)
{
    Expression *e = p->e;
    size_t begin = p->at, end = begin;
    while (is_letter(e->text[end]) || is_digit(e->text[end]))
        end++;
    if (end - begin > NAME_LIMIT)
        return expression_error(e, begin, end, p->err, "a name of more than %d letters", NAME_LIMIT);
    const char *name = arena_strndup(e->arena, e->text + begin, end - begin);
    p->at = end;
    while (e->text[p->at] == ' ')
        p->at++;
    if (e->text[p->at] == '(') {
        p->at++;
        return open_call(p, name, begin, end);
    }
    note_name(e, name);
    emit(p, (Token){.kind = TOKEN_NAME, .name = name, .begin = begin, .end = end});
    p->wants_value = false;
    return true;
}

/* What was expected instead of what stands at `at`. */
static bool unexpected(Parser *p, const char *wanted)
{
    const Expression *e = p->e;
    if (p->at >= e->length)
        return expression_error(e, e->length, e->length, p->err, "the expression ends where %s should follow", wanted);
    unsigned char c = (unsigned char)e->text[p->at];
    size_t end = p->at + 1;
    while (c >= 0x80 && ((unsigned char)e->text[end] & 0xc0) == 0x80)
        end++;
    return expression_error(e, p->at, end, p->err, "`%.*s` stands where %s should", (int)(end - p->at), e->text + p->at,
                            wanted);
}

static bool read_value(Parser *p)
{
    char c = p->e->text[p->at];
    if (is_digit(c) || c == '.')
        return read_number(p);
    if (is_letter(c))
        return read_word(p);
    if (c == '-' || c == '+') {
        if (c == '-')
            push(p, (Open){.kind = OPEN_OPERATOR, .op = OPERATOR_NEGATE, .begin = p->at, .end = p->at + 1});
        p->at++;
        return true;
    }
    if (c == '(' || c == '[') {
        push(p, (Open){.kind = c == '(' ? OPEN_PARENTHESIS : OPEN_BRACKET, .begin = p->at, .end = p->at + 1});
        p->at++;
        return true;
    }
    return unexpected(p, "a value");
}

/* The operator at `at`, and its length; 0 when there is none. */
static int operator_at(const char *text, ExpressionOperator *op)
{
    static const struct {
        const char *sign;
        ExpressionOperator op;
    } signs[] = {{"<=", OPERATOR_LESS_EQUAL}, {">=", OPERATOR_GREATER_EQUAL}, {"==", OPERATOR_EQUAL},
                 {"!=", OPERATOR_NOT_EQUAL},  {"<", OPERATOR_LESS},           {">", OPERATOR_GREATER},
                 {"+", OPERATOR_ADD},         {"-", OPERATOR_SUBTRACT},       {"*", OPERATOR_MULTIPLY},
                 {"/", OPERATOR_DIVIDE},      {"@", OPERATOR_PRODUCT},        {"^", OPERATOR_POWER}};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (!strncmp(text, signs[i].sign, strlen(signs[i].sign))) {
            *op = signs[i].op;
            return (int)strlen(signs[i].sign);
        }
    return 0;
}

static bool check_arguments(Parser *p, const Open *open)
{
    int least = open->user ? open->user->parameter_count : open->function->least;
    int most = open->user ? open->user->parameter_count : open->function->most;
    const char *name = open->user ? open->user->name : open->function->name;
    if (open->arguments >= least && open->arguments <= most)
        return true;
    if (least == most)
        return expression_error(p->e, open->begin, open->end, p->err, "%s takes %d argument%s, got %d", name, least,
                                least == 1 ? "" : "s", open->arguments);
    return expression_error(p->e, open->begin, open->end, p->err, "%s takes %d or %d arguments, got %d", name, least, most,
                            open->arguments);
}

/* At ) or ]: what was opened last is complete. */
static bool close_group(Parser *p, char c)
{
    close_operators(p, 0);
    const Open *open = p->opened ? &p->open[p->opened - 1] : NULL;
    bool matches = open && (c == ']') == (open->kind == OPEN_BRACKET);
    if (!matches)
        return expression_error(p->e, p->at, p->at + 1, p->err, "`%c` closes nothing that is open", c);
    Open closed = p->open[--p->opened];
    closed.arguments++;
    p->at++;
    p->wants_value = false;
    Token token = {
        .arguments = closed.arguments, .begin = closed.begin, .end = closed.kind == OPEN_BRACKET ? p->at : closed.end};
    if (closed.kind == OPEN_CALL) {
        if (!check_arguments(p, &closed))
            return false;
        token.kind = TOKEN_CALL;
        token.function = closed.function;
        token.user = closed.user;
        emit(p, token);
    } else if (closed.kind == OPEN_BRACKET) {
        token.kind = TOKEN_ARRAY;
        emit(p, token);
    }
    return true;
}

static bool read_after_value(Parser *p)
{
    char c = p->e->text[p->at];
    ExpressionOperator op;
    if (c == ')' || c == ']')
        return close_group(p, c);
    if (c == ',') {
        close_operators(p, 0);
        Open *open = p->opened ? &p->open[p->opened - 1] : NULL;
        if (!open || open->kind == OPEN_PARENTHESIS)
            return unexpected(p, open ? "`)`" : "an operator");
        open->arguments++;
        p->at++;
        p->wants_value = true;
        return true;
    }
    int length = operator_at(p->e->text + p->at, &op);
    if (!length)
        return unexpected(p, "an operator");
    close_operators(p, op == OPERATOR_POWER ? precedence(op) + 1 : precedence(op));
    push(p, (Open){.kind = OPEN_OPERATOR, .op = op, .begin = p->at, .end = p->at + (size_t)length});
    p->at += (size_t)length;
    p->wants_value = true;
    return true;
}

static bool parse(Parser *p)
{
    Expression *e = p->e;
    for (;;) {
        while (p->at < e->length && strchr(" \t\r\n", e->text[p->at]))
            p->at++;
        if (p->at >= e->length)
            break;
        if (!(p->wants_value ? read_value(p) : read_after_value(p)))
            return false;
    }
    if (p->wants_value)
        return unexpected(p, "a value");
    close_operators(p, 0);
    if (!p->opened)
        return true;
    const Open *open = &p->open[p->opened - 1];
    return expression_error(e, open->begin, open->end, p->err, "%s is never closed",
                            open->kind == OPEN_BRACKET ? "`[`" : "`(`");
}

Expression *expression_parse(Arena *arena, const Json *value, const UserFunction *functions, Error *err)
{
    if (value->type != JSON_STRING) {
        error_at(err, value, "an expression is a string");
        return NULL;
    }
    Expression *e = ARENA_NEW(arena, Expression);
    size_t length = strlen(value->string);
    *e = (Expression){.arena = arena, .value = value, .text = value->string, .length = length};
    e->token = ARENA_ARRAY(arena, Token, length + 1);
    e->names = ARENA_ARRAY(arena, const char *, length + 1);
    Parser parser = {.e = e, .functions = functions, .err = err, .wants_value = true};
    parser.open = ARENA_ARRAY(arena, Open, length + 1);
    return parse(&parser) ? e : NULL;
}

int expression_names(const Expression *expression, const char *const **names)
{
    *names = expression->names;
    return expression->name_count;
}

bool expression_unknown_name(const Expression *e, const char *name, const char *const known[], int count, Error *err)
{
    for (int i = 0; i < e->count; i++)
        if (e->token[i].kind == TOKEN_NAME && !strcmp(e->token[i].name, name)) {
            expression_error(e, e->token[i].begin, e->token[i].end, err, "unknown name `%s`", name);
            return error_suggest(err, name, known, count);
        }
    return false;
}

/* A part of the definition as a string of its own that still points into the whole. */
static const Json *part_of(Arena *arena, const Json *whole, size_t begin, size_t end)
{
    Json *part = json_new_string(arena, arena_strndup(arena, whole->string + begin, end - begin));
    part->source = whole->source;
    size_t quote = whole->source && whole->source->text[whole->begin] == '"';
    part->begin = whole->begin + quote + begin;
    part->end = whole->begin + quote + end;
    return part;
}

/* The next `=` that is no comparison, from `at`; the length where there is none. */
static size_t next_equals(const char *text, size_t at)
{
    for (; text[at]; at++) {
        if (text[at] != '=')
            continue;
        if (text[at + 1] == '=')
            at++;
        else if (!at || !strchr("<>!", text[at - 1]))
            return at;
    }
    return at;
}

static bool read_head(Arena *arena, const Json *definition, size_t end, UserFunction *function)
{
    const char *text = definition->string;
    const char **parameters = ARENA_ARRAY(arena, const char *, end + 1);
    size_t at = 0;
    bool in_list = false, wants_name = true, is_closed = false;
    function->parameters = parameters;
    for (; at < end; at++) {
        char c = text[at];
        if (c == ' ')
            continue;
        if (is_letter(c) && wants_name && !is_closed) {
            size_t begin = at;
            while (is_letter(text[at + 1]) || is_digit(text[at + 1]))
                at++;
            const char *name = arena_strndup(arena, text + begin, at + 1 - begin);
            if (in_list)
                parameters[function->parameter_count++] = name;
            else
                function->name = name;
            wants_name = false;
        } else if (c == '(' && function->name && !in_list) {
            in_list = wants_name = true;
        } else if (c == ',' && in_list && !wants_name && !is_closed) {
            wants_name = true;
        } else if (c == ')' && in_list && !wants_name && !is_closed) {
            is_closed = true;
        } else {
            return false;
        }
    }
    return is_closed && function->parameter_count > 0;
}

const UserFunction *expression_define(Arena *arena, const Json *definition, const UserFunction *before, Error *err)
{
    UserFunction *function = ARENA_NEW(arena, UserFunction);
    function->next = before;
    size_t length = strlen(definition->string), head = next_equals(definition->string, 0);
    if (head == length || !read_head(arena, definition, head, function)) {
        error_at(err, definition, "a definition reads: huber(x) = where(abs(x) < 1, x^2/2, abs(x) - 1/2)");
        return NULL;
    }
    size_t body = next_equals(definition->string, head + 1);
    const Json *value = part_of(arena, definition, head + 1, body);
    function->body = expression_parse(arena, value, before, err);
    if (function->body && body < length) {
        if (function->parameter_count != 1) {
            error_at(err, definition, "a derivative of its own goes with one parameter, `%s` has %d", function->name,
                     function->parameter_count);
            return NULL;
        }
        function->derivative = expression_parse(arena, part_of(arena, definition, body + 1, length), before, err);
    }
    return function->body && (body == length || function->derivative) ? function : NULL;
}
