/* Options that every command with a model has: a child parser whose input is a struct weir_engine_options. */
#ifndef WEIR_CLI_ENGINE_ARGS_H
#define WEIR_CLI_ENGINE_ARGS_H

#include <argp.h>

#include "weir/engine.h"

/* --ctx N, --kv TYPE, --memory-limit SIZE, --force */
extern const struct argp engine_argp;

#endif
