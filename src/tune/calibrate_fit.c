/* Fitting the calibrations and choosing among them by cross-validation. */
#include "tune/calibrate_fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "weir/eval.h"

/* The rows not held out, gathered. */
struct part {
    double *logits;  /* [rows, classes] */
    int32_t *labels; /* [rows] */
    size_t rows, classes;
};

static void part_close(struct part *part)
{
    free(part->logits);
    free(part->labels);
}

static enum weir_status part_open(const struct calibrate_rows *all, unsigned held, struct part *part)
{
    *part = (struct part){.classes = all->classes};
    part->logits = mem_zero(all->rows, all->classes * sizeof *part->logits);
    part->labels = mem_zero(all->rows, sizeof *part->labels);
    if (!part->logits || !part->labels) return WEIR_ERR_NOMEM;
    for (size_t i = 0; i < all->rows; i++) {
        if (all->fold[i] == held) continue;
        memcpy(part->logits + part->rows * all->classes, all->logits + i * all->classes, all->classes * sizeof(double));
        part->labels[part->rows++] = all->labels[i];
    }
    return WEIR_OK;
}

/* ---- vector scaling: a convex loss in 2 * classes numbers, by gradient steps of Barzilai and Borwein's length ---- */

enum { VECTOR_STEPS = 200 };

struct vector_fit {
    const struct part *part;
    double beta;                      /* 1 / T: where scales begin, and what they are drawn to */
    double *at, *next;                /* [2 * classes]: scale / beta, then shift */
    double *gradient, *next_gradient; /* of the mean log-loss with its prior */
    double *p;                        /* [classes] */
};

/* The prior weighs as much as one row: it keeps the parameters of classes that hardly occur in place. */
static double vector_loss(const struct vector_fit *fit, const double *at, double *gradient)
{
    const struct part *part = fit->part;
    size_t classes = part->classes;
    const double *scale = at, *shift = at + classes;
    double loss = 0, rows = (double)part->rows;
    memset(gradient, 0, 2 * classes * sizeof *gradient);
    for (size_t i = 0; i < part->rows; i++) {
        const double *z = part->logits + i * classes;
        double top = -INFINITY, sum = 0;
        for (size_t k = 0; k < classes; k++) {
            fit->p[k] = fit->beta * scale[k] * z[k] + shift[k];
            top = fit->p[k] > top ? fit->p[k] : top;
        }
        loss += top - fit->p[part->labels[i]];
        for (size_t k = 0; k < classes; k++) sum += fit->p[k] = exp(fit->p[k] - top);
        loss += log(sum);
        for (size_t k = 0; k < classes; k++) {
            double slope = fit->p[k] / sum - ((size_t)part->labels[i] == k ? 1 : 0);
            gradient[k] += slope * fit->beta * z[k];
            gradient[classes + k] += slope;
        }
    }
    for (size_t k = 0; k < classes; k++) {
        loss += 0.5 * ((scale[k] - 1) * (scale[k] - 1) + shift[k] * shift[k]);
        gradient[k] += scale[k] - 1;
        gradient[classes + k] += shift[k];
    }
    for (size_t k = 0; k < 2 * classes; k++) gradient[k] /= rows;
    return loss / rows;
}

/* One step of length `length`, halved until the loss falls. False: it does not fall any more. */
static bool vector_step(struct vector_fit *fit, double *loss, double length)
{
    size_t n = 2 * fit->part->classes;
    double slope = 0;
    for (size_t k = 0; k < n; k++) slope += fit->gradient[k] * fit->gradient[k];
    for (int halved = 0; halved < 40 && slope > 1e-14; halved++, length /= 2) {
        for (size_t k = 0; k < n; k++) fit->next[k] = fit->at[k] - length * fit->gradient[k];
        double found = vector_loss(fit, fit->next, fit->next_gradient);
        if (!(found <= *loss - 1e-4 * length * slope)) continue;
        *loss = found;
        return true;
    }
    return false;
}

/* s's / s'y of the last step, for the next one. */
static double next_length(const struct vector_fit *fit)
{
    double ss = 0, sy = 0;
    for (size_t k = 0; k < 2 * fit->part->classes; k++) {
        double s = fit->next[k] - fit->at[k];
        ss += s * s;
        sy += s * (fit->next_gradient[k] - fit->gradient[k]);
    }
    return sy > 0 ? ss / sy : 1;
}

static void swap(double **a, double **b)
{
    double *c = *a;
    *a = *b;
    *b = c;
}

static void vector_descend(struct vector_fit *fit)
{
    double length = 1, loss = vector_loss(fit, fit->at, fit->gradient);
    for (int step = 0; step < VECTOR_STEPS && vector_step(fit, &loss, length); step++) {
        length = next_length(fit);
        swap(&fit->at, &fit->next);
        swap(&fit->gradient, &fit->next_gradient);
    }
}

static enum weir_status fit_vector(const struct part *part, struct calibration *out)
{
    size_t classes = part->classes;
    double *memory = mem_zero(9 * classes, sizeof *memory);
    out->scale = mem_zero(classes, sizeof *out->scale);
    out->shift = mem_zero(classes, sizeof *out->shift);
    if (!memory || !out->scale || !out->shift) {
        free(memory);
        return WEIR_ERR_NOMEM;
    }
    struct vector_fit fit = {.part = part,
                             .beta = 1 / out->temperature,
                             .at = memory,
                             .next = memory + 2 * classes,
                             .gradient = memory + 4 * classes,
                             .next_gradient = memory + 6 * classes,
                             .p = memory + 8 * classes};
    for (size_t k = 0; k < classes; k++) fit.at[k] = 1;
    vector_descend(&fit);
    for (size_t k = 0; k < classes; k++) {
        out->scale[k] = (float)(fit.beta * fit.at[k]);
        out->shift[k] = (float)fit.at[classes + k];
    }
    free(memory);
    return WEIR_OK;
}

/* ---- isotonic: groups of rows of like probability, violators pooled ---- */

struct point {
    double x; /* probability before */
    bool is_label;
};

/* Rows pooled: sums over them. */
struct block {
    double x, y, rows;
};

static int by_x(const void *a, const void *b)
{
    const struct point *p = a, *q = b;
    if (p->x < q->x) return -1;
    if (p->x > q->x) return 1;
    return (int)p->is_label - (int)q->is_label;
}

/* The share of the label in a block, drawn towards the mean probability with the weight of one row: never 0 or 1. */
static double level(const struct block *block)
{
    return (block->y + block->x / block->rows) / (block->rows + 1);
}

/* Pool adjacent violators over equal groups of the sorted points; the number of blocks. */
static size_t pool_violators(const struct point *points, size_t rows, struct block blocks[CALIBRATION_KNOTS])
{
    size_t count = 0, begin = 0, groups = rows < CALIBRATION_KNOTS ? rows : CALIBRATION_KNOTS;
    for (size_t group = 0; group < groups; group++) {
        size_t end = (group + 1) * rows / groups;
        struct block block = {0, 0, 0};
        for (; begin < end; begin++) {
            block.x += points[begin].x;
            block.y += points[begin].is_label;
            block.rows++;
        }
        blocks[count++] = block;
        while (count > 1 && level(&blocks[count - 2]) >= level(&blocks[count - 1])) {
            blocks[count - 2].x += blocks[count - 1].x;
            blocks[count - 2].y += blocks[count - 1].y;
            blocks[count - 2].rows += blocks[count - 1].rows;
            count--;
        }
    }
    return count;
}

static void write_knots(const struct block *blocks, size_t count, struct calibration_knot *knots)
{
    const float least = 1e-6F; /* so that a row's probabilities never add up to nothing */
    for (size_t i = 0; i < CALIBRATION_KNOTS; i++) {
        const struct block *block = &blocks[i < count ? i : count - 1];
        knots[i].x = (float)(block->x / block->rows);
        knots[i].y = (float)level(block) > least ? (float)level(block) : least;
        if (i && knots[i].x < knots[i - 1].x) knots[i].x = knots[i - 1].x;
        if (i && knots[i].y < knots[i - 1].y) knots[i].y = knots[i - 1].y;
    }
}

static enum weir_status fit_isotonic(const struct part *part, struct calibration *out)
{
    size_t classes = part->classes;
    const struct calibration before = {.kind = WEIR_CALIBRATION_TEMPERATURE, .temperature = out->temperature};
    double *p = mem_zero(part->rows, classes * sizeof *p);
    struct point *points = mem_zero(part->rows, sizeof *points);
    struct block blocks[CALIBRATION_KNOTS];
    out->knots = mem_zero(classes * CALIBRATION_KNOTS, sizeof *out->knots);
    enum weir_status status = p && points && out->knots ? WEIR_OK : WEIR_ERR_NOMEM;
    for (size_t i = 0; i < part->rows && !status; i++)
        (void)calibration_apply(&before, part->logits + i * classes, classes, p + i * classes); /* logits are finite */
    for (size_t k = 0; k < classes && !status; k++) {
        for (size_t i = 0; i < part->rows; i++)
            points[i] = (struct point){p[i * classes + k], (size_t)part->labels[i] == k};
        qsort(points, part->rows, sizeof *points, by_x);
        write_knots(blocks, pool_violators(points, part->rows, blocks), out->knots + k * CALIBRATION_KNOTS);
    }
    free(p);
    free(points);
    return status;
}

/* ---- choosing ---- */

enum weir_status calibrate_fit(const struct calibrate_rows *rows, enum weir_calibration kind, unsigned held,
                               struct calibration *out, struct weir_error *error)
{
    struct part part;
    *out = (struct calibration){.kind = kind, .temperature = 1};
    enum weir_status status = part_open(rows, held, &part);
    if (!status) out->temperature = calibrate_temperature(part.logits, part.labels, part.rows, part.classes);
    if (!status && part.rows && kind == WEIR_CALIBRATION_VECTOR) status = fit_vector(&part, out);
    if (!status && part.rows && kind == WEIR_CALIBRATION_ISOTONIC) status = fit_isotonic(&part, out);
    part_close(&part);
    if (status) calibration_free(out);
    return status ? error_nomem(error, "calibration") : WEIR_OK;
}

/* Probabilities of the rows of one fold (folds: of all) into p [rows, classes]. */
static void apply_to_fold(const struct calibrate_rows *rows, const struct calibration *calibration, unsigned fold,
                          double *p)
{
    for (size_t i = 0; i < rows->rows; i++)
        if (fold == rows->folds || rows->fold[i] == fold)
            (void)calibration_apply(calibration, rows->logits + i * rows->classes, rows->classes,
                                    p + i * rows->classes);
}

/* Every row by parameters fitted without its fold. */
static enum weir_status cross_fit(const struct calibrate_rows *rows, enum weir_calibration kind, double *p,
                                  struct weir_error *error)
{
    for (unsigned fold = 0; fold < rows->folds; fold++) {
        struct calibration calibration;
        enum weir_status status = calibrate_fit(rows, kind, fold, &calibration, error);
        if (status) return status;
        apply_to_fold(rows, &calibration, fold, p);
        calibration_free(&calibration);
    }
    return WEIR_OK;
}

static double log_loss(const struct calibrate_rows *rows, const double *p)
{
    double sum = 0;
    for (size_t i = 0; i < rows->rows; i++) {
        double gold = p[i * rows->classes + (size_t)rows->labels[i]];
        sum -= log(gold > 1e-15 ? gold : 1e-15);
    }
    return sum;
}

static enum weir_status choose_kind(const struct calibrate_rows *rows, double *p, enum weir_calibration *best,
                                    struct weir_error *error)
{
    double least = INFINITY;
    *best = WEIR_CALIBRATION_TEMPERATURE;
    if (rows->rows < (rows->rows_min ? rows->rows_min : CALIBRATE_ROWS_MIN)) return WEIR_OK;
    for (int kind = 0; kind < WEIR_CALIBRATIONS; kind++) {
        enum weir_status status = cross_fit(rows, (enum weir_calibration)kind, p, error);
        if (status) return status;
        double loss = log_loss(rows, p);
        if (loss < least) *best = (enum weir_calibration)kind;
        if (loss < least) least = loss;
    }
    return WEIR_OK;
}

static enum weir_status measure(const struct calibrate_rows *rows, const double *p, struct calibrate_measures *measures,
                                int32_t *predicted, double *probability, struct weir_error *error)
{
    struct weir_eval_summary summary;
    for (size_t i = 0; i < rows->rows; i++) {
        size_t top = 0;
        const double *row = p + i * rows->classes;
        for (size_t k = 1; k < rows->classes; k++) top = row[k] > row[top] ? k : top;
        predicted[i] = (int32_t)top;
        probability[i] = row[top];
    }
    struct weir_eval_rows answers = {.count = rows->rows,
                                     .n_classes = rows->classes,
                                     .gold = rows->labels,
                                     .predicted = predicted,
                                     .probability = probability,
                                     .probabilities = p};
    enum weir_status status = weir_eval_measure(&answers, &summary, NULL, error);
    if (!status)
        *measures =
            (struct calibrate_measures){.accuracy = summary.accuracy, .log_loss = summary.nll, .ece = summary.ece};
    return status;
}

enum weir_status calibrate_choose(const struct calibrate_rows *rows, struct calibration *out,
                                  struct calibrate_measures *measures, int32_t *predicted, double *probability,
                                  struct weir_error *error)
{
    enum weir_calibration kind;
    double *p = mem_zero(rows->rows, rows->classes * sizeof *p);
    if (!p) return error_nomem(error, "calibration");
    enum weir_status status = choose_kind(rows, p, &kind, error);
    if (!status) status = calibrate_fit(rows, kind, rows->folds, out, error);
    if (!status) {
        if (kind == WEIR_CALIBRATION_TEMPERATURE)
            apply_to_fold(rows, out, rows->folds, p);
        else
            status = cross_fit(rows, kind, p, error);
        if (!status) status = measure(rows, p, measures, predicted, probability, error);
        if (status) calibration_free(out);
    }
    free(p);
    return status;
}
