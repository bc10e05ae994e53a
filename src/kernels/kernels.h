/* The kernel table: every arithmetic loop of the engine, one function pointer each, chosen once when the engine opens.
 *
 * The reference (ref/) is the specification: shortest correct C, no intrinsics. Each level of x86/ overrides what it has and is
 * tested against the reference at run time. Comparers, by family:
 *   matmul, quantize, dequantize      bit-exact between levels: integer sums are exact and the float operations are the same, in
 *                                     the same order, lane by lane (explicit fmaf in the reference, FMA in the vectors)
 *   rmsnorm, softmax, attention, ...  bit-exact between levels too, whatever the number of rows, threads or segments; the order
 *                                     of the steps and their error bounds: docs/kernels-ops.md
 * Nothing here allocates, locks or keeps state. Pointers need no alignment unless said; tiles are 64-byte aligned. */
#ifndef WEIR_KERNELS_KERNELS_H
#define WEIR_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/engine.h"
#include "weir/gguf.h"
#include "weir/status.h"

enum cpu_level { CPU_REF = 0, CPU_AVX2 = 1, CPU_AVX512VNNI = 2 };

const char *cpu_level_name(enum cpu_level level);

/* The best level of this machine (CPU and operating system), or the one `forced` names (NULL or "": the best).
 * WEIR_ERR_UNSUPPORTED for an unknown name or a level the machine lacks. Callers pass getenv("WEIR_CPU"). */
enum weir_status cpu_level_choose(const char *forced, enum cpu_level *out, struct weir_error *error) WEIR_MUST_USE;

/* ---- weights ------------------------------------------------------------------------------------------------------ */

enum { TILE_ROWS = 16, ACT_BLOCK = 32 };

/* A weight matrix W: [rows, cols], GGUF blocks row after row. cols is a multiple of the type's block (the loader checks). */
struct matrix {
    enum weir_tensor_type type;
    size_t rows, cols;
    const uint8_t *blocks; /* in the file mapping; not owned */
    const uint8_t *tiles;  /* repacked for the level (TILE_ROWS rows interleaved, the last strip padded with zero rows);
                              NULL: this level computes the type from `blocks` */
};

/* Bytes of its blocks. */
static inline size_t matrix_file_bytes(const struct matrix *m)
{
    return m->rows * (m->cols / weir_tensor_type_block_weights(m->type)) * weir_tensor_type_block_bytes(m->type);
}

/* Types the engine computes with (F32, F16, BF16, Q4_0 ... IQ4_XS). */
bool matrix_type_supported(enum weir_tensor_type type);

/* ---- activations -------------------------------------------------------------------------------------------------- */

/* Rows of activations, as a matrix product of this weight type wants them: for F32, F16 and BF16 weights the float rows, for
 * quantised weights int8 in blocks of 32 columns. With max = max|x| of the block:
 *   d = max / 127, q = round to nearest even(x * (127 / max)); d = 0 and q = 0 when max < QUANTIZE_TINY
 *   offset = -8 * (sum of the block's q), offset16[h] = -32 * (sum of the 16 q of half h)
 * (the unsigned dot products of weights with a zero point of 8 or 32 start from them, of 16 or 128 from a multiple). x is finite.
 *
 * q, d and the offsets lie in panels of PANEL_ROWS rows or fewer, as even as they can be, so that the rows of a panel are
 * neighbours; a panel of `width` rows holds, for each block in order, the values of its rows one after the other. Only quantize
 * writes them and only the matrix product reads them, with the same `rows` and `cols`. */
enum { PANEL_ROWS = 12 };
#define QUANTIZE_TINY 0x1p-100f

struct activations {
    size_t rows, cols; /* cols a multiple of 32 for quantised use */
    const float *x;    /* [rows, cols] */
    int8_t *q;         /* rows * cols:      [panel][cols/32][width][32] */
    float *d;          /* rows * cols / 32: [panel][cols/32][width] */
    int32_t *offset;   /* rows * cols / 32: [panel][cols/32][width] */
    int32_t *offset16; /* rows * cols / 16: [panel][cols/32][2][width] */
};

/* ---- keys and values ---------------------------------------------------------------------------------------------- */

enum { KV_GROUP = 32 };

static inline size_t kv_groups(size_t head_dim)
{
    return (head_dim + KV_GROUP - 1) / KV_GROUP;
}

/* Bytes of one position's key of one head; its value takes as many. Even. */
static inline size_t kv_row_bytes(enum weir_kv_type type, size_t head_dim)
{
    switch (type) {
    case WEIR_KV_F32:
        return 4 * head_dim;
    case WEIR_KV_Q8_0:
        return head_dim + 2 * kv_groups(head_dim);
    default:
        return 2 * head_dim;
    }
}

struct rope_table; /* rope is applied from cos/sin tables, see rope() */

struct kernels {
    enum cpu_level level;

    /* Row r of W as floats: out[cols]. Exact: the dequantised values of the GGUF type. */
    void (*dequantize_row)(const struct matrix *w, size_t row, float *out);

    /* Bytes of tiles for a matrix (a multiple of 64), 0 when the level computes from blocks; and the repacking of strips
     * [strip_begin, strip_end), 16 rows each. Both vector levels read the same tiles. */
    size_t (*tiles_bytes)(enum weir_tensor_type type, size_t rows, size_t cols);
    void (*repack)(const struct matrix *w, uint8_t *tiles, size_t strip_begin, size_t strip_end);

    /* Fills q, d, offset, offset16 of rows [row_begin, row_end) of the a->rows. Bit-exact between levels. */
    void (*quantize)(const struct activations *a, size_t row_begin, size_t row_end);

    /* y[t * y_stride + r] = sum_c W[r][c] * x[t][c] for every row t of `a` and r in [row_begin, row_end).
     * row_begin is a multiple of TILE_ROWS, row_end one too or w->rows. y does not overlap `a`.
     *
     * Quantised types, for each block b of 32 columns in order, every float operation rounded once as written:
     *   t = s0 * (float)dot                                  one scale a block (dot: exact integer sum of q_w * q_x)
     *   t = fmaf(s1, (float)dot1, s0 * (float)dot0)          a scale for each half (Q2_K, Q3_K, Q6_K)
     *   t = fmaf(-m0 / 8, (float)offset, t)                  one minimum (Q4_1, Q5_1, Q4_K, Q5_K); adds m0 * (sum of q_x)
     *   t = fmaf(-m1 / 32, (float)offset16[1], fmaf(-m0 / 32, (float)offset16[0], t))   a minimum for each half (Q2_K)
     *   acc = fmaf(d_b, t, acc)
     *      type            q_w                   s                    m
     *      Q4_0 Q5_0 Q8_0  nibble-8, -16, int8   d
     *      Q4_1 Q5_1       0..15, 0..31          d                    m
     *      Q4_K Q5_K       0..15, 0..31          d * sc (exact)       -(dmin * m) (exact)
     *      Q2_K            0..3                  d * sc[h]            -(dmin * m[h])
     *      Q3_K Q6_K       -4..3, -32..31        d * sc[h]
     *      IQ4_NL IQ4_XS   value of the table    d, d * sc
     * F32, F16, BF16: acc[c % 4] = fmaf(w, x, acc[c % 4]) over the columns in order, then (acc0 + acc1) + (acc2 + acc3).
     * Each output depends on row t and row r alone, so neither batch nor threads change it. */
    void (*matmul)(const struct matrix *w, const struct activations *a, float *y, size_t y_stride, size_t row_begin,
                   size_t row_end);

    /* y[i] = x[i] * weight[i] / sqrt(mean(x^2) + eps). y may be x. Sums in double or in fixed vector lanes. */
    void (*rmsnorm)(float *y, const float *x, const float *weight, size_t n, float eps);

    void (*add)(float *y, const float *x, size_t n);               /* y += x */
    void (*silu_mul)(float *gate, const float *up, size_t n);      /* gate = gate / (1 + exp(-gate)) * up */
    void (*gelu_tanh_mul)(float *gate, const float *up, size_t n); /* gate = gelu_tanh(gate) * up */

    /* x = cap * tanh(x / cap), cap > 0. An element's value does not depend on its place. */
    void (*softcap)(float *x, size_t n, float cap);

    /* Rotary embedding of one head in place. cos_sin: [n_rot/2][2] for the token's position. Dimensions beyond n_rot stay.
     * Adjacent pairs (2i, 2i+1): `llama` GGUF order; halves (i, i + n_rot/2): NeoX order (gemma3, phi3, qwen). */
    void (*rope_adjacent)(float *head, const float *cos_sin, size_t n_rot);
    void (*rope_halves)(float *head, const float *cos_sin, size_t n_rot);

    /* ---- attention over one kv head. Keys lie in blocks of 16 positions: k: [ceil(n/16)][head_dim][16], v: [n][head_dim], both
     * of `kv_type`. head_dim is a multiple of 8. q8_0: groups of KV_GROUP dimensions of one position, the last one shorter where
     * head_dim is no multiple, are signed bytes q and a binary16 scale d, the element is q * d (exact in float32):
     *   k: for each 16 positions q [head_dim][16] and then d [groups][16]      v: for each position q [head_dim] and then d [groups]
     * so that 16 keys and 16 values take 16 * kv_row_bytes each. */

    /* Stores one position's key and value (float [head_dim] each) at index `at` of a kv head's k and v. Of a group x with
     * max = max|x|: d = f16(min(max / 127, 65504)), q = round to nearest even(clamp(x * (1 / d), -127, 127)); d = 0: q = 0. */
    void (*kv_store)(enum weir_kv_type kv_type, void *k, void *v, size_t at, const float *key, const float *value,
                     size_t head_dim);

    /* scores[r * stride + j] = scale * dot(q[r], key j), r < rows, j < n_keys; q: row r at q + r * q_stride. The dot product runs over the head
     * dimension in order with one fused accumulator a key, so splitting keys over calls changes nothing. Writes only j < n_keys. */
    void (*attn_scores)(enum weir_kv_type kv_type, const float *q, size_t q_stride, size_t rows, size_t head_dim,
                        const void *k, size_t n_keys, float scale, float *scores, size_t stride);

    /* In place softmax of row[0, n); entries of -INFINITY become 0. At least one entry is finite. The lane that adds an entry
     * depends on its index alone and zero entries change nothing. */
    void (*softmax)(float *row, size_t n);

    /* out[r * out_stride + c] += sum_j p[r * stride + j] * v[j][c], keys in order, one fused multiply-add each. */
    void (*attn_values)(enum weir_kv_type kv_type, const float *p, size_t stride, size_t rows, const void *v,
                        size_t n_keys, size_t head_dim, float *out, size_t out_stride);
};

/* Fills the table: reference first, then each level up to `level` overrides what it has. */
void kernels_init(struct kernels *k, enum cpu_level level);

/* Parts of kernels_init, one a file family. */
void kernels_init_matmul_ref(struct kernels *k);
void kernels_init_matmul_avx2(struct kernels *k);
void kernels_init_matmul_avx512vnni(struct kernels *k);
void kernels_init_ops_ref(struct kernels *k);
void kernels_init_ops_avx2(struct kernels *k);
void kernels_init_ops_avx512vnni(struct kernels *k);

/* One output of matmul computed from blocks, bit-equal to it. `t` is a row of `a`. */
float matrix_dot_row(const struct matrix *w, size_t row, const struct activations *a, size_t t);

/* IEEE 754 binary16, round to nearest even; exact for every value, NaN kept. */
float f16_to_f32(uint16_t bits);
uint16_t f32_to_f16(float value);

#endif
