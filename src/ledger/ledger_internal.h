/* The open ledger and its writer thread.
 *
 *   producers --work_add--> queue --writer thread--> one transaction a batch --> file
 *
 * A piece of work is applied whole in one transaction. Work that somebody waits for (work_wait) ends the batch at once; other work is
 * written when 1,000 pieces or 50 ms have come together. When a transaction fails, all of its work fails, and the ledger with it: `failure` is
 * what every later call returns. Work may refuse by itself (an unknown call): then it has changed nothing and the batch goes on. */
#ifndef WEIR_LEDGER_LEDGER_INTERNAL_H
#define WEIR_LEDGER_LEDGER_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ledger/db.h"
#include "weir/ledger.h"

enum {
    BATCH_WORKS_MAX = 1000,
    BATCH_WAIT_MS = 50,
    QUEUE_WORKS_MAX = 8192,
    QUEUE_BYTES_MAX = 64 << 20, /* a single piece of work may be larger */
    LEDGER_PATH_BYTES_MAX = 4096,
    LEDGER_TEXT_BYTES_MAX = 16 << 20 /* a body, an output line, a reply */
};

#define LEDGER_USD_E6_MAX INT64_C(1000000000000000) /* a billion dollars: sums of many stay far from overflow */

struct work;
typedef enum weir_status work_apply(struct weir_ledger *ledger, struct work *work, struct weir_error *error);

/* The first member of every piece of work. */
struct work {
    work_apply *apply; /* on the writer thread, inside a transaction */
    struct work *next;
    size_t bytes;    /* it takes in the queue */
    bool is_money;   /* the transaction is synced to disk */
    bool is_awaited; /* on its producer's stack; else freed after it was applied */
    bool is_done;
    bool is_alone; /* applied outside a transaction, which it makes itself */
    enum weir_status status;
    struct weir_error *error; /* of the producer that waits; may be NULL */
};

/* A run that is open in this process. */
struct open_run {
    int64_t id, task, version;
    bool stores_bodies;
    int64_t limit_usd_e6[WEIR_LIMITS]; /* INT64_MAX: none */
};

struct open_call {
    int64_t id, reserved_usd_e6;
};

struct weir_ledger {
    struct db writer; /* the writer thread's, but for open and close */
    struct db reader; /* of whoever holds reader_mutex */
    pthread_mutex_t reader_mutex;
    int lock;
    int64_t (*clock_ms)(void *context);
    void *clock_context;
    struct weir_ledger_lost recovered;
    pthread_t thread;
    bool is_full_sync; /* the writer's: PRAGMA synchronous */

    pthread_mutex_t mutex; /* everything below */
    pthread_cond_t has_work, has_room, has_done;
    struct work *first, **last;
    size_t n_works, works_bytes, n_awaited;
    bool is_closing;
    enum weir_status failure;
    struct weir_error failure_error;
    struct open_run *runs;
    size_t n_runs;
    struct open_call *calls;
    size_t n_calls, n_claimed, calls_capacity; /* room for n_calls + n_claimed */
    size_t repeated;
};

/* ---- queue.c ------------------------------------------------------------------------------------------------------- */

enum weir_status queue_open(struct weir_ledger *ledger, struct weir_error *error) WEIR_MUST_USE; /* starts the thread */
void queue_close(struct weir_ledger *ledger); /* writes what waits, ends the thread */

/* The ledger owns `work`, memory from malloc, also on failure. Waits while the queue is full. */
enum weir_status work_add(struct weir_ledger *ledger, struct work *work, struct weir_error *error) WEIR_MUST_USE;

/* Adds the caller's work and waits until it is on disk. */
enum weir_status work_wait(struct weir_ledger *ledger, struct work *work, struct weir_error *error) WEIR_MUST_USE;

/* ---- money.c ------------------------------------------------------------------------------------------------------- */

int64_t ledger_today(struct weir_ledger *ledger); /* the clock's day */

/* The day that calls belong to now: the clock's, or the latest one seen where that is later. */
enum weir_status ledger_day(struct weir_ledger *ledger, struct db *db, int64_t *day,
                            struct weir_error *error) WEIR_MUST_USE;

/* Books every open call of the file as spent at its reservation, under `state` ('lost' or 'unknown'). Inside a transaction. */
enum weir_status money_charge_open(struct db *db, const char *state, int64_t now_ms, struct weir_ledger_lost *lost,
                                   struct weir_error *error) WEIR_MUST_USE;

/* Applies a settlement; inside a transaction. */
enum weir_status money_settle(struct db *db, const struct weir_settlement *settlement, int64_t now_ms,
                              struct weir_error *error) WEIR_MUST_USE;

/* Takes the calls of `settlements` off the list of open ones, all or none; under the mutex. is_over[i] may be NULL. */
enum weir_status money_close_calls(struct weir_ledger *ledger, const struct weir_settlement *settlements, size_t count,
                                   bool *is_over, struct weir_error *error) WEIR_MUST_USE;

/* ---- runs.c -------------------------------------------------------------------------------------------------------- */

/* A copy of the open run; false: not open in this process. Takes the mutex. */
bool run_find(struct weir_ledger *ledger, int64_t id, struct open_run *out);
enum weir_status run_unknown(int64_t id, struct weir_error *error); /* WEIR_ERR_INVALID */

/* ---- ledger.c ------------------------------------------------------------------------------------------------------ */

int64_t ledger_now_ms(struct weir_ledger *ledger);

/* Holds the reader's connection, which sees what is on disk. */
void reader_lock(struct weir_ledger *ledger);
void reader_unlock(struct weir_ledger *ledger);

#endif
