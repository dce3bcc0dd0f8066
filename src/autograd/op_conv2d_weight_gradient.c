/* conv2d_weight_gradient(x, dy): dw[o,c,s,t] = sum over images and positions of dy[n,o,i,j] x[n, c, i stride + s dilation -
 * before, ...].
 *
 * Output channels by taps is a register tile, the lanes are positions: the planes of convolution.h serve both operands of the
 * sum. A unit is a range of weights, and goes through all images in the same order, so the bits do not depend on threads. */
#include <assert.h>
#include <string.h>

#include "autograd/convolution.h"
#include "autograd/graph.h"
#include "autograd/ops.h"

enum { UNIT_CHANNELS = 8, UNITS = 8, TILE_TAPS = 3, CHUNK_LIMIT = 4 };

typedef struct Sum {
    Planes planes;
    int images, groups, outputs; /* outputs and planes' channels: of a group */
    int strips, together;        /* of an image; images that are summed before lanes are added up */
    int blocks, chunks;          /* of output channels of a group, of taps: a unit is one of each */
    int size[2], out[2];         /* of x and of dy */
    size_t
        delta; /* numbers of a packed channel of dy: 4096 bytes apart, all channels would fall into one set of the L1 cache */
} Sum;

/* Rows that are summed by themselves should fill their vectors; otherwise positions are to run on from row to row. */
static bool shares_columns(const Axis *x)
{
    int rest = x->outputs % CONVOLUTION_WIDTH;
    return rest == 0 || rest >= 3 * CONVOLUTION_WIDTH / 4;
}

static Sum sum_of(const Node *node)
{
    const Window *w = node->context;
    const Shape x = node->in[0]->shape, dy = node->in[1]->shape;
    Sum s = {.images = x.dim[0],
             .groups = w->groups,
             .outputs = dy.dim[1] / w->groups,
             .size = {x.dim[2], x.dim[3]},
             .out = {dy.dim[2], dy.dim[3]}};
    const Axis vertical = axis_forward(w, 0, s.size[0], s.out[0]), horizontal = axis_forward(w, 1, s.size[1], s.out[1]);
    s.planes = planes_of(vertical, horizontal, x.dim[1] / w->groups, shares_columns(&horizontal));
    s.strips = planes_strips(&s.planes);
    size_t positions = (size_t)s.planes.strip * (size_t)s.out[1];
    size_t together = s.strips > 1 || !s.planes.count ? 1 : 2 * CONVOLUTION_PLANES / s.planes.count;
    assert(positions > 0);
    size_t enough = (CONVOLUTION_POSITIONS + positions - 1) / positions;
    together = together < enough ? together : enough;
    together = together < (size_t)s.images ? together : (size_t)s.images;
    s.together = together ? (int)together : 1;
    s.delta = (positions + CONVOLUTION_WIDTH - 1) / CONVOLUTION_WIDTH * CONVOLUTION_WIDTH + CONVOLUTION_WIDTH;
    s.blocks = (s.outputs + UNIT_CHANNELS - 1) / UNIT_CHANNELS;
    s.chunks = UNITS / (s.blocks * s.groups);
    s.chunks = s.chunks < 1 ? 1 : s.chunks > CHUNK_LIMIT ? CHUNK_LIMIT : s.chunks;
    return s;
}

#ifdef KERNEL

/* total[m * step] += sum of the lanes of v[m] */
static inline __attribute__((always_inline)) void add_lanes(int height, Reals v[], real *total, size_t step)
{
    real lanes[TILE_CHANNELS * REALS];
    int vectors = height, each = REALS;
    LOOP_UNROLLED
    for (int level = 0; level < 3; level++)
        if (vectors > 1 && each > 1) {
            vectors /= 2;
            each /= 2;
            LOOP_UNROLLED
            for (int i = 0; i < vectors; i++)
                v[i] = EVEN_LANES(v[2 * i], v[2 * i + 1]) + ODD_LANES(v[2 * i], v[2 * i + 1]);
        }
    LOOP_UNROLLED
    for (int i = 0; i < vectors; i++)
        reals_store(lanes + i * REALS, v[i]);
    for (int m = 0; m < height; m++) {
        real sum = 0;
        for (int i = 0; i < each; i++)
            sum += lanes[m * each + i];
        total[(size_t)m * step] += sum;
    }
}

/* Runs of neighbouring positions: `runs` of `length`, `x_step` apart in the planes. */
typedef struct Runs {
    size_t images, x_image, dy_image; /* steps from image to image */
    size_t runs, length, x_step;
    size_t dy_plane;
} Runs;

static inline __attribute__((always_inline)) void sum_tile(int height, const Runs *r, const real *planes,
                                                           const uint32_t offset[], const real *dy, real *total, size_t taps,
                                                           int valid)
{
    Reals sum[TILE_TAPS][TILE_CHANNELS];
    LOOP_UNROLLED
    for (int t = 0; t < TILE_TAPS; t++)
        LOOP_UNROLLED
    for (int m = 0; m < height; m++)
        sum[t][m] = (Reals){0};
    for (size_t n = 0; n < r->images; n++)
        for (size_t run = 0; run < r->runs; run++) {
            const real *x[TILE_TAPS], *d = dy + n * r->dy_image + run * r->length;
            LOOP_UNROLLED
            for (int t = 0; t < TILE_TAPS; t++)
                x[t] = planes + n * r->x_image + run * r->x_step + offset[t];
            size_t i = 0;
            for (; i + REALS <= r->length; i += REALS) {
                Reals values[TILE_TAPS];
                LOOP_UNROLLED
                for (int t = 0; t < TILE_TAPS; t++)
                    values[t] = reals_load(x[t] + i);
                LOOP_UNROLLED
                for (int m = 0; m < height; m++) {
                    Reals delta = reals_load(d + (size_t)m * r->dy_plane + i);
                    KEEP_IN_REGISTER(delta);
                    LOOP_UNROLLED
                    for (int t = 0; t < TILE_TAPS; t++)
                        sum[t][m] += values[t] * delta;
                }
            }
            if (i < r->length) {
                Reals values[TILE_TAPS];
                LOOP_UNROLLED
                for (int t = 0; t < TILE_TAPS; t++)
                    values[t] = reals_load_first(x[t] + i, r->length - i);
                LOOP_UNROLLED
                for (int m = 0; m < height; m++) {
                    const Reals delta = reals_load_first(d + (size_t)m * r->dy_plane + i, r->length - i);
                    LOOP_UNROLLED
                    for (int t = 0; t < TILE_TAPS; t++)
                        sum[t][m] += values[t] * delta;
                }
            }
        }
    LOOP_UNROLLED
    for (int t = 0; t < TILE_TAPS; t++)
        if (t < valid)
            add_lanes(height, sum[t], total + t, taps);
}

/* Taps [begin, end) of `height` output channels. */
static void sum_taps(int height, const Runs *r, const real *planes, const uint32_t *offset, size_t begin, size_t end,
                     const real *dy, real *total, size_t taps)
{
    for (size_t k = begin; k < end; k += TILE_TAPS) {
        int valid = end - k < TILE_TAPS ? (int)(end - k) : TILE_TAPS;
        uint32_t three[TILE_TAPS];
        for (int t = 0; t < TILE_TAPS; t++)
            three[t] = offset[t < valid ? k + (size_t)t : k];
        switch (height) {
#if defined KERNEL_AVX512
        case 8:
            sum_tile(8, r, planes, three, dy, total + k, taps, valid);
            break;
#endif
        case 4:
            sum_tile(4, r, planes, three, dy, total + k, taps, valid);
            break;
        case 2:
            sum_tile(2, r, planes, three, dy, total + k, taps, valid);
            break;
        default:
            sum_tile(1, r, planes, three, dy, total + k, taps, valid);
        }
    }
}

static int block_of(const Sum *s, size_t unit)
{
    return (int)(unit / (size_t)s->chunks) % s->blocks;
}

static int block_channels(const Sum *s, int block)
{
    int left = s->outputs - block * UNIT_CHANNELS;
    return left < UNIT_CHANNELS ? left : UNIT_CHANNELS;
}

static size_t chunk_begin(const Sum *s, int chunk)
{
    size_t taps = planes_taps(&s->planes), tiles = (taps + TILE_TAPS - 1) / TILE_TAPS;
    size_t begin = tiles * (size_t)chunk / (size_t)s->chunks * TILE_TAPS;
    return begin < taps ? begin : taps;
}

/* Adds to a unit, from planes that are filled for its group and from its channels of dy. */
static void add_unit(const Sum *s, size_t unit, const Runs *r, const real *planes, const uint32_t *offset, const real *dy,
                     real *dw)
{
    const int chunk = (int)(unit % (size_t)s->chunks), block = block_of(s, unit);
    const size_t taps = planes_taps(&s->planes);
    const int channels = block_channels(s, block);
    for (int m = 0, height; m < channels; m += height) {
        height = tile_height(channels - m);
        sum_taps(height, r, planes, offset, chunk_begin(s, chunk), chunk_begin(s, chunk + 1), dy + (size_t)m * r->dy_plane,
                 dw + (size_t)(block * UNIT_CHANNELS + m) * taps, taps);
    }
}

static void clear_unit(const Sum *s, size_t unit, real *dw)
{
    const int chunk = (int)(unit % (size_t)s->chunks), first = block_of(s, unit) * UNIT_CHANNELS;
    const size_t taps = planes_taps(&s->planes);
    for (int o = first; o < first + block_channels(s, first / UNIT_CHANNELS); o++)
        for (size_t k = chunk_begin(s, chunk); k < chunk_begin(s, chunk + 1); k++)
            dw[(size_t)o * taps + k] = 0;
}

/* Where the parts of the scratch memory begin. */
typedef struct Scratch {
    real *planes, *delta, *line;
    uint32_t *offset;
} Scratch;

static Scratch scratch_of(const Sum *s, void *memory)
{
    Scratch at = {.planes = memory};
    at.delta = at.planes + (size_t)s->together * s->planes.count;
    at.line = at.delta + (size_t)s->together * UNIT_CHANNELS * s->delta;
    at.offset = (void *)(at.line + s->planes.line);
    return at;
}

/* The channels of a block, a run of `length` of each, from `count` images. */
static void pack_delta(const Sum *s, int block, const real *dy, size_t image_step, size_t plane, size_t count, size_t length,
                       real *delta)
{
    const size_t channels = (size_t)block_channels(s, block);
    for (size_t n = 0; n < count; n++)
        for (size_t m = 0; m < channels; m++)
            copy_row(delta + (n * UNIT_CHANNELS + m) * s->delta,
                     dy + n * image_step + ((size_t)block * UNIT_CHANNELS + m) * plane, length);
}

/* A strip of images [first, first + count), group by group. */
static void add_strip(const Sum *s, size_t first, size_t count, int strip, const real *x, const real *dy, real *dw,
                      const Part *part)
{
    const Planes *p = &s->planes;
    const Scratch at = scratch_of(s, part->scratch);
    const size_t x_plane = (size_t)s->size[0] * (size_t)s->size[1], dy_plane = (size_t)s->out[0] * (size_t)s->out[1];
    const size_t per_group = (size_t)(s->blocks * s->chunks), groups = (size_t)s->groups, outputs = (size_t)s->outputs;
    const int row = strip * p->strip, rows = s->out[0] - row < p->strip ? s->out[0] - row : p->strip;
    const size_t columns = (size_t)s->out[1], length = (size_t)rows * columns;
    Runs r = {.images = count,
              .x_image = p->count,
              .dy_image = UNIT_CHANNELS * s->delta,
              .dy_plane = s->delta,
              .runs = p->shared ? (size_t)rows : 1,
              .length = p->shared ? columns : length,
              .x_step = p->row};
    for (size_t unit = part->first, end = part->first + part->count; unit < end;) {
        const size_t g = unit / per_group;
        const real *deltas = dy + (first * groups + g) * outputs * dy_plane + (size_t)row * columns;
        for (size_t n = 0; n < count; n++)
            planes_fill(p, x + ((first + n) * groups + g) * (size_t)p->channels * x_plane, x_plane, s->size[1], row,
                        at.planes + n * p->count, at.line);
        for (int packed = -1; unit < end && unit / per_group == g; unit++) {
            if (packed != block_of(s, unit))
                pack_delta(s, block_of(s, unit), deltas, groups * outputs * dy_plane, dy_plane, count, length, at.delta);
            packed = block_of(s, unit);
            add_unit(s, unit, &r, at.planes, at.offset, at.delta, dw + g * outputs * planes_taps(p));
        }
    }
}

Kernel KERNEL(run_conv2d_weight_gradient);
void KERNEL(run_conv2d_weight_gradient)(const Node *node, void *out, const void *const in[], const Part *part)
{
    const Sum s = sum_of(node);
    const size_t together = (size_t)s.together, images = (size_t)s.images, taps = planes_taps(&s.planes);
    planes_offsets(&s.planes, scratch_of(&s, part->scratch).offset);
    for (size_t unit = part->first; unit < part->first + part->count; unit++)
        clear_unit(&s, unit, (real *)out + unit / (size_t)(s.blocks * s.chunks) * (size_t)s.outputs * taps);
    for (size_t n = 0; n < images; n += together)
        for (int strip = 0; strip < s.strips; strip++)
            add_strip(&s, n, images - n < together ? images - n : together, strip, in[0], in[1], out, part);
}

#else

static size_t weight_units(const Node *node)
{
    const Sum s = sum_of(node);
    return (size_t)s.groups * (size_t)s.blocks * (size_t)s.chunks;
}

static size_t sum_scratch(const Node *node)
{
    const Sum s = sum_of(node);
    return (size_t)s.together * (s.planes.count + UNIT_CHANNELS * s.delta) + s.planes.line + planes_taps(&s.planes);
}

static double sum_flops(const Node *node)
{
    const Shape dy = node->in[1]->shape;
    return 2.0 * (double)shape_count(node->shape) * dy.dim[0] * dy.dim[2] * dy.dim[3];
}

static Node *weight_gradient_dx(Node *y, Node *dy)
{
    return op_conv2d_input_gradient(y->in[1], dy, y->context, y->in[0]->shape);
}

static Node *weight_gradient_ddy(Node *y, Node *dy)
{
    return op_conv2d(y->in[0], dy, NULL, y->context);
}

static const Window plain = {{3, 3}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, 1};
static const Window strided = {{3, 2}, {2, 3}, {1, 0}, {1, 0}, {1, 2}, 2};

static Node *plain_example(Node *const x[])
{
    return op_conv2d_weight_gradient(x[0], x[1], &plain, SHAPE(5, 2, 3, 3));
}

static Node *wide_example(Node *const x[])
{
    return op_conv2d_weight_gradient(x[0], x[1], &plain, SHAPE(9, 1, 3, 3));
}

static Node *strided_example(Node *const x[])
{
    return op_conv2d_weight_gradient(x[0], x[1], &strided, SHAPE(4, 1, 3, 2));
}

static const OpExample examples[] = {
    {"3x3", 2, {SHAPE(3, 2, 3, 4), SHAPE(3, 5, 3, 4)}, {ANY}, plain_example},
    {"rows wider than a vector", 2, {SHAPE(2, 1, 2, 30), SHAPE(2, 9, 2, 30)}, {ANY}, wide_example},
    {"stride, dilation and groups", 2, {SHAPE(2, 2, 5, 7), SHAPE(2, 4, 3, 2)}, {ANY}, strided_example},
    {0}};

KERNEL_DECLARE(Kernel, run_conv2d_weight_gradient);

const Op row_conv2d_weight_gradient = {
    .name = "conv2d_weight_gradient",
    .help = "the derivative of conv2d in its weight",
    .kind = OP_STRUCTURED,
    .inputs = 2,
    .units = weight_units,
    .scratch = sum_scratch,
    .flops = sum_flops,
    .kernel = KERNEL_TABLE(run_conv2d_weight_gradient),
    .derivative = {weight_gradient_dx, weight_gradient_ddy},
    .examples = examples,
};

Node *op_conv2d_weight_gradient(Node *x, Node *dy, const Window *window, Shape weight)
{
    Node *y = graph_append(x->graph, &row_conv2d_weight_gradient, weight, (Node *const[]){x, dy});
    Window *own = ARENA_NEW(y->graph->arena, Window);
    *own = *window;
    y->context = own;
    return y;
}

#endif
