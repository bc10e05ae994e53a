/* Which file is the ledger. */
#ifndef WEIR_CLI_LEDGER_PATH_H
#define WEIR_CLI_LEDGER_PATH_H

/* The given path, else ledger.db in the program's place (state_path.h), whether it exists or not. Complains without memory, or when there is
 * no such place. The caller frees *out. */
int ledger_path(const char *given, char **out);

#endif
