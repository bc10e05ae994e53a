/* weir tune for a question of type extract. */
#ifndef WEIR_CLI_TUNE_EXTRACT_H
#define WEIR_CLI_TUNE_EXTRACT_H

#include "parts.h"
#include "weir/input.h"
#include "weir/tune.h"

/* Learns the profile from rows whose labels are JSON. Complains; returns enum cli_exit; *profile is the caller's to close, also after a failure. */
int tune_extract(const struct parts *parts, size_t question, const struct weir_rows *rows,
                 const struct weir_tune_options *options, struct weir_profile **profile);

/* What it learned, as a table. */
int tune_extract_print(const struct weir_profile *profile);

#endif
