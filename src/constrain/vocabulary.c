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

static int compare_texts(struct json_text a, struct json_text b)
{
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

/* Merge sort of token ids by text, then id; `spare` has as much room. */
static void sort_tokens(const struct weir_vocabulary *v, int32_t *ids, int32_t *spare, size_t n)
{
    if (n < 2) return;
    size_t half = n / 2, a = 0, b = half;
    sort_tokens(v, ids, spare, half);
    sort_tokens(v, ids + half, spare, n - half);
    for (size_t i = 0; i < n; i++) {
        bool left = b == n || (a < half && compare_texts(vocabulary_text(v, ids[a]), vocabulary_text(v, ids[b])) <= 0);
        spare[i] = left ? ids[a++] : ids[b++];
    }
    memcpy(ids, spare, n * sizeof *ids);
}

static size_t common(struct json_text a, struct json_text b)
{
    size_t n = 0;
    while (n < a.size && n < b.size && a.data[n] == b.data[n]) n++;
    return n;
}

/* Adds the nodes of sorted texts; open[d] is the newest node of depth d. */
static void build_trie(struct weir_vocabulary *v, size_t n_tokens)
{
    uint32_t open[VOCABULARY_DEPTH_MAX + 1] = {0};
    struct json_text before = {"", 0};
    for (size_t i = 0; i < n_tokens; i++) {
        struct json_text text = vocabulary_text(v, v->tokens[i]);
        size_t shared = common(before, text);
        for (size_t d = before.size; d > shared; d--) v->nodes[open[d]].below = v->n_nodes - open[d] - 1;
        for (size_t d = shared; d < text.size; d++) {
            open[d + 1] = v->n_nodes;
            v->nodes[v->n_nodes++] = (struct trie_node){.byte = (uint8_t)text.data[d], .depth = (uint8_t)(d + 1)};
        }
        struct trie_node *node = &v->nodes[open[text.size]];
        if (!node->n_tokens) node->first_token = (uint32_t)i;
        node->n_tokens++;
        before = text;
    }
    for (size_t d = before.size; d > 0; d--) v->nodes[open[d]].below = v->n_nodes - open[d] - 1;
}

static bool make_trie(struct weir_vocabulary *v)
{
    size_t n = 0, bytes = v->starts[v->size];
    v->tokens = mem_zero(v->size + 1, sizeof *v->tokens);
    int32_t *spare = mem_zero(v->size + 1, sizeof *spare);
    v->nodes = mem_zero(bytes + 1, sizeof *v->nodes); /* as many nodes at most */
    bool good = v->tokens && spare && v->nodes;
    for (size_t i = 0; good && i < v->size; i++)
        if (v->starts[i + 1] > v->starts[i]) v->tokens[n++] = (int32_t)i;
    if (good) {
        sort_tokens(v, v->tokens, spare, n);
        build_trie(v, n);
        struct trie_node *fewer = mem_resize(v->nodes, (size_t)v->n_nodes + 1, sizeof *fewer);
        if (fewer) v->nodes = fewer;
    }
    free(spare);
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
    if (!copy_texts(v, tokenizer) || !make_trie(v)) {
        weir_vocabulary_close(&v);
        return error_nomem(error, "a vocabulary");
    }
    *out = v;
    return WEIR_OK;
}

void weir_vocabulary_close(struct weir_vocabulary **vocabulary)
{
    if (!vocabulary || !*vocabulary) return;
    free((*vocabulary)->nodes);
    free((*vocabulary)->tokens);
    free((*vocabulary)->starts);
    free((*vocabulary)->bytes);
    free(*vocabulary);
    *vocabulary = NULL;
}

size_t weir_vocabulary_size(const struct weir_vocabulary *vocabulary)
{
    return vocabulary->size;
}
