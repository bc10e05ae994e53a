/* weir ledger forget, retention and reset-day: what changes the ledger. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "ledger.h"

enum { KEY_BEFORE = 896, KEY_BODIES, KEY_ROWS, DAYS_MAX = 36500 };

struct arguments {
    struct ledger_args ledger;
    struct weir_forget what;
    long rows_days, bodies_days; /* of retention; -1: not given */
};

/* ---- forget -------------------------------------------------------------------------------------------------------- */

static const struct argp_option forget_options[] = {
    {"before", KEY_BEFORE, "TIME", 0, "Rows recorded before this time: 2026-11-23 or 2026-11-23T12:00:00Z, in UTC", 0},
    {"bodies", KEY_BODIES, 0, 0, "Only texts: decisions stay", 0},
    {0}};

static error_t parse_forget(int key, char *text, struct argp_state *state)
{
    struct arguments *args = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &args->ledger;
        return 0;
    case KEY_BEFORE:
        args->what.before_ms = ledger_time(state, text);
        return 0;
    case KEY_BODIES:
        args->what.only_bodies = true;
        return 0;
    case ARGP_KEY_ARG:
        if (args->what.id) argp_error(state, "one id, not several");
        args->what.id = text;
        return 0;
    case ARGP_KEY_END:
        if (!args->what.id && !args->what.before_ms && !args->ledger.filter.task)
            argp_error(state, "nothing to forget: give an id, --task or --before");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child rows_children[] = {{&ledger_task_argp, 0, NULL, 0}, {0}};
static const struct argp forget_parser = {
    .options = forget_options,
    .parser = parse_forget,
    .args_doc = "[ID]",
    .children = rows_children,
    .doc = "Removes the rows of this id, task or time (all that are given must hold), with everything that is known of "
           "them, and "
           "overwrites their bytes. What paid calls cost stays, without a link to the row: budgets count it."};

static int print_forgotten(const struct weir_forgotten *forgotten, bool only_bodies)
{
    (void)printf(only_bodies ? "Forgot the texts of %zu rows.\n" : "Forgot %zu rows.\n", forgotten->rows);
    if (!forgotten->is_wiped)
        return cli_say(CLI_FAILED,
                       "another program is reading the ledger: the bytes are still in its log; run this again "
                       "when that program is done");
    return cli_flush();
}

int ledger_forget_run(int argc, char **argv)
{
    struct arguments args = {0};
    struct weir_ledger *ledger = NULL;
    struct weir_error error = {0};
    struct weir_forgotten forgotten = {0};
    if (!cli_parse(&forget_parser, argc, argv, &args)) return CLI_FAILED;
    args.what.task = args.ledger.filter.task;
    int status = ledger_open_writer(&args.ledger, &ledger);
    if (!status && weir_ledger_forget(ledger, &args.what, &forgotten, &error)) status = cli_fail(&error);
    weir_ledger_close(&ledger);
    if (!status) status = print_forgotten(&forgotten, args.what.only_bodies);
    ledger_args_free(&args.ledger);
    return status;
}

/* ---- retention ----------------------------------------------------------------------------------------------------- */

static const struct argp_option retention_options[] = {
    {"rows", KEY_ROWS, "DAYS", 0, "Rows are forgotten after so many days; 0: never", 0},
    {"bodies", KEY_BODIES, "DAYS", 0, "... their texts; 0: never", 0},
    {0}};

static long days_option(struct argp_state *state, const char *text)
{
    long days = 0;
    if (!cli_number(text, 0, DAYS_MAX, &days))
        argp_error(state, "'%s' is not a number of days from 0 to %d", text, DAYS_MAX);
    return days;
}

static error_t parse_retention(int key, char *text, struct argp_state *state)
{
    struct arguments *args = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &args->ledger;
        return 0;
    case KEY_ROWS:
        args->rows_days = days_option(state, text);
        return 0;
    case KEY_BODIES:
        args->bodies_days = days_option(state, text);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child file_children[] = {{&ledger_argp, 0, NULL, 0}, {0}};
static const struct argp retention_parser = {.options = retention_options,
                                             .parser = parse_retention,
                                             .children = file_children,
                                             .doc = "Sets how long rows and their texts are kept; applied at once, and "
                                                    "whenever the ledger is opened for writing. Without "
                                                    "options: prints what is set."};

static int read_retention(const struct ledger_args *args, struct weir_retention *retention)
{
    struct weir_ledger_reader *reader = NULL;
    struct weir_error error = {0};
    int status = ledger_open_reader(args, &reader);
    if (!status && weir_ledger_retention(reader, retention, &error)) status = cli_fail(&error);
    weir_ledger_reader_close(&reader);
    return status;
}

static void print_days(const char *what, uint32_t days)
{
    if (days)
        (void)printf("%s are kept for %" PRIu32 " days.\n", what, days);
    else
        (void)printf("%s are kept for ever.\n", what);
}

int ledger_retention_run(int argc, char **argv)
{
    struct arguments args = {.rows_days = -1, .bodies_days = -1};
    struct weir_ledger *ledger = NULL;
    struct weir_error error = {0};
    struct weir_retention retention = {0};
    if (!cli_parse(&retention_parser, argc, argv, &args)) return CLI_FAILED;
    int status = read_retention(&args.ledger, &retention);
    bool is_set = args.rows_days >= 0 || args.bodies_days >= 0;
    if (args.rows_days >= 0) retention.rows_days = (uint32_t)args.rows_days;
    if (args.bodies_days >= 0) retention.bodies_days = (uint32_t)args.bodies_days;
    if (!status && is_set) status = ledger_open_writer(&args.ledger, &ledger);
    if (!status && is_set && weir_ledger_retain(ledger, retention, &error)) status = cli_fail(&error);
    weir_ledger_close(&ledger);
    ledger_args_free(&args.ledger);
    if (status) return status;
    print_days("Rows", retention.rows_days);
    print_days("Texts", retention.bodies_days);
    return cli_flush();
}

/* ---- reset-day ----------------------------------------------------------------------------------------------------- */

/* argp fixes the signature. NOLINTNEXTLINE(readability-non-const-parameter) */
static error_t parse_reset(int key, char *text, struct argp_state *state)
{
    (void)text;
    if (key != ARGP_KEY_INIT) return ARGP_ERR_UNKNOWN;
    state->child_inputs[0] = state->input;
    return 0;
}

static const struct argp reset_parser = {.parser = parse_reset,
                                         .children = file_children,
                                         .doc = "After the clock was ahead: calls booked on days to come move to "
                                                "today, where the day's budget counts them. Only "
                                                "when the clock is right."};

int ledger_reset_day_run(int argc, char **argv)
{
    struct ledger_args args = {0};
    struct weir_ledger *ledger = NULL;
    struct weir_error error = {0};
    size_t calls = 0;
    if (!cli_parse(&reset_parser, argc, argv, &args)) return CLI_FAILED;
    int status = ledger_open_writer(&args, &ledger);
    if (!status && weir_ledger_reset_day(ledger, &calls, &error)) status = cli_fail(&error);
    weir_ledger_close(&ledger);
    ledger_args_free(&args);
    if (status) return status;
    (void)printf("Moved %zu calls of days to come to today.\n", calls);
    return cli_flush();
}
