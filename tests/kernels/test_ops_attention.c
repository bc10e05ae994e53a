/* Attention: every level this machine has against the reference, to the bit; rows and keys split in any way give the same. */
#include "kernels/ops_test.h"

#include <float.h>
#include <math.h>

static const size_t head_dims[] = {8, 16, 24, 64, 80, 128, 256};
static const size_t key_counts[] = {0, 1, 7, 8, 15, 16, 17, 31, 33, 64, 129, 300};
static const size_t row_counts[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 23, 25};
enum { ROWS_MAX = 25, KEYS_MAX = 300, DIM_MAX = 256, GAP = 5 };

/* One kv head and the queries that look at it. k and v end where n_keys ends: beyond it they are NaN. q, p and out have gaps between rows. */
struct head {
    enum weir_kv_type kv_type;
    size_t dim, keys, rows, q_stride, p_stride;
    uint8_t *k, *v; /* fenced, k_bytes and v_bytes long */
    float *q, *p;   /* [rows][q_stride], [rows][p_stride] */
};

/* Bytes of the keys (whole blocks) and of the values. */
static size_t k_bytes(const struct head *h)
{
    return (h->keys + KEY_BLOCK - 1) / KEY_BLOCK * KEY_BLOCK * kv_row_bytes(h->kv_type, h->dim);
}

static size_t v_bytes(const struct head *h)
{
    return h->keys * kv_row_bytes(h->kv_type, h->dim);
}

static struct head head_open(struct rng *rng, enum weir_kv_type kv_type, size_t dim, size_t keys, size_t rows)
{
    struct head h = {kv_type, dim, keys, rows, dim + GAP, keys + GAP, NULL, NULL, NULL, NULL};
    h.k = fenced_bytes(k_bytes(&h));
    h.v = fenced_bytes(v_bytes(&h));
    h.q = fenced(rows * h.q_stride);
    h.p = fenced(rows * h.p_stride);
    memset(h.k, 0xff, k_bytes(&h)); /* NaN in every type: of q8_0 the scale */
    for (size_t j = 0; j < keys; j++) {
        float key[DIM_MAX], value[DIM_MAX];
        rng_fill(rng, key, dim, 4.0f);
        rng_fill(rng, value, dim, 4.0f);
        kv_store_ref(kv_type, h.k, h.v, j, key, value, dim);
    }
    rng_fill(rng, h.q, rows * h.q_stride, 2.0f);
    rng_fill(rng, h.p, rows * h.p_stride, 1.0f);
    for (size_t i = 0; i < rows * h.p_stride; i += 3) h.p[i] = 0.0f;
    return h;
}

static void head_close(struct head *h)
{
    free_fenced_bytes(h->k, k_bytes(h));
    free_fenced_bytes(h->v, v_bytes(h));
    free_fenced(h->q, h->rows * h->q_stride);
    free_fenced(h->p, h->rows * h->p_stride);
}

static void scores_of(const struct kernels *k, const struct head *h, size_t rows, size_t row, float *out)
{
    k->attn_scores(h->kv_type, h->q + row * h->q_stride, h->q_stride, rows, h->dim, h->k, h->keys, 0.125f,
                   out + row * h->p_stride, h->p_stride);
}

static void values_of(const struct kernels *k, const struct head *h, size_t rows, size_t row, float *out)
{
    k->attn_values(h->kv_type, h->p + row * h->p_stride, h->p_stride, rows, h->v, h->keys, h->dim,
                   out + row * h->q_stride, h->q_stride);
}

static float *start_of_values(const struct head *h)
{
    float *out = fenced(h->rows * h->q_stride);
    for (size_t i = 0; i < h->rows * h->q_stride; i++) out[i] = (float)(i % 11) - 5.0f;
    return out;
}

/* All rows at once; the gaps between rows and everything around the outputs stay. */
static void check_together(const struct kernels *ref, const struct kernels *level, const struct head *h)
{
    size_t n = h->rows * h->p_stride, m = h->rows * h->q_stride;
    float *expected = fenced(n), *found = fenced(n), *sum = start_of_values(h), *level_sum = start_of_values(h);
    scores_of(ref, h, h->rows, 0, expected);
    scores_of(level, h, h->rows, 0, found);
    assert_rows_same("scores", expected, found, n);
    values_of(ref, h, h->rows, 0, sum);
    values_of(level, h, h->rows, 0, level_sum);
    assert_rows_same("values", sum, level_sum, m);
    free_fenced(expected, n);
    free_fenced(found, n);
    free_fenced(sum, m);
    free_fenced(level_sum, m);
}

static void levels_equal_the_reference(void **state)
{
    (void)state;
    struct rng rng = rng_open("attention");
    const struct kernels ref = ops_of_level(CPU_REF);
    size_t turn = 0;
    for (size_t d = 0; d < sizeof head_dims / sizeof *head_dims; d++)
        for (size_t n = 0; n < sizeof key_counts / sizeof *key_counts; n++)
            for (enum weir_kv_type type = WEIR_KV_F16; (int)type < WEIR_KV_TYPES; type++) {
                size_t rows = row_counts[turn++ % (sizeof row_counts / sizeof *row_counts)];
                struct head h = head_open(&rng, type, head_dims[d], key_counts[n], rows);
                for (enum cpu_level at = CPU_AVX2; at <= best_level(); at++) {
                    const struct kernels level = ops_of_level(at);
                    check_together(&ref, &level, &h);
                }
                head_close(&h);
            }
}

/* Each number of rows has its own register tile. */
static void every_row_count_equals_the_reference(void **state)
{
    (void)state;
    struct rng rng = rng_open("row counts");
    const struct kernels ref = ops_of_level(CPU_REF);
    for (size_t r = 0; r < sizeof row_counts / sizeof *row_counts; r++)
        for (enum weir_kv_type type = WEIR_KV_F16; (int)type < WEIR_KV_TYPES; type++) {
            struct head h = head_open(&rng, type, 72, 45, row_counts[r]);
            for (enum cpu_level at = CPU_AVX2; at <= best_level(); at++) {
                const struct kernels level = ops_of_level(at);
                check_together(&ref, &level, &h);
            }
            head_close(&h);
        }
}

static void rows_alone_equal_rows_together(void **state)
{
    (void)state;
    struct rng rng = rng_open("rows alone");
    for (enum cpu_level at = CPU_REF; at <= best_level(); at++)
        for (enum weir_kv_type type = WEIR_KV_F16; (int)type < WEIR_KV_TYPES; type++) {
            const struct kernels level = ops_of_level(at);
            struct head h = head_open(&rng, type, 64, 150, 23);
            size_t n = h.rows * h.p_stride, m = h.rows * h.q_stride;
            float *together = fenced(n), *alone = fenced(n), *sum = start_of_values(&h),
                  *sum_alone = start_of_values(&h);
            scores_of(&level, &h, h.rows, 0, together);
            values_of(&level, &h, h.rows, 0, sum);
            for (size_t r = 0; r < h.rows; r++) {
                scores_of(&level, &h, 1, r, alone);
                values_of(&level, &h, 1, r, sum_alone);
            }
            assert_rows_same("scores", together, alone, n);
            assert_rows_same("values", sum, sum_alone, m);
            free_fenced(together, n);
            free_fenced(alone, n);
            free_fenced(sum, m);
            free_fenced(sum_alone, m);
            head_close(&h);
        }
}

/* The first `cut` keys in one call, the rest in another; scores start a call at a block, values anywhere. */
static void check_split(const struct kernels *k, const struct head *h, size_t cut)
{
    size_t n = h->rows * h->p_stride, m = h->rows * h->q_stride, block = cut / KEY_BLOCK * KEY_BLOCK;
    size_t row = kv_row_bytes(h->kv_type, h->dim);
    float *whole = fenced(n), *parts = fenced(n), *sum = start_of_values(h), *sum_parts = start_of_values(h);
    scores_of(k, h, h->rows, 0, whole);
    values_of(k, h, h->rows, 0, sum);
    k->attn_scores(h->kv_type, h->q, h->q_stride, h->rows, h->dim, h->k, block, 0.125f, parts, h->p_stride);
    k->attn_scores(h->kv_type, h->q, h->q_stride, h->rows, h->dim, h->k + block * row, h->keys - block, 0.125f,
                   parts + block, h->p_stride);
    k->attn_values(h->kv_type, h->p, h->p_stride, h->rows, h->v, cut, h->dim, sum_parts, h->q_stride);
    k->attn_values(h->kv_type, h->p + cut, h->p_stride, h->rows, h->v + cut * row, h->keys - cut, h->dim, sum_parts,
                   h->q_stride);
    assert_rows_same("scores of two calls", whole, parts, n);
    assert_rows_same("values of two calls", sum, sum_parts, m);
    free_fenced(whole, n);
    free_fenced(parts, n);
    free_fenced(sum, m);
    free_fenced(sum_parts, m);
}

static void split_keys_equal_one_call(void **state)
{
    (void)state;
    struct rng rng = rng_open("split keys");
    for (enum weir_kv_type type = WEIR_KV_F16; (int)type < WEIR_KV_TYPES; type++) {
        struct head h = head_open(&rng, type, 24, 167, 13);
        for (enum cpu_level at = CPU_REF; at <= best_level(); at++) {
            const struct kernels level = ops_of_level(at);
            for (size_t cut = 0; cut <= h.keys; cut += 9) check_split(&level, &h, cut);
        }
        head_close(&h);
    }
}

/* Keys with probability 0 at the end: the same as not passing them. */
static void zero_probabilities_change_nothing(void **state)
{
    (void)state;
    struct rng rng = rng_open("zero probabilities");
    for (enum cpu_level at = CPU_REF; at <= best_level(); at++) {
        const struct kernels level = ops_of_level(at);
        struct head h = head_open(&rng, WEIR_KV_F16, 64, 40, 7);
        size_t m = h.rows * h.q_stride;
        float *with = start_of_values(&h), *without = start_of_values(&h);
        for (size_t r = 0; r < h.rows; r++)
            for (size_t j = 21; j < h.keys; j++) h.p[r * h.p_stride + j] = 0.0f;
        values_of(&level, &h, h.rows, 0, with);
        h.keys = 21;
        values_of(&level, &h, h.rows, 0, without);
        h.keys = 40;
        for (size_t i = 0; i < m; i++) assert_true(with[i] == without[i]);
        free_fenced(with, m);
        free_fenced(without, m);
        head_close(&h);
    }
}

/* Stores positions in a scattered order and compares the whole storage; neighbours keep their bits. */
static void check_store(const struct kernels *level, struct rng *rng, enum weir_kv_type type, size_t dim)
{
    /* the first SPECIAL_FINITE for q8_0: its inputs are finite */
    enum { SPECIAL_FINITE = 14 };
    static const float special[] = {0.0f,       -0.0f,    65504.0f,   65519.9f, 65520.0f,     -1e9f,
                                    0x1p-24f,   0x1p-25f, 0x1.8p-25f, 0x1p-14f, 0x1.ffcp-15f, 0x1.002p0f,
                                    0x1.006p0f, 1e-30f,   INFINITY,   -INFINITY};
    size_t specials = type == WEIR_KV_Q8_0 ? SPECIAL_FINITE : sizeof special / sizeof *special;
    enum { keys = 37 };
    struct head h = {.kv_type = type, .dim = dim, .keys = keys};
    size_t n = k_bytes(&h), m = v_bytes(&h);
    uint8_t *k = fenced_bytes(n), *v = fenced_bytes(m), *k_ref = fenced_bytes(n), *v_ref = fenced_bytes(m);
    for (size_t step = 0; step < keys; step += 2) {
        float key[DIM_MAX], value[DIM_MAX];
        rng_fill(rng, key, dim, step % 4 ? 1e-4f : 1e-8f);
        rng_fill(rng, value, dim, 7e4f);
        for (size_t d = 0; step % 8 && d < dim; d += 3) key[d] = value[d] = special[rng_next(rng) % specials];
        kv_store_ref(type, k_ref, v_ref, step * 5 % keys, key, value, dim);
        level->kv_store(type, k, v, step * 5 % keys, key, value, dim);
    }
    assert_bytes_same("k", k_ref, k, n);
    assert_bytes_same("v", v_ref, v, m);
    free_fenced_bytes(k, n);
    free_fenced_bytes(v, m);
    free_fenced_bytes(k_ref, n);
    free_fenced_bytes(v_ref, m);
}

static void stores_equal_the_reference(void **state)
{
    (void)state;
    struct rng rng = rng_open("kv_store");
    for (enum cpu_level at = CPU_AVX2; at <= best_level(); at++) {
        const struct kernels level = ops_of_level(at);
        for (size_t d = 0; d < sizeof head_dims / sizeof *head_dims; d++)
            for (enum weir_kv_type type = WEIR_KV_F16; (int)type < WEIR_KV_TYPES; type++)
                check_store(&level, &rng, type, head_dims[d]);
    }
}

/* What one key and one value give back: scores with unit queries and values with probability 1 are their elements. q8_0 within half
 * a step of the group's scale, which f16 rounds by at most 2^-11; the others as stored. */
static void stores_keep_the_elements(void **state)
{
    (void)state;
    enum { dim = 72, at = 21 };
    struct rng rng = rng_open("elements");
    const struct kernels ref = ops_of_level(CPU_REF);
    for (enum weir_kv_type type = WEIR_KV_F16; (int)type < WEIR_KV_TYPES; type++) {
        struct head h = head_open(&rng, type, dim, at + 1, dim);
        float key[dim], value[dim], scores[dim * (at + 1)], out[dim] = {0}, p[at + 1] = {0};
        rng_fill(&rng, key, dim, 4.0f);
        rng_fill(&rng, value, dim, 4.0f);
        kv_store_ref(type, h.k, h.v, at, key, value, dim);
        for (size_t i = 0; i < dim * h.q_stride; i++) h.q[i] = i % h.q_stride == i / h.q_stride ? 1.0f : 0.0f;
        ref.attn_scores(type, h.q, h.q_stride, dim, dim, h.k, at + 1, 1.0f, scores, at + 1);
        p[at] = 1.0f;
        ref.attn_values(type, p, at + 1, 1, h.v, at + 1, dim, out, dim);
        double bound = type == WEIR_KV_F32 ? 0.0 : type == WEIR_KV_F16 ? 4.0 * 0x1p-12 : 4.0 / 127 * (0.5 + 0x1p-4);
        for (size_t d = 0; d < dim; d++) {
            assert_near("key", d, (double)key[d], (double)scores[d * (at + 1) + at], bound);
            assert_near("value", d, (double)value[d], (double)out[d], bound);
        }
        head_close(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_equal_the_reference),        cmocka_unit_test(every_row_count_equals_the_reference),
        cmocka_unit_test(rows_alone_equal_rows_together),    cmocka_unit_test(split_keys_equal_one_call),
        cmocka_unit_test(zero_probabilities_change_nothing), cmocka_unit_test(stores_equal_the_reference),
        cmocka_unit_test(stores_keep_the_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
