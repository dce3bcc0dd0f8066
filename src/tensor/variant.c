/* Which kernels this processor runs. */
#include "tensor/variant.h"

bool variant_is_supported(Variant variant)
{
#if defined __x86_64__
    __builtin_cpu_init();
    if (variant == VARIANT_F32_AVX512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
    if (variant == VARIANT_F32_AVX2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return variant == VARIANT_F32 || variant == VARIANT_F64;
}

Variant variant_best(void)
{
    if (variant_is_supported(VARIANT_F32_AVX512))
        return VARIANT_F32_AVX512;
    return variant_is_supported(VARIANT_F32_AVX2) ? VARIANT_F32_AVX2 : VARIANT_F32;
}

const char *variant_name(Variant variant)
{
    static const char *const names[VARIANT_COUNT] = {"baseline", "avx2", "avx512", "float64"};
    return names[variant];
}

size_t variant_size(Variant variant)
{
    return variant == VARIANT_F64 ? sizeof(double) : sizeof(float);
}
