/* The matrix product in the order kernels.h states; the vector levels give the very same bits. */
#include <math.h>

#include "kernels/tiles.h"

/* sum of q_w * q_x over one half of a block */
static int32_t half_dot(const int8_t *w, const int8_t *x)
{
    int32_t sum = 0;
    for (int i = 0; i < ACT_BLOCK / 2; i++) sum += w[i] * x[i];
    return sum;
}

/* t of the contract: the block's product before the activations' scale. offset: of kernels.h, -8 times the sum of
 * the block's q, and offset16 -32 times those of its halves. */
static float block_dot(const struct weight_block *w, struct quant_form form, const int8_t *x, int32_t offset,
                       const int32_t offset16[2])
{
    int32_t low = half_dot(w->q, x);
    int32_t high = half_dot(w->q + 16, x + 16);
    float t = w->scale[0] * (float)(form.two_scales ? low : low + high);
    if (form.two_scales) t = fmaf(w->scale[1], (float)high, t);
    if (form.two_mins) {
        t = fmaf(w->min[0] * -0.03125f, (float)offset16[0], t);
        t = fmaf(w->min[1] * -0.03125f, (float)offset16[1], t);
    } else if (form.has_min) {
        t = fmaf(w->min[0] * -0.125f, (float)offset, t);
    }
    return t;
}

static float dot_quantized(enum weir_tensor_type type, const uint8_t *row, const struct activations *a, size_t t)
{
    size_t blocks = a->cols / ACT_BLOCK;
    struct quant_form form = quant_form_of(type);
    struct panel panel = panel_of(a->rows, t);
    float acc = 0;
    for (size_t b = 0; b < blocks; b++) {
        struct weight_block block;
        weight_block_read(type, row, b, &block);
        size_t at = panel_index(panel, blocks, t, b);
        int32_t offset16[2];
        for (size_t h = 0; h < 2; h++) offset16[h] = a->offset16[panel_index16(panel, blocks, t, b, h)];
        acc = fmaf(a->d[at], block_dot(&block, form, a->q + at * ACT_BLOCK, a->offset[at], offset16), acc);
    }
    return acc;
}

static float dot_float(enum weir_tensor_type type, const uint8_t *row, const float *x, size_t cols)
{
    float acc[4] = {0};
    for (size_t c = 0; c < cols; c++) acc[c % 4] = fmaf(float_weight(type, row, c), x[c], acc[c % 4]);
    return (acc[0] + acc[1]) + (acc[2] + acc[3]);
}

float matrix_dot_row(const struct matrix *w, size_t row, const struct activations *a, size_t t)
{
    const uint8_t *at = matrix_row(w, row);
    if (matrix_type_quantized(w->type)) return dot_quantized(w->type, at, a, t);
    return dot_float(w->type, at, a->x + t * a->cols, a->cols);
}

void matmul_ref(const struct matrix *w, const struct activations *a, float *y, size_t y_stride, size_t row_begin,
                size_t row_end)
{
    for (size_t t = 0; t < a->rows; t++)
        for (size_t r = row_begin; r < row_end; r++) y[t * y_stride + r] = matrix_dot_row(w, r, a, t);
}

static size_t tiles_bytes_ref(enum weir_tensor_type type, size_t rows, size_t cols)
{
    (void)type, (void)rows, (void)cols;
    return 0;
}

void kernels_init_matmul_ref(struct kernels *k)
{
    k->dequantize_row = dequantize_row_ref;
    k->tiles_bytes = tiles_bytes_ref;
    k->repack = tiles_repack; /* never called: there are no bytes for it */
    k->quantize = quantize_ref;
    k->matmul = matmul_ref;
}
