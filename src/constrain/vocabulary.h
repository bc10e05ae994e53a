/* The tokens of a model as a trie of bytes, laid out in depth-first order. */
#ifndef WEIR_CONSTRAIN_VOCABULARY_H
#define WEIR_CONSTRAIN_VOCABULARY_H

#include "base/json.h"
#include "constrain/format_store.h"
#include "weir/constrain.h"

/* A node: its byte, and how many nodes lie below it. The nodes of a subtree follow it: nodes[i + 1 .. i + below]. */
struct trie_node {
    uint32_t below;
    uint32_t first_token; /* of tokens[]: the first of the subtree; those of the subtree are in a row */
    uint32_t n_tokens;    /* that end here: the first ones of the row */
    uint8_t byte, depth;  /* depth 1: the first byte of a token */
};

enum { VOCABULARY_DEPTH_MAX = 255, VOCABULARY_TOKENS_MAX = 4000000 };

struct trie {
    struct trie_node *nodes; /* owned */
    uint32_t n_nodes, n_tokens;
    int32_t *tokens; /* in the trie's order; owned */
};

/* A text for a trie: what the token adds after a certain place. */
struct trie_text {
    const char *data;
    uint32_t size;
    int32_t token;
};

/* Takes texts[0..n), sorts them. false: no memory. */
bool trie_build(struct trie *trie, struct trie_text *texts, size_t n);

/* The index in tokens[] after the last token of the subtree of node i. */
static inline uint32_t trie_tokens_end(const struct trie *trie, uint32_t i)
{
    uint32_t after = i + trie->nodes[i].below + 1;
    return after < trie->n_nodes ? trie->nodes[after].first_token : trie->n_tokens;
}

/* Tokens as the insides of a JSON string that may hold anything: see vocabulary_strings.c. */
struct string_tokens {
    uint32_t *plain;     /* [words]: the token stays inside the string, whatever comes next in it */
    struct trie closing; /* what follows the closing quote in tokens that hold one */
    uint8_t *characters; /* [size]: code points begun inside the string, 255 at most */
    int32_t *by_length;  /* tokens of both kinds, most code points first */
    uint32_t n_by_length;
};

struct weir_vocabulary {
    size_t size, words; /* ids are below size; words of 32 bits in a mask */
    int32_t end;        /* end of text; -1: none */
    struct trie trie;
    struct string_tokens strings;
    struct format_store *formats; /* owned; has its own lock */
    uint32_t *starts;             /* [size + 1]: of the token's bytes in `bytes`; equal ones: never allowed */
    char *bytes;
};

bool string_tokens_build(struct weir_vocabulary *v);
void string_tokens_free(struct string_tokens *strings);
struct json_text vocabulary_text(const struct weir_vocabulary *v, int32_t token);

#endif
