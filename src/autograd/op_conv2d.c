/* conv2d and its input gradient. With the weight gradient (op_conv2d_weight_gradient.c) they are closed under differentiation:
 *
 *   y  = conv2d(x, w, b):               y[n,o,i,j] = b[o] + sum_(c,s,t) w[o,c,s,t] x[n, c, i stride + s dilation - before, ...]
 *   dx = conv2d_input_gradient(dy, w),  dw = conv2d_weight_gradient(x, dy)
 *
 * Both are one routine: output positions are lanes, output channels rows of a register tile, and a sum over taps (see
 * convolution.h) runs inside. The input gradient with a stride is as many such sums as there are phases. */
#include <string.h>

#include "autograd/convolution.h"
#include "autograd/graph.h"
#include "autograd/ops.h"

/* One phase: which planes are read, and how many results a weight tile holds. */
typedef struct Pass {
    Planes planes;
    int groups, outputs;                  /* channels of the result, in a group */
    size_t weight_output, weight_channel; /* steps in the weight of an output channel and of a channel that is read */
    int result[2], source[2];             /* height and width of both */
    const int *kernel;
    int strips;
} Pass;

static bool is_backward(const Node *node)
{
    return node->op == &row_conv2d_input_gradient;
}

static int phase_count(const Node *node)
{
    const Window *w = node->context;
    return is_backward(node) ? w->stride[0] * w->stride[1] : 1;
}

/* Narrow images lose less to copies of their own than to the gaps between rows. */
static bool shares_columns(const Axis *x)
{
    return x->outputs > 3 * CONVOLUTION_WIDTH / 4;
}

static Pass pass_of(const Node *node, int phase)
{
    const Window *w = node->context;
    const Shape source = node->in[0]->shape, weight = node->in[1]->shape;
    Pass p = {.groups = w->groups, .kernel = w->kernel};
    Axis axis[2];
    for (int a = 0; a < 2; a++) {
        p.result[a] = node->shape.dim[2 + a];
        p.source[a] = source.dim[2 + a];
        int rest = a ? phase % w->stride[1] : phase / w->stride[1];
        axis[a] = is_backward(node) ? axis_backward(w, a, p.source[a], p.result[a], rest)
                                    : axis_forward(w, a, p.source[a], p.result[a]);
    }
    size_t taps = (size_t)w->kernel[0] * (size_t)w->kernel[1];
    p.weight_output = is_backward(node) ? taps : taps * (size_t)weight.dim[1];
    p.weight_channel = is_backward(node) ? taps * (size_t)weight.dim[1] : taps;
    p.outputs = node->shape.dim[1] / w->groups;
    p.planes = planes_of(axis[0], axis[1], source.dim[1] / w->groups, shares_columns(&axis[1]));
    p.strips = planes_strips(&p.planes);
    return p;
}

/* All phases have the same number of strips, so that a strip is a unit. */
static int strip_count(const Node *node)
{
    int most = 1;
    for (int phase = 0; phase < phase_count(node); phase++) {
        int strips = pass_of(node, phase).strips;
        most = strips > most ? strips : most;
    }
    return most;
}

#ifdef KERNEL

/* Of one group: packed[tile][tap][channel of the tile]. */
static void pack_weight(const Pass *p, const real *weight, real *packed)
{
    const Planes *planes = &p->planes;
    const Axis *y = &planes->y, *x = &planes->x;
    for (int o = 0, height; o < p->outputs; o += height) {
        height = tile_height(p->outputs - o);
        for (int c = 0; c < planes->channels; c++)
            for (int ty = 0; ty < y->taps; ty++)
                for (int tx = 0; tx < x->taps; tx++) {
                    const int row = y->first_tap + ty * y->tap_step, column = x->first_tap + tx * x->tap_step;
                    const real *from = weight + (size_t)o * p->weight_output + (size_t)c * p->weight_channel +
                                       (size_t)(row * p->kernel[1] + column);
                    for (int m = 0; m < height; m++)
                        *packed++ = from[(size_t)m * p->weight_output];
                }
    }
}

/* tile[m][position] = start[m] + sum_k weight[k][m] planes[offset[k] + position] for `vectors` vectors of positions. */
static inline __attribute__((always_inline)) void product_tile(int height, int vectors, const real *planes,
                                                               const uint32_t *offset, size_t taps, const real *weight,
                                                               const real *start, real *tile)
{
    Reals sum[TILE_CHANNELS][TILE_VECTORS];
    LOOP_UNROLLED
    for (int m = 0; m < height; m++)
        LOOP_UNROLLED
    for (int v = 0; v < vectors; v++)
        sum[m][v] = reals_all(start[m]);
    for (size_t k = 0; k < taps; k++) {
        const real *from = planes + offset[k];
        Reals x[TILE_VECTORS];
        LOOP_UNROLLED
        for (int v = 0; v < vectors; v++)
            x[v] = reals_load(from + v * REALS);
        LOOP_UNROLLED
        for (int m = 0; m < height; m++) {
            const real w = weight[m]; /* the compiler spreads it over a vector */
            LOOP_UNROLLED
            for (int v = 0; v < vectors; v++)
                sum[m][v] += w * x[v];
        }
        weight += height;
    }
    LOOP_UNROLLED
    for (int m = 0; m < height; m++)
        LOOP_UNROLLED
    for (int v = 0; v < vectors; v++)
        reals_store(tile + (m * TILE_VECTORS + v) * REALS, sum[m][v]);
}

static void product(int height, int vectors, const real *planes, const uint32_t *offset, size_t taps, const real *weight,
                    const real *start, real *tile)
{
#define TILE_CASE(h, v)                                                                                                        \
    case (h)*4 + (v):                                                                                                          \
        product_tile(h, v, planes, offset, taps, weight, start, tile);                                                         \
        break;
#define TILE_CASES(h) TILE_CASE(h, 1) TILE_CASE(h, 2) TILE_CASE(h, 3)
    switch (height * 4 + vectors) {
        TILE_CASES(1)
        TILE_CASES(2)
        TILE_CASES(4)
#if defined KERNEL_AVX512
        TILE_CASES(8)
#endif
    }
#undef TILE_CASES
#undef TILE_CASE
}

/* to[i * step] = from[i]. With a stride of two a masked store writes eight numbers at a time and leaves those between alone. */
static void spread_row(real *to, const real *from, size_t count, int step)
{
    size_t i = 0;
#if defined KERNEL_AVX512
    for (; step == 2 && i < count; i += REALS) {
        const size_t lanes = count - i < REALS ? count - i : REALS;
        const Reals v = reals_load_first(from + i, lanes);
        const uint32_t mask = 0x55555555u & (uint32_t)(((uint64_t)1 << 2 * lanes) - 1);
        _mm512_mask_storeu_ps(to + 2 * i, (__mmask16)mask,
                              __builtin_shufflevector(v, v, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7));
        _mm512_mask_storeu_ps(to + 2 * i + REALS, (__mmask16)(mask >> REALS),
                              __builtin_shufflevector(v, v, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15));
    }
#endif
    for (; i < count; i++)
        to[i * (size_t)step] = from[i];
}

/* One row of the tile to the result: positions [first, first + count) of the strip that begins at output row `strip_row`. */
static void store_row(const Pass *p, const real *from, size_t first, size_t count, int strip_row, real *plane)
{
    const Planes *planes = &p->planes;
    const Axis *y = &planes->y, *x = &planes->x;
    const size_t width = (size_t)p->result[1], columns = (size_t)x->outputs;
    if (planes->row == columns && columns == width && x->output_step == 1 && y->output_step == 1) {
        copy_row(plane + (size_t)strip_row * width + first, from, count);
        return;
    }
    size_t row = first / planes->row, column = first % planes->row;
    while (count) {
        size_t run = planes->row - column < count ? planes->row - column : count;
        size_t valid = column < columns ? columns - column : 0;
        valid = valid < run ? valid : run;
        real *to =
            plane + (size_t)(y->first_output + (strip_row + (int)row) * y->output_step) * width + (size_t)x->first_output;
        if (x->output_step == 1)
            copy_row(to + column, from, valid);
        else
            spread_row(to + column * (size_t)x->output_step, from, valid, x->output_step);
        from += run;
        count -= run;
        column = 0;
        row++;
    }
}

/* Vectors [begin, end) of the positions of a strip, for all channels of one tile. */
static void run_tile(const Pass *p, const real *planes, const uint32_t *offset, const real *weight, const real *start,
                     int height, size_t begin, size_t end, size_t positions, int strip_row, real *result)
{
    real tile[TILE_CHANNELS * TILE_VECTORS * REALS];
    const size_t first = begin * REALS, left = positions - first, all = (end - begin) * REALS;
    product(height, (int)(end - begin), planes + first, offset, planes_taps(&p->planes), weight, start, tile);
    for (int m = 0; m < height; m++)
        store_row(p, tile + m * TILE_VECTORS * REALS, first, all < left ? all : left, strip_row,
                  result + (size_t)m * (size_t)p->result[0] * (size_t)p->result[1]);
}

/* One strip of one group of one image. Tiles of positions outside while the weights fit the L1 cache, else tiles of channels.
 */
static void run_strip(const Pass *p, const real *planes, const uint32_t *offset, const real *weight, const real *bias,
                      int strip_row, int rows, real *result)
{
    enum { L1_NUMBERS = 4096 };
    static const real zeros[TILE_CHANNELS] = {0};
    const size_t plane = (size_t)p->result[0] * (size_t)p->result[1], taps = planes_taps(&p->planes);
    const size_t positions = (size_t)(rows - 1) * p->planes.row + (size_t)p->planes.x.outputs;
    const size_t vectors = (positions + REALS - 1) / REALS, tiles = (vectors + TILE_VECTORS - 1) / TILE_VECTORS;
    const bool is_outside = taps * (size_t)p->outputs <= L1_NUMBERS;
    const size_t outer = is_outside ? tiles : 1, inner = is_outside ? 1 : tiles;
    for (size_t a = 0; a < outer; a++)
        for (int o = 0, height; o < p->outputs; o += height) {
            height = tile_height(p->outputs - o);
            for (size_t b = 0; b < inner; b++) {
                size_t t = a + b;
                run_tile(p, planes, offset, weight + (size_t)o * taps, bias ? bias + o : zeros, height, vectors * t / tiles,
                         vectors * (t + 1) / tiles, positions, strip_row, result + (size_t)o * plane);
            }
        }
}

static void run_pass(const Pass *p, int strips, const real *source, const real *weight, const real *bias, real *result,
                     const Part *part)
{
    const Planes *planes = &p->planes;
    const size_t taps = planes_taps(planes), outputs = (size_t)p->outputs, channels = (size_t)planes->channels;
    const size_t source_plane = (size_t)p->source[0] * (size_t)p->source[1],
                 result_plane = (size_t)p->result[0] * (size_t)p->result[1];
    const size_t group_weight = outputs * channels * (size_t)p->kernel[0] * (size_t)p->kernel[1];
    real *packed = part->scratch, *at = packed + (size_t)p->groups * outputs * taps;
    real *line = at + planes->count;
    uint32_t *offset = (void *)(line + planes->line);
    planes_offsets(planes, offset);
    for (size_t g = 0; g < (size_t)p->groups; g++)
        pack_weight(p, weight + g * group_weight, packed + g * outputs * taps);
    for (size_t unit = part->first; unit < part->first + part->count; unit++) {
        const size_t n = unit / (size_t)strips;
        const int row = (int)(unit % (size_t)strips) * planes->strip, left = planes->y.outputs - row;
        const int rows = left < planes->strip ? left : planes->strip;
        for (size_t g = 0; g < (size_t)p->groups && rows > 0; g++) {
            const size_t group = n * (size_t)p->groups + g;
            if (taps) /* with a stride, some phases have none */
                planes_fill(planes, source + group * channels * source_plane, source_plane, p->source[1], row, at, line);
            run_strip(p, at, offset, packed + g * outputs * taps, bias ? bias + g * outputs : NULL, row, rows,
                      result + group * outputs * result_plane);
        }
    }
}

/* A unit is a strip of rows of one image (of each phase). */
static void run_phases(const Node *node, void *out, const void *const in[], const Part *part, const real *bias)
{
    const int strips = strip_count(node);
    for (int phase = 0; phase < phase_count(node); phase++) {
        Pass p = pass_of(node, phase);
        planes_set_strip(&p.planes, (p.planes.y.outputs + strips - 1) / strips);
        run_pass(&p, strips, in[0], in[1], bias, out, part);
    }
}

Kernel KERNEL(run_conv2d);
void KERNEL(run_conv2d)(const Node *node, void *out, const void *const in[], const Part *part)
{
    run_phases(node, out, in, part, in[2]);
}

Kernel KERNEL(run_conv2d_input_gradient);
void KERNEL(run_conv2d_input_gradient)(const Node *node, void *out, const void *const in[], const Part *part)
{
    run_phases(node, out, in, part, NULL);
}

#else

static size_t strip_units(const Node *node)
{
    return (size_t)node->shape.dim[0] * (size_t)strip_count(node);
}

static size_t pass_scratch(const Node *node)
{
    size_t most = 0;
    const int strips = strip_count(node);
    for (int phase = 0; phase < phase_count(node); phase++) {
        Pass p = pass_of(node, phase);
        planes_set_strip(&p.planes, (p.planes.y.outputs + strips - 1) / strips);
        size_t taps = planes_taps(&p.planes),
               need = (size_t)(p.groups * p.outputs) * taps + p.planes.count + p.planes.line + taps;
        most = need > most ? need : most;
    }
    return most;
}

/* Every output position meets every weight of its channel. */
static double conv2d_flops(const Node *node)
{
    const Node *y = is_backward(node) ? node->in[0] : node;
    double weights = (double)shape_count(node->in[1]->shape);
    return 2 * weights * y->shape.dim[0] * y->shape.dim[2] * y->shape.dim[3];
}

static Node *append(const Op *op, Shape shape, Node *const in[], const Window *window)
{
    Node *y = graph_append(in[0]->graph, op, shape, in);
    Window *own = ARENA_NEW(y->graph->arena, Window);
    *own = *window;
    y->context = own;
    return y;
}

static Node *no_bias(Node *weight)
{
    return op_expand(graph_constant(weight->graph, 0), SHAPE(weight->shape.dim[0]));
}

static Node *conv2d_dx(Node *y, Node *dy)
{
    return op_conv2d_input_gradient(dy, y->in[1], y->context, y->in[0]->shape);
}

static Node *conv2d_dw(Node *y, Node *dy)
{
    return op_conv2d_weight_gradient(y->in[0], dy, y->context, y->in[1]->shape);
}

static Node *conv2d_db(Node *y, Node *dy)
{
    return op_reshape(op_sum_to(dy, SHAPE(1, dy->shape.dim[1], 1, 1)), y->in[2]->shape);
}

static Node *input_gradient_ddy(Node *y, Node *dy)
{
    return op_conv2d(dy, y->in[1], no_bias(y->in[1]), y->context);
}

static Node *input_gradient_dw(Node *y, Node *dy)
{
    return op_conv2d_weight_gradient(dy, y->in[0], y->context, y->in[1]->shape);
}

static const Window plain = {{3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 1};
static const Window strided = {{3, 2}, {2, 3}, {1, 0}, {1, 0}, {1, 2}, 1};
static const Window grouped = {{2, 3}, {1, 1}, {0, 1}, {1, 1}, {2, 1}, 2};
static const Window single = {{1, 1}, {2, 2}, {0, 0}, {0, 0}, {1, 1}, 1};

static Node *plain_example(Node *const x[])
{
    return op_conv2d(x[0], x[1], x[2], &plain);
}

static Node *strided_example(Node *const x[])
{
    return op_conv2d(x[0], x[1], x[2], &strided);
}

static Node *grouped_example(Node *const x[])
{
    return op_conv2d(x[0], x[1], x[2], &grouped);
}

static Node *single_example(Node *const x[])
{
    return op_conv2d(x[0], x[1], x[2], &single);
}

static Node *wide_gradient_example(Node *const x[])
{
    return op_conv2d_input_gradient(x[0], x[1], &plain, SHAPE(1, 2, 3, 18));
}

static Node *strided_gradient_example(Node *const x[])
{
    return op_conv2d_input_gradient(x[0], x[1], &strided, SHAPE(1, 2, 5, 7));
}

static const OpExample conv2d_examples[] = {
    {"3x3", 3, {SHAPE(2, 2, 4, 3), SHAPE(5, 2, 3, 3), SHAPE(5)}, {ANY}, plain_example},
    {"rows wider than a vector", 3, {SHAPE(1, 1, 2, 21), SHAPE(3, 1, 3, 3), SHAPE(3)}, {ANY}, plain_example},
    {"stride and dilation", 3, {SHAPE(2, 2, 5, 7), SHAPE(3, 2, 3, 2), SHAPE(3)}, {ANY}, strided_example},
    {"groups", 3, {SHAPE(1, 4, 4, 4), SHAPE(6, 2, 2, 3), SHAPE(6)}, {ANY}, grouped_example},
    {"1x1 with stride", 3, {SHAPE(2, 3, 5, 4), SHAPE(2, 3, 1, 1), SHAPE(2)}, {ANY}, single_example},
    {0}};
static const OpExample input_gradient_examples[] = {
    {"rows wider than a vector", 2, {SHAPE(1, 3, 3, 18), SHAPE(3, 2, 3, 3)}, {ANY}, wide_gradient_example},
    {"stride and dilation", 2, {SHAPE(1, 3, 3, 2), SHAPE(3, 2, 3, 2)}, {ANY}, strided_gradient_example},
    {0}};

KERNEL_DECLARE(Kernel, run_conv2d);
KERNEL_DECLARE(Kernel, run_conv2d_input_gradient);

const Op row_conv2d = {
    .name = "conv2d",
    .help = "convolution of images",
    .kind = OP_STRUCTURED,
    .inputs = 3,
    .units = strip_units,
    .scratch = pass_scratch,
    .flops = conv2d_flops,
    .kernel = KERNEL_TABLE(run_conv2d),
    .derivative = {conv2d_dx, conv2d_dw, conv2d_db},
    .examples = conv2d_examples,
};
const Op row_conv2d_input_gradient = {
    .name = "conv2d_input_gradient",
    .help = "the derivative of conv2d in its images",
    .kind = OP_STRUCTURED,
    .inputs = 2,
    .units = strip_units,
    .scratch = pass_scratch,
    .flops = conv2d_flops,
    .kernel = KERNEL_TABLE(run_conv2d_input_gradient),
    .derivative = {input_gradient_ddy, input_gradient_dw},
    .examples = input_gradient_examples,
};

Node *op_conv2d(Node *x, Node *weight, Node *bias, const Window *window)
{
    Graph *graph = x->graph;
    Shape in = x->shape, w = weight->shape;
    if (in.rank != 4 || w.rank != 4 || in.dim[1] != w.dim[1] * window->groups || w.dim[0] % window->groups)
        return graph_fail(graph, "a kernel of %s in %d groups does not take images of %s", shape_text(graph->arena, w),
                          window->groups, shape_text(graph->arena, in));
    Shape shape = SHAPE(in.dim[0], w.dim[0], window_outputs(window, 0, in.dim[2]), window_outputs(window, 1, in.dim[3]));
    if (shape.dim[2] < 1 || shape.dim[3] < 1)
        return graph_fail(graph, "a kernel of %s is larger than images of %s", shape_text(graph->arena, w),
                          shape_text(graph->arena, in));
    bias = bias ? bias : no_bias(weight);
    return append(&row_conv2d, shape, (Node *const[]){op_autocast(x), op_autocast(weight), op_autocast(bias)}, window);
}

Node *op_conv2d_input_gradient(Node *dy, Node *weight, const Window *window, Shape input)
{
    return append(&row_conv2d_input_gradient, input, (Node *const[]){dy, weight}, window);
}

#endif
