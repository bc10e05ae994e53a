/* Stratified folds, and a stratified part of the rows. Deterministic in the seed. */
#ifndef WEIR_TUNE_FOLDS_H
#define WEIR_TUNE_FOLDS_H

#include <stddef.h>
#include <stdint.h>

#include "weir/status.h"

/* fold_of_row[i] in 0..folds-1 for i < rows: every fold has each label's share of rows, to one row, and fold sizes differ by at
 * most one. labels[i] is below `classes`. */
enum weir_status folds_assign(const int32_t *labels, size_t rows, size_t classes, unsigned folds, uint64_t seed,
                              uint8_t *fold_of_row) WEIR_MUST_USE;

/* Chooses `wanted` of the rows (all, when there are fewer) with each label's share of them, to one row; writes them rising. Returns
 * through *count how many. chosen: room for `wanted` or `rows`, whichever is less. */
enum weir_status folds_part(const int32_t *labels, size_t rows, size_t classes, size_t wanted, uint64_t seed,
                            uint32_t *chosen, size_t *count) WEIR_MUST_USE;

#endif
