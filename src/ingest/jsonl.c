/* JSON Lines: each line is one JSON object. Its other members are of no interest here and only have to be JSON. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "ingest/ingest_internal.h"

/* A string or an integer as text; `digits` holds an integer's. False, *out untouched, for any other type. */
static bool scalar_text(const json_t *value, char digits[32], struct weir_string *out)
{
    if (json_is_string(value)) {
        *out = (struct weir_string){json_string_value(value), json_string_length(value)};
        return true;
    }
    if (!json_is_integer(value)) return false;
    int size = snprintf(digits, 32, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    *out = (struct weir_string){digits, (size_t)size};
    return true;
}

/* The members of input->object into the row. The id comes first, so that a failure below still carries it. */
static void row_from_object(struct weir_input *input)
{
    struct weir_row *row = &input->row;
    const json_t *id = json_object_get(input->object, input->id_field);
    if (id && !json_is_null(id) && !scalar_text(id, input->integer_id, &row->id)) {
        row_fail(input, WEIR_ERR_FORMAT, "line %zu: \"%s\" is neither a string nor an integer", row->line,
                 input->id_field);
        return;
    }
    const json_t *text = json_object_get(input->object, input->text_field);
    if (!json_is_string(text)) {
        row_fail(input, WEIR_ERR_FORMAT, "line %zu: \"%s\" %s", row->line, input->text_field,
                 text ? "is not a string" : "is missing");
        return;
    }
    const json_t *label = json_object_get(input->object, input->label_field);
    if (label && !json_is_null(label) && !scalar_text(label, input->integer_label, &row->label)) {
        row_fail(input, WEIR_ERR_FORMAT, "line %zu: \"%s\" is neither a string nor an integer", row->line,
                 input->label_field);
        return;
    }
    row->text = (struct weir_string){json_string_value(text), json_string_length(text)};
}

static enum weir_status row_from_line(struct weir_input *input, const char *data, size_t size, struct weir_error *error)
{
    json_error_t problem;
    /* jansson checks UTF-8 and refuses \u0000 in strings. Lack of memory has no text, or that of whatever was being read: a row counts as
     * bad only when it is so twice. */
    input->object = json_loadb(data, size, JSON_REJECT_DUPLICATES, &problem);
    if (!input->object) input->object = json_loadb(data, size, JSON_REJECT_DUPLICATES, &problem);
    size_t number = input->row.line;
    if (!input->object && !problem.text[0]) return error_nomem(error, "a row");
    if (!input->object)
        row_fail(input, WEIR_ERR_FORMAT, "line %zu, column %d: %s", number, problem.column, problem.text);
    else if (!json_is_object(input->object))
        row_fail(input, WEIR_ERR_FORMAT, "line %zu: not a JSON object", number);
    else
        row_from_object(input);
    return WEIR_OK;
}

static enum weir_status jsonl_next(struct weir_input *input, bool *found, struct weir_error *error)
{
    json_decref(input->object);
    input->object = NULL;
    for (;;) {
        struct line line;
        enum weir_status status = lines_peek(&input->lines, 0, &line, error);
        if (status || line.kind == LINE_END) return status;
        size_t number = input->lines.number;
        if (line.kind == LINE_TOO_LONG) {
            row_begin(input, number);
            row_fail(input, WEIR_ERR_LIMIT, "line %zu: longer than %d bytes", number, WEIR_INPUT_ROW_BYTES_MAX);
            *found = true;
            return lines_skip(&input->lines, error);
        }
        lines_consume(&input->lines, line.bytes, 1);
        if (is_blank(line.data, line.size)) continue;
        row_begin(input, number);
        *found = true;
        return row_from_line(input, line.data, line.size, error);
    }
}

static void jsonl_close(struct weir_input *input)
{
    json_decref(input->object);
}

static const char *const endings[] = {".jsonl", ".ndjson", ".json", NULL};
const struct input_reader input_reader_jsonl = {
    .name = "jsonl", .endings = endings, .next = jsonl_next, .close = jsonl_close};
