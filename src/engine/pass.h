/* One forward pass over tokens of several sessions: gathered up to ENGINE_BATCH_TOKENS, evaluated as one product a layer, noted in
 * the sessions. Generation and extraction are made of such passes. */
#ifndef WEIR_ENGINE_PASS_H
#define WEIR_ENGINE_PASS_H

#include "engine/session.h"
#include "weir/generate.h"

enum { PASS_SESSIONS_MAX = WEIR_GENERATE_SEQUENCES_MAX };

struct pass {
    int32_t ids[ENGINE_BATCH_TOKENS];
    struct batch_sequence parts[PASS_SESSIONS_MAX];
    struct weir_session *sessions[PASS_SESSIONS_MAX]; /* of the parts */
    size_t owners[PASS_SESSIONS_MAX];                 /* the caller's number for each part */
    uint32_t outputs[PASS_SESSIONS_MAX];
    size_t choosers[PASS_SESSIONS_MAX]; /* the owners whose last token is in the pass: they get logits */
    uint32_t n_tokens, n_parts, n_outputs;
};

static inline void pass_clear(struct pass *pass)
{
    pass->n_tokens = pass->n_parts = pass->n_outputs = 0;
}

static inline bool pass_is_full(const struct pass *pass)
{
    return pass->n_tokens == ENGINE_BATCH_TOKENS || pass->n_parts == PASS_SESSIONS_MAX;
}

/* Adds as many of ids[0..count), count >= 1, as there is room for, to a pass that is not full; all of them: `owner` gets logits. The session gets room for
 * all. Each session at most once a pass. */
enum weir_status pass_add(struct pass *pass, struct weir_session *session, const int32_t *ids, size_t count,
                          size_t owner, struct weir_error *error) WEIR_MUST_USE;

/* Evaluates the pass; part i has taken parts[i].count ids. logits: [n_outputs, n_vocab], in the order of choosers. Takes the engine's
 * lock. */
enum weir_status pass_run(struct weir_engine *engine, const struct pass *pass, float *logits,
                          struct weir_error *error) WEIR_MUST_USE;

/* What to append to a session, and where to put the logits after it. */
struct pass_item {
    struct weir_session *session; /* each at most once */
    const int32_t *ids;           /* [count], at least one */
    size_t count;
    float *logits; /* [n_vocab] after the last id */
};

/* Appends all ids of all items, sharing passes; a result depends on its own session alone. On failure sessions may hold part of them. */
enum weir_status pass_run_all(struct weir_engine *engine, const struct pass_item *items, size_t count,
                              struct weir_error *error) WEIR_MUST_USE;

#endif
