/* weir report: several summaries of `weir classify` beside each other, with what the same rows would cost at a frontier API. */
#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "cli.h"
#include "table.h"

enum { SUMMARIES_MAX = 32, CELL = 48 };

/* What the cost line assumes when nothing else is given: list prices of claude-sonnet-4-6 (per million tokens, November 2026),
 * English text at four bytes a token, an answer of a label in JSON. */
static const double price_in_default = 3.0, price_out_default = 15.0, bytes_per_token = 4.0, answer_tokens_default = 10;

static const struct argp_option options[] = {
    {"price-in", 'i', "USD", 0, "Frontier price of a million input tokens (default 3)", 0},
    {"price-out", 'o', "USD", 0, "Frontier price of a million output tokens (default 15)", 0},
    {"prompt-tokens", 'p', "N", 0, "Input tokens a row (default: bytes of instructions, labels and text, over 4)", 0},
    {"answer-tokens", 'a', "N", 0, "Output tokens a row (default 10)", 0},
    {0}};

struct summary {
    char name[CELL];
    json_t *values; /* owned */
};

struct arguments {
    const char *paths[SUMMARIES_MAX];
    size_t count;
    double price_in, price_out, prompt_tokens, answer_tokens; /* prompt_tokens 0: from the summaries */
};

static void number_option(struct argp_state *state, const char *text, double *out)
{
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= 0 && value <= 1e9))
        argp_error(state, "'%s' is not a number of 0 or more", text);
    *out = value;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *args = state->input;
    switch (key) {
    case 'i':
        number_option(state, text, &args->price_in);
        return 0;
    case 'o':
        number_option(state, text, &args->price_out);
        return 0;
    case 'p':
        number_option(state, text, &args->prompt_tokens);
        return 0;
    case 'a':
        number_option(state, text, &args->answer_tokens);
        return 0;
    case ARGP_KEY_ARG:
        if (args->count == SUMMARIES_MAX) argp_error(state, "more than %d summaries", SUMMARIES_MAX);
        args->paths[args->count++] = text;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no summary given");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse,
    .args_doc = "[NAME=]SUMMARY.json...",
    .doc = "Prints one table of the summaries that `weir classify --details' wrote: accuracy with its 95 % interval, "
           "calibration, speed, tokens, cost."};

/* What a row of the table is called: the name given, else what the head is, else the file. */
static void summary_name(struct summary *summary, const char *given, size_t given_size, const char *path)
{
    static const char *const heads[][2] = {{"ngram", "n-grams alone (the floor)"},
                                           {"hidden", "hidden states alone"},
                                           {"both", "n-grams and hidden states"},
                                           {"zero-shot", "zero-shot"}};
    const char *head = json_string_value(json_object_get(summary->values, "head"));
    (void)snprintf(summary->name, sizeof summary->name, "%s", path);
    for (size_t i = 0; head && i < sizeof heads / sizeof heads[0]; i++) {
        if (strcmp(head, heads[i][0]) == 0) (void)snprintf(summary->name, sizeof summary->name, "%s", heads[i][1]);
    }
    if (given_size) (void)snprintf(summary->name, sizeof summary->name, "%.*s", (int)given_size, given);
}

static int summary_read(struct summary *summary, const char *argument)
{
    const char *equals = strchr(argument, '=');
    const char *path = equals ? equals + 1 : argument;
    json_error_t problem;
    summary->values = json_load_file(path, JSON_REJECT_DUPLICATES, &problem);
    if (!summary->values) return cli_say(CLI_FAILED, "%s: %s", path, problem.text);
    if (!json_is_integer(json_object_get(summary->values, "rows")))
        return cli_say(CLI_FAILED, "%s: not a summary of weir classify", path);
    summary_name(summary, argument, equals ? (size_t)(equals - argument) : 0, path);
    return CLI_DONE;
}

static bool value_of(const struct summary *summary, const char *key, double *out)
{
    const json_t *value = json_object_get(summary->values, key);
    if (!json_is_number(value)) return false;
    *out = json_number_value(value);
    return true;
}

/* The value times `scale` with its unit, or "-" where the summary has none. */
static const char *cell(const struct summary *summary, const char *key, double scale, int decimals, const char *unit,
                        char out[CELL])
{
    double value;
    if (value_of(summary, key, &value))
        (void)snprintf(out, CELL, "%.*f%s", decimals, value * scale, unit);
    else
        (void)snprintf(out, CELL, "-");
    return out;
}

static const char *interval_cell(const struct summary *summary, char out[CELL])
{
    double low, high;
    (void)snprintf(out, CELL, "-");
    if (value_of(summary, "accuracy_low", &low) && value_of(summary, "accuracy_high", &high))
        (void)snprintf(out, CELL, "%.1f - %.1f %%", 100 * low, 100 * high);
    return out;
}

static bool print_table(const struct summary *summaries, size_t count)
{
    static const struct table_column columns[] = {
        {"ANSWERED FROM", false}, {"ROWS", true}, {"ERRORS", true}, {"ACCURACY", true}, {"95 % INTERVAL", true},
        {"MACRO F1", true},       {"ECE", true},  {"ROWS/S", true}, {"P50", true},      {"P99", true},
        {"FRESH TOKENS", true},   {"COST", true}};
    enum { COLUMNS = sizeof columns / sizeof columns[0] };
    struct table *table = table_open(columns, COLUMNS);
    for (size_t i = 0; i < count; i++) {
        const struct summary *s = &summaries[i];
        char text[COLUMNS][CELL];
        const char *cells[COLUMNS] = {
            s->name,
            cell(s, "rows", 1, 0, "", text[1]),
            cell(s, "errors", 1, 0, "", text[2]),
            cell(s, "accuracy", 100, 1, " %", text[3]),
            interval_cell(s, text[4]),
            cell(s, "macro_f1", 1, 3, "", text[5]),
            cell(s, "ece", 1, 3, "", text[6]),
            cell(s, "rows_per_s", 1, 1, "", text[7]),
            cell(s, "p50_ms", 1, 1, " ms", text[8]),
            cell(s, "p99_ms", 1, 1, " ms", text[9]),
            cell(s, "fresh_tokens_per_row", 1, 1, "", text[10]),
            "$0.00",
        };
        table_add(table, cells);
    }
    return table_print(table);
}

static void print_cost(const struct summary *summary, const struct arguments *args)
{
    double rows = 0, bytes = 0, prompt = args->prompt_tokens;
    (void)value_of(summary, "rows", &rows);
    bool is_estimate = prompt <= 0 && value_of(summary, "prompt_bytes_per_row", &bytes);
    if (is_estimate) prompt = bytes / bytes_per_token;
    if (prompt <= 0) return;
    double cost = rows * (prompt * args->price_in + args->answer_tokens * args->price_out) / 1e6;
    (void)printf(
        "Cost: $0.00 here. The same %.0f rows at a frontier API of $%.2f and $%.2f for a million tokens in and out:\n"
        "      $%.2f (%.0f tokens in%s and %.0f out a row).\n",
        rows, args->price_in, args->price_out, cost, prompt, is_estimate ? ", at 4 bytes a token," : "",
        args->answer_tokens);
}

static int report(const struct arguments *args, const struct summary *summaries)
{
    if (!print_table(summaries, args->count)) return cli_nomem();
    (void)putchar('\n');
    print_cost(&summaries[0], args);
    (void)puts("Where the data went: nowhere. Every answer was computed on this machine.");
    return cli_flush();
}

static int run(int argc, char **argv)
{
    struct arguments args = {
        .price_in = price_in_default, .price_out = price_out_default, .answer_tokens = answer_tokens_default};
    if (!cli_parse(&parser, argc, argv, &args)) return CLI_FAILED;
    struct summary summaries[SUMMARIES_MAX] = {{{0}, NULL}};
    int status = CLI_DONE;
    for (size_t i = 0; !status && i < args.count; i++) status = summary_read(&summaries[i], args.paths[i]);
    if (!status) status = report(&args, summaries);
    for (size_t i = 0; i < args.count; i++) json_decref(summaries[i].values);
    return status;
}

const struct command command_report = {"report", "Print summaries of classify beside each other", run};
