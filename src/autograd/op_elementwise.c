/* Element-wise operators: kernels, derivatives, rows and builders, all generated from ops.def. */
#include "autograd/graph.h"
#include "autograd/ops.h"
#include "tensor/variant.h"

#define SELU_SCALE ((real)1.0507009873554804934193349852946)
#define SELU_ALPHA ((real)1.6732632423543772848170429916717)

#ifdef KERNEL /* ------------------------------------------------------------------ kernels, once per variant */

#include "tensor/vector_math.h"

#define ROOT_HALF ((real)0.70710678118654752440)
#define GELU_BETA ((real)0.79788456080286535588) /* sqrt(2 / pi) */
#define GELU_KAPPA ((real)0.044715)
#define DENSITY(x) (EXP((x) * (x) * (real)-0.5) * (real)0.39894228040143267794)
#define GELU_INNER(x) (GELU_BETA * ((x) + GELU_KAPPA * (x) * (x) * (x)))
#define GELU_TANH_SLOPE(x, t)                                                                                                  \
    ((real)0.5 * (1 + (t)) + (real)0.5 * (x) * (1 - (t) * (t)) * GELU_BETA * (1 + 3 * GELU_KAPPA * (x) * (x)))
#define K ((real)k)

#define MAP(name, body)                                                                                                        \
    Kernel KERNEL(run_##name);                                                                                                 \
    void KERNEL(run_##name)(const Node *node, void *out, const void *const in[], const Part *part)                             \
    {                                                                                                                          \
        real *y = out;                                                                                                         \
        const double k = node->attributes.k;                                                                                   \
        const size_t n = part->count;                                                                                          \
        (void)k;                                                                                                               \
        body                                                                                                                   \
    }

/* clang-format off */
#define UNARY(name, value, ...)                                                                                        \
    MAP(name, const real *xs = in[0];                                                                                  \
        LOOP_INDEPENDENT for (size_t i = 0; i < n; i++) { const real x = xs[i]; y[i] = (real)(value); })
#define BINARY(name, value, ...)                                                                                       \
    MAP(name, const real *as = in[0]; const real *bs = in[1];                                                          \
        LOOP_INDEPENDENT for (size_t i = 0; i < n; i++) { const real a = as[i]; const real b = bs[i]; y[i] = (real)(value); })
#define TERNARY(name, value, ...)                                                                                      \
    MAP(name, const real *as = in[0]; const real *bs = in[1]; const real *cs = in[2];                                  \
        LOOP_INDEPENDENT for (size_t i = 0; i < n; i++) {                                                              \
            const real a = as[i]; const real b = bs[i]; const real c = cs[i]; y[i] = (real)(value); })
#define UNARY_K UNARY
#define BINARY_K BINARY
#define STRUCTURED(name)
/* clang-format on */
#include "autograd/ops.def"

#else /* -------------------------------------------------------------- derivatives, rows and builders, once */

typedef double real;            /* of the constants above */

#define TWO_OVER_ROOT_PI 1.12837916709551257390
static Node *const NONE = NULL; /* no macro, so that it can be told by its text */

/* selu'(x) = scale for x > 0, else scale * alpha * e^x. */
static Node *selu_dx(Node *y, Node *dy)
{
    Node *x = y->in[0];
    Node *left = op_scale(op_mul(dy, op_exp(op_below_zero(x))), SELU_SCALE * SELU_ALPHA);
    return op_select(op_step(x), op_scale(dy, SELU_SCALE), left);
}

/* silu'(x) = s (1 + x (1 - s)), s = sigmoid(x). */
static Node *silu_slope(Node *x)
{
    Node *s = op_sigmoid(x);
    return op_mul(s, op_shift(op_mul(x, op_one_minus(s)), 1));
}

/* gelu''(x) = phi(x) (2 - x^2). */
static Node *gelu_curve(Node *x)
{
    return op_mul(op_normal_density(x), op_shift(op_neg(op_square(x)), 2));
}

/* The second derivative of 0.5 x (1 + t), t = tanh(u), u = b (x + c x^3):
 * (1 - t^2) (u' + 0.5 x u'' - x t u'^2). */
static Node *gelu_tanh_curve(Node *x)
{
    const double b = 0.79788456080286535588, c = 0.044715;
    Node *square = op_square(x);
    Node *t = op_tanh(op_scale(op_mul(x, op_shift(op_scale(square, c), 1)), b));
    Node *slope = op_scale(op_shift(op_scale(square, 3 * c), 1), b);
    Node *curve = op_scale(square, 3 * b * c); /* 0.5 x u'' */
    Node *bend = op_mul(op_mul(x, t), op_square(slope));
    return op_mul(op_one_minus(op_square(t)), op_sub(op_add(slope, curve), bend));
}

/* Zero above 20, where softplus is x itself. */
static Node *softplus_slope_dx(Node *x, Node *y, Node *dy)
{
    return op_select(op_step(op_shift(x, -20)), op_zeros_like(dy), op_sigmoid_dx(dy, y));
}

/* k x^(k - 1); zero for k = 0, also at x = 0, as in PyTorch. */
static Node *power_dx(Node *x, Node *dy, double k)
{
    if (k == 0)
        return op_zeros_like(dy);
    return op_mul(dy, op_scale(k == 2 ? x : op_power(x, k - 1), k));
}

/* d a^b / da = b a^(b - 1), zero where b is; d a^b / db = a^b log a, zero where a is and b is not negative. */
static Node *pow_da(Node *a, Node *b)
{
    return op_select(op_is_zero(b), op_zeros_like(b), op_mul(b, op_pow(a, op_shift(b, -1))));
}

static Node *pow_db(Node *a, Node *b, Node *y)
{
    Node *is_flat = op_mul(op_is_zero(a), op_is_index(b));
    return op_select(is_flat, op_zeros_like(a), op_mul(y, op_log(op_select(is_flat, op_shift(op_zeros_like(a), 1), a))));
}

#define DERIVATIVE(function, expression)                                                                                       \
    static Node *function(Node *y, Node *dy)                                                                                   \
    {                                                                                                                          \
        Node *a = y->in[0], *b = y->in[1], *c = y->in[2], *x = a;                                                              \
        double k = y->attributes.k;                                                                                            \
        (void)dy, (void)a, (void)b, (void)c, (void)x, (void)k;                                                                 \
        return expression;                                                                                                     \
    }
#define MAP_ROW(op_name, words, count, domain0, ...)                                                                           \
    KERNEL_DECLARE(Kernel, run_##op_name);                                                                                     \
    static const OpExample examples_##op_name[] = {                                                                            \
        {"", count, {SHAPE(3, 4), SHAPE(3, 4), SHAPE(3, 4)}, {domain0, domain0, domain0}, apply_##op_name}, {0}};              \
    const Op row_##op_name = {.name = #op_name,                                                                                \
                              .help = words,                                                                                   \
                              .kind = OP_MAP,                                                                                  \
                              .inputs = count,                                                                                 \
                              .kernel = KERNEL_TABLE(run_##op_name),                                                           \
                              .derivative = {__VA_ARGS__},                                                                     \
                              .examples = examples_##op_name};

/* clang-format off */
#define UNARY(name, value, dx, domain)                                                                                 \
    static Node *apply_##name(Node *const in[]) { return op_##name(in[0]); }                                           \
    DERIVATIVE(name##_dx_, dx) MAP_ROW(name, #value, 1, domain, CONSTANT_IF_NONE(dx, name##_dx_))
#define UNARY_K(name, value, dx, domain)                                                                               \
    static Node *apply_##name(Node *const in[]) { return op_##name(in[0], 0.7); }                                      \
    DERIVATIVE(name##_dx_, dx) MAP_ROW(name, #value, 1, domain, CONSTANT_IF_NONE(dx, name##_dx_))
#define BINARY(name, value, da, db, domain)                                                                            \
    static Node *apply_##name(Node *const in[]) { return op_##name(in[0], in[1]); }                                    \
    DERIVATIVE(name##_da_, da) DERIVATIVE(name##_db_, db)                                                              \
    MAP_ROW(name, #value, 2, domain, CONSTANT_IF_NONE(da, name##_da_), CONSTANT_IF_NONE(db, name##_db_))
#define BINARY_K(name, value, da, db, domain)                                                                          \
    static Node *apply_##name(Node *const in[]) { return op_##name(in[0], in[1], 0.7); }                               \
    DERIVATIVE(name##_da_, da) DERIVATIVE(name##_db_, db)                                                              \
    MAP_ROW(name, #value, 2, domain, CONSTANT_IF_NONE(da, name##_da_), CONSTANT_IF_NONE(db, name##_db_))
#define TERNARY(name, value, da, db, dc, domain)                                                                       \
    static Node *apply_##name(Node *const in[]) { return op_##name(in[0], in[1], in[2]); }                             \
    DERIVATIVE(name##_da_, da) DERIVATIVE(name##_db_, db) DERIVATIVE(name##_dc_, dc)                                   \
    MAP_ROW(name, #value, 3, domain, CONSTANT_IF_NONE(da, name##_da_), CONSTANT_IF_NONE(db, name##_db_), CONSTANT_IF_NONE(dc, name##_dc_))
#define STRUCTURED(name)
/* No derivative that is an expression has four letters. */
#define CONSTANT_IF_NONE(derivative, function) (sizeof #derivative == sizeof "NONE" ? NULL : (function))
#include "autograd/ops.def"

const Op *const op_table[] = {
#define UNARY(name, ...) &row_##name,
#define UNARY_K UNARY
#define BINARY UNARY
#define BINARY_K UNARY
#define TERNARY UNARY
#define STRUCTURED UNARY
#include "autograd/ops.def"
};
const int op_count = sizeof op_table / sizeof *op_table;

#define UNARY(name, ...)                                                                                               \
    Node *op_##name(Node *x) { return graph_append(x->graph, &row_##name, x->shape, (Node *const[]){x}); }
#define UNARY_K(name, ...)                                                                                             \
    Node *op_##name(Node *x, double k)                                                                                 \
    {                                                                                                                  \
        Node *y = graph_append(x->graph, &row_##name, x->shape, (Node *const[]){x});                                   \
        y->attributes.k = k;                                                                                           \
        return y;                                                                                                      \
    }
#define BINARY(name, ...)                                                                                              \
    Node *op_##name(Node *a, Node *b)                                                                                  \
    {                                                                                                                  \
        Shape shape = shape_broadcast(a->graph, a->shape, b->shape);                                                   \
        a = op_expand(a, shape);                                                                                       \
        b = op_expand(b, shape);                                                                                       \
        return graph_append(a->graph, &row_##name, shape, (Node *const[]){a, b});                                      \
    }
#define BINARY_K(name, ...)                                                                                            \
    Node *op_##name(Node *a, Node *b, double k)                                                                        \
    {                                                                                                                  \
        Shape shape = shape_broadcast(a->graph, a->shape, b->shape);                                                   \
        a = op_expand(a, shape);                                                                                       \
        b = op_expand(b, shape);                                                                                       \
        Node *y = graph_append(a->graph, &row_##name, shape, (Node *const[]){a, b});                                   \
        y->attributes.k = k;                                                                                           \
        return y;                                                                                                      \
    }
#define TERNARY(name, ...)                                                                                             \
    Node *op_##name(Node *a, Node *b, Node *c)                                                                         \
    {                                                                                                                  \
        Shape shape = shape_broadcast(a->graph, shape_broadcast(a->graph, a->shape, b->shape), c->shape);              \
        a = op_expand(a, shape);                                                                                       \
        b = op_expand(b, shape);                                                                                       \
        c = op_expand(c, shape);                                                                                       \
        return graph_append(a->graph, &row_##name, shape, (Node *const[]){a, b, c});                                   \
    }
#define STRUCTURED(name)
#include "autograd/ops.def"
/* clang-format on */

/* The root is taken of 1 where x is 0, so that no infinite slope is multiplied by zero. */
Node *op_root(Node *x)
{
    Node *is_zero = op_is_zero(x);
    Node *root = op_sqrt(op_select(is_zero, graph_constant(x->graph, 1), x));
    return op_select(is_zero, graph_constant(x->graph, 0), root);
}

Shape shape_broadcast(Graph *graph, Shape a, Shape b)
{
    Shape shape = a.rank >= b.rank ? a : b;
    for (int i = 1; i <= shape.rank; i++) {
        int da = i <= a.rank ? a.dim[a.rank - i] : 1, db = i <= b.rank ? b.dim[b.rank - i] : 1;
        if (da != db && da != 1 && db != 1)
            graph_fail(graph, "shapes %s and %s do not broadcast", shape_text(graph->arena, a), shape_text(graph->arena, b));
        shape.dim[shape.rank - i] = da == 1 ? db : da;
    }
    return shape;
}

#endif
