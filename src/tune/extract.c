/* weir_tune_extract: for every field, and for each kind of answer to it, a calibration of "this answer is right". */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "tune/calibrate_fit.h"
#include "tune/extract_answers.h"
#include "tune/folds.h"

enum {
    RIGHT, /* classes of a calibration */
    WRONG,
    CLASSES,
    GROUP_ROWS_MIN = 30, /* fewer: one probability for all, the share that was right */
    BINS = 15
};

struct extract_tune {
    const struct weir_tune_options *options;
    struct extract_answers answers;
    double *calibrated; /* [rows, columns], by calibrations that had not seen the row; owned */
    struct weir_error *error;
};

/* The rows of one column and group. */
struct group {
    size_t count;
    uint32_t *row;   /* [count] */
    int32_t *labels; /* [count] RIGHT or WRONG */
    double *logits;  /* [count, CLASSES] */
    uint8_t *fold;   /* [count] */
};

static void group_free(struct group *g)
{
    free(g->row);
    free(g->labels);
    free(g->logits);
    free(g->fold);
}

static bool group_open(struct group *g, size_t rows)
{
    *g = (struct group){.row = mem_zero(rows, sizeof *g->row),
                        .labels = mem_zero(rows, sizeof *g->labels),
                        .logits = mem_zero(rows, CLASSES * sizeof *g->logits),
                        .fold = mem_zero(rows, sizeof *g->fold)};
    return g->row && g->labels && g->logits && g->fold;
}

static void gather(const struct extract_answers *a, size_t column, int kind, struct group *g)
{
    g->count = 0;
    for (size_t row = 0; row < a->rows; row++) {
        size_t at = row * a->columns + column;
        if (a->group[at] != kind) continue;
        g->row[g->count] = (uint32_t)row;
        g->labels[g->count] = a->is_right[at] ? RIGHT : WRONG;
        g->logits[CLASSES * g->count] = profile_extract_logit(a->log_probability[at]);
        g->logits[CLASSES * g->count++ + 1] = 0;
    }
}

/* ---- one calibration ---- */

/* Two rows beside what was seen, one right and one wrong. */
static double share(size_t right, size_t count)
{
    return ((double)right + 1) / ((double)count + 2);
}

static size_t count_right(const struct group *g)
{
    size_t right = 0;
    for (size_t i = 0; i < g->count; i++) right += g->labels[i] == RIGHT;
    return right;
}

/* The share that was right, whatever the logit; each row's by the others. */
static enum weir_status fit_share(const struct group *g, struct calibration *out, double *p)
{
    size_t right = count_right(g);
    double all = share(right, g->count);
    *out = (struct calibration){.kind = WEIR_CALIBRATION_VECTOR,
                                .temperature = 1,
                                .scale = mem_zero(CLASSES, sizeof *out->scale),
                                .shift = mem_zero(CLASSES, sizeof *out->shift)};
    if (!out->scale || !out->shift) {
        calibration_free(out);
        return WEIR_ERR_NOMEM;
    }
    out->shift[RIGHT] = (float)(log(all) - log1p(-all));
    for (size_t i = 0; i < g->count; i++) p[i] = share(right - (g->labels[i] == RIGHT), g->count - 1);
    return WEIR_OK;
}

static enum weir_status fit_chosen(const struct extract_tune *t, struct group *g, struct calibration *out, double *p)
{
    struct calibrate_rows rows = {.logits = g->logits,
                                  .labels = g->labels,
                                  .fold = g->fold,
                                  .rows = g->count,
                                  .classes = CLASSES,
                                  .folds = t->options->folds,
                                  .rows_min = GROUP_ROWS_MIN};
    struct calibrate_measures measures;
    int32_t *predicted = mem_zero(g->count, sizeof *predicted);
    if (!predicted) return error_nomem(t->error, "calibration");
    enum weir_status status = folds_assign(g->labels, g->count, CLASSES, rows.folds, t->options->seed, g->fold);
    status =
        status ? error_nomem(t->error, "calibration") : calibrate_choose(&rows, out, &measures, predicted, p, t->error);
    for (size_t i = 0; !status && i < g->count; i++)
        if (predicted[i] == WRONG) p[i] = 1 - p[i];
    free(predicted);
    return status;
}

/* Calibrates one kind of answer of a column, and notes what it makes of rows it had not seen. */
static enum weir_status fit_group(struct extract_tune *t, struct group *g, size_t column, struct calibration *out)
{
    double *p = mem_zero(g->count, sizeof *p);
    if (!p) return error_nomem(t->error, "calibration");
    bool is_small = g->count < GROUP_ROWS_MIN;
    enum weir_status status = is_small ? fit_share(g, out, p) : fit_chosen(t, g, out, p);
    if (status == WEIR_ERR_NOMEM) status = error_nomem(t->error, "calibration");
    for (size_t i = 0; !status && i < g->count; i++) t->calibrated[g->row[i] * t->answers.columns + column] = p[i];
    free(p);
    return status;
}

/* ---- measures ---- */

struct measured {
    double log_loss, ece;
};

/* stride: from one row's probability to the next one's. is_log: p holds logarithms. */
static struct measured measure(const struct extract_answers *a, size_t column, const double *p, bool is_log)
{
    double loss = 0, sums[BINS] = {0}, right[BINS] = {0}, ece = 0;
    for (size_t row = 0; row < a->rows; row++) {
        size_t at = row * a->columns + column;
        double q = is_log ? exp(p[at]) : p[at], said = a->is_right[at] ? q : 1 - q;
        loss -= log(said > 1e-15 ? said : 1e-15);
        size_t bin = (size_t)(q * (double)BINS);
        if (bin >= BINS) bin = BINS - 1;
        sums[bin] += q;
        right[bin] += a->is_right[at];
    }
    for (size_t bin = 0; bin < BINS; bin++) ece += fabs(sums[bin] - right[bin]);
    return (struct measured){loss / (double)a->rows, ece / (double)a->rows};
}

static void fill_info(const struct extract_tune *t, size_t column, struct weir_extract_info *info)
{
    const struct extract_answers *a = &t->answers;
    struct measured raw = measure(a, column, a->log_probability, true),
                    fitted = measure(a, column, t->calibrated, false);
    size_t right = 0;
    for (size_t row = 0; row < a->rows; row++) right += a->is_right[row * a->columns + column];
    *info = (struct weir_extract_info){.accuracy = (double)right / (double)a->rows,
                                       .raw_log_loss = raw.log_loss,
                                       .raw_ece = raw.ece < 1 ? raw.ece : 1,
                                       .log_loss = fitted.log_loss,
                                       .ece = fitted.ece < 1 ? fitted.ece : 1};
}

/* ---- the profile ---- */

static enum weir_status fit_column(struct extract_tune *t, size_t column, struct profile_extract_field *field)
{
    struct group group;
    enum weir_status status = group_open(&group, t->answers.rows) ? WEIR_OK : error_nomem(t->error, "calibration");
    for (int kind = 0; !status && kind < EXTRACT_GROUPS; kind++) {
        gather(&t->answers, column, kind, &group);
        status = fit_group(t, &group, column, &field->groups[kind]);
    }
    group_free(&group);
    if (!status) fill_info(t, column, &field->info);
    return status;
}

/* The whole is judged by the product of what its fields are calibrated to; its own figures stay those of the model. */
static enum weir_status fit_whole(struct extract_tune *t, struct profile_extract_field *whole)
{
    struct extract_answers *a = &t->answers;
    size_t last = a->columns - 1;
    double *own = mem_zero(a->rows, sizeof *own);
    if (!own) return error_nomem(t->error, "calibration");
    for (size_t row = 0; row < a->rows; row++) {
        double *p = a->log_probability + row * a->columns;
        own[row] = p[last];
        if (last) p[last] = 0;
        for (size_t f = 0; f < last; f++) p[last] += log(t->calibrated[row * a->columns + f]);
    }
    enum weir_status status = fit_column(t, last, whole);
    for (size_t row = 0; row < a->rows; row++) a->log_probability[row * a->columns + last] = own[row];
    if (!status) fill_info(t, last, &whole->info);
    free(own);
    return status;
}

static enum weir_status copy_name(struct weir_string name, char **out, struct weir_error *error)
{
    if (name.size > PROFILE_FIELD_BYTES_MAX || (name.size && memchr(name.data, 0, name.size)))
        return error_set(error, WEIR_ERR_UNSUPPORTED, "a field's name has NUL or more than %d bytes",
                         PROFILE_FIELD_BYTES_MAX);
    *out = mem_text(name.size ? name.data : "", name.size);
    return *out ? WEIR_OK : error_nomem(error, "profile");
}

static enum weir_status fit_all(struct extract_tune *t, const struct extract_plan *plan,
                                struct profile_extract *extract)
{
    size_t rows = t->answers.rows, columns = t->answers.columns;
    if (plan->n_fields > PROFILE_FIELDS_MAX)
        return error_set(t->error, WEIR_ERR_LIMIT, "%zu fields, a profile has at most %d", plan->n_fields,
                         PROFILE_FIELDS_MAX);
    extract->fields = mem_zero(columns, sizeof *extract->fields);
    t->calibrated = mem_zero(rows, columns * sizeof *t->calibrated);
    if (!extract->fields || !t->calibrated) return error_nomem(t->error, "profile");
    extract->n_fields = plan->n_fields;
    extract->rows = rows;
    memcpy(extract->schema_hash, plan->hash, sizeof extract->schema_hash);
    enum weir_status status = WEIR_OK;
    for (size_t f = 0; !status && f < plan->n_fields; f++) {
        status = copy_name(plan->fields[f].name, &extract->fields[f].name, t->error);
        if (!status) status = fit_column(t, f, &extract->fields[f]);
    }
    if (!status) status = copy_name((struct weir_string){"", 0}, &extract->fields[plan->n_fields].name, t->error);
    return status ? status : fit_whole(t, &extract->fields[plan->n_fields]);
}

/* A profile without heads. */
static enum weir_status open_profile(struct weir_engine *engine, const struct weir_task *task, size_t question,
                                     const struct weir_tune_options *options, struct weir_profile *profile,
                                     struct weir_error *error)
{
    struct weir_model_info info;
    const char *task_name = weir_task_name(task), *name = weir_task_question(task, question)->name;
    weir_engine_info(engine, &info);
    profile->seed = options->seed;
    profile->folds = options->folds;
    profile->n_embd = info.n_embd;
    profile->task_name = mem_text(task_name, strlen(task_name));
    profile->extracts = mem_zero(1, sizeof *profile->extracts);
    if (!profile->task_name || !profile->extracts) return error_nomem(error, "profile");
    profile->n_extracts = 1;
    profile->extracts[0].name = mem_text(name, strlen(name));
    if (!profile->extracts[0].name) return error_nomem(error, "profile");
    enum weir_status status = weir_engine_fingerprint(engine, profile->model_fingerprint, error);
    return status ? status : weir_task_fingerprint(task, profile->task_fingerprint, error);
}

static enum weir_status learn(struct weir_engine *engine, const struct weir_task *task, size_t question,
                              const struct weir_tune_values *rows, struct extract_tune *t, struct weir_profile *profile)
{
    struct extract_model model = {.vocabulary = NULL};
    struct extractor *x = NULL;
    enum weir_status status = extract_model_open(engine, &model, t->error);
    if (!status)
        status =
            extractor_open(engine, &model, weir_task_question(task, question), weir_task_folder(task), &x, t->error);
    if (!status) status = extract_answers_read(x, rows, t->options, &t->answers, t->error);
    if (!status) status = fit_all(t, extractor_plan(x), &profile->extracts[0]);
    profile->rows = profile->extracts[0].rows;
    extractor_close(&x);
    extract_model_close(&model);
    return status;
}

static enum weir_status check_input(const struct weir_engine *engine, const struct weir_task *task, size_t question,
                                    const struct weir_tune_values *rows, const struct weir_tune_options *options,
                                    struct weir_error *error)
{
    const struct weir_question *asked = weir_task_question(task, question);
    if (!weir_engine_tokenizer(engine))
        return error_set(error, WEIR_ERR_INVALID, "the engine was opened without a tokenizer");
    if (!asked || asked->type != WEIR_QUESTION_EXTRACT)
        return error_set(error, WEIR_ERR_INVALID, "question %zu of the task is no extraction", question + 1);
    if (rows->count > WEIR_TUNE_ROWS_MAX)
        return error_set(error, WEIR_ERR_LIMIT, "%zu rows, at most %d", rows->count, WEIR_TUNE_ROWS_MAX);
    if (options->folds < 2 || options->folds > WEIR_TUNE_FOLDS_MAX)
        return error_set(error, WEIR_ERR_INVALID, "%u folds, 2 to %d are possible", options->folds,
                         WEIR_TUNE_FOLDS_MAX);
    return WEIR_OK;
}

enum weir_status weir_tune_extract(struct weir_engine *engine, const struct weir_task *task, size_t question,
                                   const struct weir_tune_values *rows, const struct weir_tune_options *options,
                                   struct weir_profile **out, struct weir_error *error)
{
    struct weir_tune_options defaults = weir_tune_options_default();
    struct weir_error own;
    struct extract_tune t = {.options = options ? options : &defaults, .error = error ? error : &own};
    enum weir_status status = check_input(engine, task, question, rows, t.options, t.error);
    if (status) return status;
    struct weir_profile *profile = mem_zero(1, sizeof *profile);
    status =
        profile ? open_profile(engine, task, question, t.options, profile, t.error) : error_nomem(t.error, "profile");
    if (!status) status = learn(engine, task, question, rows, &t, profile);
    extract_answers_free(&t.answers);
    free(t.calibrated);
    if (status)
        weir_profile_close(&profile);
    else
        *out = profile;
    return status;
}
