/* weir feedback: the right label of a row, and all right labels as training rows. */
#include <argp.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "ledger.h"
#include "output.h"
#include "text.h"
#include "weir/input.h"

enum { KEY_INPUT = 896, KEY_TEXT, KEY_EXPORT, KEY_QUESTION, KEY_FORMAT, KEY_TEXT_FIELD, KEY_ID_FIELD };

static const struct argp_option options[] = {
    {"input", KEY_INPUT, "FILE", 0, "The rows that were decided; the text of row ID is taken from there", 0},
    {"text", KEY_TEXT, "TEXT", 0, "The row's text itself", 0},
    {"question", KEY_QUESTION, "NAME", 0, "Question that the label belongs to (default: the task's first)", 0},
    {"export", KEY_EXPORT, "OUT.jsonl", 0,
     "Write all corrections of the task (-t) as rows for `weir tune'; - is standard output", 0},
    {"format", KEY_FORMAT, "FORMAT", 0, "Of --input: auto, jsonl, csv or text", 0},
    {"text-field", KEY_TEXT_FIELD, "NAME", 0, "Member or column of --input that holds the message (default text)", 0},
    {"id-field", KEY_ID_FIELD, "NAME", 0, "... the row's id (default id)", 0},
    {0}};

struct arguments {
    struct ledger_args ledger;
    struct weir_input_options input;
    const char *id, *question, *rows, *text, *out;
    char *label; /* owned; several stand on lines of their own */
    bool has_label, is_nomem;
};

static void add_label(struct arguments *args, const char *word)
{
    char *label = NULL;
    if (asprintf(&label, "%s%s%s", args->has_label ? args->label : "", args->has_label ? "\n" : "", word) < 0) {
        args->is_nomem = true;
        return;
    }
    free(args->label);
    args->label = label;
    args->has_label = true;
}

static void check(struct argp_state *state, const struct arguments *args)
{
    if (args->rows && args->text) argp_error(state, "--input or --text, not both");
    if (!args->out && !args->has_label && !args->is_nomem)
        argp_error(state, "expected the id of a row and its right label, or --export");
    if (args->out && args->id) argp_error(state, "--export takes no id and no label");
    if (args->out && !args->ledger.filter.task) argp_error(state, "--export needs the task (-t)");
}

static error_t parse_input(int key, char *text, struct argp_state *state, struct arguments *args)
{
    struct weir_error error = {0};
    switch (key) {
    case KEY_FORMAT:
        if (weir_input_format_parse(text, &args->input.format, &error)) argp_error(state, "%s", error.text);
        return 0;
    case KEY_TEXT_FIELD:
        args->input.text_field = text;
        return 0;
    case KEY_ID_FIELD:
        args->input.id_field = text;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *args = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &args->ledger;
        return 0;
    case KEY_INPUT:
        args->rows = text;
        return 0;
    case KEY_TEXT:
        args->text = text;
        return 0;
    case KEY_EXPORT:
        args->out = text;
        return 0;
    case KEY_QUESTION:
        args->question = text;
        return 0;
    case ARGP_KEY_ARG:
        if (args->id)
            add_label(args, text);
        else
            args->id = text;
        return 0;
    case ARGP_KEY_END:
        check(state, args);
        return 0;
    default:
        return parse_input(key, text, state, args);
    }
}

static const struct argp_child children[] = {{&ledger_rows_argp, 0, "Which rows:", 1}, {0}};
static const struct argp parser = {.options = options,
                                   .parser = parse,
                                   .args_doc = "ID LABEL...\n--export OUT.jsonl -t TASK",
                                   .children = children,
                                   .doc = "Keeps LABEL as the right answer of row ID (@N: the row of that number in "
                                          "the ledger). Where the task does not store "
                                          "texts, the row's text comes from --input or --text, must be the one that "
                                          "was decided, and is kept with the correction. "
                                          "--export writes the corrections as labelled rows."};

/* ---- one correction ------------------------------------------------------------------------------------------------ */

struct correction {
    const struct arguments *args;
    struct weir_ledger *ledger;
    char *row_id; /* of the row in --input */
};

static bool keep_id(void *context, const char *text)
{
    struct correction *correction = context;
    json_t *row = json_loads(text, 0, NULL);
    const char *id = json_string_value(json_object_get(row, "id"));
    if (!correction->row_id && id) correction->row_id = strdup(id);
    json_decref(row);
    return correction->row_id;
}

/* The row's own id, which --input knows it by. */
static int find_id(struct correction *correction)
{
    const struct arguments *args = correction->args;
    struct weir_ledger_reader *reader = NULL;
    struct weir_error error = {0};
    int status = ledger_open_reader(&args->ledger, &reader);
    if (!status) {
        enum weir_status failed = weir_ledger_show(reader, args->id, &args->ledger.filter, keep_id, correction, &error);
        if (failed) status = failed == WEIR_ERR_CANCELLED ? cli_nomem() : cli_fail(&error);
    }
    weir_ledger_reader_close(&reader);
    return status;
}

static enum weir_status correct(const struct correction *correction, struct weir_string text, struct weir_error *error)
{
    const struct arguments *args = correction->args;
    struct weir_feedback feedback = {
        .id = args->id, .filter = args->ledger.filter, .question = args->question, .label = args->label, .text = text};
    return weir_ledger_feedback(correction->ledger, &feedback, error);
}

/* Rows of --input may share an id: the one with the text that was decided counts. */
static int correct_from_rows(const struct correction *correction)
{
    const struct arguments *args = correction->args;
    struct weir_error error = {0}, refusal = {0};
    struct weir_input *input = NULL;
    const struct weir_row *row = NULL;
    enum weir_status status = weir_input_open(args->rows, &args->input, &input, &error);
    bool is_found = false, is_kept = false;
    while (!status && !is_kept) {
        status = weir_input_next(input, &row, &error);
        if (status || !row) break;
        if (row->status || row->id.size != strlen(correction->row_id) ||
            memcmp(row->id.data, correction->row_id, row->id.size) != 0)
            continue;
        is_found = true;
        enum weir_status refused = correct(correction, row->text, &refusal);
        is_kept = !refused;
        if (refused && refused != WEIR_ERR_REFUSED) status = refused;
        if (status) error = refusal;
    }
    weir_input_close(&input);
    if (status) return cli_fail(&error);
    if (!is_found) return cli_say(CLI_FAILED, "%s: no row of id '%s'", args->rows, correction->row_id);
    return is_kept ? CLI_DONE : cli_fail(&refusal);
}

static int keep(const struct arguments *args)
{
    struct correction correction = {.args = args};
    struct weir_error error = {0};
    struct weir_string text = {args->text, args->text ? strlen(args->text) : 0};
    int status = find_id(&correction);
    if (!status) status = ledger_open_writer(&args->ledger, &correction.ledger);
    if (!status && args->rows)
        status = correct_from_rows(&correction);
    else if (!status && correct(&correction, text, &error))
        status = cli_fail(&error);
    weir_ledger_close(&correction.ledger);
    free(correction.row_id);
    return status;
}

/* ---- all of them --------------------------------------------------------------------------------------------------- */

static json_t *label_json(struct weir_string label, bool is_multi)
{
    if (!is_multi) return text_json(label);
    json_t *list = json_array();
    for (size_t at = 0, end; label.size && at <= label.size; at = end + 1) {
        const char *feed = memchr(label.data + at, '\n', label.size - at);
        end = feed ? (size_t)(feed - label.data) : label.size;
        if (json_array_append_new(list, text_json((struct weir_string){label.data + at, end - at})) != 0) break;
    }
    return list;
}

static bool write_row(void *context, struct weir_string id, struct weir_string text, struct weir_string label,
                      bool is_multi)
{
    FILE *out = context;
    json_t *row = json_pack("{s:o, s:o, s:o}", "id", text_json(id), "text", text_json(text), "label",
                            label_json(label, is_multi));
    bool good = row && json_dumpf(row, out, JSON_COMPACT) == 0 && fputc('\n', out) != EOF;
    json_decref(row);
    return good;
}

static int export_all(const struct arguments *args)
{
    struct weir_ledger_reader *reader = NULL;
    struct weir_error error = {0};
    struct output output = {0};
    size_t left_out = 0;
    int status = ledger_open_reader(&args->ledger, &reader);
    if (!status) status = output_open(&output, args->out);
    if (!status) {
        enum weir_status failed = weir_ledger_corrections(reader, args->ledger.filter.task, args->question, write_row,
                                                          output.file, &left_out, &error);
        if (failed && failed != WEIR_ERR_CANCELLED) status = cli_fail(&error);
        if (!status) status = output_commit(&output); /* says what could not be written */
        if (!status && failed) status = CLI_FAILED;
    }
    output_discard(&output);
    weir_ledger_reader_close(&reader);
    if (!status && left_out) (void)cli_say(0, "%zu corrections are left out: their texts are forgotten", left_out);
    return status;
}

static int run(int argc, char **argv)
{
    struct arguments args = {.input = weir_input_options_default()};
    if (!cli_parse(&parser, argc, argv, &args)) return CLI_FAILED;
    int status = args.is_nomem ? cli_nomem() : args.out ? export_all(&args) : keep(&args);
    free(args.label);
    ledger_args_free(&args.ledger);
    return status;
}

const struct command command_feedback = {"feedback", "Correct an answer; corrections become training rows", run};
