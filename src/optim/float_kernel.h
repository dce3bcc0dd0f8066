/* Kernels that exist in float32 alone: double is for gradient checks, which clip and update nothing. */
#ifndef GRADTOOL_OPTIM_FLOAT_KERNEL_H
#define GRADTOOL_OPTIM_FLOAT_KERNEL_H

#include "tensor/variant.h"

/* As KERNEL_DECLARE and KERNEL_TABLE. */
#if defined __x86_64__
#define FLOAT_KERNEL_DECLARE(Type, name) Type name##_f32, name##_f32_avx2, name##_f32_avx512
#define FLOAT_KERNEL_TABLE(name)                                                                                               \
    {                                                                                                                          \
        name##_f32, name##_f32_avx2, name##_f32_avx512, NULL                                                                   \
    }
#else
#define FLOAT_KERNEL_DECLARE(Type, name) Type name##_f32
#define FLOAT_KERNEL_TABLE(name)                                                                                               \
    {                                                                                                                          \
        name##_f32, name##_f32, name##_f32, NULL                                                                               \
    }
#endif

#endif
