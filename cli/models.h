/* Which file a model's name means, and where models are installed. */
#ifndef WEIR_CLI_MODELS_H
#define WEIR_CLI_MODELS_H

/* $XDG_CACHE_HOME/weir/models (~/.cache without XDG_CACHE_HOME), whether it exists or not, into *folder, which the caller frees;
 * NULL when neither XDG_CACHE_HOME nor HOME is set. Complains without memory; returns enum cli_exit. */
int models_folder(char **folder);

/* `model` is a path that exists, or the name of an installed model (weir pull, scripts/get-model). The caller frees *path.
 * Complains and returns enum cli_exit otherwise. */
int models_find(const char *model, char **path);

#endif
