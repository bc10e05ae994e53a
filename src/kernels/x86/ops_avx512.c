/* Norms, activation functions, rope and softmax in AVX-512: the steps of the reference, lane by lane. A tail is a masked register, so
 * the value of an element never depends on its place. */
#include <immintrin.h>
#include <math.h>

#include "kernels/exp_constants.h"
#include "kernels/x86/ops_x86.h"

enum { LANES = 16 };

/* The lanes that hold elements when `left` remain. */
static inline __mmask16 lanes_of(size_t left)
{
    return (__mmask16)(left >= LANES ? 0xffff : (1u << left) - 1);
}

/* Exponentials of values that are not above EXP_MAX. */
static inline __m512 exp_lanes(__m512 x)
{
    const __m512 shift = _mm512_set1_ps(EXP_SHIFT), one = _mm512_set1_ps(1.0f);
    __m512 t = _mm512_fmadd_ps(x, _mm512_set1_ps(EXP_LOG2E), shift);
    __m512 n = _mm512_sub_ps(t, shift);
    __m512 r = _mm512_fmadd_ps(n, _mm512_set1_ps(-EXP_LN2_HI), x);
    r = _mm512_fmadd_ps(n, _mm512_set1_ps(-EXP_LN2_LO), r);
    __m512 p = _mm512_fmadd_ps(_mm512_set1_ps(EXP_C6), r, _mm512_set1_ps(EXP_C5));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(EXP_C4));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(EXP_C3));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(EXP_C2));
    p = _mm512_fmadd_ps(p, r, one);
    p = _mm512_fmadd_ps(p, r, one);
    __m512i power = _mm512_add_epi32(_mm512_slli_epi32(_mm512_castps_si512(t), 23), _mm512_set1_epi32(0x3f800000));
    __mmask16 normal = _mm512_cmp_ps_mask(x, _mm512_set1_ps(EXP_MIN), _CMP_NLT_UQ);
    return _mm512_maskz_mul_ps(normal, p, _mm512_castsi512_ps(power));
}

/* 16 lanes in halves: l += l + 8, + 4, + 2, + 1. */
static float fold(__m512 lanes)
{
    __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(lanes), _mm512_extractf32x8_ps(lanes, 1));
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

static double fold_double(__m512d low, __m512d high)
{
    __m512d eight = _mm512_add_pd(low, high);
    __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
    __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

static void rmsnorm_avx512(float *y, const float *x, const float *weight, size_t n, float eps)
{
    __m512d low = _mm512_setzero_pd(), high = _mm512_setzero_pd();
    for (size_t i = 0; i < n; i += LANES) {
        __m512 part = _mm512_maskz_loadu_ps(lanes_of(n - i), x + i);
        __m512d a = _mm512_cvtps_pd(_mm512_castps512_ps256(part)), b = _mm512_cvtps_pd(_mm512_extractf32x8_ps(part, 1));
        low = _mm512_fmadd_pd(a, a, low);
        high = _mm512_fmadd_pd(b, b, high);
    }
    __m512 scale = _mm512_set1_ps((float)(1.0 / sqrt(fold_double(low, high) / (double)n + (double)eps)));
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 mask = lanes_of(n - i);
        __m512 scaled = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + i), scale);
        _mm512_mask_storeu_ps(y + i, mask, _mm512_mul_ps(scaled, _mm512_maskz_loadu_ps(mask, weight + i)));
    }
}

static void add_avx512(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 mask = lanes_of(n - i);
        __m512 sum = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, y + i), _mm512_maskz_loadu_ps(mask, x + i));
        _mm512_mask_storeu_ps(y + i, mask, sum);
    }
}

/* x / (1 + exp(-u)) * up */
static inline __m512 gate_lanes(__m512 x, __m512 u, __m512 up)
{
    __m512 minus = _mm512_xor_ps(u, _mm512_set1_ps(-0.0f));
    __mmask16 over = _mm512_cmp_ps_mask(minus, _mm512_set1_ps(EXP_MAX), _CMP_GT_OQ);
    __m512 e = _mm512_mask_blend_ps(over, exp_lanes(minus), _mm512_set1_ps(INFINITY));
    return _mm512_mul_ps(_mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1.0f), e)), up);
}

static void silu_mul_avx512(float *gate, const float *up, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 mask = lanes_of(n - i);
        __m512 x = _mm512_maskz_loadu_ps(mask, gate + i);
        _mm512_mask_storeu_ps(gate + i, mask, gate_lanes(x, x, _mm512_maskz_loadu_ps(mask, up + i)));
    }
}

static void gelu_tanh_mul_avx512(float *gate, const float *up, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 mask = lanes_of(n - i);
        __m512 x = _mm512_maskz_loadu_ps(mask, gate + i);
        __m512 slope = _mm512_fmadd_ps(_mm512_mul_ps(x, x), _mm512_set1_ps(GELU_CUBIC), _mm512_set1_ps(GELU_LINEAR));
        __m512 y = gate_lanes(x, _mm512_mul_ps(x, slope), _mm512_maskz_loadu_ps(mask, up + i));
        _mm512_mask_storeu_ps(gate + i, mask, y);
    }
}

static inline __m512 tanh_lanes(__m512 x)
{
    const __m512 sign = _mm512_set1_ps(-0.0f), one = _mm512_set1_ps(1.0f);
    __m512 a = _mm512_andnot_ps(sign, x), z = _mm512_mul_ps(x, x);
    __m512 p = _mm512_fmadd_ps(_mm512_set1_ps(TANH_C5), z, _mm512_set1_ps(TANH_C4));
    p = _mm512_fmadd_ps(p, z, _mm512_set1_ps(TANH_C3));
    p = _mm512_fmadd_ps(p, z, _mm512_set1_ps(TANH_C2));
    p = _mm512_fmadd_ps(p, z, _mm512_set1_ps(TANH_C1));
    p = _mm512_fmadd_ps(_mm512_mul_ps(x, z), p, x);
    __m512 most = _mm512_min_ps(_mm512_set1_ps(TANH_MAX), a);
    __m512 e = _mm512_add_ps(exp_lanes(_mm512_add_ps(most, most)), one);
    __m512 t = _mm512_sub_ps(one, _mm512_div_ps(_mm512_set1_ps(2.0f), e));
    t = _mm512_or_ps(t, _mm512_and_ps(sign, x));
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, _mm512_set1_ps(TANH_SMALL), _CMP_LT_OQ), t, p);
}

static void softcap_avx512(float *x, size_t n, float cap)
{
    const __m512 inverse = _mm512_set1_ps(1.0f / cap), top = _mm512_set1_ps(cap);
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 mask = lanes_of(n - i);
        __m512 scaled = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + i), inverse);
        _mm512_mask_storeu_ps(x + i, mask, _mm512_mul_ps(top, tanh_lanes(scaled)));
    }
}

/* (c0, s0, c1, s1, ...) are the pairs of the head: even lanes x0 c - x1 s, odd lanes x1 c + x0 s. */
static void rope_adjacent_avx512(float *head, const float *cos_sin, size_t n_rot)
{
    for (size_t i = 0; i < n_rot; i += LANES) {
        __mmask16 mask = lanes_of(n_rot - i);
        __m512 x = _mm512_maskz_loadu_ps(mask, head + i), turn = _mm512_maskz_loadu_ps(mask, cos_sin + i);
        __m512 crossed = _mm512_mul_ps(_mm512_permute_ps(x, 0xb1), _mm512_movehdup_ps(turn));
        _mm512_mask_storeu_ps(head + i, mask, _mm512_fmaddsub_ps(x, _mm512_moveldup_ps(turn), crossed));
    }
}

static void rope_halves_avx512(float *head, const float *cos_sin, size_t n_rot)
{
    const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    size_t half = n_rot / 2;
    for (size_t i = 0; i < half; i += LANES) {
        size_t left = half - i, behind = 2 * left > LANES ? 2 * left - LANES : 0;
        __mmask16 mask = lanes_of(left);
        __m512 a = _mm512_maskz_loadu_ps(lanes_of(2 * left), cos_sin + 2 * i);
        __m512 b = _mm512_maskz_loadu_ps(lanes_of(behind), cos_sin + 2 * i + LANES);
        __m512 cosine = _mm512_permutex2var_ps(a, even, b), sine = _mm512_permutex2var_ps(a, odd, b);
        __m512 x0 = _mm512_maskz_loadu_ps(mask, head + i), x1 = _mm512_maskz_loadu_ps(mask, head + half + i);
        _mm512_mask_storeu_ps(head + i, mask, _mm512_fmsub_ps(x0, cosine, _mm512_mul_ps(x1, sine)));
        _mm512_mask_storeu_ps(head + half + i, mask, _mm512_fmadd_ps(x1, cosine, _mm512_mul_ps(x0, sine)));
    }
}

static __m512 max_lanes(const float *row, size_t n)
{
    const __m512 least = _mm512_set1_ps(-INFINITY);
    __m512 max = least;
    for (size_t i = 0; i < n; i += LANES)
        max = _mm512_max_ps(_mm512_mask_loadu_ps(least, lanes_of(n - i), row + i), max);
    return _mm512_set1_ps(_mm512_reduce_max_ps(max));
}

static void softmax_avx512(float *row, size_t n)
{
    const __m512 least = _mm512_set1_ps(-INFINITY), max = max_lanes(row, n);
    __m512 sum = _mm512_setzero_ps();
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 mask = lanes_of(n - i);
        __m512 e = exp_lanes(_mm512_sub_ps(_mm512_mask_loadu_ps(least, mask, row + i), max));
        sum = _mm512_add_ps(sum, e);
        _mm512_mask_storeu_ps(row + i, mask, e);
    }
    __m512 inverse = _mm512_set1_ps(1.0f / fold(sum));
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 mask = lanes_of(n - i);
        _mm512_mask_storeu_ps(row + i, mask, _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, row + i), inverse));
    }
}

void kernels_init_ops_avx512vnni(struct kernels *k)
{
    k->rmsnorm = rmsnorm_avx512;
    k->add = add_avx512;
    k->silu_mul = silu_mul_avx512;
    k->gelu_tanh_mul = gelu_tanh_mul_avx512;
    k->softcap = softcap_avx512;
    k->rope_adjacent = rope_adjacent_avx512;
    k->rope_halves = rope_halves_avx512;
    k->attn_scores = attn_scores_avx512;
    k->softmax = softmax_avx512;
    k->attn_values = attn_values_avx512;
}
