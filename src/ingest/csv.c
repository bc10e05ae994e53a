/* CSV as RFC 4180 has it, with a header line: commas, double quotes, records that may span lines. libcsv splits a record
 * into fields; this file finds the record first.
 *
 * A record is complete at the first line end with an even number of quotes before it: inside quotes a quote is doubled,
 * outside there is none, so the parity tells inside from outside. When what was found is no record (a quote never closed,
 * a quote inside an unquoted field), only its first line becomes an error row and reading goes on at the line behind:
 * one broken row does not swallow the rest of the file. Each line is therefore looked at a bounded number of times. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "ingest/ingest_internal.h"

static const char *const endings[] = {".csv", NULL};

#ifndef WEIR_HAVE_CSV

static enum weir_status csv_open(struct weir_input *input, struct weir_error *error)
{
    (void)input;
    return error_set(error, WEIR_ERR_UNSUPPORTED, "built without CSV support (libcsv)");
}

static enum weir_status csv_next(struct weir_input *input, bool *found, struct weir_error *error)
{
    (void)found;
    return csv_open(input, error);
}

const struct input_reader input_reader_csv = {.name = "csv", .endings = endings, .open = csv_open, .next = csv_next};

#else

#include <csv.h>

enum { NO_COLUMN = -1 };

struct csv_source {
    struct csv_parser parser;
    struct strbuf fields;                     /* the record's fields, one after the other */
    size_t field_end[WEIR_INPUT_COLUMNS_MAX]; /* field i ends there in `fields` */
    size_t n_fields;                          /* of the record, counted beyond the maximum too */
    enum weir_status status;                  /* what a callback ran into */
    size_t n_columns;                         /* of the header */
    int text_column, id_column, label_column; /* or NO_COLUMN */
};

static int is_record_end(unsigned char byte)
{
    return byte == '\n';
}

/* What libcsv trims around fields: only the CR of a CR LF. Blanks belong to the field (RFC 4180, 2.4). */
static int is_trimmed(unsigned char byte)
{
    return byte == '\r';
}

static void on_field(void *bytes, size_t size, void *context)
{
    struct csv_source *csv = context;
    if (!csv->status) csv->status = strbuf_add(&csv->fields, bytes, size);
    if (!csv->status && csv->n_fields < WEIR_INPUT_COLUMNS_MAX) csv->field_end[csv->n_fields] = csv->fields.size;
    csv->n_fields++;
}

static void on_record(int terminator, void *context)
{
    (void)terminator;
    (void)context;
}

static struct weir_string field_at(const struct csv_source *csv, int column)
{
    size_t begin = column ? csv->field_end[column - 1] : 0;
    return (struct weir_string){csv->fields.data + begin, csv->field_end[column] - begin};
}

/* The lines of the record at the read position. */
struct record {
    size_t bytes; /* with the last LF */
    size_t lines; /* 0: end of the file */
    size_t first_line_bytes;
    bool is_closed; /* the quotes are even */
    bool is_too_long;
};

/* A line of nothing but its end. */
static bool is_empty_line(const char *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (data[i] != '\r' && data[i] != '\n') return false;
    }
    return true;
}

static size_t quotes_in(const char *data, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++) count += data[i] == '"';
    return count;
}

static enum weir_status record_find(struct line_reader *lines, struct record *record, struct weir_error *error)
{
    *record = (struct record){0};
    size_t quotes = 0;
    while (!record->is_closed) {
        struct line line;
        enum weir_status status = lines_peek(lines, record->bytes, &line, error);
        if (status || line.kind == LINE_END) return status;
        record->is_too_long = line.kind == LINE_TOO_LONG || record->bytes + line.size > WEIR_INPUT_ROW_BYTES_MAX;
        if (record->is_too_long) return WEIR_OK;
        quotes += quotes_in(line.data, line.size);
        record->bytes += line.bytes;
        if (!record->lines++) record->first_line_bytes = line.bytes;
        record->is_closed = quotes % 2 == 0;
    }
    return WEIR_OK;
}

/* Back to the state before any record, also after an error. */
static bool parser_reset(struct csv_source *csv)
{
    csv_free(&csv->parser); /* a zeroed one holds nothing */
    if (csv_init(&csv->parser, CSV_STRICT | CSV_STRICT_FINI) != 0) return false;
    csv_set_space_func(&csv->parser, is_trimmed);
    csv_set_term_func(&csv->parser, is_record_end);
    csv_set_blk_size(&csv->parser, 64 * 1024); /* by how much its field buffer grows */
    return true;
}

/* Splits `size` bytes into csv->fields. False when they are no record; csv->status tells lack of memory. */
static bool record_split(struct csv_source *csv, const char *data, size_t size)
{
    strbuf_clear(&csv->fields);
    csv->n_fields = 0;
    csv->status = WEIR_OK;
    bool good = csv_parse(&csv->parser, data, size, on_field, on_record, csv) == size &&
                csv_fini(&csv->parser, on_field, on_record, csv) == 0;
    if (good) return csv->status == WEIR_OK;
    if (csv_error(&csv->parser) == CSV_ENOMEM) csv->status = WEIR_ERR_NOMEM;
    if (!parser_reset(csv)) csv->status = WEIR_ERR_NOMEM;
    return false;
}

static int column_named(const struct csv_source *csv, const char *name, size_t *times)
{
    int found = NO_COLUMN;
    *times = 0;
    for (size_t i = 0; i < csv->n_columns; i++) {
        struct weir_string column = field_at(csv, (int)i);
        if (column.size != strlen(name) || memcmp(column.data, name, column.size) != 0) continue;
        found = (int)i;
        ++*times;
    }
    return found;
}

static enum weir_status column_find(const struct csv_source *csv, const char *name, int *out, struct weir_error *error)
{
    size_t times;
    *out = column_named(csv, name, &times);
    if (times <= 1) return WEIR_OK;
    return error_set(error, WEIR_ERR_FORMAT, "the header names the column \"%s\" %zu times", name, times);
}

/* The header is the first line that is not blank. */
static enum weir_status header_read(struct weir_input *input, struct weir_error *error)
{
    struct csv_source *csv = input->csv;
    struct record record;
    for (;;) {
        enum weir_status status = record_find(&input->lines, &record, error);
        if (status) return status;
        const char *data = input->lines.data + input->lines.begin;
        if (!record.lines || !is_empty_line(data, record.bytes)) break;
        lines_consume(&input->lines, record.bytes, record.lines);
    }
    if (record.is_too_long) return error_set(error, WEIR_ERR_LIMIT, "the CSV header is too long");
    if (!record.lines) return error_set(error, WEIR_ERR_FORMAT, "empty: a CSV file begins with a header line");
    const char *data = input->lines.data + input->lines.begin;
    if (!record.is_closed || !record_split(csv, data, record.bytes))
        return csv->status
                   ? error_nomem(error, "the CSV header")
                   : error_set(error, WEIR_ERR_FORMAT, "line %zu: the header is not valid CSV", input->lines.number);
    if (csv->n_fields > WEIR_INPUT_COLUMNS_MAX)
        return error_set(error, WEIR_ERR_LIMIT, "more than %d CSV columns", WEIR_INPUT_COLUMNS_MAX);
    csv->n_columns = csv->n_fields;
    enum weir_status status = column_find(csv, input->text_field, &csv->text_column, error);
    if (!status) status = column_find(csv, input->id_field, &csv->id_column, error);
    if (!status) status = column_find(csv, input->label_field, &csv->label_column, error);
    if (!status && csv->text_column == NO_COLUMN)
        status = error_set(error, WEIR_ERR_FORMAT, "the CSV header has no column \"%s\"", input->text_field);
    lines_consume(&input->lines, record.bytes, record.lines);
    return status;
}

static enum weir_status csv_open(struct weir_input *input, struct weir_error *error)
{
    input->csv = mem_zero(1, sizeof *input->csv);
    if (!input->csv || !parser_reset(input->csv)) return error_nomem(error, "CSV reader");
    input->csv->fields = STRBUF_MAX(WEIR_INPUT_ROW_BYTES_MAX);
    return header_read(input, error);
}

static void csv_close(struct weir_input *input)
{
    if (!input->csv) return;
    csv_free(&input->csv->parser);
    strbuf_free(&input->csv->fields);
    free(input->csv);
    input->csv = NULL;
}

static const char *field_problem(const struct csv_source *csv, int column)
{
    struct weir_string field = field_at(csv, column);
    return text_problem(field.data, field.size);
}

/* The fields of the record into the row. An empty id counts as none, an empty label too: CSV has no other way to leave them out. */
static void row_from_fields(struct weir_input *input)
{
    struct csv_source *csv = input->csv;
    struct weir_row *row = &input->row;
    if (csv->n_fields != csv->n_columns) {
        row_fail(input, WEIR_ERR_FORMAT, "line %zu: %zu fields, the header has %zu", row->line, csv->n_fields,
                 csv->n_columns);
        return;
    }
    const int columns[] = {csv->id_column, csv->text_column, csv->label_column};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        const char *problem = columns[i] == NO_COLUMN ? NULL : field_problem(csv, columns[i]);
        if (!problem) continue;
        row_fail(input, WEIR_ERR_FORMAT, "line %zu, field %d: %s", row->line, columns[i] + 1, problem);
        return;
    }
    if (csv->id_column != NO_COLUMN && field_at(csv, csv->id_column).size) row->id = field_at(csv, csv->id_column);
    if (csv->label_column != NO_COLUMN && field_at(csv, csv->label_column).size)
        row->label = field_at(csv, csv->label_column);
    row->text = field_at(csv, csv->text_column);
}

/* What was found at the read position is no record: its first line becomes an error row. */
static enum weir_status fail_first_line(struct weir_input *input, const struct record *record, struct weir_error *error)
{
    size_t number = input->row.line;
    if (record->is_too_long)
        row_fail(input, WEIR_ERR_LIMIT, "line %zu: a record longer than %d bytes, or a quote that is never closed",
                 number, WEIR_INPUT_ROW_BYTES_MAX);
    else if (!record->is_closed)
        row_fail(input, WEIR_ERR_FORMAT, "line %zu: a quote that is never closed", number);
    else
        row_fail(input, WEIR_ERR_FORMAT, "line %zu: a quote that neither begins nor ends a field", number);
    if (!record->lines) return lines_skip(&input->lines, error);
    lines_consume(&input->lines, record->first_line_bytes, 1);
    return WEIR_OK;
}

static enum weir_status csv_next(struct weir_input *input, bool *found, struct weir_error *error)
{
    for (;;) {
        struct record record;
        enum weir_status status = record_find(&input->lines, &record, error);
        if (status || (!record.lines && !record.is_too_long)) return status;
        const char *data = input->lines.data + input->lines.begin;
        if (record.lines && is_empty_line(data, record.bytes)) {
            lines_consume(&input->lines, record.bytes, 1);
            continue;
        }
        row_begin(input, input->lines.number);
        *found = true;
        if (record.is_too_long || !record.is_closed) return fail_first_line(input, &record, error);
        if (!record_split(input->csv, data, record.bytes))
            return input->csv->status ? error_nomem(error, "a CSV record") : fail_first_line(input, &record, error);
        lines_consume(&input->lines, record.bytes, record.lines);
        row_from_fields(input);
        return WEIR_OK;
    }
}

const struct input_reader input_reader_csv = {
    .name = "csv", .endings = endings, .open = csv_open, .next = csv_next, .close = csv_close};

#endif
