/* Choosing by cross-validation: which hidden states to read, and each head's penalty and weights.
 *
 * The candidates are few and fixed (the tables in search.c; why these: docs/tune.md); the measure is the out-of-fold
 * log-loss after the temperature. */
#ifndef WEIR_TUNE_SEARCH_H
#define WEIR_TUNE_SEARCH_H

#include "tune/cross.h"

enum { SEARCH_DEPTHS_MAX = 8 };

/* Depths that the candidates read, rising, for a model of n_layers; table.hidden holds these. Returns how many. */
size_t search_depths(uint32_t n_layers, uint32_t depths[SEARCH_DEPTHS_MAX]);

struct search_result {
    struct tune_blocks blocks; /* depth_index: into the depths of search_depths */
    struct cross_job heads[WEIR_HEAD_KINDS];
};

/* tune_steps that search_run makes. */
size_t search_steps(unsigned folds);

enum weir_status search_run(struct cross *cross, uint32_t n_layers, struct search_result *out,
                            struct weir_error *error) WEIR_MUST_USE;

#endif
