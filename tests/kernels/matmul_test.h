/* Shared by the tests of the matrix product: random weights of every type, activations, fenced outputs. */
#ifndef WEIR_TESTS_KERNELS_MATMUL_TEST_H
#define WEIR_TESTS_KERNELS_MATMUL_TEST_H

#include "check.h"
#include "kernels/ops_test.h"

#include "kernels/quant_formats.h"

static const enum weir_tensor_type all_types[] = {
    WEIR_TENSOR_F32,  WEIR_TENSOR_F16,  WEIR_TENSOR_BF16, WEIR_TENSOR_Q4_0,   WEIR_TENSOR_Q4_1,
    WEIR_TENSOR_Q5_0, WEIR_TENSOR_Q5_1, WEIR_TENSOR_Q8_0, WEIR_TENSOR_Q2_K,   WEIR_TENSOR_Q3_K,
    WEIR_TENSOR_Q4_K, WEIR_TENSOR_Q5_K, WEIR_TENSOR_Q6_K, WEIR_TENSOR_IQ4_NL, WEIR_TENSOR_IQ4_XS};
enum { ALL_TYPES = sizeof all_types / sizeof *all_types };

static inline void store_u16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

/* A finite binary16 of either sign, near 2^-6; one in eight is subnormal. */
static inline unsigned rng_f16(struct rng *rng)
{
    unsigned bits = (unsigned)rng_next(rng);
    unsigned exponent = rng_next(rng) % 8 ? 7 + bits % 4 : 0;
    return (bits & 0x83ffu) | exponent << 10;
}

/* Where the binary16 factors of a block lie (at most two; -1: none). */
static inline void factor_offsets(enum weir_tensor_type type, int at[2])
{
    at[0] = 0, at[1] = -1;
    if (type == WEIR_TENSOR_Q4_1 || type == WEIR_TENSOR_Q5_1 || type == WEIR_TENSOR_Q4_K || type == WEIR_TENSOR_Q5_K)
        at[1] = 2;
    if (type == WEIR_TENSOR_Q2_K) at[0] = 80, at[1] = 82;
    if (type == WEIR_TENSOR_Q3_K) at[0] = 108;
    if (type == WEIR_TENSOR_Q6_K) at[0] = 208;
}

static inline void fill_weights(struct rng *rng, enum weir_tensor_type type, uint8_t *at, size_t blocks)
{
    size_t bytes = weir_tensor_type_block_bytes(type);
    int factors[2];
    factor_offsets(type, factors);
    for (size_t b = 0; b < blocks; b++, at += bytes) {
        for (size_t i = 0; i < bytes; i++) at[i] = (uint8_t)rng_next(rng);
        if (matrix_type_quantized(type)) {
            for (int i = 0; i < 2; i++)
                if (factors[i] >= 0) store_u16(at + factors[i], rng_f16(rng));
        } else if (type == WEIR_TENSOR_F16) {
            store_u16(at, rng_f16(rng));
        } else {
            float value = rng_float(rng, 1.0f);
            uint32_t bits;
            memcpy(&bits, &value, sizeof bits);
            if (type == WEIR_TENSOR_BF16)
                store_u16(at, bits >> 16);
            else
                memcpy(at, &bits, sizeof bits);
        }
    }
}

/* Random weights that begin at an odd address. Freed by free_matrix. */
static inline struct matrix make_matrix(struct rng *rng, enum weir_tensor_type type, size_t rows, size_t cols)
{
    size_t blocks = rows * (cols / weir_tensor_type_block_weights(type));
    uint8_t *bytes = mem_zero(blocks * weir_tensor_type_block_bytes(type) + 1, 1);
    assert_non_null(bytes);
    fill_weights(rng, type, bytes + 1, blocks);
    return (struct matrix){.type = type, .rows = rows, .cols = cols, .blocks = bytes + 1};
}

static inline void free_tiles(struct matrix *w)
{
    union {
        const uint8_t *in;
        uint8_t *out;
    } tiles = {w->tiles};
    free(tiles.out);
    w->tiles = NULL;
}

static inline void free_matrix(struct matrix *w)
{
    union {
        const uint8_t *in;
        uint8_t *out;
    } blocks = {w->blocks - 1};
    free(blocks.out);
    free_tiles(w);
}

/* Gives `w` the tiles of a level, repacked in two pieces. */
static inline void make_tiles(const struct kernels *k, struct matrix *w)
{
    free_tiles(w);
    size_t bytes = k->tiles_bytes(w->type, w->rows, w->cols);
    if (!bytes) return;
    uint8_t *tiles = mem_aligned(bytes, 1);
    assert_non_null(tiles);
    size_t strips = (w->rows + TILE_ROWS - 1) / TILE_ROWS;
    k->repack(w, tiles, strips / 2, strips);
    k->repack(w, tiles, 0, strips / 2);
    w->tiles = tiles;
}

/* Activations over `x` (rows * cols floats, not owned), quantised by `k` when cols allow. */
static inline struct activations make_activations(const struct kernels *k, const float *x, size_t rows, size_t cols)
{
    size_t blocks = rows * (cols / ACT_BLOCK);
    struct activations a = {.rows = rows, .cols = cols, .x = x};
    a.q = mem_zero(blocks * ACT_BLOCK + 1, 1);
    a.d = mem_zero(blocks + 1, sizeof *a.d);
    a.offset = mem_zero(blocks + 1, sizeof *a.offset);
    a.offset16 = mem_zero(2 * blocks + 1, sizeof *a.offset16);
    assert_true(a.q && a.d && a.offset && a.offset16);
    if (cols % ACT_BLOCK == 0) k->quantize(&a, 0, rows);
    return a;
}

static inline void free_activations(struct activations *a)
{
    free(a->q);
    free(a->d);
    free(a->offset);
    free(a->offset16);
}

#endif
