/* One choice of an extraction: from logits and what the schema allows, the next bytes of the value and their probability.
 *
 * Probabilities are of the model's softmax over the allowed tokens alone. Tokens that mean the same are one choice, and their
 * probabilities add up:
 *   - those that end the value after the same bytes: of a string the tokens `"`, `",` and `"}`, of a number everything that is not its own.
 *     What such a token says behind the value is not taken;
 *   - those that begin `null`, `true` or `false`: only one value begins so.
 * The most probable choice is taken; of equal ones the first by these rules, then the lowest token. */
#ifndef WEIR_DECIDE_EXTRACT_CHOOSE_H
#define WEIR_DECIDE_EXTRACT_CHOOSE_H

#include <stdbool.h>

#include "decide/json_scan.h"
#include "engine/engine.h"

/* Tokens that extraction looks at, found once for a tokenizer. Immutable. */
struct extract_tokens {
    const struct weir_tokenizer *tokenizer; /* not owned */
    int32_t *quotes;                        /* [n_quotes] owned: with a '"' in them, in the order of their bytes */
    int32_t *nulls;                         /* [n_nulls] owned: that begin null */
    size_t n_quotes, n_nulls;
    uint32_t *has_quote; /* owned: a bit a token */
};

enum weir_status extract_tokens_open(const struct weir_tokenizer *tokenizer, struct extract_tokens *out,
                                     struct weir_error *error) WEIR_MUST_USE;
void extract_tokens_free(struct extract_tokens *tokens); /* accepts a zeroed one */

struct extract_choice {
    struct weir_string bytes; /* of the value, perhaps none; the tokenizer's */
    int32_t token;            /* whose bytes they are, or -1: spelled by several */
    bool is_end;              /* the value ends behind them */
    double log_probability;
};

struct extract_meaning; /* tokens of one meaning */

/* Memory that choices use again. Zero it first. */
struct extract_scratch {
    uint32_t *bits;                 /* owned: [n_vocab / 32, rounded up] */
    struct extract_meaning *groups; /* owned */
    size_t n_groups, room;
};
void extract_scratch_free(struct extract_scratch *scratch);

struct extract_place {
    const uint32_t *mask;  /* of the matcher: a bit a token of the tokenizer, which may have fewer than the model */
    struct json_scan scan; /* of the value so far */
    bool or_null;          /* at its beginning: null is a choice beside what the mask says */
};

/* logits: [n_vocab], changed. WEIR_ERR_INVALID: no token can come. */
enum weir_status extract_choose(const struct weir_engine *engine, const struct extract_tokens *tokens,
                                const struct extract_place *place, float *logits, struct extract_scratch *scratch,
                                struct extract_choice *out, struct weir_error *error) WEIR_MUST_USE;

#endif
