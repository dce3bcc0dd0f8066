/* embedding: rows of a table by their numbers; scatter_add: rows added up by their numbers. Each is the other's derivative.
 *
 * A number that is no row's (negative, too large, fractional, NaN) reads NaN and adds nothing: a kernel cannot fail, and NaN
 * is what the run is watched for. */
#include <math.h>
#include <string.h>

#include "autograd/graph.h"
#include "autograd/ops.h"

enum { TILE = 64 };

#ifdef KERNEL

static bool is_row(real token, size_t count)
{
    return token >= 0 && token < (real)count && token == (real)(size_t)token;
}

Kernel KERNEL(run_embedding);
void KERNEL(run_embedding)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const size_t count = (size_t)node->in[0]->shape.dim[0], dim = (size_t)node->in[0]->shape.dim[1];
    const real *table = in[0], *token = in[1];
    for (size_t unit = part->first; unit < part->first + part->count; unit++) {
        real *y = (real *)out + unit * dim;
        if (is_row(token[unit], count)) {
            memcpy(y, table + (size_t)token[unit] * dim, dim * sizeof *y);
        } else {
            for (size_t i = 0; i < dim; i++)
                y[i] = (real)NAN;
        }
    }
}

/* A unit is a tile of columns, and adds its rows in their order: the sums do not depend on the number of threads. */
Kernel KERNEL(run_scatter_add);
void KERNEL(run_scatter_add)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const size_t count = (size_t)node->shape.dim[0], dim = (size_t)node->shape.dim[1], rows = shape_count(node->in[1]->shape);
    const real *x = in[0], *token = in[1];
    for (size_t unit = part->first; unit < part->first + part->count; unit++) {
        const size_t begin = unit * TILE, width = dim - begin < TILE ? dim - begin : TILE;
        real *y = (real *)out + begin;
        for (size_t row = 0; row < count; row++)
            memset(y + row * dim, 0, width * sizeof *y);
        for (size_t row = 0; row < rows; row++) {
            if (!is_row(token[row], count))
                continue;
            const real *from = x + row * dim + begin;
            real *to = y + (size_t)token[row] * dim;
            LOOP_INDEPENDENT
            for (size_t i = 0; i < width; i++)
                to[i] += from[i];
        }
    }
}

#else

static size_t embedding_units(const Node *node)
{
    return shape_count(node->in[1]->shape);
}

static size_t scatter_units(const Node *node)
{
    return ((size_t)node->shape.dim[1] + TILE - 1) / TILE;
}

static double scatter_flops(const Node *node)
{
    return (double)shape_count(node->in[0]->shape);
}

static Node *embedding_dw(Node *y, Node *dy)
{
    return op_scatter_add(dy, y->in[1], y->in[0]->shape.dim[0]);
}

static Node *scatter_dx(Node *y, Node *dy)
{
    return op_embedding(dy, y->in[1]);
}

static Node *embedding_example(Node *const x[])
{
    return op_embedding(x[0], x[1]);
}

static Node *scatter_example(Node *const x[])
{
    return op_scatter_add(x[0], x[1], 5);
}

static const OpExample embedding_examples[] = {{"", 2, {SHAPE(5, 3), SHAPE(2, 4)}, {ANY, INDEX}, embedding_example}, {0}};
static const OpExample scatter_examples[] = {
    {"", 2, {SHAPE(2, 4, 3), SHAPE(2, 4)}, {ANY, INDEX}, scatter_example},
    {"more columns than a tile", 2, {SHAPE(6, 70), SHAPE(6)}, {ANY, INDEX}, scatter_example},
    {0}};

KERNEL_DECLARE(Kernel, run_embedding);
KERNEL_DECLARE(Kernel, run_scatter_add);

const Op row_embedding = {
    .name = "embedding",
    .help = "rows of a table by their numbers",
    .kind = OP_STRUCTURED,
    .inputs = 2,
    .units = embedding_units,
    .kernel = KERNEL_TABLE(run_embedding),
    .derivative = {embedding_dw},
    .examples = embedding_examples,
};
const Op row_scatter_add = {
    .name = "scatter_add",
    .help = "rows added up by their numbers",
    .kind = OP_STRUCTURED,
    .inputs = 2,
    .units = scatter_units,
    .flops = scatter_flops,
    .kernel = KERNEL_TABLE(run_scatter_add),
    .derivative = {scatter_dx},
    .examples = scatter_examples,
};

Node *op_embedding(Node *table, Node *tokens)
{
    Graph *graph = table->graph;
    if (table->shape.rank != 2 || tokens->shape.rank >= SHAPE_MAX_RANK)
        return graph_fail(graph, "tokens of %s do not choose rows of %s", shape_text(graph->arena, tokens->shape),
                          shape_text(graph->arena, table->shape));
    Shape shape = tokens->shape;
    shape.dim[shape.rank++] = table->shape.dim[1];
    Node *y = graph_append(graph, &row_embedding, shape, (Node *const[]){table, tokens});
    y->precision = table->precision;
    return y;
}

Node *op_scatter_add(Node *rows, Node *tokens, int count)
{
    Graph *graph = rows->graph;
    int dim = shape_last(rows->shape);
    if (shape_count(rows->shape) != shape_count(tokens->shape) * (size_t)dim)
        return graph_fail(graph, "rows of %s have no numbers in %s", shape_text(graph->arena, rows->shape),
                          shape_text(graph->arena, tokens->shape));
    return graph_append(graph, &row_scatter_add, SHAPE(count, dim), (Node *const[]){rows, tokens});
}

#endif
