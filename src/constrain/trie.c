/* Tries in depth-first order, from sorted texts. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "constrain/vocabulary.h"

static int compare_texts(const void *a, const void *b)
{
    const struct trie_text *x = a, *y = b;
    int order = memcmp(x->data, y->data, x->size < y->size ? x->size : y->size);
    if (order) return order;
    return x->size != y->size ? (x->size > y->size) - (x->size < y->size)
                              : (x->token > y->token) - (x->token < y->token);
}

static uint32_t common(const struct trie_text *a, const struct trie_text *b)
{
    uint32_t n = 0;
    while (n < a->size && n < b->size && a->data[n] == b->data[n]) n++;
    return n;
}

/* open[d] is the newest node of depth d; a node's subtree is complete when a text leaves it. */
static void add_texts(struct trie *t, const struct trie_text *texts, size_t n)
{
    uint32_t open[VOCABULARY_DEPTH_MAX + 1] = {0};
    struct trie_text before = {"", 0, 0};
    for (size_t i = 0; i < n; i++) {
        uint32_t shared = common(&before, &texts[i]);
        for (uint32_t d = before.size; d > shared; d--) t->nodes[open[d]].below = t->n_nodes - open[d] - 1;
        for (uint32_t d = shared; d < texts[i].size; d++) {
            open[d + 1] = t->n_nodes;
            t->nodes[t->n_nodes++] = (struct trie_node){
                .byte = (uint8_t)texts[i].data[d], .depth = (uint8_t)(d + 1), .first_token = (uint32_t)i};
        }
        if (texts[i].size) t->nodes[open[texts[i].size]].n_tokens++;
        t->tokens[t->n_tokens++] = texts[i].token;
        before = texts[i];
    }
    for (uint32_t d = before.size; d > 0; d--) t->nodes[open[d]].below = t->n_nodes - open[d] - 1;
}

bool trie_build(struct trie *t, struct trie_text *texts, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++) bytes += texts[i].size;
    *t = (struct trie){.nodes = mem_zero(bytes + 1, sizeof *t->nodes), .tokens = mem_zero(n + 1, sizeof *t->tokens)};
    if (!t->nodes || !t->tokens) return false;
    if (n) qsort(texts, n, sizeof *texts, compare_texts);
    add_texts(t, texts, n);
    struct trie_node *fewer = mem_resize(t->nodes, (size_t)t->n_nodes + 1, sizeof *fewer);
    if (fewer) t->nodes = fewer;
    return true;
}
