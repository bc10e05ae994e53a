#include "tokenizer/size.h"

#include "tokenizer/tokenizer_internal.h"

static size_t list_count(const struct weir_gguf *gguf, const char *key)
{
    const struct weir_gguf_value *list = weir_gguf_find(gguf, key);
    return list ? weir_gguf_array_count(list) : 0;
}

/* vocab_load */
static size_t vocab_bytes(const struct weir_gguf *gguf)
{
    const struct weir_gguf_value *tokens = weir_gguf_find(gguf, "tokenizer.ggml.tokens");
    struct vocab v = {.count = list_count(gguf, "tokenizer.ggml.tokens")};
    size_t text_bytes = 0;
    struct weir_string text;
    for (size_t i = 0; i < v.count && weir_gguf_array_string(tokens, i, &text); i++) text_bytes += text.size;
    size_t scores = list_count(gguf, "tokenizer.ggml.scores");
    return v.count * (sizeof *v.texts + sizeof *v.kinds) + scores * sizeof *v.scores + text_bytes +
           hash_slot_count(v.count) * sizeof *v.slots;
}

/* merges_load */
static size_t merges_bytes(const struct weir_gguf *gguf)
{
    struct merges m = {.count = list_count(gguf, "tokenizer.ggml.merges")};
    return m.count ? m.count * sizeof *m.list + hash_slot_count(m.count) * sizeof *m.slots : 0;
}

size_t tokenizer_bytes(const struct weir_gguf *gguf)
{
    if (!list_count(gguf, "tokenizer.ggml.tokens")) return 0;
    return sizeof(struct weir_tokenizer) + vocab_bytes(gguf) + merges_bytes(gguf);
}
