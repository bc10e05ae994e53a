/* Measures against values computed by hand and by scipy 1.17.1 and scikit-learn 1.9.1 (named where used). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "weir/eval.h"

static void near(const char *what, double got, double expected, double relative)
{
    double scale = fabs(expected) > 1e-300 ? fabs(expected) : 1;
    if (!(fabs(got - expected) <= relative * scale)) fail_msg("%s: got %.17g, expected %.17g", what, got, expected);
}

/* scipy.special.betainc(a, b, x) */
static void incomplete_beta(void **state)
{
    (void)state;
    static const struct {
        double a, b, x, value, relative;
    } cases[] = {
        {0.5, 0.5, 0.3, 0.36901011956554536, 1e-12},
        {1, 1, 0.25, 0.25, 1e-12},
        {2, 3, 0.4, 0.5248, 1e-12},
        {5, 5, 0.5, 0.5, 1e-12},
        {50, 1151, 0.04, 0.40423543844739956, 1e-11},
        {1100, 101, 0.93, 0.9663928829270779, 1e-11},
        {1e5, 2e5, 0.333, 0.34940317176600605, 1e-8},
        {1e6, 1e6, 0.5001, 0.6113512821376899, 1e-8},
        {1, 1e6, 1e-6, 0.632120742768355, 1e-8},
        {3, 0.7, 0.999, 0.981785175090461, 1e-12},
        {30, 70, 0.01, 1.0513087426709711e-35, 1e-11},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        near("beta", weir_eval_beta(cases[i].a, cases[i].b, cases[i].x), cases[i].value, cases[i].relative);
    near("beta at 0", weir_eval_beta(2, 3, 0), 0, 0);
    near("beta at 1", weir_eval_beta(2, 3, 1), 1, 0);
}

/* Small integers by the sum that defines it: I_p(k, n-k+1) = sum_{j>=k} C(n,j) p^j (1-p)^(n-j). */
static void incomplete_beta_is_the_binomial_tail(void **state)
{
    (void)state;
    for (int n = 1; n <= 25; n++) {
        for (int k = 1; k <= n; k++) {
            for (double p = 0.05; p < 1; p += 0.15) {
                double term = pow(1 - p, n), tail = 0;
                for (int j = 0; j <= n; j++) {
                    if (j >= k) tail += term;
                    term *= (double)(n - j) / (j + 1) * p / (1 - p);
                }
                near("binomial tail", weir_eval_beta(k, n - k + 1, p), tail, 1e-11);
            }
        }
    }
}

/* scipy.stats.binomtest(k, n).proportion_ci(confidence, method="exact") */
static void intervals(void **state)
{
    (void)state;
    static const struct {
        size_t k, n;
        double confidence, low, high;
    } cases[] = {
        {0, 10, 0.95, 0.0, 0.30849710781876294},
        {10, 10, 0.99, 0.5887040186524746, 1.0},
        {1, 1, 0.95, 0.025000000000000022, 1.0},
        {5, 10, 0.95, 0.1870860284474045, 0.8129139715525955},
        {5, 10, 0.99, 0.12831055393508328, 0.8716894460649167},
        {1092, 1200, 0.95, 0.8923698693722512, 0.9255883185628074},
        {1081, 1200, 0.99, 0.8765711560056616, 0.9218433035179023},
        {57, 60, 0.95, 0.8607567532789, 0.9895676703556517},
        {999999, 1000000, 0.95, 0.9999944283693444, 0.9999999746821948},
        {0, 0, 0.95, 0, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double low, high;
        weir_eval_interval(cases[i].k, cases[i].n, cases[i].confidence, &low, &high);
        near("low", low, cases[i].low, 1e-10);
        near("high", high, cases[i].high, 1e-10);
    }
}

/* scipy.stats.beta.ppf(confidence, failures + 1, trials - failures) */
static void upper_bounds(void **state)
{
    (void)state;
    near("0 of 59", weir_eval_upper_bound(0, 59, 0.95), 0.04950760988822693, 1e-10);
    near("0 of 59, closed form", weir_eval_upper_bound(0, 59, 0.95), 1 - pow(0.05, 1 / 59.0), 1e-10);
    near("3 of 200", weir_eval_upper_bound(3, 200, 0.95), 0.03830970849856934, 1e-10);
    near("12 of 400", weir_eval_upper_bound(12, 400, 0.95), 0.04815392102222603, 1e-10);
    near("1 of 5", weir_eval_upper_bound(1, 5, 0.9), 0.583890374619529, 1e-10);
    near("all of 5", weir_eval_upper_bound(5, 5, 0.95), 1, 0);
    near("none", weir_eval_upper_bound(0, 0, 0.95), 1, 0);
}

enum { ROWS = 12, CLASSES = 6 };
static const int32_t gold[ROWS] = {0, 0, 1, 1, 2, 2, 2, 3, 0, 1, 2, 0};
static const int32_t predicted[ROWS] = {0, 1, 1, 1, 2, 0, 2, 4, 0, 2, 2, 0};
static const double probabilities[ROWS * CLASSES] = {
    0.559, 0.140, 0.171, 0.057, 0.073, 0, 0.017, 0.446, 0.265, 0.162, 0.110, 0, 0.066, 0.573, 0.121, 0.132, 0.108, 0,
    0.229, 0.383, 0.090, 0.072, 0.226, 0, 0.022, 0.147, 0.520, 0.134, 0.177, 0, 0.498, 0.130, 0.027, 0.106, 0.239, 0,
    0.115, 0.015, 0.727, 0.056, 0.087, 0, 0.134, 0.034, 0.166, 0.190, 0.476, 0, 0.496, 0.163, 0.120, 0.189, 0.032, 0,
    0.091, 0.049, 0.543, 0.105, 0.212, 0, 0.202, 0.212, 0.373, 0.062, 0.151, 0, 0.505, 0.046, 0.141, 0.083, 0.225, 0,
};
static const double probability[ROWS] = {0.559, 0.446, 0.573, 0.383, 0.520, 0.498,
                                         0.727, 0.476, 0.496, 0.543, 0.373, 0.505};

static struct weir_eval_rows twelve_rows(void)
{
    return (struct weir_eval_rows){.count = ROWS,
                                   .n_classes = CLASSES,
                                   .gold = gold,
                                   .predicted = predicted,
                                   .probability = probability,
                                   .probabilities = probabilities};
}

/* sklearn.metrics f1_score(average="macro"), precision_recall_fscore_support, log_loss; Brier and ECE by numpy (digitize, right=True). */
static void measures(void **state)
{
    (void)state;
    struct weir_eval_rows rows = twelve_rows();
    struct weir_eval_summary s;
    struct weir_eval_class classes[CLASSES];
    assert_int_equal(weir_eval_measure(&rows, &s, classes, NULL), WEIR_OK);
    assert_int_equal(s.rows, 12);
    assert_int_equal(s.answered, 12);
    assert_int_equal(s.correct, 8);
    near("accuracy", s.accuracy, 2.0 / 3, 1e-15);
    near("macro F1", s.macro_f1, 0.4333333333333333, 1e-14);
    near("ECE", s.ece, 0.23274999999999993, 1e-13);
    near("Brier", s.brier, 0.6073885000000001, 1e-13);
    near("NLL", s.nll, 1.4837192103042007, 1e-13);
    static const double f1[CLASSES] = {0.75, 2.0 / 3, 0.75, 0, 0, 0};
    static const size_t support[CLASSES] = {4, 3, 4, 1, 0, 0}, answers[CLASSES] = {4, 3, 4, 0, 1, 0};
    for (int k = 0; k < CLASSES; k++) {
        near("F1 of a class", classes[k].f1, f1[k], 1e-15);
        near("precision", classes[k].precision, f1[k], 1e-15);
        near("recall", classes[k].recall, f1[k], 1e-15);
        assert_int_equal(classes[k].support, support[k]);
        assert_int_equal(classes[k].predicted, answers[k]);
    }
}

/* Rows 3 and 11 (both right above) without an answer: wrong in accuracy and recall, absent from precision and ECE. By hand. */
static void rows_without_answer_are_wrong(void **state)
{
    (void)state;
    int32_t answers[ROWS];
    for (int i = 0; i < ROWS; i++) answers[i] = i == 3 || i == 11 ? -1 : predicted[i];
    struct weir_eval_rows rows = twelve_rows();
    rows.predicted = answers;
    rows.probabilities = NULL;
    struct weir_eval_summary s;
    struct weir_eval_class classes[CLASSES];
    assert_int_equal(weir_eval_measure(&rows, &s, classes, NULL), WEIR_OK);
    assert_int_equal(s.answered, 10);
    assert_int_equal(s.correct, 6);
    near("accuracy", s.accuracy, 0.5, 1e-15);
    near("recall of 0", classes[0].recall, 0.5, 1e-15);
    near("precision of 0", classes[0].precision, 2.0 / 3, 1e-15);
    near("F1 of 0", classes[0].f1, 4.0 / 7, 1e-15);
    near("Brier without probabilities", s.brier, 0, 0);
    /* Bins hold rows {1}: wrong; {0,2,9}: 2 right, sum 1.675; {4,5,7,8}: 2 right, sum 1.99; {6}, {10}: right. */
    near("ECE", s.ece, (0.446 + 0.325 + 0.01 + 0.273 + 0.627) / 10, 1e-12);
}

/* A row whose label is not known because the row could not be read counts in the accuracy and in no class. */
static void rows_that_could_not_be_read_are_wrong(void **state)
{
    (void)state;
    const int32_t g[3] = {0, 1, -1}, p[3] = {0, 1, -1};
    struct weir_eval_rows rows = {.count = 3, .n_classes = 2, .gold = g, .predicted = p};
    struct weir_eval_summary s;
    struct weir_eval_class classes[2];
    assert_int_equal(weir_eval_measure(&rows, &s, classes, NULL), WEIR_OK);
    near("accuracy", s.accuracy, 2.0 / 3, 1e-15);
    near("macro F1", s.macro_f1, 1, 1e-15);
    assert_int_equal(classes[0].support + classes[1].support, 2);
}

static void nothing_to_measure(void **state)
{
    (void)state;
    struct weir_eval_rows rows = {.n_classes = 3};
    struct weir_eval_summary s;
    assert_int_equal(weir_eval_measure(&rows, &s, NULL, NULL), WEIR_OK);
    near("accuracy", s.accuracy, 0, 0);
    near("low", s.accuracy_low, 0, 0);
    near("high", s.accuracy_high, 1, 0);
}

static void values_out_of_range_are_refused(void **state)
{
    (void)state;
    static const struct {
        int32_t gold, predicted;
        double p;
    } cases[] = {{-1, 0, 0.5}, {3, 0, 0.5}, {0, 3, 0.5}, {0, -2, 0.5}, {0, 0, -0.1}, {0, 0, 1.1}, {0, 0, NAN}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct weir_eval_rows rows = {.count = 1,
                                      .n_classes = 3,
                                      .gold = &cases[i].gold,
                                      .predicted = &cases[i].predicted,
                                      .probability = &cases[i].p};
        struct weir_eval_summary s = {.rows = 77};
        struct weir_error error;
        assert_int_equal(weir_eval_measure(&rows, &s, NULL, &error), WEIR_ERR_INVALID);
        assert_int_equal(s.rows, 77);
        double all[3] = {0.2, 0.3, 0.5};
        rows.probability = NULL;
        rows.probabilities = all;
        all[2] = cases[i].p;
        assert_int_equal(weir_eval_measure(&rows, &s, NULL, &error), WEIR_ERR_INVALID);
    }
}

/* Bin edges: 1/15 belongs to the first bin, 1 to the last; each bin alone has a gap, together in one they would cancel. */
static void ece_bin_edges(void **state)
{
    (void)state;
    const int32_t g[2] = {0, 0}, p[2] = {0, 1};
    const double low[2] = {0.999, 1.0}, apart[2] = {14.0 / 15, 14.01 / 15};
    struct weir_eval_rows rows = {.count = 2, .n_classes = 2, .gold = g, .predicted = p, .probability = low};
    struct weir_eval_summary s;
    assert_int_equal(weir_eval_measure(&rows, &s, NULL, NULL), WEIR_OK);
    near("one bin", s.ece, 0.999 / 2, 1e-12);
    rows.probability = apart;
    assert_int_equal(weir_eval_measure(&rows, &s, NULL, NULL), WEIR_OK);
    near("two bins", s.ece, (1 - 14.0 / 15 + 14.01 / 15) / 2, 1e-12);
}

static void check_coverage(const struct weir_eval_rows *rows, double max_error, size_t answered, size_t wrong,
                           double threshold)
{
    struct weir_eval_coverage c;
    assert_int_equal(weir_eval_coverage(rows, max_error, &c, NULL), WEIR_OK);
    assert_int_equal(c.answered, answered);
    assert_int_equal(c.wrong, wrong);
    near("threshold", c.threshold, threshold, 0);
    near("coverage", c.coverage, (double)answered / (double)rows->count, 1e-15);
}

static void coverage(void **state)
{
    (void)state;
    /* By falling probability: 0.9 right, 0.8 right, 0.8 wrong, 0.7 right, 0.6 wrong; one row without an answer. */
    const int32_t g[6] = {0, 1, 0, 1, 0, 0}, p[6] = {0, 1, 1, 1, -1, 1};
    const double q[6] = {0.9, 0.8, 0.8, 0.7, 5, 0.6};
    struct weir_eval_rows rows = {.count = 6, .n_classes = 2, .gold = g, .predicted = p, .probability = q};
    check_coverage(&rows, 0, 1, 0, 0.9);
    check_coverage(&rows, 0.25, 4, 1, 0.7);
    check_coverage(&rows, 0.3, 4, 1, 0.7);
    check_coverage(&rows, 0.34, 4, 1, 0.7);
    check_coverage(&rows, 0.4, 5, 2, 0.6);
    const int32_t all_wrong[6] = {1, 0, 1, 0, 1, 0};
    rows.gold = all_wrong;
    check_coverage(&rows, 0.1, 0, 0, 2);
    rows.probability = NULL;
    struct weir_eval_coverage c;
    assert_int_equal(weir_eval_coverage(&rows, 0.1, &c, NULL), WEIR_ERR_INVALID);
}

static void quantiles(void **state)
{
    (void)state;
    double values[5] = {5, 1, 4, 2, 3};
    near("median of 5", weir_eval_quantile(values, 5, 0.5), 3, 0);
    near("p99 of 5", weir_eval_quantile(values, 5, 0.99), 5, 0);
    near("minimum", weir_eval_quantile(values, 5, 0), 1, 0);
    near("p20", weir_eval_quantile(values, 5, 0.2), 1, 0);
    near("p21", weir_eval_quantile(values, 5, 0.21), 2, 0);
    near("none", weir_eval_quantile(values, 0, 0.5), 0, 0);
    double hundred[100];
    for (int i = 0; i < 100; i++) hundred[i] = 100 - i;
    near("p50 of 1..100", weir_eval_quantile(hundred, 100, 0.5), 50, 0);
    near("p99 of 1..100", weir_eval_quantile(hundred, 100, 0.99), 99, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(incomplete_beta),
        cmocka_unit_test(incomplete_beta_is_the_binomial_tail),
        cmocka_unit_test(intervals),
        cmocka_unit_test(upper_bounds),
        cmocka_unit_test(measures),
        cmocka_unit_test(rows_without_answer_are_wrong),
        cmocka_unit_test(rows_that_could_not_be_read_are_wrong),
        cmocka_unit_test(nothing_to_measure),
        cmocka_unit_test(values_out_of_range_are_refused),
        cmocka_unit_test(ece_bin_edges),
        cmocka_unit_test(coverage),
        cmocka_unit_test(quantiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
