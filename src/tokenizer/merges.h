/* The merge list of a byte-level BPE vocabulary: (left id, right id) -> rank and merged id. */
#ifndef WEIR_TOKENIZER_MERGES_H
#define WEIR_TOKENIZER_MERGES_H

#include "tokenizer/vocab.h"

struct merge {
    int32_t left, right, result; /* ids */
};

struct merges {
    struct merge *list; /* [count], by rank: the lower is merged first */
    size_t count;
    uint32_t *slots; /* [slot_mask + 1], rank or MERGE_NONE */
    size_t slot_mask;
};

#define MERGE_NONE UINT32_MAX

/* Reads tokenizer.ggml.merges. Both parts and the result must be in the vocabulary, and no pair may come twice. */
enum weir_status merges_load(struct merges *merges, const struct vocab *vocab, const struct weir_gguf *gguf,
                             struct weir_error *error) WEIR_MUST_USE;
void merges_free(struct merges *merges);

/* The rank of the merge of two tokens, or MERGE_NONE. */
uint32_t merges_find(const struct merges *merges, int32_t left, int32_t right);

#endif
