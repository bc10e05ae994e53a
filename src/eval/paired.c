/* Two ways to answer the same rows. */
#include <math.h>
#include <stdbool.h>

#include "base/error.h"
#include "weir/eval.h"

static const double Z95 = 1.959963984540054; /* the normal distribution's 97.5 % quantile */

/* Counts of a paired table: only the first right, only the second right, rows. */
struct pairs {
    double b, c, n;
};

/* Tango (1998), Statistics in Medicine 17, 891-908, eq. 9: the score statistic of "the difference is d". The variance is taken at the
 * maximum-likelihood estimate under that hypothesis, the positive root of 2n q^2 + B q + C. */
static double score(const struct pairs *p, double d)
{
    double quadratic_b = -p->b - p->c + (2 * p->n - p->b + p->c) * d, quadratic_c = -p->c * d * (1 - d);
    double inside = quadratic_b * quadratic_b - 8 * p->n * quadratic_c;
    double q = (sqrt(inside > 0 ? inside : 0) - quadratic_b) / (4 * p->n);
    double variance = p->n * (2 * q + d * (1 - d)), distance = p->b - p->c - p->n * d;
    if (variance <= 0) return distance > 0 ? INFINITY : distance < 0 ? -INFINITY : 0;
    return distance / sqrt(variance);
}

/* The d in [low, high] where the falling score is `target`. */
static double solve(const struct pairs *p, double low, double high, double target)
{
    for (int i = 0; i < 100; i++) {
        double middle = 0.5 * (low + high);
        if (score(p, middle) > target)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

/* Two-sided exact test of "the discordant rows fall either way with probability 1/2". */
static double mcnemar(size_t b, size_t c)
{
    size_t fewer = b < c ? b : c, all = b + c;
    if (fewer == all - fewer) return 1;
    double tail = weir_eval_beta((double)(all - fewer), (double)fewer + 1, 0.5); /* P(Bin(all, 1/2) <= fewer) */
    return 2 * tail < 1 ? 2 * tail : 1;
}

static enum weir_status check(const struct weir_eval_rows *a, const struct weir_eval_rows *b, struct weir_error *error)
{
    if (a->count != b->count || a->n_classes != b->n_classes)
        return error_set(error, WEIR_ERR_INVALID, "%zu rows of %zu classes against %zu rows of %zu", a->count,
                         a->n_classes, b->count, b->n_classes);
    for (size_t i = 0; i < a->count; i++)
        if (a->gold[i] != b->gold[i])
            return error_set(error, WEIR_ERR_INVALID, "row %zu: gold class %d against %d", i, (int)a->gold[i],
                             (int)b->gold[i]);
    return WEIR_OK;
}

static bool is_right(const struct weir_eval_rows *rows, size_t i)
{
    return rows->predicted[i] >= 0 && rows->predicted[i] == rows->gold[i];
}

enum weir_status weir_eval_compare(const struct weir_eval_rows *a, const struct weir_eval_rows *b,
                                   struct weir_eval_paired *out, struct weir_error *error)
{
    struct weir_eval_summary summary;
    enum weir_status status = check(a, b, error);
    if (!status) status = weir_eval_measure(a, &summary, NULL, error);
    if (!status) status = weir_eval_measure(b, &summary, NULL, error);
    if (status) return status;
    struct weir_eval_paired found = {.rows = a->count, .low = -1, .high = 1, .p_value = 1};
    for (size_t i = 0; i < a->count; i++) {
        found.first_only += is_right(a, i) && !is_right(b, i);
        found.second_only += is_right(b, i) && !is_right(a, i);
    }
    if (found.rows) {
        struct pairs p = {(double)found.first_only, (double)found.second_only, (double)found.rows};
        found.difference = (p.b - p.c) / p.n;
        found.low = solve(&p, -1, found.difference, Z95);
        found.high = solve(&p, found.difference, 1, -Z95);
        found.p_value = mcnemar(found.first_only, found.second_only);
    }
    *out = found;
    return WEIR_OK;
}
