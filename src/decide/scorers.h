/* The zero-shot prompts that answer one question together: one; or one for each rotation of the labels' order, whose log-probabilities
 * are averaged; or for `multi` one for each label, which asks whether that label applies. */
#ifndef WEIR_DECIDE_SCORERS_H
#define WEIR_DECIDE_SCORERS_H

#include <stdbool.h>

#include "decide/zeroshot.h"

struct scorers {
    size_t n_labels;
    bool is_multi;
    size_t count;            /* at least 1 once open */
    struct zeroshot **items; /* [count], owned */
};

/* The order of rotation `index` of `rotations`: labels from index * n / rotations on, then those before; reversed: the same of the labels
 * listed backwards. order: [n_labels]. */
void rotation_order(size_t n_labels, size_t rotations, size_t index, bool reversed, size_t *order);

/* Opens question->rotations prompts. Takes the engine's lock. On failure *scorers is empty. */
enum weir_status scorers_open(struct weir_engine *engine, const struct weir_question *question, struct scorers *scorers,
                              struct weir_error *error) WEIR_MUST_USE;
void scorers_close(struct scorers *scorers); /* accepts a zeroed one; takes the lock */

/* p: what item `index` gives for a row (its own number of labels); sum: [n_labels], zero before the first item. After scorers_finish it
 * holds the question's probabilities. */
void scorers_add(const struct scorers *scorers, size_t index, const double *p, double *sum);
void scorers_finish(const struct scorers *scorers, double *sum);

/* The prior of every prompt becomes the mean answer to these texts (without white space around them); count 0: nothing is divided out.
 * Texts that are not UTF-8 or too long are left out; WEIR_ERR_INVALID when none is left. Takes the lock. */
enum weir_status scorers_set_prior(struct scorers *scorers, const struct weir_string *texts, size_t count,
                                   struct weir_error *error) WEIR_MUST_USE;

#endif
