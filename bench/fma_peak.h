/* The fp32 FMA peak of one core, measured: twelve independent chains of the level's widest register. */
#ifndef WEIR_BENCH_FMA_PEAK_H
#define WEIR_BENCH_FMA_PEAK_H

#include "base/clock.h"
#include "kernels/kernels.h"

#if defined(__x86_64__)
#define FMA(reg, n) "vfmadd231ps %%" reg "12, %%" reg "12, %%" reg n "\n"
#define FMA12(reg) \
    FMA(reg, "0")  \
    FMA(reg, "1")  \
    FMA(reg, "2")  \
    FMA(reg, "3")  \
    FMA(reg, "4") FMA(reg, "5") FMA(reg, "6") FMA(reg, "7") FMA(reg, "8") FMA(reg, "9") FMA(reg, "10") FMA(reg, "11")
#define CLEAR(n) "vxorps %%xmm" n ", %%xmm" n ", %%xmm" n "\n"
#define CLEAR13 \
    CLEAR("0")  \
    CLEAR("1")  \
    CLEAR("2")  \
    CLEAR("3") CLEAR("4") CLEAR("5") CLEAR("6") CLEAR("7") CLEAR("8") CLEAR("9") CLEAR("10") CLEAR("11") CLEAR("12")
#define FMA_LOOP(name, reg)                                                                                      \
    static inline void name(size_t steps)                                                                        \
    {                                                                                                            \
        __asm__ volatile(CLEAR13 "1:\n" FMA12(reg) "dec %0\njnz 1b\nvzeroupper\n"                                \
                         : "+r"(steps)                                                                           \
                         :                                                                                       \
                         : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", \
                           "xmm10", "xmm11", "xmm12");                                                           \
    }
FMA_LOOP(fma_steps_256, "ymm")
FMA_LOOP(fma_steps_512, "zmm")

/* Multiply-adds per second; 0 where there is no vector FMA. */
static inline double fma_peak(enum cpu_level level)
{
    enum { steps = 2000000, runs = 9 };
    double best = 0.0;
    for (int i = 0; i < runs && level >= CPU_AVX2; i++) {
        double start = clock_seconds();
        (level == CPU_AVX2 ? fma_steps_256 : fma_steps_512)(steps);
        double rate = (level == CPU_AVX2 ? 8.0 : 16.0) * 12.0 * (double)steps / (clock_seconds() - start);
        if (rate > best) best = rate;
    }
    return best;
}
#else
static inline double fma_peak(enum cpu_level level)
{
    (void)level;
    return 0.0;
}
#endif

#endif
