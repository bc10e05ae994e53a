/* The SQL aggregate quantile(value, percent): nearest-rank, the value at rank ceil(percent / 100 * n) of those that are not NULL; NULL without any. */
#ifndef WEIR_LEDGER_QUANTILE_H
#define WEIR_LEDGER_QUANTILE_H

#include "ledger/db.h"

enum weir_status quantile_register(struct db *db, struct weir_error *error) WEIR_MUST_USE;

#endif
