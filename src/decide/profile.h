/* The inside of a profile: what the classifier reads for each row and what tuning fills. Public part: weir/profile.h.
 *
 * At decision time: features_extract (decide/features.h) with the profile's depths for a batch of texts, then head_decide
 * (decide/head.h) for each text, question and head. */
#ifndef WEIR_DECIDE_PROFILE_H
#define WEIR_DECIDE_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "decide/calibration.h"
#include "decide/ngram.h"
#include "weir/profile.h"

enum {
    PROFILE_QUESTIONS_MAX = WEIR_TASK_QUESTIONS_MAX,
    PROFILE_LABELS_MAX = WEIR_TASK_LABELS_MAX,
    PROFILE_DEPTHS_MAX = 16, /* depths read together */
    PROFILE_BLOCKS_MAX = 16, /* of one question */
    PROFILE_EMBD_MAX = 65536,
    PROFILE_FIELDS_MAX = 1024,     /* of an extraction */
    PROFILE_FIELD_BYTES_MAX = 256, /* of a field's name */
    PROFILE_VERSION = 1,           /* of the file's layout */
    PROFILE_FILE_BYTES_MAX = 1 << 30
};

/* One dense input: the state pooled at one depth, standardised: (x - mean) * scale, element by element. */
struct profile_block {
    uint32_t depth_index; /* into profile.depths */
    uint32_t pool;        /* enum feature_pool */
    float *mean;          /* [n_embd], owned by the profile */
    float *scale;         /* [n_embd], not negative; 0 for a dimension that never varied */
};

/* logits[k] = bias[k] + sum_f W_ngram[f][k] x[f] + sum_d W_hidden[d][k] z[d], then calibration.
 * Weights are stored with the group weights already multiplied in. Rows of W are n_labels wide. */
struct profile_head {
    struct weir_head_info info;
    float *bias;                    /* [n_labels] */
    float *ngram;                   /* [ngram.count, n_labels]; NULL for WEIR_HEAD_HIDDEN */
    float *hidden;                  /* [n_blocks * n_embd, n_labels]; NULL for WEIR_HEAD_NGRAM */
    struct calibration calibration; /* its kind and temperature repeat those of info */
};

/* What certificates are planned on and guarded by; count and n_seen are 0 when tuning did not keep it. */
struct profile_unseen {
    size_t count;
    int32_t *gold, *predicted; /* [count], below n_labels */
    double *probability;       /* [count], of the predicted label, by heads that had not seen the row */
    size_t n_seen;
    uint64_t *seen; /* [n_seen], rising: profile_text_key of every text learned from */
};

struct profile_question {
    char *name;
    size_t n_labels;
    char **labels;
    bool is_multi; /* labels are independent: a sigmoid each, and no certificate */
    size_t rows;
    enum weir_head_kind head;
    uint32_t depths[PROFILE_DEPTHS_MAX]; /* this question's, for the public getter */
    size_t n_depths;
    struct ngram_model ngram; /* owned: idf and the buckets in use */
    size_t n_blocks;
    struct profile_block *blocks;
    struct profile_head heads[WEIR_HEAD_KINDS];
    struct profile_unseen unseen;
    struct weir_certificate certificate; /* count 0: none */
    struct weir_certified *certified;    /* its items, owned */
};

/* How sure to be of a field is learned apart for answers of three kinds. */
enum extract_group {
    EXTRACT_GROUP_NULL,
    EXTRACT_GROUP_COPIED, /* the value has a span: it stands in the text */
    EXTRACT_GROUP_OTHER,
    EXTRACT_GROUPS
};

/* One field of an extraction, or the whole value: its log-probability's logit and 0 are the logits of right and wrong. */
struct profile_extract_field {
    char *name;                                /* "": the whole */
    struct calibration groups[EXTRACT_GROUPS]; /* of two classes */
    struct weir_extract_info info;
};

struct profile_extract {
    char *name;           /* the question's */
    char schema_hash[65]; /* SHA-256 of the schema without white space */
    size_t rows;
    size_t n_fields;                      /* without the whole */
    struct profile_extract_field *fields; /* [n_fields + 1], the whole last */
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
    size_t n_extracts;
    struct profile_extract *extracts; /* [n_extracts] */
};

/* profile_extract.c. The extraction of that question; NULL: none. */
const struct profile_extract *profile_find_extract(const struct weir_profile *profile, const char *question);
void profile_extract_free(struct profile_extract *extract); /* accepts a zeroed one */

/* The calibrated probability of an answer with this log-probability. */
double profile_extract_probability(const struct profile_extract_field *field, enum extract_group group,
                                   double log_probability);
/* log(p / (1 - p)), within -50..50. */
double profile_extract_logit(double log_probability);

/* The file's bytes. */
enum weir_status profile_bytes(const struct weir_profile *profile, struct strbuf *out,
                               struct weir_error *error) WEIR_MUST_USE;

/* WEIR_ERR_REFUSED, with what differs, unless the profile was made for this model and task. What weir_profile_check compares, without an
 * engine. */
enum weir_status profile_check(const struct weir_profile *profile, const char *model_fingerprint, uint32_t n_layers,
                               uint32_t n_embd, const struct weir_task *task, struct weir_error *error) WEIR_MUST_USE;

/* The first 64 bits of the text's SHA-256. */
enum weir_status profile_text_key(struct weir_string text, uint64_t *key);

/* Sorts `seen`, which becomes rising without repeats. */
void profile_unseen_sort(struct profile_unseen *unseen);

/* Sets every question's depths from its blocks and profile->depths. */
void profile_question_depths(const struct weir_profile *profile, struct profile_question *question);

#endif
