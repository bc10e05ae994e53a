/* Rows in: the messages to be decided, from JSON Lines, CSV or plain text, from a file or standard input.
 *
 * Order: weir_input_open (or weir_input_open_memory), weir_input_next until it gives NULL, weir_input_close. An input belongs to
 * one thread at a time. The source is not trusted: a row that cannot be read is given out as a row with a status and a
 * reason, and reading goes on behind it; a call fails only when the source itself does (I/O, memory, a CSV header
 * without the text column).
 * Everywhere: UTF-8; a leading byte order mark is removed; lines end in LF or CR LF; the last line needs no newline; blank
 * lines carry no message and are passed over, but counted. docs/ingest.md has the rules of each format. */
#ifndef WEIR_INPUT_H
#define WEIR_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "weir/gguf.h" /* struct weir_string */
#include "weir/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Limits: a row beyond one of them is an error row (WEIR_ERR_LIMIT); a CSV header beyond one of them is a failure. */
enum {
    WEIR_INPUT_ROW_BYTES_MAX = 16 << 20, /* a line; in CSV a record, which may span lines */
    WEIR_INPUT_COLUMNS_MAX = 1024,       /* of a CSV file */
    WEIR_INPUT_ROW_ERROR_MAX = 160
};

enum weir_input_format {
    WEIR_INPUT_AUTO = 0, /* by the name's ending: .jsonl .ndjson .json, .csv, .txt .text; "-" is jsonl */
    WEIR_INPUT_JSONL,    /* one JSON object a line */
    WEIR_INPUT_CSV,      /* RFC 4180 with a header line; only in builds with libcsv */
    WEIR_INPUT_TEXT      /* one message a line */
};

struct weir_input_options {
    enum weir_input_format format;
    const char *text_field;  /* default "text"; the message; needed */
    const char *id_field;    /* default "id"; a row without it gets "line:N" */
    const char *label_field; /* default "label"; the right answer where it is known */
};

WEIR_API struct weir_input_options weir_input_options_default(void);

/* "auto", "jsonl", "csv", "text" to the format; WEIR_ERR_INVALID for any other name. */
WEIR_API enum weir_status weir_input_format_parse(const char *name, enum weir_input_format *out,
                                                  struct weir_error *error) WEIR_MUST_USE;

/* One message. When `status` is not WEIR_OK, `error` says why (UTF-8 without control characters, whatever the row holds), `text` is
 * empty, and `id` is the row's own where it could be read. */
struct weir_row {
    enum weir_status status;
    char error[WEIR_INPUT_ROW_ERROR_MAX];
    size_t line;              /* where the row begins, from 1 */
    struct weir_string id;    /* a string's text or an integer's digits, as given; else "line:N" */
    struct weir_string text;  /* UTF-8 without NUL */
    struct weir_string label; /* {NULL, 0}: none */
    bool
        label_is_list; /* JSON Lines: the label was a list of texts; `label` has each of them with a line feed behind it */
};

struct weir_input;

/* "-" is standard input. */
WEIR_API enum weir_status weir_input_open(const char *path, const struct weir_input_options *options,
                                          struct weir_input **out, struct weir_error *error) WEIR_MUST_USE;

/* The same over a copy of `size` bytes; `name` decides WEIR_INPUT_AUTO and appears in error texts. */
WEIR_API enum weir_status weir_input_open_memory(const void *bytes, size_t size, const char *name,
                                                 const struct weir_input_options *options, struct weir_input **out,
                                                 struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_input_close(struct weir_input **input); /* accepts NULL inside; leaves NULL */

/* The next row, NULL at the end. The row and what it points to belong to the input and live until its next call. */
WEIR_API enum weir_status weir_input_next(struct weir_input *input, const struct weir_row **row,
                                          struct weir_error *error) WEIR_MUST_USE;

/* Rows that stay: copies in memory the list owns. Zero it first, free it with weir_rows_free. */
struct weir_rows {
    struct weir_row *items;
    size_t count;
    size_t capacity;
};

/* Appends up to `count_max` rows of the input; fewer only at its end. On failure *rows keeps what was read. */
WEIR_API enum weir_status weir_input_read(struct weir_input *input, size_t count_max, struct weir_rows *rows,
                                          struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_rows_clear(struct weir_rows *rows); /* forgets the rows, keeps the list's memory */
WEIR_API void weir_rows_free(struct weir_rows *rows);

#ifdef __cplusplus
}
#endif
#endif
