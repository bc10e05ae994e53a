#include "models.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "weir/hub.h"

char *models_folder(void)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int size = -1;
    if (cache && *cache)
        size = asprintf(&path, "%s/weir/models", cache);
    else if (home && *home)
        size = asprintf(&path, "%s/.cache/weir/models", home);
    return size < 0 ? NULL : path;
}

int models_find(const char *model, char **path)
{
    struct weir_error error = {0};
    char *folder = models_folder();
    enum weir_status status = weir_model_find(folder, model, path, &error);
    free(folder);
    return status ? cli_fail(&error) : CLI_DONE;
}
