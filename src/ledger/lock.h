/* The lock file that lets one process write a ledger. */
#ifndef WEIR_LEDGER_LOCK_H
#define WEIR_LEDGER_LOCK_H

#include "weir/status.h"

/* Takes PATH.lock (made with mode 0600, never removed) with flock and writes this process's number into it. WEIR_ERR_REFUSED names the process that
 * has it. The lock ends with lock_close, or with the process, however it ends. */
enum weir_status lock_open(const char *path, int *fd, struct weir_error *error) WEIR_MUST_USE;
void lock_close(int fd);

#endif
