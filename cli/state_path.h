/* Where the program keeps what it remembers from one run to the next. */
#ifndef WEIR_CLI_STATE_PATH_H
#define WEIR_CLI_STATE_PATH_H

#include <stdbool.h>

/* $XDG_STATE_HOME/weir/NAME (~/.local/state without XDG_STATE_HOME), whether it exists or not, into *out, which the caller frees; NULL there
 * when neither XDG_STATE_HOME nor HOME is an absolute path. false: no memory. */
bool state_path(const char *name, char **out);

#endif
