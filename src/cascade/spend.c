/* What a limited budget buys: the rows where asking the next tier is worth most for its price.
 *
 *   maximise   sum of worth_i over the chosen rows      subject to   sum of cost_i <= budget
 *
 * is the knapsack problem; taking rows by worth_i / cost_i until one no longer fits solves its relaxation, and falls short of the
 * best choice by less than the worth of that one row (Dantzig, Discrete-Variable Extremum Problems, Operations Research 5, 1957). */
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "weir/gate.h"

struct offer {
    double rate; /* worth a micro-dollar; HUGE_VAL for what costs nothing */
    size_t index;
};

static int by_rate_falling(const void *a, const void *b)
{
    const struct offer *x = a, *y = b;
    if (x->rate != y->rate) return (x->rate < y->rate) - (x->rate > y->rate);
    return (x->index > y->index) - (x->index < y->index);
}

static double rate_of(double worth, int64_t cost_usd_e6)
{
    if (cost_usd_e6 > 0) return worth / (double)cost_usd_e6;
    return worth >= 0 ? HUGE_VAL : -HUGE_VAL;
}

/* Every row after the first that does not fit is left out, also a cheaper one: what is bought is then what is above a threshold. */
static struct weir_spending buy(const struct offer *offers, const double *worth, const int64_t *cost, size_t count,
                                int64_t budget)
{
    struct weir_spending spending = {0};
    for (; spending.rows < count; spending.rows++) {
        size_t row = offers[spending.rows].index;
        if (cost[row] > budget - spending.usd_e6) break;
        spending.usd_e6 += cost[row];
        spending.gain += worth[row];
    }
    if (spending.rows < count) spending.threshold = spending.rows ? offers[spending.rows - 1].rate : HUGE_VAL;
    return spending;
}

enum weir_status weir_gate_spend(const double *worth, const int64_t *cost_usd_e6, size_t count, int64_t budget_usd_e6,
                                 size_t *order, struct weir_spending *out, struct weir_error *error)
{
    struct offer *offers = mem_zero(count, sizeof *offers);
    if (!offers) return error_nomem(error, "spending plan");
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(worth[i]) || cost_usd_e6[i] < 0) {
            free(offers);
            return error_set(error, WEIR_ERR_INVALID, "weir_gate_spend: row %zu has worth %g and cost %lld", i,
                             worth[i], (long long)cost_usd_e6[i]);
        }
        offers[i] = (struct offer){rate_of(worth[i], cost_usd_e6[i]), i};
    }
    qsort(offers, count, sizeof *offers, by_rate_falling);
    for (size_t i = 0; i < count; i++) order[i] = offers[i].index;
    *out = buy(offers, worth, cost_usd_e6, count, budget_usd_e6 > 0 ? budget_usd_e6 : 0);
    free(offers);
    return WEIR_OK;
}
