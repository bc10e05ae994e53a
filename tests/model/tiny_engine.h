/* Engines over tiny models written by the test itself, in its working folder. */
#ifndef WEIR_TESTS_TINY_ENGINE_H
#define WEIR_TESTS_TINY_ENGINE_H

#include <stdio.h>
#include <unistd.h>

#include "check.h"
#include "e2e/tiny_model.h"
#include "engine/engine.h"

static const struct tiny_model tiny_models[] = {
    {.architecture = "llama", .seed = 1},
    {.architecture = "gemma3", .sliding_window = 8, .seed = 2},
    {.architecture = "gemma2", .sliding_window = 8, .seed = 5},
    {.architecture = "phi3", .rotated = 16, .attn_factor = 1.19f, .short_factor = 1.0f, .seed = 6},
    {.architecture = "phi3", .sliding_window = 8, .seed = 7},
    {.architecture = "qwen2", .seed = 3},
    {.architecture = "qwen3", .seed = 4},
};
enum { TINY_MODELS = sizeof tiny_models / sizeof *tiny_models };

static inline enum weir_status tiny_engine_try(const struct tiny_model *model, unsigned threads, unsigned ctx_tokens,
                                               enum weir_kv_type kv_type, struct weir_engine **out,
                                               struct weir_error *error)
{
    char path[64];
    (void)snprintf(path, sizeof path, "tiny-%ld.gguf", (long)getpid());
    check_status(tiny_model_save(model, path, error), WEIR_OK, error);
    struct weir_engine_options options = weir_engine_options_default();
    options.threads = threads;
    options.ctx_tokens = ctx_tokens;
    options.kv_type = kv_type;
    enum weir_status status = weir_engine_open(path, &options, out, error);
    (void)unlink(path);
    return status;
}

static inline struct weir_engine *tiny_engine_kv(const struct tiny_model *model, unsigned threads,
                                                 enum weir_kv_type kv_type)
{
    struct weir_error error = {0};
    struct weir_engine *engine = NULL;
    check_status(tiny_engine_try(model, threads, 0, kv_type, &engine, &error), WEIR_OK, &error);
    return engine;
}

static inline struct weir_engine *tiny_engine(const struct tiny_model *model, unsigned threads, unsigned ctx_tokens)
{
    struct weir_error error = {0};
    struct weir_engine *engine = NULL;
    check_status(tiny_engine_try(model, threads, ctx_tokens, WEIR_KV_F16, &engine, &error), WEIR_OK, &error);
    return engine;
}

/* `count` ids below the vocabulary's size that follow no pattern. */
static inline void tiny_ids(int32_t *ids, size_t count)
{
    uint32_t state = 12345;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        ids[i] = (int32_t)((state >> 16) % 256);
    }
}

#endif
