#include "ledger_path.h"

#include <stdio.h>
#include <stdlib.h>

char *ledger_path_default(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int size = -1;
    if (state && *state == '/')
        size = asprintf(&path, "%s/weir/ledger.db", state);
    else if (home && *home == '/')
        size = asprintf(&path, "%s/.local/state/weir/ledger.db", home);
    return size < 0 ? NULL : path;
}
