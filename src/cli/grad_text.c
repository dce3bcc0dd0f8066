/* cli/grad_text.c: the results of `gradtool grad` for the reader at a terminal. */
#include <string.h>

#include "cli/array_text.h"
#include "cli/grad.h"

/* A line of the result: a label, and an array or words. */
typedef struct Item {
    const char *label;
    const Array *array;
    const char *words;
} Item;

typedef struct Lines {
    const GradSession *session;
    Arena *arena;
    Item *item;
    int count, capacity;
} Lines;

static void add_item(Lines *lines, const char *label, const Array *array, const char *words)
{
    if (lines->count == lines->capacity) {
        int larger = lines->capacity ? 2 * lines->capacity : 16;
        lines->item = arena_grow(lines->arena, lines->item, sizeof(Item) * (size_t)lines->count, sizeof(Item) * (size_t)larger);
        lines->capacity = larger;
    }
    lines->item[lines->count++] = (Item){label, array, words};
}

static void write_lines(const Lines *lines, Text *text)
{
    int width = 0;
    for (int i = 0; i < lines->count; i++) {
        int columns = text_width(lines->item[i].label);
        width = columns > width ? columns : width;
    }
    for (int i = 0; i < lines->count; i++) {
        const Item *item = &lines->item[i];
        text_printf(text, "%s%*s", item->label, width + 2 - text_width(item->label), "");
        if (item->array)
            array_add(text, item->array, width + 2);
        else
            text_add(text, item->words);
        text_add_char(text, '\n');
    }
}

/* Whether the expression names the variable: others are left out where several expressions share a line of values. */
static bool names(const Expression *expression, const char *name)
{
    const char *const *all;
    int count = expression_names(expression, &all);
    for (int i = 0; i < count; i++)
        if (!strcmp(all[i], name))
            return true;
    return false;
}

static const char *derivative_label(Arena *arena, const char *name, int order)
{
    return order == 1 ? arena_printf(arena, "d/d%s", name) : arena_printf(arena, "d^%d/d%s^%d", order, name, order);
}

static void add_gradient(Lines *lines, const char *label, const Array *gradient, const char *name, const char *reason)
{
    if (gradient)
        add_item(lines, label, gradient, NULL);
    else
        add_item(lines, label, NULL, arena_printf(lines->arena, "none (no gradient reaches %s: %s)", name, reason));
}

static void add_gradients(Lines *lines, const GradResult *result)
{
    const GradSession *s = lines->session;
    const Derivatives *d = result->derivatives;
    for (int k = 0; k < s->job.order; k++)
        for (int i = 0; i < s->variables; i++) {
            const char *name = s->variable[i].name;
            if (names(result->expression, name) && (!k || d->gradient[0][i]))
                add_gradient(lines, derivative_label(lines->arena, name, k + 1), d->gradient[k][i], name, d->reason[i]);
        }
    for (int i = 0; i < s->variables && result->total; i++) {
        const char *name = s->variable[i].name;
        const char *label = arena_printf(lines->arena, "%s.grad", name);
        add_item(lines, label, result->total[i], result->total[i] ? NULL : "none");
    }
}

static void add_blocks(Lines *lines, const GradResult *result)
{
    const GradSession *s = lines->session;
    const Derivatives *d = result->derivatives;
    for (int i = 0; i < s->variables && d->jacobian; i++)
        if (names(result->expression, s->variable[i].name))
            add_item(lines, arena_printf(lines->arena, "jacobian %s", s->variable[i].name), &d->jacobian[i], NULL);
    for (int i = 0; i < s->variables && d->hessian; i++)
        for (int j = 0; j < s->variables; j++)
            if (names(result->expression, s->variable[i].name) && names(result->expression, s->variable[j].name))
                add_item(lines, arena_printf(lines->arena, "hessian %s,%s", s->variable[i].name, s->variable[j].name),
                         &d->hessian[i * s->variables + j], NULL);
}

static void add_hooks(Lines *lines, const GradResult *result)
{
    const GradSession *s = lines->session;
    for (int i = 0; i < s->job.hooks; i++) {
        const HookResult *hook = &result->derivatives->hook[i];
        const char *name = s->variable[s->job.hook[i].variable].name;
        const char *label = arena_printf(lines->arena, "hook on %s", name);
        char low[FIGURE_SIZE], high[FIGURE_SIZE], norm[FIGURE_SIZE];
        if (!hook->before) {
            add_item(lines, label, NULL, arena_printf(lines->arena, "never called: no gradient reaches %s", name));
            continue;
        }
        add_item(lines, label, NULL,
                 arena_printf(lines->arena, "gradient of min %s, max %s, norm %s", array_number(low, hook->min),
                              array_number(high, hook->max), array_number(norm, hook->norm)));
        add_item(lines, "  before", hook->before, NULL);
        add_item(lines, "  after", hook->after, NULL);
    }
}

/* "ok, max abs error 3.1e-10, ...": the numbers, then what was not compared. */
static const char *check_words(const Lines *lines, const CheckResult *check)
{
    const Terminal *out = &lines->session->cmd->out;
    const Comparison *c = &check->comparison;
    Text text = text_new(lines->arena);
    char one[FIGURE_SIZE], two[FIGURE_SIZE];
    if (c->failed)
        text_printf(&text, "%sFAIL%s%s%s: analytic %s, numeric %s", terminal_red(out), terminal_plain(out),
                    check->numeric.shape.rank ? " at " : "", array_place(lines->arena, check->numeric.shape, c->worst),
                    array_number(one, c->analytic), array_number(two, c->numeric));
    else if (c->checked)
        text_printf(&text, "%sok%s, max abs error %.1e, max rel error %.1e", terminal_green(out), terminal_plain(out),
                    c->max_abs_error, c->max_rel_error);
    for (size_t e = 0; c->kinks && e < shape_count(check->numeric.shape); e++) {
        const Slope *slope = &check->slope[e];
        const char *place = array_place(lines->arena, check->numeric.shape, e);
        if (slope->is_kink)
            text_printf(&text, "%skink%s%s: slope %s on the left, %s on the right", text.length ? "; " : "",
                        *place ? " at " : "", place, array_number(one, slope->left), array_number(two, slope->right));
    }
    return text.at;
}

static void add_check(Lines *lines, const GradResult *result)
{
    const GradSession *s = lines->session;
    CheckResult *const *check = result->derivatives->check;
    for (int i = 0; check && i < s->variables * s->job.order; i++) {
        if (!check[i])
            continue;
        const char *label = derivative_label(lines->arena, s->variable[i % s->variables].name, i / s->variables + 1);
        add_item(lines, arena_printf(lines->arena, "numeric %s", label), &check[i]->numeric, NULL);
        add_item(lines, arena_printf(lines->arena, "check %s", label), NULL, check_words(lines, check[i]));
    }
}

static void print_result(const GradSession *s, const GradResult *result, Text *text)
{
    Lines lines = {.session = s, .arena = s->cmd->arena};
    const Derivatives *d = result->derivatives;
    add_item(&lines, "value", &d->value, NULL);
    if (!d->requires_grad && s->variables)
        add_item(&lines, "requires_grad", NULL, "false");
    if (!d->needs_seed)
        add_gradients(&lines, result);
    else if (!d->jacobian)
        add_item(&lines, "gradient", NULL, arena_printf(lines.arena, "starts from a scalar: sum(%s) has one", result->text));
    add_blocks(&lines, result);
    if (d->hook)
        add_hooks(&lines, result);
    add_check(&lines, result);
    write_lines(&lines, text);
}

static void print_reset(const GradSession *s, const GradResult *last, Text *text)
{
    Lines lines = {.session = s, .arena = s->cmd->arena};
    text_add(text, "\nafter the reset\n");
    for (int i = 0; i < s->variables; i++) {
        Array *zeros = ARENA_NEW(s->cmd->arena, Array);
        *zeros = array_new(s->cmd->arena, s->variable[i].value.shape);
        add_item(&lines, arena_printf(s->cmd->arena, "%s.grad", s->variable[i].name), last->total[i] ? zeros : NULL,
                 last->total[i] ? NULL : "none");
    }
    write_lines(&lines, text);
}

static void print_derivative(const GradSession *s, const GradResult *result, Text *text)
{
    for (int i = 0; i < s->variables; i++) {
        if (strcmp(s->variable[i].name, result->by) != 0)
            continue;
        const Array *gradient = result->derivatives->gradient[s->job.order - 1][i];
        if (gradient)
            array_add(text, gradient, 0);
        else
            text_printf(text, "none (no gradient reaches %s: %s)", result->by, result->derivatives->reason[i]);
        text_add_char(text, '\n');
    }
}

void grad_print_text(const GradSession *s, const GradResult results[], int count)
{
    Text text = text_new(s->cmd->arena);
    const Terminal *out = &s->cmd->out;
    for (int i = 0; i < count; i++) {
        if (results[i].by) {
            print_derivative(s, &results[i], &text);
            continue;
        }
        if (s->accumulates)
            text_printf(&text, "%s%sbackward pass %d: %s%s\n", i ? "\n" : "", terminal_bold(out), i + 1, results[i].text,
                        terminal_plain(out));
        else if (count > 1)
            text_printf(&text, "%s%s%s%s\n", i ? "\n" : "", terminal_bold(out), results[i].text, terminal_plain(out));
        print_result(s, &results[i], &text);
    }
    if (s->accumulates && count)
        print_reset(s, &results[count - 1], &text);
    if (text.length)
        fputs(text.at, s->cmd->out.stream);
}
