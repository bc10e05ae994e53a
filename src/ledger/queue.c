/* The queue and the thread behind it, the only one that writes to the file. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "ledger/ledger_internal.h"

/* ---- the writer thread --------------------------------------------------------------------------------------------- */

/* Takes up to a batch of work off the queue, all of it before the first piece that makes its own transaction, or that piece alone. Under the mutex. */
static struct work *take_batch(struct weir_ledger *ledger)
{
    struct work *first = ledger->first, **end = &ledger->first;
    size_t n = 0;
    while (*end && n < BATCH_WORKS_MAX && !(n && (*end)->is_alone)) {
        bool is_alone = (*end)->is_alone;
        ledger->works_bytes -= (*end)->bytes;
        ledger->n_awaited -= (*end)->is_awaited;
        end = &(*end)->next;
        n++;
        if (is_alone) break;
    }
    ledger->first = *end;
    *end = NULL;
    if (!ledger->first) ledger->last = &ledger->first;
    ledger->n_works -= n;
    return first;
}

static enum weir_status set_sync(struct weir_ledger *ledger, bool is_full, struct weir_error *error)
{
    if (ledger->is_full_sync == is_full) return WEIR_OK;
    const char *sql = is_full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL";
    enum weir_status status = db_exec(&ledger->writer, sql, error);
    if (!status) ledger->is_full_sync = is_full;
    return status;
}

/* A refusal of its own goes to whoever waits for the work; only what SQLite refuses is returned. */
static enum weir_status apply(struct weir_ledger *ledger, struct work *work, struct weir_error *error)
{
    struct weir_error own = {0};
    work->status = work->apply(ledger, work, &own);
    if (!work->status) return WEIR_OK;
    if (work->error) *work->error = own;
    if (!ledger->writer.has_failed) return WEIR_OK;
    *error = own;
    return work->status;
}

/* One transaction. What a piece of work itself refuses stays its own affair; what SQLite refuses fails them all. */
static enum weir_status apply_batch(struct weir_ledger *ledger, struct work *first, struct weir_error *error)
{
    struct db *db = &ledger->writer;
    bool is_money = false;
    for (const struct work *work = first; work; work = work->next) is_money |= work->is_money;
    enum weir_status status = set_sync(ledger, is_money, error);
    if (!status && first->is_alone) return apply(ledger, first, error);
    if (!status) status = db_exec(db, "BEGIN IMMEDIATE", error);
    for (struct work *work = first; work && !status; work = work->next) status = apply(ledger, work, error);
    if (!status) status = db_exec(db, "COMMIT", error);
    if (status) db_rollback(db);
    return status;
}

/* Under the mutex: tells those who wait, frees the rest. */
static void finish_batch(struct weir_ledger *ledger, struct work *first, enum weir_status failure,
                         const struct weir_error *error)
{
    if (failure && !ledger->failure) {
        ledger->failure = failure;
        ledger->failure_error = *error;
    }
    for (struct work *work = first, *next; work; work = next) {
        next = work->next;
        if (failure) {
            work->status = failure;
            if (work->error) *work->error = *error;
        }
        if (work->is_awaited)
            work->is_done = true; /* its producer goes on, and the work with it */
        else
            free(work);
    }
    (void)pthread_cond_broadcast(&ledger->has_done);
    (void)pthread_cond_broadcast(&ledger->has_room);
}

static struct timespec deadline_after(unsigned ms)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += (long)ms * 1000000;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

/* Under the mutex: returns when there is a batch to write, or nothing to come. */
static void await_batch(struct weir_ledger *ledger)
{
    while (!ledger->first && !ledger->is_closing) (void)pthread_cond_wait(&ledger->has_work, &ledger->mutex);
    struct timespec until = deadline_after(BATCH_WAIT_MS);
    while (ledger->first && !ledger->n_awaited && !ledger->is_closing && ledger->n_works < BATCH_WORKS_MAX &&
           ledger->works_bytes < QUEUE_BYTES_MAX)
        if (pthread_cond_timedwait(&ledger->has_work, &ledger->mutex, &until) == ETIMEDOUT) return;
}

static void *writer_main(void *context)
{
    struct weir_ledger *ledger = context;
    (void)pthread_mutex_lock(&ledger->mutex);
    for (;;) {
        await_batch(ledger);
        if (!ledger->first) break;
        struct work *batch = take_batch(ledger);
        enum weir_status failure = ledger->failure;
        struct weir_error error = ledger->failure_error;
        (void)pthread_mutex_unlock(&ledger->mutex);
        if (!failure) failure = apply_batch(ledger, batch, &error);
        (void)pthread_mutex_lock(&ledger->mutex);
        finish_batch(ledger, batch, failure, &error);
    }
    (void)pthread_mutex_unlock(&ledger->mutex);
    return NULL;
}

enum weir_status queue_open(struct weir_ledger *ledger, struct weir_error *error)
{
    sigset_t all, old;
    ledger->last = &ledger->first;
    (void)sigfillset(&all); /* handlers run on threads of the program */
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    int code = pthread_create(&ledger->thread, NULL, writer_main, ledger);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!code) return WEIR_OK;
    return error_set(error, WEIR_ERR_NOMEM,
                     "cannot start the ledger's thread: out of memory, or at a limit of the system");
}

void queue_close(struct weir_ledger *ledger)
{
    (void)pthread_mutex_lock(&ledger->mutex);
    ledger->is_closing = true;
    (void)pthread_cond_broadcast(&ledger->has_work);
    (void)pthread_mutex_unlock(&ledger->mutex);
    (void)pthread_join(ledger->thread, NULL);
}

/* ---- producers ----------------------------------------------------------------------------------------------------- */

static enum weir_status failure_of(const struct weir_ledger *ledger, struct weir_error *error)
{
    if (ledger->failure && error) *error = ledger->failure_error;
    return ledger->failure;
}

/* Under the mutex. */
static void append(struct weir_ledger *ledger, struct work *work)
{
    work->next = NULL;
    *ledger->last = work;
    ledger->last = &work->next;
    ledger->n_works++;
    ledger->works_bytes += work->bytes;
    ledger->n_awaited += work->is_awaited;
    (void)pthread_cond_signal(&ledger->has_work);
}

enum weir_status work_add(struct weir_ledger *ledger, struct work *work, struct weir_error *error)
{
    (void)pthread_mutex_lock(&ledger->mutex);
    while (!ledger->failure && (ledger->n_works >= QUEUE_WORKS_MAX || ledger->works_bytes >= QUEUE_BYTES_MAX))
        (void)pthread_cond_wait(&ledger->has_room, &ledger->mutex);
    enum weir_status status = failure_of(ledger, error);
    if (!status) append(ledger, work);
    (void)pthread_mutex_unlock(&ledger->mutex);
    if (status) free(work);
    return status;
}

enum weir_status work_wait(struct weir_ledger *ledger, struct work *work, struct weir_error *error)
{
    work->is_awaited = true;
    work->error = error;
    (void)pthread_mutex_lock(&ledger->mutex);
    enum weir_status status = failure_of(ledger, error);
    if (!status) {
        append(ledger, work);
        while (!work->is_done) (void)pthread_cond_wait(&ledger->has_done, &ledger->mutex);
        status = work->status;
    }
    (void)pthread_mutex_unlock(&ledger->mutex);
    return status;
}
