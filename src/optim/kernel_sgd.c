/* b <- momentum b + (1 - dampening) g, at first b <- g;  x <- x - lr b, or with Nesterov x <- x - lr (g + momentum b) */
#include "optim/kernel_update.h"

#if defined KERNEL_SUFFIX && !defined KERNEL_F64

typedef struct Scalars {
    float step_size, momentum, kept;
    bool is_first, has_momentum, nesterov;
} Scalars;

static inline void block(const UpdateBlock *b, const void *context)
{
    const Scalars s = *(const Scalars *)context;
    const float *restrict gradient = b->gradient;
    float *restrict x = b->x, *restrict buffer = b->state[0];
    size_t count = b->count;
    if (!s.has_momentum) {
        for (size_t i = 0; i < count; i++)
            x[i] -= s.step_size * gradient[i];
        return;
    }
    if (s.is_first)
        memcpy(buffer, gradient, count * sizeof *buffer);
    else
        for (size_t i = 0; i < count; i++)
            buffer[i] = buffer[i] * s.momentum + s.kept * gradient[i];
    if (s.nesterov)
        for (size_t i = 0; i < count; i++)
            x[i] -= s.step_size * (gradient[i] + s.momentum * buffer[i]);
    else
        for (size_t i = 0; i < count; i++)
            x[i] -= s.step_size * buffer[i];
}

void KERNEL(update_sgd)(const Update *u)
{
    const OptimizerOptions *o = u->options;
    const Scalars s = {
        .step_size = (float)u->lr,
        .momentum = (float)o->momentum,
        .kept = (float)(1 - o->dampening),
        .is_first = u->step == 1,
        .has_momentum = u->state[0] != NULL,
        .nesterov = o->nesterov,
    };
    update_blocks(u, o->weight_decay, block, &s);
}

#endif
