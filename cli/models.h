/* Which file a model's name means, and where models are installed. */
#ifndef WEIR_CLI_MODELS_H
#define WEIR_CLI_MODELS_H

/* $XDG_CACHE_HOME/weir/models (~/.cache without XDG_CACHE_HOME), whether it exists or not; owned by the caller. NULL: neither
 * XDG_CACHE_HOME nor HOME is set, or no memory. */
char *models_folder(void);

/* `model` is a path that exists, or the name of an installed model (weir pull, scripts/get-model). The caller frees *path.
 * Complains and returns enum cli_exit otherwise. */
int models_find(const char *model, char **path);

#endif
