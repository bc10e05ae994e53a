/* One forward pass over a batch of tokens of any number of sequences, and the parts a family's layer is written in.
 *
 * A batch is a flat list of tokens: x is [n, n_embd], so every matrix product is one real GEMM over the tokens of all
 * sequences; only attention looks at who belongs to whom. A token's result depends on its own sequence alone: the batch it
 * travels in, the number of threads and how its prefix was computed change no bit of it.
 *
 *   forward_run:   x = embedding of ids
 *                  for each layer: family->layer(f, i)       pooled states are taken after the depths asked for
 *                  last layer: rows that nobody wants are dropped after their keys and values are stored
 *   then           forward_logits of the output rows
 *
 * A forward object is scratch for one pass at a time; sizes are set when it opens, except attention scores, which grow with
 * the longest sequence seen. */
#ifndef WEIR_MODEL_FORWARD_H
#define WEIR_MODEL_FORWARD_H

#include "base/threads.h"
#include "model/kv.h"
#include "model/model.h"

/* Tokens [first, first + count) of the batch are appended to `kv`, whose tokens and ancestors they see. */
struct batch_sequence {
    struct kv *kv;
    uint32_t first, count;
    /* NULL: each token follows the one before it. Otherwise a tree: parents[i] is the index, within these `count` tokens and
     * below i, of the token that token i follows, or -1 for the end of what `kv` held before. A token sees itself, its ancestors
     * and everything `kv` and its ancestors held; its position is its parent's plus one. The kv node must be closed afterwards:
     * a tree's tokens are no linear timeline. */
    const int32_t *parents;
};

struct batch {
    const int32_t *ids; /* [n_tokens], each below n_vocab */
    uint32_t n_tokens;
    const struct batch_sequence *sequences; /* in token order, covering the batch without gaps */
    uint32_t n_sequences;
    const uint32_t *outputs; /* [n_outputs] ascending token indices whose last state is wanted */
    uint32_t n_outputs;
    const uint32_t *depths; /* [n_depths] ascending, 1..n_layers: pool states after that many layers */
    uint32_t n_depths;
    float *pooled; /* [n_sequences, n_depths, 2, n_embd]: mean over the sequence's tokens, then its last token */
};

struct forward_token {
    uint32_t sequence;
    uint32_t own_index; /* index in the sequence's kv node */
    uint32_t position;  /* absolute, for rope and windows */
};

struct attention_scratch {
    float *q, *out; /* [ATTENTION_ROWS_MAX or group, head_dim] */
    float *scores;  /* [rows, width] */
};

struct forward {
    const struct model *model;
    struct thread_pool *pool; /* not owned; NULL: the caller's thread */
    uint32_t tokens_max;

    const struct batch *batch;    /* of the running pass */
    uint32_t n;                   /* rows of x */
    struct forward_token *tokens; /* [tokens_max] */
    uint8_t *
        *visible; /* [n_sequences] of tree sequences: [count, count], 1: row's token sees column's; NULL: a chain */
    uint32_t visible_count;
    bool kept_outputs; /* x holds the output rows only */
    bool is_last;      /* the running layer is the last one */

    /* [tokens_max, ...] float rows */
    float *x;                       /* [n_embd] the residual stream */
    float *h;                       /* [n_embd] a block's result before it is added */
    float *q, *k, *v;               /* [n_heads * head_dim], [n_kv_heads * head_dim] twice */
    float *attention;               /* [n_heads * head_dim] */
    float *gate, *up;               /* [n_ff] */
    float *normed;                  /* [n_embd]; input of products that norm first */
    float *rope[ROPE_KINDS];        /* [n_rot/2][2] cos, sin of each token */
    struct activations activations; /* the input of the running products, quantised */

    struct attention_scratch *workers; /* [threads] */
    size_t scores_size;                /* floats in each worker's scores */
};

enum { ATTENTION_ROWS_MAX = 64 };

enum weir_status forward_open(const struct model *model, struct thread_pool *pool, uint32_t tokens_max,
                              struct forward **out, struct weir_error *error) WEIR_MUST_USE;
void forward_close(struct forward **forward);

/* Bytes of a forward object that takes `tokens_max` tokens and has run sequences of `keys` tokens on `threads` threads. */
size_t forward_bytes(const struct model *model, unsigned threads, uint32_t tokens_max, size_t keys);
/* Bytes of the embedding's pages that are resident at a time. */
size_t forward_embedding_bytes(const struct model *model, unsigned threads);

/* Runs the batch (n_tokens <= tokens_max; every kv node has room). On success each sequence's kv holds `count` tokens more; on
 * failure (memory) nothing changed. With n_outputs == 0 layers above the deepest depth are not computed. */
enum weir_status forward_run(struct forward *f, const struct batch *batch, struct weir_error *error) WEIR_MUST_USE;

/* After a run: logits of all output rows, [n_outputs, output->rows], for the model's output matrix or for some rows of it
 * (model/candidates.h): a logit does not depend on which others are computed. */
void forward_logits(struct forward *f, const struct matrix *output, float *logits);

/* ---- parts of a layer ---- */

struct product {
    const struct matrix *w;
    float *y;          /* [n, w->rows] */
    const float *bias; /* [w->rows], NULL: none */
};

/* y_i = W_i * input + bias_i for each product; all share the input [n, cols]. norm != NULL: of rmsnorm(input; norm) instead. */
void forward_products(struct forward *f, const float *input, size_t cols, const float *norm,
                      const struct product *products, size_t count);

/* rmsnorm of each head of q or k in place. */
void forward_norm_heads(struct forward *f, float *heads, uint32_t n_heads, const float *norm);

enum rope_order { ROPE_ADJACENT, ROPE_HALVES };
/* Rotates q and k, then stores k and v in the sequences' kv nodes. */
void forward_rope_and_store(struct forward *f, uint32_t layer, enum rope_order order);

/* In the last layer: drops the rows of x and q that no output needs. */
void forward_keep_outputs(struct forward *f);

/* attention[t] = softmax(q K^T * attn_scale) V over what token t sees. */
void forward_attention(struct forward *f, uint32_t layer);

/* x += h, or x += rmsnorm(h; norm). */
void forward_add(struct forward *f, const float *norm);

enum gate_function { GATE_SILU, GATE_GELU_TANH };
/* gate = function(gate) * up. */
void forward_gate(struct forward *f, enum gate_function function);

/* attention.c, for forward.c: bytes of one thread's scratch for sequences of `keys` tokens; and room for them. */
size_t attention_bytes(const struct model_shape *shape, size_t keys);
enum weir_status attention_reserve(struct forward *f, size_t keys, struct weir_error *error) WEIR_MUST_USE;

#endif
