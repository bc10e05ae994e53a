/* Tokenizing many texts that begin alike: the part of the common beginning whose ids depend on nothing after it is encoded once.
 *
 *     common beginning = settled part | tail        ids(beginning + rest) = settled ids, then ids(tail + rest)
 *
 * for every rest. The cut is the last place in the beginning where all of this holds:
 *   - no special token's spelling runs across it, not even in part (what follows could complete it);
 *   - it is the end of a special token; or
 *   - byte-level BPE: a space after a visible ASCII character, where every pre-tokenizer cuts and none looks further back; or
 *   - SentencePiece: between two ASCII characters that are neighbours in no token, so that no merge crosses it. */
#ifndef WEIR_TOKENIZER_RESUME_H
#define WEIR_TOKENIZER_RESUME_H

#include "tokenizer/pieces.h"
#include "weir/tokenizer.h"

struct resume_point {
    struct weir_tokens settled; /* owned */
    struct joined_text tail;    /* owned */
    bool continues;             /* the tail follows plain text: SentencePiece puts no space before it */
};

/* No BOS. On failure *out is as it was. */
enum weir_status resume_point_make(const struct weir_tokenizer *tokenizer, const struct weir_text_piece *beginning,
                                   size_t count, struct resume_point *out, struct weir_error *error) WEIR_MUST_USE;
void resume_point_free(struct resume_point *point); /* accepts a zeroed one */

/* Appends the ids of tail + pieces. On failure *tokens keeps what it had. */
enum weir_status resume_point_tokenize(const struct weir_tokenizer *tokenizer, const struct resume_point *point,
                                       const struct weir_text_piece *pieces, size_t count, struct weir_tokens *tokens,
                                       struct weir_error *error) WEIR_MUST_USE;

#endif
