/* Opening and closing: lock, file, what a killed process left, retention, the writer thread. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "ledger/forget.h"
#include "ledger/ledger_internal.h"
#include "ledger/lock.h"

static int64_t system_clock_ms(void *context)
{
    (void)context;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t ledger_now_ms(struct weir_ledger *ledger)
{
    int64_t now = ledger->clock_ms(ledger->clock_context);
    return now < 0 ? 0 : now;
}

void reader_lock(struct weir_ledger *ledger)
{
    (void)pthread_mutex_lock(&ledger->reader_mutex);
}

void reader_unlock(struct weir_ledger *ledger)
{
    (void)pthread_mutex_unlock(&ledger->reader_mutex);
}

/* ---- the file's name ----------------------------------------------------------------------------------------------- */

static enum weir_status make_folder(const char *path, struct weir_error *error)
{
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path) return WEIR_OK;
    char *folder = mem_text(path, (size_t)(slash - path));
    if (!folder) return error_nomem(error, "path of the ledger");
    enum weir_status status = file_make_folder(folder, error);
    free(folder);
    return status;
}

/* The file exists afterwards: SQLite would make it readable for others. */
static enum weir_status make_file(const char *path, struct weir_error *error)
{
    struct stat info;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        (void)close(fd);
        return WEIR_OK;
    }
    if (errno != EEXIST) return error_set(error, WEIR_ERR_IO, "%s: cannot make: %s", path, strerror(errno));
    if (stat(path, &info) != 0) return error_set(error, WEIR_ERR_IO, "%s: cannot open: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode)) return error_set(error, WEIR_ERR_IO, "%s: not a regular file", path);
    return WEIR_OK;
}

/* One name for the file, whatever way leads to it, so that there is one lock. */
static enum weir_status resolve(const char *path, char **out, struct weir_error *error)
{
    if (!*path) return error_set(error, WEIR_ERR_INVALID, "the ledger's path is empty");
    enum weir_status status = make_folder(path, error);
    if (!status) status = make_file(path, error);
    if (status) return status;
    char *resolved = realpath(path, NULL);
    if (!resolved) return error_set(error, WEIR_ERR_IO, "%s: cannot resolve: %s", path, strerror(errno));
    *out = resolved;
    return WEIR_OK;
}

/* ---- opening ------------------------------------------------------------------------------------------------------- */

static enum weir_status init_sync(struct weir_ledger *ledger)
{
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    int code = pthread_mutex_init(&ledger->mutex, NULL);
    code |= pthread_mutex_init(&ledger->reader_mutex, NULL);
    code |= pthread_cond_init(&ledger->has_work, &monotonic);
    code |= pthread_cond_init(&ledger->has_room, NULL);
    code |= pthread_cond_init(&ledger->has_done, NULL);
    (void)pthread_condattr_destroy(&monotonic);
    return code ? WEIR_ERR_NOMEM : WEIR_OK;
}

/* Whoever left calls open is dead: the lock is ours. */
static enum weir_status recover(struct weir_ledger *ledger, struct weir_error *error)
{
    struct db *db = &ledger->writer;
    enum weir_status status = db_exec(db, "BEGIN IMMEDIATE", error);
    if (!status) status = money_charge_open(db, "lost", ledger_now_ms(ledger), &ledger->recovered, error);
    if (!status) status = forget_expired(db, ledger_now_ms(ledger), error);
    if (!status) status = db_exec(db, "COMMIT", error);
    if (status) db_rollback(db);
    return status;
}

static enum weir_status open_parts(struct weir_ledger *ledger, const char *path, struct weir_error *error)
{
    enum weir_status status = lock_open(path, &ledger->lock, error);
    if (!status) status = db_open(&ledger->writer, path, DB_WRITES, error);
    if (!status) status = recover(ledger, error);
    if (!status) status = db_open(&ledger->reader, path, DB_READS, error);
    ledger->is_full_sync = true; /* as prepared by db_open */
    return status ? status : queue_open(ledger, error);
}

static void free_parts(struct weir_ledger *ledger)
{
    db_close(&ledger->reader);
    db_close(&ledger->writer); /* moves the log into the file */
    lock_close(ledger->lock);
    (void)pthread_cond_destroy(&ledger->has_done);
    (void)pthread_cond_destroy(&ledger->has_room);
    (void)pthread_cond_destroy(&ledger->has_work);
    (void)pthread_mutex_destroy(&ledger->reader_mutex);
    (void)pthread_mutex_destroy(&ledger->mutex);
    free(ledger->runs);
    free(ledger->calls);
    free(ledger);
}

enum weir_status weir_ledger_open(const char *path, const struct weir_ledger_options *options, struct weir_ledger **out,
                                  struct weir_error *error)
{
    struct weir_ledger *ledger = mem_zero(1, sizeof *ledger);
    if (!ledger) return error_nomem(error, "ledger");
    ledger->lock = -1;
    ledger->clock_ms = options && options->clock_ms ? options->clock_ms : system_clock_ms;
    ledger->clock_context = options ? options->clock_context : NULL;
    if (init_sync(ledger)) {
        free(ledger);
        return error_nomem(error, "ledger");
    }
    char *resolved = NULL;
    enum weir_status status = resolve(path, &resolved, error);
    if (!status) status = open_parts(ledger, resolved, error);
    free(resolved);
    if (status)
        free_parts(ledger);
    else
        *out = ledger;
    return status;
}

/* ---- closing ------------------------------------------------------------------------------------------------------- */

static enum weir_status apply_charge(struct weir_ledger *ledger, struct work *work, struct weir_error *error)
{
    struct weir_ledger_lost lost;
    (void)work;
    return money_charge_open(&ledger->writer, "unknown", ledger_now_ms(ledger), &lost, error);
}

void weir_ledger_close(struct weir_ledger **ledger)
{
    if (!ledger || !*ledger) return;
    struct work charge = {.apply = apply_charge, .is_money = true};
    enum weir_status status = work_wait(*ledger, &charge, NULL);
    (void)status; /* a ledger that failed leaves it to the next open */
    queue_close(*ledger);
    free_parts(*ledger);
    *ledger = NULL;
}

/* A sync writes all that was committed before; it needs something to write. */
static enum weir_status apply_flush(struct weir_ledger *ledger, struct work *work, struct weir_error *error)
{
    (void)work;
    return db_run(&ledger->writer, error,
                  "INSERT INTO settings VALUES('flushes', 1) ON CONFLICT(name) DO UPDATE SET value = value + 1", "");
}

enum weir_status weir_ledger_flush(struct weir_ledger *ledger, struct weir_error *error)
{
    struct work flush = {.apply = apply_flush, .is_money = true};
    return work_wait(ledger, &flush, error);
}

struct weir_ledger_lost weir_ledger_recovered(const struct weir_ledger *ledger)
{
    return ledger->recovered;
}
