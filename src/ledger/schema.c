#include "ledger/schema.h"

#include <inttypes.h>

#include "base/error.h"

/* Money is in micro-dollars, times in milliseconds since 1970 UTC, days in days since then, keys and hashes are blobs of 32 bytes.
 *
 *   tasks <- versions <- runs <- rows <- decisions (one a tier and question), outputs, bodies, feedback
 *                             <- calls (money); closed_tiers
 *   spending: what calls of a task and day add up to, kept so that a reservation need not add them up.
 *
 * Always: runs.reserved = sum of reservations of its open calls; runs.spent = sum of costs of its other calls; spending likewise by task and
 * day. weir_ledger_check adds them up. Forgetting a row leaves its calls, without their key. */
static const char version_1[] =
    "CREATE TABLE settings(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE tasks(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;"
    "CREATE TABLE versions(id INTEGER PRIMARY KEY, task INTEGER NOT NULL REFERENCES tasks, hash TEXT NOT NULL UNIQUE,"
    "  questions TEXT NOT NULL, stores_bodies INTEGER NOT NULL) STRICT;"
    "CREATE TABLE runs(id INTEGER PRIMARY KEY AUTOINCREMENT, version INTEGER NOT NULL REFERENCES versions,"
    "  source TEXT NOT NULL, model TEXT NOT NULL, profile TEXT NOT NULL,"
    "  state TEXT NOT NULL CHECK(state IN ('open','finished','abandoned')),"
    "  outputs_kept INTEGER NOT NULL DEFAULT 0, resumptions INTEGER NOT NULL DEFAULT 0,"
    "  started_ms INTEGER NOT NULL, finished_ms INTEGER, limit_usd_e6 INTEGER,"
    "  reserved_usd_e6 INTEGER NOT NULL DEFAULT 0 CHECK(reserved_usd_e6 >= 0),"
    "  spent_usd_e6 INTEGER NOT NULL DEFAULT 0 CHECK(spent_usd_e6 >= 0)) STRICT;"
    "CREATE INDEX runs_by_source ON runs(version, source);"
    "CREATE TABLE spending(task INTEGER NOT NULL REFERENCES tasks, day INTEGER NOT NULL,"
    "  reserved_usd_e6 INTEGER NOT NULL DEFAULT 0 CHECK(reserved_usd_e6 >= 0),"
    "  spent_usd_e6 INTEGER NOT NULL DEFAULT 0 CHECK(spent_usd_e6 >= 0), PRIMARY KEY(task, day)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX spending_by_day ON spending(day);"
    "CREATE TABLE calls(id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES runs,"
    "  task INTEGER NOT NULL REFERENCES tasks, day INTEGER NOT NULL, key BLOB, tier TEXT NOT NULL, model TEXT NOT NULL,"
    "  attempt INTEGER NOT NULL, state TEXT NOT NULL CHECK(state IN ('open','settled','released','unknown','lost')),"
    "  reserved_usd_e6 INTEGER NOT NULL CHECK(reserved_usd_e6 >= 0),"
    "  cost_usd_e6 INTEGER NOT NULL DEFAULT 0 CHECK(cost_usd_e6 >= 0),"
    "  tokens_in INTEGER NOT NULL DEFAULT 0, tokens_cached INTEGER NOT NULL DEFAULT 0,"
    "  tokens_out INTEGER NOT NULL DEFAULT 0, latency_ms REAL, note TEXT, time_ms INTEGER NOT NULL, end_ms INTEGER) "
    "STRICT;"
    "CREATE INDEX calls_open ON calls(id) WHERE state = 'open';"
    "CREATE INDEX calls_of_row ON calls(run, key) WHERE key IS NOT NULL;"
    "CREATE TABLE closed_tiers(run INTEGER NOT NULL REFERENCES runs, tier TEXT NOT NULL, call INTEGER NOT NULL,"
    "  PRIMARY KEY(run, tier)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE rows(id INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL REFERENCES runs, key BLOB NOT NULL,"
    "  input_hash BLOB NOT NULL, row_id TEXT NOT NULL, line INTEGER NOT NULL,"
    "  outcome TEXT NOT NULL CHECK(outcome IN ('answered','abstained','queued','error')),"
    "  is_escalated INTEGER NOT NULL, tier TEXT NOT NULL, reason TEXT NOT NULL, cost_usd_e6 INTEGER NOT NULL,"
    "  frontier_usd_e6 INTEGER, latency_ms REAL, attempts INTEGER NOT NULL, time_ms INTEGER NOT NULL,"
    "  UNIQUE(run, key)) STRICT;"
    "CREATE INDEX rows_by_id ON rows(row_id);"
    "CREATE INDEX rows_by_text ON rows(run, input_hash);"
    "CREATE TABLE decisions(row INTEGER NOT NULL REFERENCES rows, step INTEGER NOT NULL, question TEXT NOT NULL,"
    "  is_final INTEGER NOT NULL, tier TEXT NOT NULL, model TEXT NOT NULL, prompt_version TEXT NOT NULL, value TEXT,"
    "  probability REAL, verdict TEXT NOT NULL CHECK(verdict IN ('accepted','abstained','escalated','check','failed')),"
    "  reason TEXT NOT NULL, cost_usd_e6 INTEGER NOT NULL, latency_ms REAL, tokens_in INTEGER NOT NULL,"
    "  tokens_cached INTEGER NOT NULL, tokens_out INTEGER NOT NULL, attempts INTEGER NOT NULL,"
    "  PRIMARY KEY(row, step)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE outputs(row INTEGER PRIMARY KEY REFERENCES rows, has_text INTEGER NOT NULL, line TEXT NOT NULL) "
    "STRICT;"
    "CREATE TABLE bodies(row INTEGER PRIMARY KEY REFERENCES rows, text TEXT NOT NULL) STRICT;"
    "CREATE TABLE feedback(id INTEGER PRIMARY KEY, row INTEGER NOT NULL REFERENCES rows, question TEXT NOT NULL,"
    "  label TEXT NOT NULL, text TEXT, time_ms INTEGER NOT NULL, UNIQUE(row, question)) STRICT;"
    "CREATE TABLE replies(key BLOB PRIMARY KEY, task INTEGER NOT NULL REFERENCES tasks, input_hash BLOB NOT NULL,"
    "  reply TEXT NOT NULL, time_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX replies_by_text ON replies(input_hash);"
    "CREATE VIEW decision_rows AS SELECT rows.id AS number, runs.id AS run, lower(hex(rows.key)) AS row_key, "
    "runs.source,"
    "  rows.row_id, rows.line, tasks.name AS task, versions.hash AS task_hash, runs.profile,"
    "  runs.model AS model_fingerprint, decisions.prompt_version, decisions.question, decisions.is_final,"
    "  decisions.tier, decisions.model, decisions.value, decisions.probability, decisions.verdict, decisions.reason,"
    "  decisions.cost_usd_e6, decisions.latency_ms, decisions.tokens_in, decisions.tokens_cached, decisions.tokens_out,"
    "  decisions.attempts, strftime('%Y-%m-%dT%H:%M:%SZ', rows.time_ms / 1000, 'unixepoch') AS time, rows.outcome,"
    "  rows.is_escalated FROM decisions JOIN rows ON rows.id = decisions.row JOIN runs ON runs.id = rows.run"
    "  JOIN versions ON versions.id = runs.version JOIN tasks ON tasks.id = versions.task;";

/* steps[v] makes version v + 1 of version v; version 0 is an empty database. */
static const char *const steps[SCHEMA_VERSION] = {version_1};

static enum weir_status read_marks(struct db *db, int64_t *application, int64_t *version, int64_t *tables,
                                   struct weir_error *error)
{
    enum weir_status status = db_int(db, application, error, "PRAGMA application_id", "");
    if (!status) status = db_int(db, version, error, "PRAGMA user_version", "");
    if (!status) status = db_int(db, tables, error, "SELECT count(*) FROM sqlite_schema", "");
    return status;
}

static enum weir_status check(struct db *db, bool may_be_empty, struct weir_error *error)
{
    int64_t application = 0, version = 0, tables = 0;
    enum weir_status status = read_marks(db, &application, &version, &tables, error);
    if (status) return status;
    if (!application && !version && !tables && may_be_empty) return WEIR_OK;
    if (application != SCHEMA_APPLICATION_ID)
        return error_set(error, WEIR_ERR_REFUSED,
                         "%s: not a ledger of weir (application id 0x%08" PRIx64 ", expected 0x%08x)", db->path,
                         (uint64_t)application, (unsigned)SCHEMA_APPLICATION_ID);
    if (version > SCHEMA_VERSION)
        return error_set(error, WEIR_ERR_UNSUPPORTED,
                         "%s: made by a newer weir: version %" PRId64 " of its tables, this one knows %d", db->path,
                         version, SCHEMA_VERSION);
    if (version < 1)
        return error_set(error, WEIR_ERR_FORMAT, "%s: version %" PRId64 " of its tables does not exist", db->path,
                         version);
    return WEIR_OK;
}

enum weir_status schema_check(struct db *db, struct weir_error *error)
{
    return check(db, false, error);
}

enum weir_status schema_check_or_empty(struct db *db, struct weir_error *error)
{
    return check(db, true, error);
}

/* The marks are part of the transaction: a kill leaves an empty database or a whole ledger. */
static enum weir_status migrate_from(struct db *db, int64_t version, struct weir_error *error)
{
    enum weir_status status = db_exec(db, "BEGIN IMMEDIATE", error);
    for (int64_t v = version; v < SCHEMA_VERSION && !status; v++) status = db_exec(db, steps[v], error);
    if (!status) status = db_exec(db, "PRAGMA application_id=0x77656972; PRAGMA user_version=1", error);
    if (!status) status = db_exec(db, "COMMIT", error);
    if (status) db_rollback(db);
    return status;
}

enum weir_status schema_migrate(struct db *db, struct weir_error *error)
{
    int64_t version = 0;
    enum weir_status status = db_int(db, &version, error, "PRAGMA user_version", "");
    if (status || version == SCHEMA_VERSION) return status;
    return migrate_from(db, version, error);
}
