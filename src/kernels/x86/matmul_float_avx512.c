/* Products with F32, F16 and BF16 weights: 16 rows a register, four partial sums an output (column modulo 4). */
#include <immintrin.h>
#include <string.h>

#include "kernels/tiles.h"
#include "kernels/x86/matmul_x86.h"

#define INLINE static inline __attribute__((always_inline))

enum { PARTIAL = 4, ROWS_MAX = 6 }; /* 24 accumulators of 32 registers */

/* Column c of a strip. */
INLINE __m512 load_column(enum weir_tensor_type type, const uint8_t *strip, size_t c)
{
    if (type == WEIR_TENSOR_F32) return _mm512_load_ps(strip + c * TILE_ROWS * 4);
    __m256i bits = _mm256_load_si256((const __m256i *)(strip + c * TILE_ROWS * 2));
    if (type == WEIR_TENSOR_F16) return _mm512_cvtph_ps(bits);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

/* acc[t] += w * x[t * cols] */
INLINE void add_column(__m512 w, int rows, const float *x, size_t cols, __m512 *acc)
{
#pragma GCC unroll 6
    for (int t = 0; t < rows; t++) acc[t] = _mm512_fmadd_ps(w, _mm512_set1_ps(x[(size_t)t * cols]), acc[t]);
}

INLINE void strip_by_rows(enum weir_tensor_type type, int rows, const uint8_t *strip, size_t cols, const float *x,
                          float *y, size_t y_stride, unsigned lanes)
{
    __m512 acc[PARTIAL][ROWS_MAX];
#pragma GCC unroll 4
    for (int j = 0; j < PARTIAL; j++) {
#pragma GCC unroll 6
        for (int t = 0; t < rows; t++) acc[j][t] = _mm512_setzero_ps();
    }
    size_t c = 0;
    for (; c + PARTIAL <= cols; c += PARTIAL) {
#pragma GCC unroll 4
        for (size_t j = 0; j < PARTIAL; j++) add_column(load_column(type, strip, c + j), rows, x + c + j, cols, acc[j]);
    }
#pragma GCC unroll 4
    for (size_t j = 0; j < PARTIAL - 1; j++)
        if (c + j < cols) add_column(load_column(type, strip, c + j), rows, x + c + j, cols, acc[j]);
#pragma GCC unroll 6
    for (int t = 0; t < rows; t++) {
        __m512 sum = _mm512_add_ps(_mm512_add_ps(acc[0][t], acc[1][t]), _mm512_add_ps(acc[2][t], acc[3][t]));
        _mm512_mask_storeu_ps(y + (size_t)t * y_stride, (__mmask16)lanes, sum);
    }
}

INLINE void strip_of_type(enum weir_tensor_type type, size_t rows, const uint8_t *strip, size_t cols, const float *x,
                          float *y, size_t y_stride, unsigned lanes)
{
    switch (rows) {
    case 1:
        strip_by_rows(type, 1, strip, cols, x, y, y_stride, lanes);
        break;
    case 2:
        strip_by_rows(type, 2, strip, cols, x, y, y_stride, lanes);
        break;
    case 3:
        strip_by_rows(type, 3, strip, cols, x, y, y_stride, lanes);
        break;
    case 4:
        strip_by_rows(type, 4, strip, cols, x, y, y_stride, lanes);
        break;
    case 5:
        strip_by_rows(type, 5, strip, cols, x, y, y_stride, lanes);
        break;
    default:
        strip_by_rows(type, 6, strip, cols, x, y, y_stride, lanes);
        break;
    }
}

static void strip_f32(size_t rows, const uint8_t *strip, size_t cols, const float *x, float *y, size_t y_stride,
                      unsigned lanes)
{
    strip_of_type(WEIR_TENSOR_F32, rows, strip, cols, x, y, y_stride, lanes);
}

static void strip_f16(size_t rows, const uint8_t *strip, size_t cols, const float *x, float *y, size_t y_stride,
                      unsigned lanes)
{
    strip_of_type(WEIR_TENSOR_F16, rows, strip, cols, x, y, y_stride, lanes);
}

static void strip_bf16(size_t rows, const uint8_t *strip, size_t cols, const float *x, float *y, size_t y_stride,
                       unsigned lanes)
{
    strip_of_type(WEIR_TENSOR_BF16, rows, strip, cols, x, y, y_stride, lanes);
}

void matmul_float_avx512(const struct matrix *w, const struct activations *a, float *y, size_t y_stride,
                         size_t row_begin, size_t row_end)
{
    float_strip_kernel *kernel = w->type == WEIR_TENSOR_F32   ? strip_f32
                                 : w->type == WEIR_TENSOR_F16 ? strip_f16
                                                              : strip_bf16;
    matmul_float_strips(kernel, ROWS_MAX, w, a, y, y_stride, row_begin, row_end);
}
