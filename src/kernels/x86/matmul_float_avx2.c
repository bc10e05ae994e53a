/* Products with F32, F16 and BF16 weights: 8 rows a register, four partial sums an output (column modulo 4). */
#include <immintrin.h>
#include <string.h>

#include "kernels/tiles.h"
#include "kernels/x86/matmul_x86.h"

#define INLINE static inline __attribute__((always_inline))

enum { PARTIAL = 4, ROWS_MAX = 3 }; /* 12 accumulators of 16 registers */

/* Column c of the half of a strip that begins at row `lane`. */
INLINE __m256 load_column(enum weir_tensor_type type, const uint8_t *strip, size_t c, int lane)
{
    size_t at = c * TILE_ROWS + (size_t)lane;
    if (type == WEIR_TENSOR_F32) return _mm256_load_ps((const void *)(strip + at * 4));
    __m128i bits = _mm_load_si128((const __m128i *)(strip + at * 2));
    if (type == WEIR_TENSOR_F16) return _mm256_cvtph_ps(bits);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

INLINE __m256i lane_mask(unsigned lanes)
{
    __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)lanes), bit), bit);
}

/* acc[t] += w * x[t * cols] */
INLINE void add_column(__m256 w, int rows, const float *x, size_t cols, __m256 *acc)
{
#pragma GCC unroll 3
    for (int t = 0; t < rows; t++) acc[t] = _mm256_fmadd_ps(w, _mm256_set1_ps(x[(size_t)t * cols]), acc[t]);
}

INLINE void half_by_rows(enum weir_tensor_type type, int rows, const uint8_t *strip, size_t cols, const float *x,
                         int lane, float *y, size_t y_stride, unsigned lanes)
{
    __m256 acc[PARTIAL][ROWS_MAX];
#pragma GCC unroll 4
    for (int j = 0; j < PARTIAL; j++) {
#pragma GCC unroll 3
        for (int t = 0; t < rows; t++) acc[j][t] = _mm256_setzero_ps();
    }
    size_t c = 0;
    for (; c + PARTIAL <= cols; c += PARTIAL) {
#pragma GCC unroll 4
        for (size_t j = 0; j < PARTIAL; j++)
            add_column(load_column(type, strip, c + j, lane), rows, x + c + j, cols, acc[j]);
    }
#pragma GCC unroll 4
    for (size_t j = 0; j < PARTIAL - 1; j++)
        if (c + j < cols) add_column(load_column(type, strip, c + j, lane), rows, x + c + j, cols, acc[j]);
#pragma GCC unroll 3
    for (int t = 0; t < rows; t++) {
        __m256 sum = _mm256_add_ps(_mm256_add_ps(acc[0][t], acc[1][t]), _mm256_add_ps(acc[2][t], acc[3][t]));
        _mm256_maskstore_ps(y + (size_t)t * y_stride + lane, lane_mask(lanes >> lane), sum);
    }
}

/* y of all rows of a strip whose lane bit is set, for 1..3 activation rows. */
INLINE void strip_of_type(enum weir_tensor_type type, size_t rows, const uint8_t *strip, size_t cols, const float *x,
                          float *y, size_t y_stride, unsigned lanes)
{
    for (int lane = 0; lane < TILE_ROWS && lanes >> lane; lane += 8) {
        if (rows == 1)
            half_by_rows(type, 1, strip, cols, x, lane, y, y_stride, lanes);
        else if (rows == 2)
            half_by_rows(type, 2, strip, cols, x, lane, y, y_stride, lanes);
        else
            half_by_rows(type, 3, strip, cols, x, lane, y, y_stride, lanes);
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

void matmul_float_avx2(const struct matrix *w, const struct activations *a, float *y, size_t y_stride, size_t row_begin,
                       size_t row_end)
{
    float_strip_kernel *kernel = w->type == WEIR_TENSOR_F32   ? strip_f32
                                 : w->type == WEIR_TENSOR_F16 ? strip_f16
                                                              : strip_bf16;
    matmul_float_strips(kernel, ROWS_MAX, w, a, y, y_stride, row_begin, row_end);
}
