/* The exponential, and what is made of it: gated activation functions, soft-capping and softmax. */
#include <math.h>
#include <string.h>

#include "kernels/exp_constants.h"
#include "kernels/ops.h"

/* 2^n, n in [-126, 127], taken from the low bits of t = EXP_SHIFT + n. */
static float power_of_two(float t)
{
    uint32_t bits;
    memcpy(&bits, &t, sizeof bits);
    bits = (bits << 23) + 0x3f800000u;
    memcpy(&t, &bits, sizeof t);
    return t;
}

float exp_ref(float x)
{
    if (x < EXP_MIN) return 0.0f;
    if (x > EXP_MAX) return INFINITY;
    float t = fmaf(x, EXP_LOG2E, EXP_SHIFT);
    float n = t - EXP_SHIFT;
    float r = fmaf(n, -EXP_LN2_LO, fmaf(n, -EXP_LN2_HI, x));
    float p = fmaf(EXP_C6, r, EXP_C5);
    p = fmaf(p, r, EXP_C4);
    p = fmaf(p, r, EXP_C3);
    p = fmaf(p, r, EXP_C2);
    p = fmaf(p, r, 1.0f);
    p = fmaf(p, r, 1.0f);
    return p * power_of_two(t);
}

void silu_mul_ref(float *gate, const float *up, size_t n)
{
    for (size_t i = 0; i < n; i++) gate[i] = gate[i] / (1.0f + exp_ref(-gate[i])) * up[i];
}

void gelu_tanh_mul_ref(float *gate, const float *up, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float x = gate[i];
        float u2 = x * fmaf(x * x, GELU_CUBIC, GELU_LINEAR);
        gate[i] = x / (1.0f + exp_ref(-u2)) * up[i];
    }
}

float tanh_ref(float x)
{
    float a = fabsf(x), z = x * x;
    if (a < TANH_SMALL) {
        float p = fmaf(TANH_C5, z, TANH_C4);
        p = fmaf(p, z, TANH_C3);
        p = fmaf(p, z, TANH_C2);
        p = fmaf(p, z, TANH_C1);
        return fmaf(x * z, p, x);
    }
    if (a > TANH_MAX) a = TANH_MAX;
    return copysignf(1.0f - 2.0f / (exp_ref(a + a) + 1.0f), x);
}

void softcap_ref(float *x, size_t n, float cap)
{
    float inverse = 1.0f / cap;
    for (size_t i = 0; i < n; i++) x[i] = cap * tanh_ref(x[i] * inverse);
}

/* The lanes start at +0 and take no negative entry, so adding the zero of a masked entry leaves each as it was. */
void softmax_ref(float *row, size_t n)
{
    float max = -INFINITY, lane[OPS_LANES] = {0};
    for (size_t i = 0; i < n; i++) max = row[i] > max ? row[i] : max;
    for (size_t i = 0; i < n; i++) {
        row[i] = exp_ref(row[i] - max);
        lane[i % OPS_LANES] += row[i];
    }
    for (size_t half = OPS_LANES / 2; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++) lane[l] += lane[l + half];
    float inverse = 1.0f / lane[0];
    for (size_t i = 0; i < n; i++) row[i] *= inverse;
}
