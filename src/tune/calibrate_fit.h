/* Which calibration a head gets, and its parameters. logits: [rows, classes], out of fold. */
#ifndef WEIR_TUNE_CALIBRATE_FIT_H
#define WEIR_TUNE_CALIBRATE_FIT_H

#include <stdint.h>

#include "decide/calibration.h"
#include "tune/calibrate.h"

/* Below this many rows only the temperature is considered: the others have a parameter or more for each class. */
enum { CALIBRATE_ROWS_MIN = 1000 };

struct calibrate_rows {
    const double *logits;
    const int32_t *labels; /* [rows] */
    const uint8_t *fold;   /* [rows], below folds */
    size_t rows, classes;
    unsigned folds;
    size_t rows_min; /* below it only the temperature is considered; 0: CALIBRATE_ROWS_MIN */
};

/* Fits one kind on the rows whose fold is not `held` (held == folds: on all). On success the caller frees *out. */
enum weir_status calibrate_fit(const struct calibrate_rows *rows, enum weir_calibration kind, unsigned held,
                               struct calibration *out, struct weir_error *error) WEIR_MUST_USE;

/* Chooses the kind of lowest cross-validated log-loss (the temperature unless another is better) and fits it on all rows. measures,
 * predicted, probability ([rows] each): of the chosen kind, every row by parameters fitted without its fold; for the temperature
 * by the one fitted on all rows, a single number. */
enum weir_status calibrate_choose(const struct calibrate_rows *rows, struct calibration *out,
                                  struct calibrate_measures *measures, int32_t *predicted, double *probability,
                                  struct weir_error *error) WEIR_MUST_USE;

#endif
