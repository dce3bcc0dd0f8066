/* Matrix products through OpenBLAS: matmul, and linear (x W^T + b).
 *
 * The four transposed forms of matmul are closed under differentiation. Large products are divided into panels by their shape
 * alone, so that the bits do not depend on the number of threads; OpenBLAS itself runs on one. Where graph and processor allow
 * it, products of bfloat16 are made by bfloat16_product instead. */
#include <cblas.h>
#include <string.h>

#include "autograd/bfloat16_product.h"
#include "autograd/graph.h"
#include "autograd/ops.h"

/* The product of one panel: rows (or columns) [begin, end) of an m x n result with k terms. */
typedef struct Product {
    int m, n, k;
    bool transpose_a, transpose_b;
    int lda, ldb;
    bool by_rows, is_bfloat16;
    int panels;
} Product;

enum { PANEL_LIMIT = 4, PANEL_ALIGN = 32 };

static Product product_of(const Node *node, size_t *stack)
{
    Product p = {.is_bfloat16 = node->attributes.is_bfloat16};
    if (node->op == &row_linear) {
        p.k = shape_last(node->in[0]->shape);
        p.n = node->in[1]->shape.dim[0];
        p.m = (int)(shape_count(node->in[0]->shape) / (size_t)p.k);
        p.transpose_b = true;
        p.lda = p.k;
        p.ldb = p.k;
        *stack = 1;
    } else {
        int last = node->shape.rank - 1;
        p.transpose_a = node->attributes.transposed[0];
        p.transpose_b = node->attributes.transposed[1];
        p.m = node->shape.dim[last - 1];
        p.n = node->shape.dim[last];
        p.lda = node->in[0]->shape.dim[last];
        p.ldb = node->in[1]->shape.dim[last];
        p.k = node->in[0]->shape.dim[p.transpose_a ? last - 1 : last];
        *stack = last == 2 ? (size_t)node->shape.dim[0] : 1;
    }
    p.by_rows = p.m >= p.n;
    int axis = p.by_rows ? p.m : p.n;
    double work = (double)p.m * p.n * p.k;
    p.panels = *stack > 1 || work < 1 << 20 ? 1 : (axis + PANEL_ALIGN - 1) / PANEL_ALIGN;
    p.panels = p.panels < PANEL_LIMIT ? p.panels : PANEL_LIMIT;
    return p;
}

#ifdef KERNEL

static void multiply(const Product *p, const real *a, const real *b, real *c, int panel, real beta, void *scratch)
{
    int axis = p->by_rows ? p->m : p->n;
    int blocks = (axis + PANEL_ALIGN - 1) / PANEL_ALIGN;
    int begin = blocks * panel / p->panels * PANEL_ALIGN, end = blocks * (panel + 1) / p->panels * PANEL_ALIGN;
    end = end < axis ? end : axis;
    int m = p->by_rows ? end - begin : p->m, n = p->by_rows ? p->n : end - begin;
    if (p->by_rows) {
        a += (size_t)begin * (p->transpose_a ? 1 : (size_t)p->lda);
        c += (size_t)begin * (size_t)p->n;
    } else {
        b += (size_t)begin * (p->transpose_b ? (size_t)p->ldb : 1);
        c += begin;
    }
#ifdef KERNEL_AVX512
    if (p->is_bfloat16) {
        const size_t lda = (size_t)p->lda, ldb = (size_t)p->ldb;
        const Bfloat16Matrix left = {a, p->transpose_a ? 1 : lda, p->transpose_a ? lda : 1};
        const Bfloat16Matrix right = {b, p->transpose_b ? 1 : ldb, p->transpose_b ? ldb : 1};
        bfloat16_product(m, n, p->k, left, right, c, (size_t)p->n, beta != 0, scratch);
        return;
    }
#endif
    (void)scratch;
    enum CBLAS_TRANSPOSE ta = p->transpose_a ? CblasTrans : CblasNoTrans, tb = p->transpose_b ? CblasTrans : CblasNoTrans;
#ifdef KERNEL_F64
    cblas_dgemm(CblasRowMajor, ta, tb, m, n, p->k, 1, a, p->lda, b, p->ldb, beta, c, p->n);
#else
    cblas_sgemm(CblasRowMajor, ta, tb, m, n, p->k, 1, a, p->lda, b, p->ldb, beta, c, p->n);
#endif
}

Kernel KERNEL(run_matmul);
void KERNEL(run_matmul)(const Node *node, void *out, const void *const in[], const Part *part)
{
    size_t stack;
    const Product p = product_of(node, &stack);
    for (size_t unit = part->first; unit < part->first + part->count; unit++) {
        size_t s = unit / (size_t)p.panels;
        size_t size_a = (size_t)p.m * (size_t)p.k, size_b = (size_t)p.k * (size_t)p.n, size_c = (size_t)p.m * (size_t)p.n;
        multiply(&p, (const real *)in[0] + s * size_a, (const real *)in[1] + s * size_b, (real *)out + s * size_c,
                 (int)(unit % (size_t)p.panels), 0, part->scratch);
    }
}

/* The bias is the starting value of the product's sums. */
Kernel KERNEL(run_linear);
void KERNEL(run_linear)(const Node *node, void *out, const void *const in[], const Part *part)
{
    size_t stack;
    const Product p = product_of(node, &stack);
    const real *bias = in[2];
    for (size_t unit = part->first; unit < part->first + part->count; unit++) {
        int axis = p.by_rows ? p.m : p.n, blocks = (axis + PANEL_ALIGN - 1) / PANEL_ALIGN;
        int begin = blocks * (int)unit / p.panels * PANEL_ALIGN, end = blocks * ((int)unit + 1) / p.panels * PANEL_ALIGN;
        end = end < axis ? end : axis;
        int row = p.by_rows ? begin : 0, rows = p.by_rows ? end : p.m;
        int column = p.by_rows ? 0 : begin, columns = p.by_rows ? p.n : end - begin;
        for (; row < rows; row++)
            memcpy((real *)out + (size_t)row * (size_t)p.n + column, bias + column, sizeof(real) * (size_t)columns);
        multiply(&p, in[0], in[1], out, (int)unit, 1, part->scratch);
    }
}

#else

static size_t product_units(const Node *node)
{
    size_t stack;
    const Product p = product_of(node, &stack);
    return stack * (size_t)p.panels;
}

static size_t product_scratch(const Node *node)
{
    return node->attributes.is_bfloat16 ? bfloat16_product_scratch() : 0;
}

static bool are_bfloat16(const Graph *graph, const Node *a, const Node *b)
{
    return graph->has_bfloat16 && a->precision == PRECISION_BFLOAT16 && b->precision == PRECISION_BFLOAT16;
}

static double product_flops(const Node *node)
{
    size_t stack;
    const Product p = product_of(node, &stack);
    return 2.0 * (double)stack * p.m * p.n * p.k;
}

static Node *matmul_da(Node *y, Node *dy)
{
    bool ta = y->attributes.transposed[0], tb = y->attributes.transposed[1];
    Node *b = y->in[1];
    return ta ? op_matmul(b, dy, tb, true) : op_matmul(dy, b, false, !tb);
}

static Node *matmul_db(Node *y, Node *dy)
{
    bool ta = y->attributes.transposed[0], tb = y->attributes.transposed[1];
    Node *a = y->in[0];
    return tb ? op_matmul(dy, a, true, ta) : op_matmul(a, dy, !ta, false);
}

/* [..., n] as a matrix [rows, n]. */
static Node *as_matrix(Node *x)
{
    int n = shape_last(x->shape);
    return op_reshape(x, SHAPE((int)(shape_count(x->shape) / (size_t)n), n));
}

static Node *linear_dx(Node *y, Node *dy)
{
    return op_reshape(op_matmul(as_matrix(dy), y->in[1], false, false), y->in[0]->shape);
}

static Node *linear_dw(Node *y, Node *dy)
{
    return op_matmul(as_matrix(dy), as_matrix(y->in[0]), true, false);
}

static Node *linear_db(Node *y, Node *dy)
{
    return op_sum_to(dy, y->in[2]->shape);
}

static Node *nn_example(Node *const x[])
{
    return op_matmul(x[0], x[1], false, false);
}

static Node *nt_example(Node *const x[])
{
    return op_matmul(x[0], x[1], false, true);
}

static Node *tn_example(Node *const x[])
{
    return op_matmul(x[0], x[1], true, false);
}

static Node *tt_example(Node *const x[])
{
    return op_matmul(x[0], x[1], true, true);
}

static Node *linear_example(Node *const x[])
{
    return op_linear(x[0], x[1], x[2]);
}

static const OpExample matmul_examples[] = {{"A B", 2, {SHAPE(3, 4), SHAPE(4, 5)}, {ANY}, nn_example},
                                            {"A B^T", 2, {SHAPE(3, 4), SHAPE(5, 4)}, {ANY}, nt_example},
                                            {"A^T B", 2, {SHAPE(4, 3), SHAPE(4, 5)}, {ANY}, tn_example},
                                            {"A^T B^T", 2, {SHAPE(4, 3), SHAPE(5, 4)}, {ANY}, tt_example},
                                            {"stacks", 2, {SHAPE(2, 3, 4), SHAPE(2, 5, 4)}, {ANY}, nt_example},
                                            {0}};
static const OpExample linear_examples[] = {
    {"", 3, {SHAPE(3, 4), SHAPE(5, 4), SHAPE(5)}, {ANY}, linear_example},
    {"over sequences", 3, {SHAPE(2, 3, 4), SHAPE(5, 4), SHAPE(5)}, {ANY}, linear_example},
    {0}};

KERNEL_DECLARE(Kernel, run_matmul);
KERNEL_DECLARE(Kernel, run_linear);

const Op row_matmul = {
    .name = "matmul",
    .help = "matrix product",
    .kind = OP_STRUCTURED,
    .inputs = 2,
    .units = product_units,
    .scratch = product_scratch,
    .flops = product_flops,
    .kernel = KERNEL_TABLE(run_matmul),
    .derivative = {matmul_da, matmul_db},
    .examples = matmul_examples,
};
const Op row_linear = {
    .name = "linear",
    .help = "x W^T + b",
    .kind = OP_STRUCTURED,
    .inputs = 3,
    .units = product_units,
    .scratch = product_scratch,
    .flops = product_flops,
    .kernel = KERNEL_TABLE(run_linear),
    .derivative = {linear_dx, linear_dw, linear_db},
    .examples = linear_examples,
};

Node *op_matmul(Node *a, Node *b, bool transpose_a, bool transpose_b)
{
    Graph *graph = a->graph;
    a = op_autocast(a);
    b = op_autocast(b);
    int rank = a->shape.rank;
    bool matrices = b->shape.rank == rank && (rank == 2 || (rank == 3 && a->shape.dim[0] == b->shape.dim[0]));
    int inner_a = matrices ? a->shape.dim[transpose_a ? rank - 2 : rank - 1] : 0;
    int inner_b = matrices ? b->shape.dim[transpose_b ? rank - 1 : rank - 2] : 1;
    if (inner_a != inner_b)
        return graph_fail(graph, "matrices %s and %s do not multiply", shape_text(graph->arena, a->shape),
                          shape_text(graph->arena, b->shape));
    Shape shape = a->shape;
    shape.dim[rank - 2] = a->shape.dim[transpose_a ? rank - 1 : rank - 2];
    shape.dim[rank - 1] = b->shape.dim[transpose_b ? rank - 2 : rank - 1];
    Node *y = graph_append(graph, &row_matmul, shape, (Node *const[]){a, b});
    y->attributes.transposed[0] = transpose_a;
    y->attributes.transposed[1] = transpose_b;
    y->attributes.is_bfloat16 = are_bfloat16(graph, a, b);
    return y;
}

Node *op_linear(Node *x, Node *weight, Node *bias)
{
    Graph *graph = x->graph;
    if (weight->shape.rank != 2 || x->shape.rank < 1 || shape_last(x->shape) != weight->shape.dim[1])
        return graph_fail(graph, "a weight of %s does not take inputs of %s", shape_text(graph->arena, weight->shape),
                          shape_text(graph->arena, x->shape));
    Shape shape = x->shape;
    shape.dim[shape.rank - 1] = weight->shape.dim[0];
    if (!bias)
        return op_reshape(op_matmul(as_matrix(op_autocast(x)), op_autocast(weight), false, true), shape);
    Node *y = graph_append(graph, &row_linear, shape, (Node *const[]){op_autocast(x), op_autocast(weight), op_autocast(bias)});
    y->attributes.is_bfloat16 = are_bfloat16(graph, y->in[0], y->in[1]);
    return y;
}

#endif
