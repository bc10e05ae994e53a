/* The cost-accuracy curve of two tiers, against counting by hand. */
#include "check.h"

#include "weir/eval.h"

static const int32_t gold[6] = {0, 1, 0, 1, 0, -1};
static const int32_t first[6] = {0, 0, 0, 1, 1, -1};
static const double sure[6] = {0.9, 0.6, 0.8, 0.7, 0.3, 0};
static const int32_t second[6] = {0, 1, 1, 1, 0, -1};
static const int64_t cost[6] = {10, 20, 30, 40, 50, 60};

static const struct weir_eval_rows local = {6, 2, gold, first, sure, NULL};
static const struct weir_eval_rows frontier = {6, 2, gold, second, NULL, NULL};

static void every_share_is_counted(void **state)
{
    (void)state;
    static const struct weir_eval_point expected[7] = {
        {0, 6, 3, 3, 0},     {0.3, 5, 2, 3, 60},  {0.6, 4, 1, 4, 110}, {0.7, 3, 0, 5, 130},
        {0.8, 2, 0, 5, 170}, {0.9, 1, 0, 4, 200}, {2, 0, 0, 4, 210},
    };
    struct weir_eval_point points[7];
    struct weir_error error = {0};
    check_status(weir_eval_curve(&local, &frontier, cost, points, 7, &error), WEIR_OK, &error);
    for (size_t i = 0; i < 7; i++) {
        const struct weir_eval_point *e = &expected[i], *f = &points[i];
        if (f->threshold != e->threshold || f->kept != e->kept || f->kept_wrong != e->kept_wrong ||
            f->correct != e->correct || f->cost_usd_e6 != e->cost_usd_e6)
            fail_msg("point %zu: expected %g %zu %zu %zu %g, found %g %zu %zu %zu %g", i, e->threshold, e->kept,
                     e->kept_wrong, e->correct, e->cost_usd_e6, f->threshold, f->kept, f->kept_wrong, f->correct,
                     f->cost_usd_e6);
    }
}

static void one_tier_gives_risk_and_coverage(void **state)
{
    (void)state;
    struct weir_eval_point points[4];
    struct weir_error error = {0};
    check_status(weir_eval_curve(&local, NULL, NULL, points, 4, &error), WEIR_OK, &error);
    assert_int_equal(points[1].kept, 4);
    assert_int_equal(points[1].kept_wrong, 1);
    assert_int_equal(points[1].correct, 3);
    assert_int_equal(points[3].correct, 0);
    assert_true(points[3].cost_usd_e6 == 0);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct weir_eval_point points[2];
    struct weir_eval_rows fewer = frontier, bare = local, none = {.n_classes = 2, .probability = sure};
    fewer.count = 5;
    bare.probability = NULL;
    struct weir_error error = {0};
    check_status(weir_eval_curve(&local, &fewer, cost, points, 2, &error), WEIR_ERR_INVALID, &error);
    check_status(weir_eval_curve(&bare, &frontier, cost, points, 2, &error), WEIR_ERR_INVALID, &error);
    check_status(weir_eval_curve(&local, &frontier, cost, points, 1, &error), WEIR_ERR_INVALID, &error);
    check_status(weir_eval_curve(&none, NULL, NULL, points, 2, &error), WEIR_OK, &error);
    assert_true(points[0].threshold == 2 && points[0].kept == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_share_is_counted),
                                       cmocka_unit_test(one_tier_gives_risk_and_coverage),
                                       cmocka_unit_test(what_does_not_fit_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
