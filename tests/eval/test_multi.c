/* Measures of independent labels, by hand. */
#include <math.h>

#include "check.h"
#include "weir/eval.h"

/* Three rows answered, one not; two labels. */
static const uint8_t gold[] = {1, 0, 1, 1, 0, 0, 0, 1}, answered[] = {1, 1, 1, 0};
static const double probabilities[] = {0.9, 0.2, 0.4, 0.7, 0.1, 0.5, 7, 7};

static void check_near(const char *what, double found, double expected)
{
    if (!(fabs(found - expected) <= 1e-12)) fail_msg("%s: expected %.17g, found %.17g", what, expected, found);
}

static void figures(void **state)
{
    (void)state;
    const struct weir_eval_multi_rows rows = {
        .count = 4, .n_labels = 2, .gold = gold, .answered = answered, .probabilities = probabilities};
    struct weir_eval_multi_summary s;
    struct weir_eval_class classes[2];
    struct weir_error error = {0};
    double low, high;
    check_status(weir_eval_multi(&rows, &s, classes, &error), WEIR_OK, &error);
    assert_int_equal(s.rows, 4);
    assert_int_equal(s.answered, 3);
    assert_int_equal(s.right, 1); /* the first; the second lacks label 0, the third has label 1 at exactly 1/2 */
    check_near("exact", s.exact, 0.25);
    weir_eval_interval(1, 4, 0.95, &low, &high);
    check_near("low", s.exact_low, low);
    check_near("high", s.exact_high, high);
    /* label 0: gold rows 0 1, answers row 0. label 1: gold rows 1 3 (not answered), answers rows 1 2 */
    check_near("f1 of 0", classes[0].f1, 2.0 / 3);
    check_near("f1 of 1", classes[1].f1, 2.0 / 4);
    check_near("micro precision", s.micro_precision, 2.0 / 3);
    check_near("micro recall", s.micro_recall, 2.0 / 4);
    check_near("micro", s.micro_f1, 4.0 / 7);
    check_near("macro", s.macro_f1, (2.0 / 3 + 0.5) / 2);
    check_near("ece", s.ece,
               ((0.1 + 0.6 + 0.1) / 3 + (0.2 + 0.3 + 0.5) / 3) / 2); /* each probability in a bin of its own */
    check_near("brier", s.brier, (0.01 + 0.04 + 0.36 + 0.09 + 0.01 + 0.25) / 3);
    check_near("nll", s.nll, -(log(0.9) + log(0.8) + log(0.4) + log(0.7) + log(0.9) + log(0.5)) / 3);
}

static void nothing_to_measure(void **state)
{
    (void)state;
    struct weir_eval_multi_summary s;
    struct weir_error error = {0};
    const struct weir_eval_multi_rows none = {.n_labels = 2, .gold = gold, .probabilities = probabilities};
    check_status(weir_eval_multi(&none, &s, NULL, &error), WEIR_OK, &error);
    check_near("exact", s.exact, 0);
    check_near("high", s.exact_high, 1);
    check_near("micro", s.micro_f1, 0);
    const struct weir_eval_multi_rows wrong = {.count = 4, .n_labels = 2, .gold = gold, .probabilities = probabilities};
    check_status(weir_eval_multi(&wrong, &s, NULL, &error), WEIR_ERR_INVALID, &error);
    assert_string_equal(error.text, "row 3, label 0: probability 7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(figures), cmocka_unit_test(nothing_to_measure)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
