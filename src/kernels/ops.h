/* The reference of the kernels around the matrix products: normalisation, activation functions, rope and attention. Contracts:
 * kernels.h. The rounding of every step is part of the specification (docs/kernels-ops.md), and every level repeats it:
 * results are the same bits at each level, wherever a row lies and whatever is computed beside it. */
#ifndef WEIR_KERNELS_OPS_H
#define WEIR_KERNELS_OPS_H

#include "kernels/kernels.h"

/* Sums (rmsnorm, softmax) run in OPS_LANES partial sums, element i in lane i % OPS_LANES, folded in halves:
 * lane l += lane l + 8, then + 4, + 2, + 1. */
enum { OPS_LANES = 16, KEY_BLOCK = 16 };

float exp_ref(float x);
void rmsnorm_ref(float *y, const float *x, const float *weight, size_t n, float eps);
void add_ref(float *y, const float *x, size_t n);
void silu_mul_ref(float *gate, const float *up, size_t n);
void gelu_tanh_mul_ref(float *gate, const float *up, size_t n);
float tanh_ref(float x);
void softcap_ref(float *x, size_t n, float cap);
void rope_adjacent_ref(float *head, const float *cos_sin, size_t n_rot);
void rope_halves_ref(float *head, const float *cos_sin, size_t n_rot);
void softmax_ref(float *row, size_t n);
void kv_store_ref(enum weir_kv_type kv_type, void *k, void *v, size_t at, const float *key, const float *value,
                  size_t head_dim);
void attn_scores_ref(enum weir_kv_type kv_type, const float *q, size_t q_stride, size_t rows, size_t head_dim,
                     const void *k, size_t n_keys, float scale, float *scores, size_t stride);
void attn_values_ref(enum weir_kv_type kv_type, const float *p, size_t stride, size_t rows, const void *v,
                     size_t n_keys, size_t head_dim, float *out, size_t out_stride);

#endif
