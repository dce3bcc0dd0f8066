/* The frame of the update kernels: a parameter in blocks that stay in the first cache.
 *
 * Each optimizer has one loop over a block, in which the gradient is already scaled, has its sign for maximising and includes
 * coupled weight decay; the values before are kept where the update is to be measured. The extra pass in the first cache costs
 * less than a loop for every combination of options would, and the loop is short enough for a compiler to vectorise. */
#ifndef GRADTOOL_OPTIM_KERNEL_UPDATE_H
#define GRADTOOL_OPTIM_KERNEL_UPDATE_H

#include <string.h>

#include "optim/float_kernel.h"
#include "optim/optimizer.h"
#include "tensor/statistics.h"

FLOAT_KERNEL_DECLARE(UpdateKernel, update_sgd);
FLOAT_KERNEL_DECLARE(UpdateKernel, update_adam);
FLOAT_KERNEL_DECLARE(UpdateKernel, update_adamw);
FLOAT_KERNEL_DECLARE(UpdateKernel, update_rmsprop);
FLOAT_KERNEL_DECLARE(UpdateKernel, update_adagrad);

#if defined KERNEL_SUFFIX && !defined KERNEL_F64

enum { UPDATE_BLOCK = 512 };

typedef struct UpdateBlock {
    size_t count;
    float *x;
    const float *gradient;
    float *state[OPTIMIZER_MAX_STATES];
} UpdateBlock;

/* Calls block(b, context) over all of the parameter. `decay` is added to the gradient, times the value. Inlined into each
 * kernel, so that the call costs nothing. */
static inline void update_blocks(const Update *u, double decay, void (*block)(const UpdateBlock *b, const void *context),
                                 const void *context)
{
    float gradient[UPDATE_BLOCK], before[UPDATE_BLOCK];
    const float coefficient = (float)(u->options->maximize ? -u->coefficient : u->coefficient), coupled = (float)decay;
    for (size_t done = 0; done < u->count; done += UPDATE_BLOCK) {
        size_t count = u->count - done < UPDATE_BLOCK ? u->count - done : UPDATE_BLOCK;
        UpdateBlock b = {.count = count, .x = u->x + done, .gradient = gradient};
        const float *given = u->gradient + done;
        for (int i = 0; i < OPTIMIZER_MAX_STATES; i++)
            b.state[i] = u->state[i] ? u->state[i] + done : NULL;
        for (size_t i = 0; i < count; i++)
            gradient[i] = given[i] * coefficient;
        if (coupled != 0)
            for (size_t i = 0; i < count; i++)
                gradient[i] += b.x[i] * coupled;
        if (u->statistics)
            memcpy(before, b.x, count * sizeof *before);
        block(&b, context);
        if (u->statistics) {
            u->statistics->update_square += KERNEL(square_sum)(b.x, before, count);
            u->statistics->weight_square += KERNEL(square_sum)(before, NULL, count);
        }
    }
}

/* torch.lerp: each form is exact at its own end. */
static inline void lerp(float *restrict average, const float *restrict gradient, size_t count, double weight)
{
    const float near = (float)weight, far = (float)(1 - weight);
    if (weight < 0.5)
        for (size_t i = 0; i < count; i++)
            average[i] += near * (gradient[i] - average[i]);
    else
        for (size_t i = 0; i < count; i++)
            average[i] = gradient[i] - (gradient[i] - average[i]) * far;
}

#endif
#endif
