/* Activations to int8 (kernels.h, struct activations), a block of 32 at a time. */
#include <immintrin.h>

#include "kernels/quant_formats.h"
#include "kernels/x86/matmul_x86.h"

static inline float block_max(__m512 low, __m512 high)
{
    __m512 m = _mm512_max_ps(_mm512_abs_ps(low), _mm512_abs_ps(high));
    __m256 m8 = _mm256_max_ps(_mm512_castps512_ps256(m), _mm512_extractf32x8_ps(m, 1));
    __m128 m4 = _mm_max_ps(_mm256_castps256_ps128(m8), _mm256_extractf128_ps(m8, 1));
    m4 = _mm_max_ps(m4, _mm_movehl_ps(m4, m4));
    return _mm_cvtss_f32(_mm_max_ss(m4, _mm_movehdup_ps(m4)));
}

static inline __m128i quantize_half(__m512 x, __m512 inverse)
{
    return _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(x, inverse)));
}

/* -8 times the sums of the two halves, in lanes 0 and 4. */
static inline __m256i half_offsets(__m256i q)
{
    __m256i sums = _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_set1_epi8(8), q);
    sums = _mm256_add_epi32(sums, _mm256_shuffle_epi32(sums, 0x4e));
    sums = _mm256_add_epi32(sums, _mm256_shuffle_epi32(sums, 0xb1));
    return _mm256_sub_epi32(_mm256_setzero_si256(), sums);
}

static void quantize_row(const struct activations *a, size_t t)
{
    size_t blocks = a->cols / ACT_BLOCK;
    struct panel panel = panel_of(a->rows, t);
    const float *x = a->x + t * a->cols;
    size_t at = panel_index(panel, blocks, t, 0);
    size_t at16 = panel_index16(panel, blocks, t, 0, 0);
    for (size_t b = 0; b < blocks; b++, x += ACT_BLOCK, at += panel.width, at16 += 2 * panel.width) {
        __m512 low = _mm512_loadu_ps(x), high = _mm512_loadu_ps(x + 16);
        float max = block_max(low, high);
        float inverse = max < QUANTIZE_TINY ? 0 : 127 / max;
        __m512 factor = _mm512_set1_ps(inverse);
        __m256i q = _mm256_setr_m128i(quantize_half(low, factor), quantize_half(high, factor));
        _mm256_storeu_si256((__m256i *)(a->q + at * ACT_BLOCK), q);
        __m256i offsets = half_offsets(q);
        int32_t offset0 = _mm256_extract_epi32(offsets, 0), offset1 = _mm256_extract_epi32(offsets, 4);
        a->d[at] = max < QUANTIZE_TINY ? 0 : max / 127;
        a->offset[at] = offset0 + offset1;
        a->offset16[at16] = 4 * offset0;
        a->offset16[at16 + panel.width] = 4 * offset1;
    }
}

void quantize_avx512(const struct activations *a, size_t row_begin, size_t row_end)
{
    for (size_t t = row_begin; t < row_end; t++) quantize_row(a, t);
}
