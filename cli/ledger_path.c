#include "ledger_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

int ledger_path(const char *given, char **out)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int size = 0;
    if (given)
        path = strdup(given);
    else if (state && *state == '/')
        size = asprintf(&path, "%s/weir/ledger.db", state);
    else if (home && *home == '/')
        size = asprintf(&path, "%s/.local/state/weir/ledger.db", home);
    else
        return cli_say(CLI_FAILED, "no place for the ledger: neither --ledger nor XDG_STATE_HOME nor HOME tells one");
    if (!path || size < 0) return cli_nomem();
    *out = path;
    return CLI_DONE;
}
