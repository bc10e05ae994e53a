/* Which file a model's name means. */
#ifndef WEIR_CLI_MODELS_H
#define WEIR_CLI_MODELS_H

/* `model` is a path that exists, or NAME of $XDG_CACHE_HOME/weir/models/NAME.gguf (~/.cache without XDG_CACHE_HOME), which
 * scripts/get-model fills. The caller frees *path. Complains and returns enum cli_exit otherwise. */
int models_find(const char *model, char **path);

#endif
