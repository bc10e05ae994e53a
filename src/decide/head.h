/* One text's answer from a profile's head. */
#ifndef WEIR_DECIDE_HEAD_H
#define WEIR_DECIDE_HEAD_H

#include <stddef.h>

#include "decide/profile.h"
#include "weir/gguf.h"
#include "weir/status.h"

/* Scratch memory of one caller: zero it first, reuse it for row after row, free it with head_scratch_free. */
struct head_scratch {
    struct ngram_bag bag;
    struct ngram_vector vector; /* owned; room for `vector_room` entries */
    size_t vector_room;
};

void head_scratch_free(struct head_scratch *scratch);

/* probabilities: [n_labels of the question], summing to 1 unless labels are independent, in label order.
 * hidden: [profile->n_depths, FEATURE_POOLS, n_embd], what features_extract gave for this text with the profile's depths;
 * may be NULL for WEIR_HEAD_NGRAM. Fails without memory, on text that is not UTF-8, and on hidden states that are not finite. */
typedef enum weir_status head_answer(const struct weir_profile *profile, size_t question, enum weir_head_kind kind,
                                     struct weir_string text, const float *hidden, struct head_scratch *scratch,
                                     double *probabilities, struct weir_error *error);
head_answer head_decide WEIR_MUST_USE;

/* The same before calibration: the softmax of the logits. */
head_answer head_decide_raw WEIR_MUST_USE;

#endif
