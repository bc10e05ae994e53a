/* Which file is the ledger. */
#ifndef WEIR_CLI_LEDGER_PATH_H
#define WEIR_CLI_LEDGER_PATH_H

/* $XDG_STATE_HOME/weir/ledger.db (~/.local/state without XDG_STATE_HOME), whether it exists or not; NULL without memory, or when neither
 * XDG_STATE_HOME nor HOME is an absolute path. The caller frees it. */
char *ledger_path_default(void);

#endif
