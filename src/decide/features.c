#include "decide/features.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "decide/features_internal.h"
#include "engine/engine.h"

/* Rows that share one forward pass. */
struct pass {
    int32_t ids[ENGINE_BATCH_TOKENS];
    struct batch_sequence sequences[ENGINE_BATCH_TOKENS];
    float *pooled;                    /* [sequences, n_depths, 2, n_embd] */
    size_t rows[ENGINE_BATCH_TOKENS]; /* row of each sequence */
    uint32_t n_tokens, n_sequences;
};

static size_t row_floats(const struct weir_engine *engine, const struct feature_request *request)
{
    return request->n_depths * FEATURE_POOLS * engine->model->shape.n_embd;
}

static struct batch pass_batch(const struct pass *pass, const struct feature_request *request)
{
    return (struct batch){.ids = pass->ids,
                          .n_tokens = pass->n_tokens,
                          .sequences = pass->sequences,
                          .n_sequences = pass->n_sequences,
                          .depths = request->depths,
                          .n_depths = (uint32_t)request->n_depths,
                          .pooled = pass->pooled};
}

static void drop_nodes(struct pass *pass)
{
    for (uint32_t i = 0; i < pass->n_sequences; i++) kv_close(&pass->sequences[i].kv);
    pass->n_tokens = pass->n_sequences = 0;
}

/* Runs what the pass holds and hands the pooled states to their rows. */
static enum weir_status run_pass(struct weir_engine *engine, struct pass *pass, const struct feature_request *request,
                                 float *out, double *seconds, struct weir_error *error)
{
    if (!pass->n_sequences) return WEIR_OK;
    struct batch batch = pass_batch(pass, request);
    double start = clock_seconds();
    enum weir_status status = forward_run(engine->forward, &batch, error);
    double took = clock_seconds() - start;
    size_t floats = row_floats(engine, request);
    for (uint32_t i = 0; !status && i < pass->n_sequences; i++) {
        memcpy(out + pass->rows[i] * floats, pass->pooled + i * floats, floats * sizeof(float));
        if (seconds) seconds[pass->rows[i]] = took;
    }
    drop_nodes(pass);
    return status;
}

static enum weir_status add_row(struct weir_engine *engine, struct pass *pass, size_t row,
                                const struct weir_tokens *tokens, struct weir_error *error)
{
    struct batch_sequence *sequence = &pass->sequences[pass->n_sequences];
    *sequence = (struct batch_sequence){.first = pass->n_tokens, .count = (uint32_t)tokens->count};
    enum weir_status status = kv_open(&engine->model->shape, engine->kv_type, sequence->count, true, engine->bos_prefix,
                                      &sequence->kv, error);
    if (status) return status;
    memcpy(pass->ids + pass->n_tokens, tokens->ids, tokens->count * sizeof *tokens->ids);
    pass->rows[pass->n_sequences++] = row;
    pass->n_tokens += sequence->count;
    return WEIR_OK;
}

/* A text longer than a pass: its chunks one after the other, means weighted by their tokens. Chunks start at multiples of
 * ENGINE_BATCH_TOKENS of the text, so the sums do not depend on other rows. */
static enum weir_status run_long_row(struct weir_engine *engine, struct pass *pass, const struct weir_tokens *tokens,
                                     const struct feature_request *request, float *out, struct weir_error *error)
{
    size_t n_embd = engine->model->shape.n_embd, floats = row_floats(engine, request);
    struct kv *kv = NULL;
    enum weir_status status =
        kv_open(&engine->model->shape, engine->kv_type, (uint32_t)tokens->count, false, engine->bos_prefix, &kv, error);
    memset(out, 0, floats * sizeof(float));
    for (size_t done = 0; !status && done < tokens->count;) {
        size_t left = tokens->count - done;
        uint32_t n = left < ENGINE_BATCH_TOKENS ? (uint32_t)left : ENGINE_BATCH_TOKENS;
        memcpy(pass->ids, tokens->ids + done, n * sizeof *pass->ids);
        pass->n_tokens = n;
        pass->n_sequences = 1;
        pass->sequences[0] = (struct batch_sequence){.kv = kv, .count = n};
        struct batch batch = pass_batch(pass, request);
        status = forward_run(engine->forward, &batch, error);
        float share = (float)n / (float)tokens->count;
        for (size_t i = 0; !status && i < floats; i++) {
            bool is_mean = i / n_embd % FEATURE_POOLS == FEATURE_POOL_MEAN;
            out[i] = is_mean ? out[i] + share * pass->pooled[i] : pass->pooled[i];
        }
        done += n;
    }
    pass->n_tokens = pass->n_sequences = 0;
    kv_close(&kv);
    return status;
}

enum weir_status features_of_tokens(struct weir_engine *engine, const struct weir_tokens *rows, size_t count,
                                    const struct feature_request *request, float *out, double *seconds,
                                    struct weir_error *error)
{
    size_t floats = row_floats(engine, request);
    struct pass *pass = mem_zero(1, sizeof *pass);
    if (pass) pass->pooled = mem_zero(ENGINE_BATCH_TOKENS, floats * sizeof(float));
    if (!pass || !pass->pooled) {
        free(pass);
        return error_nomem(error, "text features");
    }
    enum weir_status status = engine_open_bos_prefix(engine, error);
    for (size_t i = 0; !status && i < count; i++) {
        if (rows[i].count == 0) {
            memset(out + i * floats, 0, floats * sizeof(float));
            if (seconds) seconds[i] = 0;
            continue;
        }
        if (pass->n_tokens + rows[i].count > ENGINE_BATCH_TOKENS)
            status = run_pass(engine, pass, request, out, seconds, error);
        if (status) break;
        if (rows[i].count <= ENGINE_BATCH_TOKENS) {
            status = add_row(engine, pass, i, &rows[i], error);
            continue;
        }
        double start = clock_seconds();
        status = run_long_row(engine, pass, &rows[i], request, out + i * floats, error);
        if (seconds) seconds[i] = clock_seconds() - start;
    }
    if (!status) status = run_pass(engine, pass, request, out, seconds, error);
    drop_nodes(pass);
    free(pass->pooled);
    free(pass);
    return status;
}

static enum weir_status check_request(const struct weir_engine *engine, const struct feature_request *request,
                                      struct weir_error *error)
{
    uint32_t n_layers = engine->model->shape.n_layers, before = 0;
    if (request->n_depths == 0) return error_set(error, WEIR_ERR_INVALID, "no depths asked for");
    for (size_t i = 0; i < request->n_depths; i++) {
        if (request->depths[i] <= before || request->depths[i] > n_layers)
            return error_set(error, WEIR_ERR_INVALID, "depth %u: expected rising numbers of 1..%u", request->depths[i],
                             n_layers);
        before = request->depths[i];
    }
    return WEIR_OK;
}

enum weir_status features_tokenize(const struct weir_engine *engine, struct weir_string text,
                                   struct weir_tokens *tokens, struct weir_error *error)
{
    enum weir_status status = weir_tokenize(engine->tokenizer, text.data, text.size, 0, tokens, error);
    if (!status && tokens->count + 1 > engine->ctx_tokens)
        status = error_set(error, WEIR_ERR_TOO_LONG, "%zu tokens do not fit a context of %u", tokens->count,
                           engine->ctx_tokens);
    return status;
}

enum weir_status features_extract(struct weir_engine *engine, const struct weir_string *texts, size_t count,
                                  const struct feature_request *request, float *out, struct weir_error *error)
{
    enum weir_status status = check_request(engine, request, error);
    if (status) return status;
    if (!engine->tokenizer) return error_set(error, WEIR_ERR_INVALID, "the engine was opened without a tokenizer");
    struct weir_tokens *rows = mem_zero(count, sizeof *rows);
    if (!rows) return error_nomem(error, "text tokens");
    for (size_t i = 0; !status && i < count; i++) {
        status = features_tokenize(engine, texts[i], &rows[i], error);
        if (status) error_prefix(error, status, "text %zu", i + 1);
    }
    if (!status) {
        engine_lock(engine);
        status = features_of_tokens(engine, rows, count, request, out, NULL, error);
        engine_unlock(engine);
    }
    for (size_t i = 0; i < count; i++) weir_tokens_free(&rows[i]);
    free(rows);
    return status;
}
