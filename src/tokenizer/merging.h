/* The loop that byte-level BPE and SentencePiece share: a row of symbols, of which the best adjacent pair is merged until none is left.
 *
 * Best is the lowest priority, then the leftmost. Candidates wait in a binary heap of (priority, left symbol); one that the row has
 * outgrown is recognised when it comes up, because a symbol knows the pair it forms now. n symbols make at most n - 1 merges and 3n
 * candidates, so the time is O(n log n) whatever the text. */
#ifndef WEIR_TOKENIZER_MERGING_H
#define WEIR_TOKENIZER_MERGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYMBOL_NONE UINT32_MAX

struct symbol {
    uint32_t prev, next;   /* neighbours in the row, or SYMBOL_NONE */
    uint32_t offset, size; /* its bytes in the text */
    int32_t id;            /* its token, or TOKEN_NONE */
    int32_t merged_id;     /* the token it makes with `next`, or TOKEN_NONE */
    uint32_t priority;     /* of that pair */
};

/* Room for one call of weir_tokenize; zero it first. */
struct merging {
    struct symbol *symbols; /* [capacity] */
    uint64_t *heap;         /* [2 * capacity]: priority << 32 | left */
    size_t count;           /* symbols, dead ones included */
    size_t heap_count;
    size_t capacity;
};

/* The token of left and right together and its priority; TOKEN_NONE: they do not merge. */
typedef int32_t merging_pair(const void *context, const struct symbol *left, const struct symbol *right,
                             uint32_t *priority);

bool merging_reserve(struct merging *m, size_t symbols); /* empties it; false without memory */
void merging_free(struct merging *m);

/* Appends a symbol at the end of the row; within what was reserved. */
void merging_add(struct merging *m, uint32_t offset, uint32_t size, int32_t id);

/* Merges until no pair is left. The result is the row from symbol 0 along `next`. */
void merging_run(struct merging *m, merging_pair *pair, const void *context);

#endif
