/* Any bytes, read as rows; the first byte chooses the format. Rows come in order of their lines, each with an id, and with a text that
 * is UTF-8 without NUL or a reason; reading ends. */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "fuzz/fuzz.h"
#include "weir/input.h"

static void check(int holds)
{
    if (!holds) abort();
}

static void check_text(struct weir_string text)
{
    const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)text.data;
    for (size_t left = text.size; left;) {
        utf8proc_int32_t point;
        utf8proc_ssize_t used = utf8proc_iterate(at, (utf8proc_ssize_t)left, &point);
        check(used > 0 && point != 0);
        at += used;
        left -= (size_t)used;
    }
}

static void check_row(const struct weir_row *row, size_t line_before)
{
    check(row->line > line_before && row->id.data != NULL);
    check_text(row->id);
    if (row->status) {
        check(row->error[0] && memchr(row->error, 0, sizeof row->error) && row->text.size == 0 && !row->label.data);
        check_text((struct weir_string){row->error, strlen(row->error)});
        return;
    }
    check(row->text.data != NULL && !row->error[0]);
    check_text(row->text);
    check_text(row->label);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const enum weir_input_format formats[] = {WEIR_INPUT_JSONL, WEIR_INPUT_CSV, WEIR_INPUT_TEXT};
    if (!size) return 0;
    struct weir_input_options options = weir_input_options_default();
    options.format = formats[bytes[0] % 3];
    struct weir_input *input = NULL;
    struct weir_error error = {0};
    enum weir_status status = weir_input_open_memory(bytes + 1, size - 1, "fuzz", &options, &input, &error);
    if (status) {
        check(!input && error.status == status && strncmp(error.text, "fuzz: ", 6) == 0);
        return 0;
    }
    size_t line = 0, lines_max = 2;
    for (size_t i = 1; i < size; i++) lines_max += bytes[i] == '\n';
    for (;;) {
        const struct weir_row *row = NULL;
        status = weir_input_next(input, &row, &error);
        check(!status || status == WEIR_ERR_FORMAT);
        if (status || !row) break;
        check_row(row, line);
        line = row->line;
        check(line < lines_max);
    }
    weir_input_close(&input);
    return 0;
}
