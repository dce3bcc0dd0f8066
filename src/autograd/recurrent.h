/* What the recurrent cells op_rnn.c, op_lstm.c and op_gru.c share.
 *
 * A cell is two walks over the time steps. The forward walk takes the products of the inputs of all steps at once, x [batch,
 * steps, gates * hidden], and the recurrent weight, and keeps of every step what the way back needs: [steps, batch, kept *
 * hidden], the state h last. recurrent_states copies h out of it. The backward walk gives the gradients of all gates, dL/dx,
 * from which the gradient of the recurrent weight is one product.
 *
 * What is kept is a function of x and the weight, so it is a constant to recurrent_states and to the backward walk, whose own
 * derivatives are those with respect to x and the weight; the backward walk's are composed of primitive operators, step by
 * step. */
#ifndef GRADTOOL_AUTOGRAD_RECURRENT_H
#define GRADTOOL_AUTOGRAD_RECURRENT_H

#include "autograd/graph.h"
#include "autograd/packed_product.h"

/* A cell's two operators, and one of its steps in primitive operators for derivatives of higher order. */
typedef struct RecurrentCell {
    const Op *walk, *delta;
    int gates, kept;
    /* h of a step from x [batch, gates * hidden], the weight, h and c of the step before. c is replaced; `inner`, where not
     * NULL, becomes the factor that the product of h meets (reset gate of gru). */
    Node *(*step)(const Node *walk, Node *x, Node *weight, Node *h, Node **c, Node **inner);
    /* The gradient that reaches the product of h, from dL/dx; NULL: they are the same. */
    Node *(*inner_delta)(Node *delta);
} RecurrentCell;

extern const RecurrentCell cell_rnn, cell_lstm, cell_gru;

typedef struct RecurrentSizes {
    size_t batch, steps, hidden, width, kept; /* width: gates * hidden; kept: numbers of a sample and step */
    size_t columns;                           /* of the weight: hidden, one more with a bias behind it */
} RecurrentSizes;

static inline RecurrentSizes recurrent_sizes(const Node *x, const Node *weight, int gates, int kept)
{
    size_t width = (size_t)x->shape.dim[2], hidden = width / (size_t)gates;
    return (RecurrentSizes){.batch = (size_t)x->shape.dim[0],
                            .steps = (size_t)x->shape.dim[1],
                            .hidden = hidden,
                            .width = width,
                            .kept = (size_t)kept * hidden,
                            .columns = (size_t)weight->shape.dim[1]};
}

/* Samples that walk together: enough to use a packed weight well, few enough to stay in cache. */
enum { CHUNK = 48 };

#ifdef KERNEL

/* Of one sample: writes what is kept of a step from x, the product of h with the weight, and what was kept of the step before.
 */
typedef void CellForward(const real *x, const real *product, const real *bias, const real *before, real *after, size_t hidden);
/* Of one sample: dx from dh, what was kept of this step and the one before; `inner` is dL/d(product of h), `carried` what
 * reaches the step before on other ways than the product (of lstm: dc). */
typedef void CellBackward(const real *dh, const real *kept, const real *before, real *carried, real *dx, real *inner,
                          size_t hidden);

static inline __attribute__((always_inline)) void walk_forward(RecurrentSizes s, const real *x, const real *weight, real *out,
                                                               const Part *part, Precision precision, CellForward *cell)
{
    const size_t padded = product_padded(s.width);
    real *packed = part->scratch, *product = packed + s.hidden * padded, *zeros = product + CHUNK * padded,
         *bias = zeros + s.kept;
    product_pack(weight, s.hidden, s.width, 1, s.columns, packed);
    for (size_t i = 0; i < s.width; i++)
        bias[i] = s.columns > s.hidden ? weight[i * s.columns + s.hidden] : 0;
    memset(zeros, 0, s.kept * sizeof(real));
    for (size_t first = part->first, end = part->first + part->count; first < end; first += CHUNK) {
        const size_t rows = end - first < CHUNK ? end - first : CHUNK;
        for (size_t t = 0; t < s.steps; t++) {
            const real *before = t ? out + ((t - 1) * s.batch + first) * s.kept : zeros;
            const size_t stride = t ? s.kept : 0;
            product_rows(before + s.kept - s.hidden, rows, stride, packed, s.hidden, s.width, product, padded);
            half_round_reals(product, rows * padded, precision);
            for (size_t r = 0; r < rows; r++)
                cell(x + ((first + r) * s.steps + t) * s.width, product + r * padded, bias, before + r * stride,
                     out + (t * s.batch + first + r) * s.kept, s.hidden);
            half_round_reals(out + (t * s.batch + first) * s.kept, rows * s.kept, precision);
        }
    }
}

/* dy is dL/dh of all steps, or of the last alone. */
static inline __attribute__((always_inline)) void walk_backward(RecurrentSizes s, const Node *node, const void *const in[],
                                                                real *out, const Part *part, CellBackward *cell)
{
    const bool last_alone = node->in[0]->shape.rank == 2;
    const real *dy = in[0], *kept = in[1], *weight = in[3];
    const size_t padded = product_padded(s.hidden);
    const Precision precision = node->precision;
    real *packed = part->scratch, *inner = packed + s.width * padded, *dh = inner + CHUNK * s.width,
         *carried = dh + CHUNK * padded, *zeros = carried + CHUNK * s.hidden;
    product_pack(weight, s.width, s.hidden, s.columns, 1, packed);
    memset(zeros, 0, s.kept * sizeof(real));
    for (size_t first = part->first, end = part->first + part->count; first < end; first += CHUNK) {
        const size_t rows = end - first < CHUNK ? end - first : CHUNK;
        memset(dh, 0, rows * padded * sizeof(real));
        memset(carried, 0, rows * s.hidden * sizeof(real));
        for (size_t t = s.steps; t-- > 0;) {
            const real *now = kept + (t * s.batch + first) * s.kept;
            const real *before = t ? now - s.batch * s.kept : zeros;
            for (size_t r = 0; r < rows; r++) {
                const real *from_above = last_alone ? dy + (first + r) * s.hidden : dy + ((first + r) * s.steps + t) * s.hidden;
                for (size_t j = 0; (!last_alone || t + 1 == s.steps) && j < s.hidden; j++)
                    dh[r * padded + j] += from_above[j];
                cell(dh + r * padded, now + r * s.kept, before + (t ? r * s.kept : 0), carried + r * s.hidden,
                     out + ((first + r) * s.steps + t) * s.width, inner + r * s.width, s.hidden);
            }
            half_round_reals(inner, rows * s.width, precision);
            half_round_reals(carried, rows * s.hidden, precision);
            if (t) {
                product_rows(inner, rows, s.width, packed, s.width, s.hidden, dh, padded);
                half_round_reals(dh, rows * padded, precision);
            }
        }
    }
}

#else

size_t recurrent_units(const Node *node);
double recurrent_flops(const Node *node);
size_t recurrent_walk_scratch(const Node *node);
size_t recurrent_delta_scratch(const Node *node);

/* Checks the shapes of x [batch, steps, gates * hidden] and the weight [gates * hidden, hidden], or hidden + 1 where a bias may
 * stand behind it; appends walk and states: h of all steps [batch, steps, hidden], or of the last alone [batch, hidden]. */
Node *recurrent_new(const RecurrentCell *cell, Node *x, Node *weight, bool last, double k);
/* The backward walk as a node, for examples. */
Node *recurrent_delta_new(const RecurrentCell *cell, Node *dy, Node *x, Node *weight, double k);

/* Derivatives of a backward walk and of inner_delta, whose inputs are [value, walk, x, weight]. */
Node *recurrent_delta_dy(Node *y, Node *dy);
Node *recurrent_delta_dx(Node *y, Node *dy);
Node *recurrent_delta_dw(Node *y, Node *dy);
/* The inner factor of all steps [batch, steps, hidden] as a function of x and weight. */
Node *recurrent_unroll(const RecurrentCell *cell, const Node *walk, Node *x, Node *weight, bool want_inner);

#endif
#endif
