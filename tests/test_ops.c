/* Every operator of the table: its derivatives of first and second order match its value. */
#include "support_test.h"

#include <string.h>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "autograd/plan.h"

typedef struct Case {
    const Op *op;
    const OpExample *example;
} Case;

static void derivatives_match_the_value(void **state)
{
    const Case *c = *state;
    Arena *arena = arena_new(NULL);
    Error *err = error_new(arena);
    if (!gradcheck_example(c->example, 2, arena, err))
        fail_msg("%s: %s", c->op->name, error_message(err, 0));
    arena_free(arena);
}

static void every_operator_has_an_example(void **state)
{
    (void)state;
    for (int i = 0; i < op_count; i++)
        if (!op_table[i]->examples || !op_table[i]->examples[0].apply)
            fail_msg("operator %s has no example, so nothing checks it", op_table[i]->name);
}

static void every_operator_has_a_kernel_for_every_variant(void **state)
{
    (void)state;
    for (int i = 0; i < op_count; i++)
        for (int v = 0; v < VARIANT_COUNT; v++)
            assert_true(op_table[i]->kind == OP_VIEW || op_table[i]->kernel[v]);
}

/* Fills the example's inputs with the same numbers in both plans and compares the results. */
static void float_kernels_agree_with_double(void **state)
{
    (void)state;
    for (int i = 0; i < op_count; i++) {
        for (const OpExample *e = op_table[i]->examples; e->apply; e++) {
            Arena *arena = arena_new(NULL);
            Error *err = error_new(arena);
            Graph *graph = graph_new(arena);
            Node *x[OP_MAX_INPUTS];
            for (int k = 0; k < e->inputs; k++)
                x[k] = graph_input(graph, "x", e->shape[k]);
            if (!e->inputs)
                x[0] = graph_input(graph, "x", SHAPE(3, 4));
            Node *y = e->apply(x);
            double reference[1024];
            size_t n = shape_count(y->shape);
            for (int v = VARIANT_COUNT - 1; v >= 0; v--) { /* float64 is the last */
                if (!variant_is_supported((Variant)v))
                    continue;
                const Plan *plan = plan_compile(graph, &y, 1, (Variant)v, arena, err);
                Workspace *w = workspace_new(plan, arena, err);
                for (int k = 0; k < (e->inputs ? e->inputs : 1); k++)
                    for (size_t j = 0; j < shape_count(x[k]->shape); j++) {
                        double value =
                            e->domain[k] == INDEX ? (double)(j % 3) : 0.3 + 0.125 * (double)((j * 7 + (size_t)k) % 11);
                        if (!workspace_value(w, x[k]))
                            continue;
                        if (v == VARIANT_F64)
                            ((double *)workspace_value(w, x[k]))[j] = value;
                        else
                            ((float *)workspace_value(w, x[k]))[j] = (float)value;
                    }
                plan_run(plan, w, NULL);
                for (size_t j = 0; j < n; j++) {
                    if (v == VARIANT_F64)
                        reference[j] = ((double *)workspace_value(w, y))[j];
                    else
                        assert_near(((float *)workspace_value(w, y))[j], reference[j],
                                    2e-6 * (1 + (reference[j] < 0 ? -reference[j] : reference[j])));
                }
            }
            arena_free(arena);
        }
    }
}

int main(void)
{
    static struct CMUnitTest tests[512];
    static Case cases[512];
    static char names[512][120];
    size_t n = 0;
    for (int i = 0; i < op_count; i++)
        for (const OpExample *e = op_table[i]->examples; e && e->apply; e++, n++) {
            cases[n] = (Case){op_table[i], e};
            snprintf(names[n], sizeof names[n], "operator %s%s%s: derivatives of order 1 and 2 match the value",
                     op_table[i]->name, e->what[0] ? ", " : "", e->what);
            tests[n] = (struct CMUnitTest){names[n], derivatives_match_the_value, NULL, NULL, &cases[n]};
        }
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_operator_has_an_example);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(every_operator_has_a_kernel_for_every_variant);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(float_kernels_agree_with_double);
    return _cmocka_run_group_tests("ops", tests, n, NULL, NULL);
}
