/* The memory an engine will take, by the functions that size it, before anything is loaded. */
#ifndef WEIR_ENGINE_MEMORY_H
#define WEIR_ENGINE_MEMORY_H

#include "model/model.h"
#include "weir/engine.h"

/* threads: of the pool. */
void engine_memory(const struct model *model, const struct weir_engine_options *options, unsigned threads,
                   struct weir_memory *out);

/* WEIR_ERR_INVALID for a kv_type that is none. */
enum weir_status engine_check_options(const struct weir_engine_options *options,
                                      struct weir_error *error) WEIR_MUST_USE;

/* WEIR_ERR_NO_ROOM, saying how much is missing, when `memory` is more than options or the system allow. */
enum weir_status engine_check_memory(const char *path, const struct weir_memory *memory,
                                     const struct weir_engine_options *options, struct weir_error *error) WEIR_MUST_USE;

#endif
