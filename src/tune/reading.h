/* Hidden states of the texts that the questions of a task learn from. Each text is read once, however many questions it is labelled for. */
#ifndef WEIR_TUNE_READING_H
#define WEIR_TUNE_READING_H

#include "tune/cross.h"
#include "tune/learn.h"
#include "tune/search.h"

struct reading {
    uint32_t depths[SEARCH_DEPTHS_MAX]; /* rising */
    size_t n_depths;
    size_t n_embd;
    uint32_t *texts; /* [count], rising indices into the rows; owned */
    size_t count;
    float *values; /* [count, n_depths, FEATURE_POOLS, n_embd], owned */
};

/* Steps of the progress that reading so many texts takes. */
size_t reading_steps(size_t texts);

/* Reads the texts that are wanted ([rows->count]) at reading->depths, which are set; the rest of *reading is zero. */
enum weir_status reading_run(struct reading *reading, const struct learn_source *source,
                             const struct weir_tune_rows *rows, const bool *wanted, struct tune_steps *steps,
                             struct weir_error *error) WEIR_MUST_USE;
void reading_free(struct reading *reading); /* accepts a zeroed one */

/* *values: [count, n_depths, FEATURE_POOLS, n_embd] of these texts (rising) at these depths, all of them read. It is *owned, to be
 * freed, or the reading's own memory when that is all of it. */
enum weir_status reading_take(const struct reading *reading, const uint32_t *texts, size_t count,
                              const uint32_t *depths, size_t n_depths, float **owned, const float **values,
                              struct weir_error *error) WEIR_MUST_USE;

#endif
