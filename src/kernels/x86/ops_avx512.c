/* AVX-512 versions of the kernels around the matrix products. */
#include "kernels/ops.h"

void kernels_init_ops_avx512vnni(struct kernels *k)
{
    (void)k;
}
