#include "engine/pass.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum weir_status pass_add(struct pass *pass, struct weir_session *session, const int32_t *ids, size_t count,
                          size_t owner, struct weir_error *error)
{
    enum weir_status status = session_make_room(session, count, error);
    if (status) return status;
    uint32_t room = ENGINE_BATCH_TOKENS - pass->n_tokens;
    uint32_t n = count < room ? (uint32_t)count : room;
    memcpy(pass->ids + pass->n_tokens, ids, n * sizeof *ids);
    pass->parts[pass->n_parts] = (struct batch_sequence){.kv = session->kv, .first = pass->n_tokens, .count = n};
    pass->sessions[pass->n_parts] = session;
    pass->owners[pass->n_parts++] = owner;
    pass->n_tokens += n;
    if (n < count) return WEIR_OK;
    pass->outputs[pass->n_outputs] = pass->n_tokens - 1;
    pass->choosers[pass->n_outputs++] = owner;
    return WEIR_OK;
}

/* Lock held. */
static enum weir_status evaluate(struct weir_engine *engine, const struct pass *pass, float *logits,
                                 struct weir_error *error)
{
    struct batch batch = {.ids = pass->ids,
                          .n_tokens = pass->n_tokens,
                          .sequences = pass->parts,
                          .n_sequences = pass->n_parts,
                          .outputs = pass->outputs,
                          .n_outputs = pass->n_outputs};
    enum weir_status status = forward_run(engine->forward, &batch, error);
    if (!status && pass->n_outputs) forward_logits(engine->forward, &engine->model->output, logits);
    return status;
}

enum weir_status pass_run(struct weir_engine *engine, const struct pass *pass, float *logits, struct weir_error *error)
{
    engine_lock(engine);
    enum weir_status status = evaluate(engine, pass, logits, error);
    engine_unlock(engine);
    for (uint32_t i = 0; !status && i < pass->n_parts; i++)
        session_note(pass->sessions[i], pass->ids + pass->parts[i].first, pass->parts[i].count);
    return status;
}

/* ---- all at once ---- */

static enum weir_status gather(struct pass *pass, const struct pass_item *items, size_t count, const size_t *done,
                               struct weir_error *error)
{
    enum weir_status status = WEIR_OK;
    pass_clear(pass);
    for (size_t i = 0; !status && i < count && !pass_is_full(pass); i++)
        if (done[i] < items[i].count)
            status = pass_add(pass, items[i].session, items[i].ids + done[i], items[i].count - done[i], i, error);
    return status;
}

static enum weir_status run_one(struct weir_engine *engine, const struct pass *pass, const struct pass_item *items,
                                size_t *done, float *logits, struct weir_error *error)
{
    size_t n_vocab = engine->model->shape.n_vocab;
    enum weir_status status = pass_run(engine, pass, logits, error);
    for (uint32_t i = 0; !status && i < pass->n_parts; i++) done[pass->owners[i]] += pass->parts[i].count;
    for (uint32_t i = 0; !status && i < pass->n_outputs; i++)
        memcpy(items[pass->choosers[i]].logits, logits + i * n_vocab, n_vocab * sizeof *logits);
    return status;
}

enum weir_status pass_run_all(struct weir_engine *engine, const struct pass_item *items, size_t count,
                              struct weir_error *error)
{
    size_t outputs = count < PASS_SESSIONS_MAX ? count : PASS_SESSIONS_MAX;
    struct pass *pass = mem_zero(1, sizeof *pass);
    size_t *done = mem_zero(count, sizeof *done);
    float *logits = mem_aligned(outputs, engine->model->shape.n_vocab * sizeof *logits);
    enum weir_status status = pass && done && logits ? WEIR_OK : error_nomem(error, "a pass");
    while (!status) {
        status = gather(pass, items, count, done, error);
        if (status || !pass->n_parts) break;
        status = run_one(engine, pass, items, done, logits, error);
    }
    free(pass);
    free(done);
    free(logits);
    return status;
}
