/* Zero-shot answers: the task's instructions as a shared prefix, each row's text and the answer trie in one forward pass, and of the
 * output matrix only the rows of tokens that an answer can have, one matrix product for all rows.
 *
 *   prefix (prefilled once)  |  text of the row  |  suffix (end of the turn, answer lead-in)  |  trie nodes
 *
 * Probabilities are those of the label trie divided by the label prior and normalised again. The prior is the mean answer to content-free
 * texts (contextual calibration, Zhao et al. 2021, arXiv 2102.09690), to given texts (batch calibration, Zhou et al. 2023, arXiv
 * 2309.17249), or none; no labels are needed. */
#ifndef WEIR_DECIDE_ZEROSHOT_H
#define WEIR_DECIDE_ZEROSHOT_H

#include "decide/label_trie.h"
#include "decide/prompt_tokens.h"
#include "model/candidates.h"
#include "weir/task.h"

struct zeroshot {
    struct weir_engine *engine; /* not owned */
    size_t n_labels;
    enum weir_scoring scoring; /* codes or names */
    struct prompt prompt;
    struct prompt_tokens tokens;
    struct kv *prefix; /* what rows share, evaluated: instructions and labels */
    struct label_trie trie;
    struct candidates candidates; /* output rows of the trie's choices, in their order */
    size_t *order;                /* [n_labels]: which label stands at each place of the prompt */
    double *log_prior;            /* [n_labels], by label */
};

/* Builds prompt, trie, prefix state and prior for a question with labels. Takes the engine's lock. */
enum weir_status zeroshot_open(struct weir_engine *engine, const struct weir_question *question, struct zeroshot **out,
                               struct weir_error *error) WEIR_MUST_USE;

/* The same with the labels listed in another order: order[i] is the label at place i. Answers stay in the question's order. NULL: as they are. */
enum weir_status zeroshot_open_ordered(struct weir_engine *engine, const struct weir_question *question,
                                       const size_t *order, struct zeroshot **out,
                                       struct weir_error *error) WEIR_MUST_USE;
void zeroshot_close(struct zeroshot **zeroshot); /* takes the lock */

/* Nothing is divided out from here on. */
void zeroshot_drop_prior(struct zeroshot *z);

/* Lock held. The prior becomes the mean answer to these rows (from zeroshot_tokenize, at least one). */
enum weir_status zeroshot_measure_prior(struct zeroshot *z, const struct weir_tokens *rows, size_t count,
                                        struct weir_error *error) WEIR_MUST_USE;

/* The row's ids after those that every row has, appended to *tokens. WEIR_ERR_TOO_LONG where they and the trie do not fit the context. */
enum weir_status zeroshot_tokenize(const struct zeroshot *z, struct weir_string text, struct weir_tokens *tokens,
                                   struct weir_error *error) WEIR_MUST_USE;

/* Tokens of the shared prefix that a row forks from, and those computed for it: the rest of its prompt and the trie. */
size_t zeroshot_prefix_tokens(const struct zeroshot *z, const struct weir_tokens *row);
size_t zeroshot_fresh_tokens(const struct zeroshot *z, const struct weir_tokens *row);

/* Lock held. rows: [count] from zeroshot_tokenize; probabilities: [count, n_labels]; seconds: [count] of the row's pass, or NULL. */
enum weir_status zeroshot_decide(struct zeroshot *z, const struct weir_tokens *rows, size_t count,
                                 double *probabilities, double *seconds, struct weir_error *error) WEIR_MUST_USE;

#endif
