#include "kernels/kernels.h"

void kernels_init(struct kernels *k, enum cpu_level level)
{
    *k = (struct kernels){.level = level};
    kernels_init_matmul_ref(k);
    kernels_init_ops_ref(k);
#if defined(__x86_64__)
    if (level >= CPU_AVX2) {
        kernels_init_matmul_avx2(k);
        kernels_init_ops_avx2(k);
    }
    if (level >= CPU_AVX512VNNI) {
        kernels_init_matmul_avx512vnni(k);
        kernels_init_ops_avx512vnni(k);
    }
#endif
}
