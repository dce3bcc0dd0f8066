/* How convolution and its two gradients read images: as products along rows of positions, without a matrix of patches.
 *
 * The images that one call works on are copied into planes [copy, channel, phase, row, column], so that every tap of the
 * kernel reads neighbouring output positions at neighbouring places: tap k of position p is planes[offset[k] + p]. Along the
 * height that holds when rows that are a stride apart stand together (a phase). Along the width the taps either share one
 * copy with zeros between its rows, so that positions count over those too (narrow gaps, no copying), or each has its own. */
#ifndef GRADTOOL_AUTOGRAD_CONVOLUTION_H
#define GRADTOOL_AUTOGRAD_CONVOLUTION_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "autograd/graph.h"
#include "autograd/window.h"

enum {
    CONVOLUTION_PLANES = 48 * 1024, /* numbers that the planes may take: with weights and results they fit the L2 cache */
    CONVOLUTION_POSITIONS = 1024,   /* a weight gradient sums this many positions before it adds up its lanes */
    CONVOLUTION_WIDTH = 16          /* of the widest vector: what fits depends on it for all variants alike */
};

/* Along one axis, tap t of output i reads element start + t * shift + i * step of `size`; beyond are zeros. */
typedef struct Axis {
    int outputs, taps, start, shift, step, size;
    int first_tap, tap_step;       /* tap t is the kernel's first_tap + t * tap_step */
    int first_output, output_step; /* output i is the result's first_output + i * output_step */
} Axis;

static inline int greatest_divisor(int a, int b)
{
    while (b) {
        int rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static inline Axis axis_forward(const Window *w, int axis, int size, int outputs)
{
    return (Axis){.outputs = outputs,
                  .taps = w->kernel[axis],
                  .start = -w->before[axis],
                  .shift = w->dilation[axis],
                  .step = w->stride[axis],
                  .size = size,
                  .tap_step = 1,
                  .output_step = 1};
}

/* The input gradient at the positions whose distance from the padded start leaves the rest `phase`: with a stride only some
 * taps reach them, at a step of one. `size` is that of the gradient of the output. */
static inline Axis axis_backward(const Window *w, int axis, int size, int outputs, int phase)
{
    const int stride = w->stride[axis], dilation = w->dilation[axis], before = w->before[axis];
    Axis a = {.step = 1, .size = size, .output_step = stride};
    a.first_output = ((phase - before) % stride + stride) % stride;
    a.outputs = a.first_output < outputs ? (outputs - a.first_output + stride - 1) / stride : 0;
    a.tap_step = stride / greatest_divisor(stride, dilation);
    while (a.first_tap < w->kernel[axis] && (a.first_tap * dilation - phase) % stride)
        a.first_tap++;
    a.taps = a.first_tap < w->kernel[axis] ? (w->kernel[axis] - 1 - a.first_tap) / a.tap_step + 1 : 0;
    a.start = (a.first_output + before - a.first_tap * dilation) / stride; /* exact, where there is a tap */
    a.shift = -(a.tap_step * dilation / stride);
    return a;
}

/* Elements between the first and the last tap, and where the lowest stands. */
static inline int axis_span(const Axis *a)
{
    int span = (a->taps - 1) * a->shift;
    return a->taps < 1 ? 0 : span < 0 ? -span : span;
}

static inline int axis_base(const Axis *a)
{
    return a->start + (a->shift < 0 ? (a->taps - 1) * a->shift : 0);
}

static inline int axis_tap(const Axis *a, int tap) /* from the base */
{
    return a->start + tap * a->shift - axis_base(a);
}

/* The planes of one image (or strip of it) of `channels` channels. */
typedef struct Planes {
    Axis y, x;
    int channels;
    bool shared;              /* the taps of a row share one copy */
    int strip;                /* output rows at a time */
    int copies, phases, rows; /* rows of a phase */
    size_t row, plane, count; /* numbers in each, and in all planes */
    size_t line;              /* numbers of memory that filling needs */
} Planes;

static inline void planes_set_strip(Planes *p, int strip)
{
    p->strip = strip;
    p->rows = strip + axis_span(&p->y) / p->y.step;
    p->plane = (size_t)p->rows * p->row + CONVOLUTION_WIDTH + (size_t)axis_span(&p->x);
    p->count = (size_t)p->copies * (size_t)p->channels * (size_t)p->phases * p->plane;
}

/* `shared` is only possible where columns are read at a step of one. */
static inline Planes planes_of(Axis y, Axis x, int channels, bool shared)
{
    Planes p = {.y = y, .x = x, .channels = channels, .shared = shared && x.step == 1 && x.taps > 1};
    int span = axis_span(&x), left = -axis_base(&x), right = axis_base(&x) + span + x.outputs - x.size;
    int common = left < right ? left : right; /* zeros that end one row and begin the next */
    p.row = (size_t)x.outputs + (p.shared ? (size_t)(span - (common > 0 ? common : 0)) : 0);
    p.copies = p.shared ? 1 : x.taps;
    p.phases = axis_span(&y) ? y.step : 1;
    p.line = (size_t)(span + x.outputs * x.step) + 2 * CONVOLUTION_WIDTH;
    int strip = y.outputs;
    planes_set_strip(&p, strip);
    if (p.count > CONVOLUTION_PLANES) {
        size_t line = (size_t)p.copies * (size_t)p.channels * (size_t)p.phases * p.row;
        size_t fits = line ? CONVOLUTION_PLANES / line : 0, extra = (size_t)(p.rows - strip);
        strip = fits > extra + 1 ? (int)(fits - extra) : 1;
        strip = strip < y.outputs ? strip : y.outputs;
        assert(strip > 0);
        int strips = (y.outputs + strip - 1) / strip;
        planes_set_strip(&p, (y.outputs + strips - 1) / strips);
    }
    return p;
}

static inline int planes_strips(const Planes *p)
{
    return p->strip ? (p->y.outputs + p->strip - 1) / p->strip : 0;
}

static inline size_t planes_taps(const Planes *p)
{
    return (size_t)p->channels * (size_t)p->y.taps * (size_t)p->x.taps;
}

#ifdef KERNEL

#include "tensor/lanes.h"

/* gcc keeps sums in memory unless the loops over them are unrolled first. */
#if defined __clang__
#define LOOP_UNROLLED
#else
#define LOOP_UNROLLED _Pragma("GCC unroll 16")
#endif

#if defined KERNEL_AVX512
enum { TILE_CHANNELS = 8 }; /* 24 sums, 3 vectors of the image: 32 registers with the weights in turn */
#else
enum { TILE_CHANNELS = 4 };
#endif
enum { TILE_VECTORS = 3 };

/* The even and the odd lanes of a followed by b. */
#if defined KERNEL_AVX512
#define EVEN_LANES(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30)
#define ODD_LANES(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31)
#elif defined KERNEL_AVX2
#define EVEN_LANES(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14)
#define ODD_LANES(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15)
#elif defined KERNEL_F64
#define EVEN_LANES(a, b) __builtin_shufflevector(a, b, 0, 2)
#define ODD_LANES(a, b) __builtin_shufflevector(a, b, 1, 3)
#else
#define EVEN_LANES(a, b) __builtin_shufflevector(a, b, 0, 2, 4, 6)
#define ODD_LANES(a, b) __builtin_shufflevector(a, b, 1, 3, 5, 7)
#endif

/* gcc would load the same vector again for each product that it is in. */
#if defined __x86_64__ && !defined __clang__
#define KEEP_IN_REGISTER(vector) __asm__("" : "+v"(vector))
#else
#define KEEP_IN_REGISTER(vector) (void)(vector)
#endif

/* The channels of the next tile when `left` remain. */
static inline int tile_height(int left)
{
    return left >= TILE_CHANNELS ? TILE_CHANNELS : left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

static inline Reals reals_load_first(const real *x, size_t count)
{
#if defined KERNEL_AVX512
    return _mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), x);
#elif defined KERNEL_AVX2
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_maskload_ps(x, _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), lane));
#else
    real lanes[REALS] = {0};
    for (size_t i = 0; i < count; i++)
        lanes[i] = x[i];
    return reals_load(lanes);
#endif
}

static inline void reals_store_first(real *x, Reals values, size_t count)
{
#if defined KERNEL_AVX512
    _mm512_mask_storeu_ps(x, (__mmask16)((1u << count) - 1), values);
#elif defined KERNEL_AVX2
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_maskstore_ps(x, _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), lane), values);
#else
    for (size_t i = 0; i < count; i++)
        x[i] = values[i];
#endif
}

/* Short rows: a call of memcpy costs more than the copying. */
static inline void copy_row(real *to, const real *from, size_t count)
{
    size_t i = 0;
    for (; i + REALS <= count; i += REALS)
        reals_store(to + i, reals_load(from + i));
    if (i < count)
        reals_store_first(to + i, reals_load_first(from + i, count - i), count - i);
}

static inline void zero_row(real *to, size_t count)
{
    size_t i = 0;
    for (; i + REALS <= count; i += REALS)
        reals_store(to + i, (Reals){0});
    if (i < count)
        reals_store_first(to + i, (Reals){0}, count - i);
}

/* Columns begin, begin + 1, ... of a source row of `size`; zeros outside. */
static inline void pack_row(real *to, size_t count, const real *from, int size, int begin)
{
    size_t left = begin < 0 ? (size_t)-begin : 0, first = begin < 0 ? 0 : (size_t)begin;
    left = left < count ? left : count;
    size_t inside = first < (size_t)size ? (size_t)size - first : 0;
    inside = inside < count - left ? inside : count - left;
    zero_row(to, left);
    if (inside)
        copy_row(to + left, from + first, inside);
    zero_row(to + left + inside, count - left - inside);
}

/* count numbers, `step` apart; reads and writes whole vectors, so both sides have room for one more. */
static inline void take_every(real *to, const real *line, size_t count, int step)
{
    if (step == 1)
        for (size_t i = 0; i < count; i += REALS)
            reals_store(to + i, reals_load(line + i));
    else if (step == 2)
        for (size_t i = 0; i < count; i += REALS)
            reals_store(to + i, EVEN_LANES(reals_load(line + 2 * i), reals_load(line + 2 * i + REALS)));
    else
        for (size_t i = 0; i < count; i++)
            to[i] = line[i * (size_t)step];
}

/* Source row y in each of its copies, plane_step apart: by way of `line`, which has the row with zeros around it. */
static inline void fill_row(const Planes *p, const real *channel, int y, int width, real *to, size_t plane_step, real *line)
{
    const real *from = channel + (size_t)y * (size_t)width;
    const int base = axis_base(&p->x);
    if (p->shared) {
        pack_row(to, p->row, from, p->x.size, base);
        return;
    }
    pack_row(line, p->line - 2 * CONVOLUTION_WIDTH, from, p->x.size, base);
    for (int copy = 0; copy < p->copies; copy++)
        take_every(to + (size_t)copy * plane_step, line + axis_tap(&p->x, copy), p->row, p->x.step);
}

/* Fills the planes for output rows [first, first + strip) from channels that are `channel_step` apart. */
static inline void planes_fill(const Planes *p, const real *image, size_t channel_step, int width, int first, real *planes,
                               real *line)
{
    const int base = axis_base(&p->y) + first * p->y.step;
    const size_t used = (size_t)p->rows * p->row, copy_step = (size_t)p->channels * (size_t)p->phases * p->plane;
    for (int c = 0; c < p->channels; c++)
        for (int phase = 0; phase < p->phases; phase++, planes += p->plane) {
            for (int r = 0; r < p->rows; r++) {
                const int y = base + phase + r * p->y.step;
                real *to = planes + (size_t)r * p->row;
                if (y >= 0 && y < p->y.size)
                    fill_row(p, image + (size_t)c * channel_step, y, width, to, copy_step, line);
                else
                    for (int copy = 0; copy < p->copies; copy++)
                        zero_row(to + (size_t)copy * copy_step, p->row);
            }
            for (int copy = 0; copy < p->copies; copy++)
                zero_row(planes + (size_t)copy * copy_step + used, p->plane - used);
        }
}

/* offset[k] of taps in the order channel, row, column. */
static inline void planes_offsets(const Planes *p, uint32_t *offset)
{
    for (int c = 0; c < p->channels; c++)
        for (int ty = 0; ty < p->y.taps; ty++)
            for (int tx = 0; tx < p->x.taps; tx++) {
                const int y = axis_tap(&p->y, ty), phase = y % p->y.step;
                const size_t copy = p->shared ? 0 : (size_t)tx, shift = p->shared ? (size_t)axis_tap(&p->x, tx) : 0;
                const size_t plane = (copy * (size_t)p->channels + (size_t)c) * (size_t)p->phases + (size_t)phase;
                *offset++ = (uint32_t)(plane * p->plane + (size_t)(y / p->y.step) * p->row + shift);
            }
}

#endif
#endif
