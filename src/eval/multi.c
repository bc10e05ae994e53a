/* Measures of independent labels. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "eval/bins.h"
#include "weir/eval.h"

/* Probabilities of one label in bins of equal width. */
struct bins {
    double probability[WEIR_EVAL_ECE_BINS], gold[WEIR_EVAL_ECE_BINS]; /* sums */
};

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static bool is_answered(const struct weir_eval_multi_rows *rows, size_t row)
{
    return !rows->answered || rows->answered[row];
}

static enum weir_status check(const struct weir_eval_multi_rows *rows, struct weir_error *error)
{
    for (size_t i = 0; i < rows->count * rows->n_labels; i++) {
        if (!is_answered(rows, i / rows->n_labels)) continue;
        double p = rows->probabilities[i];
        if (!(p >= 0 && p <= 1 + 1e-9))
            return error_set(error, WEIR_ERR_INVALID, "row %zu, label %zu: probability %g", i / rows->n_labels,
                             i % rows->n_labels, p);
    }
    return WEIR_OK;
}

/* One row into the sums of *s and of its labels. Returns whether its set is right. */
static bool add_row(const struct weir_eval_multi_rows *rows, size_t row, struct weir_eval_class *classes,
                    struct bins *bins, struct weir_eval_multi_summary *s)
{
    bool answered = is_answered(rows, row), is_right = answered;
    for (size_t k = 0; k < rows->n_labels; k++) {
        bool gold = rows->gold[row * rows->n_labels + k] != 0;
        classes[k].support += gold;
        if (!answered) continue;
        double p = rows->probabilities[row * rows->n_labels + k], so = gold ? p : 1 - p;
        bool predicted = p >= 0.5;
        classes[k].predicted += predicted;
        classes[k].correct += predicted && gold;
        is_right = is_right && predicted == gold;
        bins[k].probability[ece_bin(p)] += p;
        bins[k].gold[ece_bin(p)] += gold;
        s->brier += (1 - so) * (1 - so);
        s->nll -= log(so > 1e-15 ? so : 1e-15);
    }
    s->answered += answered;
    return is_right;
}

static void finish_classes(const struct weir_eval_multi_rows *rows, struct weir_eval_class *classes,
                           const struct bins *bins, struct weir_eval_multi_summary *s)
{
    double support = 0, predicted = 0, correct = 0;
    size_t present = 0;
    for (size_t k = 0; k < rows->n_labels; k++) {
        struct weir_eval_class *c = &classes[k];
        c->precision = ratio((double)c->correct, (double)c->predicted);
        c->recall = ratio((double)c->correct, (double)c->support);
        c->f1 = ratio(2 * (double)c->correct, (double)(c->support + c->predicted));
        if (c->support || c->predicted) present++;
        s->macro_f1 += c->f1;
        support += (double)c->support;
        predicted += (double)c->predicted;
        correct += (double)c->correct;
        for (size_t m = 0; m < WEIR_EVAL_ECE_BINS; m++) s->ece += fabs(bins[k].gold[m] - bins[k].probability[m]);
    }
    s->macro_f1 = ratio(s->macro_f1, (double)present);
    s->micro_precision = ratio(correct, predicted);
    s->micro_recall = ratio(correct, support);
    s->micro_f1 = ratio(2 * correct, support + predicted);
    s->ece = ratio(s->ece, (double)s->answered * (double)rows->n_labels);
}

enum weir_status weir_eval_multi(const struct weir_eval_multi_rows *rows, struct weir_eval_multi_summary *summary,
                                 struct weir_eval_class *classes, struct weir_error *error)
{
    enum weir_status status = check(rows, error);
    if (status) return status;
    struct weir_eval_class *counted = mem_zero(rows->n_labels, sizeof *counted);
    struct bins *bins = mem_zero(rows->n_labels, sizeof *bins);
    struct weir_eval_multi_summary s = {.rows = rows->count};
    if (!counted || !bins) status = error_nomem(error, "label counts");
    for (size_t row = 0; !status && row < rows->count; row++) s.right += add_row(rows, row, counted, bins, &s);
    if (!status) {
        finish_classes(rows, counted, bins, &s);
        s.brier = ratio(s.brier, (double)s.answered);
        s.nll = ratio(s.nll, (double)s.answered);
        s.exact = ratio((double)s.right, (double)s.rows);
        weir_eval_interval(s.right, s.rows, 0.95, &s.exact_low, &s.exact_high);
        for (size_t k = 0; classes && k < rows->n_labels; k++) classes[k] = counted[k];
        *summary = s;
    }
    free(counted);
    free(bins);
    return status;
}
