/* weir inspect --memory: what running a model will take, and whether it is there. */
#ifndef WEIR_CLI_INSPECT_MEMORY_H
#define WEIR_CLI_INSPECT_MEMORY_H

#include <stdbool.h>

#include "weir/engine.h"

/* Prints; returns enum cli_exit. `process_bytes`: what the program holds without a model. */
int inspect_memory(const struct weir_gguf *gguf, const struct weir_engine_options *options, size_t process_bytes,
                   bool is_json);

#endif
