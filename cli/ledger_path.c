#include "ledger_path.h"

#include <string.h>

#include "cli.h"
#include "state_path.h"

int ledger_path(const char *given, char **out)
{
    char *path = given ? strdup(given) : NULL;
    if (given ? !path : !state_path("ledger.db", &path)) return cli_nomem();
    if (!path)
        return cli_say(CLI_FAILED, "no place for the ledger: neither --ledger nor XDG_STATE_HOME nor HOME tells one");
    *out = path;
    return CLI_DONE;
}
