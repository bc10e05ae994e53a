/* The cost-accuracy curve of two tiers, and with it the risk-coverage curve of the first. */
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "weir/eval.h"

struct ranked {
    double probability; /* -1: the first tier has no answer */
    size_t row;
};

static int least_sure_first(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->probability < y->probability) return -1;
    if (x->probability > y->probability) return 1;
    return (x->row > y->row) - (x->row < y->row);
}

static struct ranked *rank(const struct weir_eval_rows *first)
{
    struct ranked *all = mem_zero(first->count, sizeof *all);
    for (size_t i = 0; all && i < first->count; i++)
        all[i] = (struct ranked){first->predicted[i] < 0 ? -1 : first->probability[i], i};
    if (all) qsort(all, first->count, sizeof *all, least_sure_first);
    return all;
}

static size_t is_correct(const struct weir_eval_rows *rows, size_t row)
{
    return rows->predicted[row] >= 0 && rows->predicted[row] == rows->gold[row];
}

/* Everything is kept. */
static struct weir_eval_point first_point(const struct weir_eval_rows *first, const struct ranked *ranked)
{
    struct weir_eval_point point = {.threshold = 2};
    for (size_t i = 0; i < first->count; i++) point.correct += is_correct(first, i);
    point.kept = first->count;
    point.kept_wrong = first->count - point.correct;
    if (first->count) point.threshold = ranked[0].probability > 0 ? ranked[0].probability : 0;
    return point;
}

enum weir_status weir_eval_curve(const struct weir_eval_rows *first, const struct weir_eval_rows *second,
                                 const int64_t *cost_usd_e6, struct weir_eval_point *points, size_t n_points,
                                 struct weir_error *error)
{
    if (!first->probability || n_points < 2 || (second && second->count != first->count))
        return error_set(error, WEIR_ERR_INVALID,
                         "a curve needs probabilities, two points or more and tiers with the same rows");
    struct ranked *ranked = rank(first);
    if (!ranked) return error_nomem(error, "cost-accuracy curve");
    struct weir_eval_point at = first_point(first, ranked);
    size_t passed = 0;
    for (size_t i = 0; i < n_points; i++) {
        for (size_t wanted = first->count * i / (n_points - 1); passed < wanted; passed++) {
            size_t row = ranked[passed].row, was_right = is_correct(first, row);
            at.kept--;
            at.kept_wrong -= 1 - was_right;
            at.correct = at.correct - was_right + (second ? is_correct(second, row) : 0);
            if (cost_usd_e6) at.cost_usd_e6 += (double)cost_usd_e6[row];
        }
        at.threshold = passed >= first->count ? 2 : ranked[passed].probability > 0 ? ranked[passed].probability : 0;
        points[i] = at;
    }
    free(ranked);
    return WEIR_OK;
}
