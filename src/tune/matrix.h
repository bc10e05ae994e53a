/* The products that fitting spends its time in: a dense or sparse matrix times a tall, narrow one.
 *
 * Narrow matrices (one column a class) are stored as panels of 8 columns, each panel row by row, so that the inner loop is
 * 8 independent sums in registers. Every element of a product is summed by one thread in the order of the columns: results do
 * not depend on the number of threads or on the CPU's vector width. */
#ifndef WEIR_TUNE_MATRIX_H
#define WEIR_TUNE_MATRIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/threads.h"
#include "weir/status.h"

enum { PANEL_WIDTH = 8 };

/* rows x cols float32; element (r, c) is data[((c / 8) * rows + r) * 8 + c % 8]. Columns beyond `cols` in the last panel are zero. */
struct panels {
    size_t rows;
    size_t cols;
    float *data; /* [panels_size], aligned to 64 bytes, owned */
};

static inline size_t panels_count(const struct panels *m)
{
    return (m->cols + PANEL_WIDTH - 1) / PANEL_WIDTH;
}

static inline size_t panels_size(const struct panels *m)
{
    return panels_count(m) * m->rows * PANEL_WIDTH;
}

static inline size_t panels_at(const struct panels *m, size_t row, size_t col)
{
    return (col / PANEL_WIDTH * m->rows + row) * PANEL_WIDTH + col % PANEL_WIDTH;
}

enum weir_status panels_open(struct panels *m, size_t rows, size_t cols) WEIR_MUST_USE; /* zeros */
void panels_close(struct panels *m);                                                    /* accepts a zeroed one */

/* rows x cols, row by row. */
struct dense {
    size_t rows;
    size_t cols;
    float *data; /* [rows, cols], aligned to 64 bytes, owned */
};

enum weir_status dense_open(struct dense *m, size_t rows, size_t cols) WEIR_MUST_USE; /* zeros */
enum weir_status dense_transpose(const struct dense *m, struct dense *out) WEIR_MUST_USE;
void dense_close(struct dense *m);

/* Row r holds values[starts[r] .. starts[r + 1]) in the columns of the same range of indexes. */
struct sparse {
    size_t rows;
    size_t cols;
    size_t *starts; /* [rows + 1], owned */
    uint32_t *indexes;
    float *values;
};

enum weir_status sparse_open(struct sparse *m, size_t rows, size_t cols, size_t entries) WEIR_MUST_USE;
enum weir_status sparse_transpose(const struct sparse *m, struct sparse *out) WEIR_MUST_USE;
void sparse_close(struct sparse *m);

/* out = factor * x * v, or out += with `add`. v: [x.cols, k], out: [x.rows, k]; they do not overlap. */
void dense_times(struct thread_pool *pool, const struct dense *x, float factor, const struct panels *v,
                 const struct panels *out, bool add);
void sparse_times(struct thread_pool *pool, const struct sparse *x, float factor, const struct panels *v,
                  const struct panels *out, bool add);

#endif
