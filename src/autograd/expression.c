/* Building: the postfix order of an expression, walked with a stack of nodes. */
#include "autograd/expression.h"

#include <string.h>

#include "autograd/expression_internal.h"
#include "autograd/ops.h"

static Node *norm(Node *x)
{
    return op_root(op_sum(op_square(x)));
}

static Node *dot(Node *a, Node *b)
{
    if (a->shape.rank != 1 || !shape_equal(a->shape, b->shape))
        return graph_fail(a->graph, "dot takes two vectors of one length, got %s and %s", shape_text(a->graph->arena, a->shape),
                          shape_text(a->graph->arena, b->shape));
    return op_sum(op_mul(a, b));
}

/* Matrices [..., rows, columns] as one stack for each of `batch`, the broadcast of both sides' leading axes. */
static Node *stack_of(Node *x, Shape batch)
{
    Shape shape = batch;
    shape.dim[shape.rank++] = x->shape.dim[x->shape.rank - 2];
    shape.dim[shape.rank++] = shape_last(x->shape);
    return op_reshape(op_expand(x, shape), SHAPE((int)shape_count(batch), shape.dim[batch.rank], shape.dim[batch.rank + 1]));
}

static Shape leading_axes(Shape shape)
{
    shape.rank -= 2;
    return shape;
}

/* As torch.matmul: leading axes broadcast; a vector on the left is a row, on the right a column, and that axis goes again. */
static Node *product(Node *a, Node *b)
{
    Graph *graph = a->graph;
    Shape sa = a->shape, sb = b->shape;
    if (sa.rank < 1 || sb.rank < 1)
        return graph_fail(graph, "a matrix product takes vectors and matrices, got %s and %s", shape_text(graph->arena, sa),
                          shape_text(graph->arena, sb));
    Node *left = sa.rank == 1 ? op_reshape(a, SHAPE(1, sa.dim[0])) : a;
    Node *right = sb.rank == 1 ? op_reshape(b, SHAPE(sb.dim[0], 1)) : b;
    if (shape_last(left->shape) != right->shape.dim[right->shape.rank - 2])
        return graph_fail(graph, "matrices %s and %s do not multiply", shape_text(graph->arena, left->shape),
                          shape_text(graph->arena, right->shape));
    Shape batch = SHAPE_SCALAR;
    Node *y;
    if (left->shape.rank == 2 && right->shape.rank == 2) {
        y = op_matmul(left, right, false, false);
    } else {
        const char *error_before = graph->error;
        batch = shape_broadcast(graph, leading_axes(left->shape), leading_axes(right->shape));
        if (graph->error != error_before)
            return graph_constant(graph, 0);
        y = op_matmul(stack_of(left, batch), stack_of(right, batch), false, false);
    }
    Shape shape = batch;
    if (sa.rank > 1)
        shape.dim[shape.rank++] = y->shape.dim[y->shape.rank - 2];
    if (sb.rank > 1)
        shape.dim[shape.rank++] = shape_last(y->shape);
    return op_reshape(y, shape);
}

static Node *transpose(Node *x)
{
    return x->shape.rank < 2 ? x : op_transpose(x, x->shape.rank - 2, x->shape.rank - 1);
}

/* The constant that a node is, maybe behind a minus. */
static bool constant_of(const Node *x, double *value)
{
    double sign = 1;
    if (x->op == &row_neg) {
        sign = -1;
        x = x->in[0];
    }
    if (x->op->kind != OP_SOURCE || x->name || x->values || x->shape.rank)
        return false;
    *value = sign * x->attributes.k;
    return true;
}

static Node *minimum(Node *a, Node *b)
{
    return op_neg(op_maximum(op_neg(a), op_neg(b)));
}

/* As torch.clamp: at a limit the derivative is 0 where the limits are numbers; where one is a tensor, a tie is shared. */
static Node *clamp(Node *x, Node *low, Node *high)
{
    double number;
    if (!constant_of(low, &number) || !constant_of(high, &number))
        return minimum(op_maximum(x, low), high);
    return op_select(op_less_equal(x, low), low, op_select(op_less_equal(high, x), high, x));
}

#define FUNCTION(word, least, most, value, help)                                                                               \
    static Node *build_##word(Node *const x[], int n)                                                                          \
    {                                                                                                                          \
        (void)n;                                                                                                               \
        return value;                                                                                                          \
    }
#include "autograd/functions.def"

const Function function_table[] = {
#define FUNCTION(word, least, most, value, help) {#word, help, least, most, build_##word},
#include "autograd/functions.def"
};
const int function_count = sizeof function_table / sizeof *function_table;

int expression_function_count(void)
{
    return function_count;
}

const char *expression_function_row(int index, const char **help)
{
    *help = function_table[index].help;
    return function_table[index].name;
}

/* [a, b, ...]: numbers, or tensors of one shape, one below the other. */
static Node *array_of(Graph *graph, Node *const item[], int count)
{
    Node *y = NULL;
    bool all_constant = true;
    for (int i = 0; i < count; i++) {
        if (!shape_equal(item[i]->shape, item[0]->shape))
            return graph_fail(graph, "rows of an array must be of one shape, got %s and %s",
                              shape_text(graph->arena, item[0]->shape), shape_text(graph->arena, item[i]->shape));
        all_constant &= item[i]->op->kind == OP_SOURCE && !item[i]->name && !item[i]->values;
    }
    if (item[0]->shape.rank == SHAPE_MAX_RANK)
        return graph_fail(graph, "an array nests deeper than %d", SHAPE_MAX_RANK);
    if (all_constant) { /* numbers alone: one constant instead of a chain of joins */
        double *values = ARENA_ARRAY(graph->arena, double, count);
        for (int i = 0; i < count; i++)
            values[i] = item[i]->attributes.k;
        return graph_tensor(graph, SHAPE(count), values);
    }
    for (int i = 0; i < count; i++) {
        Node *row = op_reshape(item[i], shape_prepend(1, item[i]->shape));
        y = y ? op_concat(y, row, 0) : row;
    }
    return y;
}

static Node *power(Node *a, Node *b)
{
    double k;
    if (!constant_of(b, &k))
        return op_pow(a, b);
    return k == 2 ? op_square(a) : op_power(a, k);
}

static Node *binary(ExpressionOperator op, Node *a, Node *b)
{
    switch (op) {
    case OPERATOR_ADD:
        return op_add(a, b);
    case OPERATOR_SUBTRACT:
        return op_sub(a, b);
    case OPERATOR_MULTIPLY:
        return op_mul(a, b);
    case OPERATOR_DIVIDE:
        return op_div(a, b);
    case OPERATOR_PRODUCT:
        return product(a, b);
    case OPERATOR_POWER:
        return power(a, b);
    case OPERATOR_LESS:
        return op_less(a, b);
    case OPERATOR_GREATER:
        return op_less(b, a);
    case OPERATOR_LESS_EQUAL:
        return op_less_equal(a, b);
    case OPERATOR_GREATER_EQUAL:
        return op_less_equal(b, a);
    case OPERATOR_EQUAL:
        return op_equal(a, b);
    case OPERATOR_NOT_EQUAL:
        return op_one_minus(op_equal(a, b));
    case OPERATOR_NEGATE:
        break;
    }
    return a;
}

static Node *look_up(const Scope *scope, const char *name)
{
    for (int i = 0; i < scope->count; i++)
        if (!strcmp(scope->names[i], name))
            return scope->nodes[i];
    return NULL;
}

static Node *call_user(const UserFunction *function, Graph *graph, Node *const argument[], Error *err)
{
    const Scope scope = {.names = function->parameters, .nodes = argument, .count = function->parameter_count};
    Node *value = expression_build(function->body, graph, &scope, err);
    return value && function->derivative ? expression_custom(value, argument[0], function->parameters[0], function->derivative)
                                         : value;
}

Node *expression_build(const Expression *expression, Graph *graph, const Scope *scope, Error *err)
{
    Arena *scratch = arena_new(graph->arena);
    Node **stack = ARENA_ARRAY(scratch, Node *, expression->count + 1), *result = NULL;
    int depth = 0;
    for (int i = 0; i < expression->count; i++) {
        const Token *token = &expression->token[i];
        const char *error_before = graph->error;
        Node **argument = stack + depth - token->arguments, *y = NULL;
        switch (token->kind) {
        case TOKEN_NUMBER:
            y = graph_constant(graph, token->number);
            break;
        case TOKEN_NAME:
            y = look_up(scope, token->name);
            if (!y)
                expression_unknown_name(expression, token->name, scope->names, scope->count, err);
            break;
        case TOKEN_OPERATOR:
            y = token->op == OPERATOR_NEGATE ? op_neg(argument[0]) : binary(token->op, argument[0], argument[1]);
            break;
        case TOKEN_CALL:
            y = token->user ? call_user(token->user, graph, argument, err) : token->function->build(argument, token->arguments);
            break;
        case TOKEN_ARRAY:
            y = array_of(graph, argument, token->arguments);
            break;
        }
        if (y && graph->error != error_before) {
            expression_error(expression, token->begin, token->end, err, "%s", graph->error);
            y = NULL;
        }
        if (!y)
            break;
        depth -= token->arguments;
        stack[depth++] = y;
        result = i == expression->count - 1 ? y : NULL;
    }
    arena_free(scratch);
    return result;
}

typedef struct Custom {
    const Expression *gradient;
    const char *x_name;
} Custom;

/* A view of its first input; the second is x, whose gradient is an expression. */
static Node *custom_dx(Node *y, Node *dy)
{
    const Custom *custom = y->context;
    const char *const names[] = {custom->x_name, "y", "grad"};
    Node *x = y->in[1], *const nodes[] = {x, y, dy};
    const Scope scope = {.names = names, .nodes = nodes, .count = 3};
    Arena *scratch = arena_new(y->graph->arena);
    Error *err = error_new(scratch);
    Node *dx = expression_build(custom->gradient, y->graph, &scope, err);
    if (!dx)
        dx = graph_fail(y->graph, "%s", error_message(err, 0));
    else if (!shape_equal(dx->shape, x->shape))
        dx = shape_count(dx->shape) == 1
                 ? op_expand(op_reshape(dx, SHAPE_SCALAR), x->shape)
                 : graph_fail(y->graph, "a gradient of %s does not fit x of %s", shape_text(y->graph->arena, dx->shape),
                              shape_text(y->graph->arena, x->shape));
    arena_free(scratch);
    return dx;
}

static const Op row_custom = {.name = "function",
                              .help = "a value with a gradient of its own",
                              .kind = OP_VIEW,
                              .inputs = 2,
                              .derivative = {NULL, custom_dx}};

Node *expression_custom(Node *value, Node *x, const char *x_name, const Expression *gradient)
{
    Custom *custom = ARENA_NEW(x->graph->arena, Custom);
    *custom = (Custom){gradient, x_name};
    Node *y = graph_append(x->graph, &row_custom, value->shape, (Node *const[]){value, x});
    y->context = custom;
    return y;
}
