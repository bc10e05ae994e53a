/* Replies of paid tiers, kept so that the same request need not be paid twice. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "ledger/ledger_internal.h"

struct keep {
    struct work work;
    int64_t task, time_ms;
    char key[WEIR_LEDGER_HASH_SIZE], input_hash[WEIR_LEDGER_HASH_SIZE];
    size_t size;
    char reply[];
};

static enum weir_status apply_keep(struct weir_ledger *ledger, struct work *work, struct weir_error *error)
{
    const struct keep *keep = (const struct keep *)work;
    return db_run(&ledger->writer, error, "INSERT OR REPLACE INTO replies VALUES(?, ?, ?, ?, ?)", "hihsi", keep->key,
                  keep->task, keep->input_hash, (struct weir_string){keep->reply, keep->size}, keep->time_ms);
}

enum weir_status weir_ledger_keep_reply(struct weir_ledger *ledger, int64_t id, const char *key, const char *input_hash,
                                        struct weir_string reply, struct weir_error *error)
{
    struct open_run run;
    if (!run_find(ledger, id, &run)) return run_unknown(id, error);
    if (!db_is_hash(key) || !db_is_hash(input_hash) || !reply.data)
        return error_set(error, WEIR_ERR_INVALID, "a reply needs a key, an input hash and a text");
    if (reply.size > LEDGER_TEXT_BYTES_MAX)
        return error_set(error, WEIR_ERR_LIMIT, "a text of the ledger has at most %d bytes", LEDGER_TEXT_BYTES_MAX);
    if (!run.stores_bodies) return WEIR_OK;
    struct keep *keep = mem_zero(1, sizeof *keep + reply.size + 1);
    if (!keep) return error_nomem(error, "a reply");
    keep->work = (struct work){.apply = apply_keep, .bytes = sizeof *keep + reply.size};
    keep->task = run.task;
    keep->time_ms = ledger_now_ms(ledger);
    keep->size = reply.size;
    memcpy(keep->key, key, sizeof keep->key);
    memcpy(keep->input_hash, input_hash, sizeof keep->input_hash);
    memcpy(keep->reply, reply.data, reply.size);
    return work_add(ledger, &keep->work, error);
}

enum weir_status weir_ledger_find_reply(struct weir_ledger *ledger, const char *key, char **reply, size_t *size,
                                        struct weir_error *error)
{
    if (!db_is_hash(key)) return error_set(error, WEIR_ERR_INVALID, "a key is 64 hexadecimal digits");
    sqlite3_stmt *row = NULL;
    bool has_row = false;
    char *found = NULL;
    size_t found_size = 0;
    reader_lock(ledger);
    struct db *db = &ledger->reader;
    enum weir_status status = db_prepare(db, &row, error, "SELECT reply FROM replies WHERE key = ?", "h", key);
    if (!status) status = db_step(db, row, &has_row, error);
    if (!status && has_row) status = db_text(row, 0, &found, &found_size, error);
    db_reset(row);
    reader_unlock(ledger);
    if (status) return status;
    *reply = found;
    *size = found_size;
    return WEIR_OK;
}
