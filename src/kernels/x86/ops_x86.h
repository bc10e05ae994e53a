/* What the x86 versions of the kernels around the matrix products share among their files. */
#ifndef WEIR_KERNELS_X86_OPS_X86_H
#define WEIR_KERNELS_X86_OPS_X86_H

#include "kernels/ops.h"

/* The arguments of attn_scores and attn_values that do not change from tile to tile. */
struct score_job {
    const float *q;
    const void *k;
    float *scores;
    size_t q_stride, stride, head_dim, n_keys;
    float scale;
};

struct value_job {
    const float *p;
    const void *v;
    float *out;
    size_t stride, out_stride, head_dim, n_keys;
};

void kv_store_avx2(enum weir_kv_type kv_type, void *k, void *v, size_t at, const float *key, const float *value,
                   size_t head_dim);
void attn_scores_avx2(enum weir_kv_type kv_type, const float *q, size_t q_stride, size_t rows, size_t head_dim,
                      const void *k, size_t n_keys, float scale, float *scores, size_t stride);
void attn_values_avx2(enum weir_kv_type kv_type, const float *p, size_t stride, size_t rows, const void *v,
                      size_t n_keys, size_t head_dim, float *out, size_t out_stride);
void attn_scores_avx512(enum weir_kv_type kv_type, const float *q, size_t q_stride, size_t rows, size_t head_dim,
                        const void *k, size_t n_keys, float scale, float *scores, size_t stride);
void attn_values_avx512(enum weir_kv_type kv_type, const float *p, size_t stride, size_t rows, const void *v,
                        size_t n_keys, size_t head_dim, float *out, size_t out_stride);

#endif
