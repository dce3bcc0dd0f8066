/* v <- alpha v + (1 - alpha) g^2;  a = sqrt(v) + eps, centred: sqrt(v - m^2) + eps with m <- m + (1 - alpha) (g - m)
 * x <- x - lr g / a, with momentum: b <- momentum b + g / a;  x <- x - lr b */
#include "optim/kernel_update.h"

#if defined KERNEL_SUFFIX && !defined KERNEL_F64

#include <math.h>

typedef struct Scalars {
    double weight; /* 1 - alpha */
    float alpha, weight_float, eps, step_size, momentum;
} Scalars;

static inline void block(const UpdateBlock *b, const void *context)
{
    const Scalars s = *(const Scalars *)context;
    const float *restrict gradient = b->gradient;
    float *restrict x = b->x, *restrict square = b->state[0], *restrict buffer = b->state[1], *restrict mean = b->state[2];
    float divisor[UPDATE_BLOCK];
    size_t count = b->count;
    for (size_t i = 0; i < count; i++)
        square[i] = square[i] * s.alpha + s.weight_float * gradient[i] * gradient[i];
    if (mean) {
        lerp(mean, gradient, count, s.weight);
        for (size_t i = 0; i < count; i++)
            divisor[i] = sqrtf(square[i] - mean[i] * mean[i]) + s.eps;
    } else {
        for (size_t i = 0; i < count; i++)
            divisor[i] = sqrtf(square[i]) + s.eps;
    }
    if (buffer)
        for (size_t i = 0; i < count; i++) {
            buffer[i] = buffer[i] * s.momentum + gradient[i] / divisor[i];
            x[i] -= s.step_size * buffer[i];
        }
    else
        for (size_t i = 0; i < count; i++)
            x[i] -= s.step_size * gradient[i] / divisor[i];
}

void KERNEL(update_rmsprop)(const Update *u)
{
    const OptimizerOptions *o = u->options;
    const Scalars s = {
        .weight = 1 - o->alpha,
        .alpha = (float)o->alpha,
        .weight_float = (float)(1 - o->alpha),
        .eps = (float)o->eps,
        .step_size = (float)u->lr,
        .momentum = (float)o->momentum,
    };
    update_blocks(u, o->weight_decay, block, &s);
}

#endif
