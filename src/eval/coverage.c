/* Order statistics: coverage at a given error, quantiles. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "weir/eval.h"

struct answer {
    double probability;
    bool is_wrong;
};

static int by_probability_falling(const void *a, const void *b)
{
    double x = ((const struct answer *)a)->probability, y = ((const struct answer *)b)->probability;
    return (x < y) - (x > y);
}

/* The answered rows, most probable first. */
static size_t answers_sorted(const struct weir_eval_rows *rows, struct answer *answers)
{
    size_t count = 0;
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->predicted[i] < 0) continue;
        answers[count++] = (struct answer){rows->probability[i], rows->predicted[i] != rows->gold[i]};
    }
    qsort(answers, count, sizeof *answers, by_probability_falling);
    return count;
}

enum weir_status weir_eval_coverage(const struct weir_eval_rows *rows, double max_error, struct weir_eval_coverage *out,
                                    struct weir_error *error)
{
    if (!rows->probability) return error_set(error, WEIR_ERR_INVALID, "coverage needs probabilities");
    struct answer *answers = mem_zero(rows->count, sizeof *answers);
    if (!answers) return error_nomem(error, "coverage");
    size_t count = answers_sorted(rows, answers), wrong = 0;
    struct weir_eval_coverage best = {.threshold = 2};
    for (size_t i = 0; i < count; i++) {
        wrong += answers[i].is_wrong;
        bool is_tied = i + 1 < count && answers[i + 1].probability >= answers[i].probability;
        if (is_tied || (double)wrong > max_error * (double)(i + 1)) continue;
        best = (struct weir_eval_coverage){(double)(i + 1) / (double)rows->count, answers[i].probability, i + 1, wrong};
    }
    free(answers);
    *out = best;
    return WEIR_OK;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double weir_eval_quantile(double *values, size_t count, double q)
{
    if (!count) return 0;
    qsort(values, count, sizeof *values, by_value);
    double rank = ceil(q * (double)count);
    size_t index = rank < 1 ? 0 : (size_t)rank - 1;
    return values[index < count ? index : count - 1];
}
