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

/* Bytes [begin, end) of a text that may spell control tokens: the template's own. */
struct trusted_run {
    size_t begin, end;
};

/* Rising runs that do not touch. A search drops those it has passed. */
struct trusted {
    const struct trusted_run *runs;
    size_t count;
};

/* The first match in text[from..); false: there is none. A control token matches only inside one trusted run. */
bool specials_find(const struct specials *specials, struct weir_string text, size_t from, struct trusted *trusted,
                   struct special_match *out);

/* How many bytes from `at` on begin some spelling, whole or not. */
size_t specials_reach(const struct specials *specials, struct weir_string text, size_t at);

#endif
