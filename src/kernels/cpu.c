/* Which instruction sets the CPU has and the operating system saves (CPUID, XCR0). */
#include <string.h>

#include "base/error.h"
#include "kernels/kernels.h"

static const char *const level_names[] = {[CPU_REF] = "ref", [CPU_AVX2] = "avx2", [CPU_AVX512VNNI] = "avx512vnni"};

const char *cpu_level_name(enum cpu_level level)
{
    return level_names[level];
}

/* GCC's and clang's __builtin_cpu_supports read CPUID and check XCR0 for the vector state. */
static enum cpu_level best_level(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("f16c"))
        return CPU_REF;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni"))
        return CPU_AVX512VNNI;
    return CPU_AVX2;
#else
    return CPU_REF;
#endif
}

enum weir_status cpu_level_choose(const char *forced, enum cpu_level *out, struct weir_error *error)
{
    enum cpu_level best = best_level();
    if (!forced || !*forced) {
        *out = best;
        return WEIR_OK;
    }
    for (enum cpu_level level = CPU_REF; level <= CPU_AVX512VNNI; level++) {
        if (strcmp(forced, level_names[level]) != 0) continue;
        if (level > best)
            return error_set(error, WEIR_ERR_UNSUPPORTED, "WEIR_CPU=%s: this CPU offers %s at most", forced,
                             level_names[best]);
        *out = level;
        return WEIR_OK;
    }
    return error_set(error, WEIR_ERR_UNSUPPORTED, "WEIR_CPU=%s: unknown level (expected ref, avx2 or avx512vnni)",
                     forced);
}
