/* What a cascade run adds up to: the object of --summary, with measures where rows are labelled. */
#ifndef WEIR_CLI_RUN_TALLY_H
#define WEIR_CLI_RUN_TALLY_H

#include <jansson.h>
#include <stdbool.h>

#include "tally.h"
#include "weir/cascade.h"

struct run_tally {
    const struct weir_question *question; /* the one that labels belong to */
    bool is_only_question;                /* its answer stands at the top level */
    const char *local_tier;               /* the first tier's name */
    size_t labelled, unknown_labels;
    struct series gold, predicted;                                /* of labelled rows and errors; -1: none */
    struct series local_gold, local_predicted, local_probability; /* of labelled rows that the first tier answered */
};

/* Reads the line of a row. False without memory. */
bool run_tally_add(struct run_tally *tally, const struct weir_row *row, const char *line, size_t size);

/* NULL without memory. */
json_t *run_tally_summary(const struct run_tally *tally, const struct weir_cascade_totals *totals,
                          int64_t budget_usd_e6, const struct weir_run_info *run, double seconds);
void run_tally_free(struct run_tally *tally);

#endif
