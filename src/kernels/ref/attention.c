/* Attention over one kv head: storing keys and values, scores, weighted sum of values.
 *
 *   k [ceil(n/16)][head_dim][16]: dimension d of key j is element d * 16 + j % 16 of block j / 16
 *   v [n][head_dim]
 *
 * A block of 16 keys takes 16 * kv_row_bytes, a value kv_row_bytes. With q8_0 the scales follow the bytes of the block: that of
 * key j and group g is number g * 16 + j % 16; and of the value: number g. */
#include <math.h>
#include <string.h>

#include "kernels/ops.h"

static uint16_t half_at(const uint8_t *base, size_t index)
{
    uint16_t bits;
    memcpy(&bits, base + 2 * index, sizeof bits);
    return bits;
}

static float float_at(const uint8_t *base, size_t index)
{
    float value;
    memcpy(&value, base + 4 * index, sizeof value);
    return value;
}

/* Where a key or a value lies: its element d is number d * step + lane of `base`, its scale g number g * step + lane of `scales`. */
struct place {
    uint8_t *base, *scales;
    size_t step, lane;
};

static struct place key_place(enum weir_kv_type kv_type, const void *k, size_t key, size_t head_dim)
{
    uint8_t *block = (uint8_t *)(uintptr_t)k + key / KEY_BLOCK * KEY_BLOCK * kv_row_bytes(kv_type, head_dim);
    return (struct place){block, block + KEY_BLOCK * head_dim, KEY_BLOCK, key % KEY_BLOCK};
}

static struct place value_place(enum weir_kv_type kv_type, const void *v, size_t key, size_t head_dim)
{
    uint8_t *row = (uint8_t *)(uintptr_t)v + key * kv_row_bytes(kv_type, head_dim);
    return (struct place){row, row + head_dim, 1, 0};
}

static float element(enum weir_kv_type kv_type, const struct place *at, size_t d)
{
    size_t index = d * at->step + at->lane;
    if (kv_type == WEIR_KV_F16) return f16_to_f32(half_at(at->base, index));
    if (kv_type == WEIR_KV_F32) return float_at(at->base, index);
    return (float)(int8_t)at->base[index] * f16_to_f32(half_at(at->scales, d / KV_GROUP * at->step + at->lane));
}

static void store_group(const struct place *at, size_t first, const float *x, size_t n)
{
    float max = 0.0f;
    for (size_t i = 0; i < n; i++) max = fabsf(x[first + i]) > max ? fabsf(x[first + i]) : max;
    float step = max / 127.0f;
    uint16_t bits = f32_to_f16(step < 65504.0f ? step : 65504.0f);
    memcpy(at->scales + 2 * (first / KV_GROUP * at->step + at->lane), &bits, sizeof bits);
    float d = f16_to_f32(bits), inverse = d > 0.0f ? 1.0f / d : 0.0f;
    for (size_t i = 0; i < n; i++) {
        float scaled = x[first + i] * inverse;
        scaled = scaled < -127.0f ? -127.0f : scaled > 127.0f ? 127.0f : scaled;
        at->base[(first + i) * at->step + at->lane] = (uint8_t)(int8_t)lrintf(scaled);
    }
}

static void store(enum weir_kv_type kv_type, const struct place *at, const float *x, size_t head_dim)
{
    if (kv_type == WEIR_KV_Q8_0) {
        for (size_t first = 0; first < head_dim; first += KV_GROUP)
            store_group(at, first, x, head_dim - first < KV_GROUP ? head_dim - first : KV_GROUP);
        return;
    }
    for (size_t d = 0; d < head_dim; d++) {
        size_t index = d * at->step + at->lane;
        uint16_t bits = f32_to_f16(x[d]);
        if (kv_type == WEIR_KV_F16)
            memcpy(at->base + 2 * index, &bits, sizeof bits);
        else
            memcpy(at->base + 4 * index, &x[d], sizeof x[d]);
    }
}

void kv_store_ref(enum weir_kv_type kv_type, void *k, void *v, size_t at, const float *key, const float *value,
                  size_t head_dim)
{
    struct place to_key = key_place(kv_type, k, at, head_dim), to_value = value_place(kv_type, v, at, head_dim);
    store(kv_type, &to_key, key, head_dim);
    store(kv_type, &to_value, value, head_dim);
}

void attn_scores_ref(enum weir_kv_type kv_type, const float *q, size_t q_stride, size_t rows, size_t head_dim,
                     const void *k, size_t n_keys, float scale, float *scores, size_t stride)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < n_keys; j++) {
            struct place key = key_place(kv_type, k, j, head_dim);
            float dot = 0.0f;
            for (size_t d = 0; d < head_dim; d++) dot = fmaf(q[r * q_stride + d], element(kv_type, &key, d), dot);
            scores[r * stride + j] = scale * dot;
        }
}

void attn_values_ref(enum weir_kv_type kv_type, const float *p, size_t stride, size_t rows, const void *v,
                     size_t n_keys, size_t head_dim, float *out, size_t out_stride)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < n_keys; j++) {
            struct place value = value_place(kv_type, v, j, head_dim);
            for (size_t c = 0; c < head_dim; c++) {
                float *sum = &out[r * out_stride + c];
                *sum = fmaf(p[r * stride + j], element(kv_type, &value, c), *sum);
            }
        }
}
