/* cli/grad_document.c: the results of `gradtool grad` as JSON. */
#include <math.h>
#include <string.h>

#include "cli/document.h"
#include "cli/grad.h"

static Json *array_document(Arena *arena, Shape shape, int axis, const double **next)
{
    if (axis == shape.rank)
        return document_number(arena, *(*next)++ + 0.0); /* -0 becomes 0 */
    Json *list = json_new(arena, JSON_ARRAY);
    for (int i = 0; i < shape.dim[axis]; i++)
        json_add_item(list, array_document(arena, shape, axis + 1, next));
    return list;
}

static void add_array(Arena *arena, Json *object, const char *key, const Array *array)
{
    const double *next = array ? array->values : NULL;
    json_add_member(arena, object, key, array ? array_document(arena, array->shape, 0, &next) : json_new(arena, JSON_NULL));
}

static void add_bool(Arena *arena, Json *object, const char *key, bool value)
{
    document_add(arena, object, key, JSON_BOOL)->number = value;
}

/* An object of arrays by variable. */
static void add_arrays(const GradSession *s, Json *object, const char *key, Array *const arrays[])
{
    Json *by_name = document_add(s->cmd->arena, object, key, JSON_OBJECT);
    for (int i = 0; i < s->variables; i++)
        add_array(s->cmd->arena, by_name, s->variable[i].name, arrays[i]);
}

static void add_blocks(const GradSession *s, Json *object, const char *key, const Array blocks[])
{
    Json *by_name = document_add(s->cmd->arena, object, key, JSON_OBJECT);
    for (int i = 0; i < s->variables; i++)
        add_array(s->cmd->arena, by_name, s->variable[i].name, &blocks[i]);
}

static void add_hessian(const GradSession *s, Json *object, const Array hessian[])
{
    Json *rows = document_add(s->cmd->arena, object, "hessian", JSON_OBJECT);
    for (int i = 0; i < s->variables; i++)
        add_blocks(s, rows, s->variable[i].name, hessian + i * s->variables);
}

/* Several hooks on one variable are one: what reached the first, and what left the last. */
static void add_hooks(const GradSession *s, Json *object, const HookResult hooks[])
{
    Arena *arena = s->cmd->arena;
    Json *by_name = document_add(arena, object, "hooks", JSON_OBJECT);
    for (int i = 0; i < s->job.hooks; i++) {
        const char *name = s->variable[s->job.hook[i].variable].name;
        if (!hooks[i].before) {
            document_add(arena, by_name, name, JSON_NULL);
            continue;
        }
        Json *hook = json_member(by_name, name);
        if (!hook) {
            hook = document_add(arena, by_name, name, JSON_OBJECT);
            document_add_number(arena, hook, "min", hooks[i].min);
            document_add_number(arena, hook, "max", hooks[i].max);
            document_add_number(arena, hook, "norm", hooks[i].norm);
            add_array(arena, hook, "before", hooks[i].before);
        }
        add_array(arena, hook, "after", hooks[i].after);
    }
}

static void add_check_of(const GradSession *s, Json *object, CheckResult *const checks[])
{
    Arena *arena = s->cmd->arena;
    bool passed = true;
    double absolute = 0, relative = 0;
    size_t kinks = 0;
    Json *numeric = json_new(arena, JSON_OBJECT);
    for (int i = 0; i < s->variables; i++) {
        add_array(arena, numeric, s->variable[i].name, checks[i] ? &checks[i]->numeric : NULL);
        if (!checks[i])
            continue;
        const Comparison *c = &checks[i]->comparison;
        passed &= !c->failed;
        absolute = fmax(absolute, c->max_abs_error);
        relative = fmax(relative, c->max_rel_error);
        kinks += c->kinks;
    }
    add_bool(arena, object, "passed", passed);
    document_add_number(arena, object, "max_abs_error", absolute);
    document_add_number(arena, object, "max_rel_error", relative);
    document_add_number(arena, object, "kinks", (double)kinks);
    json_add_member(arena, object, "numeric", numeric);
}

static void add_check(const GradSession *s, Json *object, const Derivatives *d)
{
    Arena *arena = s->cmd->arena;
    Json *check = document_add(arena, object, "check", JSON_OBJECT);
    if (s->job.order == 1) {
        add_check_of(s, check, d->check);
        return;
    }
    add_bool(arena, check, "passed", !d->check_failed);
    Json *orders = document_add(arena, check, "orders", JSON_ARRAY);
    for (int k = 0; k < s->job.order; k++) {
        Json *order = json_new(arena, JSON_OBJECT);
        document_add_number(arena, order, "order", k + 1);
        add_check_of(s, order, d->check + k * s->variables);
        json_add_item(orders, order);
    }
}

static void add_gradients(const GradSession *s, Json *object, const GradResult *result)
{
    Arena *arena = s->cmd->arena;
    const Derivatives *d = result->derivatives;
    int order = s->job.order;
    if (result->total) {
        add_arrays(s, object, "gradients", result->total);
        add_arrays(s, object, "pass_gradients", d->gradient[0]);
        return;
    }
    if (order > 1)
        document_add_number(arena, object, "order", order);
    add_arrays(s, object, "gradients", d->gradient[order - 1]);
    Json *orders = order > 1 ? document_add(arena, object, "orders", JSON_ARRAY) : NULL;
    for (int k = 0; k < order && orders; k++) {
        Json *row = json_new(arena, JSON_OBJECT);
        document_add_number(arena, row, "order", k + 1);
        add_arrays(s, row, "gradients", d->gradient[k]);
        json_add_item(orders, row);
    }
}

/* In words, where no gradient arrives. */
static void add_notes(const GradSession *s, Json *object, const Derivatives *d)
{
    Arena *arena = s->cmd->arena;
    Json *notes = NULL;
    for (int i = 0; i < s->variables; i++) {
        if (!d->reason[i])
            continue;
        if (!notes)
            notes = document_add(arena, object, "notes", JSON_ARRAY);
        json_add_item(notes, json_new_string(
                                 arena, arena_printf(arena, "no gradient reaches %s: %s", s->variable[i].name, d->reason[i])));
    }
}

Json *grad_result_document(const GradSession *s, const GradResult *result, bool is_alone)
{
    Arena *arena = s->cmd->arena;
    const Derivatives *d = result->derivatives;
    Json *object = json_new(arena, JSON_OBJECT);
    if (!is_alone)
        document_add_string(arena, object, "expression", result->text);
    add_array(arena, object, "value", &d->value);
    add_bool(arena, object, "requires_grad", d->requires_grad);
    if (!d->needs_seed && s->job.order)
        add_gradients(s, object, result);
    add_notes(s, object, d);
    if (d->jacobian)
        add_blocks(s, object, "jacobian", d->jacobian);
    if (d->hessian)
        add_hessian(s, object, d->hessian);
    if (d->hook)
        add_hooks(s, object, d->hook);
    if (d->check)
        add_check(s, object, d);
    return object;
}

void grad_print_document(const GradSession *s, const GradResult results[], int count)
{
    Arena *arena = s->cmd->arena;
    Json *document = count == 1 ? grad_result_document(s, &results[0], true) : json_new(arena, JSON_OBJECT);
    Json *list = count == 1 ? NULL : document_add(arena, document, "results", JSON_ARRAY);
    for (int i = 0; i < count && list; i++)
        json_add_item(list, grad_result_document(s, &results[i], false));
    if (s->accumulates && count) {
        Json *reset = document_add(arena, document, "reset", JSON_OBJECT);
        for (int i = 0; i < s->variables; i++) {
            const Array *total = results[count - 1].total[i];
            Array zeros = array_new(arena, s->variable[i].value.shape);
            add_array(arena, reset, s->variable[i].name, total ? &zeros : NULL);
        }
    }
    document_print(arena, document, s->cmd->out.stream);
}
