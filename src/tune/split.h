/* One division of labelled rows into rows to fit on and rows held out, with the matrices of both.
 *
 * Everything learned from the rows (the buckets in use, idf, mean and scale of hidden states) is learned from the rows to fit on
 * alone; the held-out rows are only transformed. */
#ifndef WEIR_TUNE_SPLIT_H
#define WEIR_TUNE_SPLIT_H

#include <stdint.h>

#include "decide/features.h"
#include "decide/ngram.h"
#include "tune/logreg.h"
#include "tune/matrix.h"
#include "weir/status.h"

/* The rows of one question. Nothing is owned. */
struct tune_table {
    size_t rows;
    size_t classes;
    const int32_t *labels;        /* [rows]; with targets what folds are stratified by */
    const uint8_t *targets;       /* [rows, classes] of independent labels; NULL: one label a row */
    const struct ngram_bag *bags; /* [rows] */
    struct ngram_settings ngram;  /* the bags were made with */
    const float *hidden;          /* [rows, n_depths, FEATURE_POOLS, n_embd]; NULL when n_depths is 0 */
    size_t n_depths;
    size_t n_embd;
};

/* One block of dense columns: a depth (index) and a pool. */
struct tune_block {
    uint32_t depth_index;
    uint32_t pool;
};

enum { TUNE_BLOCKS_MAX = 8 };

/* Which hidden states a head reads. */
struct tune_blocks {
    size_t count;
    struct tune_block items[TUNE_BLOCKS_MAX];
};

struct split_side {
    size_t rows;
    uint32_t *index;  /* [rows], rising: rows of the table */
    int32_t *labels;  /* [rows] */
    uint8_t *targets; /* [rows, classes], NULL as the table's */
    struct sparse sparse;
    struct dense dense; /* standardised, then divided by sqrt(columns): a row's norm is about 1 */
};

struct split {
    struct split_side fit, held;
    struct ngram_model ngram;
    struct sparse fit_sparse_t;
    struct dense fit_dense_t;
    float *mean, *scale; /* [blocks, n_embd]; scale: 1 / standard deviation, 0 for a constant dimension */
};

/* Rows with is_held[row] are held out; is_held NULL: none. Builds labels and the sparse matrices. Zero *split first. */
enum weir_status split_open(struct split *split, const struct tune_table *table, const uint8_t *is_held) WEIR_MUST_USE;

/* Builds the dense matrices for these blocks, replacing earlier ones. */
enum weir_status split_set_blocks(struct split *split, const struct tune_table *table,
                                  const struct tune_blocks *blocks) WEIR_MUST_USE;
void split_close(struct split *split);

/* What to fit on; a group that is off is NULL. */
struct logreg_data split_data(const struct split *split, const struct tune_table *table, bool with_sparse,
                              bool with_dense);

#endif
