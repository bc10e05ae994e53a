/* Threshold certificates: above which probability answers are right often enough, with a stated confidence.
 *
 * A certificate is a statement about rows to come: "of the answers at or above the threshold at most max_error are wrong", false with
 * probability at most 1 - confidence over the draw of the fresh rows. It holds for fresh rows that were drawn like the rows to
 * come and were used for nothing else. Method: exact binomial tests (Clopper and Pearson 1934) along a sequence of thresholds fixed
 * before a fresh label is looked at, from strict to lax, stopping at the first that fails; such a sequence pays nothing for the number
 * of thresholds tried (fixed-sequence testing, as in Angelopoulos et al., Learn then Test, arXiv 2110.01052). The sequence comes from
 * the planning rows, which are other rows: the out-of-fold predictions kept by tuning. docs/eval.md has the details.
 * Pure functions, thread-safe. */
#ifndef WEIR_CERTIFY_H
#define WEIR_CERTIFY_H

#include <stdbool.h>
#include <stddef.h>

#include "weir/eval.h"
#include "weir/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Thresholds that a sequence has at most. */
enum { WEIR_CERTIFY_STEPS = 100 };

struct weir_certify_options {
    double max_error;  /* 0..1, exclusive; default 0.05 */
    double confidence; /* 0..1, exclusive; default 0.95 */
    bool per_class;    /* one threshold for each answer, each at the confidence */
    bool
        simultaneous; /* with per_class: all statements together hold at the confidence (Bonferroni over the classes) */
};

WEIR_API struct weir_certify_options weir_certify_options_default(void);

/* What was found for all answers, or for the rows answered with one class. */
struct weir_certified {
    bool is_certified;
    double threshold; /* accept at this probability and above; 2 when nothing is certified */
    size_t rows;      /* fresh rows answered so (with per_class: answered with this class) */
    size_t accepted;  /* of those, at or above the threshold */
    size_t wrong;     /* of the accepted */
    double bound;     /* upper limit of the error among the accepted, at the level used; 1 when nothing is certified */
    /* Not certified: rows like these that would probably do in addition, judged by the planning rows; 0 when no number would, because the
     * planning rows show no threshold with few enough errors. */
    size_t rows_more;
};

/* planning, fresh: rows with gold labels, answers and probabilities; both have the same n_classes. out: [1], or with per_class
 * [n_classes]. Rows without an answer are never accepted. WEIR_ERR_INVALID for options, labels or probabilities out of range. */
WEIR_API enum weir_status weir_certify(const struct weir_eval_rows *planning, const struct weir_eval_rows *fresh,
                                       const struct weir_certify_options *options, struct weir_certified *out,
                                       struct weir_error *error) WEIR_MUST_USE;

/* A certificate as a profile keeps it (weir/profile.h). */
struct weir_certificate {
    struct weir_certify_options options;
    size_t rows;        /* fresh rows it was tested on */
    char rows_hash[65]; /* SHA-256 over their texts and labels, 64 hexadecimal digits: which rows are spent */
    size_t count;       /* 1, or the number of classes with options.per_class */
    const struct weir_certified *items; /* [count] */
};

/* Whether an answer of this class and probability is accepted. Thread-safe. */
WEIR_API bool weir_certificate_accepts(const struct weir_certificate *certificate, size_t class_index,
                                       double probability);

#ifdef __cplusplus
}
#endif
#endif
