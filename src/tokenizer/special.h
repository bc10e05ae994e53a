/* Tokens that text can name as a whole: control, unknown and user-defined ones, found by a trie over bytes.
 *
 * Matching is leftmost, then longest. Each starting byte walks at most SPECIAL_BYTES_MAX steps, so the time is linear. */
#ifndef WEIR_TOKENIZER_SPECIAL_H
#define WEIR_TOKENIZER_SPECIAL_H

#include "tokenizer/vocab.h"

enum { SPECIAL_BYTES_MAX = 512 }; /* longest spelling; real ones stay below 64 */

struct special_node {
    uint32_t child, sibling; /* 0: none (the root is nobody's child) */
    int32_t id;              /* the token that ends here, or TOKEN_NONE */
    uint8_t byte;
    bool is_control; /* only where the caller trusts the text */
};

struct specials {
    struct special_node *nodes; /* owned; nodes[0] is the root */
    size_t count, capacity;
    uint32_t first[256]; /* the root's children; 0: none */
};

struct special_match {
    size_t at, size;
    int32_t id;
};

enum weir_status specials_open(struct specials *specials, struct weir_error *error) WEIR_MUST_USE;
void specials_free(struct specials *specials);

/* Adds one spelling. Empty ones are left out; one that is there already is WEIR_ERR_FORMAT. */
enum weir_status specials_add(struct specials *specials, struct weir_string text, int32_t id, bool is_control,
                              struct weir_error *error) WEIR_MUST_USE;

/* The first match in text[from..size); false: there is none. Control tokens are passed over unless `controls`. */
bool specials_find(const struct specials *specials, const char *text, size_t size, size_t from, bool controls,
                   struct special_match *out);

#endif
