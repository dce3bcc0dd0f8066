/* What the program runs on: processor, and the kernels that OpenBLAS chose. */
#ifndef GRADTOOL_CLI_MACHINE_H
#define GRADTOOL_CLI_MACHINE_H

#include <stdbool.h>

#include "base/arena.h"

/* "AMD EPYC"; "unknown" where the system does not say. */
const char *machine_processor(Arena *arena);
/* The instruction sets that matter here: "avx2 fma avx512f avx512_bf16"; "" for none of them. */
const char *machine_instruction_sets(Arena *arena);

/* "0.3.21" */
const char *machine_blas_version(Arena *arena);
/* "Cooperlake" */
const char *machine_blas_kernel(void);
/* Why a matrix product is slower than it need be, as a sentence: OpenBLAS chose kernels of narrower instructions than the
 * processor has, or OPENBLAS_CORETYPE did. NULL: it is not. */
const char *machine_blas_warning(Arena *arena);

#endif
