/* The inside of a profile: what the classifier reads for each row and what tuning fills. Public part: weir/profile.h.
 *
 * At decision time: features_extract (decide/features.h) with the profile's depths for a batch of texts, then head_decide
 * (decide/head.h) for each text, question and head. */
#ifndef WEIR_DECIDE_PROFILE_H
#define WEIR_DECIDE_PROFILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "decide/ngram.h"
#include "weir/profile.h"

enum {
    PROFILE_QUESTIONS_MAX = WEIR_TASK_QUESTIONS_MAX,
    PROFILE_LABELS_MAX = WEIR_TASK_LABELS_MAX,
    PROFILE_DEPTHS_MAX = 16, /* depths read together */
    PROFILE_EMBD_MAX = 65536,
    PROFILE_FILE_BYTES_MAX = 1 << 30
};

/* One dense input: the state pooled at one depth, standardised: (x - mean) * scale, element by element. */
struct profile_block {
    uint32_t depth_index; /* into profile.depths */
    uint32_t pool;        /* enum feature_pool */
    const float *mean;    /* [n_embd], owned by the profile */
    const float *scale;   /* [n_embd]; scale is 0 for a dimension that never varied */
};

/* logits[k] = (bias[k] + sum_f W_ngram[f][k] x[f] + sum_d W_hidden[d][k] z[d]) / temperature, softmax over k.
 * Weights are stored with the group weights already multiplied in. Rows of W are n_labels wide. */
struct profile_head {
    struct weir_head_info info;
    float *bias;   /* [n_labels] */
    float *ngram;  /* [ngram.count, n_labels]; NULL for WEIR_HEAD_HIDDEN */
    float *hidden; /* [n_blocks * n_embd, n_labels]; NULL for WEIR_HEAD_NGRAM */
};

struct profile_question {
    char *name;
    size_t n_labels;
    char **labels;
    size_t rows;
    enum weir_head_kind head;
    uint32_t depths[PROFILE_DEPTHS_MAX]; /* this question's, for the public getter */
    size_t n_depths;
    struct ngram_model ngram; /* owned: idf and the buckets in use */
    size_t n_blocks;
    struct profile_block *blocks;
    struct profile_head heads[WEIR_HEAD_KINDS];
};

/* Every pointer inside is owned by the profile and freed by weir_profile_close, which accepts a half-filled one. */
struct weir_profile {
    char model_fingerprint[65];
    char task_fingerprint[65];
    char *task_name;
    uint64_t seed;
    uint32_t folds;
    uint32_t n_embd;
    size_t rows;
    uint32_t depths[PROFILE_DEPTHS_MAX]; /* rising; the union over questions: what features_extract is asked for */
    size_t n_depths;
    size_t n_questions;
    struct profile_question *questions; /* [n_questions] */
};

#endif
