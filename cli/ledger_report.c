/* weir ledger report: counts, cost, savings and latency, as tables, JSON or CSV. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "ledger.h"
#include "table.h"

enum { KEY_CSV = 896, KEY_BY, CELL = 64 };

static const struct argp_option options[] = {{"json", 'J', 0, 0, "Print one JSON object", 0},
                                             {"csv", KEY_CSV, 0, 0, "Print CSV, one line a day, class and tier", 0},
                                             {"by", KEY_BY, "WHAT", 0, "Only the table by day, class or tier", 0},
                                             {0}};

static const char *const groupings[] = {"day", "class", "tier"};
static const char *const members[] = {"by_day", "by_class", "by_tier"};
enum { GROUPINGS = 3 };

struct arguments {
    struct ledger_args ledger;
    bool json, csv;
    int by; /* index into groupings; -1: all */
};

static void by_option(struct argp_state *state, const char *text, struct arguments *args)
{
    for (int i = 0; i < GROUPINGS; i++)
        if (strcmp(text, groupings[i]) == 0) args->by = i;
    if (args->by < 0) argp_error(state, "--by is day, class or tier, found '%s'", text);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *args = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &args->ledger;
        return 0;
    case 'J':
        args->json = true;
        return 0;
    case KEY_CSV:
        args->csv = true;
        return 0;
    case KEY_BY:
        by_option(state, text, args);
        return 0;
    case ARGP_KEY_END:
        if (args->json && args->csv) argp_error(state, "--json or --csv, not both");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&ledger_rows_argp, 0, "Which rows:", 1}, {0}};
static const struct argp parser = {
    .options = options,
    .parser = parse,
    .children = children,
    .doc = "Prints what was decided by day, by class and by tier: how many rows were answered locally and escalated, "
           "abstained, "
           "put off and failed, what they cost, what was saved against sending every row to the frontier, and the "
           "latency; then how the paid calls ended and what is reserved and spent."};

/* ---- tables -------------------------------------------------------------------------------------------------------- */

static int64_t count_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static const char *ms_cell(const json_t *group, const char *key, char out[CELL])
{
    const json_t *value = json_object_get(group, key);
    (void)snprintf(out, CELL, "-");
    if (json_is_number(value)) (void)snprintf(out, CELL, "%.1f ms", json_number_value(value));
    return out;
}

static const char *usd_cell(const json_t *group, const char *key, char out[CELL])
{
    const json_t *value = json_object_get(group, key);
    (void)snprintf(out, CELL, "-");
    return json_is_integer(value) ? ledger_usd(json_integer_value(value), out, CELL) : out;
}

/* A class of a ledger with several questions is told with its question. */
static const char *name_cell(const json_t *group, bool has_questions, char out[2 * CELL])
{
    const json_t *name = json_object_get(group, "name");
    const char *text = json_is_string(name) && *json_string_value(name) ? json_string_value(name) : "(none)";
    (void)snprintf(out, (size_t)2 * CELL, "%s%s%s", has_questions ? text_of(group, "question") : "",
                   has_questions ? ": " : "", text);
    return out;
}

static const char *const counts[] = {"rows", "local", "escalated", "abstained", "queued", "errors"};
enum { COUNTS = sizeof counts / sizeof counts[0], COLUMNS = COUNTS + 5 };

static void add_group(struct table *table, const json_t *group, const char *name)
{
    char text[COLUMNS][CELL];
    const char *cells[COLUMNS] = {name};
    for (size_t i = 0; i < COUNTS; i++) {
        (void)snprintf(text[i], CELL, "%" PRId64, count_of(group, counts[i]));
        cells[i + 1] = text[i];
    }
    cells[COUNTS + 1] = usd_cell(group, "cost_usd_e6", text[COUNTS]);
    cells[COUNTS + 2] = usd_cell(group, "saved_usd_e6", text[COUNTS + 1]);
    cells[COUNTS + 3] = ms_cell(group, "p50_ms", text[COUNTS + 2]);
    cells[COUNTS + 4] = ms_cell(group, "p99_ms", text[COUNTS + 3]);
    table_add(table, cells);
}

static bool has_several_questions(const json_t *groups)
{
    size_t count = json_array_size(groups);
    for (size_t i = 1; i < count; i++)
        if (strcmp(text_of(json_array_get(groups, i), "question"), text_of(json_array_get(groups, 0), "question")) != 0)
            return true;
    return false;
}

static bool print_groups(const json_t *report, int by)
{
    static const char *const heads[] = {"DAY", "CLASS", "TIER"};
    const struct table_column columns[COLUMNS] = {
        {heads[by], false}, {"ROWS", true}, {"LOCAL", true}, {"ESCALATED", true}, {"ABSTAINED", true}, {"QUEUED", true},
        {"ERRORS", true},   {"COST", true}, {"SAVED", true}, {"P50", true},       {"P99", true}};
    const json_t *groups = json_object_get(report, members[by]);
    bool has_questions = has_several_questions(groups);
    struct table *table = table_open(columns, COLUMNS);
    for (size_t i = 0; i < json_array_size(groups); i++) {
        char name[2 * CELL];
        const json_t *group = json_array_get(groups, i);
        add_group(table, group, name_cell(group, has_questions, name));
    }
    if (by == 0 && json_array_size(json_object_get(report, "total")))
        add_group(table, json_array_get(json_object_get(report, "total"), 0), "all");
    bool good = table_print(table);
    (void)putchar('\n');
    return good;
}

/* ---- money --------------------------------------------------------------------------------------------------------- */

static bool print_calls(const json_t *calls)
{
    static const struct table_column columns[] = {{"PAID CALLS TO", false}, {"END", false}, {"CALLS", true},
                                                  {"RESERVED", true},       {"COST", true}, {"TOKENS IN", true},
                                                  {"CACHED", true},         {"OUT", true}};
    enum { CALL_COLUMNS = sizeof columns / sizeof columns[0] };
    if (!json_array_size(calls)) return true;
    struct table *table = table_open(columns, CALL_COLUMNS);
    for (size_t i = 0; i < json_array_size(calls); i++) {
        const json_t *line = json_array_get(calls, i);
        static const char *const keys[] = {"calls", "tokens_in", "tokens_cached", "tokens_out"};
        char text[CALL_COLUMNS][CELL], numbers[4][CELL];
        for (size_t k = 0; k < 4; k++) (void)snprintf(numbers[k], CELL, "%" PRId64, count_of(line, keys[k]));
        (void)snprintf(text[0], CELL, "%s (%s)", text_of(line, "tier"), text_of(line, "model"));
        const char *cells[] = {text[0],
                               text_of(line, "end"),
                               numbers[0],
                               usd_cell(line, "reserved_usd_e6", text[1]),
                               usd_cell(line, "cost_usd_e6", text[2]),
                               numbers[1],
                               numbers[2],
                               numbers[3]};
        table_add(table, cells);
    }
    return table_print(table);
}

static int64_t sum_of(const json_t *calls, const char *end, const char *key)
{
    int64_t sum = 0;
    for (size_t i = 0; i < json_array_size(calls); i++) {
        const json_t *line = json_array_get(calls, i);
        if (!end || strcmp(text_of(line, "end"), end) == 0) sum += count_of(line, key);
    }
    return sum;
}

/* What deserves a look: money without an answer, bills above reservations, a day to come. */
static void print_notes(const json_t *report)
{
    const json_t *calls = json_object_get(report, "calls"), *today = json_object_get(report, "today");
    char cost[CELL], reserved[CELL], date[32];
    int64_t lost = sum_of(calls, "lost", "calls"), over = sum_of(calls, NULL, "over");
    int64_t open = sum_of(calls, "open", "calls");
    if (open)
        (void)printf("%" PRId64
                     " calls are in flight, or their process was killed (the next one that writes then books them as "
                     "spent): %s reserved.\n",
                     open, ledger_usd(sum_of(calls, "open", "reserved_usd_e6"), cost, sizeof cost));
    if (lost)
        (void)printf("%" PRId64 " calls were in flight when their process was killed and are booked as spent: %s.\n",
                     lost, ledger_usd(sum_of(calls, "lost", "cost_usd_e6"), cost, sizeof cost));
    if (over)
        (void)printf(
            "%" PRId64 " calls cost more than was reserved for them: their tiers were closed for their runs.\n", over);
    if (!json_is_object(today)) return;
    (void)printf("%s (UTC): %s spent, %s reserved.\n", text_of(today, "day"),
                 ledger_usd(count_of(today, "spent_usd_e6"), cost, sizeof cost),
                 ledger_usd(count_of(today, "reserved_usd_e6"), reserved, sizeof reserved));
    time_t now = time(NULL);
    struct tm parts;
    if (gmtime_r(&now, &parts) && strftime(date, sizeof date, "%Y-%m-%d", &parts) &&
        strcmp(date, text_of(today, "day")) < 0)
        (void)printf(
            "This day is ahead of the clock (%s): no new day's budget begins until the clock is past it, or until "
            "`weir ledger reset-day'.\n",
            date);
}

static bool print_closed(const json_t *runs)
{
    for (size_t i = 0; i < json_array_size(runs); i++) {
        const json_t *run = json_array_get(runs, i), *tiers = json_object_get(run, "closed_tiers");
        for (size_t t = 0; t < json_array_size(tiers); t++)
            (void)printf("Run %" PRId64 ": tier %s is closed.\n", count_of(run, "run"),
                         json_string_value(json_array_get(tiers, t)));
    }
    return true;
}

static int print_tables(const json_t *report, int by)
{
    bool good = true;
    if (!json_array_size(json_object_get(report, "total"))) (void)puts("No rows.\n");
    for (int i = 0; i < GROUPINGS && good; i++)
        if ((by < 0 || by == i) && json_array_size(json_object_get(report, members[i]))) good = print_groups(report, i);
    if (good && by < 0) good = print_calls(json_object_get(report, "calls"));
    if (good && by < 0) good = print_closed(json_object_get(report, "runs"));
    if (good && by < 0) print_notes(report);
    return good ? cli_flush() : cli_nomem();
}

/* ---- CSV ----------------------------------------------------------------------------------------------------------- */

/* RFC 4180: quoted, quotes doubled. */
static void print_quoted(const char *text)
{
    (void)putchar('"');
    for (; *text; text++) {
        if (*text == '"') (void)putchar('"');
        (void)putchar(*text);
    }
    (void)putchar('"');
}

static void print_value(const json_t *value)
{
    if (json_is_integer(value))
        (void)printf(",%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        (void)printf(",%.17g", json_real_value(value));
    else
        (void)putchar(',');
}

static int print_csv(const json_t *report, int by)
{
    static const char *const keys[] = {"rows",         "local",          "escalated",
                                       "abstained",    "queued",         "errors",
                                       "cost_usd_e6",  "estimated_rows", "frontier_only_cost_usd_e6",
                                       "saved_usd_e6", "p50_ms",         "p99_ms"};
    enum { KEYS = sizeof keys / sizeof keys[0] };
    (void)fputs("by,question,name", stdout);
    for (size_t k = 0; k < KEYS; k++) (void)printf(",%s", keys[k]);
    (void)fputs("\r\n", stdout);
    for (int g = 0; g < GROUPINGS; g++) {
        const json_t *groups = json_object_get(report, members[g]);
        for (size_t i = 0; i < json_array_size(groups) && (by < 0 || by == g); i++) {
            const json_t *group = json_array_get(groups, i);
            (void)printf("%s,", groupings[g]);
            print_quoted(text_of(group, "question"));
            (void)putchar(',');
            print_quoted(text_of(group, "name"));
            for (size_t k = 0; k < KEYS; k++) print_value(json_object_get(group, keys[k]));
            (void)fputs("\r\n", stdout);
        }
    }
    return cli_flush();
}

/* ---- the command --------------------------------------------------------------------------------------------------- */

static int print_report(const struct arguments *args, const char *text)
{
    if (args->json) {
        (void)puts(text);
        return cli_flush();
    }
    json_t *report = json_loads(text, 0, NULL);
    if (!report) return cli_nomem();
    int status = args->csv ? print_csv(report, args->by) : print_tables(report, args->by);
    json_decref(report);
    return status;
}

int ledger_report_run(int argc, char **argv)
{
    struct arguments args = {.by = -1};
    struct weir_ledger_reader *reader = NULL;
    struct weir_error error = {0};
    char *text = NULL;
    if (!cli_parse(&parser, argc, argv, &args)) return CLI_FAILED;
    int status = ledger_open_reader(&args.ledger, &reader);
    if (!status && weir_ledger_report(reader, &args.ledger.filter, &text, &error)) status = cli_fail(&error);
    if (!status) status = print_report(&args, text);
    free(text);
    weir_ledger_reader_close(&reader);
    ledger_args_free(&args.ledger);
    return status;
}
