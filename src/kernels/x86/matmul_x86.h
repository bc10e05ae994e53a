/* Shared by the vector levels of the matrix product. */
#ifndef WEIR_KERNELS_X86_MATMUL_X86_H
#define WEIR_KERNELS_X86_MATMUL_X86_H

#include "kernels/quant_formats.h"

/* A panel of quantised activations from its first block on (kernels.h, struct activations). */
struct panel_view {
    const int8_t *q;
    const float *d;
    const int32_t *offset, *offset16;
    size_t width;
};

/* y[t * y_stride + lane] for `rows` activation rows and the lanes whose bit is set, over all blocks of a strip. The view goes by
 * pointer: copied to the stack in 16-byte moves, its freshly stored fields stalled each call until the one before was done. */
typedef void strip_kernel(const uint8_t *strip, size_t blocks, const struct panel_view *p, float *y, size_t y_stride,
                          unsigned lanes);

/* The kernel of a type, by its number and the number of activation rows, 1..rows_max. */
enum { TYPE_NUMBERS = WEIR_TENSOR_IQ4_XS + 1 };
struct strip_kernels {
    size_t rows_max;
    strip_kernel *by_type[TYPE_NUMBERS][PANEL_ROWS + 1];
};

#define MATMUL_TYPES(X) \
    X(Q4_0) X(Q4_1) X(Q5_0) X(Q5_1) X(Q8_0) X(Q2_K) X(Q3_K) X(Q4_K) X(Q5_K) X(Q6_K) X(IQ4_NL) X(IQ4_XS)

/* Rows [row_begin, row_end) by all panels: a strip stays in the first-level cache while the panels pass. */
void matmul_strips(const struct strip_kernels *kernels, const struct matrix *w, const struct activations *a, float *y,
                   size_t y_stride, size_t row_begin, size_t row_end);

/* The same for F32, F16 and BF16 weights: `rows` activation rows of `cols` floats at x, 1..rows_max of the level. */
typedef void float_strip_kernel(size_t rows, const uint8_t *strip, size_t cols, const float *x, float *y,
                                size_t y_stride, unsigned lanes);
void matmul_float_strips(float_strip_kernel *kernel, size_t rows_max, const struct matrix *w,
                         const struct activations *a, float *y, size_t y_stride, size_t row_begin, size_t row_end);

void matmul_float_avx2(const struct matrix *w, const struct activations *a, float *y, size_t y_stride, size_t row_begin,
                       size_t row_end);
void matmul_float_avx512(const struct matrix *w, const struct activations *a, float *y, size_t y_stride,
                         size_t row_begin, size_t row_end);
void quantize_avx2(const struct activations *a, size_t row_begin, size_t row_end);
void quantize_avx512(const struct activations *a, size_t row_begin, size_t row_end);

#endif
