/* Rounding arrays to half precision, by variant. */
#include "tensor/half.h"

#ifdef KERNEL_SUFFIX

RoundValues KERNEL(round_bfloat16);
void KERNEL(round_bfloat16)(void *values, size_t count)
{
    half_round_reals(values, count, PRECISION_BFLOAT16);
}

RoundValues KERNEL(round_float16);
void KERNEL(round_float16)(void *values, size_t count)
{
    half_round_reals(values, count, PRECISION_FLOAT16);
}

#else

KERNEL_DECLARE(RoundValues, round_bfloat16);
KERNEL_DECLARE(RoundValues, round_float16);

const char *precision_name(Precision precision)
{
    static const char *const names[PRECISION_COUNT] = {"any", "float32", "bfloat16", "float16"};
    return names[precision];
}

Precision precision_promote(Precision a, Precision b)
{
    if (a == PRECISION_ANY || b == PRECISION_ANY)
        return a == PRECISION_ANY ? b : a;
    return a == b ? a : PRECISION_FLOAT32;
}

RoundValues *half_round(Precision precision, Variant variant)
{
    static RoundValues *const bfloat16[VARIANT_COUNT] = KERNEL_TABLE(round_bfloat16);
    static RoundValues *const float16[VARIANT_COUNT] = KERNEL_TABLE(round_float16);
    if (variant == VARIANT_F64 || !precision_is_half(precision))
        return NULL;
    return (precision == PRECISION_BFLOAT16 ? bfloat16 : float16)[variant];
}

#endif
