/* Activations to int8 (kernels.h, struct activations), a block of 32 at a time. */
#include <immintrin.h>

#include "kernels/quant_formats.h"
#include "kernels/x86/matmul_x86.h"

static inline float block_max(const __m256 x[4])
{
    __m256 sign = _mm256_set1_ps(-0.0f);
    __m256 m8 = _mm256_max_ps(_mm256_max_ps(_mm256_andnot_ps(sign, x[0]), _mm256_andnot_ps(sign, x[1])),
                              _mm256_max_ps(_mm256_andnot_ps(sign, x[2]), _mm256_andnot_ps(sign, x[3])));
    __m128 m4 = _mm_max_ps(_mm256_castps256_ps128(m8), _mm256_extractf128_ps(m8, 1));
    m4 = _mm_max_ps(m4, _mm_movehl_ps(m4, m4));
    return _mm_cvtss_f32(_mm_max_ss(m4, _mm_movehdup_ps(m4)));
}

static inline __m256i quantize_8(__m256 x, __m256 inverse)
{
    return _mm256_cvtps_epi32(_mm256_mul_ps(x, inverse));
}

/* The packs work within 128-bit lanes; the permutation puts the 32 values in order. */
static inline __m256i quantize_32(const __m256 x[4], __m256 inverse)
{
    __m256i low = _mm256_packs_epi32(quantize_8(x[0], inverse), quantize_8(x[1], inverse));
    __m256i high = _mm256_packs_epi32(quantize_8(x[2], inverse), quantize_8(x[3], inverse));
    return _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

/* -8 times the sums of the two halves, in lanes 0 and 4. */
static inline __m256i half_offsets(__m256i q)
{
    __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), q);
    __m256i sums = _mm256_madd_epi16(pairs, _mm256_set1_epi16(-8));
    sums = _mm256_add_epi32(sums, _mm256_shuffle_epi32(sums, 0x4e));
    return _mm256_add_epi32(sums, _mm256_shuffle_epi32(sums, 0xb1));
}

static void quantize_row(const struct activations *a, size_t t)
{
    size_t blocks = a->cols / ACT_BLOCK;
    struct panel panel = panel_of(a->rows, t);
    const float *from = a->x + t * a->cols;
    size_t at = panel_index(panel, blocks, t, 0);
    size_t at16 = panel_index16(panel, blocks, t, 0, 0);
    for (size_t b = 0; b < blocks; b++, from += ACT_BLOCK, at += panel.width, at16 += 2 * panel.width) {
        __m256 x[4];
        for (int i = 0; i < 4; i++) x[i] = _mm256_loadu_ps(from + 8 * i);
        float max = block_max(x);
        float inverse = max < QUANTIZE_TINY ? 0 : 127 / max;
        __m256i q = quantize_32(x, _mm256_set1_ps(inverse));
        _mm256_storeu_si256((__m256i *)(a->q + at * ACT_BLOCK), q);
        __m256i offsets = half_offsets(q);
        int32_t offset0 = _mm256_extract_epi32(offsets, 0), offset1 = _mm256_extract_epi32(offsets, 4);
        a->d[at] = max < QUANTIZE_TINY ? 0 : max / 127;
        a->offset[at] = offset0 + offset1;
        a->offset16[at16] = 4 * offset0;
        a->offset16[at16 + panel.width] = 4 * offset1;
    }
}

void quantize_avx2(const struct activations *a, size_t row_begin, size_t row_end)
{
    for (size_t t = row_begin; t < row_end; t++) quantize_row(a, t);
}
