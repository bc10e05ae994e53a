/* Final measures, final fits, and their conversion into a profile's arrays. */
#include "tune/finish.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "tune/calibrate_fit.h"
#include "tune/calibrate_multi.h"

size_t finish_steps(unsigned folds)
{
    return folds + WEIR_HEAD_KINDS;
}

/* Panels to rows, times `factor`; NULL without memory. */
static float *rows_of(const struct panels *panels, float factor)
{
    float *rows = mem_zero(panels->rows, panels->cols * sizeof *rows);
    for (size_t r = 0; rows && r < panels->rows; r++)
        for (size_t c = 0; c < panels->cols; c++)
            rows[r * panels->cols + c] = factor * panels->data[panels_at(panels, r, c)];
    return rows;
}

/* The matrices' columns hold standardised states divided by sqrt(columns); the profile's do not. */
static enum weir_status take_model(const struct logreg *model, struct profile_head *head, size_t classes,
                                   size_t hidden_columns)
{
    head->bias = mem_zero(classes, sizeof *head->bias);
    if (!head->bias) return WEIR_ERR_NOMEM;
    memcpy(head->bias, model->bias, classes * sizeof *head->bias);
    if (head->info.ngram_weight > 0 && !(head->ngram = rows_of(&model->sparse, 1))) return WEIR_ERR_NOMEM;
    if (head->info.hidden_weight > 0 &&
        !(head->hidden = rows_of(&model->dense, (float)(1 / sqrt((double)hidden_columns)))))
        return WEIR_ERR_NOMEM;
    return WEIR_OK;
}

static enum weir_status fit_head(struct cross *cross, const struct split *all, const struct cross_job *job,
                                 struct profile_head *head, struct weir_error *error)
{
    struct logreg_options options = logreg_options_default();
    options.l2 = job->l2;
    options.sparse_weight = job->sparse_weight;
    options.dense_weight = job->dense_weight;
    options.tolerance = cross->tolerance;
    head->info = (struct weir_head_info){.l2 = job->l2,
                                         .ngram_weight = job->sparse_weight,
                                         .hidden_weight = job->dense_weight,
                                         .calibration = head->calibration.kind,
                                         .temperature = head->calibration.temperature,
                                         .accuracy = job->measures.accuracy,
                                         .log_loss = job->measures.log_loss,
                                         .ece = job->measures.ece};
    struct logreg_data data = split_data(all, cross->table, job->sparse_weight > 0, job->dense_weight > 0);
    struct logreg model = {0};
    enum weir_status status = logreg_fit(cross->pool, &data, &options, &model, error);
    if (!status && take_model(&model, head, cross->table->classes, all->fit.dense.cols))
        status = error_nomem(error, "heads");
    logreg_close(&model);
    return status;
}

static float *copy_floats(const float *from, size_t count)
{
    float *copy = mem_zero(count, sizeof *copy);
    if (copy) memcpy(copy, from, count * sizeof *copy);
    return copy;
}

static enum weir_status take_blocks(const struct split *all, const struct tune_blocks *blocks, size_t n_embd,
                                    struct profile_question *question)
{
    question->blocks = mem_zero(blocks->count, sizeof *question->blocks);
    if (!question->blocks) return WEIR_ERR_NOMEM;
    question->n_blocks = blocks->count;
    for (size_t b = 0; b < blocks->count; b++) {
        struct profile_block *block = &question->blocks[b];
        block->depth_index = blocks->items[b].depth_index;
        block->pool = blocks->items[b].pool;
        block->mean = copy_floats(all->mean + b * n_embd, n_embd);
        block->scale = copy_floats(all->scale + b * n_embd, n_embd);
        if (!block->mean || !block->scale) return WEIR_ERR_NOMEM;
    }
    return WEIR_OK;
}

static enum weir_head_kind best_head(const struct cross_job *jobs)
{
    int best = WEIR_HEAD_BOTH;
    for (int kind = 0; kind < WEIR_HEAD_KINDS; kind++)
        if (jobs[kind].measures.log_loss < jobs[best].measures.log_loss) best = kind;
    return (enum weir_head_kind)best;
}

static enum weir_status fit_all(struct cross *cross, const struct split *all, const struct cross_job *jobs,
                                struct profile_question *question, struct weir_error *error)
{
    for (int kind = 0; kind < WEIR_HEAD_KINDS; kind++) {
        enum weir_status status = fit_head(cross, all, &jobs[kind], &question->heads[kind], error);
        if (!status) status = tune_step(cross->steps, error);
        if (status) return status;
    }
    return WEIR_OK;
}

/* What a head says about rows it had not seen, calibrated. */
struct unseen_answers {
    int32_t *predicted; /* [rows], owned */
    double *probability;
};

/* logits: [rows, classes] of one head. */
static enum weir_status calibrate_head(const struct cross *cross, const double *logits, struct cross_job *job,
                                       struct profile_head *head, struct unseen_answers *answers,
                                       struct weir_error *error)
{
    const struct tune_table *table = cross->table;
    struct calibrate_rows rows = {.logits = logits,
                                  .labels = table->labels,
                                  .fold = cross->fold_of_row,
                                  .rows = table->rows,
                                  .classes = table->classes,
                                  .folds = cross->folds};
    answers->predicted = mem_zero(table->rows, sizeof *answers->predicted);
    answers->probability = mem_zero(table->rows, sizeof *answers->probability);
    if (!answers->predicted || !answers->probability) return error_nomem(error, "predictions");
    if (table->targets) return calibrate_multi_choose(&rows, table->targets, &head->calibration, &job->measures, error);
    return calibrate_choose(&rows, &head->calibration, &job->measures, answers->predicted, answers->probability, error);
}

/* Certificates are planned on what the head in use says about rows it had not seen; there are none for independent labels. */
static enum weir_status keep_unseen(const struct tune_table *table, struct unseen_answers *answers,
                                    struct profile_unseen *unseen, struct weir_error *error)
{
    if (table->targets) return WEIR_OK;
    unseen->gold = mem_zero(table->rows, sizeof *unseen->gold);
    if (!unseen->gold) return error_nomem(error, "predictions");
    memcpy(unseen->gold, table->labels, table->rows * sizeof *unseen->gold);
    unseen->count = table->rows;
    unseen->predicted = answers->predicted;
    unseen->probability = answers->probability;
    *answers = (struct unseen_answers){0}; /* the profile's now */
    return WEIR_OK;
}

/* Judges the heads out of fold, calibrates them and chooses the one in use. */
static enum weir_status judge(struct cross *cross, const struct tune_blocks *blocks, struct cross_job *jobs,
                              struct profile_question *question, struct weir_error *error)
{
    const struct tune_table *table = cross->table;
    struct unseen_answers answers[WEIR_HEAD_KINDS] = {{0}};
    double *logits = mem_zero(WEIR_HEAD_KINDS * table->rows, table->classes * sizeof *logits);
    if (!logits) return error_nomem(error, "predictions");
    enum weir_status status = cross_run(cross, blocks, jobs, WEIR_HEAD_KINDS, logits, error);
    for (size_t h = 0; h < WEIR_HEAD_KINDS && !status; h++)
        status = calibrate_head(cross, logits + h * table->rows * table->classes, &jobs[h], &question->heads[h],
                                &answers[h], error);
    question->head = best_head(jobs);
    if (!status) status = keep_unseen(table, &answers[question->head], &question->unseen, error);
    for (size_t h = 0; h < WEIR_HEAD_KINDS; h++) {
        free(answers[h].predicted);
        free(answers[h].probability);
    }
    free(logits);
    return status;
}

enum weir_status finish_question(struct cross *cross, const struct search_result *choice,
                                 struct profile_question *question, struct weir_error *error)
{
    struct cross_job jobs[WEIR_HEAD_KINDS];
    struct split all = {0};
    memcpy(jobs, choice->heads, sizeof jobs);
    cross->keeps_splits = false;
    enum weir_status status = judge(cross, &choice->blocks, jobs, question, error);
    if (status) return status;
    status = split_open(&all, cross->table, NULL);
    if (!status) status = split_set_blocks(&all, cross->table, &choice->blocks);
    if (!status) status = take_blocks(&all, &choice->blocks, cross->table->n_embd, question);
    if (status)
        status = error_nomem(error, "heads");
    else
        status = fit_all(cross, &all, jobs, question, error);
    question->rows = cross->table->rows;
    question->ngram = all.ngram; /* its new owner */
    all.ngram = (struct ngram_model){0};
    split_close(&all);
    return status;
}
