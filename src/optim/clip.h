/* Gradient clipping, between the gradient and the optimizer.
 *
 * norm      g <- g min(1, max_norm / (norm + 1e-6)), the norm of any order over all gradients together, or per layer over each.
 *           Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural networks".
 * value     each element into [-limit, limit].
 * adaptive  for each unit (a row, an output channel; a vector as a whole) whose |g| > m = ratio max(|w|, eps):
 *           g <- g m / max(|g|, 1e-6). Brock, De, Smith & Simonyan 2021, "High-performance large-scale image recognition".
 *
 * Clipping by norm rewrites nothing: its factor is for the optimizer to multiply by. A norm that is not finite is no error:
 * as in PyTorch the coefficient is then 0 (infinity) or NaN. */
#ifndef GRADTOOL_OPTIM_CLIP_H
#define GRADTOOL_OPTIM_CLIP_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fields.h"
#include "base/json.h"
#include "optim/float_kernel.h"
#include "tensor/parameter.h"

typedef struct Clip Clip;

/* What a clip event says: norms in the order of clip.norm_type for type norm, else 2-norms. The coefficient is what norm
 * clipping multiplies by; for the other types, after / before (1 when before is 0). */
typedef struct ClipChange {
    bool changed;
    double before, after, coefficient;
} ClipChange;

typedef struct ClipResult {
    ClipChange total;
    ClipChange *parameter; /* of each; of a parameter without a gradient: unchanged, all norms 0 */
    double *factor;        /* of each: the coefficient for optimizer_update */
    double clipped_norm;   /* the total 2-norm after clipping */
} ClipResult;

/* Reads the "clip" object; NULL (or JSON null): nothing is clipped. `count` is the number of parameters. */
Clip *clip_new(Arena *arena, Json *object, int count, Error *err);

/* Clips one step's gradients; gradients[i] is NULL where there is none, squares[i] the sum of squares of gradient i.
 * Types value and adaptive change the gradients in place. The result is the clip's own, until the next call. Never allocates.
 */
const ClipResult *clip_apply(Clip *clip, Parameter *const parameters[], float *const gradients[], const double squares[]);

/* "norm", "value", "adaptive"; NULL when nothing is clipped. */
const char *clip_type(const Clip *clip);
bool clip_is_per_layer(const Clip *clip);

/* The loops, in variants (kernel_clip.c). Clamps into [-limit, limit] (NaN stays); returns how many it changed. */
typedef size_t ClampKernel(float *gradient, size_t n, float limit);
FLOAT_KERNEL_DECLARE(ClampKernel, clip_clamp);

#endif
