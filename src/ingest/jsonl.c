/* JSON Lines: each line is one JSON object. Its other members are of no interest here and only have to be JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "ingest/ingest_internal.h"
#include "ingest/member.h"

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

/* A list of texts into row->label; any other list makes the row an error row. Fails only without memory. */
static enum weir_status take_list(struct weir_input *input, const json_t *list)
{
    size_t index;
    const json_t *item;
    strbuf_clear(&input->list);
    json_array_foreach(list, index, item)
    {
        const char *name = json_string_value(item);
        size_t size = json_string_length(item);
        if (!name || memchr(name, '\n', size)) {
            row_fail(input, WEIR_ERR_FORMAT, "line %zu: item %zu of \"%s\" is not a string of one line",
                     input->row.line, index + 1, input->label_field);
            return WEIR_OK;
        }
        enum weir_status status = strbuf_add(&input->list, name, size);
        if (!status) status = strbuf_add(&input->list, "\n", 1);
        if (status) return status;
    }
    input->row.label = (struct weir_string){input->list.data ? input->list.data : "", input->list.size};
    input->row.label_is_list = true;
    return WEIR_OK;
}

/* An object as it was written: the right value of an extraction. Fails only without memory. */
static enum weir_status take_object(struct weir_input *input, struct weir_string line)
{
    struct weir_string source = {NULL, 0};
    struct weir_error error = {0};
    enum weir_status status = member_source(line, input->label_field, &source, &error);
    if (status == WEIR_ERR_NOMEM) return status;
    if (status) {
        row_fail(input, status, "line %zu: %s", input->row.line, error.text);
        return WEIR_OK;
    }
    free(input->object_label);
    input->object_label = mem_text(source.data, source.size);
    if (!input->object_label) return WEIR_ERR_NOMEM;
    input->row.label = (struct weir_string){input->object_label, source.size};
    return WEIR_OK;
}

static enum weir_status take_label(struct weir_input *input, struct weir_string line)
{
    struct weir_row *row = &input->row;
    const json_t *label = json_object_get(input->object, input->label_field);
    if (json_is_array(label)) return take_list(input, label);
    if (json_is_object(label)) return take_object(input, line);
    if (label && !json_is_null(label) && !scalar_text(label, input->integer_label, &row->label))
        row_fail(input, WEIR_ERR_FORMAT,
                 "line %zu: \"%s\" is neither a string, an integer, a list of strings nor an object", row->line,
                 input->label_field);
    return WEIR_OK;
}

/* The members of input->object into the row. The id comes first, so that a failure below still carries it. */
static enum weir_status row_from_object(struct weir_input *input, struct weir_string line)
{
    struct weir_row *row = &input->row;
    const json_t *id = json_object_get(input->object, input->id_field);
    if (id && !json_is_null(id) && !scalar_text(id, input->integer_id, &row->id)) {
        row_fail(input, WEIR_ERR_FORMAT, "line %zu: \"%s\" is neither a string nor an integer", row->line,
                 input->id_field);
        return WEIR_OK;
    }
    const json_t *text = json_object_get(input->object, input->text_field);
    if (!json_is_string(text)) {
        row_fail(input, WEIR_ERR_FORMAT, "line %zu: \"%s\" %s", row->line, input->text_field,
                 text ? "is not a string" : "is missing");
        return WEIR_OK;
    }
    enum weir_status status = take_label(input, line);
    if (!status && !row->status) row->text = (struct weir_string){json_string_value(text), json_string_length(text)};
    return status;
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
    else if (row_from_object(input, (struct weir_string){data, size}))
        return error_nomem(error, "the labels of a row");
    return WEIR_OK;
}

/* The names of a list take no more bytes than the line that holds them. */
static enum weir_status jsonl_open(struct weir_input *input, struct weir_error *error)
{
    (void)error;
    input->list = STRBUF_MAX(WEIR_INPUT_ROW_BYTES_MAX);
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
    strbuf_free(&input->list);
    free(input->object_label);
}

static const char *const endings[] = {".jsonl", ".ndjson", ".json", NULL};
const struct input_reader input_reader_jsonl = {
    .name = "jsonl", .endings = endings, .open = jsonl_open, .next = jsonl_next, .close = jsonl_close};
