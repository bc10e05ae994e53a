/* Shared by the files of this folder: the open input and the table of formats. */
#ifndef WEIR_INGEST_INTERNAL_H
#define WEIR_INGEST_INTERNAL_H

#include <jansson.h>

#include "base/strbuf.h"
#include "ingest/lines.h"
#include "weir/input.h"

struct csv_source; /* csv.c */

struct weir_input {
    struct line_reader lines;
    const struct input_reader *reader;
    char *name;       /* owned, for error texts */
    char *text_field; /* owned, as are the next two */
    char *id_field;
    char *label_field;
    struct weir_row row; /* what weir_input_next gave out; points into the members below or into `lines` */
    char line_id[32];    /* "line:N" */
    char integer_id[32];
    char integer_label[32];
    json_t *object;         /* JSONL: the row's object, owned */
    struct strbuf list;     /* JSONL: the labels of a list, owned */
    char *object_label;     /* JSONL: a label that is an object, as JSON, owned */
    struct csv_source *csv; /* owned */
};

/* One format. `next` fills input->row and sets *found, or leaves *found false at the end; blank lines are its business. */
struct input_reader {
    const char *name;
    const char *const *endings; /* of file names, NULL behind the last */
    enum weir_status (*open)(struct weir_input *input, struct weir_error *error); /* NULL: nothing to do */
    enum weir_status (*next)(struct weir_input *input, bool *found, struct weir_error *error);
    void (*close)(struct weir_input *input); /* NULL: nothing to do */
};

extern const struct input_reader input_reader_jsonl, input_reader_csv, input_reader_text;

/* Begins a row at `line`: status OK, id "line:N", everything else empty. */
void row_begin(struct weir_input *input, size_t line);

/* Makes the row begun an error row, keeping its id and line. */
void row_fail(struct weir_input *input, enum weir_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* NULL when text[0..size) is UTF-8 without NUL, else what is wrong. */
const char *text_problem(const char *text, size_t size);

bool is_blank(const char *text, size_t size);     /* spaces, tabs and CRs only */
size_t without_cr(const char *text, size_t size); /* the size without one CR at the end */

#endif
