/* Removing rows, or their texts, from the file. */
#ifndef WEIR_LEDGER_FORGET_H
#define WEIR_LEDGER_FORGET_H

#include "ledger/db.h"

/* Removes what the retention set in the file no longer allows; inside a transaction. */
enum weir_status forget_expired(struct db *db, int64_t now_ms, struct weir_error *error) WEIR_MUST_USE;

#endif
