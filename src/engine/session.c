/* A session: one kv node that grows with its tokens, and their ids. A fork's node continues its parent's. */
#include "engine/session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum {
    SESSION_TOKENS_FIRST = 256,
    SESSION_FORKS_MAX = 32 /* forks of forks: attention walks a chain of nodes of bounded length */
};

/* A node after the first `start` tokens of `parent`, which may be NULL. */
static enum weir_status open_node(struct weir_session *session, struct kv *parent, uint32_t start,
                                  struct weir_error *error)
{
    struct weir_engine *engine = session->engine;
    const struct model_shape *shape = &engine->model->shape;
    uint32_t room = engine->ctx_tokens - start;
    uint32_t tokens = room < SESSION_TOKENS_FIRST ? room : SESSION_TOKENS_FIRST;
    return parent ? kv_fork(shape, tokens, false, parent, start, &session->kv, error)
                  : kv_open(shape, engine->kv_type, tokens, false, NULL, &session->kv, error);
}

enum weir_status weir_session_open(struct weir_engine *engine, struct weir_session **out, struct weir_error *error)
{
    struct weir_session *session = mem_zero(1, sizeof *session);
    if (!session) return error_nomem(error, "session");
    session->engine = engine;
    enum weir_status status = open_node(session, NULL, 0, error);
    if (status) {
        free(session);
        return status;
    }
    *out = session;
    return WEIR_OK;
}

static unsigned depth_of(const struct kv *kv)
{
    unsigned depth = 0;
    for (; kv; kv = kv->parent) depth++;
    return depth;
}

enum weir_status weir_session_fork(struct weir_session *parent, struct weir_session **out, struct weir_error *error)
{
    return session_fork_at(parent, weir_session_length(parent), out, error);
}

enum weir_status session_fork_at(struct weir_session *parent, size_t length, struct weir_session **out,
                                 struct weir_error *error)
{
    assert(length >= parent->kv->start && length <= weir_session_length(parent));
    if (depth_of(parent->kv) >= SESSION_FORKS_MAX)
        return error_set(error, WEIR_ERR_LIMIT, "a fork of a fork, %d deep: no more", SESSION_FORKS_MAX);
    struct weir_session *session = mem_zero(1, sizeof *session);
    if (!session) return error_nomem(error, "session");
    session->engine = parent->engine;
    enum weir_status status = tokens_append(&session->ids, parent->ids.ids, length, error);
    engine_lock(parent->engine);
    if (!status) status = open_node(session, parent->kv, (uint32_t)length, error);
    engine_unlock(parent->engine);
    if (status) {
        weir_tokens_free(&session->ids);
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
    engine_lock(session->engine);
    kv_close(&session->kv);
    engine_unlock(session->engine);
    weir_tokens_free(&session->ids);
    free(session);
    *handle = NULL;
}

size_t weir_session_length(const struct weir_session *session)
{
    return kv_end(session->kv);
}

const int32_t *weir_session_ids(const struct weir_session *session)
{
    return session->ids.ids;
}

static enum weir_status check_no_forks(struct weir_session *session, struct weir_error *error)
{
    engine_lock(session->engine);
    bool has_forks = session->kv->references > 1;
    engine_unlock(session->engine);
    if (!has_forks) return WEIR_OK;
    return error_set(error, WEIR_ERR_INVALID, "the session has forks that refer to it: close them first");
}

enum weir_status weir_session_cut(struct weir_session *session, size_t length, struct weir_error *error)
{
    if (length < session->kv->start || length > kv_end(session->kv))
        return error_set(error, WEIR_ERR_INVALID, "the session can be cut to %u..%u tokens, not to %zu",
                         session->kv->start, kv_end(session->kv), length);
    if (length == kv_end(session->kv)) return WEIR_OK;
    enum weir_status status = check_no_forks(session, error);
    if (status) return status;
    session->kv->n_tokens = (uint32_t)length - session->kv->start;
    session->ids.count = length;
    return WEIR_OK;
}

enum weir_status weir_session_follow(struct weir_session *session, const int32_t *ids, size_t count, size_t *common,
                                     struct weir_error *error)
{
    size_t same = 0, most = count ? count - 1 : 0;
    while (same < most && same < session->ids.count && session->ids.ids[same] == ids[same]) same++;
    enum weir_status status = weir_session_cut(session, same, error);
    if (!status) *common = same;
    return status;
}

void weir_session_reset(struct weir_session *session)
{
    enum weir_status status = weir_session_cut(session, session->kv->start, NULL);
    (void)status; /* with forks it stays as it is */
}

enum weir_status session_make_room(struct weir_session *session, size_t count, struct weir_error *error)
{
    struct kv *kv = session->kv;
    uint32_t ctx = session->engine->ctx_tokens, held = kv_end(kv);
    enum weir_status status = check_no_forks(session, error);
    if (status) return status;
    if (count > ctx - held)
        return error_set(error, WEIR_ERR_TOO_LONG, "%u tokens and %zu more do not fit a context of %u", held, count,
                         ctx);
    uint32_t need = kv->n_tokens + (uint32_t)count;
    if (need > kv->capacity) {
        uint32_t twice = kv->capacity * 2, most = ctx - kv->start;
        if (need < twice) need = twice < most ? twice : most;
        if ((status = kv_grow(kv, need, error))) return status;
    }
    size_t noted = session->ids.count;
    if (noted + count <= session->ids.capacity) return WEIR_OK;
    size_t capacity = (size_t)kv->start + kv->capacity;
    int32_t *ids = mem_resize(session->ids.ids, capacity, sizeof *ids);
    if (!ids) return error_nomem(error, "session");
    session->ids.ids = ids;
    session->ids.capacity = capacity;
    return WEIR_OK;
}

void session_note(struct weir_session *session, const int32_t *ids, size_t count)
{
    memcpy(session->ids.ids + session->ids.count, ids, count * sizeof *ids);
    session->ids.count += count;
}

enum weir_status weir_session_eval(struct weir_session *session, const int32_t *ids, size_t count, bool every_position,
                                   float *logits, struct weir_error *error)
{
    struct weir_engine *engine = session->engine;
    enum weir_status status;
    if ((status = engine_check_ids(engine, ids, count, error)) || (status = session_make_room(session, count, error)))
        return status;
    engine_lock(engine);
    status = engine_append(engine, session->kv, ids, count, every_position, logits, error);
    engine_unlock(engine);
    if (!status && count) session_note(session, ids, count);
    return status;
}
