#include "peak.h"

#include "base/clock.h"

#if defined(__x86_64__)

/* Twelve independent chains hide the latency; the registers hold anything. */
__attribute__((target("avx512f,avx512vnni"))) static void vnni_steps(long steps)
{
    for (long i = 0; i < steps; i++)
        __asm__ volatile("vpdpbusd %%zmm30, %%zmm31, %%zmm0\n\tvpdpbusd %%zmm30, %%zmm31, %%zmm1\n\t"
                         "vpdpbusd %%zmm30, %%zmm31, %%zmm2\n\tvpdpbusd %%zmm30, %%zmm31, %%zmm3\n\t"
                         "vpdpbusd %%zmm30, %%zmm31, %%zmm4\n\tvpdpbusd %%zmm30, %%zmm31, %%zmm5\n\t"
                         "vpdpbusd %%zmm30, %%zmm31, %%zmm6\n\tvpdpbusd %%zmm30, %%zmm31, %%zmm7\n\t"
                         "vpdpbusd %%zmm30, %%zmm31, %%zmm8\n\tvpdpbusd %%zmm30, %%zmm31, %%zmm9\n\t"
                         "vpdpbusd %%zmm30, %%zmm31, %%zmm10\n\tvpdpbusd %%zmm30, %%zmm31, %%zmm11\n\t" ::
                             : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
                               "xmm11");
}

__attribute__((target("avx2"))) static void avx2_steps(long steps)
{
    for (long i = 0; i < steps; i++)
        __asm__ volatile("vpmaddubsw %%ymm14, %%ymm15, %%ymm0\n\tvpmaddwd %%ymm0, %%ymm13, %%ymm1\n\t"
                         "vpaddd %%ymm1, %%ymm2, %%ymm2\n\tvpmaddubsw %%ymm14, %%ymm15, %%ymm3\n\t"
                         "vpmaddwd %%ymm3, %%ymm13, %%ymm4\n\tvpaddd %%ymm4, %%ymm5, %%ymm5\n\t" ::
                             : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5");
}

double peak_int8_macs(void)
{
    static const long steps = 200000;
    double begin = clock_seconds();
    if (__builtin_cpu_supports("avx512vnni")) {
        vnni_steps(steps);
        return (double)steps * 12.0 * 64 / (clock_seconds() - begin);
    }
    if (!__builtin_cpu_supports("avx2")) return 0;
    avx2_steps(steps);
    return (double)steps * 2.0 * 32 / (clock_seconds() - begin);
}

#else

double peak_int8_macs(void)
{
    return 0;
}

#endif
