/* cli/grad_repl.c: `gradtool grad` without arguments: line by line from the terminal, with editing and a history, or from a
 * pipe. */
#include <assert.h>
#include <ctype.h>
#include <histedit.h>
#include <string.h>
#include <unistd.h>

#include "cli/array_text.h"
#include "cli/document.h"
#include "cli/grad.h"

enum { HISTORY_LINES = 1000, CHUNK = 4096 };

static const char help_text[] = "  x = [1, 2]           gives a variable its value\n"
                                "  f(t) = t^2           defines a function; f(t) = t^2 = 2*t with a derivative of its own\n"
                                "  sum(f(x))            shows the value of an expression and its gradients\n"
                                "  d(x^2, x)            a derivative; d(d(x^3, x), x) the second one\n"
                                "  help, quit           Ctrl-D ends, too\n"
                                "Functions: ";

typedef struct Repl {
    GradSession *session;
    Json *results;  /* with --json: all of them, printed at the end */
    int lines;      /* that were not empty */
    bool failed;    /* some line was wrong */
    bool disagreed; /* some check found a difference */
    bool is_over;
} Repl;

/* ---- one line ---- */

static const char *trimmed(Arena *arena, const char *text, size_t length)
{
    while (length && isspace((unsigned char)text[length - 1]))
        length--;
    while (length && isspace((unsigned char)*text)) {
        text++;
        length--;
    }
    return arena_strndup(arena, text, length);
}

/* Only the variables that the expression names. */
static GradSession narrowed(const GradSession *s, const Expression *expression)
{
    GradSession narrow = *s;
    const char *const *names;
    int count = expression_names(expression, &names);
    narrow.variables = 0;
    narrow.variable = ARENA_ARRAY(s->cmd->arena, Variable, count);
    for (int i = 0; i < count; i++)
        for (int v = 0; v < s->variables; v++)
            if (!strcmp(names[i], s->variable[v].name))
                narrow.variable[narrow.variables++] = s->variable[v];
    return narrow;
}

static bool evaluate(Repl *r, const char *text, int order, GradResult result, Error *err)
{
    Arena *arena = r->session->cmd->arena;
    result.expression = expression_parse(arena, expression_text(arena, "expression", text), r->session->functions, err);
    if (!result.expression || !differentiate_check_names(result.expression, r->session->variable, r->session->variables, err))
        return false;
    GradSession session = narrowed(r->session, result.expression);
    session.job.order = order ? order : session.job.order;
    const DifferentiateJob job = grad_job(&session, result.expression);
    result.derivatives = differentiate(&job, arena, err);
    if (!result.derivatives)
        return false;
    if (result.by && result.derivatives->needs_seed)
        return error_add(err, "`%s` is no scalar: its derivative is that of sum(%s)", text, text);
    r->disagreed |= result.derivatives->check_failed;
    if (r->results)
        json_add_item(r->results, grad_result_document(&session, &result, false));
    else
        grad_print_text(&session, &result, 1);
    return true;
}

/* "d(EXPR, NAME)": the parts; false for anything else. */
static bool split_derivative(Arena *arena, const char *text, const char **inner, const char **name)
{
    size_t length = strlen(text), comma = 0;
    int depth = 0;
    if (length < 4 || strncmp(text, "d(", 2) != 0 || text[length - 1] != ')')
        return false;
    for (size_t i = 2; i + 1 < length; i++) {
        depth += text[i] == '(' || text[i] == '[';
        depth -= text[i] == ')' || text[i] == ']';
        if (depth < 0) /* d( is closed before the end: d(x, x) + d(y, y) */
            return false;
        if (text[i] == ',' && !depth)
            comma = i;
    }
    if (!comma)
        return false;
    *inner = trimmed(arena, text + 2, comma - 2);
    *name = trimmed(arena, text + comma + 1, length - comma - 2);
    return true;
}

static bool derive(Repl *r, const char *text, Error *err)
{
    Arena *arena = r->session->cmd->arena;
    const char *inner = text, *name = NULL, *outer = NULL;
    int order = 0;
    for (const char *next; split_derivative(arena, inner, &next, &name); inner = next, order++) {
        if (outer && strcmp(outer, name) != 0)
            return error_add(err, "a derivative of a derivative is by the same variable, not by `%s` and `%s`", outer, name);
        outer = name;
    }
    assert(outer); /* whoever calls has seen a d( */
    if (order > DIFFERENTIATE_MAX_ORDER)
        return error_add(err, "derivatives go up to order %d", DIFFERENTIATE_MAX_ORDER);
    const Expression *e = expression_parse(arena, expression_text(arena, "expression", inner), r->session->functions, err);
    const char *const *names;
    bool is_named = false;
    if (!e)
        return false;
    for (int i = 0, count = expression_names(e, &names); i < count; i++)
        is_named |= !strcmp(names[i], outer);
    if (!is_named)
        return error_add(err, "`%s` has no variable `%s` to differentiate by", inner, outer);
    return evaluate(r, inner, order, (GradResult){.text = text, .by = outer}, err);
}

/* A name, parentheses, and one equals sign: a definition. */
static bool is_definition(const char *text)
{
    size_t at = 0;
    while (isalnum((unsigned char)text[at]) || text[at] == '_')
        at++;
    while (text[at] == ' ')
        at++;
    if (!at || text[at] != '(')
        return false;
    at += strcspn(text + at, ")");
    at += text[at] == ')';
    while (text[at] == ' ')
        at++;
    return text[at] == '=' && text[at + 1] != '=';
}

static bool has_function(const GradSession *s, const char *name)
{
    for (const UserFunction *f = s->functions; f; f = f->next)
        if (!strcmp(f->name, name))
            return true;
    return false;
}

static bool run_statement(Repl *r, const char *text, Error *err)
{
    GradSession *s = r->session;
    size_t length;
    const char *value, *inner, *name;
    Array array;
    if (is_definition(text)) {
        const UserFunction *f = differentiate_define(s->cmd->arena, text, NULL, s->functions, err);
        s->functions = f ? f : s->functions;
        return f != NULL;
    }
    if (grad_is_assignment(text, &length, &value)) {
        name = arena_strndup(s->cmd->arena, text, length);
        if (!grad_read_value(s, name, trimmed(s->cmd->arena, value, strlen(value)), true, &array, err))
            return false;
        grad_set_variable(s, name, array);
        return true;
    }
    if (!has_function(s, "d") && split_derivative(s->cmd->arena, text, &inner, &name))
        return derive(r, text, err);
    return evaluate(r, text, 0, (GradResult){.text = text}, err);
}

static void print_help(const Repl *r)
{
    FILE *stream = r->results ? r->session->cmd->messages.stream : r->session->cmd->out.stream;
    const char *help;
    fputs(help_text, stream);
    for (int i = 0; i < expression_function_count(); i++)
        fprintf(stream, "%s%s", i == 0 ? "" : i % 12 ? " " : "\n           ", expression_function_row(i, &help));
    fputs("\nOperators: + - * / ^ @ < > <= >= == !=\n", stream);
}

/* The one place besides main() that prints errors: the next line may be right. */
static void run_line(Repl *r, const char *line)
{
    Command *cmd = r->session->cmd;
    const char *text = trimmed(cmd->arena, line, strlen(line));
    if (!*text || *text == '#')
        return;
    r->lines++;
    if (!strcmp(text, "quit") || !strcmp(text, "exit")) {
        r->is_over = true;
    } else if (!strcmp(text, "help")) {
        print_help(r);
    } else {
        Error *err = error_new(cmd->arena);
        if (!run_statement(r, text, err)) {
            fflush(cmd->out.stream);
            error_print(err, cmd->messages.stream, cmd->messages.has_colour);
            r->failed = true;
        }
    }
    fflush(cmd->out.stream);
}

/* ---- where lines come from ---- */

static const char *prompt(EditLine *editor)
{
    (void)editor;
    return "> ";
}

static void close_editor(void *editor)
{
    el_end(editor);
}

static void close_history(void *history_)
{
    history_end(history_);
}

static bool read_terminal(Repl *r)
{
    Command *cmd = r->session->cmd;
    EditLine *editor = el_init("gradtool", stdin, cmd->out.stream, cmd->messages.stream);
    if (!editor)
        return false;
    arena_defer(cmd->arena, close_editor, editor);
    History *lines = history_init();
    HistEvent event;
    el_set(editor, EL_PROMPT, prompt);
    el_set(editor, EL_EDITOR, "emacs");
    el_set(editor, EL_SIGNAL, 1); /* the terminal is put right when a signal ends the program */
    if (lines) {
        arena_defer(cmd->arena, close_history, lines);
        history(lines, &event, H_SETSIZE, HISTORY_LINES);
        history(lines, &event, H_SETUNIQUE, 1);
        el_set(editor, EL_HIST, history, lines);
    }
    command_note(cmd, "x = 2 gives a value, f(t) = t^2 defines, d(x^2, x) differentiates; help, quit");
    while (!r->is_over) {
        int count;
        const char *line = el_gets(editor, &count);
        if (!line || count <= 0) {
            fputc('\n', cmd->out.stream);
            break;
        }
        if (lines && strspn(line, " \t\r\n") < (size_t)count)
            history(lines, &event, H_ENTER, line);
        run_line(r, line);
    }
    return true;
}

static void read_pipe(Repl *r)
{
    Text line = text_new(r->session->cmd->arena);
    char chunk[CHUNK];
    while (!r->is_over && fgets(chunk, sizeof chunk, stdin)) {
        text_add(&line, chunk);
        if (!strchr(chunk, '\n'))
            continue;
        run_line(r, line.at);
        text_clear(&line);
    }
    if (!r->is_over && line.length)
        run_line(r, line.at);
}

static void print_results(const Repl *r)
{
    Arena *arena = r->session->cmd->arena;
    Json *document = json_new(arena, JSON_OBJECT);
    json_add_member(arena, document, "results", r->results);
    document_print(arena, document, r->session->cmd->out.stream);
}

int grad_repl(GradSession *session)
{
    Command *cmd = session->cmd;
    Repl r = {.session = session, .results = cmd->common.json ? json_new(cmd->arena, JSON_ARRAY) : NULL};
    bool is_live = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !cmd->common.json;
    if (!is_live || !read_terminal(&r))
        read_pipe(&r);
    if (!is_live && !r.lines) {
        error_add(cmd->err, "grad needs an expression");
        error_hint(cmd->err, "gradtool grad 'x^2 + y^3' x=2 y=3");
        error_hint(cmd->err, "gradtool grad --help");
        return EXIT_FAILED;
    }
    if (r.results)
        print_results(&r);
    if (r.failed && !is_live)
        return EXIT_FAILED;
    return r.disagreed ? EXIT_FINDINGS : EXIT_HEALTHY;
}
