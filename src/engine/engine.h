/* Inside of the engine: what decide and the sessions build on.
 *
 * The engine is immutable after open but for its lock, its scratch (used under the lock) and the fingerprint kept once computed. */
#ifndef WEIR_ENGINE_ENGINE_H
#define WEIR_ENGINE_ENGINE_H

#include <pthread.h>

#include "model/forward.h"
#include "weir/engine.h"

/* Tokens one forward pass takes at most: enough to fill the matrix products, few enough to stay in the L2 cache. */
enum { ENGINE_BATCH_TOKENS = 256 };

struct weir_engine {
    struct weir_gguf *gguf;
    struct weir_tokenizer *tokenizer; /* NULL with no_tokenizer */
    struct model *model;
    struct thread_pool *pool;
    struct forward *forward;
    enum weir_kv_type kv_type;
    uint32_t ctx_tokens;
    pthread_mutex_t lock; /* held while `forward`, kv references or `fingerprint` are used */
    char fingerprint[65]; /* "" until asked for */
    struct kv
        *bos_prefix; /* the BOS token evaluated, where the model's rule asks for one and it was needed; else NULL */
};

void engine_lock(struct weir_engine *engine);
void engine_unlock(struct weir_engine *engine);

/* Lock held. Appends ids to `kv`, in passes of at most ENGINE_BATCH_TOKENS. logits: NULL, or [n_vocab] of the last token, or with
 * every_position [count, n_vocab]. On failure kv holds what it held. The kv node must have room. */
enum weir_status engine_append(struct weir_engine *engine, struct kv *kv, const int32_t *ids, size_t count,
                               bool every_position, float *logits, struct weir_error *error) WEIR_MUST_USE;

/* Appends what the vocabulary's rule puts before a text (BOS or nothing). */
enum weir_status engine_bos_tokens(const struct weir_engine *engine, struct weir_tokens *tokens,
                                   struct weir_error *error) WEIR_MUST_USE;

/* Appends ids to a list, which keeps what it had on failure. */
enum weir_status tokens_append(struct weir_tokens *tokens, const int32_t *ids, size_t count,
                               struct weir_error *error) WEIR_MUST_USE;

/* Lock held. Evaluates BOS into bos_prefix once, when the vocabulary's rule puts BOS before a text. */
enum weir_status engine_open_bos_prefix(struct weir_engine *engine, struct weir_error *error) WEIR_MUST_USE;

/* WEIR_ERR_INVALID naming the first id that is not below the vocabulary's size. */
enum weir_status engine_check_ids(const struct weir_engine *engine, const int32_t *ids, size_t count,
                                  struct weir_error *error) WEIR_MUST_USE;

#endif
