/* Plain text: each line is a message, its id the line number. */
#include "ingest/ingest_internal.h"

static enum weir_status text_next(struct weir_input *input, bool *found, struct weir_error *error)
{
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
        const char *problem = text_problem(line.data, line.size);
        if (problem)
            row_fail(input, WEIR_ERR_FORMAT, "line %zu: %s", number, problem);
        else
            input->row.text = (struct weir_string){line.data, without_cr(line.data, line.size)};
        *found = true;
        return WEIR_OK;
    }
}

static const char *const endings[] = {".txt", ".text", NULL};
const struct input_reader input_reader_text = {.name = "text", .endings = endings, .next = text_next};
