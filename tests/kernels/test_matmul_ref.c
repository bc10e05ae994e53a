/* The reference of the matrix product: dequantised values against fixtures, products against exact sums. */
#include "kernels/matmul_test.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

static void read_file(const char *type, const char *ending, void *out, size_t bytes)
{
    char path[512];
    (void)snprintf(path, sizeof path, WEIR_TEST_DATA "/kernels/%s.%s", type, ending);
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("%s: cannot be opened", path);
    size_t found = fread(out, 1, bytes, file);
    (void)fclose(file);
    if (found != bytes) fail_msg("%s: expected %zu bytes, found %zu", path, bytes, found);
}

/* Eight blocks a type, equal to the bit: one row of eight blocks, and eight rows of one. */
static void dequantizes_as_the_fixtures(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL_TYPES; i++) {
        enum weir_tensor_type type = all_types[i];
        if (!matrix_type_quantized(type)) continue;
        size_t weights = weir_tensor_type_block_weights(type), bytes = weir_tensor_type_block_bytes(type);
        uint8_t blocks[8 * 256];
        float expected[8 * 256], found[8 * 256];
        read_file(weir_tensor_type_name(type), "bin", blocks, 8 * bytes);
        read_file(weir_tensor_type_name(type), "f32", expected, 8 * weights * sizeof *expected);
        struct matrix one = {.type = type, .rows = 1, .cols = 8 * weights, .blocks = blocks};
        struct matrix eight = {.type = type, .rows = 8, .cols = weights, .blocks = blocks};
        dequantize_row_ref(&one, 0, found);
        for (size_t c = 0; c < 8 * weights; c++)
            if (!isnan(expected[c]) || !isnan(found[c]))
                assert_same_bits(weir_tensor_type_name(type), c, expected[c], found[c]);
        for (size_t r = 0; r < 8; r++) {
            dequantize_row_ref(&eight, r, found);
            for (size_t c = 0; c < weights; c++)
                if (!isnan(found[c]))
                    assert_same_bits(weir_tensor_type_name(type), c, expected[r * weights + c], found[c]);
        }
    }
}

/* Every binary16 against its definition, and back; NaN stays NaN. */
static void converts_every_f16(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 65536; bits++) {
        int exponent = (int)(bits >> 10 & 31), fraction = (int)(bits & 1023);
        float found = f16_to_f32((uint16_t)bits);
        if (exponent == 31 && fraction) {
            assert_true(isnan(found));
            assert_int_equal(f32_to_f16(found), bits | 0x200);
            continue;
        }
        float expected = exponent == 31 ? INFINITY
                         : exponent     ? ldexpf((float)(1024 + fraction), exponent - 25)
                                        : ldexpf((float)fraction, -24);
        assert_same_bits("f16_to_f32", bits, bits >> 15 ? -expected : expected, found);
        assert_int_equal(f32_to_f16(found), bits);
    }
}

/* The points where rounding turns: half way between two neighbours goes to the even one, the next float away to the nearer. */
static void rounds_to_f16(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 0x7bff; bits++) {
        float low = f16_to_f32((uint16_t)bits), high = f16_to_f32((uint16_t)(bits + 1));
        float middle = (low + high) / 2; /* exact */
        assert_int_equal(f32_to_f16(middle), bits % 2 ? bits + 1 : bits);
        assert_int_equal(f32_to_f16(nextafterf(middle, 0)), bits);
        assert_int_equal(f32_to_f16(nextafterf(middle, INFINITY)), bits + 1);
        assert_int_equal(f32_to_f16(-middle), 0x8000 | (bits % 2 ? bits + 1 : bits));
    }
    assert_int_equal(f32_to_f16(65519.996f), 0x7bff);
    assert_int_equal(f32_to_f16(65520.0f), 0x7c00);
    assert_int_equal(f32_to_f16(1e30f), 0x7c00);
    assert_int_equal(f32_to_f16(-INFINITY), 0xfc00);
    assert_int_equal(f32_to_f16(0x1p-25f), 0);
    assert_int_equal(f32_to_f16(-0.0f), 0x8000);
}

static void knows_its_types(void **state)
{
    (void)state;
    for (size_t i = 0; i < ALL_TYPES; i++) assert_true(matrix_type_supported(all_types[i]));
    assert_false(matrix_type_supported(WEIR_TENSOR_IQ2_S));
    assert_false(matrix_type_supported(WEIR_TENSOR_I32));
    assert_false(matrix_type_supported(WEIR_TENSOR_Q8_K));
}

/* Each row of a panel layout has its own places, and they fill the arrays. */
static void panels_cover_all_rows(void **state)
{
    (void)state;
    for (size_t rows = 1; rows <= 40; rows++) {
        uint8_t seen[40 * 3] = {0}, seen16[40 * 6] = {0};
        for (size_t t = 0; t < rows; t++) {
            struct panel p = panel_of(rows, t);
            assert_in_range(p.width, 1, PANEL_ROWS);
            assert_in_range(t, p.first, p.first + p.width - 1);
            for (size_t b = 0; b < 3; b++) {
                seen[panel_index(p, 3, t, b)]++;
                for (size_t h = 0; h < 2; h++) seen16[panel_index16(p, 3, t, b, h)]++;
            }
        }
        for (size_t i = 0; i < rows * 3; i++) assert_int_equal(seen[i], 1);
        for (size_t i = 0; i < rows * 6; i++) assert_int_equal(seen16[i], 1);
    }
}

/* x within d/2 (and rounding) of d * q, the largest at 127, sums of the q. */
static void quantizes_within_half_a_step(void **state)
{
    (void)state;
    struct rng rng = rng_open("quantize");
    struct kernels k = {0};
    kernels_init_matmul_ref(&k);
    enum { ROWS = 11, COLS = 96 };
    float x[ROWS * COLS];
    rng_fill(&rng, x, ROWS * COLS, 3.0f);
    struct activations a = make_activations(&k, x, ROWS, COLS);
    for (size_t t = 0; t < ROWS; t++)
        for (size_t b = 0; b < COLS / 32; b++) {
            struct panel p = panel_of(ROWS, t);
            size_t at = panel_index(p, COLS / 32, t, b);
            int sum[2] = {0}, largest = 0;
            for (size_t c = 0; c < 32; c++) {
                int q = a.q[at * 32 + c];
                double value = (double)x[t * COLS + b * 32 + c], d = (double)a.d[at];
                assert_near("quantize", c, value, d * q, d * (0.5 + 1e-4));
                sum[c / 16] += q;
                if (abs(q) > largest) largest = abs(q);
            }
            assert_int_equal(largest, 127);
            assert_int_equal(a.offset[at], -8 * (sum[0] + sum[1]));
            for (size_t h = 0; h < 2; h++)
                assert_int_equal(a.offset16[panel_index16(p, COLS / 32, t, b, h)], -32 * sum[h]);
        }
    free_activations(&a);
}

/* What a broken model may give: no conversion leaves the range of its type (the sanitizer sees it), NaN is 0. */
static void quantizes_what_is_no_number(void **state)
{
    (void)state;
    struct kernels k = {0};
    kernels_init_matmul_ref(&k);
    float x[64] = {NAN, 1.0f, -2.0f, NAN};
    x[32] = INFINITY;
    x[33] = -INFINITY;
    x[34] = FLT_MAX;
    struct activations a = make_activations(&k, x, 1, 64);
    assert_int_equal(a.q[0], 0);
    assert_int_equal(a.q[2], -127);
    assert_int_equal(a.q[3], 0);
    assert_true(isinf(a.d[1]));
    free_activations(&a);
}

/* The product against a double sum of dequantised weights and dequantised activations. */
static void products_are_near_the_exact_sum(void **state)
{
    (void)state;
    struct rng rng = rng_open("matmul reference");
    struct kernels k = {0};
    kernels_init_matmul_ref(&k);
    enum { ROWS = 5, COLS = 512, T = 9 };
    float x[T * COLS], weights[COLS], y[T * ROWS];
    rng_fill(&rng, x, T * COLS, 2.0f);
    struct activations a = make_activations(&k, x, T, COLS);
    for (size_t i = 0; i < ALL_TYPES; i++) {
        struct matrix w = make_matrix(&rng, all_types[i], ROWS, COLS);
        k.matmul(&w, &a, y, ROWS, 0, ROWS);
        for (size_t t = 0; t < T; t++)
            for (size_t r = 0; r < ROWS; r++) {
                struct panel p = panel_of(T, t);
                k.dequantize_row(&w, r, weights);
                double sum = 0, magnitude = 0;
                for (size_t c = 0; c < COLS; c++) {
                    size_t at = panel_index(p, COLS / 32, t, c / 32);
                    double value = matrix_type_quantized(w.type) ? (double)a.d[at] * a.q[at * 32 + c % 32]
                                                                 : (double)x[t * COLS + c];
                    sum += (double)weights[c] * value;
                    magnitude += fabs((double)weights[c] * value);
                }
                /* a rounding of t and acc for each of 16 blocks (of acc for each of 128 columns of a lane), and cancellation
                 * of scale and minimum inside t */
                double bound = magnitude * (matrix_type_quantized(w.type) ? 16 * 8 : 130) * 0x1p-24;
                assert_near(weir_tensor_type_name(w.type), t * ROWS + r, sum, (double)y[t * ROWS + r], bound);
                assert_same_bits("matrix_dot_row", r, y[t * ROWS + r], matrix_dot_row(&w, r, &a, t));
            }
        free_matrix(&w);
    }
    free_activations(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dequantizes_as_the_fixtures),
        cmocka_unit_test(converts_every_f16),
        cmocka_unit_test(rounds_to_f16),
        cmocka_unit_test(knows_its_types),
        cmocka_unit_test(panels_cover_all_rows),
        cmocka_unit_test(quantizes_within_half_a_step),
        cmocka_unit_test(quantizes_what_is_no_number),
        cmocka_unit_test(products_are_near_the_exact_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
