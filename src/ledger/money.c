/* Reserving, settling, and what is left. The arithmetic runs inside the writer's transactions: what is on disk is the truth. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "ledger/ledger_internal.h"

enum { DAY_MS = 24 * 60 * 60 * 1000 };

int64_t ledger_today(struct weir_ledger *ledger)
{
    return ledger_now_ms(ledger) / DAY_MS;
}

enum weir_status ledger_day(struct weir_ledger *ledger, struct db *db, int64_t *day, struct weir_error *error)
{
    int64_t latest = 0, today = ledger_today(ledger);
    enum weir_status status = db_int(db, &latest, error, "SELECT value FROM settings WHERE name = 'latest_day'", "");
    if (!status) *day = today > latest ? today : latest;
    return status;
}

/* ---- what is left -------------------------------------------------------------------------------------------------- */

static enum weir_status used_by(struct db *db, const struct open_run *run, int64_t day, int64_t used[WEIR_LIMITS],
                                struct weir_error *error)
{
    memset(used, 0, WEIR_LIMITS * sizeof *used);
    enum weir_status status = db_int(db, &used[WEIR_LIMIT_RUN], error,
                                     "SELECT reserved_usd_e6 + spent_usd_e6 FROM runs WHERE id = ?", "i", run->id);
    if (!status)
        status = db_int(db, &used[WEIR_LIMIT_DAY], error,
                        "SELECT reserved_usd_e6 + spent_usd_e6 FROM spending WHERE task = ? AND day = ?", "ii",
                        run->task, day);
    if (!status && run->limit_usd_e6[WEIR_LIMIT_TASK] != INT64_MAX)
        status = db_int(db, &used[WEIR_LIMIT_TASK], error,
                        "SELECT sum(reserved_usd_e6 + spent_usd_e6) FROM spending WHERE task = ?", "i", run->task);
    if (!status && run->limit_usd_e6[WEIR_LIMIT_LEDGER_DAY] != INT64_MAX)
        status = db_int(db, &used[WEIR_LIMIT_LEDGER_DAY], error,
                        "SELECT sum(reserved_usd_e6 + spent_usd_e6) FROM spending WHERE day = ?", "i", day);
    return status;
}

static enum weir_status left_of(struct db *db, const struct open_run *run, int64_t day, int64_t left[WEIR_LIMITS],
                                struct weir_error *error)
{
    int64_t used[WEIR_LIMITS];
    enum weir_status status = used_by(db, run, day, used, error);
    for (int i = 0; i < WEIR_LIMITS && !status; i++)
        left[i] = run->limit_usd_e6[i] == INT64_MAX ? INT64_MAX : run->limit_usd_e6[i] - used[i];
    return status;
}

enum weir_status weir_ledger_left(struct weir_ledger *ledger, int64_t id, int64_t left_usd_e6[WEIR_LIMITS],
                                  struct weir_error *error)
{
    struct open_run run;
    if (!run_find(ledger, id, &run)) return run_unknown(id, error);
    int64_t day = 0, left[WEIR_LIMITS];
    reader_lock(ledger);
    enum weir_status status = ledger_day(ledger, &ledger->reader, &day, error);
    if (!status) status = left_of(&ledger->reader, &run, day, left, error);
    reader_unlock(ledger);
    if (!status) memcpy(left_usd_e6, left, sizeof left);
    return status;
}

/* ---- reserving ----------------------------------------------------------------------------------------------------- */

struct reserve {
    struct work work;
    struct open_run run;
    const struct weir_reserve *requests;
    struct weir_grant *grants;
    size_t count;
};

static enum weir_refusal refusal_of(const int64_t left[WEIR_LIMITS], int64_t usd_e6)
{
    for (int i = 0; i < WEIR_LIMITS; i++)
        if (left[i] < usd_e6) return (enum weir_refusal)(WEIR_REFUSED_RUN + i);
    return WEIR_GRANTED;
}

/* Adds to what the run and the task's day hold; negative takes off. */
static enum weir_status move_money(struct db *db, int64_t run, int64_t task, int64_t day, int64_t reserved,
                                   int64_t spent, struct weir_error *error)
{
    enum weir_status status = db_run(db, error,
                                     "UPDATE runs SET reserved_usd_e6 = reserved_usd_e6 + ?1, "
                                     "spent_usd_e6 = spent_usd_e6 + ?2 WHERE id = ?3",
                                     "iii", reserved, spent, run);
    if (status) return status;
    return db_run(
        db, error,
        "INSERT INTO spending(task, day, reserved_usd_e6, spent_usd_e6) VALUES(?3, ?4, max(?1, 0), max(?2, 0)) "
        "ON CONFLICT(task, day) DO UPDATE SET reserved_usd_e6 = reserved_usd_e6 + ?1, "
        "spent_usd_e6 = spent_usd_e6 + ?2",
        "iiii", reserved, spent, task, day);
}

static enum weir_status insert_call(struct weir_ledger *ledger, const struct open_run *run, int64_t day,
                                    const struct weir_reserve *request, struct weir_grant *grant,
                                    struct weir_error *error)
{
    struct db *db = &ledger->writer;
    enum weir_status status =
        db_run(db, error,
               "INSERT INTO calls(run, task, day, key, tier, model, attempt, state, reserved_usd_e6, time_ms) "
               "VALUES(?, ?, ?, ?, ?, ?, ?, 'open', ?, ?)",
               "iiihttiii", run->id, run->task, day, request->key, request->tier, request->model,
               (int64_t)request->attempt, request->usd_e6, ledger_now_ms(ledger));
    if (status) return status;
    grant->call = sqlite3_last_insert_rowid(db->handle);
    return move_money(db, run->id, run->task, day, request->usd_e6, 0, error);
}

static enum weir_status reserve_one(struct weir_ledger *ledger, const struct open_run *run, int64_t day,
                                    const struct weir_reserve *request, struct weir_grant *grant,
                                    struct weir_error *error)
{
    struct db *db = &ledger->writer;
    int64_t closing_call = 0;
    *grant = (struct weir_grant){0};
    enum weir_status status = left_of(db, run, day, grant->left_usd_e6, error);
    if (!status)
        status = db_int(db, &closing_call, error, "SELECT call FROM closed_tiers WHERE run = ? AND tier = ?", "it",
                        run->id, request->tier);
    if (status) return status;
    grant->refusal = closing_call ? WEIR_REFUSED_TIER_CLOSED : refusal_of(grant->left_usd_e6, request->usd_e6);
    if (grant->refusal) return WEIR_OK;
    for (int i = 0; i < WEIR_LIMITS; i++)
        if (grant->left_usd_e6[i] != INT64_MAX) grant->left_usd_e6[i] -= request->usd_e6;
    return insert_call(ledger, run, day, request, grant, error);
}

static enum weir_status apply_reserve(struct weir_ledger *ledger, struct work *work, struct weir_error *error)
{
    struct reserve *reserve = (struct reserve *)work;
    int64_t day = 0;
    enum weir_status status = ledger_day(ledger, &ledger->writer, &day, error);
    if (!status)
        status = db_run(&ledger->writer, error,
                        "INSERT INTO settings VALUES('latest_day', ?1) ON CONFLICT(name) DO UPDATE SET value = ?1 "
                        "WHERE value < ?1",
                        "i", day);
    for (size_t i = 0; i < reserve->count && !status; i++)
        status = reserve_one(ledger, &reserve->run, day, &reserve->requests[i], &reserve->grants[i], error);
    return status;
}

static enum weir_status check_requests(const struct weir_reserve *requests, size_t count, struct weir_error *error)
{
    if (count > WEIR_LEDGER_RESERVE_MAX)
        return error_set(error, WEIR_ERR_LIMIT, "at most %d reservations at a time, found %zu", WEIR_LEDGER_RESERVE_MAX,
                         count);
    for (size_t i = 0; i < count; i++) {
        if (requests[i].usd_e6 < 0 || requests[i].usd_e6 > LEDGER_USD_E6_MAX)
            return error_set(error, WEIR_ERR_INVALID, "a reservation is 0 to %" PRId64 " micro-dollars, found %" PRId64,
                             LEDGER_USD_E6_MAX, requests[i].usd_e6);
        if (!requests[i].tier || !requests[i].model || (requests[i].key && !db_is_hash(requests[i].key)))
            return error_set(error, WEIR_ERR_INVALID,
                             "a reservation needs a tier, a model and the key of a row or none");
    }
    return WEIR_OK;
}

/* Makes room for `count` more open calls, so that nothing can fail once the reservations are on disk. */
static enum weir_status claim(struct weir_ledger *ledger, size_t count, struct weir_error *error)
{
    size_t needed = ledger->n_calls + ledger->n_claimed + count;
    if (needed > WEIR_LEDGER_OPEN_CALLS_MAX)
        return error_set(error, WEIR_ERR_LIMIT, "more than %d calls that are not settled", WEIR_LEDGER_OPEN_CALLS_MAX);
    if (needed > ledger->calls_capacity) {
        struct open_call *calls = mem_resize(ledger->calls, 2 * needed, sizeof *calls);
        if (!calls) return error_nomem(error, "open calls");
        ledger->calls = calls;
        ledger->calls_capacity = 2 * needed;
    }
    ledger->n_claimed += count;
    return WEIR_OK;
}

/* Puts the calls granted into the room that was claimed. grants NULL: none was. */
static void redeem(struct weir_ledger *ledger, const struct weir_reserve *requests, const struct weir_grant *grants,
                   size_t count)
{
    (void)pthread_mutex_lock(&ledger->mutex);
    ledger->n_claimed -= count;
    for (size_t i = 0; i < count && grants; i++)
        if (grants[i].call) ledger->calls[ledger->n_calls++] = (struct open_call){grants[i].call, requests[i].usd_e6};
    (void)pthread_mutex_unlock(&ledger->mutex);
}

enum weir_status weir_ledger_reserve(struct weir_ledger *ledger, int64_t run, const struct weir_reserve *requests,
                                     size_t count, struct weir_grant *grants, struct weir_error *error)
{
    struct reserve reserve = {.work = {.apply = apply_reserve, .is_money = true}, .requests = requests, .count = count};
    enum weir_status status = check_requests(requests, count, error);
    if (status || !count) return status;
    if (!run_find(ledger, run, &reserve.run)) return run_unknown(run, error);
    reserve.grants = mem_zero(count, sizeof *reserve.grants);
    if (!reserve.grants) return error_nomem(error, "reservations");
    (void)pthread_mutex_lock(&ledger->mutex);
    status = claim(ledger, count, error);
    (void)pthread_mutex_unlock(&ledger->mutex);
    if (!status) {
        status = work_wait(ledger, &reserve.work, error);
        redeem(ledger, requests, status ? NULL : reserve.grants, count);
    }
    if (!status) memcpy(grants, reserve.grants, count * sizeof *grants);
    free(reserve.grants);
    return status;
}

/* ---- settling ------------------------------------------------------------------------------------------------------ */

static const char *const state_names[] = {
    [WEIR_CALL_SETTLED] = "settled", [WEIR_CALL_RELEASED] = "released", [WEIR_CALL_UNKNOWN] = "unknown"};

static int64_t cost_of(const struct weir_settlement *settlement, int64_t reserved)
{
    switch (settlement->end) {
    case WEIR_CALL_SETTLED:
        return settlement->cost_usd_e6;
    case WEIR_CALL_UNKNOWN:
        return reserved;
    default:
        return 0;
    }
}

static enum weir_status update_call(struct db *db, const struct weir_settlement *s, int64_t cost, int64_t now_ms,
                                    struct weir_error *error)
{
    struct weir_string note = {s->note, s->note ? strnlen(s->note, WEIR_LEDGER_NOTE_BYTES_MAX) : 0};
    return db_run(db, error,
                  "UPDATE calls SET state = ?, cost_usd_e6 = ?, tokens_in = ?, tokens_cached = ?, tokens_out = ?, "
                  "latency_ms = ?, note = ?, end_ms = ? WHERE id = ?",
                  "tiiiidsii", state_names[s->end], cost, (int64_t)s->tokens_in, (int64_t)s->tokens_cached,
                  (int64_t)s->tokens_out, s->latency_ms, note, now_ms, s->call);
}

enum weir_status money_settle(struct db *db, const struct weir_settlement *settlement, int64_t now_ms,
                              struct weir_error *error)
{
    sqlite3_stmt *call = NULL;
    bool has_row = false;
    enum weir_status status = db_prepare(
        db, &call, error, "SELECT run, task, day, reserved_usd_e6 FROM calls WHERE id = ? AND state = 'open'", "i",
        settlement->call);
    if (!status) status = db_step(db, call, &has_row, error);
    int64_t run = sqlite3_column_int64(call, 0), task = sqlite3_column_int64(call, 1);
    int64_t day = sqlite3_column_int64(call, 2), reserved = sqlite3_column_int64(call, 3);
    db_reset(call);
    if (status) return status;
    if (!has_row) return error_set(error, WEIR_ERR_INVALID, "call %" PRId64 " is not open", settlement->call);
    int64_t cost = cost_of(settlement, reserved);
    status = update_call(db, settlement, cost, now_ms, error);
    if (!status) status = move_money(db, run, task, day, -reserved, cost, error);
    if (!status && cost > reserved)
        status = db_run(db, error, "INSERT OR IGNORE INTO closed_tiers SELECT run, tier, id FROM calls WHERE id = ?",
                        "i", settlement->call);
    return status;
}

/* Under the mutex. The index, or n_calls. */
static size_t find_call(const struct weir_ledger *ledger, int64_t id)
{
    size_t i = 0;
    while (i < ledger->n_calls && ledger->calls[i].id != id) i++;
    return i;
}

static enum weir_status check_settlement(const struct weir_ledger *ledger, const struct weir_settlement *settlement,
                                         struct weir_error *error)
{
    if (settlement->call < 1 || find_call(ledger, settlement->call) == ledger->n_calls)
        return error_set(error, WEIR_ERR_INVALID, "call %" PRId64 " is not open", settlement->call);
    if (settlement->end > WEIR_CALL_UNKNOWN || settlement->cost_usd_e6 < 0 ||
        settlement->cost_usd_e6 > LEDGER_USD_E6_MAX)
        return error_set(error, WEIR_ERR_INVALID, "a cost is 0 to %" PRId64 " micro-dollars, found %" PRId64,
                         LEDGER_USD_E6_MAX, settlement->cost_usd_e6);
    return WEIR_OK;
}

enum weir_status money_close_calls(struct weir_ledger *ledger, const struct weir_settlement *settlements, size_t count,
                                   bool *is_over, struct weir_error *error)
{
    for (size_t i = 0; i < count; i++) {
        enum weir_status status = check_settlement(ledger, &settlements[i], error);
        for (size_t j = 0; j < i && !status; j++)
            if (settlements[j].call == settlements[i].call)
                status = error_set(error, WEIR_ERR_INVALID, "call %" PRId64 " is settled twice", settlements[i].call);
        if (status) return status;
    }
    for (size_t i = 0; i < count; i++) {
        size_t at = find_call(ledger, settlements[i].call);
        int64_t reserved = ledger->calls[at].reserved_usd_e6;
        if (is_over) is_over[i] = cost_of(&settlements[i], reserved) > reserved;
        ledger->calls[at] = ledger->calls[--ledger->n_calls];
    }
    return WEIR_OK;
}

struct settle {
    struct work work;
    struct weir_settlement settlement;
    int64_t time_ms;
    char note[]; /* what settlement.note points to */
};

static enum weir_status apply_settle(struct weir_ledger *ledger, struct work *work, struct weir_error *error)
{
    const struct settle *settle = (const struct settle *)work;
    return money_settle(&ledger->writer, &settle->settlement, settle->time_ms, error);
}

enum weir_status weir_ledger_settle(struct weir_ledger *ledger, const struct weir_settlement *settlement, bool *is_over,
                                    struct weir_error *error)
{
    size_t note = settlement->note ? strnlen(settlement->note, WEIR_LEDGER_NOTE_BYTES_MAX) : 0;
    struct settle *settle = mem_zero(1, sizeof *settle + note + 1);
    if (!settle) return error_nomem(error, "settlement");
    settle->work = (struct work){.apply = apply_settle, .is_money = true, .bytes = sizeof *settle + note + 1};
    settle->settlement = *settlement;
    settle->time_ms = ledger_now_ms(ledger);
    if (settlement->note) {
        memcpy(settle->note, settlement->note, note);
        settle->settlement.note = settle->note;
    }
    (void)pthread_mutex_lock(&ledger->mutex);
    enum weir_status status = money_close_calls(ledger, settlement, 1, is_over, error);
    (void)pthread_mutex_unlock(&ledger->mutex);
    if (!status) return work_add(ledger, &settle->work, error);
    free(settle);
    return status;
}

/* ---- calls whose end nobody knows ---------------------------------------------------------------------------------- */

enum weir_status money_charge_open(struct db *db, const char *state, int64_t now_ms, struct weir_ledger_lost *lost,
                                   struct weir_error *error)
{
    int64_t calls = 0, usd_e6 = 0;
    enum weir_status status = db_int(db, &calls, error, "SELECT count(*) FROM calls WHERE state = 'open'", "");
    if (!status) status = db_int(db, &usd_e6, error, "SELECT sum(reserved_usd_e6) FROM calls WHERE state = 'open'", "");
    *lost = (struct weir_ledger_lost){(size_t)calls, usd_e6};
    if (status || !calls) return status;
    status =
        db_run(db, error, "UPDATE calls SET state = ?, cost_usd_e6 = reserved_usd_e6, end_ms = ? WHERE state = 'open'",
               "ti", state, now_ms);
    if (!status)
        status = db_exec(db,
                         "UPDATE runs SET spent_usd_e6 = spent_usd_e6 + reserved_usd_e6, reserved_usd_e6 = 0 "
                         "WHERE reserved_usd_e6 > 0;"
                         "UPDATE spending SET spent_usd_e6 = spent_usd_e6 + reserved_usd_e6, reserved_usd_e6 = 0 "
                         "WHERE reserved_usd_e6 > 0",
                         error);
    return status;
}
