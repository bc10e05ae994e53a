/* Rows of weights as floats. */
#include <stdbool.h>

#include "base/bytes.h"
#include "kernels/quant_formats.h"

float float_weight(enum weir_tensor_type type, const uint8_t *row, size_t index)
{
    if (type == WEIR_TENSOR_F16) return f16_to_f32((uint16_t)load_le(row + 2 * index, 2));
    if (type == WEIR_TENSOR_BF16) return float_from_bits((uint32_t)load_le(row + 2 * index, 2) << 16);
    return float_from_bits((uint32_t)load_le(row + 4 * index, 4));
}

/* scale * q is exact, so the sum is the only rounding. */
static void dequantize_block(const struct weight_block *block, bool has_min, float *out)
{
    for (int c = 0; c < ACT_BLOCK; c++) {
        float product = block->scale[c / 16] * (float)block->q[c];
        out[c] = has_min ? product + block->min[c / 16] : product;
    }
}

void dequantize_row_ref(const struct matrix *w, size_t row, float *out)
{
    const uint8_t *at = matrix_row(w, row);
    if (!matrix_type_quantized(w->type)) {
        for (size_t c = 0; c < w->cols; c++) out[c] = float_weight(w->type, at, c);
        return;
    }
    bool has_min = quant_form_of(w->type).has_min;
    for (size_t b = 0; b < w->cols / ACT_BLOCK; b++) {
        struct weight_block block;
        weight_block_read(w->type, at, b, &block);
        dequantize_block(&block, has_min, out + b * ACT_BLOCK);
    }
}
