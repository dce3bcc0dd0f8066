/* The gradient scaler's pass over a gradient: divides it by the loss scale and says whether it was finite. */
#include "tensor/unscale.h"

#ifdef KERNEL_SUFFIX

Unscale KERNEL(unscale);
bool KERNEL(unscale)(void *values, size_t count, double factor)
{
    real *x = values;
    const real by = (real)factor;
    real sum = 0; /* of zeros, or NaN once there is a number that is not finite */
    real lane[16] = {0};
    size_t i = 0;
    for (; i + 16 <= count; i += 16)
        for (size_t j = 0; j < 16; j++) {
            lane[j] += x[i + j] * 0;
            x[i + j] *= by;
        }
    for (; i < count; i++) {
        sum += x[i] * 0;
        x[i] *= by;
    }
    for (size_t j = 0; j < 16; j++)
        sum += lane[j];
    return sum == 0;
}

#else

KERNEL_DECLARE(Unscale, unscale);

bool unscale_values(Variant variant, void *values, size_t count, double factor)
{
    static Unscale *const unscale[VARIANT_COUNT] = KERNEL_TABLE(unscale);
    return unscale[variant](values, count, factor);
}

#endif
