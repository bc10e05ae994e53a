/* What the commands about the ledger share: which file, which rows, dates, money. */
#ifndef WEIR_CLI_LEDGER_H
#define WEIR_CLI_LEDGER_H

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/ledger_report.h"

struct ledger_args {
    const char *path; /* NULL: the default */
    struct weir_ledger_filter filter;
    char *task; /* owned: what filter.task points to */
};

/* --ledger; also -t; also --source, --run, --since, --until. Child parsers whose input is a struct ledger_args. */
extern const struct argp ledger_argp, ledger_task_argp, ledger_rows_argp;

void ledger_args_free(struct ledger_args *args);

/* "2026-11-23" or "2026-11-23T12:00:00Z" (UTC) to milliseconds; a usage error otherwise. */
int64_t ledger_time(struct argp_state *state, const char *text);

/* Complain; return enum cli_exit. A ledger that does not exist is not made. */
int ledger_open_reader(const struct ledger_args *args, struct weir_ledger_reader **reader);
int ledger_open_writer(const struct ledger_args *args, struct weir_ledger **ledger);

/* "$12.345678"; `out` is returned. */
const char *ledger_usd(int64_t usd_e6, char *out, size_t size);

/* The commands of `weir ledger`; argv[0] is "weir ledger NAME". */
int ledger_report_run(int argc, char **argv);
int ledger_show_run(int argc, char **argv);
int ledger_check_run(int argc, char **argv);
int ledger_forget_run(int argc, char **argv);
int ledger_retention_run(int argc, char **argv);
int ledger_reset_day_run(int argc, char **argv);

#endif
