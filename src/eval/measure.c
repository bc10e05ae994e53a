/* Accuracy, F1 per class, calibration error and proper scores. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "eval/bins.h"
#include "weir/eval.h"

static bool is_probability(double p)
{
    return p >= 0 && p <= 1 + 1e-9; /* false for NaN; sums of rounded terms may pass 1 by a little */
}

static enum weir_status rows_check(const struct weir_eval_rows *rows, struct weir_error *error)
{
    for (size_t i = 0; i < rows->count; i++) {
        int32_t gold = rows->gold[i], predicted = rows->predicted[i];
        if (gold == -1 && predicted == -1) continue;
        if (gold < 0 || (size_t)gold >= rows->n_classes)
            return error_set(error, WEIR_ERR_INVALID, "row %zu: gold class %d of %zu", i, (int)gold, rows->n_classes);
        if (predicted < -1 || (predicted >= 0 && (size_t)predicted >= rows->n_classes))
            return error_set(error, WEIR_ERR_INVALID, "row %zu: answer %d of %zu", i, (int)predicted, rows->n_classes);
        if (predicted < 0) continue;
        if (rows->probability && !is_probability(rows->probability[i]))
            return error_set(error, WEIR_ERR_INVALID, "row %zu: probability %g", i, rows->probability[i]);
        for (size_t k = 0; rows->probabilities && k < rows->n_classes; k++) {
            double p = rows->probabilities[i * rows->n_classes + k];
            if (!is_probability(p)) return error_set(error, WEIR_ERR_INVALID, "row %zu: probability %g", i, p);
        }
    }
    return WEIR_OK;
}

static double ratio(size_t part, size_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

static void classes_count(const struct weir_eval_rows *rows, struct weir_eval_class *classes)
{
    for (size_t k = 0; k < rows->n_classes; k++) classes[k] = (struct weir_eval_class){0};
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->gold[i] >= 0) classes[rows->gold[i]].support++;
        if (rows->predicted[i] < 0) continue;
        classes[rows->predicted[i]].predicted++;
        if (rows->predicted[i] == rows->gold[i]) classes[rows->gold[i]].correct++;
    }
    for (size_t k = 0; k < rows->n_classes; k++) {
        struct weir_eval_class *c = &classes[k];
        c->precision = ratio(c->correct, c->predicted);
        c->recall = ratio(c->correct, c->support);
        c->f1 = ratio(2 * c->correct, c->support + c->predicted);
    }
}

static double macro_f1(const struct weir_eval_class *classes, size_t n_classes)
{
    double sum = 0;
    size_t present = 0;
    for (size_t k = 0; k < n_classes; k++) {
        if (!classes[k].support && !classes[k].predicted) continue;
        sum += classes[k].f1;
        present++;
    }
    return present ? sum / (double)present : 0;
}

static void fill_bins(const struct weir_eval_rows *rows, struct weir_eval_bin *bins)
{
    for (size_t m = 0; m < WEIR_EVAL_ECE_BINS; m++)
        bins[m] = (struct weir_eval_bin){.low = (double)m / (double)WEIR_EVAL_ECE_BINS,
                                         .high = (double)(m + 1) / (double)WEIR_EVAL_ECE_BINS};
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->predicted[i] < 0) continue;
        struct weir_eval_bin *bin = &bins[ece_bin(rows->probability[i])];
        bin->count++;
        bin->correct += rows->predicted[i] == rows->gold[i];
        bin->mean_probability += rows->probability[i]; /* a sum until the end */
    }
}

/* sum_m n_m / n * |accuracy_m - mean probability_m| = sum_m |correct_m - sum of probabilities_m| / n */
static double ece(const struct weir_eval_rows *rows, size_t answered)
{
    struct weir_eval_bin bins[WEIR_EVAL_ECE_BINS];
    if (!rows->probability || !answered) return 0;
    fill_bins(rows, bins);
    double sum = 0;
    for (size_t m = 0; m < WEIR_EVAL_ECE_BINS; m++) sum += fabs((double)bins[m].correct - bins[m].mean_probability);
    return sum / (double)answered;
}

enum weir_status weir_eval_reliability(const struct weir_eval_rows *rows, struct weir_eval_bin *bins,
                                       struct weir_error *error)
{
    if (!rows->probability) return error_set(error, WEIR_ERR_INVALID, "a reliability diagram needs probabilities");
    enum weir_status status = rows_check(rows, error);
    if (status) return status;
    fill_bins(rows, bins);
    for (size_t m = 0; m < WEIR_EVAL_ECE_BINS; m++)
        bins[m].mean_probability /= bins[m].count ? (double)bins[m].count : 1;
    return WEIR_OK;
}

static void proper_scores(const struct weir_eval_rows *rows, struct weir_eval_summary *s)
{
    if (!rows->probabilities || !s->answered) return;
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->predicted[i] < 0) continue;
        const double *p = &rows->probabilities[i * rows->n_classes];
        size_t gold = (size_t)rows->gold[i];
        for (size_t k = 0; k < rows->n_classes; k++) {
            double miss = p[k] - (k == gold ? 1 : 0);
            s->brier += miss * miss;
        }
        s->nll -= log(p[gold] > 1e-15 ? p[gold] : 1e-15);
    }
    s->brier /= (double)s->answered;
    s->nll /= (double)s->answered;
}

enum weir_status weir_eval_measure(const struct weir_eval_rows *rows, struct weir_eval_summary *summary,
                                   struct weir_eval_class *classes, struct weir_error *error)
{
    enum weir_status status = rows_check(rows, error);
    if (status) return status;
    struct weir_eval_class *counted = mem_zero(rows->n_classes, sizeof *counted);
    if (!counted) return error_nomem(error, "class counts");
    classes_count(rows, counted);
    struct weir_eval_summary s = {.rows = rows->count};
    for (size_t k = 0; k < rows->n_classes; k++) {
        s.answered += counted[k].predicted;
        s.correct += counted[k].correct;
        if (classes) classes[k] = counted[k];
    }
    s.accuracy = ratio(s.correct, s.rows);
    weir_eval_interval(s.correct, s.rows, 0.95, &s.accuracy_low, &s.accuracy_high);
    s.macro_f1 = macro_f1(counted, rows->n_classes);
    s.ece = ece(rows, s.answered);
    proper_scores(rows, &s);
    free(counted);
    *summary = s;
    return WEIR_OK;
}
