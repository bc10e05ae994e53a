/* Norms, activation functions, rope and softmax in AVX2 and FMA: the steps of the reference, lane by lane. The 16 lanes of its
 * sums are two registers (double: four). A tail is computed by the same instructions on a padded copy, so the value of an element
 * never depends on its place. */
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "kernels/exp_constants.h"
#include "kernels/x86/ops_x86.h"

enum { LANES = 8 };

/* Eight floats of x, or the `left` < 8 that remain with `pad` behind them. */
static inline __m256 load_part(const float *x, size_t left, float pad)
{
    if (left >= LANES) return _mm256_loadu_ps(x);
    float part[LANES] = {pad, pad, pad, pad, pad, pad, pad, pad};
    memcpy(part, x, left * sizeof *x);
    return _mm256_loadu_ps(part);
}

static inline void store_part(float *x, size_t left, __m256 value)
{
    if (left >= LANES) {
        _mm256_storeu_ps(x, value);
        return;
    }
    float part[LANES];
    _mm256_storeu_ps(part, value);
    memcpy(x, part, left * sizeof *x);
}

static inline __m256 exp_lanes(__m256 x)
{
    const __m256 low = _mm256_set1_ps(EXP_MIN), high = _mm256_set1_ps(EXP_MAX), shift = _mm256_set1_ps(EXP_SHIFT);
    __m256 t = _mm256_fmadd_ps(x, _mm256_set1_ps(EXP_LOG2E), shift);
    __m256 n = _mm256_sub_ps(t, shift);
    __m256 r = _mm256_fmadd_ps(n, _mm256_set1_ps(-EXP_LN2_HI), x);
    r = _mm256_fmadd_ps(n, _mm256_set1_ps(-EXP_LN2_LO), r);
    __m256 p = _mm256_fmadd_ps(_mm256_set1_ps(EXP_C6), r, _mm256_set1_ps(EXP_C5));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(EXP_C4));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(EXP_C3));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(EXP_C2));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
    __m256i power = _mm256_slli_epi32(_mm256_castps_si256(t), 23);
    power = _mm256_add_epi32(power, _mm256_set1_epi32(0x3f800000));
    p = _mm256_mul_ps(p, _mm256_castsi256_ps(power));
    p = _mm256_andnot_ps(_mm256_cmp_ps(x, low, _CMP_LT_OQ), p);
    return _mm256_blendv_ps(p, _mm256_set1_ps(INFINITY), _mm256_cmp_ps(x, high, _CMP_GT_OQ));
}

/* 16 lanes in halves: l += l + 8, + 4, + 2, + 1. */
static float fold(__m256 low, __m256 high)
{
    __m256 eight = _mm256_add_ps(low, high);
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

static double fold_double(const __m256d lane[4])
{
    __m256d four = _mm256_add_pd(_mm256_add_pd(lane[0], lane[2]), _mm256_add_pd(lane[1], lane[3]));
    __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

static void rmsnorm_avx2(float *y, const float *x, const float *weight, size_t n, float eps)
{
    __m256d lane[4] = {_mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd()};
    for (size_t i = 0; i < n; i += OPS_LANES)
        for (size_t h = 0; h < 2 && i + h * LANES < n; h++) {
            __m256 part = load_part(x + i + h * LANES, n - i - h * LANES, 0.0f);
            __m256d a = _mm256_cvtps_pd(_mm256_castps256_ps128(part)),
                    b = _mm256_cvtps_pd(_mm256_extractf128_ps(part, 1));
            lane[2 * h] = _mm256_fmadd_pd(a, a, lane[2 * h]);
            lane[2 * h + 1] = _mm256_fmadd_pd(b, b, lane[2 * h + 1]);
        }
    __m256 scale = _mm256_set1_ps((float)(1.0 / sqrt(fold_double(lane) / (double)n + (double)eps)));
    for (size_t i = 0; i < n; i += LANES) {
        __m256 scaled = _mm256_mul_ps(load_part(x + i, n - i, 0.0f), scale);
        store_part(y + i, n - i, _mm256_mul_ps(scaled, load_part(weight + i, n - i, 0.0f)));
    }
}

static void add_avx2(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += LANES)
        store_part(y + i, n - i, _mm256_add_ps(load_part(y + i, n - i, 0.0f), load_part(x + i, n - i, 0.0f)));
}

/* x / (1 + exp(-u)) * up */
static inline __m256 gate_lanes(__m256 x, __m256 u, __m256 up)
{
    __m256 e = exp_lanes(_mm256_xor_ps(u, _mm256_set1_ps(-0.0f)));
    return _mm256_mul_ps(_mm256_div_ps(x, _mm256_add_ps(_mm256_set1_ps(1.0f), e)), up);
}

static void silu_mul_avx2(float *gate, const float *up, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        __m256 x = load_part(gate + i, n - i, 0.0f);
        store_part(gate + i, n - i, gate_lanes(x, x, load_part(up + i, n - i, 0.0f)));
    }
}

static void gelu_tanh_mul_avx2(float *gate, const float *up, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        __m256 x = load_part(gate + i, n - i, 0.0f);
        __m256 slope = _mm256_fmadd_ps(_mm256_mul_ps(x, x), _mm256_set1_ps(GELU_CUBIC), _mm256_set1_ps(GELU_LINEAR));
        store_part(gate + i, n - i, gate_lanes(x, _mm256_mul_ps(x, slope), load_part(up + i, n - i, 0.0f)));
    }
}

static inline __m256 tanh_lanes(__m256 x)
{
    const __m256 sign = _mm256_set1_ps(-0.0f), one = _mm256_set1_ps(1.0f);
    __m256 a = _mm256_andnot_ps(sign, x), z = _mm256_mul_ps(x, x);
    __m256 p = _mm256_fmadd_ps(_mm256_set1_ps(TANH_C5), z, _mm256_set1_ps(TANH_C4));
    p = _mm256_fmadd_ps(p, z, _mm256_set1_ps(TANH_C3));
    p = _mm256_fmadd_ps(p, z, _mm256_set1_ps(TANH_C2));
    p = _mm256_fmadd_ps(p, z, _mm256_set1_ps(TANH_C1));
    p = _mm256_fmadd_ps(_mm256_mul_ps(x, z), p, x);
    __m256 most = _mm256_min_ps(_mm256_set1_ps(TANH_MAX), a);
    __m256 e = _mm256_add_ps(exp_lanes(_mm256_add_ps(most, most)), one);
    __m256 t = _mm256_sub_ps(one, _mm256_div_ps(_mm256_set1_ps(2.0f), e));
    t = _mm256_or_ps(t, _mm256_and_ps(sign, x));
    return _mm256_blendv_ps(t, p, _mm256_cmp_ps(a, _mm256_set1_ps(TANH_SMALL), _CMP_LT_OQ));
}

static void softcap_avx2(float *x, size_t n, float cap)
{
    const __m256 inverse = _mm256_set1_ps(1.0f / cap), top = _mm256_set1_ps(cap);
    for (size_t i = 0; i < n; i += LANES) {
        __m256 scaled = _mm256_mul_ps(load_part(x + i, n - i, 0.0f), inverse);
        store_part(x + i, n - i, _mm256_mul_ps(top, tanh_lanes(scaled)));
    }
}

/* (c0, s0, c1, s1, ...) are the pairs of the head: even lanes x0 c - x1 s, odd lanes x1 c + x0 s. */
static void rope_adjacent_avx2(float *head, const float *cos_sin, size_t n_rot)
{
    for (size_t i = 0; i < n_rot; i += LANES) {
        __m256 x = load_part(head + i, n_rot - i, 0.0f), turn = load_part(cos_sin + i, n_rot - i, 0.0f);
        __m256 crossed = _mm256_mul_ps(_mm256_permute_ps(x, 0xb1), _mm256_movehdup_ps(turn));
        store_part(head + i, n_rot - i, _mm256_fmaddsub_ps(x, _mm256_moveldup_ps(turn), crossed));
    }
}

static void rope_halves_avx2(float *head, const float *cos_sin, size_t n_rot)
{
    size_t half = n_rot / 2;
    for (size_t i = 0; i < half; i += LANES) {
        size_t left = half - i, first = 2 * left < LANES ? 2 * left : LANES;
        __m256 a = load_part(cos_sin + 2 * i, first, 0.0f);
        __m256 b = load_part(cos_sin + 2 * i + first, 2 * left - first, 0.0f);
        __m256 low = _mm256_permute2f128_ps(a, b, 0x20), high = _mm256_permute2f128_ps(a, b, 0x31);
        __m256 cosine = _mm256_shuffle_ps(low, high, 0x88), sine = _mm256_shuffle_ps(low, high, 0xdd);
        __m256 x0 = load_part(head + i, left, 0.0f), x1 = load_part(head + half + i, left, 0.0f);
        store_part(head + i, left, _mm256_fmsub_ps(x0, cosine, _mm256_mul_ps(x1, sine)));
        store_part(head + half + i, left, _mm256_fmadd_ps(x1, cosine, _mm256_mul_ps(x0, sine)));
    }
}

static float max_of(const float *row, size_t n)
{
    __m256 max = _mm256_set1_ps(-INFINITY);
    for (size_t i = 0; i < n; i += LANES) max = _mm256_max_ps(load_part(row + i, n - i, -INFINITY), max);
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(max), _mm256_extractf128_ps(max, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

static void softmax_avx2(float *row, size_t n)
{
    __m256 max = _mm256_set1_ps(max_of(row, n)), lane[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    for (size_t i = 0; i < n; i += OPS_LANES)
        for (size_t h = 0; h < 2 && i + h * LANES < n; h++) {
            size_t at = i + h * LANES;
            __m256 e = exp_lanes(_mm256_sub_ps(load_part(row + at, n - at, -INFINITY), max));
            lane[h] = _mm256_add_ps(lane[h], e);
            store_part(row + at, n - at, e);
        }
    __m256 inverse = _mm256_set1_ps(1.0f / fold(lane[0], lane[1]));
    for (size_t i = 0; i < n; i += LANES)
        store_part(row + i, n - i, _mm256_mul_ps(load_part(row + i, n - i, 0.0f), inverse));
}

void kernels_init_ops_avx2(struct kernels *k)
{
    k->rmsnorm = rmsnorm_avx2;
    k->add = add_avx2;
    k->silu_mul = silu_mul_avx2;
    k->gelu_tanh_mul = gelu_tanh_mul_avx2;
    k->softcap = softcap_avx2;
    k->rope_adjacent = rope_adjacent_avx2;
    k->rope_halves = rope_halves_avx2;
    k->kv_store = kv_store_avx2;
    k->attn_scores = attn_scores_avx2;
    k->softmax = softmax_avx2;
    k->attn_values = attn_values_avx2;
}
