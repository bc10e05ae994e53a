/* weir run --plan: what a run would probably do and cost, before anything is sent. */
#ifndef WEIR_CLI_RUN_PLAN_H
#define WEIR_CLI_RUN_PLAN_H

#include "source.h"
#include "weir/cascade.h"

/* Answers a sample of the rows locally with the cascade, which has no ledger, and prints a table of what follows for all of them.
 * Complains; returns enum cli_exit. */
int run_plan(struct weir_cascade *cascade, const struct weir_task *task, const struct source *source);

#endif
