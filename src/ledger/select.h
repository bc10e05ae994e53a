/* How callers name rows: "42" is a row's own id, "@7" the ledger's number of a row. */
#ifndef WEIR_LEDGER_SELECT_H
#define WEIR_LEDGER_SELECT_H

#include <stdint.h>

struct row_name {
    const char *id; /* NULL: any */
    int64_t number; /* 0: any */
};

struct row_name row_name_of(const char *text); /* NULL: any row */

#endif
