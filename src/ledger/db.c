#include "ledger/db.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "ledger/quantile.h"
#include "ledger/schema.h"

static enum weir_status status_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return WEIR_ERR_NOMEM;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return WEIR_ERR_FORMAT;
    case SQLITE_TOOBIG:
        return WEIR_ERR_LIMIT;
    default:
        return WEIR_ERR_IO;
    }
}

enum weir_status db_error(struct db *db, int code, struct weir_error *error)
{
    db->has_failed = true;
    if (code == SQLITE_IOERR_NOMEM) code = SQLITE_NOMEM;
    enum weir_status status = status_of(code);
    int number = db->handle ? sqlite3_system_errno(db->handle) : 0;
    bool has_number = number && ((code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN);
    /* without memory its own message may speak of what it could not do instead, as of a temporary file */
    bool has_message = code != SQLITE_NOMEM && db->handle && sqlite3_extended_errcode(db->handle) == code;
    return error_set(error, status, "%s: %s%s%s", db->path ? db->path : "ledger",
                     has_message ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code), has_number ? ": " : "",
                     has_number ? strerror(number) : "");
}

/* ---- opening and closing ------------------------------------------------------------------------------------------- */

/* The file is not trusted: its schema runs nothing of its own, damaged cells are found when read. */
static enum weir_status guard(struct db *db, struct weir_error *error)
{
    int code = sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (!code) code = sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    if (!code) code = sqlite3_busy_timeout(db->handle, DB_BUSY_MS);
    if (code) return db_error(db, code, error);
    return db_exec(db, "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY", error);
}

static enum weir_status prepare_reader(struct db *db, struct weir_error *error)
{
    int code = sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (code) return db_error(db, code, error);
    enum weir_status status = db_exec(db, "PRAGMA query_only=ON; PRAGMA wal_autocheckpoint=0", error);
    if (!status) status = quantile_register(db, error);
    return status ? status : schema_check(db, error);
}

static enum weir_status write_ahead(struct db *db, struct weir_error *error)
{
    sqlite3_stmt *statement = NULL;
    bool has_row = false;
    enum weir_status status = db_prepare(db, &statement, error, "PRAGMA journal_mode=WAL", "");
    if (!status) status = db_step(db, statement, &has_row, error);
    if (!status && (!has_row || strcmp((const char *)sqlite3_column_text(statement, 0), "wal") != 0))
        status = error_set(error, WEIR_ERR_IO, "%s: this file system cannot hold a write-ahead log", db->path);
    db_reset(statement);
    return status;
}

static enum weir_status prepare_writer(struct db *db, struct weir_error *error)
{
    if (sqlite3_db_readonly(db->handle, "main") == 1)
        return error_set(error, WEIR_ERR_IO, "%s: cannot write: the file is read-only", db->path);
    enum weir_status status = schema_check_or_empty(db, error); /* before anything is changed */
    if (!status) status = write_ahead(db, error);
    if (!status)
        status = db_exec(db, "PRAGMA secure_delete=ON; PRAGMA foreign_keys=ON; PRAGMA synchronous=FULL", error);
    return status ? status : schema_migrate(db, error);
}

/* A reader of a cleanly closed ledger in a folder that cannot be written: SQLite has nowhere to put the shared index of a log that does
 * not exist, so the file is read as one that nobody changes. */
static bool reopen_immutable(struct db *db)
{
    char log[4096], uri[3 * 4096];
    int size = snprintf(log, sizeof log, "%s-wal", db->path);
    if (size < 0 || (size_t)size >= sizeof log || access(log, F_OK) == 0) return false;
    char *folder_end = strrchr(log, '/');
    if (folder_end) *folder_end = '\0';
    if (access(folder_end ? log : ".", W_OK) == 0) return false;
    size_t used = (size_t)snprintf(uri, sizeof uri, "file:");
    for (const char *c = db->path; *c && used + 4 < sizeof uri; c++) {
        bool is_plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '/';
        used += (size_t)snprintf(uri + used, sizeof uri - used, is_plain ? "%c" : "%%%02X", (unsigned char)*c);
    }
    if (used + sizeof "?immutable=1" > sizeof uri) return false;
    (void)snprintf(uri + used, sizeof uri - used, "?immutable=1");
    (void)sqlite3_close_v2(db->handle);
    db->handle = NULL;
    return sqlite3_open_v2(uri, &db->handle, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL) ==
           SQLITE_OK;
}

static enum weir_status prepare_connection(struct db *db, enum db_access access, struct weir_error *error)
{
    enum weir_status status = guard(db, error);
    if (status) return status;
    return access == DB_WRITES ? prepare_writer(db, error) : prepare_reader(db, error);
}

enum weir_status db_open(struct db *db, const char *path, enum db_access access, struct weir_error *error)
{
    db->path = mem_text(path, strlen(path));
    if (!db->path) return error_nomem(error, "ledger");
    int flags = (access == DB_WRITES ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX;
    int code = sqlite3_open_v2(path, &db->handle, flags | SQLITE_OPEN_EXRESCODE, NULL);
    enum weir_status status = code ? db_error(db, code, error) : prepare_connection(db, access, error);
    bool cannot_open = status == WEIR_ERR_IO && db->handle && (sqlite3_errcode(db->handle) & 0xff) == SQLITE_CANTOPEN;
    if (cannot_open && access == DB_READS) {
        for (size_t i = 0; i < db->n_statements; i++) (void)sqlite3_finalize(db->statements[i].handle);
        db->n_statements = 0;
        if (reopen_immutable(db)) {
            db->has_failed = false;
            status = prepare_connection(db, access, error);
        }
    }
    if (status) db_close(db);
    return status;
}

void db_close(struct db *db)
{
    for (size_t i = 0; i < db->n_statements; i++) (void)sqlite3_finalize(db->statements[i].handle);
    (void)sqlite3_close_v2(db->handle);
    free(db->path);
    *db = (struct db){0};
}

/* ---- statements ---------------------------------------------------------------------------------------------------- */

enum weir_status db_exec(struct db *db, const char *sql, struct weir_error *error)
{
    int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return code ? db_error(db, code, error) : WEIR_OK;
}

void db_rollback(struct db *db)
{
    if (!sqlite3_get_autocommit(db->handle)) (void)sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

static enum weir_status find_statement(struct db *db, sqlite3_stmt **out, const char *sql, struct weir_error *error)
{
    for (size_t i = 0; i < db->n_statements; i++) {
        if (db->statements[i].sql != sql) continue;
        *out = db->statements[i].handle;
        return WEIR_OK;
    }
    if (db->n_statements == DB_STATEMENTS_MAX)
        return error_set(error, WEIR_ERR_LIMIT, "%s: more than %d statements", db->path, DB_STATEMENTS_MAX);
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);
    if (code) return db_error(db, code, error);
    db->statements[db->n_statements].sql = sql;
    db->statements[db->n_statements++].handle = statement;
    *out = statement;
    return WEIR_OK;
}

static unsigned digit_of(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static int bind_hash(sqlite3_stmt *statement, int at, const char *hex)
{
    uint8_t bytes[DB_HASH_BYTES];
    if (!hex) return sqlite3_bind_null(statement, at);
    for (size_t i = 0; i < DB_HASH_BYTES; i++)
        bytes[i] = (uint8_t)(digit_of(hex[2 * i]) << 4 | digit_of(hex[2 * i + 1]));
    return sqlite3_bind_blob(statement, at, bytes, DB_HASH_BYTES, SQLITE_TRANSIENT);
}

static int bind_string(sqlite3_stmt *statement, int at, struct weir_string text)
{
    if (!text.data) return sqlite3_bind_null(statement, at);
    return sqlite3_bind_text64(statement, at, text.data, text.size, SQLITE_STATIC, SQLITE_UTF8);
}

static int bind_double(sqlite3_stmt *statement, int at, double value)
{
    return isfinite(value) ? sqlite3_bind_double(statement, at, value) : sqlite3_bind_null(statement, at);
}

static int bind_all(sqlite3_stmt *statement, const char *types, va_list args)
{
    int code = SQLITE_OK;
    for (int at = 1; *types && !code; types++, at++) {
        switch (*types) {
        case 'i':
            code = sqlite3_bind_int64(statement, at, va_arg(args, int64_t));
            break;
        case 'd':
            code = bind_double(statement, at, va_arg(args, double));
            break;
        case 't':
            code = sqlite3_bind_text(statement, at, va_arg(args, const char *), -1, SQLITE_STATIC);
            break;
        case 's':
            code = bind_string(statement, at, va_arg(args, struct weir_string));
            break;
        default: /* h */
            code = bind_hash(statement, at, va_arg(args, const char *));
            break;
        }
    }
    return code;
}

static enum weir_status prepare(struct db *db, sqlite3_stmt **out, struct weir_error *error, const char *sql,
                                const char *types, va_list args)
{
    sqlite3_stmt *statement = NULL;
    enum weir_status status = find_statement(db, &statement, sql, error);
    if (status) return status;
    int code = bind_all(statement, types, args);
    if (code) {
        status = db_error(db, code, error);
        db_reset(statement);
        return status;
    }
    *out = statement;
    return WEIR_OK;
}

enum weir_status db_prepare(struct db *db, sqlite3_stmt **out, struct weir_error *error, const char *sql,
                            const char *types, ...)
{
    va_list args;
    va_start(args, types);
    enum weir_status status = prepare(db, out, error, sql, types, args);
    va_end(args);
    return status;
}

enum weir_status db_step(struct db *db, sqlite3_stmt *statement, bool *has_row, struct weir_error *error)
{
    int code = sqlite3_step(statement);
    if (code != SQLITE_ROW && code != SQLITE_DONE) return db_error(db, code, error);
    *has_row = code == SQLITE_ROW;
    return WEIR_OK;
}

void db_reset(sqlite3_stmt *statement)
{
    (void)sqlite3_reset(statement); /* repeats what step said; accepts NULL */
    if (statement) (void)sqlite3_clear_bindings(statement);
}

enum weir_status db_run(struct db *db, struct weir_error *error, const char *sql, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    sqlite3_stmt *statement = NULL;
    bool has_row = false;
    enum weir_status status = prepare(db, &statement, error, sql, types, args);
    va_end(args);
    if (!status) status = db_step(db, statement, &has_row, error);
    db_reset(statement);
    return status;
}

enum weir_status db_int(struct db *db, int64_t *out, struct weir_error *error, const char *sql, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    sqlite3_stmt *statement = NULL;
    bool has_row = false;
    enum weir_status status = prepare(db, &statement, error, sql, types, args);
    va_end(args);
    if (!status) status = db_step(db, statement, &has_row, error);
    if (!status && has_row && sqlite3_column_type(statement, 0) != SQLITE_NULL)
        *out = sqlite3_column_int64(statement, 0);
    db_reset(statement);
    return status;
}

enum weir_status db_text(sqlite3_stmt *statement, int column, char **out, size_t *size, struct weir_error *error)
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    size_t bytes = (size_t)sqlite3_column_bytes(statement, column);
    bool is_null = sqlite3_column_type(statement, column) == SQLITE_NULL;
    char *copy = is_null || !text ? NULL : mem_text((const char *)text, bytes);
    if (!copy && !is_null) return error_nomem(error, "a text of the ledger");
    *out = copy;
    if (size) *size = copy ? bytes : 0;
    return WEIR_OK;
}

bool db_is_hash(const char *text)
{
    return text && strspn(text, "0123456789abcdef") == (size_t)2 * DB_HASH_BYTES && !text[2 * DB_HASH_BYTES];
}

void db_hash_text(const void *bytes, int size, char text[65])
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = bytes;
    text[0] = '\0';
    if (!bytes || size != DB_HASH_BYTES) return;
    for (size_t i = 0; i < DB_HASH_BYTES; i++) {
        text[2 * i] = digits[from[i] >> 4];
        text[2 * i + 1] = digits[from[i] & 15];
    }
    text[2 * DB_HASH_BYTES] = '\0';
}
