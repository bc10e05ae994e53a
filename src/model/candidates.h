/* A few rows of the output matrix as a matrix of their own: where only some tokens can follow, only their logits are computed.
 * Immutable after candidates_open. */
#ifndef WEIR_MODEL_CANDIDATES_H
#define WEIR_MODEL_CANDIDATES_H

#include "model/model.h"

struct candidates {
    struct matrix matrix;    /* [n ids, n_embd]; row i is that of ids[i] */
    uint8_t *blocks, *tiles; /* owned; tiles NULL where the level computes from blocks */
};

/* ids: [count], each below n_vocab; they may repeat. On failure *out is as it was. */
enum weir_status candidates_open(const struct model *model, const int32_t *ids, size_t count, struct candidates *out,
                                 struct weir_error *error) WEIR_MUST_USE;
void candidates_free(struct candidates *candidates); /* accepts a zeroed one */

#endif
