/* Does everything in the file agree? And: putting days right after a wrong clock. */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "ledger/ledger_internal.h"
#include "ledger/reader.h"

/* Each selects one text a problem. */
static const char *const checks[] = {
    "SELECT 'table ' || \"table\" || ': row ' || coalesce(rowid, '') || ' refers to nothing' FROM "
    "pragma_foreign_key_check",
    "SELECT 'run ' || id || ': reserved ' || reserved_usd_e6 || ', its open calls ' || sum FROM (SELECT runs.id, "
    "runs.reserved_usd_e6, (SELECT coalesce(sum(c.reserved_usd_e6), 0) FROM calls AS c WHERE c.run = runs.id AND "
    "state = 'open') AS sum FROM runs) WHERE sum <> reserved_usd_e6",
    "SELECT 'run ' || id || ': spent ' || spent_usd_e6 || ', its calls ' || sum FROM (SELECT runs.id, "
    "runs.spent_usd_e6, (SELECT coalesce(sum(cost_usd_e6), 0) FROM calls WHERE calls.run = runs.id) AS sum FROM runs) "
    "WHERE sum <> spent_usd_e6",
    "SELECT 'task ' || task || ', day ' || day || ': spent ' || spent || ', its calls ' || sum FROM (SELECT task, day, "
    "sum(spent) AS spent, sum(sum) AS sum FROM (SELECT task, day, spent_usd_e6 AS spent, 0 AS sum FROM spending "
    "UNION ALL SELECT task, day, 0, cost_usd_e6 FROM calls) GROUP BY task, day) WHERE sum <> spent",
    "SELECT 'task ' || task || ', day ' || day || ': reserved ' || spent || ', its calls ' || sum FROM (SELECT task, "
    "day, sum(spent) AS spent, sum(sum) AS sum FROM (SELECT task, day, reserved_usd_e6 AS spent, 0 AS sum FROM "
    "spending "
    "UNION ALL SELECT task, day, 0, reserved_usd_e6 FROM calls WHERE state = 'open') GROUP BY task, day) "
    "WHERE sum <> spent",
    "SELECT 'call ' || id || ': ' || state || ' at ' || cost_usd_e6 || ', reserved ' || reserved_usd_e6 FROM calls "
    "WHERE "
    "(state IN ('unknown', 'lost') AND cost_usd_e6 <> reserved_usd_e6) OR (state IN ('open', 'released') AND "
    "cost_usd_e6 <> 0)",
    "SELECT 'row ' || id || ': not queued, and without a decision' FROM rows WHERE outcome IN ('answered', "
    "'abstained') "
    "AND NOT EXISTS (SELECT 1 FROM decisions WHERE row = rows.id)",
};

static enum weir_status first_problem(struct db *db, const char *sql, struct weir_error *error)
{
    sqlite3_stmt *row = NULL;
    bool has_row = false;
    enum weir_status status = db_prepare(db, &row, error, sql, "");
    if (!status) status = db_step(db, row, &has_row, error);
    if (!status && has_row)
        status = error_set(error, WEIR_ERR_FORMAT, "%s: %s", db->path, (const char *)sqlite3_column_text(row, 0));
    db_reset(row);
    return status;
}

static enum weir_status check_pages(struct db *db, struct weir_error *error)
{
    sqlite3_stmt *row = NULL;
    bool has_row = false;
    enum weir_status status = db_prepare(db, &row, error, "PRAGMA integrity_check(1)", "");
    if (!status) status = db_step(db, row, &has_row, error);
    const char *text = status || !has_row ? NULL : (const char *)sqlite3_column_text(row, 0);
    if (!status && (!text || strcmp(text, "ok") != 0))
        status = error_set(error, WEIR_ERR_FORMAT, "%s: damaged: %s", db->path, text ? text : "");
    db_reset(row);
    return status;
}

enum weir_status weir_ledger_check(struct weir_ledger_reader *reader, struct weir_error *error)
{
    enum weir_status status = db_exec(&reader->db, "BEGIN", error);
    if (!status) status = check_pages(&reader->db, error);
    for (size_t i = 0; i < sizeof checks / sizeof checks[0] && !status; i++)
        status = first_problem(&reader->db, checks[i], error);
    db_rollback(&reader->db);
    return status;
}

/* ---- days to come -------------------------------------------------------------------------------------------------- */

struct reset_day {
    struct work work;
    int64_t calls;
};

static enum weir_status apply_reset_day(struct weir_ledger *ledger, struct work *work, struct weir_error *error)
{
    struct reset_day *reset = (struct reset_day *)work;
    struct db *db = &ledger->writer;
    int64_t today = ledger_today(ledger);
    enum weir_status status = db_int(db, &reset->calls, error, "SELECT count(*) FROM calls WHERE day > ?", "i", today);
    if (!status)
        status = db_run(db, error,
                        "INSERT INTO spending SELECT task, ?1, sum(reserved_usd_e6), sum(spent_usd_e6) FROM spending "
                        "WHERE day > ?1 GROUP BY task ON CONFLICT(task, day) DO UPDATE SET "
                        "reserved_usd_e6 = reserved_usd_e6 + excluded.reserved_usd_e6, "
                        "spent_usd_e6 = spent_usd_e6 + excluded.spent_usd_e6",
                        "i", today);
    if (!status) status = db_run(db, error, "DELETE FROM spending WHERE day > ?", "i", today);
    if (!status) status = db_run(db, error, "UPDATE calls SET day = ?1 WHERE day > ?1", "i", today);
    if (!status)
        status =
            db_run(db, error, "UPDATE settings SET value = ?1 WHERE name = 'latest_day' AND value > ?1", "i", today);
    return status;
}

enum weir_status weir_ledger_reset_day(struct weir_ledger *ledger, size_t *calls, struct weir_error *error)
{
    struct reset_day reset = {.work = {.apply = apply_reset_day, .is_money = true}};
    enum weir_status status = work_wait(ledger, &reset.work, error);
    if (!status && calls) *calls = (size_t)reset.calls;
    return status;
}
