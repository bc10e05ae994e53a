/* weir ledger show and check: one row, and the whole file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "ledger.h"
#include "table.h"

enum { CELL = 64, MONEY_SIZE = sizeof "_usd_e6" - 1, COLUMNS_MAX = 16 };

struct arguments {
    struct ledger_args ledger;
    const char *id;
    bool json;
    bool is_printed; /* a row is on the screen */
};

static const struct argp_option options[] = {{"json", 'J', 0, 0, "Print JSON Lines, one object a row", 0}, {0}};

/* argp fixes the signature. NOLINTNEXTLINE(readability-non-const-parameter) */
static error_t parse_show(int key, char *text, struct argp_state *state)
{
    struct arguments *args = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &args->ledger;
        return 0;
    case 'J':
        args->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (args->id) argp_error(state, "one id, not several");
        args->id = text;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no id given");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child show_children[] = {{&ledger_rows_argp, 0, "Which rows:", 1}, {0}};
static const struct argp show_parser = {.options = options,
                                        .parser = parse_show,
                                        .args_doc = "ID",
                                        .children = show_children,
                                        .doc =
                                            "Prints all that is known of the rows of this id, the latest first: "
                                            "decisions of each tier, paid calls, corrections, and "
                                            "the text where it is stored. @N is the row of that number in the ledger."};

/* ---- as tables ----------------------------------------------------------------------------------------------------- */

static bool is_money(const char *key)
{
    size_t size = strlen(key);
    return size > MONEY_SIZE && strcmp(key + size - MONEY_SIZE, "_usd_e6") == 0;
}

/* Money is shown in dollars, so its name loses the unit. */
static const char *name_text(const char *key, char out[CELL])
{
    (void)snprintf(out, CELL, "%.*s", (int)(strlen(key) - (is_money(key) ? MONEY_SIZE : 0)), key);
    return out;
}

/* A value as a person reads it: texts bare, money in dollars, nothing as "-". The caller frees it. */
static char *value_text(const char *key, const json_t *value)
{
    char usd[CELL];
    if (!value || json_is_null(value)) return strdup("-");
    if (json_is_string(value)) return strdup(json_string_value(value));
    if (json_is_integer(value) && is_money(key)) return strdup(ledger_usd(json_integer_value(value), usd, sizeof usd));
    return json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(6));
}

static bool print_fields(const json_t *row)
{
    static const struct table_column columns[] = {{"FIELD", false}, {"VALUE", false}};
    struct table *table = table_open(columns, 2);
    const char *key;
    json_t *value;
    bool good = true;
    json_object_foreach((json_t *)(uintptr_t)row, key, value)
    {
        if (json_is_array(value) || (json_is_object(value) && !json_object_size(value)) || json_is_null(value))
            continue;
        char *text = value_text(key, value);
        good = good && text;
        char name[CELL];
        if (text) table_add(table, (const char *const[]){name_text(key, name), text});
        free(text);
    }
    return table_print(table) && good;
}

/* A table of the objects of `list`, whose columns are `keys`. */
static bool print_list(const json_t *list, const char *const *keys, size_t count)
{
    struct table_column columns[COLUMNS_MAX];
    char names[COLUMNS_MAX][CELL];
    if (!json_array_size(list)) return true;
    for (size_t i = 0; i < count; i++) columns[i] = (struct table_column){name_text(keys[i], names[i]), false};
    struct table *table = table_open(columns, count);
    bool good = true;
    for (size_t r = 0; r < json_array_size(list); r++) {
        char *texts[COLUMNS_MAX] = {0};
        for (size_t i = 0; i < count; i++) {
            texts[i] = value_text(keys[i], json_object_get(json_array_get(list, r), keys[i]));
            good = good && texts[i];
        }
        if (good) table_add(table, (const char *const *)texts);
        for (size_t i = 0; i < count; i++) free(texts[i]);
    }
    (void)putchar('\n');
    return table_print(table) && good;
}

static bool print_row(const json_t *row)
{
    static const char *const decisions[] = {"question",    "tier",     "model",         "value",
                                            "probability", "verdict",  "reason",        "cost_usd_e6",
                                            "latency_ms",  "attempts", "prompt_version"};
    static const char *const calls[] = {"call",        "tier",       "model", "attempt", "end", "reserved_usd_e6",
                                        "cost_usd_e6", "latency_ms", "note",  "time"};
    return print_fields(row) &&
           print_list(json_object_get(row, "decisions"), decisions, sizeof decisions / sizeof decisions[0]) &&
           print_list(json_object_get(row, "calls"), calls, sizeof calls / sizeof calls[0]);
}

static bool show(void *context, const char *text)
{
    struct arguments *args = context;
    if (args->json) return puts(text) >= 0;
    json_t *row = json_loads(text, 0, NULL);
    if (args->is_printed) (void)putchar('\n');
    args->is_printed = true;
    bool good = row && print_row(row);
    json_decref(row);
    return good;
}

int ledger_show_run(int argc, char **argv)
{
    struct arguments args = {0};
    struct weir_ledger_reader *reader = NULL;
    struct weir_error error = {0};
    if (!cli_parse(&show_parser, argc, argv, &args)) return CLI_FAILED;
    int status = ledger_open_reader(&args.ledger, &reader);
    if (!status) {
        enum weir_status failed = weir_ledger_show(reader, args.id, &args.ledger.filter, show, &args, &error);
        status = !failed ? cli_flush() : failed == WEIR_ERR_CANCELLED ? cli_nomem() : cli_fail(&error);
    }
    weir_ledger_reader_close(&reader);
    ledger_args_free(&args.ledger);
    return status;
}

/* ---- check --------------------------------------------------------------------------------------------------------- */

/* argp fixes the signature. NOLINTNEXTLINE(readability-non-const-parameter) */
static error_t parse_check(int key, char *text, struct argp_state *state)
{
    (void)text;
    if (key != ARGP_KEY_INIT) return ARGP_ERR_UNKNOWN;
    state->child_inputs[0] = state->input;
    return 0;
}

static const struct argp_child check_children[] = {{&ledger_argp, 0, NULL, 0}, {0}};
static const struct argp check_parser = {
    .parser = parse_check,
    .children = check_children,
    .doc =
        "Reads the whole file and adds all money up again. Exit status 1, with the first thing that does not agree."};

int ledger_check_run(int argc, char **argv)
{
    struct ledger_args args = {0};
    struct weir_ledger_reader *reader = NULL;
    struct weir_error error = {0};
    if (!cli_parse(&check_parser, argc, argv, &args)) return CLI_FAILED;
    int status = ledger_open_reader(&args, &reader);
    if (!status && weir_ledger_check(reader, &error)) status = cli_fail(&error);
    weir_ledger_reader_close(&reader);
    ledger_args_free(&args);
    if (status) return status;
    (void)puts("good");
    return cli_flush();
}
