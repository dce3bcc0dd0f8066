/* m <- m + (1 - beta1) (g - m);  v <- beta2 v + (1 - beta2) g^2;  v' = v, or the largest v so far (AMSGrad)
 * x <- x - lr / (1 - beta1^t) m / (sqrt(v') / sqrt(1 - beta2^t) + eps), for AdamW after x <- x (1 - lr weight_decay) */
#include "optim/kernel_update.h"

#if defined KERNEL_SUFFIX && !defined KERNEL_F64

#include <math.h>

typedef struct Scalars {
    double weight; /* 1 - beta1 */
    float beta2, weight2, correction, eps, step_size, shrink;
} Scalars;

static inline void block(const UpdateBlock *b, const void *context)
{
    const Scalars s = *(const Scalars *)context;
    const float *restrict gradient = b->gradient;
    float *restrict x = b->x, *restrict average = b->state[0], *restrict square = b->state[1], *restrict largest = b->state[2];
    size_t count = b->count;
    lerp(average, gradient, count, s.weight);
    for (size_t i = 0; i < count; i++)
        square[i] = square[i] * s.beta2 + s.weight2 * gradient[i] * gradient[i];
    if (largest)
        for (size_t i = 0; i < count; i++)
            largest[i] = largest[i] > square[i] ? largest[i] : square[i]; /* NaN wins, as in torch.maximum */
    const float *restrict divisor = largest ? largest : square;
    for (size_t i = 0; i < count; i++)
        x[i] = x[i] * s.shrink - s.step_size * average[i] / (sqrtf(divisor[i]) / s.correction + s.eps);
}

static inline void update(const Update *u, double decay, double shrink)
{
    const OptimizerOptions *o = u->options;
    double t = (double)u->step;
    const Scalars s = {
        .weight = 1 - o->betas[0],
        .beta2 = (float)o->betas[1],
        .weight2 = (float)(1 - o->betas[1]),
        .correction = (float)sqrt(1 - pow(o->betas[1], t)),
        .eps = (float)o->eps,
        .step_size = (float)(u->lr / (1 - pow(o->betas[0], t))),
        .shrink = (float)shrink,
    };
    update_blocks(u, decay, block, &s);
}

void KERNEL(update_adam)(const Update *u)
{
    update(u, u->options->weight_decay, 1);
}

void KERNEL(update_adamw)(const Update *u)
{
    update(u, 0, 1 - u->lr * u->options->weight_decay);
}

#endif
