/* Attention in AVX2 and FMA: the register tiles of attention_avx512.c at half the width. Same order, same bits. */
#include <immintrin.h>
#include <string.h>

#include "kernels/x86/ops_x86.h"

/* rows * 2 accumulators + 2 keys or values + 1 broadcast <= 16 registers. A key block is two registers of LANES. */
enum { TILE_ROWS_MAX = 6, VECTORS = 2, LANES = 8 };

/* Keys taken at a time by attn_values: they stay in the first-level cache while the rows pass. */
enum { VALUE_KEYS = 128 };

#define TILE static inline __attribute__((always_inline))

/* Elements [index, index + 8) of `base`; of q8_0 still without their scale. */
TILE __m256 load8(enum weir_kv_type type, const uint8_t *base, size_t index)
{
    if (type == WEIR_KV_F16) return _mm256_cvtph_ps(_mm_loadu_si128((const void *)(base + 2 * index)));
    if (type == WEIR_KV_F32) return _mm256_loadu_ps((const void *)(base + 4 * index));
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)(base + index))));
}

/* One binary16 scale in every lane. */
TILE __m256 load_scale(const uint8_t *scales, size_t index)
{
    uint16_t bits;
    memcpy(&bits, scales + 2 * index, sizeof bits);
    return _mm256_set1_ps(_cvtsh_ss(bits));
}

/* Rows [row, row + rows) by one key block. rows and type are constants, so that acc lies in registers. */
TILE void score_tile(const struct score_job *s, size_t row, size_t block, int rows, enum weir_kv_type type)
{
    __m256 acc[TILE_ROWS_MAX][VECTORS], scales[VECTORS] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    const float *q = s->q + row * s->q_stride;
    const uint8_t *keys = (const uint8_t *)s->k + block * KEY_BLOCK * kv_row_bytes(type, s->head_dim);
    size_t left = s->n_keys - block * KEY_BLOCK;
    for (int r = 0; r < rows; r++) acc[r][0] = acc[r][1] = _mm256_setzero_ps();
    for (size_t d = 0, at = 0; d < s->head_dim; d++, at += KEY_BLOCK) {
        __m256 low = load8(type, keys, at), high = load8(type, keys, at + LANES);
        if (type == WEIR_KV_Q8_0) {
            if (d % KV_GROUP == 0) {
                const uint8_t *group = keys + (s->head_dim + d / KV_GROUP * 2) * KEY_BLOCK;
                scales[0] = load8(WEIR_KV_F16, group, 0);
                scales[1] = load8(WEIR_KV_F16, group, LANES);
            }
            low = _mm256_mul_ps(low, scales[0]);
            high = _mm256_mul_ps(high, scales[1]);
        }
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            __m256 x = _mm256_broadcast_ss(&q[(size_t)r * s->q_stride + d]);
            acc[r][0] = _mm256_fmadd_ps(x, low, acc[r][0]);
            acc[r][1] = _mm256_fmadd_ps(x, high, acc[r][1]);
        }
    }
    __m256 scale = _mm256_set1_ps(s->scale);
    for (int r = 0; r < rows; r++) {
        float *out = s->scores + (row + (size_t)r) * s->stride + block * KEY_BLOCK, whole[KEY_BLOCK];
        float *to = left >= KEY_BLOCK ? out : whole;
        _mm256_storeu_ps(to, _mm256_mul_ps(scale, acc[r][0]));
        _mm256_storeu_ps(to + LANES, _mm256_mul_ps(scale, acc[r][1]));
        if (left < KEY_BLOCK) memcpy(out, whole, left * sizeof *out);
    }
}

TILE void score_rows(const struct score_job *s, size_t row, size_t rows, size_t block, enum weir_kv_type type)
{
    switch (rows) {
    case 1:
        score_tile(s, row, block, 1, type);
        break;
    case 2:
        score_tile(s, row, block, 2, type);
        break;
    case 3:
        score_tile(s, row, block, 3, type);
        break;
    case 4:
        score_tile(s, row, block, 4, type);
        break;
    case 5:
        score_tile(s, row, block, 5, type);
        break;
    default:
        score_tile(s, row, block, TILE_ROWS_MAX, type);
        break;
    }
}

/* The keys pass once, a block at a time, all rows over each block. */
TILE void scores(const struct score_job *s, size_t rows, enum weir_kv_type type)
{
    size_t blocks = (s->n_keys + KEY_BLOCK - 1) / KEY_BLOCK, groups = (rows + TILE_ROWS_MAX - 1) / TILE_ROWS_MAX;
    for (size_t block = 0; block < blocks; block++)
        for (size_t g = 0; g < groups; g++) {
            size_t row = rows * g / groups;
            score_rows(s, row, rows * (g + 1) / groups - row, block, type);
        }
}

void attn_scores_avx2(enum weir_kv_type kv_type, const float *q, size_t q_stride, size_t rows, size_t head_dim,
                      const void *k, size_t n_keys, float scale, float *out, size_t stride)
{
    const struct score_job job = {q, k, out, q_stride, stride, head_dim, n_keys, scale};
    switch (kv_type) {
    case WEIR_KV_F32:
        scores(&job, rows, WEIR_KV_F32);
        break;
    case WEIR_KV_Q8_0:
        scores(&job, rows, WEIR_KV_Q8_0);
        break;
    default:
        scores(&job, rows, WEIR_KV_F16);
        break;
    }
}

/* Rows [row, row + rows) by `vectors` registers of dimensions from `column`, over keys [begin, end). */
TILE void value_tile(const struct value_job *s, size_t row, size_t column, size_t begin, size_t end, int rows,
                     int vectors, enum weir_kv_type type)
{
    __m256 acc[TILE_ROWS_MAX][VECTORS];
    const float *p = s->p + row * s->stride;
    float *out = s->out + row * s->out_stride + column;
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < vectors; c++) acc[r][c] = _mm256_loadu_ps(out + (size_t)r * s->out_stride + c * LANES);
    for (size_t j = begin; j < end; j++) {
        __m256 value[VECTORS];
        const uint8_t *v = (const uint8_t *)s->v + j * kv_row_bytes(type, s->head_dim);
        for (int c = 0; c < vectors; c++) value[c] = load8(type, v, column + (size_t)c * LANES);
        if (type == WEIR_KV_Q8_0) { /* 16 dimensions from a multiple of 16: one group */
            __m256 scale = load_scale(v + s->head_dim, column / KV_GROUP);
            for (int c = 0; c < vectors; c++) value[c] = _mm256_mul_ps(value[c], scale);
        }
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            __m256 x = _mm256_broadcast_ss(&p[(size_t)r * s->stride + j]);
            for (int c = 0; c < vectors; c++) acc[r][c] = _mm256_fmadd_ps(x, value[c], acc[r][c]);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < vectors; c++) _mm256_storeu_ps(out + (size_t)r * s->out_stride + c * LANES, acc[r][c]);
}

TILE void value_rows(const struct value_job *s, size_t row, size_t rows, size_t column, size_t begin, size_t end,
                     int vectors, enum weir_kv_type type)
{
    switch (rows) {
    case 1:
        value_tile(s, row, column, begin, end, 1, vectors, type);
        break;
    case 2:
        value_tile(s, row, column, begin, end, 2, vectors, type);
        break;
    case 3:
        value_tile(s, row, column, begin, end, 3, vectors, type);
        break;
    case 4:
        value_tile(s, row, column, begin, end, 4, vectors, type);
        break;
    case 5:
        value_tile(s, row, column, begin, end, 5, vectors, type);
        break;
    default:
        value_tile(s, row, column, begin, end, TILE_ROWS_MAX, vectors, type);
        break;
    }
}

/* All rows by one strip of dimensions. */
TILE void value_strip(const struct value_job *s, size_t rows, size_t column, int vectors, enum weir_kv_type type)
{
    size_t groups = (rows + TILE_ROWS_MAX - 1) / TILE_ROWS_MAX;
    for (size_t begin = 0; begin < s->n_keys; begin += VALUE_KEYS) {
        size_t end = s->n_keys - begin < VALUE_KEYS ? s->n_keys : begin + VALUE_KEYS;
        for (size_t g = 0; g < groups; g++) {
            size_t row = rows * g / groups;
            value_rows(s, row, rows * (g + 1) / groups - row, column, begin, end, vectors, type);
        }
    }
}

TILE void values(const struct value_job *s, size_t rows, enum weir_kv_type type)
{
    size_t column = 0;
    for (; s->head_dim - column >= VECTORS * LANES; column += VECTORS * LANES)
        value_strip(s, rows, column, VECTORS, type);
    if (column < s->head_dim) value_strip(s, rows, column, 1, type);
}

void attn_values_avx2(enum weir_kv_type kv_type, const float *p, size_t stride, size_t rows, const void *v,
                      size_t n_keys, size_t head_dim, float *out, size_t out_stride)
{
    const struct value_job job = {p, v, out, stride, out_stride, head_dim, n_keys};
    switch (kv_type) {
    case WEIR_KV_F32:
        values(&job, rows, WEIR_KV_F32);
        break;
    case WEIR_KV_Q8_0:
        values(&job, rows, WEIR_KV_Q8_0);
        break;
    default:
        values(&job, rows, WEIR_KV_F16);
        break;
    }
}

/* Eight values rounded to f16 by the hardware, then scattered: the key's lane of each row of its block. */
static void store_half(uint16_t *k, uint16_t *v, const float *key, const float *value, size_t head_dim)
{
    for (size_t d = 0; d < head_dim; d += LANES) {
        uint16_t lanes[LANES];
        _mm_storeu_si128((void *)lanes, _mm256_cvtps_ph(_mm256_loadu_ps(key + d), _MM_FROUND_TO_NEAREST_INT));
        for (size_t i = 0; i < LANES; i++) k[(d + i) * KEY_BLOCK] = lanes[i];
        _mm_storeu_si128((void *)(v + d), _mm256_cvtps_ph(_mm256_loadu_ps(value + d), _MM_FROUND_TO_NEAREST_INT));
    }
}

/* A group of `n` values: their scale to *scale, q to bytes[n]. */
TILE void quantize_group(const float *x, size_t n, uint16_t *scale, int8_t bytes[KV_GROUP])
{
    __m256 max = _mm256_setzero_ps(), sign = _mm256_set1_ps(-0.0f);
    for (size_t i = 0; i < n; i += LANES) max = _mm256_max_ps(max, _mm256_andnot_ps(sign, _mm256_loadu_ps(x + i)));
    float lanes[LANES], most = 0.0f;
    _mm256_storeu_ps(lanes, max);
    for (size_t i = 0; i < LANES; i++) most = lanes[i] > most ? lanes[i] : most;
    float step = most / 127.0f;
    *scale = (uint16_t)_cvtss_sh(step < 65504.0f ? step : 65504.0f, _MM_FROUND_TO_NEAREST_INT);
    float d = _cvtsh_ss(*scale);
    __m256 inverse = _mm256_set1_ps(d > 0.0f ? 1.0f / d : 0.0f), limit = _mm256_set1_ps(127.0f);
    for (size_t i = 0; i < n; i += LANES) {
        __m256 scaled = _mm256_mul_ps(_mm256_loadu_ps(x + i), inverse);
        scaled = _mm256_min_ps(_mm256_max_ps(scaled, _mm256_xor_ps(limit, sign)), limit);
        __m256i q = _mm256_cvtps_epi32(scaled);
        __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
        _mm_storel_epi64((void *)(bytes + i), _mm_packs_epi16(words, words));
    }
}

static void store_q8_0(uint8_t *k, uint8_t *v, size_t lane, const float *key, const float *value, size_t head_dim)
{
    for (size_t first = 0; first < head_dim; first += KV_GROUP) {
        size_t n = head_dim - first < KV_GROUP ? head_dim - first : KV_GROUP, g = first / KV_GROUP;
        int8_t bytes[KV_GROUP];
        uint16_t scale;
        quantize_group(key + first, n, &scale, bytes);
        for (size_t i = 0; i < n; i++) k[(first + i) * KEY_BLOCK + lane] = (uint8_t)bytes[i];
        memcpy(k + head_dim * KEY_BLOCK + 2 * (g * KEY_BLOCK + lane), &scale, sizeof scale);
        quantize_group(value + first, n, &scale, bytes);
        memcpy(v + first, bytes, n);
        memcpy(v + head_dim + 2 * g, &scale, sizeof scale);
    }
}

void kv_store_avx2(enum weir_kv_type kv_type, void *k, void *v, size_t at, const float *key, const float *value,
                   size_t head_dim)
{
    if (kv_type == WEIR_KV_Q8_0) {
        size_t row = kv_row_bytes(kv_type, head_dim);
        store_q8_0((uint8_t *)k + at / KEY_BLOCK * KEY_BLOCK * row, (uint8_t *)v + at * row, at % KEY_BLOCK, key, value,
                   head_dim);
        return;
    }
    size_t first = at / KEY_BLOCK * head_dim * KEY_BLOCK + at % KEY_BLOCK;
    if (kv_type == WEIR_KV_F16) {
        store_half((uint16_t *)k + first, (uint16_t *)v + at * head_dim, key, value, head_dim);
        return;
    }
    uint8_t *to = (uint8_t *)k + first * sizeof *key;
    for (size_t d = 0; d < head_dim; d++) memcpy(to + d * KEY_BLOCK * sizeof *key, &key[d], sizeof *key);
    memcpy((uint8_t *)v + at * head_dim * sizeof *value, value, head_dim * sizeof *value);
}
