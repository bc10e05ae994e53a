/* What a run of classify adds up to: the objects of --summary and --details. */
#ifndef WEIR_CLI_TALLY_H
#define WEIR_CLI_TALLY_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "parts.h"
#include "weir/classify.h"
#include "weir/input.h"

/* A growing list of doubles; zeroed is empty. */
struct series {
    double *values; /* owned */
    size_t count, capacity;
};

bool series_add(struct series *series, double value);  /* false without memory */
int32_t *series_integers(const struct series *series); /* a copy, freed by the caller; NULL without memory */

struct tally {
    const struct weir_question *question; /* the one that labels belong to */
    size_t question_index;
    size_t questions; /* of the task */
    const struct acceptance *acceptance;
    size_t rows, errors, labelled;
    size_t accepted, accepted_labelled,
        accepted_wrong; /* answers of that question that were accepted; wrong: of the labelled */
    char first_error[WEIR_INPUT_ROW_ERROR_MAX + 64];
    size_t unknown_labels;   /* labelled rows whose label the question does not have */
    char first_unknown[160]; /* what is wrong with the first of them */
    size_t first_unknown_line;
    struct series gold, predicted,
        probability;                   /* of labelled rows, and of all error rows; -1: none. `multi`: predicted only */
    struct series sets, probabilities; /* `multi`: [those rows, n_labels] */
    struct series latency_ms;          /* of answered rows */
    double fresh_tokens, prefix_tokens, text_bytes; /* sums over answered rows */
};

/* False without memory. `decisions` as in answer_json. */
bool tally_add(struct tally *tally, const struct weir_row *row, const struct weir_decision *decisions);

/* The summary of rows that took `seconds`. NULL without memory. Measures are there when a row carried a label. */
json_t *tally_summary(struct tally *tally, double seconds);

/* The same, and what `weir report` and benchmarks want to know beside it. */
json_t *tally_details(struct tally *tally, double seconds);
void tally_free(struct tally *tally);

#endif
