/* Prediction of resident memory and the refusal that follows from it.
 *
 *   weights    what stays mapped of the file: metadata, matrices that the level computes from their blocks, embedding rows in flight
 *   tiles      repacked matrices (model_measure)
 *   kv         one sequence of `ctx_tokens` (kv_bytes)
 *   scratch    a forward pass (forward_bytes), norms, one row of logits
 *   tokenizer  its tables (tokenizer_bytes), and the index of the file
 *
 * Loading needs no more: each range of weights leaves before the next comes (model_tiles.c). */
#include "engine/memory.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/available.h"
#include "base/error.h"
#include "engine/engine.h"
#include "model/forward.h"
#include "tokenizer/size.h"

enum { TEXT_BYTES = 32 };

static uint32_t ctx_counted(const struct model *model, const struct weir_engine_options *options)
{
    if (options->ctx_tokens || model->ctx_tokens < WEIR_MEMORY_CTX_TOKENS) return model->ctx_tokens;
    return WEIR_MEMORY_CTX_TOKENS;
}

void engine_memory(const struct model *model, const struct weir_engine_options *options, unsigned threads,
                   struct weir_memory *out)
{
    const struct model_shape *shape = &model->shape;
    struct weir_memory m = {.ctx_tokens = ctx_counted(model, options), .threads = threads};
    m.kv_type = options->kv_type;
    m.cpu_level = cpu_level_name(model->kernels.level);
    size_t file = weir_gguf_file_bytes(model->gguf);
    m.weights_bytes = model->mapped_bytes + forward_embedding_bytes(model, threads);
    if (m.weights_bytes > file) m.weights_bytes = file;
    m.tiles_bytes = model->tiles_bytes;
    m.kv_bytes = kv_bytes(shape, options->kv_type, m.ctx_tokens);
    m.scratch_bytes = forward_bytes(model, threads, ENGINE_BATCH_TOKENS, m.ctx_tokens) +
                      model->floats_size * sizeof(float) + shape->n_vocab * sizeof(float);
    m.tokenizer_bytes = model->index_bytes + (options->no_tokenizer ? 0 : tokenizer_bytes(model->gguf));
    m.total_bytes = m.weights_bytes + m.tiles_bytes + m.kv_bytes + m.scratch_bytes + m.tokenizer_bytes;
    *out = m;
}

enum weir_status engine_check_options(const struct weir_engine_options *options, struct weir_error *error)
{
    if ((unsigned)options->kv_type < WEIR_KV_TYPES) return WEIR_OK;
    return error_set(error, WEIR_ERR_INVALID, "engine options: expected a kv_type of 0..%d, found %d",
                     WEIR_KV_TYPES - 1, (int)options->kv_type);
}

enum weir_status weir_memory_predict(const struct weir_gguf *gguf, const struct weir_engine_options *options,
                                     struct weir_memory *out, struct weir_error *error)
{
    struct weir_engine_options defaults = weir_engine_options_default();
    if (!options) options = &defaults;
    enum cpu_level level;
    struct model *model = NULL;
    enum weir_status status = engine_check_options(options, error);
    if (!status) status = cpu_level_choose(getenv("WEIR_CPU"), &level, error);
    if (!status) status = model_open(gguf, level, options->ctx_tokens, &model, error);
    if (!status) engine_memory(model, options, options->threads ? options->threads : thread_count_default(), out);
    model_close(&model);
    return status;
}

bool weir_memory_available(size_t *bytes, bool *is_cgroup)
{
    struct memory_available available;
    if (!memory_available("", &available)) return false;
    *bytes = available.bytes;
    *is_cgroup = available.is_cgroup;
    return true;
}

/* "4.31 GB", "712.0 MB", "3.2 kB", in powers of 1000. */
static const char *bytes_text(size_t bytes, char out[TEXT_BYTES])
{
    double kb = (double)bytes / 1e3;
    if (kb >= 1e6)
        (void)snprintf(out, TEXT_BYTES, "%.2f GB", kb / 1e6);
    else if (kb >= 1e3)
        (void)snprintf(out, TEXT_BYTES, "%.1f MB", kb / 1e3);
    else
        (void)snprintf(out, TEXT_BYTES, "%.1f kB", kb);
    return out;
}

enum weir_status engine_check_memory(const char *path, const struct weir_memory *memory,
                                     const struct weir_engine_options *options, struct weir_error *error)
{
    size_t limit = options->memory_limit_bytes;
    bool is_cgroup = false;
    if (options->ignore_memory || (!limit && !weir_memory_available(&limit, &is_cgroup))) return WEIR_OK;
    if (memory->total_bytes <= limit) return WEIR_OK;
    char need[TEXT_BYTES], weights[TEXT_BYTES], kv[TEXT_BYTES], left[TEXT_BYTES], missing[TEXT_BYTES];
    return error_set(error, WEIR_ERR_NO_ROOM,
                     "%s: needs %s of memory (weights %s; keys and values of %u tokens %s), %s %s: %s are missing",
                     path, bytes_text(memory->total_bytes, need),
                     bytes_text(memory->weights_bytes + memory->tiles_bytes, weights), memory->ctx_tokens,
                     bytes_text(memory->kv_bytes, kv), bytes_text(limit, left),
                     options->memory_limit_bytes ? "are allowed"
                     : is_cgroup                 ? "are left in its control group"
                                                 : "are available",
                     bytes_text(memory->total_bytes - limit, missing));
}
