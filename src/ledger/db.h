/* A connection to the ledger's file: how it is opened, statements that are prepared once, errors with the file's name.
 *
 * A connection belongs to one thread at a time (the writer thread, or whoever holds the reader's mutex).
 * SQLite 3.7.0 to 3.51.2 can damage a WAL file when two connections commit or checkpoint at the same instant
 * (sqlite.org/wal.html#walresetbug). So exactly one connection writes and checkpoints; all others cannot do either. */
#ifndef WEIR_LEDGER_DB_H
#define WEIR_LEDGER_DB_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/gguf.h" /* struct weir_string */
#include "weir/status.h"

enum {
    DB_STATEMENTS_MAX = 96,
    DB_HASH_BYTES = 32,
    DB_BUSY_MS = 10000 /* how long another program's lock is waited for */
};

struct db {
    sqlite3 *handle; /* NULL: closed */
    char *path;      /* owned; for error texts */
    bool has_failed; /* SQLite said no: the transaction cannot be kept */
    size_t n_statements;
    struct {
        const char *sql; /* a literal: told apart by its address */
        sqlite3_stmt *handle;
    } statements[DB_STATEMENTS_MAX];
};

enum db_access {
    DB_READS, /* read-only: neither writes nor checkpoints; a file of no ledger is refused */
    DB_WRITES /* the only one of the file: the lock file is held by the caller */
};

/* Zero *db first. On failure it is closed again. */
enum weir_status db_open(struct db *db, const char *path, enum db_access access,
                         struct weir_error *error) WEIR_MUST_USE;
void db_close(struct db *db); /* accepts a zeroed one */

/* Runs statements without parameters or results. */
enum weir_status db_exec(struct db *db, const char *sql, struct weir_error *error) WEIR_MUST_USE;

void db_rollback(struct db *db); /* ends a transaction, if there is one */

/* Binds `types`, one letter a parameter: i int64_t, d double (NaN: NULL), t const char * (NULL: NULL), s struct weir_string ({NULL, 0}: NULL),
 * h const char * of 64 hexadecimal digits, as a blob (NULL: NULL). Texts must live until db_reset. The statement is the
 * connection's; `sql` is a literal. */
enum weir_status db_prepare(struct db *db, sqlite3_stmt **out, struct weir_error *error, const char *sql,
                            const char *types, ...) WEIR_MUST_USE;
enum weir_status db_step(struct db *db, sqlite3_stmt *statement, bool *has_row, struct weir_error *error) WEIR_MUST_USE;
void db_reset(sqlite3_stmt *statement); /* accepts NULL */

/* A statement without results. */
enum weir_status db_run(struct db *db, struct weir_error *error, const char *sql, const char *types, ...) WEIR_MUST_USE;

/* The first column of the first row; *out is untouched when there is none, or when it is NULL. */
enum weir_status db_int(struct db *db, int64_t *out, struct weir_error *error, const char *sql, const char *types,
                        ...) WEIR_MUST_USE;

/* A column's text in memory that the caller frees; NULL in *out for NULL. */
enum weir_status db_text(sqlite3_stmt *statement, int column, char **out, size_t *size,
                         struct weir_error *error) WEIR_MUST_USE;

/* What SQLite says went wrong, with the file's name; marks the connection as failed. */
enum weir_status db_error(struct db *db, int code, struct weir_error *error);

/* 64 hexadecimal digits, small letters. */
bool db_is_hash(const char *text);
void db_hash_text(const void *bytes, int size, char text[65]); /* "" unless size is DB_HASH_BYTES */

#endif
