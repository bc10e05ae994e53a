/* Forgetting. secure_delete overwrites deleted bytes with zeros; a checkpoint that empties the log then removes the older pages in it. */
#include "ledger/forget.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/error.h"
#include "ledger/ledger_internal.h"
#include "ledger/reader.h"
#include "ledger/select.h"

#define DAY_MS INT64_C(86400000)

enum { RETENTION_DAYS_MAX = 36500, READER_WAIT_MS = 300 };

/* ---- deleting ------------------------------------------------------------------------------------------------------ */

/* `doomed` holds the numbers of the rows to go. */
static enum weir_status doom(struct db *db, const struct weir_forget *what, int64_t *rows, struct weir_error *error)
{
    struct row_name name = row_name_of(what->id);
    enum weir_status status =
        db_exec(db, "CREATE TEMP TABLE IF NOT EXISTS doomed(row INTEGER PRIMARY KEY); DELETE FROM doomed", error);
    if (!status)
        status = db_run(db, error,
                        "INSERT INTO doomed SELECT rows.id FROM rows JOIN runs ON runs.id = rows.run "
                        "JOIN versions ON versions.id = runs.version JOIN tasks ON tasks.id = versions.task "
                        "WHERE (?1 IS NULL OR rows.row_id = ?1) AND (?2 = 0 OR rows.id = ?2) "
                        "AND (?3 IS NULL OR tasks.name = ?3) AND (?4 = 0 OR rows.time_ms < ?4)",
                        "titi", name.id, name.number, what->task, what->before_ms);
    if (!status) status = db_int(db, rows, error, "SELECT count(*) FROM doomed", "");
    return status;
}

/* Replies belong to a text, not to a row: those of the doomed rows go, and without an id also those that no row refers to. */
static enum weir_status delete_replies(struct db *db, const struct weir_forget *what, struct weir_error *error)
{
    enum weir_status status = db_run(db, error,
                                     "DELETE FROM replies WHERE input_hash IN "
                                     "(SELECT input_hash FROM rows JOIN doomed ON doomed.row = rows.id)",
                                     "");
    if (status || what->id) return status;
    return db_run(db, error,
                  "DELETE FROM replies WHERE (?1 IS NULL OR task = (SELECT id FROM tasks WHERE name = ?1)) "
                  "AND (?2 = 0 OR time_ms < ?2)",
                  "ti", what->task, what->before_ms);
}

static const char delete_texts[] = "DELETE FROM bodies WHERE row IN (SELECT row FROM doomed);"
                                   "DELETE FROM outputs WHERE has_text AND row IN (SELECT row FROM doomed);"
                                   "UPDATE feedback SET text = NULL WHERE row IN (SELECT row FROM doomed)";

/* A run without rows no longer says where they came from, unless it may be resumed. */
static const char delete_rows[] =
    "DELETE FROM bodies WHERE row IN (SELECT row FROM doomed);"
    "DELETE FROM outputs WHERE row IN (SELECT row FROM doomed);"
    "DELETE FROM feedback WHERE row IN (SELECT row FROM doomed);"
    "DELETE FROM decisions WHERE row IN (SELECT row FROM doomed);"
    "UPDATE calls SET key = NULL WHERE id IN (SELECT calls.id FROM doomed JOIN rows ON rows.id = doomed.row "
    "  JOIN calls ON calls.run = rows.run AND calls.key = rows.key);"
    "CREATE TEMP TABLE IF NOT EXISTS emptied(run INTEGER PRIMARY KEY); DELETE FROM emptied;"
    "INSERT INTO emptied SELECT DISTINCT run FROM rows WHERE id IN (SELECT row FROM doomed);"
    "DELETE FROM rows WHERE id IN (SELECT row FROM doomed);"
    "UPDATE runs SET source = '', outputs_kept = 0 WHERE state <> 'open' AND id IN (SELECT run FROM emptied) "
    "  AND NOT EXISTS (SELECT 1 FROM rows WHERE rows.run = runs.id)";

static enum weir_status forget(struct db *db, const struct weir_forget *what, int64_t *rows, struct weir_error *error)
{
    enum weir_status status = doom(db, what, rows, error);
    if (!status) status = delete_replies(db, what, error);
    if (!status) status = db_exec(db, what->only_bodies ? delete_texts : delete_rows, error);
    if (!status) status = db_exec(db, "DELETE FROM doomed", error);
    return status;
}

/* Moves the log into the file and makes it empty. false: a reader is in the way. */
static enum weir_status empty_log(struct db *db, bool *is_empty, struct weir_error *error)
{
    int64_t is_busy = 1;
    (void)sqlite3_busy_timeout(db->handle, READER_WAIT_MS);
    enum weir_status status = db_int(db, &is_busy, error, "PRAGMA wal_checkpoint(TRUNCATE)", "");
    (void)sqlite3_busy_timeout(db->handle, DB_BUSY_MS);
    *is_empty = !is_busy;
    return status;
}

/* ---- by the caller's wish ------------------------------------------------------------------------------------------ */

struct forget_work {
    struct work work;
    const struct weir_forget *what;
    struct weir_forgotten result;
};

static enum weir_status apply_forget(struct weir_ledger *ledger, struct work *work, struct weir_error *error)
{
    struct forget_work *forgets = (struct forget_work *)work;
    struct db *db = &ledger->writer;
    int64_t rows = 0;
    enum weir_status status = db_exec(db, "BEGIN IMMEDIATE", error);
    if (!status) status = forget(db, forgets->what, &rows, error);
    if (!status) status = db_exec(db, "COMMIT", error);
    if (status)
        db_rollback(db);
    else
        status = empty_log(db, &forgets->result.is_wiped, error);
    forgets->result.rows = (size_t)rows;
    return status;
}

enum weir_status weir_ledger_forget(struct weir_ledger *ledger, const struct weir_forget *what,
                                    struct weir_forgotten *out, struct weir_error *error)
{
    if ((!what->id || !*what->id) && !what->task && what->before_ms <= 0)
        return error_set(error, WEIR_ERR_INVALID, "what to forget is told by an id, a task or a time");
    struct forget_work forgets = {.work = {.apply = apply_forget, .is_money = true, .is_alone = true}, .what = what};
    enum weir_status status = work_wait(ledger, &forgets.work, error);
    if (!status) *out = forgets.result;
    return status;
}

/* ---- retention ----------------------------------------------------------------------------------------------------- */

static enum weir_status expire(struct db *db, const char *setting, bool only_bodies, int64_t now_ms,
                               struct weir_error *error)
{
    int64_t days = 0, rows = 0;
    enum weir_status status = db_int(db, &days, error, "SELECT value FROM settings WHERE name = ?", "t", setting);
    if (status || days <= 0 || now_ms <= days * DAY_MS) return status;
    struct weir_forget what = {.before_ms = now_ms - days * DAY_MS, .only_bodies = only_bodies};
    return forget(db, &what, &rows, error);
}

enum weir_status forget_expired(struct db *db, int64_t now_ms, struct weir_error *error)
{
    enum weir_status status = expire(db, "keep_rows_days", false, now_ms, error);
    return status ? status : expire(db, "keep_bodies_days", true, now_ms, error);
}

enum weir_status weir_ledger_retention(struct weir_ledger_reader *reader, struct weir_retention *out,
                                       struct weir_error *error)
{
    static const char select[] = "SELECT value FROM settings WHERE name = ?";
    int64_t rows = 0, bodies = 0;
    enum weir_status status = db_int(&reader->db, &rows, error, select, "t", "keep_rows_days");
    if (!status) status = db_int(&reader->db, &bodies, error, select, "t", "keep_bodies_days");
    if (!status) *out = (struct weir_retention){(uint32_t)rows, (uint32_t)bodies};
    return status;
}

struct retain {
    struct work work;
    struct weir_retention retention;
};

static enum weir_status put_setting(struct db *db, const char *name, uint32_t value, struct weir_error *error)
{
    return db_run(db, error, "INSERT INTO settings VALUES(?1, ?2) ON CONFLICT(name) DO UPDATE SET value = ?2", "ti",
                  name, (int64_t)value);
}

static enum weir_status apply_retain(struct weir_ledger *ledger, struct work *work, struct weir_error *error)
{
    const struct retain *retain = (const struct retain *)work;
    struct db *db = &ledger->writer;
    bool is_empty = false; /* what a reader holds on to goes later */
    enum weir_status status = db_exec(db, "BEGIN IMMEDIATE", error);
    if (!status) status = put_setting(db, "keep_rows_days", retain->retention.rows_days, error);
    if (!status) status = put_setting(db, "keep_bodies_days", retain->retention.bodies_days, error);
    if (!status) status = forget_expired(db, ledger_now_ms(ledger), error);
    if (!status) status = db_exec(db, "COMMIT", error);
    if (status)
        db_rollback(db);
    else
        status = empty_log(db, &is_empty, error);
    return status;
}

enum weir_status weir_ledger_retain(struct weir_ledger *ledger, struct weir_retention retention,
                                    struct weir_error *error)
{
    if (retention.rows_days > RETENTION_DAYS_MAX || retention.bodies_days > RETENTION_DAYS_MAX)
        return error_set(error, WEIR_ERR_INVALID, "rows are kept at most %d days, or for ever (0)", RETENTION_DAYS_MAX);
    struct retain retain = {.work = {.apply = apply_retain, .is_money = true, .is_alone = true},
                            .retention = retention};
    return work_wait(ledger, &retain.work, error);
}
