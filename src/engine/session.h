/* Inside of a session, for generation: its timeline and its ids. */
#ifndef WEIR_ENGINE_SESSION_H
#define WEIR_ENGINE_SESSION_H

#include "engine/engine.h"

struct weir_session {
    struct weir_engine *engine;
    struct kv *kv;
    struct weir_tokens ids; /* [kv_end(kv)] of the whole timeline, a fork's with its parent's */
};

/* Room for `count` tokens more, in keys and values and in ids. WEIR_ERR_TOO_LONG beyond the context, WEIR_ERR_INVALID while
 * forks refer to the session. */
enum weir_status session_make_room(struct weir_session *session, size_t count, struct weir_error *error) WEIR_MUST_USE;

/* As weir_session_fork, but the fork holds the first `length` tokens only: all of the parent's node, or fewer of it. */
enum weir_status session_fork_at(struct weir_session *parent, size_t length, struct weir_session **out,
                                 struct weir_error *error) WEIR_MUST_USE;

/* Notes ids that were just evaluated; there is room. */
void session_note(struct weir_session *session, const int32_t *ids, size_t count);

#endif
