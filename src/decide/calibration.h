/* From a head's logits to calibrated probabilities. Fitted by tuning (tune/calibrate_fit.h), applied to every row.
 *
 *   temperature   p = softmax(z / T)                                                  (Guo et al. 2017, arXiv 1706.04599)
 *   vector        p = softmax(scale * z + shift), element by element                  (the same, section 4.2)
 *   isotonic      q = softmax(z / T); p_k = f_k(q_k) / sum_j f_j(q_j), each f_k rising and piecewise linear
 *                                                                                     (Zadrozny and Elkan 2002) */
#ifndef WEIR_DECIDE_CALIBRATION_H
#define WEIR_DECIDE_CALIBRATION_H

#include <stdbool.h>
#include <stddef.h>

#include "weir/profile.h"

enum { CALIBRATION_KNOTS = 64 };

/* A knot of f_k: rising x in 0..1, rising y in (0, 1]. */
struct calibration_knot {
    float x, y;
};

struct calibration {
    enum weir_calibration kind;
    double temperature;             /* temperature, isotonic */
    float *scale, *shift;           /* vector: [classes], owned */
    struct calibration_knot *knots; /* isotonic: [classes, CALIBRATION_KNOTS], owned; the last knot repeats */
};

/* The same for independent labels: p_k = 1 / (1 + exp(-z_k / T)), or of scale_k z_k + shift_k (Platt 1999). Not isotonic. */
bool calibration_apply_multi(const struct calibration *calibration, const double *z, size_t classes, double *p);

/* z, p: [classes]; p may not be z. False when a logit is not finite. */
bool calibration_apply(const struct calibration *calibration, const double *z, size_t classes, double *p);
void calibration_free(struct calibration *calibration);

#endif
