/* expand and sum_to: broadcasting and its reverse. Each is the other's derivative.
 *
 * Both walk the same index space, the big shape, whose axes are merged into runs that are either kept (they exist in the
 * small shape) or repeated (they have size 1 there). */
#include <string.h>

#include "autograd/graph.h"
#include "autograd/ops.h"

typedef struct Walk {
    int axes;
    size_t size[SHAPE_MAX_RANK];   /* of the merged axes of the big shape */
    size_t stride[SHAPE_MAX_RANK]; /* in the small tensor; 0 where it repeats */
} Walk;

#ifdef KERNEL

static Walk walk_of(Shape big, Shape small)
{
    Walk walk = {0};
    bool kept[SHAPE_MAX_RANK];
    for (int i = 0; i < big.rank; i++) {
        int j = i - (big.rank - small.rank);
        bool keep = j >= 0 && small.dim[j] == big.dim[i];
        if (big.dim[i] == 1)
            continue;
        if (walk.axes && kept[walk.axes - 1] == keep) {
            walk.size[walk.axes - 1] *= (size_t)big.dim[i];
        } else {
            kept[walk.axes] = keep;
            walk.size[walk.axes++] = (size_t)big.dim[i];
        }
    }
    if (!walk.axes) {
        kept[0] = true;
        walk.size[walk.axes++] = 1;
    }
    size_t stride = 1;
    for (int i = walk.axes - 1; i >= 0; i--) {
        walk.stride[i] = kept[i] ? stride : 0;
        stride *= kept[i] ? walk.size[i] : 1;
    }
    return walk;
}

/* Elements [first, first + count) of the big tensor, run by run along its last merged axis. */
Kernel KERNEL(run_expand);
void KERNEL(run_expand)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const Walk walk = walk_of(node->shape, node->in[0]->shape);
    const int last = walk.axes - 1;
    const size_t run = walk.size[last], end = part->first + part->count;
    const real *x = in[0];
    real *y = out;
    for (size_t at = part->first; at < end;) {
        size_t within = at % run, rest = at / run, offset = 0;
        for (int i = last - 1; i >= 0; i--) {
            offset += rest % walk.size[i] * walk.stride[i];
            rest /= walk.size[i];
        }
        size_t length = run - within < end - at ? run - within : end - at;
        if (walk.stride[last]) {
            memcpy(y, x + offset + within, length * sizeof *y);
        } else {
            const real value = x[offset];
            for (size_t i = 0; i < length; i++)
                y[i] = value;
        }
        y += length;
        at += length;
    }
}

enum { TILE = 64, LANES = 16, RUN = 512 };

/* Sums `length` contiguous numbers: lanes in `real` over short runs, runs in double. */
static double sum_run(const real *x, size_t length)
{
    double total = 0;
    while (length) {
        size_t n = length < RUN ? length : RUN, i = 0;
        real lane[LANES] = {0};
        for (; i + LANES <= n; i += LANES)
            for (int j = 0; j < LANES; j++)
                lane[j] += x[i + (size_t)j];
        double sum = 0;
        for (; i < n; i++)
            sum += (double)x[i];
        for (int j = 0; j < LANES; j++)
            sum += (double)lane[j];
        total += sum;
        x += n;
        length -= n;
    }
    return total;
}

/* The offset in the big tensor of combination `number` of its kept (or repeated) axes, the last merged axis left out. */
static size_t offset_of(const Walk *walk, const size_t big_stride[], size_t number, bool kept)
{
    size_t offset = 0;
    for (int i = walk->axes - 2; i >= 0; i--) {
        if ((walk->stride[i] != 0) != kept)
            continue;
        offset += number % walk->size[i] * big_stride[i];
        number /= walk->size[i];
    }
    return offset;
}

/* A unit is a tile of up to TILE neighbouring results where the last axis is kept, else one result. */
Kernel KERNEL(run_sum_to);
void KERNEL(run_sum_to)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const Walk walk = walk_of(node->in[0]->shape, node->shape);
    const int last = walk.axes - 1;
    size_t big_stride[SHAPE_MAX_RANK], stride = 1, repeats = 1;
    for (int i = last; i >= 0; i--) {
        big_stride[i] = stride;
        stride *= walk.size[i];
        if (i < last && !walk.stride[i])
            repeats *= walk.size[i];
    }
    const size_t run = walk.size[last];
    const size_t tiles = walk.stride[last] ? (run + TILE - 1) / TILE : 1;
    const real *x = in[0];
    real *y = out;
    for (size_t unit = part->first; unit < part->first + part->count; unit++) {
        const real *base = x + offset_of(&walk, big_stride, unit / tiles, true);
        if (!walk.stride[last]) {
            double total = 0;
            for (size_t r = 0; r < repeats; r++)
                total += sum_run(base + offset_of(&walk, big_stride, r, false), run);
            y[unit] = (real)total;
            continue;
        }
        size_t begin = unit % tiles * TILE, width = run - begin < TILE ? run - begin : TILE;
        double total[TILE] = {0};
        for (size_t r = 0; r < repeats; r++) {
            const real *row = base + offset_of(&walk, big_stride, r, false) + begin;
            for (size_t i = 0; i < width; i++)
                total[i] += (double)row[i];
        }
        for (size_t i = 0; i < width; i++)
            y[unit / tiles * run + begin + i] = (real)total[i];
    }
}

#else

enum { TILE = 64 };

/* As the kernel numbers its units. */
static size_t sum_to_units(const Node *node)
{
    Shape big = node->in[0]->shape, small = node->shape;
    size_t count = shape_count(small), run = 1;
    for (int i = big.rank - 1, j = small.rank - 1; i >= 0; i--, j--) {
        bool keep = j >= 0 && small.dim[j] == big.dim[i];
        if (!keep && big.dim[i] != 1)
            break;
        run *= (size_t)big.dim[i];
    }
    return run > 1 ? count / run * ((run + TILE - 1) / TILE) : count;
}

static double sum_to_flops(const Node *node)
{
    return (double)shape_count(node->in[0]->shape);
}

static Node *expand_dx(Node *y, Node *dy)
{
    return op_sum_to(dy, y->in[0]->shape);
}

static Node *sum_to_dx(Node *y, Node *dy)
{
    return op_expand(dy, y->in[0]->shape);
}

static Node *expand_example(Node *const x[])
{
    return op_expand(x[0], SHAPE(2, 3, 4, 5));
}

static Node *sum_example(Node *const x[])
{
    return op_sum_to(x[0], SHAPE(3, 1, 5));
}

static Node *sum_columns_example(Node *const x[])
{
    return op_sum_to(x[0], SHAPE(70));
}

static Node *sum_last_example(Node *const x[])
{
    return op_sum_last(x[0]);
}

static const OpExample expand_examples[] = {{"rows and columns", 1, {SHAPE(3, 1, 5)}, {ANY}, expand_example},
                                            {"a scalar", 1, {SHAPE_SCALAR}, {ANY}, expand_example},
                                            {"a row", 1, {SHAPE(5)}, {ANY}, expand_example},
                                            {0}};
static const OpExample sum_to_examples[] = {{"inner and outer axes", 1, {SHAPE(2, 3, 4, 5)}, {ANY}, sum_example},
                                            {"columns wider than a tile", 1, {SHAPE(3, 70)}, {ANY}, sum_columns_example},
                                            {"the last axis", 1, {SHAPE(3, 33)}, {ANY}, sum_last_example},
                                            {0}};

KERNEL_DECLARE(Kernel, run_expand);
KERNEL_DECLARE(Kernel, run_sum_to);

const Op row_expand = {
    .name = "expand",
    .help = "repeats axes of size one",
    .kind = OP_MAP,
    .inputs = 1,
    .whole_input = true,
    .kernel = KERNEL_TABLE(run_expand),
    .derivative = {expand_dx},
    .examples = expand_examples,
};
const Op row_sum_to = {
    .name = "sum_to",
    .help = "sums over axes",
    .kind = OP_STRUCTURED,
    .inputs = 1,
    .units = sum_to_units,
    .flops = sum_to_flops,
    .kernel = KERNEL_TABLE(run_sum_to),
    .derivative = {sum_to_dx},
    .examples = sum_to_examples,
};

static bool broadcasts(Shape small, Shape big)
{
    if (small.rank > big.rank)
        return false;
    for (int i = 1; i <= small.rank; i++)
        if (small.dim[small.rank - i] != 1 && small.dim[small.rank - i] != big.dim[big.rank - i])
            return false;
    return true;
}

Node *op_expand(Node *x, Shape shape)
{
    if (shape_equal(x->shape, shape))
        return x;
    if (!broadcasts(x->shape, shape))
        return graph_fail(x->graph, "%s does not broadcast to %s", shape_text(x->graph->arena, x->shape),
                          shape_text(x->graph->arena, shape));
    if (shape_count(x->shape) == shape_count(shape))
        return op_reshape(x, shape);
    return graph_append(x->graph, &row_expand, shape, (Node *const[]){x});
}

Node *op_sum_to(Node *x, Shape shape)
{
    if (shape_equal(x->shape, shape))
        return x;
    if (!broadcasts(shape, x->shape))
        return graph_fail(x->graph, "%s cannot be summed to %s", shape_text(x->graph->arena, x->shape),
                          shape_text(x->graph->arena, shape));
    if (shape_count(x->shape) == shape_count(shape))
        return op_reshape(x, shape);
    return graph_append(x->graph, &row_sum_to, shape, (Node *const[]){x});
}

Node *op_zeros_like(Node *x)
{
    return op_expand(graph_constant(x->graph, 0), x->shape);
}

Node *op_sum(Node *x)
{
    return op_sum_to(x, SHAPE_SCALAR);
}

Node *op_mean(Node *x)
{
    /* In float32: a sum may leave the range of float16 where its mean does not. */
    Node *sum = op_sum(op_cast(x, PRECISION_FLOAT32));
    return op_cast(op_scale(sum, 1 / (double)shape_count(x->shape)), x->precision);
}

Node *op_sum_last(Node *x)
{
    Shape shape = x->shape;
    if (shape.rank)
        shape.dim[shape.rank - 1] = 1;
    return op_sum_to(x, shape);
}

#endif
