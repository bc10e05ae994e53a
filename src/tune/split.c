/* Rows to fit on and rows held out, as matrices. */
#include "tune/split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static void side_close(struct split_side *side)
{
    free(side->index);
    free(side->labels);
    free(side->targets);
    sparse_close(&side->sparse);
    dense_close(&side->dense);
}

void split_close(struct split *split)
{
    side_close(&split->fit);
    side_close(&split->held);
    ngram_model_free(&split->ngram);
    sparse_close(&split->fit_sparse_t);
    dense_close(&split->fit_dense_t);
    free(split->mean);
    free(split->scale);
    *split = (struct split){0};
}

static enum weir_status side_rows(struct split_side *side, const struct tune_table *table, const uint8_t *is_held,
                                  bool held)
{
    side->index = mem_zero(table->rows, sizeof *side->index);
    side->labels = mem_zero(table->rows, sizeof *side->labels);
    side->targets = table->targets ? mem_zero(table->rows, table->classes) : NULL;
    if (!side->index || !side->labels || (table->targets && !side->targets)) return WEIR_ERR_NOMEM;
    for (size_t row = 0; row < table->rows; row++) {
        if ((is_held && is_held[row]) != held) continue;
        side->index[side->rows] = (uint32_t)row;
        if (side->targets)
            memcpy(side->targets + side->rows * table->classes, table->targets + row * table->classes, table->classes);
        side->labels[side->rows++] = table->labels[row];
    }
    return WEIR_OK;
}

static enum weir_status side_sparse(struct split_side *side, const struct tune_table *table,
                                    const struct ngram_model *model)
{
    size_t room = 0;
    for (size_t i = 0; i < side->rows; i++) room += table->bags[side->index[i]].count;
    enum weir_status status = sparse_open(&side->sparse, side->rows, model->count, room);
    if (status) return status;
    for (size_t i = 0, at = 0; i < side->rows; i++) {
        struct ngram_vector row = {.indexes = side->sparse.indexes + at, .values = side->sparse.values + at};
        ngram_vector_fill(model, &table->bags[side->index[i]], &row);
        at += row.count;
        side->sparse.starts[i + 1] = at;
    }
    return WEIR_OK;
}

enum weir_status split_open(struct split *split, const struct tune_table *table, const uint8_t *is_held)
{
    enum weir_status status = side_rows(&split->fit, table, is_held, false);
    if (!status) status = side_rows(&split->held, table, is_held, true);
    if (!status)
        status = ngram_model_learn(&table->ngram, table->bags, split->fit.index, split->fit.rows, &split->ngram, NULL);
    if (!status) status = side_sparse(&split->fit, table, &split->ngram);
    if (!status) status = side_sparse(&split->held, table, &split->ngram);
    if (!status) status = sparse_transpose(&split->fit.sparse, &split->fit_sparse_t);
    if (status) split_close(split);
    return status;
}

static const float *hidden_at(const struct tune_table *table, size_t row, const struct tune_block *block)
{
    return table->hidden + ((row * table->n_depths + block->depth_index) * FEATURE_POOLS + block->pool) * table->n_embd;
}

/* Mean and scale of one block over the rows to fit on. sums: [2 * n_embd] scratch. */
static void learn_scale(struct split *split, const struct tune_table *table, const struct tune_block *block,
                        double *sums, float *mean, float *scale)
{
    size_t n = split->fit.rows, width = table->n_embd;
    double *squares = sums + width;
    memset(sums, 0, 2 * width * sizeof *sums);
    for (size_t i = 0; i < n; i++) {
        const float *x = hidden_at(table, split->fit.index[i], block);
        for (size_t d = 0; d < width; d++) sums[d] += (double)x[d];
    }
    for (size_t d = 0; d < width; d++) mean[d] = (float)(sums[d] / (double)n);
    for (size_t i = 0; i < n; i++) {
        const float *x = hidden_at(table, split->fit.index[i], block);
        for (size_t d = 0; d < width; d++)
            squares[d] += ((double)x[d] - (double)mean[d]) * ((double)x[d] - (double)mean[d]);
    }
    for (size_t d = 0; d < width; d++) {
        double deviation = sqrt(squares[d] / (double)n);
        bool varies = deviation > 1e-6 * (1e-6 + fabs((double)mean[d]));
        scale[d] = varies ? (float)(1 / deviation) : 0;
    }
}

static enum weir_status side_dense(struct split_side *side, const struct split *split, const struct tune_table *table,
                                   const struct tune_blocks *blocks)
{
    size_t width = table->n_embd, cols = blocks->count * width;
    dense_close(&side->dense);
    enum weir_status status = dense_open(&side->dense, side->rows, cols);
    if (status) return status;
    float norm = (float)(1 / sqrt((double)cols));
    for (size_t i = 0; i < side->rows; i++)
        for (size_t b = 0; b < blocks->count; b++) {
            const float *x = hidden_at(table, side->index[i], &blocks->items[b]);
            const float *mean = split->mean + b * width, *scale = split->scale + b * width;
            float *out = side->dense.data + i * cols + b * width;
            for (size_t d = 0; d < width; d++) out[d] = (x[d] - mean[d]) * scale[d] * norm;
        }
    return WEIR_OK;
}

enum weir_status split_set_blocks(struct split *split, const struct tune_table *table, const struct tune_blocks *blocks)
{
    size_t width = table->n_embd;
    float *mean = mem_resize(split->mean, blocks->count * width, sizeof *mean);
    if (mean) split->mean = mean;
    float *scale = mem_resize(split->scale, blocks->count * width, sizeof *scale);
    if (scale) split->scale = scale;
    double *sums = mem_zero(2 * width, sizeof *sums);
    if (!mean || !scale || !sums) {
        free(sums);
        return WEIR_ERR_NOMEM;
    }
    for (size_t b = 0; b < blocks->count; b++)
        learn_scale(split, table, &blocks->items[b], sums, mean + b * width, scale + b * width);
    free(sums);
    enum weir_status status = side_dense(&split->fit, split, table, blocks);
    if (!status) status = side_dense(&split->held, split, table, blocks);
    dense_close(&split->fit_dense_t);
    if (!status) status = dense_transpose(&split->fit.dense, &split->fit_dense_t);
    return status;
}

struct logreg_data split_data(const struct split *split, const struct tune_table *table, bool with_sparse,
                              bool with_dense)
{
    return (struct logreg_data){.rows = split->fit.rows,
                                .classes = table->classes,
                                .labels = split->fit.labels,
                                .targets = split->fit.targets,
                                .sparse = with_sparse ? &split->fit.sparse : NULL,
                                .sparse_t = with_sparse ? &split->fit_sparse_t : NULL,
                                .dense = with_dense ? &split->fit.dense : NULL,
                                .dense_t = with_dense ? &split->fit_dense_t : NULL};
}
