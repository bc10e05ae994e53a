#include "decide/calibration.h"

#include <math.h>
#include <stdlib.h>

const char *weir_calibration_name(enum weir_calibration kind)
{
    static const char *const names[WEIR_CALIBRATIONS] = {"temperature", "vector", "isotonic"};
    return (size_t)kind < WEIR_CALIBRATIONS ? names[kind] : "unknown";
}

void calibration_free(struct calibration *calibration)
{
    free(calibration->scale);
    free(calibration->shift);
    free(calibration->knots);
    *calibration = (struct calibration){.temperature = 1};
}

/* p holds logits before and probabilities after. */
static void softmax(double *p, size_t classes)
{
    double top = p[0], sum = 0;
    for (size_t k = 1; k < classes; k++) top = p[k] > top ? p[k] : top;
    for (size_t k = 0; k < classes; k++) sum += p[k] = exp(p[k] - top);
    for (size_t k = 0; k < classes; k++) p[k] /= sum;
}

/* Linear between knots, constant outside. */
static double interpolate(const struct calibration_knot *knots, double x)
{
    size_t right = 0;
    while (right < CALIBRATION_KNOTS && (double)knots[right].x < x) right++;
    if (right == 0) return (double)knots[0].y;
    if (right == CALIBRATION_KNOTS) return (double)knots[right - 1].y;
    const struct calibration_knot *a = &knots[right - 1], *b = &knots[right];
    double part = (x - (double)a->x) / ((double)b->x - (double)a->x);
    return (double)a->y + part * ((double)b->y - (double)a->y);
}

bool calibration_apply_multi(const struct calibration *c, const double *z, size_t classes, double *p)
{
    for (size_t k = 0; k < classes; k++) {
        if (!isfinite(z[k])) return false;
        double x = c->kind == WEIR_CALIBRATION_VECTOR ? (double)c->scale[k] * z[k] + (double)c->shift[k]
                                                      : z[k] / c->temperature;
        p[k] = 1 / (1 + exp(-x));
    }
    return true;
}

bool calibration_apply(const struct calibration *c, const double *z, size_t classes, double *p)
{
    for (size_t k = 0; k < classes; k++) {
        if (!isfinite(z[k])) return false;
        p[k] = c->kind == WEIR_CALIBRATION_VECTOR ? (double)c->scale[k] * z[k] + (double)c->shift[k]
                                                  : z[k] / c->temperature;
    }
    softmax(p, classes);
    if (c->kind != WEIR_CALIBRATION_ISOTONIC) return true;
    double sum = 0;
    for (size_t k = 0; k < classes; k++) sum += p[k] = interpolate(c->knots + k * CALIBRATION_KNOTS, p[k]);
    for (size_t k = 0; k < classes; k++) p[k] /= sum;
    return true;
}
