/* Kernels in variants: one for each number type and instruction set, picked when the program starts.
 *
 * A file named op_*.c or kernel_*.c is compiled once plainly and once per variant. In a variant, `real` is the number type and
 * KERNEL(name) the function's name there; the plain compilation declares all variants of a kernel and lists them by number. */
#ifndef GRADTOOL_TENSOR_VARIANT_H
#define GRADTOOL_TENSOR_VARIANT_H

#include <stdbool.h>
#include <stddef.h>

typedef enum Variant { VARIANT_F32, VARIANT_F32_AVX2, VARIANT_F32_AVX512, VARIANT_F64, VARIANT_COUNT } Variant;

/* The best float32 variant that this processor runs. */
Variant variant_best(void);
bool variant_is_supported(Variant variant);
const char *variant_name(Variant variant);
/* Bytes of one number. */
size_t variant_size(Variant variant);

#define VARIANT_PASTE_(a, b) a##_##b
#define VARIANT_PASTE(a, b) VARIANT_PASTE_(a, b)

#if defined KERNEL_F64
typedef double real;
#define KERNEL_SUFFIX f64
#elif defined KERNEL_AVX512
typedef float real;
#define KERNEL_SUFFIX f32_avx512
#elif defined KERNEL_AVX2
typedef float real;
#define KERNEL_SUFFIX f32_avx2
#elif defined KERNEL_F32
typedef float real;
#define KERNEL_SUFFIX f32
#endif

#ifdef KERNEL_SUFFIX
#define KERNEL(name) VARIANT_PASTE(name, KERNEL_SUFFIX)
#endif

/* KERNEL_DECLARE(Kernel, softmax): declares softmax_f32, ... of function type Kernel.
 * KERNEL_TABLE(softmax): the initialiser of an array indexed by Variant. */
#if defined __x86_64__
#define KERNEL_DECLARE(Type, name) Type name##_f32, name##_f64, name##_f32_avx2, name##_f32_avx512
#define KERNEL_TABLE(name)                                                                                                     \
    {                                                                                                                          \
        name##_f32, name##_f32_avx2, name##_f32_avx512, name##_f64                                                             \
    }
#else
#define KERNEL_DECLARE(Type, name) Type name##_f32, name##_f64
#define KERNEL_TABLE(name)                                                                                                     \
    {                                                                                                                          \
        name##_f32, name##_f32, name##_f32, name##_f64                                                                         \
    }
#endif

/* Before a loop whose iterations are independent (the output may be an input, element by element). */
#if defined __clang__
#define LOOP_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define LOOP_INDEPENDENT _Pragma("GCC ivdep")
#endif

#endif
