/* Rotary position embedding, Su et al. 2021, equation 34: each pair (x0, x1) turned by its angle. */
#include <math.h>

#include "kernels/ops.h"

/* One product of each sum is rounded, the other is fused; the choice suits the fmaddsub instruction. */
static void rotate(float *x0, float *x1, float cosine, float sine)
{
    float a = *x0, b = *x1;
    *x0 = fmaf(a, cosine, -(b * sine));
    *x1 = fmaf(b, cosine, a * sine);
}

void rope_adjacent_ref(float *head, const float *cos_sin, size_t n_rot)
{
    for (size_t i = 0; i < n_rot / 2; i++) rotate(&head[2 * i], &head[2 * i + 1], cos_sin[2 * i], cos_sin[2 * i + 1]);
}

void rope_halves_ref(float *head, const float *cos_sin, size_t n_rot)
{
    for (size_t i = 0; i < n_rot / 2; i++) rotate(&head[i], &head[i + n_rot / 2], cos_sin[2 * i], cos_sin[2 * i + 1]);
}
