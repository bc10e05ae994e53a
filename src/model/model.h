/* A model: shapes and weights of one GGUF file, ready for the forward pass. Immutable after model_open; shared by threads.
 *
 * Names are those of the papers and of the GGUF file. One file per architecture family (llama.c, gemma3.c, ...) describes how
 * shapes are read and what one layer computes; adding a family is a new file and a line in the table of family.c. */
#ifndef WEIR_MODEL_MODEL_H
#define WEIR_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/threads.h"
#include "kernels/kernels.h"
#include "weir/gguf.h"
#include "weir/status.h"

/* Limits on shapes: products of any three of them fit in size_t. */
enum {
    MODEL_LAYERS_MAX = 512,
    MODEL_EMBD_MAX = 1 << 16,
    MODEL_FF_MAX = 1 << 18,
    MODEL_HEADS_MAX = 1 << 10,
    MODEL_HEAD_DIM_MAX = 1 << 10,
    MODEL_VOCAB_MAX = 1 << 20,
    MODEL_CTX_MAX = 1 << 22
};

/* One rotary embedding: angle(position, i) = position * scale / factor[i] * base^(-2 i / n_rot), i < n_rot/2;
 * a pair (a, b) becomes magnitude * (a cos - b sin, a sin + b cos). */
struct rope {
    double base;
    double scale;         /* 1 / the linear scaling factor */
    double magnitude;     /* longrope's attention factor; 1 elsewhere */
    const float *factors; /* [n_rot/2], NULL: all 1 */
};

/* What a model's rotary embedding was scaled by. */
enum rope_scaling { ROPE_PLAIN, ROPE_LINEAR, ROPE_FACTORS, ROPE_LONGROPE_SHORT, ROPE_LONGROPE_LONG };
const char *
rope_scaling_name(enum rope_scaling scaling); /* "none", "linear", "factors", "longrope short", "longrope long" */

enum { ROPE_GLOBAL = 0, ROPE_LOCAL = 1, ROPE_KINDS = 2 };

struct model_shape {
    uint32_t n_layers, n_embd, n_heads, n_kv_heads, head_dim, n_ff, n_vocab, ctx_train;
    uint32_t n_rot;          /* rotated dimensions of a head, even */
    uint32_t sliding_window; /* keys a local layer sees, itself included; 0: every layer sees all */
    float rms_eps;
    float attn_scale;    /* scores are scaled by it */
    float embd_scale;    /* token embeddings are multiplied by it */
    float attn_softcap;  /* scores become cap * tanh(score / cap) before the mask; 0: they stay */
    float logit_softcap; /* the same for logits */
    struct rope rope[ROPE_KINDS];
    bool has_local_rope; /* rope[ROPE_LOCAL] is used */
    enum rope_scaling rope_scaling;
};

/* Weights of a layer; what the family does not have is zero. Norm weights are floats [n_embd] (q_norm, k_norm: [head_dim]). */
struct model_layer {
    bool is_local; /* sliding window, rope[ROPE_LOCAL] */
    const float *attn_norm, *q_norm, *k_norm, *post_attn_norm, *ffn_norm, *post_ffn_norm;
    struct matrix wq, wk, wv,
        wo; /* [n_heads*head_dim, n_embd], [n_kv_heads*head_dim, n_embd] x2, [n_embd, n_heads*head_dim] */
    const float *bq, *bk, *bv;          /* added to Wq h, Wk h, Wv h; NULL: none */
    struct matrix w_gate, w_up, w_down; /* [n_ff, n_embd] x2, [n_embd, n_ff] */
};

enum { MODEL_LAYER_MATRICES = 7 }; /* wq ... w_down */

struct model;
struct forward;

/* What a family provides. */
struct model_family {
    const char *architecture; /* general.architecture */
    /* Fills shape from metadata beyond what every family has (model_load.c reads those first). */
    enum weir_status (*read_shape)(struct model *model, struct weir_error *error);
    /* Takes the tensors of layer `index` (model_take_* below). */
    enum weir_status (*read_layer)(struct model *model, uint32_t index, struct weir_error *error);
    /* x += attention(x), x += ffn(x): one layer over the batch in `f`. */
    void (*layer)(struct forward *f, uint32_t index);
};

extern const struct model_family family_llama;
extern const struct model_family family_gemma2;
extern const struct model_family family_gemma3;
extern const struct model_family family_phi3;
extern const struct model_family family_qwen2;
extern const struct model_family family_qwen3;

/* NULL: unknown. */
const struct model_family *model_family_find(struct weir_string architecture);
/* The table's names for error texts: "llama, gemma3, ...", cut to `size` bytes with the NUL. */
void model_family_names(char *out, size_t size);

struct model {
    const struct weir_gguf *gguf; /* not owned */
    const struct model_family *family;
    struct kernels kernels;
    struct model_shape shape;
    uint32_t
        ctx_tokens; /* longest sequence this model will run; fixed when it opens, as it may decide the rotary factors */
    struct model_layer *layers; /* [n_layers], owned */
    struct matrix embd;         /* [n_vocab, n_embd] */
    struct matrix output;       /* [n_vocab, n_embd]; the embedding when tied */
    const float *output_norm;   /* [n_embd] */

    float *floats; /* arena of every float32 vector above, owned */
    size_t floats_used, floats_size;
    uint8_t *tiles;      /* pages of repacked weights, owned; NULL before model_load */
    size_t tiles_bytes;  /* of them */
    size_t mapped_bytes; /* of the file: metadata, and matrices that this level computes from their blocks */
    size_t index_bytes;  /* of the open file's tables */
    bool *tensor_taken;  /* [tensor count] while loading: a tensor nobody takes is an error */
};

/* Reads shapes and tensors of `gguf`, which must outlive the model: everything is checked, and the memory it will take is known
 * (tiles_bytes, mapped_bytes), but no matrix is read. ctx_tokens: the longest sequence it will run, at most ctx_train (else
 * WEIR_ERR_TOO_LONG); 0: the family's choice, ctx_train but for longrope. */
enum weir_status model_open(const struct weir_gguf *gguf, enum cpu_level level, uint32_t ctx_tokens, struct model **out,
                            struct weir_error *error) WEIR_MUST_USE;
/* Then repacks the matrices for the level, on `pool`. Needed before a forward pass. */
enum weir_status model_load(struct model *model, struct thread_pool *pool, struct weir_error *error) WEIR_MUST_USE;
/* Rows of the embedding that were read need not stay resident. */
void model_release_embedding(const struct model *model);
void model_close(struct model **model);

/* ---- for the families, while loading ---- */

/* Metadata "ARCH.key". A missing required key or one of the wrong type or range is WEIR_ERR_FORMAT naming it. */
enum weir_status model_key_u32(struct model *model, const char *key, uint32_t low, uint32_t high, uint32_t *out,
                               struct weir_error *error) WEIR_MUST_USE;
/* The same, with a value for a missing key. */
enum weir_status model_key_u32_or(struct model *model, const char *key, uint32_t low, uint32_t high, uint32_t missing,
                                  uint32_t *out, struct weir_error *error) WEIR_MUST_USE;
enum weir_status model_key_f32(struct model *model, const char *key, double low, double high, double *out,
                               struct weir_error *error) WEIR_MUST_USE;
enum weir_status model_key_f32_or(struct model *model, const char *key, double low, double high, double missing,
                                  double *out, struct weir_error *error) WEIR_MUST_USE;

/* rope.scaling.type: none or linear into rope->scale; any other type is WEIR_ERR_UNSUPPORTED naming it. */
enum weir_status model_read_rope_scaling(struct model *model, struct rope *rope,
                                         struct weir_error *error) WEIR_MUST_USE;
/* Is rope.scaling.type this text? A missing key is "". */
bool model_rope_scaling_is(struct model *model, const char *type);

/* Tensor `name` (with %u for the layer) as a matrix [rows, cols], or as float32 vector [size]; the shape must be exactly that. */
enum weir_status model_take_matrix(struct model *model, struct matrix *out, size_t rows, size_t cols,
                                   const char *name_format, uint32_t layer, struct weir_error *error) WEIR_MUST_USE;
/* Tensor `name` whose rows are those of `count` matrices one below the other: each gets the rows that its `rows` asks for, as a view. */
enum weir_status model_take_stacked(struct model *model, struct matrix *const *out, const size_t *rows, size_t count,
                                    size_t cols, const char *name_format, uint32_t layer,
                                    struct weir_error *error) WEIR_MUST_USE;
enum weir_status model_take_vector(struct model *model, const float **out, size_t size, const char *name_format,
                                   uint32_t layer, struct weir_error *error) WEIR_MUST_USE;
/* For model_open: fills tiles_bytes, mapped_bytes and index_bytes. */
void model_measure(struct model *model);
bool model_has_tensor(const struct model *model, const char *name);
/* A vector [n_rot/2] of rotary factors, each a number above 0. */
enum weir_status model_take_rope_factors(struct model *model, const float **out, const char *name,
                                         struct weir_error *error) WEIR_MUST_USE;

/* The tensors most families share, by their usual names and shapes: attn_norm, attn_q, attn_k, attn_v, attn_output; and ffn_norm,
 * ffn_gate, ffn_up, ffn_down. */
enum weir_status model_take_attention(struct model *model, uint32_t layer, struct weir_error *error) WEIR_MUST_USE;
enum weir_status model_take_feed_forward(struct model *model, uint32_t layer, struct weir_error *error) WEIR_MUST_USE;
/* attn_q_norm and attn_k_norm [head_dim]. */
enum weir_status model_take_head_norms(struct model *model, uint32_t layer, struct weir_error *error) WEIR_MUST_USE;
/* post_attention_norm and post_ffw_norm [n_embd]. */
enum weir_status model_take_post_norms(struct model *model, uint32_t layer, struct weir_error *error) WEIR_MUST_USE;

#endif
