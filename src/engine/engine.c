#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "engine/memory.h"

static const char *const kv_type_names[WEIR_KV_TYPES] = {"f16", "f32", "q8_0"};

const char *weir_kv_type_name(enum weir_kv_type type)
{
    return (unsigned)type < WEIR_KV_TYPES ? kv_type_names[type] : NULL;
}

bool weir_kv_type_find(const char *name, enum weir_kv_type *out)
{
    for (unsigned type = 0; type < WEIR_KV_TYPES; type++) {
        if (strcmp(name, kv_type_names[type]) != 0) continue;
        *out = (enum weir_kv_type)type;
        return true;
    }
    return false;
}

struct weir_engine_options weir_engine_options_default(void)
{
    return (struct weir_engine_options){.kv_type = WEIR_KV_F16};
}

static enum weir_status open_parts(struct weir_engine *engine, const char *path,
                                   const struct weir_engine_options *options, struct weir_error *error)
{
    enum cpu_level level;
    enum weir_status status;
    if ((status = engine_check_options(options, error)) ||
        (status = cpu_level_choose(getenv("WEIR_CPU"), &level, error)) ||
        (status = thread_pool_open(options->threads, &engine->pool, error)) ||
        (status = weir_gguf_open(path, &engine->gguf, error)))
        return status;
    /* the model first: what a file of an unknown architecture says about its vocabulary is of no interest */
    if ((status = model_open(engine->gguf, level, options->ctx_tokens, &engine->model, error)) ||
        (!options->no_tokenizer && (status = weir_tokenizer_open(engine->gguf, &engine->tokenizer, error))))
        return status;
    const struct model_shape *shape = &engine->model->shape;
    if (engine->tokenizer && weir_tokenizer_size(engine->tokenizer) > shape->n_vocab)
        return error_set(error, WEIR_ERR_FORMAT, "%s: %zu tokens in the vocabulary, but the embedding has %u", path,
                         weir_tokenizer_size(engine->tokenizer), shape->n_vocab);
    engine->kv_type = options->kv_type;
    engine->ctx_tokens = engine->model->ctx_tokens;
    struct weir_memory memory;
    engine_memory(engine->model, options, thread_pool_size(engine->pool), &memory);
    if ((status = engine_check_memory(path, &memory, options, error)) ||
        (status = model_load(engine->model, engine->pool, error)))
        return status;
    return forward_open(engine->model, engine->pool, ENGINE_BATCH_TOKENS, &engine->forward, error);
}

enum weir_status weir_engine_open(const char *path, const struct weir_engine_options *options, struct weir_engine **out,
                                  struct weir_error *error)
{
    struct weir_engine_options defaults = weir_engine_options_default();
    struct weir_engine *engine = mem_zero(1, sizeof *engine);
    if (!engine) return error_nomem(error, "engine");
    pthread_mutex_init(&engine->lock, NULL);
    enum weir_status status = open_parts(engine, path, options ? options : &defaults, error);
    if (status) {
        weir_engine_close(&engine);
        return status;
    }
    *out = engine;
    return WEIR_OK;
}

void weir_engine_close(struct weir_engine **handle)
{
    struct weir_engine *engine = *handle;
    if (!engine) return;
    forward_close(&engine->forward);
    kv_close(&engine->bos_prefix);
    model_close(&engine->model);
    weir_tokenizer_close(&engine->tokenizer);
    weir_gguf_close(&engine->gguf);
    thread_pool_close(&engine->pool);
    pthread_mutex_destroy(&engine->lock);
    free(engine);
    *handle = NULL;
}

void engine_lock(struct weir_engine *engine)
{
    pthread_mutex_lock(&engine->lock);
}

void engine_unlock(struct weir_engine *engine)
{
    pthread_mutex_unlock(&engine->lock);
}

const struct weir_tokenizer *weir_engine_tokenizer(const struct weir_engine *engine)
{
    return engine->tokenizer;
}

const struct weir_gguf *weir_engine_gguf(const struct weir_engine *engine)
{
    return engine->gguf;
}

void weir_engine_info(const struct weir_engine *engine, struct weir_model_info *info)
{
    const struct model *model = engine->model;
    const struct model_shape *s = &model->shape;
    *info = (struct weir_model_info){
        .architecture = {model->family->architecture, strlen(model->family->architecture)},
        .n_layers = s->n_layers,
        .n_embd = s->n_embd,
        .n_heads = s->n_heads,
        .n_kv_heads = s->n_kv_heads,
        .head_dim = s->head_dim,
        .n_ff = s->n_ff,
        .n_vocab = s->n_vocab,
        .ctx_train = s->ctx_train,
        .ctx_tokens = engine->ctx_tokens,
        .rope_scaling = rope_scaling_name(s->rope_scaling),
        .tiles_bytes = model->tiles_bytes,
        .kv_bytes_per_token = kv_bytes_per_token(s, engine->kv_type),
        .cpu_level = cpu_level_name(model->kernels.level),
        .threads = thread_pool_size(engine->pool),
    };
    struct weir_string name;
    if (weir_gguf_as_string(weir_gguf_find(engine->gguf, "general.name"), &name)) info->name = name;
    for (size_t i = 0; i < weir_gguf_tensor_count(engine->gguf); i++) {
        const struct weir_gguf_tensor *tensor = weir_gguf_tensor_at(engine->gguf, i);
        info->weights_bytes += tensor->size;
        info->parameters += tensor->dims[0] * tensor->dims[1] * tensor->dims[2] * tensor->dims[3];
    }
}

/* longrope's long factors make another function of the same file: what was learned with the short ones says nothing about it. */
static enum weir_status fingerprint(const struct weir_engine *engine, char hex[HASH_HEX_SIZE])
{
    enum weir_status status = weir_gguf_fingerprint(engine->gguf, hex);
    if (status || engine->model->shape.rope_scaling != ROPE_LONGROPE_LONG) return status;
    char text[HASH_HEX_SIZE + 16];
    int size = snprintf(text, sizeof text, "%s longrope long", hex);
    return hash_bytes(text, (size_t)size, hex);
}

enum weir_status weir_engine_fingerprint(struct weir_engine *engine, char hex[65], struct weir_error *error)
{
    enum weir_status status = WEIR_OK;
    engine_lock(engine);
    if (!engine->fingerprint[0]) status = fingerprint(engine, engine->fingerprint);
    if (status)
        error_set(error, status, "%s: cannot compute the fingerprint: %s", weir_gguf_name(engine->gguf),
                  weir_status_text(status));
    else
        memcpy(hex, engine->fingerprint, sizeof engine->fingerprint);
    engine_unlock(engine);
    return status;
}

enum weir_status engine_check_ids(const struct weir_engine *engine, const int32_t *ids, size_t count,
                                  struct weir_error *error)
{
    uint32_t n_vocab = engine->model->shape.n_vocab;
    for (size_t i = 0; i < count; i++)
        if (ids[i] < 0 || (uint32_t)ids[i] >= n_vocab)
            return error_set(error, WEIR_ERR_INVALID, "token %zu: expected an id of 0..%u, found %ld", i, n_vocab - 1,
                             (long)ids[i]);
    return WEIR_OK;
}

enum weir_status engine_append(struct weir_engine *engine, struct kv *kv, const int32_t *ids, size_t count,
                               bool every_position, float *logits, struct weir_error *error)
{
    uint32_t outputs[ENGINE_BATCH_TOKENS], held = kv->n_tokens;
    size_t n_vocab = engine->model->shape.n_vocab;
    for (size_t done = 0; done < count;) {
        uint32_t n = count - done < ENGINE_BATCH_TOKENS ? (uint32_t)(count - done) : ENGINE_BATCH_TOKENS;
        bool is_end = done + n == count;
        uint32_t n_outputs = 0;
        if (logits && every_position)
            for (; n_outputs < n; n_outputs++) outputs[n_outputs] = n_outputs;
        else if (logits && is_end)
            outputs[n_outputs++] = n - 1;
        struct batch_sequence sequence = {.kv = kv, .count = n};
        struct batch batch = {.ids = ids + done,
                              .n_tokens = n,
                              .sequences = &sequence,
                              .n_sequences = 1,
                              .outputs = outputs,
                              .n_outputs = n_outputs};
        enum weir_status status = forward_run(engine->forward, &batch, error);
        if (status) {
            kv->n_tokens = held;
            return status;
        }
        if (n_outputs)
            forward_logits(engine->forward, &engine->model->output, every_position ? logits + done * n_vocab : logits);
        done += n;
    }
    return WEIR_OK;
}

/* What the tokenizer puts before an empty text, without an EOS it may put after it. */
enum weir_status engine_bos_tokens(const struct weir_engine *engine, struct weir_tokens *tokens,
                                   struct weir_error *error)
{
    enum weir_status status = weir_tokenize(engine->tokenizer, "", 0, WEIR_TOKENIZE_BOS, tokens, error);
    if (status) return status;
    if (tokens->count > 1 && tokens->ids[tokens->count - 1] == weir_tokenizer_eos(engine->tokenizer)) tokens->count--;
    return WEIR_OK;
}

enum weir_status engine_open_bos_prefix(struct weir_engine *engine, struct weir_error *error)
{
    if (engine->bos_prefix) return WEIR_OK;
    struct weir_tokens tokens = {0};
    struct kv *kv = NULL;
    enum weir_status status = engine_bos_tokens(engine, &tokens, error);
    if (!status && tokens.count) {
        status = kv_open(&engine->model->shape, engine->kv_type, (uint32_t)tokens.count, false, NULL, &kv, error);
        if (!status) status = engine_append(engine, kv, tokens.ids, tokens.count, false, NULL, error);
        if (status) kv_close(&kv);
        engine->bos_prefix = kv;
    }
    weir_tokens_free(&tokens);
    return status;
}

enum weir_status tokens_append(struct weir_tokens *tokens, const int32_t *ids, size_t count, struct weir_error *error)
{
    size_t need;
    if (!size_add(tokens->count, count, &need)) return error_nomem(error, "tokens");
    if (need > tokens->capacity) {
        int32_t *grown = mem_resize(tokens->ids, need, sizeof *grown);
        if (!grown) return error_nomem(error, "tokens");
        tokens->ids = grown;
        tokens->capacity = need;
    }
    if (count) memcpy(tokens->ids + tokens->count, ids, count * sizeof *ids);
    tokens->count = need;
    return WEIR_OK;
}
