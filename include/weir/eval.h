/* Measures: how good answers are that are known to be right or wrong. Pure functions on arrays; all are thread-safe.
 *
 * Definitions (docs/eval.md has the formulas):
 *   accuracy   correct / rows; a row without an answer is wrong.
 *   interval   Clopper-Pearson, the exact binomial interval: at least `confidence`, whatever the true rate.
 *   macro F1   mean of the F1 of the classes that occur as gold label or as answer.
 *   ECE        top-label, 15 bins of equal width, over the rows with an answer.
 *   quantile   nearest rank: the smallest value with at least q * count values at or below it. */
#ifndef WEIR_EVAL_H
#define WEIR_EVAL_H

#include <stddef.h>
#include <stdint.h>

#include "weir/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { WEIR_EVAL_ECE_BINS = 15 };

/* Rows with a gold label, in any order. */
struct weir_eval_rows {
    size_t count;
    size_t n_classes;
    const int32_t *gold;      /* [count], 0..n_classes-1; -1, where predicted is -1 too: a row that could not be read */
    const int32_t *predicted; /* [count], 0..n_classes-1, or -1: no answer (an error row, an abstention) */
    const double *probability;   /* [count], of the predicted class, 0..1; not read where predicted is -1; NULL: none */
    const double *probabilities; /* [count, n_classes]; not read where predicted is -1; NULL: no Brier score, no NLL */
};

struct weir_eval_summary {
    size_t rows, answered, correct;
    double accuracy, accuracy_low, accuracy_high; /* 95 % interval; 0, 0, 1 without rows */
    double macro_f1;
    double ece;   /* 0 without probabilities or answers, as are the next two */
    double brier; /* mean over answered rows of sum_k (p_k - [k is gold])^2: 0..2 */
    double nll;   /* mean over answered rows of -ln p_gold, p_gold taken as at least 1e-15 */
};

struct weir_eval_class {
    size_t support;   /* rows with this gold label */
    size_t predicted; /* rows with this answer */
    size_t correct;
    double precision, recall, f1; /* 0 where the denominator is 0 */
};

/* `classes`: [n_classes], or NULL. WEIR_ERR_INVALID for a label or probability out of range; outputs are then untouched. */
WEIR_API enum weir_status weir_eval_measure(const struct weir_eval_rows *rows, struct weir_eval_summary *summary,
                                            struct weir_eval_class *classes, struct weir_error *error) WEIR_MUST_USE;

/* The exact two-sided interval for the rate behind `successes` of `trials`. 0..1 for no trials. 0 < confidence < 1. */
WEIR_API void weir_eval_interval(size_t successes, size_t trials, double confidence, double *low, double *high);

/* One-sided: the largest rate p for which `failures` or fewer of `trials` still has probability 1 - confidence. 1 for no trials. */
WEIR_API double weir_eval_upper_bound(size_t failures, size_t trials, double confidence);

/* Answering only the rows above a probability: the largest share of all rows that can be answered with at most `max_error` wrong among the
 * answered. Rows of equal probability stay together. A figure for reports: a threshold found on the same rows is no promise. */
struct weir_eval_coverage {
    double coverage;  /* answered / count */
    double threshold; /* answer at this probability and above; 2 when nothing is answered */
    size_t answered;
    size_t wrong; /* among the answered */
};
WEIR_API enum weir_status weir_eval_coverage(const struct weir_eval_rows *rows, double max_error,
                                             struct weir_eval_coverage *out, struct weir_error *error) WEIR_MUST_USE;

/* One bin of a reliability diagram: the answered rows whose probability lies in (low, high]; the first bin also holds 0. */
struct weir_eval_bin {
    double low, high;
    size_t count, correct;
    double mean_probability; /* 0 for no rows */
};

/* bins: [WEIR_EVAL_ECE_BINS]; their weighted gaps are the ECE. WEIR_ERR_INVALID as weir_eval_measure, or without probabilities. */
WEIR_API enum weir_status weir_eval_reliability(const struct weir_eval_rows *rows, struct weir_eval_bin *bins,
                                                struct weir_error *error) WEIR_MUST_USE;

/* Two ways to answer the same rows: which is more often right? */
struct weir_eval_paired {
    size_t rows;
    size_t first_only, second_only; /* rows that only one of them got right */
    double difference;              /* accuracy of the first minus that of the second */
    double low, high;               /* its 95 % interval: Tango's score interval for paired proportions (1998) */
    double p_value;                 /* two-sided exact McNemar test: how probable so uneven a split is by chance */
};

/* a, b: the same count, n_classes and gold labels, row by row. */
WEIR_API enum weir_status weir_eval_compare(const struct weir_eval_rows *a, const struct weir_eval_rows *b,
                                            struct weir_eval_paired *out, struct weir_error *error) WEIR_MUST_USE;

/* Independent labels (`multi`): every row has any number of them, and a probability for each. */
struct weir_eval_multi_rows {
    size_t count, n_labels;
    const uint8_t *gold;     /* [count, n_labels], 0 or 1 */
    const uint8_t *answered; /* [count], 0 or 1; NULL: all. The answer to the others is no label and wrong */
    const double *
        probabilities; /* [count, n_labels]; not read where a row is not answered. A label is in the answer from 1/2 on */
};

struct weir_eval_multi_summary {
    size_t rows, answered, right;                   /* right: rows whose set of labels is exactly the gold one */
    double exact, exact_low, exact_high;            /* right / rows and its 95 % interval */
    double micro_precision, micro_recall, micro_f1; /* over all labels of all rows together */
    double macro_f1;                                /* mean over the labels that occur as gold or in an answer */
    double
        ece; /* mean over the labels of sum_m n_m/n * |share with the label - mean probability|, 15 bins of its probability */
    double brier; /* mean over answered rows of sum_k (p_k - gold_k)^2 */
    double nll;   /* mean over answered rows of sum_k -ln of the probability of what is so, taken as at least 1e-15 */
};

/* classes: [n_labels], or NULL. WEIR_ERR_INVALID for a probability out of range. */
WEIR_API enum weir_status weir_eval_multi(const struct weir_eval_multi_rows *rows,
                                          struct weir_eval_multi_summary *summary, struct weir_eval_class *classes,
                                          struct weir_error *error) WEIR_MUST_USE;

/* A cascade of two tiers on the same rows, at one threshold: the rows below it are passed on to the second tier. */
struct weir_eval_point {
    double threshold;   /* of the first tier's probability: rows at or above it are kept; 2 when none is */
    size_t kept;        /* answered by the first tier */
    size_t kept_wrong;  /* of those: kept_wrong / kept over kept / count is the risk-coverage curve */
    size_t correct;     /* of all rows; without a second tier, of the kept ones */
    double cost_usd_e6; /* of all calls to the second tier */
};

/* The cost-accuracy curve: point i passes on the share i / (n_points - 1) of the rows, those of lowest probability first (rows that the first
 * tier did not answer before all others, equal ones in the order of the rows). first needs probabilities. second: the same count and
 * gold labels, or NULL: nobody answers what is passed on. cost_usd_e6: [count], of each row at the second tier; NULL: nothing.
 * points: [n_points], n_points at least 2. */
WEIR_API enum weir_status weir_eval_curve(const struct weir_eval_rows *first, const struct weir_eval_rows *second,
                                          const int64_t *cost_usd_e6, struct weir_eval_point *points, size_t n_points,
                                          struct weir_error *error) WEIR_MUST_USE;

/* Sorts values [count] in place and gives the q-quantile, 0 <= q <= 1; 0 for no values. */
WEIR_API double weir_eval_quantile(double *values, size_t count, double q);

/* The regularised incomplete beta function I_x(a, b); a, b > 0, 0 <= x <= 1. Relative error below 1e-11 for a, b
 * up to 1e4 and 1e-8 up to 1e6. */
WEIR_API double weir_eval_beta(double a, double b, double x);

#ifdef __cplusplus
}
#endif
#endif
