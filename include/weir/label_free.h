/* What calibration without labels does to zero-shot answers: every step of it on the same rows.
 *
 * The steps: reading the answer under several orders of the labels (cyclic rotations, whose log-probabilities are averaged), and dividing by
 * the label prior, the mean answer to content-free texts or to the rows' own texts. All of them come from one set of passes over the rows: under
 * each rotation, and under each rotation of the labels listed backwards, which is what order flips are counted against.
 *
 * Order: weir_label_free_open, weir_label_free_answers for every step wanted, weir_label_free_close. */
#ifndef WEIR_LABEL_FREE_H
#define WEIR_LABEL_FREE_H

#include <stdbool.h>
#include <stddef.h>

#include "weir/engine.h"
#include "weir/status.h"
#include "weir/task.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weir_label_free;

enum weir_label_prior {
    WEIR_LABEL_PRIOR_NONE,
    WEIR_LABEL_PRIOR_NEUTRAL, /* of content-free texts: what weir_classify does */
    WEIR_LABEL_PRIOR_OWN      /* of the rows' own texts: weir_classifier_set_prior with them */
};

/* Called between passes, on the calling thread. Returning false stops with WEIR_ERR_CANCELLED. */
typedef bool weir_label_free_progress(void *context, size_t done, size_t total);

struct weir_label_free_options {
    size_t rotations; /* 1..n_labels, or 0: four, or as many as there are labels when they are fewer */
    weir_label_free_progress *progress; /* NULL: none */
    void *progress_context;
};

/* Runs the passes: 2 * rotations for each text. The question has labels and is not `multi`. It must outlive *out, which the caller owns. */
WEIR_API enum weir_status weir_label_free_open(struct weir_engine *engine, const struct weir_question *question,
                                               const struct weir_string *texts, size_t count,
                                               const struct weir_label_free_options *options,
                                               struct weir_label_free **out, struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_label_free_close(struct weir_label_free **label_free); /* accepts a NULL one */

/* How many rotations there are, after defaults. */
WEIR_API size_t weir_label_free_rotations(const struct weir_label_free *label_free);

/* Whether the row could be read under every order. The others' probabilities are zero. */
WEIR_API bool weir_label_free_is_answered(const struct weir_label_free *label_free, size_t row);

/* One way to answer. */
struct weir_label_free_step {
    bool is_rotated; /* the mean over all rotations; else the first order alone */
    enum weir_label_prior prior;
};

/* probabilities: [count, n_labels], in the question's order of labels. reversed: with the labels listed backwards. */
WEIR_API void weir_label_free_answers(const struct weir_label_free *label_free, const struct weir_label_free_step *step,
                                      bool reversed, double *probabilities);

#ifdef __cplusplus
}
#endif
#endif
