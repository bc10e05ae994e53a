/* What `weir run` writes of a row: the contract of docs/cli.md. */
#ifndef WEIR_CLI_RUN_LINE_H
#define WEIR_CLI_RUN_LINE_H

#include "weir/cascade.h"

/* Allocated by malloc, without a newline; NULL without memory. */
char *run_line(const struct weir_task *task, const struct weir_cascade_row *row);

#endif
