/* Attention in AVX2 and FMA: the register tiles of attention_avx512.c at half the width. Same order, same bits. */
#include <immintrin.h>
#include <string.h>

#include "kernels/x86/ops_x86.h"

/* rows * 2 accumulators + 2 keys or values + 1 broadcast <= 16 registers. A key block is two registers of LANES. */
enum { TILE_ROWS_MAX = 6, VECTORS = 2, LANES = 8 };

/* Keys taken at a time by attn_values: they stay in the first-level cache while the rows pass. */
enum { VALUE_KEYS = 128 };

#define TILE static inline __attribute__((always_inline))

TILE __m256 load8(bool half, const void *base, size_t index)
{
    if (half) return _mm256_cvtph_ps(_mm_loadu_si128((const void *)((const uint16_t *)base + index)));
    return _mm256_loadu_ps((const float *)base + index);
}

/* Rows [row, row + rows) by one key block. rows and half are constants, so that acc lies in registers. */
TILE void score_tile(const struct score_job *s, size_t row, size_t block, int rows, bool half)
{
    __m256 acc[TILE_ROWS_MAX][VECTORS];
    const float *q = s->q + row * s->q_stride;
    size_t at = block * s->head_dim * KEY_BLOCK, left = s->n_keys - block * KEY_BLOCK;
    for (int r = 0; r < rows; r++) acc[r][0] = acc[r][1] = _mm256_setzero_ps();
    for (size_t d = 0; d < s->head_dim; d++, at += KEY_BLOCK) {
        __m256 low = load8(half, s->k, at), high = load8(half, s->k, at + LANES);
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

TILE void score_rows(const struct score_job *s, size_t row, size_t rows, size_t block, bool half)
{
    switch (rows) {
    case 1:
        score_tile(s, row, block, 1, half);
        break;
    case 2:
        score_tile(s, row, block, 2, half);
        break;
    case 3:
        score_tile(s, row, block, 3, half);
        break;
    case 4:
        score_tile(s, row, block, 4, half);
        break;
    case 5:
        score_tile(s, row, block, 5, half);
        break;
    default:
        score_tile(s, row, block, TILE_ROWS_MAX, half);
        break;
    }
}

/* The keys pass once, a block at a time, all rows over each block. */
TILE void scores(const struct score_job *s, size_t rows, bool half)
{
    size_t blocks = (s->n_keys + KEY_BLOCK - 1) / KEY_BLOCK, groups = (rows + TILE_ROWS_MAX - 1) / TILE_ROWS_MAX;
    for (size_t block = 0; block < blocks; block++)
        for (size_t g = 0; g < groups; g++) {
            size_t row = rows * g / groups;
            score_rows(s, row, rows * (g + 1) / groups - row, block, half);
        }
}

void attn_scores_avx2(enum weir_kv_type kv_type, const float *q, size_t q_stride, size_t rows, size_t head_dim,
                      const void *k, size_t n_keys, float scale, float *out, size_t stride)
{
    const struct score_job job = {q, k, out, q_stride, stride, head_dim, n_keys, scale};
    if (kv_type == WEIR_KV_F16)
        scores(&job, rows, true);
    else
        scores(&job, rows, false);
}

/* Rows [row, row + rows) by `vectors` registers of dimensions from `column`, over keys [begin, end). */
TILE void value_tile(const struct value_job *s, size_t row, size_t column, size_t begin, size_t end, int rows,
                     int vectors, bool half)
{
    __m256 acc[TILE_ROWS_MAX][VECTORS];
    const float *p = s->p + row * s->stride;
    float *out = s->out + row * s->out_stride + column;
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < vectors; c++) acc[r][c] = _mm256_loadu_ps(out + (size_t)r * s->out_stride + c * LANES);
    for (size_t j = begin; j < end; j++) {
        __m256 value[VECTORS];
        for (int c = 0; c < vectors; c++) value[c] = load8(half, s->v, j * s->head_dim + column + (size_t)c * LANES);
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
                     int vectors, bool half)
{
    switch (rows) {
    case 1:
        value_tile(s, row, column, begin, end, 1, vectors, half);
        break;
    case 2:
        value_tile(s, row, column, begin, end, 2, vectors, half);
        break;
    case 3:
        value_tile(s, row, column, begin, end, 3, vectors, half);
        break;
    case 4:
        value_tile(s, row, column, begin, end, 4, vectors, half);
        break;
    case 5:
        value_tile(s, row, column, begin, end, 5, vectors, half);
        break;
    default:
        value_tile(s, row, column, begin, end, TILE_ROWS_MAX, vectors, half);
        break;
    }
}

/* All rows by one strip of dimensions. */
TILE void value_strip(const struct value_job *s, size_t rows, size_t column, int vectors, bool half)
{
    size_t groups = (rows + TILE_ROWS_MAX - 1) / TILE_ROWS_MAX;
    for (size_t begin = 0; begin < s->n_keys; begin += VALUE_KEYS) {
        size_t end = s->n_keys - begin < VALUE_KEYS ? s->n_keys : begin + VALUE_KEYS;
        for (size_t g = 0; g < groups; g++) {
            size_t row = rows * g / groups;
            value_rows(s, row, rows * (g + 1) / groups - row, column, begin, end, vectors, half);
        }
    }
}

TILE void values(const struct value_job *s, size_t rows, bool half)
{
    size_t column = 0;
    for (; s->head_dim - column >= VECTORS * LANES; column += VECTORS * LANES)
        value_strip(s, rows, column, VECTORS, half);
    if (column < s->head_dim) value_strip(s, rows, column, 1, half);
}

void attn_values_avx2(enum weir_kv_type kv_type, const float *p, size_t stride, size_t rows, const void *v,
                      size_t n_keys, size_t head_dim, float *out, size_t out_stride)
{
    const struct value_job job = {p, v, out, stride, out_stride, head_dim, n_keys};
    if (kv_type == WEIR_KV_F16)
        values(&job, rows, true);
    else
        values(&job, rows, false);
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

void kv_store_avx2(enum weir_kv_type kv_type, void *k, void *v, size_t at, const float *key, const float *value,
                   size_t head_dim)
{
    size_t first = at / KEY_BLOCK * head_dim * KEY_BLOCK + at % KEY_BLOCK;
    if (kv_type == WEIR_KV_F16) {
        store_half((uint16_t *)k + first, (uint16_t *)v + at * head_dim, key, value, head_dim);
        return;
    }
    float *to = (float *)k + first;
    for (size_t d = 0; d < head_dim; d++) to[d * KEY_BLOCK] = key[d];
    memcpy((float *)v + at * head_dim, value, head_dim * sizeof *value);
}
