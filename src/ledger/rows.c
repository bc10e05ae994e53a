/* Rows and what was decided about them: recorded by the writer, found again by a run that goes on. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "ledger/ledger_internal.h"

static const char *const outcome_names[] = {[WEIR_ROW_ANSWERED] = "answered",
                                            [WEIR_ROW_ABSTAINED] = "abstained",
                                            [WEIR_ROW_QUEUED] = "queued",
                                            [WEIR_ROW_ERROR] = "error"};
static const char *const verdict_names[] = {[WEIR_VERDICT_ACCEPTED] = "accepted",
                                            [WEIR_VERDICT_ABSTAINED] = "abstained",
                                            [WEIR_VERDICT_ESCALATED] = "escalated",
                                            [WEIR_VERDICT_CHECK] = "check",
                                            [WEIR_VERDICT_FAILED] = "failed"};

/* A row on its way to the file, in one piece of memory: the struct, its decisions, its settlements, their texts. */
struct record {
    struct work work;
    struct weir_ledger_row row; /* of copies */
    int64_t time_ms;
    struct weir_ledger_decision *decisions;
    struct weir_settlement *settlements;
};

/* ---- copying ------------------------------------------------------------------------------------------------------- */

/* Counts the bytes first (base NULL), then copies them. */
struct pack {
    char *base;
    size_t used;
};

static const char *pack_bytes(struct pack *pack, const char *bytes, size_t size)
{
    char *at = pack->base ? pack->base + pack->used : NULL;
    pack->used += size + 1;
    if (!at) return NULL;
    if (size) memcpy(at, bytes, size);
    at[size] = '\0';
    return at;
}

static const char *pack_text(struct pack *pack, const char *text)
{
    return text ? pack_bytes(pack, text, strlen(text)) : NULL;
}

static struct weir_string pack_string(struct pack *pack, struct weir_string text)
{
    return text.data ? (struct weir_string){pack_bytes(pack, text.data, text.size), text.size} : text;
}

static void pack_decision(struct pack *pack, const struct weir_ledger_decision *from, struct weir_ledger_decision *to)
{
    *to = *from;
    to->question = pack_text(pack, from->question);
    to->tier = pack_text(pack, from->tier);
    to->model = pack_text(pack, from->model);
    to->prompt_version = pack_text(pack, from->prompt_version);
    to->value = pack_text(pack, from->value);
    to->reason = pack_text(pack, from->reason);
}

static void pack_texts(struct pack *pack, const struct weir_ledger_row *row, struct record *to)
{
    struct weir_ledger_decision decision;
    struct weir_settlement settlement;
    to->row.key = pack_text(pack, row->key);
    to->row.input_hash = pack_text(pack, row->input_hash);
    to->row.id = pack_string(pack, row->id);
    to->row.tier = pack_text(pack, row->tier);
    to->row.reason = pack_text(pack, row->reason);
    to->row.text = pack_string(pack, row->text);
    to->row.output = pack_string(pack, row->output);
    for (size_t i = 0; i < row->n_decisions; i++)
        pack_decision(pack, &row->decisions[i], pack->base ? &to->decisions[i] : &decision);
    for (size_t i = 0; i < row->n_settlements; i++) {
        struct weir_settlement *copy = pack->base ? &to->settlements[i] : &settlement;
        *copy = row->settlements[i];
        copy->note = pack_text(pack, row->settlements[i].note);
    }
}

static struct record *copy_row(const struct weir_ledger_row *row)
{
    struct record counted = {.row = *row};
    struct pack pack = {0};
    pack_texts(&pack, row, &counted);
    size_t decisions = sizeof *row->decisions * row->n_decisions;
    size_t settlements = sizeof *row->settlements * row->n_settlements;
    size_t size = sizeof counted + decisions + settlements + pack.used;
    struct record *record = mem_zero(1, size);
    if (!record) return NULL;
    void *after_record = record + 1, *after_decisions = (char *)after_record + decisions;
    record->row = *row;
    record->decisions = after_record;
    record->settlements = after_decisions;
    pack = (struct pack){.base = (char *)after_decisions + settlements};
    pack_texts(&pack, row, record);
    record->row.decisions = record->decisions;
    record->row.settlements = record->settlements;
    record->work.bytes = size;
    return record;
}

/* ---- recording ----------------------------------------------------------------------------------------------------- */

/* The row's number into *number; 0: the run has it already. A queued row is taken over: its number stays, what was paid for it adds up. */
static enum weir_status put_row(struct db *db, const struct record *record, int64_t *number, struct weir_error *error)
{
    const struct weir_ledger_row *row = &record->row;
    *number = 0;
    return db_int(
        db, number, error,
        "INSERT INTO rows(run, key, input_hash, row_id, line, outcome, is_escalated, tier, reason, cost_usd_e6, "
        "frontier_usd_e6, latency_ms, attempts, time_ms) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, iif(?11 < 0, NULL, ?11), ?, ?, ?) ON CONFLICT(run, key) DO UPDATE SET "
        "outcome = excluded.outcome, is_escalated = excluded.is_escalated, tier = excluded.tier, "
        "reason = excluded.reason, cost_usd_e6 = rows.cost_usd_e6 + excluded.cost_usd_e6, "
        "frontier_usd_e6 = excluded.frontier_usd_e6, latency_ms = excluded.latency_ms, "
        "attempts = rows.attempts + excluded.attempts, time_ms = excluded.time_ms WHERE rows.outcome = 'queued' "
        "RETURNING id",
        "ihhsititti"
        "idii",
        row->run, row->key, row->input_hash, row->id, (int64_t)row->line, outcome_names[row->outcome],
        (int64_t)row->is_escalated, row->tier, row->reason, row->cost_usd_e6, row->frontier_usd_e6, row->latency_ms,
        (int64_t)row->attempts, record->time_ms);
}

/* The last decision of its question that is no check. */
static bool is_final(const struct weir_ledger_row *row, size_t at)
{
    if (row->decisions[at].verdict == WEIR_VERDICT_CHECK) return false;
    for (size_t i = at + 1; i < row->n_decisions; i++)
        if (row->decisions[i].verdict != WEIR_VERDICT_CHECK &&
            strcmp(row->decisions[i].question, row->decisions[at].question) == 0)
            return false;
    return true;
}

static enum weir_status put_decision(struct db *db, const struct weir_ledger_row *row, size_t at, int64_t number,
                                     struct weir_error *error)
{
    const struct weir_ledger_decision *d = &row->decisions[at];
    return db_run(
        db, error,
        "INSERT INTO decisions(row, step, question, is_final, tier, model, prompt_version, value, probability, "
        "verdict, reason, cost_usd_e6, latency_ms, tokens_in, tokens_cached, tokens_out, attempts) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "iititttt"
        "dttidiiii",
        number, (int64_t)at, d->question, (int64_t)is_final(row, at), d->tier, d->model, d->prompt_version, d->value,
        d->probability, verdict_names[d->verdict], d->reason, d->cost_usd_e6, d->latency_ms, (int64_t)d->tokens_in,
        (int64_t)d->tokens_cached, (int64_t)d->tokens_out, (int64_t)d->attempts);
}

/* A queued row that is taken over leaves what was there of it. */
static enum weir_status clear_row(struct db *db, int64_t number, struct weir_error *error)
{
    enum weir_status status = db_run(db, error, "DELETE FROM decisions WHERE row = ?", "i", number);
    if (!status) status = db_run(db, error, "DELETE FROM outputs WHERE row = ?", "i", number);
    if (!status) status = db_run(db, error, "DELETE FROM bodies WHERE row = ?", "i", number);
    return status;
}

static enum weir_status put_details(struct db *db, const struct weir_ledger_row *row, int64_t number,
                                    struct weir_error *error)
{
    enum weir_status status = clear_row(db, number, error);
    for (size_t i = 0; i < row->n_decisions && !status; i++) status = put_decision(db, row, i, number, error);
    if (!status && row->output.data)
        status = db_run(db, error, "INSERT INTO outputs VALUES(?, ?, ?)", "iis", number, (int64_t)row->output_has_text,
                        row->output);
    if (!status && row->text.data)
        status = db_run(db, error, "INSERT INTO bodies VALUES(?, ?)", "is", number, row->text);
    return status;
}

static enum weir_status apply_record(struct weir_ledger *ledger, struct work *work, struct weir_error *error)
{
    const struct record *record = (const struct record *)work;
    struct db *db = &ledger->writer;
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; i < record->row.n_settlements && !status; i++)
        status = money_settle(db, &record->row.settlements[i], record->time_ms, error);
    int64_t number = 0;
    if (!status) status = put_row(db, record, &number, error);
    if (status) return status;
    if (number) return put_details(db, &record->row, number, error);
    (void)pthread_mutex_lock(&ledger->mutex);
    ledger->repeated++;
    (void)pthread_mutex_unlock(&ledger->mutex);
    return WEIR_OK;
}

static enum weir_status check_decision(const struct weir_ledger_decision *d, struct weir_error *error)
{
    if (!d->question || !d->tier || !d->model || !d->prompt_version || !d->reason)
        return error_set(error, WEIR_ERR_INVALID, "a decision needs question, tier, model, prompt version and reason");
    if (d->verdict > WEIR_VERDICT_FAILED || d->cost_usd_e6 < 0 || d->cost_usd_e6 > LEDGER_USD_E6_MAX)
        return error_set(error, WEIR_ERR_INVALID, "a decision's cost is 0 to %" PRId64 " micro-dollars, found %" PRId64,
                         LEDGER_USD_E6_MAX, d->cost_usd_e6);
    return WEIR_OK;
}

static enum weir_status check_row(const struct weir_ledger_row *row, struct weir_error *error)
{
    if (!db_is_hash(row->key) || !db_is_hash(row->input_hash) || !row->id.data || !row->tier || !row->reason ||
        row->outcome > WEIR_ROW_ERROR)
        return error_set(error, WEIR_ERR_INVALID, "a row needs key, input hash, id, tier, reason and outcome");
    if (row->cost_usd_e6 < 0 || row->cost_usd_e6 > LEDGER_USD_E6_MAX || row->line > INT64_MAX)
        return error_set(error, WEIR_ERR_INVALID, "a row's cost is 0 to %" PRId64 " micro-dollars, found %" PRId64,
                         LEDGER_USD_E6_MAX, row->cost_usd_e6);
    if (row->text.size > LEDGER_TEXT_BYTES_MAX || row->output.size > LEDGER_TEXT_BYTES_MAX)
        return error_set(error, WEIR_ERR_LIMIT, "a text of the ledger has at most %d bytes", LEDGER_TEXT_BYTES_MAX);
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; i < row->n_decisions && !status; i++) status = check_decision(&row->decisions[i], error);
    return status;
}

enum weir_status weir_ledger_record(struct weir_ledger *ledger, const struct weir_ledger_row *row,
                                    struct weir_error *error)
{
    struct open_run run;
    enum weir_status status = check_row(row, error);
    if (status) return status;
    if (!run_find(ledger, row->run, &run)) return run_unknown(row->run, error);
    struct weir_ledger_row kept = *row;
    if (!run.stores_bodies) kept.text = (struct weir_string){NULL, 0};
    struct record *record = copy_row(&kept);
    if (!record) return error_nomem(error, "a row of the ledger");
    record->work.apply = apply_record;
    record->work.is_money = row->n_settlements > 0;
    record->time_ms = ledger_now_ms(ledger);
    (void)pthread_mutex_lock(&ledger->mutex);
    status = money_close_calls(ledger, row->settlements, row->n_settlements, NULL, error);
    (void)pthread_mutex_unlock(&ledger->mutex);
    if (!status) return work_add(ledger, &record->work, error);
    free(record);
    return status;
}

size_t weir_ledger_repeated(struct weir_ledger *ledger)
{
    (void)pthread_mutex_lock(&ledger->mutex);
    size_t repeated = ledger->repeated;
    (void)pthread_mutex_unlock(&ledger->mutex);
    return repeated;
}

/* ---- finding ------------------------------------------------------------------------------------------------------- */

void weir_ledger_found_free(struct weir_ledger_found *found)
{
    free(found->output);
    *found = (struct weir_ledger_found){0};
}

static enum weir_row_outcome outcome_of(const char *name)
{
    int i = WEIR_ROW_ERROR;
    while (i && strcmp(outcome_names[i], name) != 0) i--;
    return (enum weir_row_outcome)i;
}

/* Columns id, outcome, is_escalated, cost, line. */
static enum weir_status read_found(sqlite3_stmt *row, struct weir_ledger_found *out, struct weir_error *error)
{
    const char *outcome = (const char *)sqlite3_column_text(row, 1);
    if (!outcome) return error_nomem(error, "a row of the ledger");
    out->number = sqlite3_column_int64(row, 0);
    out->outcome = outcome_of(outcome);
    out->is_decided = out->outcome != WEIR_ROW_QUEUED;
    out->is_escalated = sqlite3_column_int(row, 2) != 0;
    out->cost_usd_e6 = sqlite3_column_int64(row, 3);
    return db_text(row, 4, &out->output, &out->output_size, error);
}

static enum weir_status find_lost(struct db *db, int64_t run, const char *key, struct weir_ledger_lost *lost,
                                  struct weir_error *error)
{
    int64_t calls = 0;
    enum weir_status status = db_int(
        db, &calls, error, "SELECT count(*) FROM calls WHERE run = ? AND key = ? AND state = 'lost'", "ih", run, key);
    if (!status && calls)
        status =
            db_int(db, &lost->usd_e6, error,
                   "SELECT sum(cost_usd_e6) FROM calls WHERE run = ? AND key = ? AND state = 'lost'", "ih", run, key);
    lost->calls = (size_t)calls;
    return status;
}

static const char select_key[] = "SELECT rows.id, outcome, is_escalated, cost_usd_e6, outputs.line FROM rows LEFT JOIN "
                                 "outputs ON outputs.row = rows.id "
                                 "WHERE run = ? AND key = ?";

static enum weir_status find_row(struct db *db, const char *sql, int64_t run, const char *hash,
                                 struct weir_ledger_found *out, struct weir_error *error)
{
    sqlite3_stmt *row = NULL;
    bool has_row = false;
    enum weir_status status = db_prepare(db, &row, error, sql, "ih", run, hash);
    if (!status) status = db_step(db, row, &has_row, error);
    if (!status && has_row) status = read_found(row, out, error);
    db_reset(row);
    return status;
}

enum weir_status weir_ledger_find(struct weir_ledger *ledger, int64_t run, const char *key,
                                  struct weir_ledger_found *out, struct weir_error *error)
{
    if (!db_is_hash(key)) return error_set(error, WEIR_ERR_INVALID, "a key is 64 hexadecimal digits");
    struct weir_ledger_found found = {0};
    reader_lock(ledger);
    enum weir_status status = find_row(&ledger->reader, select_key, run, key, &found, error);
    if (!status) status = find_lost(&ledger->reader, run, key, &found.lost, error);
    reader_unlock(ledger);
    if (status)
        weir_ledger_found_free(&found);
    else
        *out = found;
    return status;
}

static const char select_text[] =
    "SELECT rows.id, outcome, is_escalated, cost_usd_e6, outputs.line FROM rows LEFT JOIN outputs ON outputs.row = "
    "rows.id "
    "WHERE run = ? AND input_hash = ? AND outcome = 'answered' ORDER BY rows.id DESC LIMIT 1";

enum weir_status weir_ledger_find_same(struct weir_ledger *ledger, int64_t run, const char *input_hash,
                                       struct weir_ledger_found *out, struct weir_error *error)
{
    if (!db_is_hash(input_hash)) return error_set(error, WEIR_ERR_INVALID, "a hash is 64 hexadecimal digits");
    struct weir_ledger_found found = {0};
    reader_lock(ledger);
    enum weir_status status = find_row(&ledger->reader, select_text, run, input_hash, &found, error);
    reader_unlock(ledger);
    if (status)
        weir_ledger_found_free(&found);
    else
        *out = found;
    return status;
}
