#include "models.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* Owned by the caller; NULL without memory, or with neither XDG_CACHE_HOME nor HOME set. */
static char *cached_path(const char *name)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int size = -1;
    if (cache && *cache)
        size = asprintf(&path, "%s/weir/models/%s.gguf", cache, name);
    else if (home && *home)
        size = asprintf(&path, "%s/.cache/weir/models/%s.gguf", home, name);
    return size < 0 ? NULL : path;
}

int models_find(const char *model, char **path)
{
    if (access(model, F_OK) == 0) {
        *path = strdup(model);
        return *path ? CLI_DONE : cli_nomem();
    }
    size_t size = strlen(model);
    bool is_path = strchr(model, '/') || (size > 5 && strcmp(model + size - 5, ".gguf") == 0);
    if (is_path || !size) return cli_say(CLI_FAILED, "%s: no such model file", model);
    char *cached = cached_path(model);
    if (!cached) return cli_say(CLI_FAILED, "%s: no such model file, and no cache folder (set XDG_CACHE_HOME)", model);
    if (access(cached, F_OK) == 0) {
        *path = cached;
        return CLI_DONE;
    }
    int status = cli_say(CLI_FAILED, "model '%s': neither a file nor %s (scripts/get-model fetches models by name)",
                         model, cached);
    free(cached);
    return status;
}
