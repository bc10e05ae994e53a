/* Tokens with a known part in a conversation: which of them end a turn, and which users' text must never become. */
#ifndef WEIR_TOKENIZER_ENDS_H
#define WEIR_TOKENIZER_ENDS_H

#include <stdbool.h>

#include "tokenizer/vocab.h"

enum { ENDS_MAX = 16 };

/* Token ids that end a turn, without repetition, ascending. */
struct ends {
    int32_t ids[ENDS_MAX];
    size_t count;
};

/* What the file names by id: each TOKEN_NONE when it does not. */
struct end_keys {
    int32_t eos, eot, eom;
};

/* The keys' tokens, and the control or user-defined ones among the names that ends.c lists. */
void ends_find(struct ends *ends, const struct vocab *vocab, const struct end_keys *keys);
bool ends_have(const struct ends *ends, int32_t id);

/* A user-defined token with this spelling is markup of conversations: text of users does not become it. `bos`: how the vocabulary spells BOS. */
bool is_turn_markup(struct weir_string spelling, struct weir_string bos);

#endif
