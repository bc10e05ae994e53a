/* Weight types as this engine computes with them: one 32-column block at a time, integers with float scales.
 *
 * Block layouts: ggml-common.h of ggml (block_q4_0 ... block_iq4_xs). Blocks of 256 weights (the K types, IQ4_XS) hold eight
 * blocks of 32. Bytes are read one by one: a block has no alignment. */
#ifndef WEIR_KERNELS_QUANT_FORMATS_H
#define WEIR_KERNELS_QUANT_FORMATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"

/* Weight c of a block is scale[h] * q[c] + min[h], h = c / 16. Products scale * q are exact in float.
 * Types with one scale a block repeat it; types without a minimum leave min zero and has_min false. */
struct weight_block {
    int8_t q[ACT_BLOCK];
    float scale[2];
    float min[2];
};

/* What the arithmetic of a type looks like (the contract of kernels.h). */
struct quant_form {
    bool two_scales; /* scale[0] and scale[1] differ */
    bool has_min;
    bool two_mins; /* min[0] and min[1] differ */
};

/* True for the quantised types of matrix_type_supported; false for F32, F16, BF16. */
bool matrix_type_quantized(enum weir_tensor_type type);
struct quant_form quant_form_of(enum weir_tensor_type type);

/* The integers of a scale, before the float factors: q of the block, its half scales and minimums as stored.
 * scale[h] = d * sc[h], min[h] = sign * dmin * m[h] for the K types; sc = m = 1 elsewhere. d, dmin: binary16 bits. */
struct weight_parts {
    int8_t q[ACT_BLOCK];
    uint16_t d, dmin;
    int8_t sc[2];
    uint8_t m[2];
};

/* Block `block` (of 32 columns) of the row that starts at `row`. */
void weight_parts_read(enum weir_tensor_type type, const uint8_t *row, size_t block, struct weight_parts *out);
void weight_block_read(enum weir_tensor_type type, const uint8_t *row, size_t block, struct weight_block *out);

/* First byte of row r. */
const uint8_t *matrix_row(const struct matrix *w, size_t row);

/* The 16 values of IQ4_NL and IQ4_XS (ggml-common.h, kvalues_iq4nl). */
extern const int8_t iq4_values[16];

/* Element `index` of a row of F32, F16 or BF16. */
float float_weight(enum weir_tensor_type type, const uint8_t *row, size_t index);

/* Panel of row t of `rows` (kernels.h, struct activations): rows [first, first + width). */
struct panel {
    size_t first, width;
};

static inline size_t panel_count(size_t rows)
{
    return (rows + PANEL_ROWS - 1) / PANEL_ROWS;
}

static inline struct panel panel_at(size_t rows, size_t index)
{
    size_t count = panel_count(rows);
    size_t small = rows / count, large = rows % count; /* the first `large` panels have one row more */
    return (struct panel){index * small + (index < large ? index : large), small + (index < large)};
}

static inline struct panel panel_of(size_t rows, size_t t)
{
    size_t count = panel_count(rows);
    size_t small = rows / count, large = rows % count;
    size_t in_large = large * (small + 1);
    return panel_at(rows, t < in_large ? t / (small + 1) : large + (t - in_large) / small);
}

/* Index of (row t, block b) in d and offset, and of its bytes in q when multiplied by 32. */
static inline size_t panel_index(struct panel p, size_t blocks, size_t t, size_t b)
{
    return p.first * blocks + b * p.width + (t - p.first);
}

/* Index of (row t, block b, half h) in offset16. */
static inline size_t panel_index16(struct panel p, size_t blocks, size_t t, size_t b, size_t h)
{
    return 2 * (p.first * blocks + b * p.width) + h * p.width + (t - p.first);
}

/* Implementations shared by the levels (reference). */
void dequantize_row_ref(const struct matrix *w, size_t row, float *out);
void quantize_ref(const struct activations *a, size_t row_begin, size_t row_end);
void matmul_ref(const struct matrix *w, const struct activations *a, float *y, size_t y_stride, size_t row_begin,
                size_t row_end);

#endif
