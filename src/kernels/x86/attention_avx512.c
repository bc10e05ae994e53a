/* Attention in AVX-512: register tiles of rows by keys (scores) and of rows by head dimensions (values). Each output keeps the
 * order of the reference, one accumulator an output, so the bits are the same. */
#include <immintrin.h>
#include <string.h>

#include "kernels/x86/ops_x86.h"

/* rows * blocks accumulators + blocks keys + 1 broadcast <= 32 registers, and >= 8 chains hide the latency of the FMA. */
enum { SCORE_ROWS = 12, SCORE_BLOCKS = 2, VALUE_ROWS = 6, VALUE_VECTORS = 4, LANES = 16 };

/* Keys taken at a time by attn_values: 64 dimensions of them stay in the first-level cache while the rows pass. */
enum { VALUE_KEYS = 128 };

#define TILE static inline __attribute__((always_inline))

/* Elements [index, index + 16) of `base`; of q8_0 still without their scale. */
TILE __m512 load16(enum weir_kv_type type, const uint8_t *base, size_t index)
{
    if (type == WEIR_KV_F16) return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(base + 2 * index)));
    if (type == WEIR_KV_F32) return _mm512_loadu_ps(base + 4 * index);
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)(base + index))));
}

TILE __m512 load_masked(enum weir_kv_type type, const uint8_t *base, size_t index, __mmask16 mask)
{
    if (type == WEIR_KV_F16) return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, base + 2 * index));
    if (type == WEIR_KV_F32) return _mm512_maskz_loadu_ps(mask, base + 4 * index);
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(mask, base + index)));
}

/* One binary16 scale in every lane. */
TILE __m512 load_scale(const uint8_t *scales, size_t index)
{
    short bits;
    memcpy(&bits, scales + 2 * index, sizeof bits);
    return _mm512_cvtph_ps(_mm256_set1_epi16(bits));
}

/* Rows [row, row + rows) by key blocks [block, block + blocks). rows, blocks and type are constants, so that acc lies in registers. */
TILE void score_tile(const struct score_job *s, size_t row, size_t block, int rows, int blocks, enum weir_kv_type type)
{
    __m512 acc[SCORE_ROWS][SCORE_BLOCKS], scales[SCORE_BLOCKS] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    const float *q = s->q + row * s->q_stride;
    size_t next = KEY_BLOCK * kv_row_bytes(type, s->head_dim);
    const uint8_t *keys = (const uint8_t *)s->k + block * next;
    for (int r = 0; r < rows; r++)
        for (int b = 0; b < blocks; b++) acc[r][b] = _mm512_setzero_ps();
    for (size_t d = 0, at = 0; d < s->head_dim; d++, at += KEY_BLOCK) {
        __m512 key[SCORE_BLOCKS];
        for (int b = 0; b < blocks; b++) key[b] = load16(type, keys + (size_t)b * next, at);
        if (type == WEIR_KV_Q8_0) {
            size_t group = (s->head_dim + d / KV_GROUP * 2) * KEY_BLOCK;
            for (int b = 0; b < blocks; b++) {
                if (d % KV_GROUP == 0) scales[b] = load16(WEIR_KV_F16, keys + (size_t)b * next + group, 0);
                key[b] = _mm512_mul_ps(key[b], scales[b]);
            }
        }
#pragma GCC unroll 12
        for (int r = 0; r < rows; r++) {
            __m512 x = _mm512_set1_ps(q[(size_t)r * s->q_stride + d]);
            for (int b = 0; b < blocks; b++) acc[r][b] = _mm512_fmadd_ps(x, key[b], acc[r][b]);
        }
    }
    __m512 scale = _mm512_set1_ps(s->scale);
    for (int b = 0; b < blocks; b++) {
        size_t key = (block + (size_t)b) * KEY_BLOCK, left = s->n_keys - key;
        __mmask16 mask = (__mmask16)(left >= LANES ? 0xffff : (1u << left) - 1);
        for (int r = 0; r < rows; r++)
            _mm512_mask_storeu_ps(s->scores + (row + (size_t)r) * s->stride + key, mask,
                                  _mm512_mul_ps(scale, acc[r][b]));
    }
}

TILE void score_rows(const struct score_job *s, size_t row, size_t rows, size_t block, int blocks,
                     enum weir_kv_type type)
{
    switch (rows) {
    case 1:
        score_tile(s, row, block, 1, blocks, type);
        break;
    case 2:
        score_tile(s, row, block, 2, blocks, type);
        break;
    case 3:
        score_tile(s, row, block, 3, blocks, type);
        break;
    case 4:
        score_tile(s, row, block, 4, blocks, type);
        break;
    case 5:
        score_tile(s, row, block, 5, blocks, type);
        break;
    case 6:
        score_tile(s, row, block, 6, blocks, type);
        break;
    case 7:
        score_tile(s, row, block, 7, blocks, type);
        break;
    case 8:
        score_tile(s, row, block, 8, blocks, type);
        break;
    case 9:
        score_tile(s, row, block, 9, blocks, type);
        break;
    case 10:
        score_tile(s, row, block, 10, blocks, type);
        break;
    case 11:
        score_tile(s, row, block, 11, blocks, type);
        break;
    default:
        score_tile(s, row, block, SCORE_ROWS, blocks, type);
        break;
    }
}

/* The keys pass once, a pair of blocks at a time, all rows over each pair. */
TILE void scores(const struct score_job *s, size_t rows, enum weir_kv_type type)
{
    size_t blocks = (s->n_keys + KEY_BLOCK - 1) / KEY_BLOCK, groups = (rows + SCORE_ROWS - 1) / SCORE_ROWS;
    for (size_t block = 0; block < blocks; block += SCORE_BLOCKS)
        for (size_t g = 0; g < groups; g++) {
            size_t row = rows * g / groups, count = rows * (g + 1) / groups - row;
            if (block + SCORE_BLOCKS <= blocks)
                score_rows(s, row, count, block, SCORE_BLOCKS, type);
            else
                score_rows(s, row, count, block, 1, type);
        }
}

void attn_scores_avx512(enum weir_kv_type kv_type, const float *q, size_t q_stride, size_t rows, size_t head_dim,
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

/* Rows [row, row + rows) by `vectors` registers of dimensions from `column`, over keys [begin, end). `mask`: the lanes of the last one. */
TILE void value_tile(const struct value_job *s, size_t row, size_t column, size_t begin, size_t end, int rows,
                     int vectors, __mmask16 mask, enum weir_kv_type type)
{
    __m512 acc[VALUE_ROWS][VALUE_VECTORS];
    const float *p = s->p + row * s->stride;
    float *out = s->out + row * s->out_stride + column;
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < vectors; c++)
            acc[r][c] = _mm512_maskz_loadu_ps(c == vectors - 1 ? mask : 0xffff,
                                              out + (size_t)r * s->out_stride + (size_t)c * LANES);
    for (size_t j = begin; j < end; j++) {
        __m512 value[VALUE_VECTORS], scale = _mm512_setzero_ps();
        const uint8_t *v = (const uint8_t *)s->v + j * kv_row_bytes(type, s->head_dim);
        for (int c = 0; c < vectors - 1; c++) value[c] = load16(type, v, column + (size_t)c * LANES);
        value[vectors - 1] = load_masked(type, v, column + (size_t)(vectors - 1) * LANES, mask);
        for (int c = 0; type == WEIR_KV_Q8_0 && c < vectors; c++) {
            /* several vectors begin at a multiple of 64 dimensions: two of them share a group */
            if (c % 2 == 0) scale = load_scale(v + s->head_dim, (column + (size_t)c * LANES) / KV_GROUP);
            value[c] = _mm512_mul_ps(value[c], scale);
        }
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            __m512 x = _mm512_set1_ps(p[(size_t)r * s->stride + j]);
            for (int c = 0; c < vectors; c++) acc[r][c] = _mm512_fmadd_ps(x, value[c], acc[r][c]);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < vectors; c++)
            _mm512_mask_storeu_ps(out + (size_t)r * s->out_stride + (size_t)c * LANES, c == vectors - 1 ? mask : 0xffff,
                                  acc[r][c]);
}

TILE void value_rows(const struct value_job *s, size_t row, size_t rows, size_t column, size_t begin, size_t end,
                     int vectors, __mmask16 mask, enum weir_kv_type type)
{
    switch (rows) {
    case 1:
        value_tile(s, row, column, begin, end, 1, vectors, mask, type);
        break;
    case 2:
        value_tile(s, row, column, begin, end, 2, vectors, mask, type);
        break;
    case 3:
        value_tile(s, row, column, begin, end, 3, vectors, mask, type);
        break;
    case 4:
        value_tile(s, row, column, begin, end, 4, vectors, mask, type);
        break;
    case 5:
        value_tile(s, row, column, begin, end, 5, vectors, mask, type);
        break;
    default:
        value_tile(s, row, column, begin, end, VALUE_ROWS, vectors, mask, type);
        break;
    }
}

/* All rows by one strip of dimensions. */
TILE void value_strip(const struct value_job *s, size_t rows, size_t column, int vectors, __mmask16 mask,
                      enum weir_kv_type type)
{
    size_t groups = (rows + VALUE_ROWS - 1) / VALUE_ROWS;
    for (size_t begin = 0; begin < s->n_keys; begin += VALUE_KEYS) {
        size_t end = s->n_keys - begin < VALUE_KEYS ? s->n_keys : begin + VALUE_KEYS;
        for (size_t g = 0; g < groups; g++) {
            size_t row = rows * g / groups, count = rows * (g + 1) / groups - row;
            value_rows(s, row, count, column, begin, end, vectors, mask, type);
        }
    }
}

TILE void values(const struct value_job *s, size_t rows, enum weir_kv_type type)
{
    size_t column = 0;
    for (; s->head_dim - column >= VALUE_VECTORS * LANES; column += VALUE_VECTORS * LANES)
        value_strip(s, rows, column, VALUE_VECTORS, 0xffff, type);
    for (; s->head_dim - column >= LANES; column += LANES) value_strip(s, rows, column, 1, 0xffff, type);
    if (column < s->head_dim) value_strip(s, rows, column, 1, 0x00ff, type);
}

void attn_values_avx512(enum weir_kv_type kv_type, const float *p, size_t stride, size_t rows, const void *v,
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
