/* Cross-validation over stratified folds. */
#include "tune/cross.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "tune/calibrate_multi.h"
#include "tune/folds.h"

enum weir_status tune_step(struct tune_steps *steps, struct weir_error *error)
{
    steps->done++;
    if (steps->call && !steps->call(steps->context, steps->stage, steps->done, steps->total))
        return error_set(error, WEIR_ERR_CANCELLED, "tuning was cancelled");
    return WEIR_OK;
}

void cross_close(struct cross *cross)
{
    for (unsigned fold = 0; cross->splits && fold < cross->folds; fold++) split_close(&cross->splits[fold]);
    free(cross->splits);
    free(cross->fold_of_row);
    *cross = (struct cross){0};
}

enum weir_status cross_open(struct cross *cross, struct thread_pool *pool, const struct tune_table *table,
                            unsigned folds, uint64_t seed, struct tune_steps *steps, struct weir_error *error)
{
    *cross = (struct cross){
        .pool = pool, .table = table, .folds = folds, .keeps_splits = true, .tolerance = 1e-5, .steps = steps};
    cross->fold_of_row = mem_zero(table->rows, sizeof *cross->fold_of_row);
    cross->splits = mem_zero(folds, sizeof *cross->splits);
    if (cross->fold_of_row && cross->splits &&
        !folds_assign(table->labels, table->rows, table->classes, folds, seed, cross->fold_of_row))
        return WEIR_OK;
    cross_close(cross);
    return error_nomem(error, "cross-validation");
}

static enum weir_status open_fold(struct cross *cross, unsigned fold)
{
    struct split *split = &cross->splits[fold];
    if (split->fit.index) return WEIR_OK; /* open already */
    uint8_t *is_held = mem_zero(cross->table->rows, sizeof *is_held);
    if (!is_held) return WEIR_ERR_NOMEM;
    for (size_t row = 0; row < cross->table->rows; row++) is_held[row] = cross->fold_of_row[row] == fold;
    enum weir_status status = split_open(split, cross->table, is_held);
    free(is_held);
    return status;
}

/* The held-out rows' logits into their places of all[rows, classes]. */
static enum weir_status predict_held(const struct cross *cross, const struct split *split, const struct cross_job *job,
                                     const struct logreg *model, double *all)
{
    size_t classes = cross->table->classes;
    const struct split_side *held = &split->held;
    double *logits = mem_zero(held->rows, classes * sizeof *logits);
    if (!logits) return WEIR_ERR_NOMEM;
    enum weir_status status = logreg_logits(cross->pool, model, job->sparse_weight > 0 ? &held->sparse : NULL,
                                            job->dense_weight > 0 ? &held->dense : NULL, held->rows, logits);
    for (size_t i = 0; i < held->rows && !status; i++)
        memcpy(all + (size_t)held->index[i] * classes, logits + i * classes, classes * sizeof *logits);
    free(logits);
    return status;
}

static bool same_weights(const struct cross_job *a, const struct cross_job *b)
{
    return !(a->sparse_weight < b->sparse_weight || a->sparse_weight > b->sparse_weight ||
             a->dense_weight < b->dense_weight || a->dense_weight > b->dense_weight);
}

static enum weir_status run_jobs(struct cross *cross, const struct split *split, const struct cross_job *jobs,
                                 size_t n_jobs, double *logits, struct weir_error *error)
{
    size_t cells = cross->table->rows * cross->table->classes;
    struct logreg model = {0};
    enum weir_status status = WEIR_OK;
    for (size_t j = 0; j < n_jobs && !status; j++) {
        struct logreg_data data = split_data(split, cross->table, jobs[j].sparse_weight > 0, jobs[j].dense_weight > 0);
        struct logreg_options options = logreg_options_default();
        options.l2 = jobs[j].l2;
        options.sparse_weight = jobs[j].sparse_weight;
        options.dense_weight = jobs[j].dense_weight;
        options.tolerance = cross->tolerance;
        if (j > 0 && !same_weights(&jobs[j], &jobs[j - 1])) logreg_close(&model);
        status = logreg_fit(cross->pool, &data, &options, &model, error);
        if (!status && predict_held(cross, split, &jobs[j], &model, logits + j * cells))
            status = error_nomem(error, "cross-validation");
    }
    logreg_close(&model);
    return status;
}

static enum weir_status run_fold(struct cross *cross, unsigned fold, const struct tune_blocks *blocks,
                                 const struct cross_job *jobs, size_t n_jobs, double *logits, struct weir_error *error)
{
    struct split *split = &cross->splits[fold];
    enum weir_status status = open_fold(cross, fold);
    if (!status && blocks) status = split_set_blocks(split, cross->table, blocks);
    if (status)
        status = error_nomem(error, "cross-validation");
    else
        status = run_jobs(cross, split, jobs, n_jobs, logits, error);
    if (!cross->keeps_splits) split_close(split);
    return status ? status : tune_step(cross->steps, error);
}

static enum weir_status calibrate_multi_job(const double *z, const struct tune_table *table, struct cross_job *job,
                                            struct weir_error *error)
{
    job->temperature = calibrate_multi_temperature(z, table->targets, table->rows, table->classes);
    const struct calibration calibration = {.kind = WEIR_CALIBRATION_TEMPERATURE, .temperature = job->temperature};
    return calibrate_multi_measure(z, table->targets, table->rows, table->classes, &calibration, &job->measures, error);
}

enum weir_status cross_run(struct cross *cross, const struct tune_blocks *blocks, struct cross_job *jobs, size_t n_jobs,
                           double *logits, struct weir_error *error)
{
    const struct tune_table *table = cross->table;
    size_t cells = table->rows * table->classes;
    double *own = logits ? NULL : mem_zero(n_jobs, cells * sizeof *own);
    double *all = logits ? logits : own;
    if (!all) return error_nomem(error, "cross-validation");
    enum weir_status status = WEIR_OK;
    for (unsigned fold = 0; fold < cross->folds && !status; fold++)
        status = run_fold(cross, fold, blocks, jobs, n_jobs, all, error);
    for (size_t j = 0; j < n_jobs && !status; j++) {
        const double *z = all + j * cells;
        if (table->targets) {
            status = calibrate_multi_job(z, table, &jobs[j], error);
            continue;
        }
        jobs[j].temperature = calibrate_temperature(z, table->labels, table->rows, table->classes);
        status = calibrate_measure(z, table->labels, table->rows, table->classes, jobs[j].temperature,
                                   &jobs[j].measures, error);
    }
    free(own);
    return status;
}
