/* The last step for one question: the chosen heads on all rows, as part of a profile. */
#ifndef WEIR_TUNE_FINISH_H
#define WEIR_TUNE_FINISH_H

#include "decide/profile.h"
#include "tune/search.h"

/* Judges the chosen heads out of fold over all rows of cross->table, fits them on all of them, and fills question->n_labels..heads
 * but for names. blocks: depth_index into depths[0..n_depths), which the table holds; block->depth_index of the profile's
 * question are left as these. On failure the question may be half filled; its owner frees it. */
enum weir_status finish_question(struct cross *cross, const struct search_result *choice,
                                 struct profile_question *question, struct weir_error *error) WEIR_MUST_USE;

/* tune_steps that finish_question makes. */
size_t finish_steps(unsigned folds);

#endif
