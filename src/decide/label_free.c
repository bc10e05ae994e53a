/* The steps of calibration without labels, from the log-probabilities under every order. */
#include "weir/label_free.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "decide/row.h"
#include "decide/scorers.h"
#include "task/prompt.h"

enum { ROTATIONS_DEFAULT = 4, CHUNK_ROWS = 32 };

struct weir_label_free {
    size_t n_labels, rows, rotations;
    double *raw;     /* [2 (backwards), rotations, rows, n_labels]: log-probabilities before any prior */
    double *neutral; /* [2, rotations, n_labels]: log of the prior of content-free texts */
    double *own;     /* the same of the rows' own texts */
    bool *answered;  /* [rows] */
};

struct job {
    struct weir_label_free *lf;
    struct weir_engine *engine;
    const struct weir_question *question;
    const struct weir_string *texts;
    const struct weir_label_free_options *options;
    struct weir_tokens tokens[CHUNK_ROWS];
    size_t row_of[CHUNK_ROWS];
    double *p; /* [CHUNK_ROWS, n_labels] */
    size_t done;
};

/* ---- passes ---- */

/* Tokens of the rows begin .. begin + count that can still be answered. */
static enum weir_status gather(struct job *job, const struct zeroshot *z, size_t begin, size_t count, size_t *n,
                               struct weir_error *error)
{
    *n = 0;
    for (size_t row = begin; row < begin + count; row++) {
        if (!job->lf->answered[row]) continue;
        struct weir_tokens *tokens = &job->tokens[*n];
        tokens->count = 0;
        enum weir_status status = text_is_utf8(job->texts[row])
                                      ? zeroshot_tokenize(z, prompt_trim(job->texts[row]), tokens, error)
                                      : WEIR_ERR_FORMAT;
        if (status == WEIR_ERR_NOMEM) return status;
        job->lf->answered[row] = !status;
        if (!status) job->row_of[(*n)++] = row;
    }
    return WEIR_OK;
}

/* raw: [rows, n_labels] of this order. */
static enum weir_status run_chunk(struct job *job, struct zeroshot *z, size_t begin, size_t count, double *raw,
                                  struct weir_error *error)
{
    const double least = 1e-300;
    size_t n = 0, labels = job->lf->n_labels;
    enum weir_status status = gather(job, z, begin, count, &n, error);
    if (status) return status;
    engine_lock(job->engine);
    status = zeroshot_decide(z, job->tokens, n, job->p, NULL, error);
    engine_unlock(job->engine);
    for (size_t i = 0; !status && i < n * labels; i++)
        raw[job->row_of[i / labels] * labels + i % labels] = log(job->p[i] > least ? job->p[i] : least);
    job->done += count;
    if (!status && job->options->progress &&
        !job->options->progress(job->options->progress_context, job->done, 2 * job->lf->rotations * job->lf->rows))
        return error_set(error, WEIR_ERR_CANCELLED, "it was cancelled");
    return status;
}

static enum weir_status run_order(struct job *job, bool reversed, size_t rotation, struct weir_error *error)
{
    struct weir_label_free *lf = job->lf;
    size_t order[WEIR_TASK_LABELS_MAX], at = reversed * lf->rotations + rotation;
    struct zeroshot *z = NULL;
    rotation_order(lf->n_labels, lf->rotations, rotation, reversed, order);
    enum weir_status status = zeroshot_open_ordered(job->engine, job->question, order, &z, error);
    if (status) return status;
    memcpy(lf->neutral + at * lf->n_labels, z->log_prior, lf->n_labels * sizeof *lf->neutral);
    zeroshot_drop_prior(z);
    for (size_t row = 0; !status && row < lf->rows; row += CHUNK_ROWS)
        status = run_chunk(job, z, row, lf->rows - row < CHUNK_ROWS ? lf->rows - row : CHUNK_ROWS,
                           lf->raw + at * lf->rows * lf->n_labels, error);
    zeroshot_close(&z);
    return status;
}

/* The mean answer to the rows that have one under every order. */
static void measure_own(struct weir_label_free *lf)
{
    const double least = 1e-12;
    size_t answered = 0;
    for (size_t row = 0; row < lf->rows; row++) answered += lf->answered[row];
    for (size_t at = 0; at < 2 * lf->rotations * lf->n_labels; at++) {
        const double *raw = lf->raw + at / lf->n_labels * lf->rows * lf->n_labels + at % lf->n_labels;
        double mean = 0;
        for (size_t row = 0; row < lf->rows; row++)
            if (lf->answered[row]) mean += exp(raw[row * lf->n_labels]) / (double)answered;
        lf->own[at] = log(mean > least ? mean : least);
    }
}

static enum weir_status run(struct job *job, struct weir_error *error)
{
    enum weir_status status = WEIR_OK;
    job->p = mem_zero(CHUNK_ROWS * job->lf->n_labels, sizeof *job->p);
    if (!job->p) return error_nomem(error, "probabilities");
    for (size_t at = 0; !status && at < 2 * job->lf->rotations; at++)
        status = run_order(job, at >= job->lf->rotations, at % job->lf->rotations, error);
    for (size_t i = 0; i < CHUNK_ROWS; i++) weir_tokens_free(&job->tokens[i]);
    free(job->p);
    if (!status) measure_own(job->lf);
    return status;
}

/* ---- open and close ---- */

static enum weir_status check(const struct weir_question *question, size_t *rotations, struct weir_error *error)
{
    if (!question->n_labels || question->multi)
        return error_set(error, WEIR_ERR_UNSUPPORTED, "question %s: there is no order of labels to calibrate for",
                         question->name);
    if (*rotations > question->n_labels)
        return error_set(error, WEIR_ERR_INVALID, "question %s: %zu rotations of %zu labels", question->name,
                         *rotations, question->n_labels);
    if (!*rotations) *rotations = question->n_labels < ROTATIONS_DEFAULT ? question->n_labels : ROTATIONS_DEFAULT;
    return WEIR_OK;
}

enum weir_status weir_label_free_open(struct weir_engine *engine, const struct weir_question *question,
                                      const struct weir_string *texts, size_t count,
                                      const struct weir_label_free_options *options, struct weir_label_free **out,
                                      struct weir_error *error)
{
    static const struct weir_label_free_options defaults;
    struct weir_error own;
    if (!error) error = &own;
    if (!options) options = &defaults;
    size_t rotations = options->rotations, n = question->n_labels;
    enum weir_status status = check(question, &rotations, error);
    if (status) return status;
    struct weir_label_free *lf = mem_zero(1, sizeof *lf);
    if (!lf) return error_nomem(error, "calibration steps");
    *lf = (struct weir_label_free){.n_labels = n, .rows = count, .rotations = rotations};
    size_t cells = 0;
    bool fits = size_mul(2 * rotations * n, count, &cells);
    lf->raw = fits ? mem_zero(cells, sizeof *lf->raw) : NULL;
    lf->neutral = mem_zero(2 * rotations * n, sizeof *lf->neutral);
    lf->own = mem_zero(2 * rotations * n, sizeof *lf->own);
    lf->answered = mem_zero(count, sizeof *lf->answered);
    status = lf->raw && lf->neutral && lf->own && lf->answered ? WEIR_OK : error_nomem(error, "calibration steps");
    for (size_t row = 0; !status && row < count; row++) lf->answered[row] = true;
    struct job job = {.lf = lf, .engine = engine, .question = question, .texts = texts, .options = options};
    if (!status) status = run(&job, error);
    if (status)
        weir_label_free_close(&lf);
    else
        *out = lf;
    return status;
}

void weir_label_free_close(struct weir_label_free **handle)
{
    struct weir_label_free *lf = *handle;
    if (!lf) return;
    free(lf->raw);
    free(lf->neutral);
    free(lf->own);
    free(lf->answered);
    free(lf);
    *handle = NULL;
}

size_t weir_label_free_rotations(const struct weir_label_free *lf)
{
    return lf->rotations;
}

bool weir_label_free_is_answered(const struct weir_label_free *lf, size_t row)
{
    return lf->answered[row];
}

/* ---- answers ---- */

static double score(const struct weir_label_free *lf, enum weir_label_prior prior, size_t at, size_t row, size_t label)
{
    double log_p = lf->raw[(at * lf->rows + row) * lf->n_labels + label];
    if (prior == WEIR_LABEL_PRIOR_NONE) return log_p;
    return log_p - (prior == WEIR_LABEL_PRIOR_OWN ? lf->own : lf->neutral)[at * lf->n_labels + label];
}

void weir_label_free_answers(const struct weir_label_free *lf, const struct weir_label_free_step *step, bool reversed,
                             double *probabilities)
{
    size_t orders = step->is_rotated ? lf->rotations : 1, first = reversed * lf->rotations;
    for (size_t row = 0; row < lf->rows; row++) {
        double *p = probabilities + row * lf->n_labels, highest = -INFINITY, sum = 0;
        for (size_t k = 0; k < lf->n_labels; k++) {
            p[k] = 0;
            for (size_t r = 0; r < orders && lf->answered[row]; r++)
                p[k] += score(lf, step->prior, first + r, row, k) / (double)orders;
            highest = p[k] > highest ? p[k] : highest;
        }
        if (!lf->answered[row]) continue;
        for (size_t k = 0; k < lf->n_labels; k++) sum += p[k] = exp(p[k] - highest);
        for (size_t k = 0; k < lf->n_labels; k++) p[k] /= sum;
    }
}
