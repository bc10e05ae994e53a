/* Deciding: one label with a probability for every label, for each question of a task and each text.
 *
 * Order: weir_engine_open, weir_task_open, optionally weir_profile_open, weir_classifier_open, weir_classify as often as needed,
 * weir_classifier_close. A classifier refers to its engine, task and profile, which must outlive it; it belongs to one thread
 * at a time. The answers for a row never depend on the other rows of the call, on the number of threads or on earlier calls. */
#ifndef WEIR_CLASSIFY_H
#define WEIR_CLASSIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/engine.h"
#include "weir/profile.h"
#include "weir/status.h"
#include "weir/task.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weir_classifier;

/* `profile` NULL: zero-shot. A profile of another task or model is WEIR_ERR_REFUSED with the reason. Prefills the task's instructions. */
WEIR_API enum weir_status weir_classifier_open(struct weir_engine *engine, const struct weir_task *task,
                                               const struct weir_profile *profile, struct weir_classifier **out,
                                               struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_classifier_close(struct weir_classifier **classifier);

/* Answers tuned questions with this head of the profile instead of the profile's own choice. WEIR_ERR_INVALID without a profile. */
WEIR_API enum weir_status weir_classifier_use_head(struct weir_classifier *classifier, enum weir_head_kind head,
                                                   struct weir_error *error) WEIR_MUST_USE;

/* Zero-shot questions: from here on the mean answer to these texts is divided out of the labels' probabilities, instead of that to four
 * content-free texts: rows to be answered, or others like them (batch calibration, Zhou et al. 2023, arXiv 2309.17249; no labels are needed).
 * The answers then depend on these texts, never on the other rows of a call. count 0: nothing is divided out. Texts that are not UTF-8 or too
 * long are left out; WEIR_ERR_INVALID when none is left. Not needed afterwards. */
WEIR_API enum weir_status weir_classifier_set_prior(struct weir_classifier *classifier, const struct weir_string *texts,
                                                    size_t count, struct weir_error *error) WEIR_MUST_USE;

/* Tuned questions: whether probabilities go through the profile's calibration. They do; off: for measuring what it is worth. */
WEIR_API void weir_classifier_calibrate(struct weir_classifier *classifier, bool is_on);

/* The answer to one question for one text. */
struct weir_decision {
    enum weir_status status; /* WEIR_OK, or why this row has no answer (the fields below are then zero) */
    char error[160];         /* the reason in words when status is not WEIR_OK */
    size_t label;       /* index of the answer among the question's labels; with `multi` of the most probable one */
    double probability; /* of that label, calibrated; with `multi` of the whole answer, as if labels were independent */
    /* [n_labels of the question], in label order, inside the buffer given to weir_classify; sums to 1. With `multi` each is the probability that
     * its label applies, and the answer is the labels of 1/2 and above, which may be none. */
    const double *probabilities;
    size_t fresh_tokens;  /* tokens computed for this row */
    size_t prefix_tokens; /* tokens of the shared prefix it built on */
    double latency_ms;    /* from the start of the row's batch to its answer */
};

/* Numbers that size the caller's buffers. */
WEIR_API size_t weir_classifier_questions(const struct weir_classifier *classifier);
WEIR_API size_t
weir_classifier_probabilities(const struct weir_classifier *classifier); /* sum of n_labels over the questions */
WEIR_API size_t weir_classifier_batch(const struct weir_classifier *classifier); /* rows a call handles best at once */

/* texts: [count]; decisions: [count, questions]; probabilities: [count, weir_classifier_probabilities()], owned by the caller.
 * A row that cannot be decided (too long, not UTF-8) gets its own status; the call fails only when nothing could be decided. */
WEIR_API enum weir_status weir_classify(struct weir_classifier *classifier, const struct weir_string *texts,
                                        size_t count, struct weir_decision *decisions, double *probabilities,
                                        struct weir_error *error) WEIR_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
