/* weir eval for a question of type extract: fields against the right ones. */
#ifndef WEIR_CLI_EVAL_EXTRACT_H
#define WEIR_CLI_EVAL_EXTRACT_H

#include "parts.h"
#include "weir/input.h"

/* The labels of `rows` are the right objects; rows without one are left alone. json: where to write the figures ("-": instead of the tables), or NULL. Complains; returns
 * enum cli_exit. */
int eval_extract(const struct parts *parts, size_t question, const struct weir_rows *rows, const char *json,
                 bool is_quiet);

#endif
