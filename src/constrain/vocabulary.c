#include "constrain/vocabulary.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

struct json_text vocabulary_text(const struct weir_vocabulary *v, int32_t token)
{
    if (token < 0 || (size_t)token >= v->size) return (struct json_text){0};
    return (struct json_text){v->bytes + v->starts[token], v->starts[token + 1] - v->starts[token]};
}

/* Tokens longer than the trie is deep are left out: no model needs them, and they can always be spelt by others. */
static bool is_text(const struct weir_tokenizer *tokenizer, int32_t id, struct weir_string *text)
{
    enum weir_token_kind kind = weir_token_kind(tokenizer, id);
    *text = weir_token_text(tokenizer, id);
    return (kind == WEIR_TOKEN_NORMAL || kind == WEIR_TOKEN_BYTE) && text->size && text->size <= VOCABULARY_DEPTH_MAX;
}

static bool copy_texts(struct weir_vocabulary *v, const struct weir_tokenizer *tokenizer)
{
    struct weir_string text;
    size_t bytes = 0, used = 0;
    for (size_t i = 0; i < v->size; i++)
        if (is_text(tokenizer, (int32_t)i, &text)) bytes += text.size;
    v->starts = mem_zero(v->size + 1, sizeof *v->starts);
    v->bytes = mem_zero(bytes + 1, 1);
    if (!v->starts || !v->bytes || bytes > UINT32_MAX) return false;
    for (size_t i = 0; i < v->size; i++) {
        v->starts[i] = (uint32_t)used;
        if (!is_text(tokenizer, (int32_t)i, &text)) continue;
        memcpy(v->bytes + used, text.data, text.size);
        used += text.size;
    }
    v->starts[v->size] = (uint32_t)used;
    return true;
}

static bool make_trie(struct weir_vocabulary *v)
{
    size_t n = 0;
    struct trie_text *texts = mem_zero(v->size + 1, sizeof *texts);
    for (size_t i = 0; texts && i < v->size; i++) {
        uint32_t size = v->starts[i + 1] - v->starts[i];
        if (size) texts[n++] = (struct trie_text){v->bytes + v->starts[i], size, (int32_t)i};
    }
    bool good = texts && trie_build(&v->trie, texts, n);
    free(texts);
    return good;
}

enum weir_status weir_vocabulary_open(const struct weir_tokenizer *tokenizer, struct weir_vocabulary **out,
                                      struct weir_error *error)
{
    struct weir_vocabulary *v = mem_zero(1, sizeof *v);
    if (!v) return error_nomem(error, "a vocabulary");
    v->size = weir_tokenizer_size(tokenizer);
    v->words = (v->size + 31) / 32;
    v->end = weir_tokenizer_eos(tokenizer);
    if (v->size > VOCABULARY_TOKENS_MAX) {
        weir_vocabulary_close(&v);
        return error_set(error, WEIR_ERR_LIMIT, "a vocabulary of more than %d tokens", VOCABULARY_TOKENS_MAX);
    }
    v->formats = format_store_open();
    if (!v->formats || !copy_texts(v, tokenizer) || !make_trie(v) || !string_tokens_build(v)) {
        weir_vocabulary_close(&v);
        return error_nomem(error, "a vocabulary");
    }
    *out = v;
    return WEIR_OK;
}

void weir_vocabulary_close(struct weir_vocabulary **vocabulary)
{
    if (!vocabulary || !*vocabulary) return;
    free((*vocabulary)->trie.nodes);
    free((*vocabulary)->trie.tokens);
    string_tokens_free(&(*vocabulary)->strings);
    format_store_close(&(*vocabulary)->formats);
    free((*vocabulary)->starts);
    free((*vocabulary)->bytes);
    free(*vocabulary);
    *vocabulary = NULL;
}

size_t weir_vocabulary_size(const struct weir_vocabulary *vocabulary)
{
    return vocabulary->size;
}
