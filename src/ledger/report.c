/* Reports and single rows, as JSON that SQLite makes. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "ledger/reader.h"
#include "ledger/select.h"

enum { REPORT_BYTES_MAX = 64 << 20 };

/* ---- counts, cost, latency ----------------------------------------------------------------------------------------- */

#define JOINED                                                                          \
    "rows JOIN runs ON runs.id = rows.run JOIN versions ON versions.id = runs.version " \
    "JOIN tasks ON tasks.id = versions.task "
#define WANTED                                                                                                 \
    "WHERE (?1 IS NULL OR tasks.name = ?1) AND (?2 IS NULL OR runs.source = ?2) AND (?3 = 0 OR runs.id = ?3) " \
    "AND rows.time_ms >= ?4 AND (?5 = 0 OR rows.time_ms < ?5) "

/* r(name, question, outcome, is_escalated, cost, frontier, latency): one line a row, or a row's final decision. */
#define ROWS_BY(name)                                                                                    \
    "WITH r AS (SELECT " name " AS name, NULL AS question, outcome, is_escalated, cost_usd_e6 AS cost, " \
    "frontier_usd_e6 AS frontier, latency_ms AS latency FROM " JOINED WANTED ")"
#define DECISIONS_BY_CLASS                                                                                          \
    "WITH r AS (SELECT d.value AS name, d.question AS question, CASE d.verdict WHEN 'accepted' THEN 'answered' "    \
    "WHEN 'failed' THEN 'error' ELSE iif(rows.outcome = 'queued', 'queued', 'abstained') END AS outcome, "          \
    "EXISTS (SELECT 1 FROM decisions AS e WHERE e.row = d.row AND e.question = d.question AND e.verdict = "         \
    "'escalated') AS is_escalated, (SELECT sum(cost_usd_e6) FROM decisions AS e WHERE e.row = d.row AND "           \
    "e.question = d.question) AS cost, frontier_usd_e6 / (SELECT count(*) FROM decisions AS e WHERE e.row = d.row " \
    "AND e.is_final) AS frontier, d.latency_ms AS latency "                                                         \
    "FROM " JOINED "JOIN decisions AS d ON d.row = rows.id AND d.is_final " WANTED ")"

/* Quantiles are nearest-rank (quantile.h). shown: the name as it is printed. */
#define GROUPED(shown)                                                                                                 \
    "SELECT json_group_array(json(line)) FROM (SELECT json_object('name', " shown ", 'question', question, "           \
    "'rows', count(*), 'local', sum(outcome = 'answered' AND NOT is_escalated), "                                      \
    "'escalated', sum(outcome = 'answered' AND is_escalated), 'abstained', sum(outcome = 'abstained'), "               \
    "'queued', sum(outcome = 'queued'), 'errors', sum(outcome = 'error'), 'cost_usd_e6', sum(cost), "                  \
    "'estimated_rows', count(frontier), 'frontier_only_cost_usd_e6', sum(frontier), "                                  \
    "'saved_usd_e6', sum(frontier - cost), 'p50_ms', quantile(latency, 50), 'p99_ms', quantile(latency, 99)) AS line " \
    "FROM r GROUP BY name, question ORDER BY question, name)"

static const char report_total[] = ROWS_BY("NULL") GROUPED("NULL");
static const char report_days[] =
    ROWS_BY("rows.time_ms / 86400000") GROUPED("strftime('%Y-%m-%d', name * 86400, 'unixepoch')");
static const char report_tiers[] = ROWS_BY("rows.tier") GROUPED("name");
static const char report_classes[] = DECISIONS_BY_CLASS GROUPED("name");

/* ---- money --------------------------------------------------------------------------------------------------------- */

static const char report_calls[] =
    "SELECT json_group_array(json(line)) FROM (SELECT json_object('tier', calls.tier, 'model', calls.model, 'end', "
    "calls.state, "
    "'calls', count(*), 'reserved_usd_e6', sum(calls.reserved_usd_e6), 'cost_usd_e6', sum(calls.cost_usd_e6), "
    "'over', sum(calls.cost_usd_e6 > calls.reserved_usd_e6), 'tokens_in', sum(calls.tokens_in), "
    "'tokens_cached', sum(calls.tokens_cached), 'tokens_out', sum(calls.tokens_out)) AS line "
    "FROM calls JOIN runs ON runs.id = calls.run JOIN tasks ON tasks.id = calls.task "
    "WHERE (?1 IS NULL OR tasks.name = ?1) AND (?2 IS NULL OR runs.source = ?2) AND (?3 = 0 OR runs.id = ?3) "
    "AND calls.time_ms >= ?4 AND (?5 = 0 OR calls.time_ms < ?5) "
    "GROUP BY calls.tier, calls.model, calls.state ORDER BY calls.tier, calls.model, calls.state)";

static const char report_runs[] =
    "SELECT json_group_array(json(line)) FROM (SELECT json_object('run', runs.id, 'task', tasks.name, 'task_hash', "
    "versions.hash, "
    "'source', runs.source, 'state', runs.state, 'resumptions', runs.resumptions, 'started', "
    "strftime('%Y-%m-%dT%H:%M:%SZ', runs.started_ms / 1000, 'unixepoch'), 'finished', "
    "strftime('%Y-%m-%dT%H:%M:%SZ', runs.finished_ms / 1000, 'unixepoch'), 'limit_usd_e6', runs.limit_usd_e6, "
    "'spent_usd_e6', runs.spent_usd_e6, 'reserved_usd_e6', runs.reserved_usd_e6, 'closed_tiers', "
    "(SELECT json_group_array(tier) FROM closed_tiers WHERE closed_tiers.run = runs.id)) AS line "
    "FROM runs JOIN versions ON versions.id = runs.version JOIN tasks ON tasks.id = versions.task "
    "WHERE (?1 IS NULL OR tasks.name = ?1) AND (?2 IS NULL OR runs.source = ?2) AND (?3 = 0 OR runs.id = ?3) "
    "AND coalesce(runs.finished_ms, runs.started_ms) >= ?4 AND (?5 = 0 OR runs.started_ms < ?5) "
    "ORDER BY runs.id DESC LIMIT 100)";

/* The day of the latest reservation, which may be ahead of a clock that was set back. */
static const char report_today[] =
    "SELECT json_object('day', strftime('%Y-%m-%d', value * 86400, 'unixepoch'), 'spent_usd_e6', "
    "(SELECT coalesce(sum(spent_usd_e6), 0) FROM spending WHERE day = value), 'reserved_usd_e6', "
    "(SELECT coalesce(sum(reserved_usd_e6), 0) FROM spending WHERE day = value)) "
    "FROM settings WHERE name = 'latest_day'";

static const char report_retention[] =
    "SELECT json_object('rows_days', (SELECT value FROM settings WHERE name = 'keep_rows_days'), "
    "'bodies_days', (SELECT value FROM settings WHERE name = 'keep_bodies_days'))";

/* ---- putting it together ------------------------------------------------------------------------------------------- */

static enum weir_status add_part(struct db *db, struct strbuf *out, const char *name, const char *sql,
                                 const char *types, const struct weir_ledger_filter *f, struct weir_error *error)
{
    sqlite3_stmt *row = NULL;
    bool has_row = false;
    enum weir_status status =
        db_prepare(db, &row, error, sql, types, f->task, f->source, f->run, f->since_ms, f->until_ms);
    if (!status) status = db_step(db, row, &has_row, error);
    const char *json = status || !has_row ? NULL : (const char *)sqlite3_column_text(row, 0);
    if (!status && has_row && !json) status = error_nomem(error, "report of a ledger"); /* no part is ever NULL */
    if (!status) {
        status = strbuf_printf(out, "%s\"%s\":%s", out->size > 1 ? "," : "", name, json ? json : "null");
        if (status) error_set(error, status, "report of a ledger: %s", weir_status_text(status));
    }
    db_reset(row);
    return status;
}

enum weir_status weir_ledger_report(struct weir_ledger_reader *reader, const struct weir_ledger_filter *filter,
                                    char **json, struct weir_error *error)
{
    static const struct weir_ledger_filter everything = {0};
    const struct weir_ledger_filter *f = filter ? filter : &everything;
    static const struct {
        const char *name, *sql, *types;
    } parts[] = {{"total", report_total, "ttiii"},      {"by_day", report_days, "ttiii"},
                 {"by_class", report_classes, "ttiii"}, {"by_tier", report_tiers, "ttiii"},
                 {"calls", report_calls, "ttiii"},      {"runs", report_runs, "ttiii"},
                 {"today", report_today, ""},           {"retention", report_retention, ""}};
    struct strbuf out = STRBUF_MAX(REPORT_BYTES_MAX);
    enum weir_status status = db_exec(&reader->db, "BEGIN", error); /* one moment for all parts */
    if (!status && strbuf_text(&out, "{")) status = error_nomem(error, "report of a ledger");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && !status; i++)
        status = add_part(&reader->db, &out, parts[i].name, parts[i].sql, parts[i].types, f, error);
    if (!status && strbuf_text(&out, "}")) status = error_nomem(error, "report of a ledger");
    db_rollback(&reader->db);
    if (status) {
        strbuf_free(&out);
        return status;
    }
    *json = out.data;
    return WEIR_OK;
}

/* ---- single rows --------------------------------------------------------------------------------------------------- */

static const char show_rows[] =
    "SELECT json_object('number', rows.id, 'id', rows.row_id, 'task', tasks.name, 'task_hash', versions.hash, "
    "'run', runs.id, 'row_key', lower(hex(rows.key)), 'source', runs.source, 'line', nullif(rows.line, 0), "
    "'input_hash', lower(hex(rows.input_hash)), 'profile', runs.profile, 'model_fingerprint', runs.model, "
    "'time', strftime('%Y-%m-%dT%H:%M:%SZ', rows.time_ms / 1000, 'unixepoch'), 'outcome', rows.outcome, "
    "'reason', rows.reason, 'tier', nullif(rows.tier, ''), "
    "'escalated', json(iif(rows.is_escalated, 'true', 'false')), 'cost_usd_e6', rows.cost_usd_e6, "
    "'frontier_only_cost_usd_e6', rows.frontier_usd_e6, 'latency_ms', rows.latency_ms, 'attempts', rows.attempts, "
    "'decisions', json((SELECT json_group_array(json_object('question', question, 'tier', d.tier, 'model', d.model, "
    "  'prompt_version', prompt_version, 'value', value, 'probability', probability, 'verdict', verdict, "
    "  'reason', d.reason, 'final', json(iif(is_final, 'true', 'false')), 'cost_usd_e6', d.cost_usd_e6, "
    "  'latency_ms', d.latency_ms, 'tokens', json_object('in', tokens_in, 'cached', tokens_cached, 'out', tokens_out), "
    "  'attempts', d.attempts)) FROM (SELECT * FROM decisions WHERE row = rows.id ORDER BY step) AS d)), "
    "'calls', json((SELECT json_group_array(json_object('call', c.id, 'tier', c.tier, 'model', c.model, "
    "  'attempt', c.attempt, 'end', c.state, 'reserved_usd_e6', c.reserved_usd_e6, 'cost_usd_e6', c.cost_usd_e6, "
    "  'tokens', json_object('in', c.tokens_in, 'cached', c.tokens_cached, 'out', c.tokens_out), "
    "  'latency_ms', c.latency_ms, 'note', c.note, 'day', strftime('%Y-%m-%d', c.day * 86400, 'unixepoch'), "
    "  'time', strftime('%Y-%m-%dT%H:%M:%SZ', c.time_ms / 1000, 'unixepoch'))) "
    "  FROM (SELECT * FROM calls WHERE calls.run = rows.run AND calls.key = rows.key ORDER BY id) AS c)), "
    "'feedback', json((SELECT json_group_object(question, label) FROM feedback WHERE feedback.row = rows.id)), "
    "'text', (SELECT text FROM bodies WHERE bodies.row = rows.id), "
    "'output', (SELECT line FROM outputs WHERE outputs.row = rows.id)) "
    "FROM " JOINED WANTED "AND (?6 IS NULL OR rows.row_id = ?6) AND (?7 = 0 OR rows.id = ?7) ORDER BY rows.id DESC";

static enum weir_status visit_rows(struct db *db, sqlite3_stmt *rows, weir_ledger_visit *visit, void *context,
                                   size_t *count, struct weir_error *error)
{
    bool has_row = false;
    enum weir_status status = db_step(db, rows, &has_row, error);
    while (!status && has_row) {
        const char *json = (const char *)sqlite3_column_text(rows, 0);
        if (!json) return error_nomem(error, "a row of the ledger");
        ++*count;
        if (!visit(context, json)) return error_set(error, WEIR_ERR_CANCELLED, "cancelled");
        status = db_step(db, rows, &has_row, error);
    }
    return status;
}

enum weir_status weir_ledger_show(struct weir_ledger_reader *reader, const char *id,
                                  const struct weir_ledger_filter *filter, weir_ledger_visit *visit, void *context,
                                  struct weir_error *error)
{
    static const struct weir_ledger_filter everything = {0};
    const struct weir_ledger_filter *f = filter ? filter : &everything;
    struct row_name name = row_name_of(id);
    sqlite3_stmt *rows = NULL;
    size_t count = 0;
    enum weir_status status = db_prepare(&reader->db, &rows, error, show_rows, "ttiiiti", f->task, f->source, f->run,
                                         f->since_ms, f->until_ms, name.id, name.number);
    if (!status) status = visit_rows(&reader->db, rows, visit, context, &count, error);
    db_reset(rows);
    if (!status && !count)
        status = error_set(error, WEIR_ERR_NOT_FOUND, "%s: no row of this id in %s", id ? id : "", reader->db.path);
    return status;
}
