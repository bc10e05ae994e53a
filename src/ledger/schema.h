/* The tables of the ledger and how older files become newer ones. */
#ifndef WEIR_LEDGER_SCHEMA_H
#define WEIR_LEDGER_SCHEMA_H

#include "ledger/db.h"

enum {
    SCHEMA_APPLICATION_ID = 0x77656972, /* "weir" */
    SCHEMA_VERSION = 1                  /* PRAGMA user_version; a step of schema.c for each */
};

/* WEIR_ERR_REFUSED: no ledger; WEIR_ERR_UNSUPPORTED: made by a newer version. */
enum weir_status schema_check(struct db *db, struct weir_error *error) WEIR_MUST_USE;

/* The same, and an empty database will do. */
enum weir_status schema_check_or_empty(struct db *db, struct weir_error *error) WEIR_MUST_USE;

/* Makes the tables, or what is missing of them, in one transaction. */
enum weir_status schema_migrate(struct db *db, struct weir_error *error) WEIR_MUST_USE;

#endif
