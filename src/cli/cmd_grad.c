/* cli/cmd_grad.c: value and derivatives of expressions. */
#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "cli/array_text.h"
#include "cli/grad.h"

typedef struct Args {
    StringList words, hooks, definitions;
    const char *vjp, *graph, *derivative;
    int64_t order;
    bool accumulate, jacobian, hessian, check;
} Args;

static const Option options[] = {
    {"EXPR...", 0, OPT_LIST, offsetof(Args, words), .help = "expressions, and the values of their variables: x=2 'w=[1, 2]'"},
    {"vjp", 0, OPT_STRING, offsetof(Args, vjp), .value = "ARRAY",
     .help = "the vector that the gradient of a non-scalar starts from"},
    {"accumulate", 0, OPT_FLAG, offsetof(Args, accumulate), .help = "add the gradients of all expressions up, and reset them"},
    {"order", 0, OPT_INTEGER, offsetof(Args, order), .value = "N", .standard = "1", .low = 1, .high = DIFFERENTIATE_MAX_ORDER,
     .help = "derivatives up to this order"},
    {"jacobian", 0, OPT_FLAG, offsetof(Args, jacobian), .help = "all derivatives of all elements of the value"},
    {"hessian", 0, OPT_FLAG, offsetof(Args, hessian), .help = "all second derivatives, by pairs of variables"},
    {"hook", 0, OPT_LIST, offsetof(Args, hooks), .value = "NAME=EXPR", .help = "change a gradient: 'x=clamp(grad, -1, 1)'"},
    {"check", 0, OPT_FLAG, offsetof(Args, check), .help = "compare with central differences; exit status 1 where they differ"},
    {"graph", 0, OPT_STRING, offsetof(Args, graph), .value = "FILE|-",
     .help = "the backward graph: FILE.svg, FILE.dot, - as a tree"},
    {"define", 0, OPT_LIST, offsetof(Args, definitions), .value = "DEF",
     .help = "a function: 'f(x) = x^2', or 'f(x) = x^2 = 2*x'"},
    {"derivative", 0, OPT_STRING, offsetof(Args, derivative), .value = "EXPR",
     .help = "the derivative of the function defined last, in its parameter, y and grad"},
    OPTIONS_END,
};

/* ---- the session ---- */

void grad_set_variable(GradSession *s, const char *name, Array value)
{
    int at = 0;
    while (at < s->variables && strcmp(s->variable[at].name, name) != 0)
        at++;
    if (at == s->capacity) {
        int larger = s->capacity ? 2 * s->capacity : 8;
        s->variable =
            arena_grow(s->cmd->arena, s->variable, sizeof(Variable) * (size_t)s->variables, sizeof(Variable) * (size_t)larger);
        s->capacity = larger;
    }
    s->variable[at] = (Variable){name, value};
    s->variables += at == s->variables;
}

DifferentiateJob grad_job(const GradSession *s, const Expression *expression)
{
    DifferentiateJob job = s->job;
    job.expression = expression;
    job.variable = s->variable;
    job.variables = s->variables;
    return job;
}

bool grad_is_assignment(const char *text, size_t *length, const char **value)
{
    size_t end = 0;
    if (!isalpha((unsigned char)*text) && *text != '_')
        return false;
    while (isalnum((unsigned char)text[end]) || text[end] == '_')
        end++;
    *length = end;
    while (text[end] == ' ')
        end++;
    *value = text + end + 1;
    return text[end] == '=' && text[end + 1] != '=';
}

bool grad_read_value(GradSession *s, const char *name, const char *text, bool may_use_variables, Array *into, Error *err)
{
    Arena *arena = s->cmd->arena;
    const Json *json = json_read_text(arena, name, text, strlen(text), error_new(arena));
    if (json)
        return array_read(arena, json, into, err);
    DifferentiateJob job = {.variable = s->variable, .variables = may_use_variables ? s->variables : 0};
    job.expression = expression_parse(arena, expression_text(arena, name, text), s->functions, err);
    const char *const *names;
    if (!job.expression)
        return false;
    if (!may_use_variables && expression_names(job.expression, &names)) {
        expression_unknown_name(job.expression, names[0], NULL, 0, err);
        return error_hint(err, "a value is a number or an array: 2, [1, 2], 1/3");
    }
    if (!differentiate_check_names(job.expression, job.variable, job.variables, err))
        return false;
    const Derivatives *d = differentiate(&job, arena, err);
    if (d)
        *into = d->value;
    return d != NULL;
}

/* ---- what was typed ---- */

static bool define(GradSession *s, const Args *args)
{
    int last = args->definitions.count - 1;
    bool fine = true;
    if (args->derivative && last < 0)
        return error_add(s->cmd->err, "--derivative is that of a function that --define defines, and there is none");
    for (int i = 0; i <= last; i++) {
        const UserFunction *f = differentiate_define(s->cmd->arena, args->definitions.at[i],
                                                     i == last ? args->derivative : NULL, s->functions, s->cmd->err);
        s->functions = f ? f : s->functions;
        fine = f && fine;
    }
    return fine;
}

static bool read_variables(GradSession *s, const Args *args)
{
    bool fine = true;
    for (int i = 0; i < args->words.count; i++) {
        size_t length;
        const char *text;
        Array value;
        if (!grad_is_assignment(args->words.at[i], &length, &text))
            continue;
        const char *name = arena_strndup(s->cmd->arena, args->words.at[i], length);
        for (int k = 0; k < s->variables; k++)
            if (!strcmp(s->variable[k].name, name))
                fine = error_add(s->cmd->err, "`%s` is given two values", name);
        if (grad_read_value(s, name, text, false, &value, s->cmd->err))
            grad_set_variable(s, name, value);
        else
            fine = false;
    }
    return fine;
}

/* Parsed expressions, in the order in which they stand. NULL with errors. */
static GradResult *read_expressions(GradSession *s, const Args *args, int *count)
{
    GradResult *results = ARENA_ARRAY(s->cmd->arena, GradResult, args->words.count);
    bool fine = true;
    *count = 0;
    for (int i = 0; i < args->words.count; i++) {
        size_t length;
        const char *text = args->words.at[i], *value;
        if (grad_is_assignment(text, &length, &value))
            continue;
        GradResult *result = &results[(*count)++];
        result->text = text;
        result->expression =
            expression_parse(s->cmd->arena, expression_text(s->cmd->arena, "expression", text), s->functions, s->cmd->err);
        fine =
            result->expression && differentiate_check_names(result->expression, s->variable, s->variables, s->cmd->err) && fine;
    }
    if (fine && !*count) {
        error_add(s->cmd->err, "there is no expression");
        fine = error_hint(s->cmd->err, "gradtool grad 'x^2 + y^3' x=2 y=3");
    }
    return fine ? results : NULL;
}

static int find_variable(const GradSession *s, const char *name)
{
    for (int i = 0; i < s->variables; i++)
        if (!strcmp(s->variable[i].name, name))
            return i;
    return -1;
}

static bool read_hooks(GradSession *s, const Args *args)
{
    Arena *arena = s->cmd->arena;
    Error *err = s->cmd->err;
    VariableHook *hooks = ARENA_ARRAY(arena, VariableHook, args->hooks.count);
    const char **known = ARENA_ARRAY(arena, const char *, s->variables);
    for (int i = 0; i < s->variables; i++)
        known[i] = s->variable[i].name;
    for (int i = 0; i < args->hooks.count; i++) {
        size_t length;
        const char *text;
        if (!grad_is_assignment(args->hooks.at[i], &length, &text)) {
            error_add(err, "--hook cannot be `%s`", args->hooks.at[i]);
            return error_hint(err, "--hook 'x=clamp(grad, -1, 1)'");
        }
        const char *name = arena_strndup(arena, args->hooks.at[i], length);
        hooks[i].variable = find_variable(s, name);
        hooks[i].expression = expression_parse(arena, expression_text(arena, "hook", text), s->functions, err);
        if (!hooks[i].expression)
            return false;
        if (hooks[i].variable < 0) {
            error_add(err, "--hook is on `%s`, which is no variable here", name);
            return error_suggest(err, name, known, s->variables);
        }
    }
    s->job.hook = hooks;
    s->job.hooks = args->hooks.count;
    return true;
}

static bool uses(const Expression *expression, const char *name)
{
    const char *const *names;
    int count = expression_names(expression, &names);
    for (int i = 0; i < count; i++)
        if (!strcmp(names[i], name))
            return true;
    return false;
}

static bool all_values_are_used(const GradSession *s, const GradResult results[], int count)
{
    bool fine = true;
    for (int v = 0; v < s->variables; v++) {
        bool is_used = false;
        for (int i = 0; i < count; i++)
            is_used |= uses(results[i].expression, s->variable[v].name);
        for (int i = 0; i < s->job.hooks; i++)
            is_used |= uses(s->job.hook[i].expression, s->variable[v].name);
        if (!is_used)
            fine = error_add(s->cmd->err, "`%s` is given a value, but no expression uses it", s->variable[v].name);
    }
    return fine;
}

/* ---- computing ---- */

static void add_word(Text *text, const char *word)
{
    bool is_plain = *word;
    for (const char *at = word; *at; at++)
        is_plain &= isalnum((unsigned char)*at) || strchr("=_.,+-/", *at) != NULL;
    text_add_char(text, ' ');
    if (is_plain) {
        text_add(text, word);
        return;
    }
    text_add_char(text, '\'');
    for (; *word; word++)
        text_add(text, *word == '\'' ? "'\\''" : (char[]){*word, 0});
    text_add_char(text, '\'');
}

/* The command as it was typed, with one expression replaced. */
static const char *command_with(const GradSession *s, const Args *args, const char *expression, const char *with)
{
    Text text = text_new(s->cmd->arena);
    text_add(&text, "gradtool grad");
    for (int i = 0; i < args->words.count; i++)
        add_word(&text, args->words.at[i] == expression ? with : args->words.at[i]);
    for (int i = 0; i < args->definitions.count; i++) {
        text_add(&text, " --define");
        add_word(&text, args->definitions.at[i]);
    }
    if (args->derivative) {
        text_add(&text, " --derivative");
        add_word(&text, args->derivative);
    }
    return text.at;
}

static bool ask_for_scalar(const GradSession *s, const Args *args, const GradResult *result)
{
    Arena *arena = s->cmd->arena;
    Error *err = s->cmd->err;
    Array ones = array_new(arena, result->derivatives->value.shape);
    for (size_t i = 0; i < shape_count(ones.shape); i++)
        ones.values[i] = 1;
    error_add(err, "the value of `%s` is no scalar but has shape %s, so its gradient needs a sum or a vector to start from",
              result->text, shape_text(arena, ones.shape));
    error_hint(err, "%s", command_with(s, args, result->text, arena_printf(arena, "sum(%s)", result->text)));
    return error_hint(err, "%s --vjp '%s'", command_with(s, args, result->text, result->text), array_typed(arena, &ones));
}

static bool compute(GradSession *s, const Args *args, GradResult results[], int count)
{
    bool fine = true;
    for (int i = 0; i < count; i++) {
        const DifferentiateJob job = grad_job(s, results[i].expression);
        results[i].derivatives = differentiate(&job, s->cmd->arena, s->cmd->err);
        if (!results[i].derivatives)
            fine = false;
        else if (results[i].derivatives->needs_seed &&
                 (!args->jacobian || args->hessian || args->accumulate || args->check || args->graph))
            fine = ask_for_scalar(s, args, &results[i]);
    }
    return fine;
}

/* As .grad of a leaf: the first gradient is kept, the next ones are added. */
static void accumulate(const GradSession *s, GradResult results[], int count)
{
    Arena *arena = s->cmd->arena;
    for (int i = 0; i < count; i++) {
        results[i].total = ARENA_ARRAY(arena, Array *, s->variables);
        for (int v = 0; v < s->variables; v++) {
            const Array *before = i ? results[i - 1].total[v] : NULL, *own = results[i].derivatives->gradient[0][v];
            Array *total = before ? array_copy(arena, before) : own ? array_copy(arena, own) : NULL;
            for (size_t k = 0; before && own && k < shape_count(own->shape); k++)
                total->values[k] += own->values[k];
            results[i].total[v] = total;
        }
    }
}

static bool show_graph(const GradSession *s, const GradResult results[], int count, Text *tree)
{
    if (!s->graph)
        return true;
    if (strcmp(s->graph, "-") != 0) {
        if (count > 1)
            return error_add(s->cmd->err, "--graph %s takes one expression, got %d", s->graph, count);
        return grad_write_graph(s, &results[0], s->graph, s->cmd->err);
    }
    for (int i = 0; i < count; i++) {
        text_add_char(tree, '\n');
        if (!grad_add_tree(s, &results[i], tree, s->cmd->err))
            return false;
    }
    return true;
}

static bool read_job(GradSession *s, const Args *args)
{
    Array *seed = ARENA_NEW(s->cmd->arena, Array);
    s->job = (DifferentiateJob){.order = (int)args->order,
                                .wants_jacobian = args->jacobian,
                                .wants_hessian = args->hessian,
                                .wants_check = args->check,
                                .tolerance = TOLERANCE_STANDARD};
    s->accumulates = args->accumulate;
    s->graph = args->graph;
    if (args->vjp && !grad_read_value(s, "--vjp", args->vjp, false, seed, s->cmd->err))
        return false;
    s->job.seed = args->vjp ? seed : NULL;
    if (args->graph && !strcmp(args->graph, "-") && s->cmd->common.json)
        return error_add(s->cmd->err, "--graph - prints text: it does not go with --json");
    if (!args->words.count && (args->hooks.count || args->graph || args->accumulate))
        return error_add(s->cmd->err, "--hook, --graph and --accumulate need an expression on the command line");
    if (args->accumulate && args->order > 1)
        return error_add(s->cmd->err, "--accumulate adds gradients of the first order: it does not go with --order %d",
                         s->job.order);
    return true;
}

static int run_words(GradSession *s, const Args *args)
{
    int count = 0;
    GradResult *results = read_variables(s, args) ? read_expressions(s, args, &count) : NULL;
    if (!results || !read_hooks(s, args) || !all_values_are_used(s, results, count) || !compute(s, args, results, count))
        return EXIT_FAILED;
    if (args->accumulate)
        accumulate(s, results, count);
    Text tree = text_new(s->cmd->arena);
    if (!show_graph(s, results, count, &tree))
        return EXIT_FAILED;
    if (s->cmd->common.json) {
        grad_print_document(s, results, count);
    } else {
        grad_print_text(s, results, count);
        if (tree.length)
            fputs(tree.at, s->cmd->out.stream);
    }
    bool failed = false;
    for (int i = 0; i < count; i++)
        failed |= results[i].derivatives->check_failed;
    return failed ? EXIT_FINDINGS : EXIT_HEALTHY;
}

static int grad(Command *cmd, const void *parsed)
{
    const Args *args = parsed;
    GradSession session = {.cmd = cmd};
    if (!define(&session, args) || !read_job(&session, args))
        return EXIT_FAILED;
    return args->words.count ? run_words(&session, args) : grad_repl(&session);
}

const CommandRow cmd_grad = {
    .name = "grad",
    .help = "value and derivatives of expressions",
    .options = options,
    .args_size = sizeof(Args),
    .run = grad,
    .example = "gradtool grad 'x^2 + y^3' x=2 y=3",
};
