/* Attention over one kv head: storing keys and values, scores, weighted sum of values.
 *
 *   k [ceil(n/16)][head_dim][16]: dimension d of key j at (j / 16 * head_dim + d) * 16 + j % 16
 *   v [n][head_dim] */
#include <math.h>

#include "kernels/ops.h"

static float element(enum weir_kv_type kv_type, const void *base, size_t index)
{
    return kv_type == WEIR_KV_F16 ? f16_to_f32(((const uint16_t *)base)[index]) : ((const float *)base)[index];
}

static void element_set(enum weir_kv_type kv_type, void *base, size_t index, float value)
{
    if (kv_type == WEIR_KV_F16)
        ((uint16_t *)base)[index] = f32_to_f16(value);
    else
        ((float *)base)[index] = value;
}

static size_t key_index(size_t key, size_t d, size_t head_dim)
{
    return (key / KEY_BLOCK * head_dim + d) * KEY_BLOCK + key % KEY_BLOCK;
}

void kv_store_ref(enum weir_kv_type kv_type, void *k, void *v, size_t at, const float *key, const float *value,
                  size_t head_dim)
{
    for (size_t d = 0; d < head_dim; d++) {
        element_set(kv_type, k, key_index(at, d, head_dim), key[d]);
        element_set(kv_type, v, at * head_dim + d, value[d]);
    }
}

void attn_scores_ref(enum weir_kv_type kv_type, const float *q, size_t q_stride, size_t rows, size_t head_dim,
                     const void *k, size_t n_keys, float scale, float *scores, size_t stride)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < n_keys; j++) {
            float dot = 0.0f;
            for (size_t d = 0; d < head_dim; d++)
                dot = fmaf(q[r * q_stride + d], element(kv_type, k, key_index(j, d, head_dim)), dot);
            scores[r * stride + j] = scale * dot;
        }
}

void attn_values_ref(enum weir_kv_type kv_type, const float *p, size_t stride, size_t rows, const void *v,
                     size_t n_keys, size_t head_dim, float *out, size_t out_stride)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < n_keys; j++)
            for (size_t c = 0; c < head_dim; c++) {
                float *sum = &out[r * out_stride + c];
                *sum = fmaf(p[r * stride + j], element(kv_type, v, j * head_dim + c), *sum);
            }
}
