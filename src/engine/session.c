/* A session: one kv node without children that grows with its tokens. */
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "engine/engine.h"

enum { SESSION_TOKENS_FIRST = 256 };

struct weir_session {
    struct weir_engine *engine;
    struct kv *kv;
};

enum weir_status weir_session_open(struct weir_engine *engine, struct weir_session **out, struct weir_error *error)
{
    struct weir_session *session = mem_zero(1, sizeof *session);
    if (!session) return error_nomem(error, "session");
    session->engine = engine;
    uint32_t tokens = engine->ctx_tokens < SESSION_TOKENS_FIRST ? engine->ctx_tokens : SESSION_TOKENS_FIRST;
    enum weir_status status = kv_open(&engine->model->shape, engine->kv_type, tokens, false, NULL, &session->kv, error);
    if (status) {
        free(session);
        return status;
    }
    *out = session;
    return WEIR_OK;
}

void weir_session_close(struct weir_session **handle)
{
    struct weir_session *session = *handle;
    if (!session) return;
    kv_close(&session->kv);
    free(session);
    *handle = NULL;
}

size_t weir_session_length(const struct weir_session *session)
{
    return session->kv->n_tokens;
}

void weir_session_reset(struct weir_session *session)
{
    session->kv->n_tokens = 0;
}

static enum weir_status make_room(struct weir_session *session, size_t count, struct weir_error *error)
{
    struct kv *kv = session->kv;
    uint32_t ctx = session->engine->ctx_tokens;
    if (count > ctx - kv->n_tokens)
        return error_set(error, WEIR_ERR_TOO_LONG, "%u tokens and %zu more do not fit a context of %u", kv->n_tokens,
                         count, ctx);
    uint32_t need = kv->n_tokens + (uint32_t)count, twice = kv->capacity * 2;
    if (need <= kv->capacity) return WEIR_OK;
    if (need < twice) need = twice < ctx ? twice : ctx;
    return kv_grow(kv, need, error);
}

enum weir_status weir_session_eval(struct weir_session *session, const int32_t *ids, size_t count, bool every_position,
                                   float *logits, struct weir_error *error)
{
    struct weir_engine *engine = session->engine;
    enum weir_status status;
    if ((status = engine_check_ids(engine, ids, count, error)) || (status = make_room(session, count, error)))
        return status;
    engine_lock(engine);
    status = engine_append(engine, session->kv, ids, count, every_position, logits, error);
    engine_unlock(engine);
    return status;
}
