/* What is in the ledger: reports, single rows, corrections, and making it forget.
 *
 * Reading goes through a reader, which never writes and never stops a process that does; it belongs to one thread at a time. What changes the
 * file goes through an open ledger (weir/ledger.h), so not while another process writes it; those calls are thread-safe and return when their
 * work is on disk.
 * Results with many fields are JSON objects, as text that ends in NUL; money is in micro-dollars, unknown values are null. Their fields: docs/ledger.md. */
#ifndef WEIR_LEDGER_REPORT_H
#define WEIR_LEDGER_REPORT_H

#include "weir/ledger.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weir_ledger_reader;

/* WEIR_ERR_NOT_FOUND: no such file; otherwise as weir_ledger_open. */
WEIR_API enum weir_status weir_ledger_reader_open(const char *path, struct weir_ledger_reader **out,
                                                  struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_ledger_reader_close(struct weir_ledger_reader **reader); /* accepts NULL inside; leaves NULL */

/* Which rows. Zero: all. */
struct weir_ledger_filter {
    const char *task;           /* name; NULL: any */
    const char *source;         /* NULL: any */
    int64_t run;                /* 0: any */
    int64_t since_ms, until_ms; /* since_ms <= time < until_ms; until_ms 0: no end */
};

/* Counts, cost, what was saved against sending every row to the frontier, and latency: of all rows, by day, by class, by tier; money by how calls ended;
 * what is reserved and spent today. The caller frees *json. */
WEIR_API enum weir_status weir_ledger_report(struct weir_ledger_reader *reader, const struct weir_ledger_filter *filter,
                                             char **json, struct weir_error *error) WEIR_MUST_USE;

/* Returning false ends the walk with WEIR_ERR_CANCELLED. */
typedef bool weir_ledger_visit(void *context, const char *json);

/* Rows with that id, the latest first: everything that is known of each, its decisions and calls. "@N" is the row of that number. WEIR_ERR_NOT_FOUND. */
WEIR_API enum weir_status weir_ledger_show(struct weir_ledger_reader *reader, const char *id,
                                           const struct weir_ledger_filter *filter, weir_ledger_visit *visit,
                                           void *context, struct weir_error *error) WEIR_MUST_USE;

/* Reads the whole file and adds all money up again. WEIR_ERR_FORMAT with the first thing that is not as it must be. */
WEIR_API enum weir_status weir_ledger_check(struct weir_ledger_reader *reader, struct weir_error *error) WEIR_MUST_USE;

/* ---- corrections --------------------------------------------------------------------------------------------------- */

struct weir_feedback {
    const char *id;                   /* as for weir_ledger_show; the latest row of that id */
    struct weir_ledger_filter filter; /* for ids that several tasks or sources have */
    const char *question;             /* NULL: the task's first */
    const char
        *label; /* of a question with `multi`: the labels that apply, a line feed between them; "": none applies */
    struct weir_string text; /* the row's, where bodies are not stored; {NULL, 0}: none */
};

/* Keeps the right label of a row (and its text, where it was given); a later one replaces it. WEIR_ERR_NOT_FOUND: no such row. WEIR_ERR_REFUSED: the
 * question does not have that label; the id is in several tasks or sources; the text is not the row's, or is needed and missing. */
WEIR_API enum weir_status weir_ledger_feedback(struct weir_ledger *ledger, const struct weir_feedback *feedback,
                                               struct weir_error *error) WEIR_MUST_USE;

/* A labelled row; texts live during the call. is_multi: `label` is a list, a line feed between its labels. Returning false ends the walk with WEIR_ERR_CANCELLED. */
typedef bool weir_feedback_visit(void *context, struct weir_string id, struct weir_string text,
                                 struct weir_string label, bool is_multi);

/* The corrections of a task's question (NULL: its first), oldest first, one for each id and text: the latest. *left_out (may be NULL): those whose
 * text is forgotten. */
WEIR_API enum weir_status weir_ledger_corrections(struct weir_ledger_reader *reader, const char *task,
                                                  const char *question, weir_feedback_visit *visit, void *context,
                                                  size_t *left_out, struct weir_error *error) WEIR_MUST_USE;

/* ---- forgetting ---------------------------------------------------------------------------------------------------- */

struct weir_forget {
    const char *id;    /* as for weir_ledger_show; NULL: any */
    const char *task;  /* name; NULL: any */
    int64_t before_ms; /* rows recorded before; 0: any time */
    bool
        only_bodies; /* texts go (messages, lines with text of them, kept replies, texts of corrections); decisions stay */
};

struct weir_forgotten {
    size_t rows;   /* that were there */
    bool is_wiped; /* false: a reader still looks at older pages; they go with the next call of this kind */
};

/* Removes rows with everything that is known of them and overwrites their bytes in the file and its log with zeros or other pages. What calls cost stays,
 * without a link to the row. WEIR_ERR_INVALID: neither id, nor task, nor time is given. */
WEIR_API enum weir_status weir_ledger_forget(struct weir_ledger *ledger, const struct weir_forget *what,
                                             struct weir_forgotten *out, struct weir_error *error) WEIR_MUST_USE;

/* How many days rows, and texts, are kept; 0: for ever. Applied now and by every weir_ledger_open from now on. */
struct weir_retention {
    uint32_t rows_days, bodies_days;
};
WEIR_API enum weir_status weir_ledger_retention(struct weir_ledger_reader *reader, struct weir_retention *out,
                                                struct weir_error *error) WEIR_MUST_USE;
WEIR_API enum weir_status weir_ledger_retain(struct weir_ledger *ledger, struct weir_retention retention,
                                             struct weir_error *error) WEIR_MUST_USE;

/* After the clock was wrong: calls that are booked on days to come move to today, where they count. */
WEIR_API enum weir_status weir_ledger_reset_day(struct weir_ledger *ledger, size_t *calls,
                                                struct weir_error *error) WEIR_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
