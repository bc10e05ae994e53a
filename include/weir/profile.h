/* A profile: what tuning learned for one task and one model, in one GGUF file.
 *
 * For every tuned extraction it holds the calibration of each field. For every tuned question with labels it holds three heads (multinomial logistic regressions) over the same rows: hashed n-grams of
 * the text alone (the floor), the model's hidden states alone, and both together; each with its own calibration and with
 * measures taken on rows the head had not seen (out of fold).
 *
 * A profile carries the fingerprints of its model and of its task and is refused for any other. The task's fingerprint covers
 * what the heads depend on (names, types, instructions, labels and their descriptions, in order); tiers, gate, budget
 * and privacy may change and the profile stays valid.
 *
 * Order: weir_profile_open (or weir_tune), weir_profile_check, getters, weir_profile_close. A profile is immutable (but for
 * weir_profile_set_certificate) and shared by threads; everything a getter returns lives until close. Files are not trusted: shapes, ranges and finiteness are checked
 * at open. Layout of the file: docs/tune.md. */
#ifndef WEIR_PROFILE_H
#define WEIR_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/certify.h"
#include "weir/engine.h"
#include "weir/status.h"
#include "weir/task.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weir_profile;

WEIR_API enum weir_status weir_profile_open(const char *path, struct weir_profile **out,
                                            struct weir_error *error) WEIR_MUST_USE;

/* The same from bytes in memory, which are not needed afterwards; `name` is for error texts. */
WEIR_API enum weir_status weir_profile_open_memory(const void *bytes, size_t size, const char *name,
                                                   struct weir_profile **out, struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_profile_close(struct weir_profile **profile); /* accepts NULL and a NULL profile */

/* Writes the file whole or not at all. */
WEIR_API enum weir_status weir_profile_save(const struct weir_profile *profile, const char *path,
                                            struct weir_error *error) WEIR_MUST_USE;

/* WEIR_ERR_REFUSED, with what differs, unless the profile was learned with this model for this task. */
WEIR_API enum weir_status weir_profile_check(const struct weir_profile *profile, struct weir_engine *engine,
                                             const struct weir_task *task, struct weir_error *error) WEIR_MUST_USE;

/* SHA-256 over everything in the task that the heads depend on: 64 hexadecimal digits and a NUL. */
WEIR_API enum weir_status weir_task_fingerprint(const struct weir_task *task, char hex[65],
                                                struct weir_error *error) WEIR_MUST_USE;

/* What the profile was made from and how. */
struct weir_profile_info {
    const char *model_fingerprint; /* weir_engine_fingerprint: 64 hexadecimal digits */
    const char *task_fingerprint;  /* weir_task_fingerprint */
    const char *task_name;
    size_t questions; /* tuned questions with labels */
    size_t extracts;  /* tuned extractions */
    size_t rows;      /* labelled rows it was learned from */
    uint64_t seed;
    uint32_t folds;
    uint32_t n_embd; /* width of the model's hidden states */
};

WEIR_API void weir_profile_info(const struct weir_profile *profile, struct weir_profile_info *info);

/* One tuned extraction: how often its fields are right when the model is so sure of them. */
struct weir_profile_extract {
    const char *name; /* of the question */
    size_t rows;      /* it was learned from */
    size_t n_fields;
};

/* A field of it, judged on rows that its calibration was not fitted on. */
struct weir_extract_info {
    const char *field;    /* name; "": the whole value */
    double accuracy;      /* share of answers equal to the right one, null among them; of the whole: all fields right */
    double raw_log_loss;  /* nats per row, of "this answer is right", with the model's own probabilities */
    double raw_ece;       /* 15 equal-width bins */
    double log_loss, ece; /* calibrated */
};

/* index below weir_profile_info.extracts; field up to n_fields, which is the whole */
WEIR_API void weir_profile_extract(const struct weir_profile *profile, size_t index, struct weir_profile_extract *out);
WEIR_API void weir_profile_extract_field(const struct weir_profile *profile, size_t index, size_t field,
                                         struct weir_extract_info *out);

/* Which inputs a head reads. */
enum weir_head_kind {
    WEIR_HEAD_NGRAM,  /* the text's n-grams; needs no model: the floor */
    WEIR_HEAD_HIDDEN, /* the model's hidden states */
    WEIR_HEAD_BOTH,
    WEIR_HEAD_KINDS
};

/* "ngram", "hidden", "both" */
WEIR_API const char *weir_head_kind_name(enum weir_head_kind kind);

/* One tuned question. */
struct weir_profile_question {
    const char *name;
    size_t n_labels;
    const char *const *labels; /* [n_labels], in the task's order */
    bool is_multi; /* labels are independent of each other (`multi`); docs/tune.md says what the measures then mean */
    size_t rows;   /* rows that carried a label of this question */
    size_t n_depths;
    const uint32_t *depths;   /* [n_depths], rising: hidden states are read after this many layers */
    enum weir_head_kind head; /* the one to use: lowest out-of-fold log-loss */
};

/* index below weir_profile_info.questions */
WEIR_API void weir_profile_question(const struct weir_profile *profile, size_t index,
                                    struct weir_profile_question *out);

/* How a head's logits become probabilities; the field's terms (decide/calibration.h has the formulas). */
enum weir_calibration {
    WEIR_CALIBRATION_TEMPERATURE, /* one number for all classes */
    WEIR_CALIBRATION_VECTOR,      /* scale and shift for each class */
    WEIR_CALIBRATION_ISOTONIC,    /* a rising function for each class */
    WEIR_CALIBRATIONS
};

/* "temperature", "vector", "isotonic" */
WEIR_API const char *weir_calibration_name(enum weir_calibration kind);

/* One head: the choices that cross-validation made, and measures on rows it was not fitted on. */
struct weir_head_info {
    double l2;                         /* penalty l2/2 * |W|^2 beside the summed log-loss */
    double ngram_weight;               /* factor on the n-gram vector; 0 for WEIR_HEAD_HIDDEN */
    double hidden_weight;              /* factor on the standardised hidden states; 0 for WEIR_HEAD_NGRAM */
    enum weir_calibration calibration; /* of the lowest cross-validated log-loss */
    double temperature;                /* logits are divided by it; not for WEIR_CALIBRATION_VECTOR */
    double accuracy;                   /* out of fold, 0..1 */
    double log_loss;                   /* out of fold, calibrated; nats per row */
    double ece;                        /* out of fold, calibrated; top label, 15 equal-width bins */
};

WEIR_API void weir_profile_head(const struct weir_profile *profile, size_t question, enum weir_head_kind kind,
                                struct weir_head_info *out);

/* What tuning predicted for rows that the head in use (weir_profile_question.head) had not seen: gold label, answer, probability of it.
 * These are the planning rows of weir_certify. count is 0 in profiles made before they were kept. */
WEIR_API void weir_profile_unseen(const struct weir_profile *profile, size_t question, struct weir_eval_rows *out);

/* Whether this very text was among the labelled rows that the question was learned from: such a row certifies nothing. */
WEIR_API bool weir_profile_has_seen(const struct weir_profile *profile, size_t question, struct weir_string text);

/* The question's certificate: thresholds for the head in use. False: none. */
WEIR_API bool weir_profile_certificate(const struct weir_profile *profile, size_t question,
                                       struct weir_certificate *out);

/* Replaces the certificate by a copy; weir_profile_save then keeps it. Not while another thread uses the profile. WEIR_ERR_INVALID for a
 * certificate that does not fit the question. */
WEIR_API enum weir_status weir_profile_set_certificate(struct weir_profile *profile, size_t question,
                                                       const struct weir_certificate *certificate,
                                                       struct weir_error *error) WEIR_MUST_USE;

/* SHA-256 over the texts and labels, in order, for weir_certificate.rows_hash. */
WEIR_API enum weir_status weir_certificate_hash(const struct weir_string *texts, const int32_t *labels, size_t count,
                                                char hex[65], struct weir_error *error) WEIR_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
