#include "cli/machine.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "tensor/variant.h"

const char *machine_processor(Arena *arena)
{
    static const char key[] = "model name";
    const char *name = "unknown";
    char line[512];
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof line, file)) {
        char *value = strchr(line, ':');
        if (strncmp(line, key, sizeof key - 1) != 0 || !value)
            continue;
        value += strspn(value, ": ");
        name = arena_strndup(arena, value, strcspn(value, "\n"));
        break;
    }
    if (file)
        fclose(file);
    return name;
}

/* The compiler wants each name as a literal. */
#if defined __x86_64__
#define HAS(name) (__builtin_cpu_supports(name) != 0)
#else
#define HAS(name) false
#endif

const char *machine_instruction_sets(Arena *arena)
{
    const struct {
        const char *name;
        bool is_there;
    } sets[] = {{"avx", HAS("avx")},           {"avx2", HAS("avx2")},
                {"fma", HAS("fma")},           {"avx512f", HAS("avx512f")},
                {"avx512bw", HAS("avx512bw")}, {"avx512dq", HAS("avx512dq")},
                {"avx512vl", HAS("avx512vl")}, {"avx512_bf16", HAS("avx512bf16")}};
    Text text = text_new(arena);
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (sets[i].is_there)
            text_printf(&text, "%s%s", text.length ? " " : "", sets[i].name);
    return text.length ? text.at : "";
}

/* "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ..." */
const char *machine_blas_version(Arena *arena)
{
    const char *text = openblas_get_config();
    text += strcspn(text, " ");
    text += strspn(text, " ");
    return arena_strndup(arena, text, strcspn(text, " "));
}

const char *machine_blas_kernel(void)
{
    return openblas_get_corename();
}

/* The instructions that a kernel is written in, as the nearest of our own variants. */
static Variant variant_of_kernel(const char *kernel)
{
    static const struct {
        const char *name;
        Variant variant;
    } wide[] = {{"SkylakeX", VARIANT_F32_AVX512},
                {"Cooperlake", VARIANT_F32_AVX512},
                {"Sapphirerapids", VARIANT_F32_AVX512},
                {"Haswell", VARIANT_F32_AVX2},
                {"Zen", VARIANT_F32_AVX2}};
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (!strcasecmp(kernel, wide[i].name))
            return wide[i].variant;
    return VARIANT_F32;
}

const char *machine_blas_warning(Arena *arena)
{
    const char *forced = getenv("OPENBLAS_CORETYPE"), *kernel = machine_blas_kernel();
    Variant best = variant_best();
    if (variant_of_kernel(kernel) >= best)
        return NULL;
    const char *has = best == VARIANT_F32_AVX512 ? "AVX-512" : "AVX2";
    if (forced && *forced)
        return arena_printf(arena, "OPENBLAS_CORETYPE=%s makes OpenBLAS use %s kernels on a processor that has %s", forced,
                            kernel, has);
    return arena_printf(arena, "OpenBLAS uses %s kernels on a processor that has %s", kernel, has);
}
