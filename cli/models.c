#include "models.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "weir/hub.h"

int models_folder(char **folder)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int size = 0;
    if (cache && *cache)
        size = asprintf(&path, "%s/weir/models", cache);
    else if (home && *home)
        size = asprintf(&path, "%s/.cache/weir/models", home);
    if (size < 0) return cli_nomem();
    *folder = path;
    return CLI_DONE;
}

int models_find(const char *model, char **path)
{
    struct weir_error error = {0};
    char *folder = NULL;
    int status = models_folder(&folder);
    if (!status && weir_model_find(folder, model, path, &error)) status = cli_fail(&error);
    free(folder);
    return status;
}
