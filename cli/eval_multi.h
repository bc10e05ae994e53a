/* Labels that are independent of each other (`multi`) in the measures of `weir eval': an answer is right when its whole set of labels is. */
#ifndef WEIR_CLI_EVAL_MULTI_H
#define WEIR_CLI_EVAL_MULTI_H

#include "labelled.h"
#include "weir/eval.h"

/* Makes answers->predicted 0 where the labels of probability 1/2 and above are exactly the row's, 1 where they are not. */
void multi_settle(const struct labelled *rows, size_t n_labels, struct answers *answers);

/* The settled answers as rows of two classes, right (gold everywhere) and wrong: accuracy, intervals, comparison and coverage are those of
 * the whole set. */
struct weir_eval_rows multi_rows(const struct answers *answers, const struct labelled *rows);

/* Measures of the labels one by one. classes: [n_labels], or NULL. Complains; returns enum cli_exit. */
int multi_measure(const struct labelled *rows, size_t n_labels, const struct answers *answers,
                  struct weir_eval_multi_summary *out, struct weir_eval_class *classes);

/* Which labels most rows have, for every row: what needs no text. */
void multi_majority(const struct labelled *rows, size_t n_labels, struct answers *answers);

#endif
