/* Activations to int8 in blocks of 32. Inputs are finite; others, which only a broken model gives, become some number. */
#include <math.h>

#include "kernels/quant_formats.h"

static float block_max(const float *x)
{
    float max = 0;
    for (int i = 0; i < ACT_BLOCK; i++) max = fmaxf(max, fabsf(x[i]));
    return max;
}

/* x * inverse is at most 127 * (1 + 2^-22), so the result is within -127..127; NaN becomes 0. Returns the sum of the q. */
static int quantize_half(const float *x, float inverse, int8_t *q)
{
    int total = 0;
    for (int i = 0; i < ACT_BLOCK / 2; i++) {
        float rounded = nearbyintf(x[i] * inverse);
        q[i] = rounded >= -127 && rounded <= 127 ? (int8_t)rounded : 0;
        total += q[i];
    }
    return total;
}

static void quantize_block(const struct activations *a, struct panel panel, size_t t, size_t b)
{
    size_t blocks = a->cols / ACT_BLOCK;
    size_t at = panel_index(panel, blocks, t, b);
    const float *x = a->x + t * a->cols + b * ACT_BLOCK;
    float max = block_max(x);
    float inverse = max < QUANTIZE_TINY ? 0 : 127 / max;
    a->d[at] = max < QUANTIZE_TINY ? 0 : max / 127;
    a->offset[at] = 0;
    for (size_t h = 0; h < 2; h++) {
        int sum = quantize_half(x + 16 * h, inverse, a->q + at * ACT_BLOCK + 16 * h);
        a->offset16[panel_index16(panel, blocks, t, b, h)] = -32 * sum;
        a->offset[at] += -8 * sum;
    }
}

void quantize_ref(const struct activations *a, size_t row_begin, size_t row_end)
{
    for (size_t t = row_begin; t < row_end; t++) {
        struct panel panel = panel_of(a->rows, t);
        for (size_t b = 0; b < a->cols / ACT_BLOCK; b++) quantize_block(a, panel, t, b);
    }
}
