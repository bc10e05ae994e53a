/* The reference of the kernels around the matrix products against computations in double, within the bounds of docs/kernels-ops.md. */
#include "kernels/ops_test.h"

#include <float.h>
#include <math.h>

static const float eps = FLT_EPSILON;

/* Every 61st float of the range whose exponentials are normal numbers. */
static void exp_is_within_one_ulp(void **state)
{
    (void)state;
    double worst = 0.0;
    for (uint32_t bits = 0; bits < 0x42b10000u; bits += 61)
        for (int sign = 0; sign < 2; sign++) {
            float x;
            uint32_t signed_bits = bits | (uint32_t)sign << 31;
            memcpy(&x, &signed_bits, sizeof x);
            double exact = exp((double)x);
            if (exact < (double)FLT_MIN || x > 88.375f) continue;
            double ulp = ldexp(1.0, ilogb(exact) - 23), error = fabs((double)exp_ref(x) - exact) / ulp;
            if (error > worst) worst = error;
        }
    print_message("worst error of exp: %.4f ulp\n", worst);
    assert_true(worst < 1.0);
}

static void exp_keeps_its_limits(void **state)
{
    (void)state;
    assert_same_bits("exp(0)", 0, 1.0f, exp_ref(0.0f));
    assert_same_bits("exp(-0)", 0, 1.0f, exp_ref(-0.0f));
    assert_same_bits("exp(-inf)", 0, 0.0f, exp_ref(-INFINITY));
    assert_same_bits("exp(-1e30)", 0, 0.0f, exp_ref(-1e30f));
    assert_same_bits("exp(inf)", 0, INFINITY, exp_ref(INFINITY));
    assert_true(exp_ref(-87.33654f) >= FLT_MIN);
}

static void rmsnorm_is_near_double(void **state)
{
    (void)state;
    struct rng rng = rng_open("rmsnorm");
    enum { n = 577 };
    static const float ranges[] = {1e-20f, 1e-3f, 1.0f, 1e5f, 1e25f};
    for (size_t k = 0; k < sizeof ranges / sizeof *ranges; k++) {
        float *x = fenced(n), *w = fenced(n), *y = fenced(n);
        rng_fill(&rng, x, n, ranges[k]);
        rng_fill(&rng, w, n, 2.0f);
        double sum = 0.0;
        for (size_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
        rmsnorm_ref(y, x, w, n, 1e-6f);
        for (size_t i = 0; i < n; i++) {
            double exact = (double)x[i] * (double)w[i] / sqrt(sum / (double)n + (double)1e-6f);
            assert_near("rmsnorm", i, exact, (double)y[i], 1.6 * (double)eps * fabs(exact) + (double)FLT_MIN);
        }
        free_fenced(x, n);
        free_fenced(w, n);
        free_fenced(y, n);
    }
}

static void gates_are_near_double(void **state)
{
    (void)state;
    for (double at = -120.0; at <= 120.0; at += 1.0 / 64) {
        float x = (float)at, up = 1.5f, silu = x, gelu = x;
        silu_mul_ref(&silu, &up, 1);
        gelu_tanh_mul_ref(&gelu, &up, 1);
        double exact = at / (1.0 + exp(-at)) * 1.5, u2 = at * (1.5957691216057308 + 0.07135481282564 * at * at);
        assert_near("silu", 0, exact, (double)silu, 3.0 * (double)eps * fabs(exact) + 1e-36);
        exact = at / (1.0 + exp(-u2)) * 1.5;
        double spread = u2 < 0 ? -u2 : 0.0; /* a relative error of the exponent is multiplied by it */
        assert_near("gelu", 0, exact, (double)gelu, (3.0 + 2.0 * spread) * (double)eps * fabs(exact) + 1e-36);
    }
}

static void gates_keep_their_limits(void **state)
{
    (void)state;
    float silu[] = {0.0f, 1e30f, -1e30f, FLT_MAX, -FLT_MAX}, gelu[] = {0.0f, 1e30f, -1e30f, FLT_MAX, -FLT_MAX};
    static const float expected[] = {0.0f, 1e30f, -0.0f, FLT_MAX, -0.0f}, up[] = {1, 1, 1, 1, 1};
    silu_mul_ref(silu, up, 5);
    gelu_tanh_mul_ref(gelu, up, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_same_bits("silu", i, expected[i], silu[i]);
        assert_same_bits("gelu", i, expected[i], gelu[i]);
    }
}

/* Every 61st float of both signs, relative to the exact value. */
static void tanh_is_near_double(void **state)
{
    (void)state;
    double worst = 0.0;
    for (uint32_t bits = 0x00800000u; bits < 0x42000000u; bits += 61)
        for (int sign = 0; sign < 2; sign++) {
            float x;
            uint32_t signed_bits = bits | (uint32_t)sign << 31;
            memcpy(&x, &signed_bits, sizeof x);
            double exact = tanh((double)x), error = fabs((double)tanh_ref(x) - exact) / fabs(exact);
            if (error > worst) worst = error;
        }
    print_message("worst relative error of tanh: %.3f eps\n", worst / (double)eps);
    assert_true(worst < 1.5 * (double)eps);
}

static void softcap_keeps_its_limits(void **state)
{
    (void)state;
    float x[] = {0.0f, 1e-30f, 1e30f, -1e30f, FLT_MAX, -FLT_MAX, 500.0f};
    static const float expected[] = {0.0f, 1e-30f, 50.0f, -50.0f, 50.0f, -50.0f, 50.0f};
    softcap_ref(x, 7, 50.0f);
    for (size_t i = 0; i < 7; i++)
        assert_near("softcap", i, (double)expected[i], (double)x[i], fabs((double)expected[i]) * (double)eps);
    for (double at = -300.0; at <= 300.0; at += 0.37) {
        float y = (float)at;
        double exact = 50.0 * tanh((double)y / 50.0);
        softcap_ref(&y, 1, 50.0f);
        assert_near("softcap", 0, exact, (double)y, 3.0 * (double)eps * fabs(exact));
    }
}

static void softmax_is_near_double(void **state)
{
    (void)state;
    struct rng rng = rng_open("softmax");
    enum { n = 777 };
    float *x = fenced(n), *p = fenced(n);
    for (float range = 0.01f; range < 1e4f; range *= 10.0f) {
        rng_fill(&rng, x, n, range);
        double max = -INFINITY, sum = 0.0;
        for (size_t i = 0; i < n; i++) max = fmax(max, (double)x[i]);
        for (size_t i = 0; i < n; i++) sum += exp((double)x[i] - max);
        memcpy(p, x, n * sizeof *p);
        softmax_ref(p, n);
        for (size_t i = 0; i < n; i++) {
            double exact = exp((double)x[i] - max) / sum, lag = max - (double)x[i];
            double bound = ((double)n / 16.0 + 8.0 + lag) * (double)eps * exact + 2.0 * (double)FLT_MIN;
            assert_near("softmax", i, exact, (double)p[i], bound);
        }
    }
    free_fenced(x, n);
    free_fenced(p, n);
}

static void softmax_of_masked_rows(void **state)
{
    (void)state;
    float one[] = {-INFINITY, -3e38f, -INFINITY}, equal[7];
    softmax_ref(one, 3);
    assert_same_bits("masked", 0, 0.0f, one[0]);
    assert_same_bits("alone", 1, 1.0f, one[1]);
    for (size_t i = 0; i < 7; i++) equal[i] = 1e20f;
    softmax_ref(equal, 7);
    for (size_t i = 0; i < 7; i++) assert_near("equal", i, 1.0 / 7, (double)equal[i], (double)eps / 7);
}

static void rope_turns_pairs(void **state)
{
    (void)state;
    float adjacent[] = {1, 2, 3, 4, 5, 6}, halves[] = {1, 3, 2, 4, 5, 6};
    float table[4];
    for (size_t i = 0; i < 2; i++) {
        table[2 * i] = cosf(0.3f + (float)i);
        table[2 * i + 1] = sinf(0.3f + (float)i);
    }
    rope_adjacent_ref(adjacent, table, 4);
    rope_halves_ref(halves, table, 4);
    for (size_t i = 0; i < 2; i++) {
        double c = (double)table[2 * i], s = (double)table[2 * i + 1], a = (double)(2 * i + 1), b = a + 1;
        assert_near("x0", i, a * c - b * s, (double)adjacent[2 * i], 8 * (double)eps);
        assert_near("x1", i, a * s + b * c, (double)adjacent[2 * i + 1], 8 * (double)eps);
        assert_same_bits("halves x0", i, adjacent[2 * i], halves[i]);
        assert_same_bits("halves x1", i, adjacent[2 * i + 1], halves[i + 2]);
    }
    for (size_t i = 4; i < 6; i++) {
        assert_same_bits("beyond n_rot", i, (float)(i + 1), adjacent[i]);
        assert_same_bits("beyond n_rot", i, (float)(i + 1), halves[i]);
    }
}

/* Keys and values that f16 holds exactly, read back through scores and values. */
static void attention_reads_what_was_stored(void **state)
{
    (void)state;
    struct rng rng = rng_open("attention");
    enum { n = 21, dim = 8 };
    float keys[n][dim], values[n][dim], q[dim], p[n];
    for (size_t j = 0; j < n; j++)
        for (size_t d = 0; d < dim; d++) {
            keys[j][d] = (float)(rng_next(&rng) % 33) - 16.0f;
            values[j][d] = (float)(rng_next(&rng) % 33) - 16.0f;
        }
    rng_fill(&rng, q, dim, 1.0f);
    rng_fill(&rng, p, n, 1.0f);
    for (enum weir_kv_type type = WEIR_KV_F16; type <= WEIR_KV_F32; type++) {
        float k[2 * KEY_BLOCK * dim], v[n * dim], scores[n], out[dim] = {0};
        for (size_t j = 0; j < n; j++) kv_store_ref(type, k, v, j, keys[j], values[j], dim);
        attn_scores_ref(type, q, dim, 1, dim, k, n, 0.125f, scores, n);
        attn_values_ref(type, p, n, 1, v, n, dim, out, dim);
        double sums[dim] = {0};
        for (size_t j = 0; j < n; j++) {
            double dot = 0.0;
            for (size_t d = 0; d < dim; d++) {
                dot += (double)q[d] * (double)keys[j][d];
                sums[d] += (double)p[j] * (double)values[j][d];
            }
            assert_near("score", j, 0.125 * dot, (double)scores[j], (double)dim * 16.0 * (double)eps);
        }
        for (size_t d = 0; d < dim; d++) assert_near("value", d, sums[d], (double)out[d], n * n * 16.0 * (double)eps);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_is_within_one_ulp),           cmocka_unit_test(exp_keeps_its_limits),
        cmocka_unit_test(rmsnorm_is_near_double),          cmocka_unit_test(gates_are_near_double),
        cmocka_unit_test(gates_keep_their_limits),         cmocka_unit_test(softmax_is_near_double),
        cmocka_unit_test(softmax_of_masked_rows),          cmocka_unit_test(rope_turns_pairs),
        cmocka_unit_test(attention_reads_what_was_stored), cmocka_unit_test(tanh_is_near_double),
        cmocka_unit_test(softcap_keeps_its_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
