#include "model/kv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

size_t kv_bytes_per_token(const struct model_shape *shape, enum weir_kv_type type)
{
    return (size_t)2 * shape->n_layers * shape->n_kv_heads * kv_row_bytes(type, shape->head_dim);
}

static size_t data_bytes(const struct kv *kv)
{
    return kv->layers * kv->layer_bytes;
}

/* Zeroed; of large ones nothing is resident until tokens are stored. */
static bool allocate_data(struct kv *kv)
{
    size_t bytes = data_bytes(kv);
    kv->data = bytes >= KV_PAGES_BYTES ? mem_pages(bytes) : mem_zero(bytes, 1);
    return kv->data != NULL;
}

static void free_data(struct kv *kv)
{
    if (data_bytes(kv) >= KV_PAGES_BYTES)
        mem_pages_free(kv->data, data_bytes(kv));
    else
        free(kv->data);
}

/* An empty node of its sizes, without data. */
static struct kv layout(const struct model_shape *shape, enum weir_kv_type type, uint32_t tokens, bool one_layer)
{
    struct kv kv = {.references = 1, .type = type, .one_layer = one_layer};
    kv.capacity = (tokens + KV_BLOCK - 1) / KV_BLOCK * KV_BLOCK;
    kv.k_bytes = (size_t)kv.capacity * kv_row_bytes(type, shape->head_dim);
    kv.head_bytes = 2 * kv.k_bytes;
    kv.layer_bytes = shape->n_kv_heads * kv.head_bytes;
    kv.heads = shape->n_kv_heads;
    kv.layers = one_layer ? 1 : shape->n_layers;
    return kv;
}

size_t kv_bytes(const struct model_shape *shape, enum weir_kv_type type, uint32_t tokens)
{
    struct kv kv = layout(shape, type, tokens, false);
    return data_bytes(&kv);
}

enum weir_status kv_open(const struct model_shape *shape, enum weir_kv_type type, uint32_t tokens, bool one_layer,
                         struct kv *parent, struct kv **out, struct weir_error *error)
{
    assert(tokens <= MODEL_CTX_MAX);
    struct kv *kv = mem_zero(1, sizeof *kv);
    if (!kv) return error_nomem(error, "kv node");
    *kv = layout(shape, type, tokens, one_layer);
    if (!allocate_data(kv)) {
        free(kv);
        return error_set(error, WEIR_ERR_NOMEM, "out of memory: keys and values of %u tokens", tokens);
    }
    if (parent) {
        assert(!parent->one_layer);
        parent->references++;
        kv->parent = parent;
        kv->start = kv_end(parent);
    }
    *out = kv;
    return WEIR_OK;
}

enum weir_status kv_fork(const struct model_shape *shape, uint32_t tokens, bool one_layer, struct kv *parent,
                         uint32_t start, struct kv **out, struct weir_error *error)
{
    assert(parent->start <= start && start <= kv_end(parent));
    enum weir_status status = kv_open(shape, parent->type, tokens, one_layer, parent, out, error);
    if (!status) (*out)->start = start;
    return status;
}

void kv_close(struct kv **handle)
{
    struct kv *kv = *handle;
    *handle = NULL;
    while (kv && --kv->references == 0) {
        struct kv *parent = kv->parent;
        free_data(kv);
        free(kv);
        kv = parent;
    }
}

enum weir_status kv_grow(struct kv *kv, uint32_t tokens, struct weir_error *error)
{
    if (tokens <= kv->capacity) return WEIR_OK;
    struct kv grown = *kv;
    grown.capacity = (tokens + KV_BLOCK - 1) / KV_BLOCK * KV_BLOCK;
    grown.k_bytes = kv->k_bytes / kv->capacity * grown.capacity;
    grown.head_bytes = 2 * grown.k_bytes;
    grown.layer_bytes = kv->heads * grown.head_bytes;
    if (!allocate_data(&grown))
        return error_set(error, WEIR_ERR_NOMEM, "out of memory: keys and values of %u tokens", tokens);
    bool is_pages = data_bytes(kv) >= KV_PAGES_BYTES;
    for (uint32_t layer = 0; layer < kv->layers; layer++) {
        for (uint32_t head = 0; head < kv->heads; head++) {
            memcpy(kv_keys(&grown, layer, head), kv_keys(kv, layer, head), kv->k_bytes);
            memcpy(kv_values(&grown, layer, head), kv_values(kv, layer, head), kv->k_bytes);
        }
        if (is_pages) mem_pages_drop(kv->data + layer * kv->layer_bytes, kv->layer_bytes); /* never hold both copies */
    }
    free_data(kv);
    *kv = grown;
    return WEIR_OK;
}
