/* Corrections: the right label of a row, for the next tuning. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "ledger/ledger_internal.h"
#include "ledger/reader.h"
#include "ledger/select.h"
#include "weir/ledger_report.h"

struct correct {
    struct work work;
    const struct weir_feedback *feedback;
    char text_hash[HASH_HEX_SIZE]; /* "": no text given */
};

/* The row a correction is for. */
struct corrected {
    int64_t row, version;
    bool is_multi;
    char question[WEIR_TASK_NAME_BYTES_MAX + 1];
};

#define FROM_ROWS                                                                                                 \
    "FROM rows JOIN runs ON runs.id = rows.run JOIN versions ON versions.id = runs.version "                      \
    "JOIN tasks ON tasks.id = versions.task WHERE (?1 IS NULL OR rows.row_id = ?1) AND (?2 = 0 OR rows.id = ?2) " \
    "AND (?3 IS NULL OR tasks.name = ?3) AND (?4 IS NULL OR runs.source = ?4) AND (?5 = 0 OR rows.run = ?5)"

static enum weir_status find_row(struct db *db, const struct weir_feedback *f, int64_t *row, struct weir_error *error)
{
    struct row_name name = row_name_of(f->id);
    int64_t places = 0;
    enum weir_status status = db_int(db, row, error, "SELECT max(rows.id) " FROM_ROWS, "titti", name.id, name.number,
                                     f->filter.task, f->filter.source, f->filter.run);
    if (!status)
        status =
            db_int(db, &places, error, "SELECT count(*) FROM (SELECT DISTINCT tasks.id, runs.source " FROM_ROWS ")",
                   "titti", name.id, name.number, f->filter.task, f->filter.source, f->filter.run);
    if (status) return status;
    if (!*row) return error_set(error, WEIR_ERR_NOT_FOUND, "%s: no row of this id in the ledger", f->id);
    if (places > 1)
        return error_set(error, WEIR_ERR_REFUSED,
                         "%s: rows of %" PRId64
                         " tasks or sources have this id; name the task, the source, or the row (@N)",
                         f->id, places);
    return WEIR_OK;
}

/* The question's name, of the feedback or the task's first, and whether its labels can be corrected. */
static enum weir_status find_question(struct db *db, const struct weir_feedback *f, struct corrected *c,
                                      struct weir_error *error)
{
    sqlite3_stmt *row = NULL;
    bool has_row = false;
    enum weir_status status = db_prepare(
        db, &row, error,
        "SELECT q.value ->> 'name', json_array_length(q.value, '$.labels'), q.value ->> 'multi', versions.id "
        "FROM rows JOIN runs ON runs.id = rows.run "
        "JOIN versions ON versions.id = runs.version JOIN json_each(versions.questions) AS q "
        "WHERE rows.id = ?1 AND (?2 IS NULL OR q.value ->> 'name' = ?2) ORDER BY q.id LIMIT 1",
        "it", c->row, f->question);
    if (!status) status = db_step(db, row, &has_row, error);
    const char *name = status || !has_row ? NULL : (const char *)sqlite3_column_text(row, 0);
    if (!status && !name)
        status = error_set(error, WEIR_ERR_REFUSED, "the task has no question '%s'", f->question ? f->question : "");
    else if (!status && !sqlite3_column_int(row, 1))
        status = error_set(error, WEIR_ERR_REFUSED, "question '%s' has no labels to correct", name);
    if (!status) {
        (void)snprintf(c->question, sizeof c->question, "%s", name);
        c->is_multi = sqlite3_column_int(row, 2) != 0;
        c->version = sqlite3_column_int64(row, 3);
    }
    db_reset(row);
    return status;
}

static enum weir_status check_label(struct db *db, const struct corrected *c, struct weir_string label,
                                    struct weir_error *error)
{
    int64_t is_known = 0;
    enum weir_status status = db_int(db, &is_known, error,
                                     "SELECT EXISTS (SELECT 1 FROM versions, json_each(versions.questions) AS q, "
                                     "json_each(q.value, '$.labels') AS l "
                                     "WHERE versions.id = ? AND q.value ->> 'name' = ? AND l.value = ?)",
                                     "its", c->version, c->question, label);
    if (!status && !is_known)
        status = error_set(error, WEIR_ERR_REFUSED, "question '%s' has no label '%.*s'", c->question, (int)label.size,
                           label.data);
    return status;
}

static enum weir_status check_labels(struct db *db, const char *labels, const struct corrected *c,
                                     struct weir_error *error)
{
    if (!c->is_multi && strchr(labels, '\n'))
        return error_set(error, WEIR_ERR_REFUSED, "question '%s' takes one label", c->question);
    if (c->is_multi && !*labels) return WEIR_OK; /* none applies */
    enum weir_status status = WEIR_OK;
    for (const char *at = labels; at && !status;) {
        const char *end = strchr(at, '\n');
        status = check_label(db, c, (struct weir_string){at, end ? (size_t)(end - at) : strlen(at)}, error);
        at = end ? end + 1 : NULL;
    }
    return status;
}

static enum weir_status check_text(struct db *db, const struct correct *correct, const struct corrected *c,
                                   struct weir_error *error)
{
    const char *id = correct->feedback->id;
    int64_t is_stored = 0, is_same = 0;
    enum weir_status status = db_int(db, &is_stored, error, "SELECT count(*) FROM bodies WHERE row = ?", "i", c->row);
    if (status) return status;
    if (!*correct->text_hash) {
        if (is_stored) return WEIR_OK;
        return error_set(error, WEIR_ERR_REFUSED,
                         "%s: the task does not store texts, so the correction needs the row's text (--input)", id);
    }
    status =
        db_int(db, &is_same, error, "SELECT input_hash = ? FROM rows WHERE id = ?", "hi", correct->text_hash, c->row);
    if (!status && !is_same)
        status = error_set(error, WEIR_ERR_REFUSED, "%s: the text is not the one that was decided", id);
    return status;
}

static enum weir_status apply_correct(struct weir_ledger *ledger, struct work *work, struct weir_error *error)
{
    const struct correct *correct = (const struct correct *)work;
    const struct weir_feedback *f = correct->feedback;
    struct db *db = &ledger->writer;
    struct corrected c = {0};
    enum weir_status status = find_row(db, f, &c.row, error);
    if (!status) status = find_question(db, f, &c, error);
    if (!status) status = check_labels(db, f->label, &c, error);
    if (!status) status = check_text(db, correct, &c, error);
    if (status) return status;
    return db_run(db, error,
                  "INSERT OR REPLACE INTO feedback(row, question, label, text, time_ms) VALUES(?1, ?2, ?3, "
                  "iif(EXISTS (SELECT 1 FROM bodies WHERE row = ?1), NULL, ?4), ?5)",
                  "ittsi", c.row, c.question, f->label, f->text, ledger_now_ms(ledger));
}

enum weir_status weir_ledger_feedback(struct weir_ledger *ledger, const struct weir_feedback *feedback,
                                      struct weir_error *error)
{
    struct correct correct = {.work = {.apply = apply_correct, .is_money = true}, .feedback = feedback};
    if (!feedback->id || !feedback->label)
        return error_set(error, WEIR_ERR_INVALID, "a correction needs a row's id and a label");
    if (feedback->text.data) {
        enum weir_status status = hash_bytes(feedback->text.data, feedback->text.size, correct.text_hash);
        if (status) return error_set(error, status, "SHA-256 of a text: %s", weir_status_text(status));
    }
    return work_wait(ledger, &correct.work, error);
}

/* ---- as training rows ---------------------------------------------------------------------------------------------- */

static struct weir_string column_string(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    return (struct weir_string){text, (size_t)sqlite3_column_bytes(row, column)};
}

static enum weir_status visit_all(struct db *db, sqlite3_stmt *rows, weir_feedback_visit *visit, void *context,
                                  size_t *left_out, struct weir_error *error)
{
    bool has_row = false;
    enum weir_status status = db_step(db, rows, &has_row, error);
    while (!status && has_row) {
        struct weir_string text = column_string(rows, 1);
        if (!text.data)
            ++*left_out;
        else if (!visit(context, column_string(rows, 0), text, column_string(rows, 2),
                        sqlite3_column_int(rows, 3) != 0))
            return error_set(error, WEIR_ERR_CANCELLED, "cancelled");
        status = db_step(db, rows, &has_row, error);
    }
    return status;
}

/* max(feedback.id) makes the other columns those of the latest correction (sqlite.org/lang_select.html, bare columns). */
static const char select_corrections[] =
    "SELECT rows.row_id, coalesce(feedback.text, bodies.text), feedback.label, "
    "(SELECT q.value ->> 'multi' FROM json_each(versions.questions) AS q WHERE q.value ->> 'name' = "
    "feedback.question), "
    "max(feedback.id) FROM feedback JOIN rows ON rows.id = feedback.row JOIN runs ON runs.id = rows.run "
    "JOIN versions ON versions.id = runs.version JOIN tasks ON tasks.id = versions.task "
    "LEFT JOIN bodies ON bodies.row = rows.id "
    "WHERE tasks.name = ?1 AND feedback.question = coalesce(?2, versions.questions ->> '$[0].name') "
    "GROUP BY rows.row_id, rows.input_hash ORDER BY max(feedback.id)";

enum weir_status weir_ledger_corrections(struct weir_ledger_reader *reader, const char *task, const char *question,
                                         weir_feedback_visit *visit, void *context, size_t *left_out,
                                         struct weir_error *error)
{
    sqlite3_stmt *rows = NULL;
    size_t missing = 0;
    enum weir_status status = db_prepare(&reader->db, &rows, error, select_corrections, "tt", task, question);
    if (!status) status = visit_all(&reader->db, rows, visit, context, &missing, error);
    db_reset(rows);
    if (!status && left_out) *left_out = missing;
    return status;
}
