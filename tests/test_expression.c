/* The expression language: precedence, derivatives, and errors that point at their column. */
#include "support_test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "autograd/expression.h"
#include "autograd/ops.h"
#include "autograd/plan.h"

/* The value and dz/dx of a scalar expression in x (and y = 3) at x. */
static bool evaluate(const char *text, double x, double *value, double *slope, Error *err, Arena *arena)
{
    Graph *graph = graph_new(arena);
    static const char *const names[] = {"x", "y"};
    Node *const nodes[] = {graph_input(graph, "x", SHAPE_SCALAR), graph_input(graph, "y", SHAPE_SCALAR)};
    const Scope scope = {.names = names, .nodes = nodes, .count = 2};
    Expression *e = expression_parse(arena, expression_text(arena, "expression", text), NULL, err);
    Node *z = e ? expression_build(e, graph, &scope, err) : NULL;
    if (!z)
        return false;
    Node *grad;
    z = op_sum(z);
    graph_gradient(z, NULL, nodes, 1, NULL, 0, &grad);
    Node *roots[] = {z, grad};
    const Plan *plan = plan_compile(graph, roots, grad ? 2 : 1, VARIANT_F64, arena, err);
    Workspace *w = workspace_new(plan, arena, err);
    if (workspace_value(w, nodes[0]))
        *(double *)workspace_value(w, nodes[0]) = x;
    if (workspace_value(w, nodes[1]))
        *(double *)workspace_value(w, nodes[1]) = 3;
    plan_run(plan, w, NULL);
    *value = *(double *)workspace_value(w, z);
    *slope = grad ? *(double *)workspace_value(w, grad) : NAN;
    return true;
}

typedef struct Known {
    const char *text;
    double x, value, slope; /* NaN slope: no gradient reaches x */
} Known;

static void values_and_slopes_are_right(void **state)
{
    (void)state;
    static const Known known[] = {
        {"x^2 + y^3", 2, 31, 4},
        {"x^3 - 4*x + 2", 3, 17, 23},
        {"-x^2", 3, -9, -6},
        {"2^3^2 + 0*x", 1, 512, 0},
        {"x^-2", 2, 0.25, -0.25},
        {"x^-2*4", 2, 1, -1},
        {"-x*y", 2, -6, -3},
        {"2*-x^2", 3, -18, -12},
        {"(x + 1)*(x - 1)", 3, 8, 6},
        {"x - 1 - 2", 10, 7, 1},
        {"8/x/2", 2, 2, -1},
        {"+x", 2, 2, 1},
        {"abs(x)", 0, 0, 0},
        {"relu(x)", 0, 0, 0},
        {"norm([x, 0])", 0, 0, 0},
        {"norm([x, 4])", 3, 5, 0.6},
        {"max(x, 3)", 3, 3, 0.5},
        {"min(x, 2*x)", -1, -2, 2},
        {"max([x, 1, x])", 2, 2, 1},
        {"clamp(x, -1, 1)", 1, 1, 0},
        {"x*sign(x)", -2, 2, -1},
        {"x*(x > 0)", 2, 2, 1},
        {"clamp(x, -1, 1)", 2, 1, 0},
        {"where(x > 0, x^2, -x)", -2, 2, -1},
        {"where(x >= 2, x, 0) + (x != 2)", 2, 2, 1},
        {"detach(x*3)*2", 5, 30, NAN},
        {"no_grad(x)*x", 4, 16, 4},
        {"dot([x, 2], [3, x])", 1, 5, 5},
        {"sum([[1, 2], [3, 4]] @ [x, x])", 1, 10, 10},
        {"[x, 1] @ [2, x]", 3, 9, 3},
        {"sum(softmax([x, 1, 2]) * [1, 0, 0])", 1, 0.21194155761708547, 0.16702233383},
        {"sum(transpose([[x, 2], [3, 4]]) * [[0, 1], [1, 0]])", 1, 5, 0},
        {"mean([x, x^2])", 3, 6, 3.5},
        {"x^0.5", 4, 2, 0.25},
        {"2^x", 3, 8, 5.545177444479562},
        {"x^x", 2, 4, 6.772588722239781},
        {"(-x)^3", 2, -8, -12},
        {"log(exp(x))", 1.5, 1.5, 1},
        {"sum(x * [1, 2, 3])", 2, 12, 6},
        {"1e-3*x + .5", 2, 0.502, 0.001},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        Arena *arena = arena_new(NULL);
        Error *err = error_new(arena);
        double value = 0, slope = 0;
        if (!evaluate(known[i].text, known[i].x, &value, &slope, err, arena))
            fail_msg("%s: %s", known[i].text, error_message(err, 0));
        if (!(fabs(value - known[i].value) <= 1e-9))
            fail_msg("%s at %g is %.12g, expected %.12g", known[i].text, known[i].x, value, known[i].value);
        if (isnan(known[i].slope) ? !isnan(slope) : !(fabs(slope - known[i].slope) <= 1e-9))
            fail_msg("slope of %s at %g is %.12g, expected %.12g", known[i].text, known[i].x, slope, known[i].slope);
        arena_free(arena);
    }
}

static void mistakes_name_their_column(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message, *place;
    } wrong[] = {
        {"x + ", "the expression ends where a value should follow", ":1:5"},
        {"", "the expression ends where a value should follow", ":1:1"},
        {"x x", "`x` stands where an operator should", ":1:3"},
        {"2x", "a number is followed by a letter; products are written with *", ":1:1"},
        {"sine(x)", "unknown function `sine`", ":1:1"},
        {"x + z", "unknown name `z`", ":1:5"},
        {"(x", "`(` is never closed", ":1:1"},
        {"x)", "`)` closes nothing that is open", ":1:2"},
        {"[x, 1", "`[` is never closed", ":1:1"},
        {"clamp(x)", "clamp takes 3 arguments, got 1", ":1:1"},
        {"exp()", "`)` stands where a value should", ":1:5"},
        {"x $ 2", "`$` stands where an operator should", ":1:3"},
        {"[1, 2] + [1, 2, 3]", "shapes [2] and [3] do not broadcast", ":1:8"},
        {"x, 2", "`,` stands where an operator should", ":1:2"},
        {"[1, 2] @ [1, 2, 3]", "matrices [1, 2] and [3, 1] do not multiply", ":1:8"},
        {"x * * 2", "`*` stands where a value should", ":1:5"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        Arena *arena = arena_new(NULL);
        Error *err = error_new(arena);
        double value, slope;
        assert_false(evaluate(wrong[i].text, 1, &value, &slope, err, arena));
        if (strcmp(error_message(err, 0), wrong[i].message) != 0)
            fail_msg("%s: \"%s\", expected \"%s\"", wrong[i].text, error_message(err, 0), wrong[i].message);
        char *text = NULL;
        size_t size = 0;
        FILE *stream = open_memstream(&text, &size);
        error_print(err, stream, false);
        fclose(stream);
        if (!strstr(text, wrong[i].place))
            fail_msg("%s: no %s in\n%s", wrong[i].text, wrong[i].place, text);
        free(text);
        arena_free(arena);
    }
}

static void nesting_has_no_limit(void **state)
{
    (void)state;
    enum { DEPTH = 200000 };
    Arena *arena = arena_new(NULL);
    Error *err = error_new(arena);
    char *text = arena_alloc(arena, 2 * DEPTH + 2);
    memset(text, '(', DEPTH);
    text[DEPTH] = 'x';
    memset(text + DEPTH + 1, ')', DEPTH);
    double value = 0, slope = 0;
    assert_true(evaluate(text, 7, &value, &slope, err, arena));
    assert_near(value, 7, 0);
    assert_near(slope, 1, 0);
    arena_free(arena);
}

static void a_defined_function_may_have_its_own_derivative(void **state)
{
    (void)state;
    Arena *arena = arena_new(NULL);
    Error *err = error_new(arena);
    const UserFunction *f = expression_define(
        arena,
        expression_text(arena, "definition", "huber(t) = where(abs(t) < 1, t^2/2, abs(t) - 1/2) = grad * clamp(t, -1, 1)"),
        NULL, err);
    assert_non_null(f);
    Expression *e = expression_parse(arena, expression_text(arena, "expression", "huber(3*x)"), f, err);
    assert_non_null(e);
    Graph *graph = graph_new(arena);
    static const char *const names[] = {"x"};
    Node *x = graph_input(graph, "x", SHAPE_SCALAR), *grad;
    Node *y = expression_build(e, graph, &(Scope){.names = names, .nodes = &x, .count = 1}, err);
    graph_gradient(y, NULL, &x, 1, NULL, 0, &grad);
    Node *roots[] = {y, grad};
    const Plan *plan = plan_compile(graph, roots, 2, VARIANT_F64, arena, err);
    Workspace *w = workspace_new(plan, arena, err);
    *(double *)workspace_value(w, x) = 2;
    plan_run(plan, w, NULL);
    assert_near(*(double *)workspace_value(w, y), 5.5, 0);
    assert_near(*(double *)workspace_value(w, grad), 3, 0);
    arena_free(arena);
}

/* Any bytes are at worst an error. */
static void random_text_is_at_worst_an_error(void **state)
{
    (void)state;
    static const char letters[] = "x y1.e-+*/^@()[],<>=! sinmaxnorm\xc3\xa9";
    uint32_t seed = 1;
    for (int turn = 0; turn < 20000; turn++) {
        char text[24];
        size_t length = 0;
        for (; length < sizeof text - 1; length++) {
            seed = seed * 1664525 + 1013904223;
            if (seed >> 28 == 0)
                break;
            text[length] = letters[(seed >> 8) % (sizeof letters - 1)];
        }
        text[length] = 0;
        Arena *arena = arena_new(NULL);
        Error *err = error_new(arena);
        double value, slope;
        if (evaluate(text, 1, &value, &slope, err, arena) != (error_count(err) == 0))
            fail_msg("`%s` is neither a value nor an error", text);
        arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_slopes_are_right),
        cmocka_unit_test(mistakes_name_their_column),
        cmocka_unit_test(nesting_has_no_limit),
        cmocka_unit_test(a_defined_function_may_have_its_own_derivative),
        cmocka_unit_test(random_text_is_at_worst_an_error),
    };
    return cmocka_run_group_tests_name("expression", tests, NULL, NULL);
}
