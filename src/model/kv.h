/* Keys and values of a run of tokens: a node of the prefix tree.
 *
 * A node holds its own tokens and may continue a parent, whose tokens come first. A parent is frozen while it has children: many rows
 * fork from one prefix and share its memory. Nodes are counted references; closing a child releases its parent.
 * Layout of one node: [layer][kv head]{ k: [capacity/16][head_dim][16], v: [capacity][head_dim] } of `type` (q8_0's scales lie
 * inside: kernels.h), one token's key and value kv_row_bytes each.
 * A node made with `one_layer` keeps a single layer's keys and values, overwritten by the next layer: enough for tokens that one
 * forward pass both writes and reads, and it stays in the cache. Not thread-safe: guarded by the engine's lock. */
#ifndef WEIR_MODEL_KV_H
#define WEIR_MODEL_KV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/model.h"

enum { KV_BLOCK = 16, KV_PAGES_BYTES = 1 << 20 };

struct kv {
    struct kv *parent; /* counted; NULL: this node starts the sequence */
    uint32_t start;    /* tokens before this node: the parent's end, or earlier (kv_fork) */
    uint32_t n_tokens; /* own tokens stored */
    uint32_t capacity; /* own tokens that fit; a multiple of KV_BLOCK */
    uint32_t references;
    enum weir_kv_type type;
    bool one_layer;
    uint32_t layers, heads;                  /* stored */
    size_t layer_bytes, head_bytes, k_bytes; /* strides; v lies k_bytes after k */
    uint8_t *data; /* [layers][layer_bytes], owned: from mem_pages when KV_PAGES_BYTES or more, else from mem_zero */
};

/* `tokens` is rounded up to whole blocks. `parent` may be NULL; it gets one more reference. */
enum weir_status kv_open(const struct model_shape *shape, enum weir_kv_type type, uint32_t tokens, bool one_layer,
                         struct kv *parent, struct kv **out, struct weir_error *error) WEIR_MUST_USE;
/* As kv_open with a parent that is continued after `start` of the sequence's tokens, rather than at its end: the node sees the parent's
 * tokens before that alone. parent->start <= start <= kv_end(parent). */
enum weir_status kv_fork(const struct model_shape *shape, uint32_t tokens, bool one_layer, struct kv *parent,
                         uint32_t start, struct kv **out, struct weir_error *error) WEIR_MUST_USE;
/* Makes room for `tokens` own tokens in a node that has no children; on failure the node is as it was. */
enum weir_status kv_grow(struct kv *kv, uint32_t tokens, struct weir_error *error) WEIR_MUST_USE;
void kv_close(struct kv **kv); /* drops one reference; accepts NULL inside */

static inline uint32_t kv_end(const struct kv *kv)
{
    return kv->start + kv->n_tokens;
}

static inline uint8_t *kv_keys(const struct kv *kv, uint32_t layer, uint32_t head)
{
    return kv->data + (kv->one_layer ? 0 : layer) * kv->layer_bytes + head * kv->head_bytes;
}

static inline uint8_t *kv_values(const struct kv *kv, uint32_t layer, uint32_t head)
{
    return kv_keys(kv, layer, head) + kv->k_bytes;
}

/* Bytes of a node of all layers with room for `tokens`. */
size_t kv_bytes(const struct model_shape *shape, enum weir_kv_type type, uint32_t tokens);
/* Bytes of keys and values one token takes over all layers. */
size_t kv_bytes_per_token(const struct model_shape *shape, enum weir_kv_type type);

#endif
