/* The ledger opened for reading only. */
#ifndef WEIR_LEDGER_READER_H
#define WEIR_LEDGER_READER_H

#include "ledger/db.h"
#include "weir/ledger_report.h"

struct weir_ledger_reader {
    struct db db;
};

#endif
