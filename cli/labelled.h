/* Labelled rows of one question, read whole: what certify and eval work on. */
#ifndef WEIR_CLI_LABELLED_H
#define WEIR_CLI_LABELLED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parts.h"
#include "source.h"
#include "weir/classify.h"
#include "weir/eval.h"
#include "weir/input.h"

struct labelled {
    struct weir_rows rows;       /* all rows of the source */
    struct weir_string *texts;   /* [count]: of the rows that carry a label and can be read */
    int32_t *gold;               /* [count + errors], the last `errors` of them -1; 0 for a question with `multi` */
    uint8_t *sets;               /* `multi`: [count + errors, n_labels], which labels apply; else NULL */
    size_t count;                /* rows kept */
    size_t errors;               /* rows that cannot be read */
    size_t unlabelled, left_out; /* without a label; left out by `keeps` */
};

/* Reads the source. Complains; returns enum cli_exit. */
int labelled_read(struct labelled *labelled, const struct source *source);

/* Sorts the rows read: a label that the question does not have is refused with its line; an unreadable row is told once and counted.
 * keeps: NULL, or says which texts stay. */
int labelled_gather(struct labelled *labelled, const struct weir_question *question,
                    bool (*keeps)(const void *context, struct weir_string text), const void *context);
void labelled_free(struct labelled *labelled);

/* One way to answer the kept rows, and behind them the unreadable ones without an answer. */
struct answers {
    int32_t *predicted;    /* [count + errors]; -1: no answer */
    double *probability;   /* [count + errors] */
    double *probabilities; /* [count + errors, n_labels] */
    double *latency_ms;    /* [count] */
    size_t n_latencies;    /* answered rows, whose latencies stand first */
};

int answers_open(struct answers *answers, const struct labelled *labelled, size_t n_labels);
void answers_free(struct answers *answers);

/* Answers rows [first, first + count) of question `index` of the task, of n_labels labels. */
int answers_decide(struct answers *answers, const struct labelled *labelled, struct weir_classifier *classifier,
                   const struct weir_task *task, size_t index, size_t first, size_t count);

/* As the measures take them; with_errors: the unreadable rows too, as wrong. */
struct weir_eval_rows answers_rows(const struct answers *answers, const struct labelled *labelled, size_t n_labels,
                                   bool with_errors);

#endif
