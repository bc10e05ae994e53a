/* One row's answer as one JSON object: the contract of docs/cli.md. */
#ifndef WEIR_CLI_ANSWER_H
#define WEIR_CLI_ANSWER_H

#include <jansson.h>

#include "parts.h"
#include "weir/classify.h"
#include "weir/input.h"

/* `decisions`: one for each question of the task; not read when row->status is not WEIR_OK. NULL without memory. */
json_t *answer_json(const struct parts *parts, const struct weir_row *row, const struct weir_decision *decisions);

/* NULL when the row has an answer to every question; otherwise the reason, and its status in *status. */
const char *answer_problem(const struct weir_row *row, const struct weir_decision *decisions, size_t questions,
                           enum weir_status *status);

#endif
