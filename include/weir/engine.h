/* The inference engine: a GGUF model made ready to compute, and single-sequence access to it.
 *
 * Order: weir_engine_open, then any number of classifiers (weir/classify.h) or direct calls, then weir_engine_close. An engine is
 * immutable; calls that compute share its thread pool and take turns.
 * At one CPU level every result is bit-identical for any number of threads, any batch size, shared or fresh prefix. */
#ifndef WEIR_ENGINE_H
#define WEIR_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/gguf.h"
#include "weir/status.h"
#include "weir/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How keys and values are kept. q8_0: signed bytes, one binary16 scale for each token, head and 32 dimensions. */
enum weir_kv_type { WEIR_KV_F16 = 0, WEIR_KV_F32 = 1, WEIR_KV_Q8_0 = 2 };
enum { WEIR_KV_TYPES = 3 };

/* "f16", "f32", "q8_0"; NULL for a number that is no type. */
WEIR_API const char *weir_kv_type_name(enum weir_kv_type type);
/* false: `name` is none of them; *out untouched. */
WEIR_API bool weir_kv_type_find(const char *name, enum weir_kv_type *out);

struct weir_engine_options {
    unsigned threads; /* 0: the CPUs this process may use */
    /* Longest sequence; 0: the model's own context length, for longrope models (Phi-3.5, Phi-4 mini) their original one, 4096 tokens.
     * These models carry two sets of rotary factors: an engine of at most the original context uses the short set, a longer one the long
     * set, for every sequence however short. It is fixed when the engine opens, so that a shared prefix and a fresh one agree. */
    unsigned ctx_tokens;
    enum weir_kv_type kv_type; /* default f16 */
    bool no_tokenizer;         /* leave the vocabulary alone (inspect, logits, bench) */
    bool ignore_memory;        /* load also what will not fit */
    size_t memory_limit_bytes; /* what the model may take; 0: what the system says is available */
};

WEIR_API struct weir_engine_options weir_engine_options_default(void);

struct weir_engine;

/* Opens the model file at `path`. Before any weight is read the memory needed is predicted (weir_memory_predict): more than the limit
 * is WEIR_ERR_NO_ROOM with a text that says how much is missing. With ctx_tokens 0, keys and values of at most
 * WEIR_MEMORY_CTX_TOKENS are counted there, since they grow with the sequence. The environment variable WEIR_CPU (ref, avx2, avx512vnni) forces a CPU level; a level
 * this machine lacks, or an unknown name, is WEIR_ERR_UNSUPPORTED. */
WEIR_API enum weir_status weir_engine_open(const char *path, const struct weir_engine_options *options,
                                           struct weir_engine **out, struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_engine_close(struct weir_engine **engine);

enum { WEIR_MEMORY_CTX_TOKENS = 4096 };

/* Resident memory of one sequence of ctx_tokens in an engine, beside what the process holds anyway. Peak, also while loading. */
struct weir_memory {
    size_t weights_bytes; /* stays mapped of the file: metadata, matrices computed from it, embedding rows in flight */
    size_t tiles_bytes;   /* weights repacked for the CPU level */
    size_t kv_bytes;      /* keys and values of ctx_tokens */
    size_t scratch_bytes; /* a forward pass, attention scores, norms, a row of logits */
    size_t tokenizer_bytes; /* its tables, and the index of the file */
    size_t total_bytes;     /* the sum */
    uint32_t
        ctx_tokens; /* options' ctx_tokens; where that is 0, the model's own or WEIR_MEMORY_CTX_TOKENS, the lower */
    enum weir_kv_type kv_type;
    unsigned threads;
    const char *cpu_level;
};

/* Predicts what weir_engine_open with these options (NULL: the defaults) and one session that fills the context will take, from the
 * file's metadata: shapes are checked as when opening, no matrix is read. Errors as weir_engine_open's; thread-safe. */
WEIR_API enum weir_status weir_memory_predict(const struct weir_gguf *gguf, const struct weir_engine_options *options,
                                              struct weir_memory *out, struct weir_error *error) WEIR_MUST_USE;

/* Memory this process can still have: MemAvailable of the machine, or what the limits of its control groups (versions 1 and 2) leave,
 * the lower one, which *is_cgroup tells. Pages of files that the system can drop count as available. false: the system does not say. */
WEIR_API bool weir_memory_available(size_t *bytes, bool *is_cgroup);

struct weir_model_info {
    struct weir_string architecture; /* general.architecture */
    struct weir_string name;         /* general.name, may be empty */
    uint32_t n_layers, n_embd, n_heads, n_kv_heads, head_dim, n_ff, n_vocab, ctx_train;
    uint32_t ctx_tokens;      /* longest sequence of this engine */
    const char *rope_scaling; /* "none", "linear", "factors" (Llama 3.1), "longrope short", "longrope long" */
    uint64_t parameters;
    size_t weights_bytes; /* tensor data in the file */
    size_t tiles_bytes;   /* repacked copies in memory */
    size_t kv_bytes_per_token;
    const char *cpu_level; /* "ref", "avx2", "avx512vnni" */
    unsigned threads;
};

WEIR_API void weir_engine_info(const struct weir_engine *engine, struct weir_model_info *info);
WEIR_API const struct weir_tokenizer *
weir_engine_tokenizer(const struct weir_engine *engine); /* NULL with no_tokenizer */
WEIR_API const struct weir_gguf *weir_engine_gguf(const struct weir_engine *engine);

/* The model file's fingerprint (weir_gguf_fingerprint), computed at the first call and kept. Thread-safe. */
WEIR_API enum weir_status weir_engine_fingerprint(struct weir_engine *engine, char hex[65],
                                                  struct weir_error *error) WEIR_MUST_USE;

/* One sequence: a mutable timeline of tokens over the immutable engine. Belongs to one thread at a time. */
struct weir_session;

WEIR_API enum weir_status weir_session_open(struct weir_engine *engine, struct weir_session **out,
                                            struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_session_close(struct weir_session **session);
WEIR_API size_t weir_session_length(const struct weir_session *session); /* tokens evaluated so far */
/* The ids evaluated so far, [weir_session_length]; they live until the next call on the session. */
WEIR_API const int32_t *weir_session_ids(const struct weir_session *session);
/* Back to length 0, a fork to where it was forked; nothing happens while forks refer to it. */
WEIR_API void weir_session_reset(struct weir_session *session);
/* Forgets all tokens from `length` on, at most back to where a fork was forked. WEIR_ERR_INVALID while forks refer to it. */
WEIR_API enum weir_status weir_session_cut(struct weir_session *session, size_t length,
                                           struct weir_error *error) WEIR_MUST_USE;
/* Cuts the session back to what it has in common with ids[0..count), so that evaluating ids[*common..count) makes it hold all of them.
 * At least the last id is left over, since its logits are wanted. */
WEIR_API enum weir_status weir_session_follow(struct weir_session *session, const int32_t *ids, size_t count,
                                              size_t *common, struct weir_error *error) WEIR_MUST_USE;
/* A new session that begins with what `session` holds and shares the memory of it. Until the fork is closed, `session` stays as
 * it is (evaluating on it is WEIR_ERR_INVALID); it may be closed, the memory stays as long as a fork needs it. */
WEIR_API enum weir_status weir_session_fork(struct weir_session *session, struct weir_session **out,
                                            struct weir_error *error) WEIR_MUST_USE;

/* Appends `count` tokens. When `logits` is not NULL it receives float32 logits: [n_vocab] of the last token, or with
 * `every_position` [count, n_vocab]. Fails, leaving the session as it was, on ids out of range or beyond the context. */
WEIR_API enum weir_status weir_session_eval(struct weir_session *session, const int32_t *ids, size_t count,
                                            bool every_position, float *logits, struct weir_error *error) WEIR_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
