/* Calibration of independent labels: a sigmoid each. logits: [rows, classes] out of fold; targets: [rows, classes], 0 or 1. */
#ifndef WEIR_TUNE_CALIBRATE_MULTI_H
#define WEIR_TUNE_CALIBRATE_MULTI_H

#include "tune/calibrate_fit.h"

/* One temperature for all labels, in [1/10, 10], of the lowest log-loss. 1 for no rows. */
double calibrate_multi_temperature(const double *logits, const uint8_t *targets, size_t rows, size_t classes);

/* accuracy: rows whose set of labels at probability 1/2 is exactly right; log_loss: nats per row, summed over its labels; ece: the mean over
 * labels of |share that has it - probability| in 15 bins (weir/eval.h). */
enum weir_status calibrate_multi_measure(const double *logits, const uint8_t *targets, size_t rows, size_t classes,
                                         const struct calibration *calibration, struct calibrate_measures *out,
                                         struct weir_error *error) WEIR_MUST_USE;

/* The temperature or, from CALIBRATE_ROWS_MIN rows on, a scale and a shift for each label (Platt 1999), whichever has the lower cross-validated
 * log-loss; fitted on all rows. rows->labels are not read. The measures of the richer one are by parameters fitted without a row's fold. */
enum weir_status calibrate_multi_choose(const struct calibrate_rows *rows, const uint8_t *targets,
                                        struct calibration *out, struct calibrate_measures *measures,
                                        struct weir_error *error) WEIR_MUST_USE;

#endif
