/* Zero-shot answers: the task's instructions as a shared prefix, each row's text and the answer trie in one forward pass.
 *
 *   prefix (prefilled once)  |  text of the row  |  suffix (end of the turn, answer lead-in)  |  trie nodes
 *
 * Probabilities are those of the label trie divided by the label prior (the mean answer to content-free texts) and normalised
 * again: contextual calibration, Zhao et al. 2021 (arXiv 2102.09690), which needs no labels. */
#ifndef WEIR_DECIDE_ZEROSHOT_H
#define WEIR_DECIDE_ZEROSHOT_H

#include "decide/label_trie.h"
#include "engine/engine.h"
#include "weir/task.h"

/* What `scoring: auto` means; measured on support18, see docs/decide.md. */
#define ZEROSHOT_SCORING_DEFAULT WEIR_SCORING_NAMES

struct zeroshot {
    struct weir_engine *engine; /* not owned */
    size_t n_labels;
    enum weir_scoring scoring; /* codes or names */
    struct kv *prefix;         /* instructions and labels, evaluated */
    struct weir_tokens suffix;
    struct label_trie trie;
    double *log_prior; /* [n_labels] */
};

/* Builds prompt, trie, prefix state and prior for a question with labels. Takes the engine's lock. */
enum weir_status zeroshot_open(struct weir_engine *engine, const struct weir_question *question, struct zeroshot **out,
                               struct weir_error *error) WEIR_MUST_USE;
void zeroshot_close(struct zeroshot **zeroshot); /* takes the lock */

/* Most text tokens a row may have. */
size_t zeroshot_text_tokens_max(const struct zeroshot *z);
/* Tokens computed for a row beside its text: suffix and trie. */
size_t zeroshot_extra_tokens(const struct zeroshot *z);

/* Lock held. texts: [count] tokenized rows that fit; probabilities: [count, n_labels]; seconds: [count] of the row's pass. */
enum weir_status zeroshot_decide(struct zeroshot *z, const struct weir_tokens *texts, size_t count,
                                 double *probabilities, double *seconds, struct weir_error *error) WEIR_MUST_USE;

#endif
