/* Which file is the ledger. */
#ifndef WEIR_CLI_LEDGER_PATH_H
#define WEIR_CLI_LEDGER_PATH_H

/* The given path, else $XDG_STATE_HOME/weir/ledger.db (~/.local/state without XDG_STATE_HOME), whether it exists or not. Complains without
 * memory, or when neither XDG_STATE_HOME nor HOME is an absolute path. The caller frees *out. */
int ledger_path(const char *given, char **out);

#endif
