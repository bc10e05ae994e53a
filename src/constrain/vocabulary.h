/* The tokens of a model as a trie of bytes, laid out in depth-first order. */
#ifndef WEIR_CONSTRAIN_VOCABULARY_H
#define WEIR_CONSTRAIN_VOCABULARY_H

#include "base/json.h"
#include "weir/constrain.h"

/* A node: its byte, and how many nodes lie below it. The nodes of a subtree follow it: nodes[i + 1 .. i + below]. */
struct trie_node {
    uint32_t below;
    uint32_t first_token, n_tokens; /* of tokens[]: those that end here */
    uint8_t byte, depth;            /* depth 1: the first byte of a token */
};

enum { VOCABULARY_DEPTH_MAX = 255, VOCABULARY_TOKENS_MAX = 4000000 };

struct weir_vocabulary {
    size_t size, words; /* ids are below size; words of 32 bits in a mask */
    int32_t end;        /* end of text; -1: none */
    struct trie_node *nodes;
    uint32_t n_nodes;
    int32_t *tokens;  /* in the trie's order */
    uint32_t *starts; /* [size + 1]: of the token's bytes in `bytes`; equal ones: never allowed */
    char *bytes;
};

struct json_text vocabulary_text(const struct weir_vocabulary *v, int32_t token);

#endif
