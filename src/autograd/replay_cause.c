/* From an operator and its numbers to a reason. */
#include <math.h>

#include "autograd/ops.h"
#include "autograd/replay.h"
#include "base/text.h"

static const struct {
    const Op *op;
    const char *name;
} user_names[] = {
    {&row_sum_to, "sum"},
    {&row_max_all, "max"},
    {&row_select, "where"},
    {&row_maximum, "max"},
    {&row_shift, "add"},
    {&row_scale, "mul"},
    {&row_one_minus, "sub"},
    {&row_power, "pow"},
    {&row_layer_moments, "layer_norm"},
    {&row_channel_moments, "batchnorm"},
    {&row_channel_affine, "batchnorm"},
};

static const char *name_of(const Op *op)
{
    for (size_t i = 0; i < sizeof user_names / sizeof *user_names; i++)
        if (user_names[i].op == op)
            return user_names[i].name;
    return op->name;
}

/* A hook's expression on a gradient stands in a backward pass, but is of no operator. */
static const Node *named_node(const Node *node)
{
    while (node->origin && node->origin->part == node->part)
        node = node->origin;
    return node;
}

const char *replay_op_name(const Node *node)
{
    return name_of(named_node(node)->op);
}

bool replay_is_backward(const Node *node)
{
    return node->origin != NULL;
}

/* A derivative's numbers mean little without the word. */
static const char *behind(const ReplayEvent *e, Arena *arena)
{
    const Node *named = named_node(e->node);
    return named == e->node ? "" : arena_printf(arena, " in the derivative of %s", name_of(named->op));
}

static const char *overflow(const ReplayEvent *e, const char **detail, Arena *arena)
{
    Text text = text_new(arena);
    const int inputs = e->node->op->inputs;
    text_add(&text, e->input[0].has_value ? "" : "values up to ");
    for (int k = 0; k < inputs; k++)
        text_printf(&text, "%s%.3g",
                    !k                ? ""
                    : k == inputs - 1 ? " and "
                                      : ", ",
                    e->input[k].has_value ? e->input[k].value : e->input[k].abs_max);
    *detail =
        arena_printf(arena, "%s of %s%s %s %s", name_of(e->node->op), text.at, behind(e, arena),
                     isnan(e->value) ? "has parts beyond" : "is beyond",
                     e->node->precision == PRECISION_FLOAT16 ? "65504, the largest float16" : "3.4e+38, the largest float32");
    return "overflow";
}

static const char *quotient(const ReplayEvent *e, double above, double below, const char **detail, Arena *arena)
{
    *detail = arena_printf(arena, "%.3g / %.3g%s", above, below, behind(e, arena));
    if (below == 0)
        return above == 0 ? "0 / 0" : "division by zero";
    return overflow(e, detail, arena);
}

/* One number in, one number out; NULL: nothing is known of this operator. */
static const char *cause_of_unary(const ReplayEvent *e, const char **detail, Arena *arena)
{
    const Op *op = e->node->op;
    const double x = e->input[0].value;
    *detail = arena_printf(arena, "%s of %.3g%s", name_of(op), x, behind(e, arena));
    if (op == &row_log && x <= 0)
        return x == 0 ? "log of zero" : "log of a negative number";
    if ((op == &row_sqrt || op == &row_rsqrt) && x < 0)
        return "sqrt of a negative number";
    if (op == &row_rsqrt && x == 0)
        return quotient(e, 1, 0, detail, arena);
    if (op == &row_reciprocal)
        return quotient(e, 1, x, detail, arena);
    if (op == &row_power && x == 0 && e->node->attributes.k < 0)
        return quotient(e, 1, 0, detail, arena);
    if (op == &row_power && x < 0 && isnan(e->value))
        return "power of a negative base";
    if (op != &row_exp || x < 88)
        return NULL;
    *detail = arena_printf(arena, "exp of %.3g%s; exp overflows above 88.7", x, behind(e, arena));
    return "overflow";
}

static const char *cause_of_binary(const ReplayEvent *e, const char **detail, Arena *arena)
{
    const Op *op = e->node->op;
    const double a = e->input[0].value, b = e->input[1].value;
    *detail = arena_printf(arena, "%s of %.3g and %.3g%s", name_of(op), a, b, behind(e, arena));
    if (op == &row_div)
        return quotient(e, a, b, detail, arena);
    if (op == &row_pow && a == 0 && b < 0)
        return quotient(e, 1, 0, detail, arena);
    if (op == &row_pow && a < 0 && isnan(e->value))
        return "power of a negative base";
    return NULL;
}

/* Of inputs that were not finite. */
static const char *cause_of_infinities(const ReplayEvent *e, const char **detail, Arena *arena)
{
    const Op *op = e->node->op;
    const double a = e->input[0].value, b = e->input[1].value;
    const bool has_values = e->input[0].has_value && op->inputs == 2;
    *detail = has_values ? arena_printf(arena, "%s of %.3g and %.3g%s", name_of(op), a, b, behind(e, arena))
                         : arena_printf(arena, "%s of values that are not finite%s", name_of(op), behind(e, arena));
    for (int k = 0; k < op->inputs; k++)
        if (e->input[k].has_value ? isnan(e->input[k].value) : e->input[k].has_nan)
            return "non-finite input";
    if (!isnan(e->value) || (has_values && !isinf(a) && !isinf(b)))
        return "non-finite input";
    if (op == &row_mul || op == &row_scale)
        return "0 * inf";
    if (op == &row_add || op == &row_sub || op == &row_sum_to)
        return "inf - inf";
    if (op == &row_div)
        return "inf / inf";
    return has_values || (e->input[0].has_value && op->inputs == 1) ? "function of infinity" : "inf - inf or 0 * inf";
}

const char *replay_cause(const ReplayEvent *e, const char **detail, Arena *arena)
{
    const Op *op = e->node->op;
    const char *cause = NULL;
    for (int k = 0; k < op->inputs; k++)
        if (e->input[k].has_value ? !isfinite(e->input[k].value) : e->input[k].nonfinite > 0)
            return cause_of_infinities(e, detail, arena);
    if (op == &row_embedding) {
        *detail = arena_printf(arena, "%.9g is no row of a table of %d", e->input[1].value, e->input[0].node->shape.dim[0]);
        return "index out of range";
    }
    if (op == &row_layer_moments && e->node->attributes.k == 0) {
        *detail = "the values that are normalised are all alike, and eps is 0";
        return "division by zero";
    }
    if (op->kind == OP_MAP && !op->whole_input)
        cause = op->inputs == 1 ? cause_of_unary(e, detail, arena) : op->inputs == 2 ? cause_of_binary(e, detail, arena) : NULL;
    return cause ? cause : overflow(e, detail, arena);
}
