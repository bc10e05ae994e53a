#include "tune/calibrate_multi.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "weir/eval.h"

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* ---- temperature ---- */

double calibrate_multi_temperature(const double *logits, const uint8_t *targets, size_t rows, size_t classes)
{
    double low = log(0.1), high = log(10); /* of log beta, beta = 1 / T */
    if (!rows) return 1;
    for (int step = 0; step < 40; step++) {
        double middle = (low + high) / 2, slope = 0; /* d/d(beta) of the log-loss: sum of (p - t) z */
        for (size_t i = 0; i < rows * classes; i++)
            slope += (sigmoid(exp(middle) * logits[i]) - targets[i]) * logits[i];
        if (slope < 0)
            low = middle;
        else
            high = middle;
    }
    return exp(-(low + high) / 2);
}

/* ---- a scale and a shift for each label, by Newton's method ---- */

enum { NEWTON_STEPS = 30 };

/* The rows to fit on: those whose fold is not `held`. */
struct platt {
    const struct calibrate_rows *rows;
    const uint8_t *targets;
    unsigned held;
    size_t label;
    double beta; /* where the scale begins, and what it is drawn to with the weight of one row, as the shift is to 0 */
};

/* Loss, gradient [2] and Hessian [3: ss, sh, hh] at (scale, shift). */
static double platt_loss(const struct platt *p, double scale, double shift, double gradient[2], double hessian[3])
{
    double pull = (scale - p->beta) / p->beta, loss = (pull * pull + shift * shift) / 2;
    gradient[0] = pull / p->beta;
    gradient[1] = shift;
    hessian[0] = 1 / (p->beta * p->beta);
    hessian[1] = 0;
    hessian[2] = 1;
    for (size_t i = 0; i < p->rows->rows; i++) {
        if (p->rows->fold[i] == p->held) continue;
        double z = p->rows->logits[i * p->rows->classes + p->label], x = scale * z + shift, q = sigmoid(x);
        uint8_t target = p->targets[i * p->rows->classes + p->label];
        loss += log1p(exp(-fabs(x))) + (x > 0 ? x : 0) - (target ? x : 0);
        gradient[0] += (q - target) * z;
        gradient[1] += q - target;
        hessian[0] += q * (1 - q) * z * z;
        hessian[1] += q * (1 - q) * z;
        hessian[2] += q * (1 - q);
    }
    return loss;
}

/* The loss is strictly convex: a step is halved until it lowers the loss, and the last is the one that does not. */
static void platt_fit(const struct platt *p, float *scale_out, float *shift_out)
{
    double scale = p->beta, shift = 0, gradient[2], hessian[3], next_gradient[2], next_hessian[3];
    double loss = platt_loss(p, scale, shift, gradient, hessian);
    for (int step = 0; step < NEWTON_STEPS; step++) {
        double determinant = hessian[0] * hessian[2] - hessian[1] * hessian[1], length = 1, found = loss;
        double d_scale = (hessian[1] * gradient[1] - hessian[2] * gradient[0]) / determinant;
        double d_shift = (hessian[1] * gradient[0] - hessian[0] * gradient[1]) / determinant;
        for (int halved = 0; halved < 30; halved++, length /= 2) {
            found = platt_loss(p, scale + length * d_scale, shift + length * d_shift, next_gradient, next_hessian);
            if (found < loss) break;
        }
        if (!(found < loss - 1e-10 * fabs(loss))) break;
        scale += length * d_scale;
        shift += length * d_shift;
        loss = found;
        memcpy(gradient, next_gradient, sizeof gradient);
        memcpy(hessian, next_hessian, sizeof hessian);
    }
    *scale_out = (float)scale;
    *shift_out = (float)shift;
}

/* ---- fitting, choosing ---- */

/* The temperature of the rows not held out. */
static enum weir_status held_temperature(const struct calibrate_rows *rows, const uint8_t *targets, unsigned held,
                                         double *out)
{
    size_t classes = rows->classes, kept = 0;
    double *logits = mem_zero(rows->rows, classes * sizeof *logits);
    uint8_t *wanted = mem_zero(rows->rows, classes);
    enum weir_status status = logits && wanted ? WEIR_OK : WEIR_ERR_NOMEM;
    for (size_t i = 0; i < rows->rows && !status; i++) {
        if (rows->fold[i] == held) continue;
        memcpy(logits + kept * classes, rows->logits + i * classes, classes * sizeof *logits);
        memcpy(wanted + kept++ * classes, targets + i * classes, classes);
    }
    if (!status) *out = calibrate_multi_temperature(logits, wanted, kept, classes);
    free(logits);
    free(wanted);
    return status;
}

/* held == rows->folds: on all rows. On success the caller frees *out. */
static enum weir_status fit(const struct calibrate_rows *rows, const uint8_t *targets, enum weir_calibration kind,
                            unsigned held, struct calibration *out)
{
    struct calibration made = {.kind = kind, .temperature = 1};
    enum weir_status status = held_temperature(rows, targets, held, &made.temperature);
    if (!status && kind == WEIR_CALIBRATION_VECTOR) {
        made.scale = mem_zero(rows->classes, sizeof *made.scale);
        made.shift = mem_zero(rows->classes, sizeof *made.shift);
        if (!made.scale || !made.shift) status = WEIR_ERR_NOMEM;
        for (size_t k = 0; k < rows->classes && !status; k++) {
            const struct platt platt = {rows, targets, held, k, 1 / made.temperature};
            platt_fit(&platt, &made.scale[k], &made.shift[k]);
        }
    }
    if (status)
        calibration_free(&made);
    else
        *out = made;
    return status;
}

/* p: [rows, classes], every row by parameters fitted without its fold. */
static enum weir_status cross_fit(const struct calibrate_rows *rows, const uint8_t *targets, enum weir_calibration kind,
                                  double *p)
{
    for (unsigned fold = 0; fold < rows->folds; fold++) {
        struct calibration calibration;
        enum weir_status status = fit(rows, targets, kind, fold, &calibration);
        if (status) return status;
        for (size_t i = 0; i < rows->rows; i++)
            if (rows->fold[i] == fold) /* logits are finite */
                (void)calibration_apply_multi(&calibration, rows->logits + i * rows->classes, rows->classes,
                                              p + i * rows->classes);
        calibration_free(&calibration);
    }
    return WEIR_OK;
}

static enum weir_status measure(const uint8_t *targets, size_t rows, size_t classes, const double *p,
                                struct calibrate_measures *out, struct weir_error *error)
{
    const struct weir_eval_multi_rows answers = {
        .count = rows, .n_labels = classes, .gold = targets, .probabilities = p};
    struct weir_eval_multi_summary summary;
    enum weir_status status = weir_eval_multi(&answers, &summary, NULL, error);
    if (!status)
        *out = (struct calibrate_measures){.accuracy = summary.exact, .log_loss = summary.nll, .ece = summary.ece};
    return status;
}

enum weir_status calibrate_multi_measure(const double *logits, const uint8_t *targets, size_t rows, size_t classes,
                                         const struct calibration *calibration, struct calibrate_measures *out,
                                         struct weir_error *error)
{
    double *p = mem_zero(rows, classes * sizeof *p);
    if (!p) return error_nomem(error, "measures");
    for (size_t i = 0; i < rows; i++)
        (void)calibration_apply_multi(calibration, logits + i * classes, classes, p + i * classes);
    enum weir_status status = measure(targets, rows, classes, p, out, error);
    free(p);
    return status;
}

/* Leaves in `p` the cross-fitted probabilities of the kind that is better, and in *best which that is. */
static enum weir_status choose_kind(const struct calibrate_rows *rows, const uint8_t *targets, double *p,
                                    enum weir_calibration *best, struct weir_error *error)
{
    struct calibrate_measures plain, richer;
    *best = WEIR_CALIBRATION_TEMPERATURE;
    if (rows->rows < CALIBRATE_ROWS_MIN) return WEIR_OK;
    enum weir_status status = cross_fit(rows, targets, WEIR_CALIBRATION_TEMPERATURE, p);
    if (status) return error_nomem(error, "calibration");
    status = measure(targets, rows->rows, rows->classes, p, &plain, error);
    if (status) return status;
    if (cross_fit(rows, targets, WEIR_CALIBRATION_VECTOR, p)) return error_nomem(error, "calibration");
    status = measure(targets, rows->rows, rows->classes, p, &richer, error);
    if (!status && richer.log_loss < plain.log_loss) *best = WEIR_CALIBRATION_VECTOR;
    return status;
}

enum weir_status calibrate_multi_choose(const struct calibrate_rows *rows, const uint8_t *targets,
                                        struct calibration *out, struct calibrate_measures *measures,
                                        struct weir_error *error)
{
    enum weir_calibration kind;
    double *p = mem_zero(rows->rows, rows->classes * sizeof *p);
    if (!p) return error_nomem(error, "calibration");
    enum weir_status status = choose_kind(rows, targets, p, &kind, error);
    if (!status && fit(rows, targets, kind, rows->folds, out)) status = error_nomem(error, "calibration");
    if (!status) {
        status = kind == WEIR_CALIBRATION_TEMPERATURE
                     ? calibrate_multi_measure(rows->logits, targets, rows->rows, rows->classes, out, measures, error)
                     : measure(targets, rows->rows, rows->classes, p, measures, error);
        if (status) calibration_free(out);
    }
    free(p);
    return status;
}
