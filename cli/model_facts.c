#include "model_facts.h"

#include <stdbool.h>
#include <stdio.h>

enum { LAYERS_MAX = 65536, WIDTH_MAX = 1 << 24 }; /* beyond these the metadata is taken for nonsense */

/* The value of ARCHITECTURE.name. */
static const struct weir_gguf_value *find(const struct weir_gguf *gguf, struct weir_string architecture,
                                          const char *name)
{
    char key[256];
    int size = snprintf(key, sizeof key, "%.*s.%s", (int)(architecture.size < 128 ? architecture.size : 128),
                        architecture.data, name);
    return size > 0 && (size_t)size < sizeof key ? weir_gguf_find(gguf, key) : NULL;
}

/* A count in 1..WIDTH_MAX, or 0. A per-layer list gives item `layer`. */
static uint64_t count_at(const struct weir_gguf_value *value, size_t layer)
{
    uint64_t count = 0;
    bool found = weir_gguf_as_u64(value, &count) || (value && weir_gguf_array_u64(value, layer, &count));
    return found && count <= WIDTH_MAX ? count : 0;
}

/* 2 bytes for each key and value of each layer: n_kv_heads * (key_length + value_length). */
static uint64_t kv_bytes(const struct weir_gguf *gguf, struct weir_string architecture)
{
    uint64_t layers = count_at(find(gguf, architecture, "block_count"), 0);
    uint64_t width = count_at(find(gguf, architecture, "embedding_length"), 0);
    const struct weir_gguf_value *heads = find(gguf, architecture, "attention.head_count");
    const struct weir_gguf_value *kv_heads = find(gguf, architecture, "attention.head_count_kv");
    uint64_t key_length = count_at(find(gguf, architecture, "attention.key_length"), 0);
    uint64_t value_length = count_at(find(gguf, architecture, "attention.value_length"), 0);
    if (layers > LAYERS_MAX) return 0;
    uint64_t bytes = 0;
    for (size_t layer = 0; layer < layers; layer++) {
        uint64_t n_heads = count_at(heads, layer);
        uint64_t head_width = n_heads ? width / n_heads : 0;
        uint64_t n_kv_heads = kv_heads ? count_at(kv_heads, layer) : n_heads;
        bytes += 2 * n_kv_heads * ((key_length ? key_length : head_width) + (value_length ? value_length : head_width));
    }
    return bytes;
}

struct model_facts model_facts_read(const struct weir_gguf *gguf)
{
    struct model_facts facts = {0};
    for (size_t i = 0; i < weir_gguf_tensor_count(gguf); i++) facts.weights_bytes += weir_gguf_tensor_at(gguf, i)->size;
    if (!weir_gguf_as_string(weir_gguf_find(gguf, "general.architecture"), &facts.architecture)) return facts;
    facts.kv_bytes_per_token = kv_bytes(gguf, facts.architecture);
    facts.ctx_train = count_at(find(gguf, facts.architecture, "context_length"), 0);
    return facts;
}
