/* Reliability diagrams and paired comparisons. */
#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "weir/eval.h"

static void near(const char *what, double got, double expected, double relative)
{
    double scale = fabs(expected) > 1e-300 ? fabs(expected) : 1;
    if (!(fabs(got - expected) <= relative * scale)) fail_msg("%s: got %.17g, expected %.17g", what, got, expected);
}

/* Bins of a reliability diagram, by hand; their weighted gaps are the ECE. */
static void reliability_bins(void **state)
{
    (void)state;
    const int32_t gold[] = {0, 0, 1, 1, 0, 0}, predicted[] = {0, 1, 1, 1, -1, 0};
    const double probability[] = {0.95, 0.97, 0.4, 0, 0.5, 0.4};
    struct weir_eval_rows rows = {
        .count = 6, .n_classes = 2, .gold = gold, .predicted = predicted, .probability = probability};
    struct weir_eval_bin bins[WEIR_EVAL_ECE_BINS];
    struct weir_eval_summary summary;
    assert_int_equal(weir_eval_reliability(&rows, bins, NULL), WEIR_OK);
    assert_int_equal(weir_eval_measure(&rows, &summary, NULL, NULL), WEIR_OK);
    double gaps = 0;
    size_t count = 0;
    for (size_t m = 0; m < WEIR_EVAL_ECE_BINS; m++) {
        if (bins[m].count) gaps += fabs((double)bins[m].correct - (double)bins[m].count * bins[m].mean_probability) / 5;
        count += bins[m].count;
    }
    assert_int_equal(count, 5);
    near("ece", gaps, summary.ece, 1e-12);
    assert_int_equal(bins[14].count, 2);
    assert_int_equal(bins[14].correct, 1);
    near("mean", bins[14].mean_probability, 0.96, 1e-12);
    assert_int_equal(bins[5].count, 2); /* 0.4 is 6/15: the upper end of the sixth bin */
    assert_int_equal(bins[0].count, 1);
    near("low", bins[14].low, 14.0 / 15, 1e-12);
    near("high", bins[14].high, 1, 1e-12);
    rows.probability = NULL;
    assert_int_equal(weir_eval_reliability(&rows, bins, NULL), WEIR_ERR_INVALID);
}

enum { PAIRED_ROWS = 400 };

/* b rows that only the first gets right, c only the second, the rest both. */
static struct weir_eval_paired compared(size_t n, size_t b, size_t c)
{
    static int32_t gold[PAIRED_ROWS], first[PAIRED_ROWS], second[PAIRED_ROWS];
    for (size_t i = 0; i < n; i++) {
        gold[i] = 1;
        first[i] = i < b || i >= b + c ? 1 : -1;
        second[i] = i < b ? 0 : 1;
    }
    struct weir_eval_rows rows_a = {.count = n, .n_classes = 2, .gold = gold, .predicted = first};
    struct weir_eval_rows rows_b = {.count = n, .n_classes = 2, .gold = gold, .predicted = second};
    struct weir_eval_paired out;
    assert_int_equal(weir_eval_compare(&rows_a, &rows_b, &out, NULL), WEIR_OK);
    return out;
}

/* Intervals: Newcombe 1998 (Statistics in Medicine 17, 2635-2650) gives Tango's for 50 rows, 12 against 2: 0.0611 to 0.3447; no
 * discordant row of n gives +- z^2 / (n + z^2). p-values: sums of binomial terms by hand. */
static void paired_comparison(void **state)
{
    (void)state;
    struct weir_eval_paired p = compared(50, 12, 2);
    assert_int_equal(p.first_only, 12);
    assert_int_equal(p.second_only, 2);
    near("difference", p.difference, 0.2, 1e-12);
    near("low", p.low, 0.0611, 1e-3);
    near("high", p.high, 0.3447, 1e-3);
    near("p", p.p_value, 2 * (1 + 14 + 91) / 16384.0, 1e-10);
    p = compared(30, 0, 0);
    double z2 = 1.959963984540054 * 1.959963984540054;
    near("low", p.low, -z2 / (30 + z2), 1e-9);
    near("high", p.high, z2 / (30 + z2), 1e-9);
    near("p", p.p_value, 1, 0);
    p = compared(20, 5, 5);
    near("p", p.p_value, 1, 0);
    near("symmetry", p.low, -p.high, 1e-9);
    p = compared(40, 40, 0);
    near("high", p.high, 1, 1e-9);
    assert_true(p.low > 0.8);
    const int32_t gold[] = {0, 1}, other[] = {0, 0};
    struct weir_eval_rows a = {.count = 2, .n_classes = 2, .gold = gold, .predicted = gold};
    struct weir_eval_rows b = {.count = 2, .n_classes = 2, .gold = other, .predicted = gold};
    assert_int_equal(weir_eval_compare(&a, &b, &p, NULL), WEIR_ERR_INVALID);
    b = a;
    b.count = 1;
    assert_int_equal(weir_eval_compare(&a, &b, &p, NULL), WEIR_ERR_INVALID);
}

static double uniform(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(*seed >> 11) * 0x1p-53;
}

/* The interval covers the true difference in 95 % of draws, give or take what 2,000 draws can tell. */
static void paired_interval_covers(void **state)
{
    (void)state;
    uint64_t seed = 20260728;
    static const double rates[][2] = {{0.1, 0.05}, {0.03, 0.03}, {0.3, 0.1}};
    for (size_t k = 0; k < sizeof rates / sizeof *rates; k++) {
        unsigned covered = 0;
        for (int draw = 0; draw < 2000; draw++) {
            size_t b = 0, c = 0;
            for (int i = 0; i < 150; i++) {
                double u = uniform(&seed);
                b += u < rates[k][0];
                c += u >= rates[k][0] && u < rates[k][0] + rates[k][1];
            }
            struct weir_eval_paired p = compared(150, b, c);
            covered += p.low <= rates[k][0] - rates[k][1] && rates[k][0] - rates[k][1] <= p.high;
        }
        if (covered < 1870 || covered > 1940) fail_msg("seed 20260728, case %zu: %u of 2000 covered", k, covered);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reliability_bins),
        cmocka_unit_test(paired_comparison),
        cmocka_unit_test(paired_interval_covers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
