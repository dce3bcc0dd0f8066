/* s <- s + g^2;  x <- x - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps) */
#include "optim/kernel_update.h"

#if defined KERNEL_SUFFIX && !defined KERNEL_F64

#include <math.h>

typedef struct Scalars {
    float step_size, eps;
} Scalars;

static inline void block(const UpdateBlock *b, const void *context)
{
    const Scalars s = *(const Scalars *)context;
    const float *restrict gradient = b->gradient;
    float *restrict x = b->x, *restrict sum = b->state[0];
    for (size_t i = 0; i < b->count; i++) {
        sum[i] += gradient[i] * gradient[i];
        x[i] -= s.step_size * gradient[i] / (sqrtf(sum[i]) + s.eps);
    }
}

void KERNEL(update_adagrad)(const Update *u)
{
    const OptimizerOptions *o = u->options;
    const Scalars s = {
        .step_size = (float)(u->lr / (1 + (double)(u->step - 1) * o->lr_decay)),
        .eps = (float)o->eps,
    };
    update_blocks(u, o->weight_decay, block, &s);
}

#endif
