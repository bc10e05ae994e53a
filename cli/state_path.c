#include "state_path.h"

#include <stdio.h>
#include <stdlib.h>

bool state_path(const char *name, char **out)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int size = 0;
    if (state && *state == '/')
        size = asprintf(&path, "%s/weir/%s", state, name);
    else if (home && *home == '/')
        size = asprintf(&path, "%s/.local/state/weir/%s", home, name);
    if (size < 0) return false;
    *out = path;
    return true;
}
