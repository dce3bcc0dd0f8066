/* Values, gradients and second derivatives of expressions, against those that tools/make_expression_reference.py had from
 * PyTorch. */
#include "support_test.h"

#include <math.h>
#include <string.h>

#include "autograd/differentiate.h"

enum { LEAST_EXPRESSIONS = 200 };

/* PyTorch sums in another order. */
#define TOLERANCE 1e-11

typedef struct Reference {
    Arena *arena;
    const Json *row;
    const char *text;
} Reference;

static bool agree(double actual, double expected)
{
    if (isnan(expected) || isinf(expected))
        return isnan(expected) ? isnan(actual) : actual == expected;
    return fabs(actual - expected) <= TOLERANCE * fmax(1, fabs(expected));
}

/* `expected` is null where there is nothing. */
static void compare(const Reference *r, const char *what, const Array *actual, const Json *expected)
{
    Array reference;
    Error *err = error_new(r->arena);
    if (expected->type == JSON_NULL || !actual) {
        if (actual || expected->type != JSON_NULL)
            fail_msg("%s: %s is %s, but in PyTorch it is %s", r->text, what, actual ? "a number" : "none",
                     actual ? "none" : "a number");
        return;
    }
    if (!array_read(r->arena, expected, &reference, err))
        fail_msg("%s: %s", r->text, error_message(err, 0));
    if (!shape_equal(actual->shape, reference.shape))
        fail_msg("%s: %s has shape %s, in PyTorch %s", r->text, what, shape_text(r->arena, actual->shape),
                 shape_text(r->arena, reference.shape));
    for (size_t i = 0; i < shape_count(reference.shape); i++)
        if (!agree(actual->values[i], reference.values[i]))
            fail_msg("%s: %s%s is %.17g, in PyTorch %.17g", r->text, what, array_place(r->arena, reference.shape, i),
                     actual->values[i], reference.values[i]);
}

static void expression_agrees(const Reference *r)
{
    Error *err = error_new(r->arena);
    const Json *values = json_member(r->row, "variables"), *seed = json_member(r->row, "seed");
    const Json *first = json_member(r->row, "first"), *second = json_member(r->row, "second");
    Variable *variable = ARENA_ARRAY(r->arena, Variable, values->count);
    Array start;
    DifferentiateJob job = {.variable = variable, .order = 2};
    for (const Json *value = values->first; value; value = value->next) {
        variable[job.variables].name = value->key;
        assert_true(array_read(r->arena, value, &variable[job.variables++].value, err));
    }
    if (seed) {
        assert_true(array_read(r->arena, seed, &start, err));
        job.seed = &start;
    }
    job.expression = expression_parse(r->arena, expression_text(r->arena, "expression", r->text), NULL, err);
    const Derivatives *d = job.expression ? differentiate(&job, r->arena, err) : NULL;
    if (!d)
        fail_msg("%s: %s", r->text, error_message(err, 0));
    compare(r, "value", &d->value, json_member(r->row, "value"));
    for (int i = 0; i < job.variables; i++) {
        const char *name = variable[i].name;
        compare(r, arena_printf(r->arena, "d/d%s", name), d->gradient[0][i], json_member(first, name));
        if (second)
            compare(r, arena_printf(r->arena, "d^2/d%s^2", name), d->gradient[1][i], json_member(second, name));
        if (!d->gradient[0][i] != (d->reason[i] != NULL))
            fail_msg("%s: no words for the missing gradient of %s", r->text, name);
    }
}

static void expressions_agree_with_pytorch(void **state)
{
    (void)state;
    Arena *arena = arena_new(NULL);
    Error *err = error_new(arena);
    const Json *rows = json_read_file(arena, TEST_DATA "expressions.json", err);
    if (!rows)
        fail_msg("%s", error_message(err, 0));
    assert_true(rows->count >= LEAST_EXPRESSIONS);
    for (const Json *row = rows->first; row; row = row->next)
        expression_agrees(&(Reference){.arena = arena, .row = row, .text = json_member(row, "expression")->string});
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(expressions_agree_with_pytorch)};
    return cmocka_run_group_tests_name("expression reference", tests, NULL, NULL);
}
