/* Root mean square normalisation and the residual sum. Zhang and Sennrich 2019, equation 4. */
#include <math.h>

#include "kernels/ops.h"

/* The squares are exact in double, so a fused and an unfused sum are the same. */
void rmsnorm_ref(float *y, const float *x, const float *weight, size_t n, float eps)
{
    double lane[OPS_LANES] = {0};
    for (size_t i = 0; i < n; i++) lane[i % OPS_LANES] += (double)x[i] * x[i];
    for (size_t half = OPS_LANES / 2; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++) lane[l] += lane[l + half];
    float scale = (float)(1.0 / sqrt(lane[0] / (double)n + (double)eps));
    for (size_t i = 0; i < n; i++) y[i] = x[i] * scale * weight[i];
}

void add_ref(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] += x[i];
}
