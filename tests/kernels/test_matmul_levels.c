/* Every level this machine has against the reference: the same bits for every type, at shapes around every boundary. */
#include "kernels/matmul_test.h"

#include <math.h>

static void init_products(struct kernels *k, enum cpu_level level)
{
    *k = (struct kernels){.level = level};
    kernels_init_matmul_ref(k);
#if defined(__x86_64__)
    if (level >= CPU_AVX2) kernels_init_matmul_avx2(k);
    if (level >= CPU_AVX512VNNI) kernels_init_matmul_avx512vnni(k);
#endif
}

/* One product into a fenced output whose rows are `stride` apart; the gaps keep their poison. */
static float *product(const struct kernels *k, const struct matrix *w, const struct activations *a, size_t stride)
{
    float *y = fenced(a->rows * stride);
    for (size_t i = 0; i < a->rows * stride; i++) y[i] = FENCE_VALUE;
    size_t middle = w->rows / 2 / TILE_ROWS * TILE_ROWS; /* in two ranges of rows */
    k->matmul(w, a, y, stride, middle, w->rows);
    k->matmul(w, a, y, stride, 0, middle);
    for (size_t t = 0; t < a->rows; t++)
        for (size_t r = w->rows; r < stride; r++) assert_same_bits("gap", r, FENCE_VALUE, y[t * stride + r]);
    return y;
}

static void assert_same_rows(const struct kernels *k, const struct matrix *w, size_t count, const float *expected,
                             const float *found)
{
    char what[96];
    (void)snprintf(what, sizeof what, "%s %s %zux%zu", cpu_level_name(k->level), weir_tensor_type_name(w->type),
                   w->rows, w->cols);
    for (size_t i = 0; i < count; i++) assert_same_bits(what, i, expected[i], found[i]);
}

/* The product at every level equals the reference's. x: rows * cols. */
static void check_levels(struct matrix *w, const float *x, size_t rows)
{
    struct kernels ref, k;
    init_products(&ref, CPU_REF);
    struct activations a = make_activations(&ref, x, rows, w->cols);
    size_t stride = w->rows + 3;
    float *expected = product(&ref, w, &a, stride);
    for (enum cpu_level level = CPU_AVX2; level <= best_level(); level++) {
        init_products(&k, level);
        make_tiles(&k, w);
        assert_non_null(w->tiles);
        float *found = product(&k, w, &a, stride);
        assert_same_rows(&k, w, rows * stride, expected, found);
        free_fenced(found, rows * stride);
        free_tiles(w);
        found = product(&k, w, &a, stride); /* without tiles: from the blocks */
        assert_same_rows(&k, w, rows * stride, expected, found);
        free_fenced(found, rows * stride);
    }
    free_fenced(expected, rows * stride);
    free_activations(&a);
}

static void weight_rows_around_a_strip(void **state)
{
    (void)state;
    struct rng rng = rng_open("weight rows");
    static const size_t row_counts[] = {1, 7, 8, 9, 15, 16, 17, 33, 48};
    enum { COLS = 256, T = 9 };
    float *x = fenced(T * COLS);
    rng_fill(&rng, x, T * COLS, 2.0f);
    for (size_t i = 0; i < ALL_TYPES; i++)
        for (size_t j = 0; j < sizeof row_counts / sizeof *row_counts; j++) {
            struct matrix w = make_matrix(&rng, all_types[i], row_counts[j], COLS);
            check_levels(&w, x, T);
            free_matrix(&w);
        }
    free_fenced(x, T * COLS);
}

static void columns_of_one_block_and_more(void **state)
{
    (void)state;
    struct rng rng = rng_open("columns");
    static const size_t block_counts[] = {1, 2, 3, 5, 8, 9};
    enum { T = 5, COLS_MAX = 9 * 256 };
    float *x = fenced(T * COLS_MAX);
    rng_fill(&rng, x, T * COLS_MAX, 2.0f);
    for (size_t i = 0; i < ALL_TYPES; i++)
        for (size_t j = 0; j < sizeof block_counts / sizeof *block_counts; j++) {
            struct matrix w =
                make_matrix(&rng, all_types[i], 17, block_counts[j] * weir_tensor_type_block_weights(all_types[i]));
            check_levels(&w, x, T);
            free_matrix(&w);
        }
    free_fenced(x, T * COLS_MAX);
}

static void activation_rows_around_a_panel(void **state)
{
    (void)state;
    struct rng rng = rng_open("activation rows");
    enum { T = 26, COLS = 256 };
    float *x = fenced(T * COLS);
    rng_fill(&rng, x, T * COLS, 2.0f);
    for (size_t i = 0; i < ALL_TYPES; i++) {
        struct matrix w = make_matrix(&rng, all_types[i], 19, COLS);
        for (size_t rows = 0; rows <= T; rows++) check_levels(&w, x, rows);
        free_matrix(&w);
    }
    free_fenced(x, T * COLS);
}

/* Activations at their ends (all 127, all -127, alternating, zero) against weight bytes at theirs, and tiny values. */
static void extreme_values(void **state)
{
    (void)state;
    struct rng rng = rng_open("extremes");
    enum { T = 8, COLS = 256, ROWS = 20 };
    float *x = fenced(T * COLS);
    for (size_t c = 0; c < COLS; c++) {
        float values[T] = {1e30f, -1e30f, c % 2 ? 3.0f : -3.0f, 0, 0x1p-120f, 0x1p-99f, c ? 0 : 7.0f, -0.0f};
        for (size_t t = 0; t < T; t++) x[t * COLS + c] = values[t];
    }
    static const uint8_t fills[] = {0x00, 0xff, 0x80, 0x7f, 0x88, 0x0f, 0xf0};
    for (size_t i = 0; i < ALL_TYPES; i++) {
        if (!matrix_type_quantized(all_types[i])) continue;
        struct matrix w = make_matrix(&rng, all_types[i], ROWS, COLS);
        size_t bytes = weir_tensor_type_block_bytes(w.type);
        size_t blocks = ROWS * (COLS / weir_tensor_type_block_weights(w.type));
        union {
            const uint8_t *in;
            uint8_t *out;
        } at = {w.blocks};
        int factors[2];
        factor_offsets(w.type, factors);
        static const unsigned halves[] = {0x0001, 0x8001, 0x7bff, 0xfbff, 0x0000, 0x8000, 0x3c00};
        for (size_t b = 0; b < blocks; b++) {
            memset(at.out + b * bytes, fills[b % sizeof fills], bytes);
            for (int j = 0; j < 2; j++)
                if (factors[j] >= 0) store_u16(at.out + b * bytes + factors[j], halves[(b / 3 + (size_t)j) % 7]);
        }
        check_levels(&w, x, T);
        free_matrix(&w);
    }
    free_fenced(x, T * COLS);
}

/* A batch gives each row what the row alone gets, at every level. */
static void batches_equal_single_rows(void **state)
{
    (void)state;
    struct rng rng = rng_open("batches");
    enum { T = 19, COLS = 512, ROWS = 33 };
    float *x = fenced(T * COLS);
    rng_fill(&rng, x, T * COLS, 2.0f);
    for (enum cpu_level level = CPU_REF; level <= best_level(); level++) {
        struct kernels k;
        init_products(&k, level);
        struct activations batch = make_activations(&k, x, T, COLS);
        for (size_t i = 0; i < ALL_TYPES; i++) {
            struct matrix w = make_matrix(&rng, all_types[i], ROWS, COLS);
            make_tiles(&k, &w);
            float *together = product(&k, &w, &batch, ROWS);
            for (size_t t = 0; t < T; t++) {
                struct activations one = make_activations(&k, x + t * COLS, 1, COLS);
                float *alone = product(&k, &w, &one, ROWS);
                assert_same_rows(&k, &w, ROWS, alone, together + t * ROWS);
                for (size_t r = 0; r < ROWS; r++)
                    assert_same_bits("matrix_dot_row", r, alone[r], matrix_dot_row(&w, r, &batch, t));
                free_fenced(alone, ROWS);
                free_activations(&one);
            }
            free_fenced(together, T * ROWS);
            free_matrix(&w);
        }
        free_activations(&batch);
    }
    free_fenced(x, T * COLS);
}

static void assert_same_activations(const struct activations *expected, const struct activations *found)
{
    size_t blocks = expected->rows * expected->cols / ACT_BLOCK;
    for (size_t i = 0; i <= blocks * ACT_BLOCK; i++) /* one past the end is still zero */
        if (expected->q[i] != found->q[i]) fail_msg("q[%zu]: expected %d, found %d", i, expected->q[i], found->q[i]);
    for (size_t i = 0; i <= blocks; i++) {
        assert_same_bits("d", i, expected->d[i], found->d[i]);
        assert_int_equal(expected->offset[i], found->offset[i]);
    }
    for (size_t i = 0; i <= 2 * blocks; i++) assert_int_equal(expected->offset16[i], found->offset16[i]);
}

/* Random values of every magnitude, ties of the rounding, zeros and values below the smallest scale. */
static void quantizes_to_the_same_bits(void **state)
{
    (void)state;
    struct rng rng = rng_open("quantize");
    enum { T = 19, COLS = 192 };
    float *x = fenced(T * COLS);
    for (size_t i = 0; i < T * COLS; i++) {
        size_t block = i / 32;
        float value = rng_float(&rng, 1.0f);
        if (block % 4 == 1) value = (float)(rng_next(&rng) % 255) * 0.5f - 63.5f; /* ties when the largest is 127/2 */
        if (block % 4 == 2) value = ldexpf(value, (int)(rng_next(&rng) % 250) - 140);
        if (block % 8 == 3) value = ldexpf(value, -101 + (int)(block % 3));
        x[i] = block % 16 == 7 ? 0 : value;
    }
    struct kernels ref, k;
    init_products(&ref, CPU_REF);
    for (size_t rows = 1; rows <= T; rows++) {
        struct activations expected = make_activations(&ref, x, rows, COLS);
        for (enum cpu_level level = CPU_AVX2; level <= best_level(); level++) {
            init_products(&k, level);
            struct activations found = make_activations(&k, x, rows, COLS);
            assert_same_activations(&expected, &found);
            free_activations(&found);
        }
        free_activations(&expected);
    }
    free_fenced(x, T * COLS);
}

static void rows_of_floats_to_the_same_bits(void **state)
{
    (void)state;
    struct rng rng = rng_open("dequantize");
    float expected[768], found[768];
    for (enum cpu_level level = CPU_AVX2; level <= best_level(); level++) {
        struct kernels k;
        init_products(&k, level);
        for (size_t i = 0; i < ALL_TYPES; i++) {
            struct matrix w = make_matrix(&rng, all_types[i], 3, 768);
            for (size_t r = 0; r < 3; r++) {
                dequantize_row_ref(&w, r, expected);
                k.dequantize_row(&w, r, found);
                assert_same_rows(&k, &w, 768, expected, found);
            }
            free_matrix(&w);
        }
    }
}

/* The level is the best, the one asked for, or an error that names what was asked. */
static void chooses_a_level(void **state)
{
    (void)state;
    enum cpu_level best = best_level(), level = CPU_REF;
    struct weir_error error;
    for (enum cpu_level asked = CPU_REF; asked <= CPU_AVX512VNNI; asked++) {
        enum weir_status status = cpu_level_choose(cpu_level_name(asked), &level, &error);
        check_status(status, asked <= best ? WEIR_OK : WEIR_ERR_UNSUPPORTED, &error);
        if (status)
            check_contains(error.text, cpu_level_name(asked));
        else
            assert_int_equal(level, asked);
    }
    check_status(cpu_level_choose("", &level, &error), WEIR_OK, &error);
    assert_int_equal(level, best);
    check_status(cpu_level_choose("sse9", &level, &error), WEIR_ERR_UNSUPPORTED, &error);
    check_contains(error.text, "sse9");
    assert_int_equal(level, best);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weight_rows_around_a_strip),      cmocka_unit_test(columns_of_one_block_and_more),
        cmocka_unit_test(activation_rows_around_a_panel),  cmocka_unit_test(extreme_values),
        cmocka_unit_test(batches_equal_single_rows),       cmocka_unit_test(quantizes_to_the_same_bits),
        cmocka_unit_test(rows_of_floats_to_the_same_bits), cmocka_unit_test(chooses_a_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
