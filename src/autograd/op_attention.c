/* Attention of heads on their own sequence (Vaswani et al. 2017), and its derivative, with d = E / heads:
 *
 *   S = Q K^T / sqrt(d),  P = softmax(S) over the keys,  Y = P V
 *   dV = P^T dY,  dP = dY V^T,  dS = P (dP - sum_keys P dP) / sqrt(d),  dQ = dS K,  dK = dS^T Q
 *
 * A head of a sample is a unit. It is worked through in blocks of queries, whose scores stay in cache: no [length, length]
 * tensor is kept, and keys that come after all queries of a causal block are not touched. The derivative computes P again.
 * Keeping it was tried: four layers of 64 heads and 128 positions took 19.3 to 26.2 ms in three runs against 20.8 to 22.6, so
 * at best 1 % of such a transformer's step, for 4 MiB a layer that grow with the square of the length.
 *
 * Of half numbers P and dS are rounded before they are multiplied, as in PyTorch's kernels; sums are in float32.
 *
 * A hidden key has P = 0, but in PyTorch it is multiplied all the same, and 0 * NaN is NaN. So a head that holds a number that
 * is not finite does all products. */
#include <cblas.h>
#include <math.h>
#include <string.h>

#include "autograd/composition.h"
#include "autograd/graph.h"
#include "autograd/ops.h"

enum { QUERIES = 32, KEYS_ALIGN = 16 };

/* Rows of scores are padded to whole registers. */
static inline size_t padded(size_t length)
{
    return (length + KEYS_ALIGN - 1) / KEYS_ALIGN * KEYS_ALIGN;
}

#ifdef KERNEL

#include "tensor/lanes.h"
#include "tensor/vector_math.h"

#if defined KERNEL_AVX512
static inline real top_of(Reals x)
{
    return _mm512_reduce_max_ps(x);
}

static inline real sum_of(Reals x)
{
    return _mm512_reduce_add_ps(x);
}
#else
static inline real top_of(Reals x)
{
    real top = x[0];
    for (int lane = 1; lane < REALS; lane++)
        top = x[lane] > top ? x[lane] : top;
    return top;
}

static inline real sum_of(Reals x)
{
    real sum = 0;
    for (int lane = 0; lane < REALS; lane++)
        sum += x[lane];
    return sum;
}
#endif

/* One head of one sample. */
typedef struct Head {
    size_t length, dim, stride, padded; /* stride: of q, k, v, in [length, 3 E] */
    bool is_causal, skips_hidden;
    real scale;
    const real *q, *k, *v;
} Head;

static Head head_of(const Node *node, const real *qkv, size_t unit)
{
    const Shape shape = node->in[0]->shape;
    const size_t heads = (size_t)node->attributes.heads, length = (size_t)shape.dim[1], stride = (size_t)shape.dim[2];
    const size_t width = stride / 3, dim = width / heads, head = unit % heads;
    const real *q = qkv + unit / heads * length * stride + head * dim;
    return (Head){.length = length,
                  .dim = dim,
                  .stride = stride,
                  .padded = padded(length),
                  .is_causal = node->attributes.is_causal,
                  .scale = (real)(1 / sqrt((double)dim)),
                  .q = q,
                  .k = q + width,
                  .v = q + 2 * width};
}

/* Whether all numbers of [length, dim] are finite. */
static bool are_finite(const Head *h, const real *x, size_t stride)
{
    Reals sums = {0};
    real rest = 0;
    for (size_t j = 0; j < h->length; j++) {
        const real *row = x + j * stride;
        size_t d = 0;
        for (; d + REALS <= h->dim; d += REALS)
            sums += reals_load(row + d) * 0;
        for (; d < h->dim; d++)
            rest += row[d] * 0;
    }
    return sum_of(sums) + rest == 0;
}

/* [length, dim] as [dim, padded], times `scale`; the padding is zero. In blocks whose lines of x stay in L1: element by element
 * over whole columns it took a quarter of the derivative's time. */
static void transpose(const Head *h, const real *x, real scale, real *into)
{
    for (size_t begin = 0; begin < h->padded; begin += REALS)
        for (size_t d = 0; d < h->dim; d++) {
            const size_t count = begin >= h->length ? 0 : h->length - begin < REALS ? h->length - begin : REALS;
            const real *from = x + begin * h->stride + d;
            real *line = into + d * h->padded + begin;
            for (size_t j = 0; j < count; j++)
                line[j] = from[j * h->stride] * scale;
            for (size_t j = count; j < REALS; j++)
                line[j] = 0;
        }
}

/* Whole registers of scores, so that no loop has a rest: rows are padded to them. */
static inline size_t in_registers(size_t count)
{
    return (count + REALS - 1) / REALS * REALS;
}

/* e^(s - max s) in place of the first `count` scores, zero in place of the others up to `all`; returns the sum. A NaN need not
 * be the maximum: it makes the sum NaN. */
static real exponentials(real *s, size_t count, size_t all)
{
    const size_t end = in_registers(count), rest = in_registers(all);
    for (size_t j = count; j < end; j++)
        s[j] = -INFINITY;
    Reals tops = reals_load(s), sums = {0};
    for (size_t j = REALS; j < end; j += REALS)
        tops = reals_max(reals_load(s + j), tops);
    const real top = top_of(tops);
    for (size_t j = 0; j < end; j += REALS) {
        real values[REALS];
        LOOP_INDEPENDENT
        for (size_t lane = 0; lane < REALS; lane++)
            values[lane] = EXP(s[j + lane] - top);
        const Reals line = reals_load(values);
        sums += line;
        reals_store(s + j, line);
    }
    for (size_t j = count; j < rest; j++)
        s[j] = 0;
    return sum_of(sums);
}

/* A block of queries, and the keys that some of them see. */
typedef struct Block {
    size_t first, queries, keys;
} Block;

static Block block_of(const Head *h, size_t index)
{
    Block b = {.first = index * QUERIES};
    b.queries = h->length - b.first < QUERIES ? h->length - b.first : QUERIES;
    b.keys = h->skips_hidden ? b.first + b.queries : h->length;
    return b;
}

static size_t keys_of(const Head *h, const Block *b, size_t query)
{
    return h->is_causal ? b->first + query + 1 : b->keys;
}

/* C (+)= A B, or A^T B; the strides are those of the rows. OpenBLAS does these small ones at 107-113 GFLOP/s, as a loop of our
 * own over register tiles did (111-117), but only 71 with B transposed: that is why keys and values are. */
static void multiply(int m, int n, int terms, bool is_transposed, const real *a, size_t lda, const real *b, size_t ldb, real *c,
                     size_t ldc, bool accumulates)
{
    const enum CBLAS_TRANSPOSE transpose_a = is_transposed ? CblasTrans : CblasNoTrans;
#ifdef KERNEL_F64
    cblas_dgemm(CblasRowMajor, transpose_a, CblasNoTrans, m, n, terms, 1, a, (int)lda, b, (int)ldb, accumulates, c, (int)ldc);
#else
    cblas_sgemm(CblasRowMajor, transpose_a, CblasNoTrans, m, n, terms, 1, a, (int)lda, b, (int)ldb, accumulates, c, (int)ldc);
#endif
}

Kernel KERNEL(run_attention);
void KERNEL(run_attention)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const size_t width = (size_t)node->shape.dim[2], heads = (size_t)node->attributes.heads;
    for (size_t unit = part->first; unit < part->first + part->count; unit++) {
        Head h = head_of(node, in[0], unit);
        h.skips_hidden = h.is_causal && are_finite(&h, h.v, h.stride);
        real *keys = part->scratch, *scores = keys + h.dim * h.padded;
        real *y = (real *)out + unit / heads * h.length * width + unit % heads * h.dim;
        const int dim = (int)h.dim;
        transpose(&h, h.k, h.scale, keys);
        for (size_t index = 0; index * QUERIES < h.length; index++) {
            const Block b = block_of(&h, index);
            const int queries = (int)b.queries;
            const real *q = h.q + b.first * h.stride;
            real *rows = y + b.first * width, factor[QUERIES];
            multiply(queries, (int)in_registers(b.keys), dim, false, q, h.stride, keys, h.padded, scores, h.padded, false);
            for (size_t i = 0; i < b.queries; i++)
                factor[i] = 1 / exponentials(scores + i * h.padded, keys_of(&h, &b, i), b.keys);
            half_round_reals(scores, b.queries * h.padded, node->precision);
            multiply(queries, dim, (int)b.keys, false, scores, h.padded, h.v, h.stride, rows, width, false);
            for (size_t i = 0; i < b.queries; i++)
                for (size_t d = 0; d < h.dim; d++)
                    rows[i * width + d] *= factor[i];
        }
    }
}

/* P from e^S of the first `count` keys, and dS in place of dP of all of them, for one query. */
static void softmax_derivative(real *p, real *ds, size_t count, size_t all, real factor, real scale)
{
    const size_t seen = count / REALS * REALS, end = in_registers(all);
    Reals sums = {0};
    for (size_t j = 0; j < seen; j += REALS)
        reals_store(p + j, reals_load(p + j) * factor);
    for (size_t j = seen; j < count; j++)
        p[j] *= factor;
    for (size_t j = 0; j < end; j += REALS)
        sums += reals_load(p + j) * reals_load(ds + j);
    const real mean = sum_of(sums);
    for (size_t j = 0; j < end; j += REALS)
        reals_store(ds + j, reals_load(p + j) * (reals_load(ds + j) - mean) * scale);
}

/* The last block of queries sees every key, so it is the one that starts the sums of dK and dV. */
Kernel KERNEL(run_attention_dx);
void KERNEL(run_attention_dx)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const size_t width = (size_t)node->shape.dim[2] / 3, heads = (size_t)node->attributes.heads;
    for (size_t unit = part->first; unit < part->first + part->count; unit++) {
        Head h = head_of(node, in[0], unit);
        const real *dy = (const real *)in[1] + unit / heads * h.length * width + unit % heads * h.dim;
        h.skips_hidden = h.is_causal && are_finite(&h, h.q, h.stride) && are_finite(&h, h.k, h.stride) &&
                         are_finite(&h, h.v, h.stride) && are_finite(&h, dy, width);
        real *keys = part->scratch, *values = keys + h.dim * h.padded, *p = values + h.dim * h.padded,
             *ds = p + QUERIES * h.padded;
        real *dq = (real *)out + (h.q - (const real *)in[0]), *dk = dq + width, *dv = dk + width;
        const int dim = (int)h.dim;
        transpose(&h, h.k, h.scale, keys);
        transpose(&h, h.v, 1, values);
        for (size_t index = (h.length + QUERIES - 1) / QUERIES; index-- > 0;) {
            const Block b = block_of(&h, index);
            const bool is_last = b.first + b.queries == h.length;
            const int queries = (int)b.queries, seen = (int)b.keys, n = (int)in_registers(b.keys);
            const real *q = h.q + b.first * h.stride, *rows = dy + b.first * width;
            multiply(queries, n, dim, false, q, h.stride, keys, h.padded, p, h.padded, false);
            multiply(queries, n, dim, false, rows, width, values, h.padded, ds, h.padded, false);
            for (size_t i = 0; i < b.queries; i++) {
                const size_t count = keys_of(&h, &b, i);
                const real factor = 1 / exponentials(p + i * h.padded, count, b.keys);
                softmax_derivative(p + i * h.padded, ds + i * h.padded, count, b.keys, factor, h.scale);
            }
            half_round_reals(p, b.queries * h.padded, node->precision);
            half_round_reals(ds, b.queries * h.padded, node->precision);
            multiply(queries, dim, seen, false, ds, h.padded, h.k, h.stride, dq + b.first * h.stride, h.stride, false);
            multiply(seen, dim, queries, true, ds, h.padded, q, h.stride, dk, h.stride, !is_last);
            multiply(seen, dim, queries, true, p, h.padded, rows, width, dv, h.stride, !is_last);
        }
    }
}

/* A unit is one matrix row. */
Kernel KERNEL(run_causal);
void KERNEL(run_causal)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const size_t keys = (size_t)shape_last(node->shape), queries = (size_t)node->shape.dim[node->shape.rank - 2];
    for (size_t row = part->first; row < part->first + part->count; row++) {
        const size_t seen = row % queries + 1 < keys ? row % queries + 1 : keys;
        real *y = (real *)out + row * keys;
        memcpy(y, (const real *)in[0] + row * keys, seen * sizeof *y);
        for (size_t j = seen; j < keys; j++)
            y[j] = (real)node->attributes.k;
    }
}

#else

static size_t head_units(const Node *node)
{
    return (size_t)node->in[0]->shape.dim[0] * (size_t)node->attributes.heads;
}

static size_t row_units(const Node *node)
{
    return shape_count(node->shape) / (size_t)shape_last(node->shape);
}

static size_t head_dim(const Node *node)
{
    return (size_t)node->in[0]->shape.dim[2] / 3 / (size_t)node->attributes.heads;
}

static size_t attention_scratch(const Node *node)
{
    return (head_dim(node) + QUERIES) * padded((size_t)node->in[0]->shape.dim[1]);
}

static size_t attention_dx_scratch(const Node *node)
{
    return 2 * attention_scratch(node);
}

/* Of one product of all queries with the keys they see. */
static double product_flops(const Node *node)
{
    Shape shape = node->in[0]->shape;
    double flops = 2.0 * shape.dim[0] * shape.dim[1] * shape.dim[1] * shape.dim[2] / 3;
    return node->attributes.is_causal ? flops / 2 : flops;
}

static double attention_flops(const Node *node)
{
    return 2 * product_flops(node);
}

static double attention_dx_flops(const Node *node)
{
    return 5 * product_flops(node);
}

/* Part 0, 1 or 2 (queries, keys, values) of qkv as [batch * heads, length, dim]. */
static Node *part_of(Node *qkv, int heads, int part)
{
    int batch = qkv->shape.dim[0], length = qkv->shape.dim[1], dim = qkv->shape.dim[2] / 3 / heads;
    Node *x = op_slice(qkv, 2, part * heads * dim, heads * dim);
    x = op_transpose(op_reshape(x, SHAPE(batch, length, heads, dim)), 1, 2);
    return op_reshape(x, SHAPE(batch * heads, length, dim));
}

static Node *composed(Node *qkv, int heads, bool is_causal)
{
    int batch = qkv->shape.dim[0], length = qkv->shape.dim[1], width = qkv->shape.dim[2] / 3;
    Node *q = part_of(qkv, heads, 0), *k = part_of(qkv, heads, 1), *v = part_of(qkv, heads, 2);
    Node *scores = op_scale(op_matmul(q, k, false, true), 1 / sqrt((double)width / heads));
    Node *p = op_softmax(is_causal ? op_causal(scores, -INFINITY) : scores);
    Node *y = op_reshape(op_matmul(p, v, false, false), SHAPE(batch, heads, length, width / heads));
    return op_reshape(op_transpose(y, 1, 2), SHAPE(batch, length, width));
}

static Node *attention_dx(Node *y, Node *dy)
{
    Node *dx = graph_append(y->graph, &row_attention_dx, y->in[0]->shape, (Node *const[]){y->in[0], dy});
    dx->attributes = y->attributes;
    return dx;
}

static Node *compose_dx(const Node *y, Node *const in[])
{
    Node *value = op_sum(op_mul(composed(in[0], y->attributes.heads, y->attributes.is_causal), in[1])), *dx;
    graph_gradient(value, NULL, in, 1, NULL, 0, &dx);
    return dx;
}

static Node *attention_dx_dx(Node *y, Node *dy)
{
    return composition_derivative(y, dy, 0, compose_dx);
}

static Node *attention_dx_ddy(Node *y, Node *dy)
{
    return composition_derivative(y, dy, 1, compose_dx);
}

static Node *causal_dx(Node *y, Node *dy)
{
    (void)y;
    return op_causal(dy, 0);
}

static Node *causal_example(Node *const x[])
{
    return op_softmax(op_causal(x[0], -INFINITY));
}

static Node *attention_example(Node *const x[])
{
    return op_attention(x[0], 2, false);
}

static Node *causal_attention_example(Node *const x[])
{
    return op_attention(x[0], 2, true);
}

static Node *one_head_example(Node *const x[])
{
    return op_attention(x[0], 1, true);
}

static Node *dx_example(Node *const x[])
{
    return attention_dx(op_attention(x[0], 2, false), x[1]);
}

static Node *causal_dx_example(Node *const x[])
{
    return attention_dx(op_attention(x[0], 1, true), x[1]);
}

static const OpExample causal_examples[] = {{"", 1, {SHAPE(2, 3, 3)}, {ANY}, causal_example}, {0}};
static const OpExample attention_examples[] = {{"two heads", 1, {SHAPE(2, 5, 12)}, {ANY}, attention_example},
                                               {"two causal heads", 1, {SHAPE(2, 5, 12)}, {ANY}, causal_attention_example},
                                               {"more queries than a block", 1, {SHAPE(1, 37, 6)}, {ANY}, one_head_example},
                                               {"features that fill tiles", 1, {SHAPE(1, 9, 108)}, {ANY}, one_head_example},
                                               {0}};
static const OpExample dx_examples[] = {
    {"two heads", 2, {SHAPE(2, 5, 12), SHAPE(2, 5, 4)}, {ANY}, dx_example},
    {"more queries than a block", 2, {SHAPE(1, 37, 3), SHAPE(1, 37, 1)}, {ANY}, causal_dx_example},
    {"features that fill tiles", 2, {SHAPE(1, 6, 108), SHAPE(1, 6, 36)}, {ANY}, causal_dx_example},
    {0}};

KERNEL_DECLARE(Kernel, run_causal);
KERNEL_DECLARE(Kernel, run_attention);
KERNEL_DECLARE(Kernel, run_attention_dx);

const Op row_causal = {
    .name = "causal",
    .help = "hides keys that come after the query",
    .kind = OP_STRUCTURED,
    .inputs = 1,
    .units = row_units,
    .kernel = KERNEL_TABLE(run_causal),
    .derivative = {causal_dx},
    .examples = causal_examples,
};
const Op row_attention = {
    .name = "attention",
    .help = "softmax(Q K^T / sqrt(d)) V of every head",
    .kind = OP_STRUCTURED,
    .inputs = 1,
    .units = head_units,
    .scratch = attention_scratch,
    .flops = attention_flops,
    .kernel = KERNEL_TABLE(run_attention),
    .derivative = {attention_dx},
    .examples = attention_examples,
};
const Op row_attention_dx = {
    .name = "attention_dx",
    .help = "the derivative of attention",
    .kind = OP_STRUCTURED,
    .inputs = 2,
    .units = head_units,
    .scratch = attention_dx_scratch,
    .flops = attention_dx_flops,
    .kernel = KERNEL_TABLE(run_attention_dx),
    .derivative = {attention_dx_dx, attention_dx_ddy},
    .examples = dx_examples,
};

Node *op_causal(Node *x, double fill)
{
    if (x->shape.rank < 2)
        return graph_fail(x->graph, "%s has no queries and keys", shape_text(x->graph->arena, x->shape));
    Node *y = graph_append(x->graph, &row_causal, x->shape, (Node *const[]){x});
    y->attributes.k = fill;
    return y;
}

Node *op_attention(Node *qkv, int heads, bool is_causal)
{
    Graph *graph = qkv->graph;
    if (qkv->shape.rank != 3 || heads < 1 || qkv->shape.dim[2] % (3 * heads))
        return graph_fail(graph, "%s is not queries, keys and values of %d heads", shape_text(graph->arena, qkv->shape), heads);
    Shape shape = qkv->shape;
    shape.dim[2] /= 3;
    Node *y = graph_append(graph, &row_attention, shape, (Node *const[]){op_autocast(qkv)});
    y->attributes.heads = heads;
    y->attributes.is_causal = is_causal;
    return y;
}

#endif
