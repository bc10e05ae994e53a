/* Temperature scaling, and the measures it is judged by. logits: [rows, classes], row by row. */
#ifndef WEIR_TUNE_CALIBRATE_H
#define WEIR_TUNE_CALIBRATE_H

#include <stddef.h>
#include <stdint.h>

#include "weir/status.h"

/* The T in [1/10, 10] that minimises the log-loss of softmax(logits / T) (Guo et al. 2017). That loss is convex in 1/T: its
 * derivative is bracketed and halved. 1 for no rows. The bounds keep a few rows that
 * all came out right from making every answer certain. */
double calibrate_temperature(const double *logits, const int32_t *labels, size_t rows, size_t classes);

/* Accuracy, log-loss (nats per row) and ECE of softmax(logits / temperature), as weir/eval.h defines them. */
struct calibrate_measures {
    double accuracy, log_loss, ece;
};

enum weir_status calibrate_measure(const double *logits, const int32_t *labels, size_t rows, size_t classes,
                                   double temperature, struct calibrate_measures *out,
                                   struct weir_error *error) WEIR_MUST_USE;

#endif
