/* Temperature scaling and measures. */
#include "tune/calibrate.h"

#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "weir/eval.h"

static size_t largest_index(const double *z, size_t classes)
{
    size_t best = 0;
    for (size_t k = 1; k < classes; k++)
        if (z[k] > z[best]) best = k;
    return best;
}

/* d/d(beta) of the summed log-loss at beta = 1/T: sum over rows of E_p[z] - z_label. */
static double slope_at(const double *logits, const int32_t *labels, size_t rows, size_t classes, double beta)
{
    double slope = 0;
    for (size_t row = 0; row < rows; row++) {
        const double *z = logits + row * classes;
        double top = z[largest_index(z, classes)], sum = 0, mean = 0;
        for (size_t k = 0; k < classes; k++) {
            double e = exp(beta * (z[k] - top));
            sum += e;
            mean += e * (z[k] - top);
        }
        slope += mean / sum - (z[labels[row]] - top);
    }
    return slope;
}

double calibrate_temperature(const double *logits, const int32_t *labels, size_t rows, size_t classes)
{
    double low = log(0.1), high = log(10); /* of log beta */
    if (!rows) return 1;
    for (int step = 0; step < 40; step++) { /* ends within 2^-40 * 5 */
        double middle = (low + high) / 2;
        if (slope_at(logits, labels, rows, classes, exp(middle)) < 0)
            low = middle;
        else
            high = middle;
    }
    return exp(-(low + high) / 2);
}

/* p = softmax(z / temperature); returns the index of the largest. */
static size_t softmax(const double *z, size_t classes, double temperature, double *p)
{
    size_t top = largest_index(z, classes);
    double sum = 0;
    for (size_t k = 0; k < classes; k++) sum += p[k] = exp((z[k] - z[top]) / temperature);
    for (size_t k = 0; k < classes; k++) p[k] /= sum;
    return top;
}

enum weir_status calibrate_measure(const double *logits, const int32_t *labels, size_t rows, size_t classes,
                                   double temperature, struct calibrate_measures *out, struct weir_error *error)
{
    double *all = mem_zero(rows, classes * sizeof *all), *best = mem_zero(rows, sizeof *best);
    int32_t *predicted = mem_zero(rows, sizeof *predicted);
    enum weir_status status = all && best && predicted ? WEIR_OK : error_nomem(error, "measures");
    for (size_t row = 0; row < rows && !status; row++) {
        double *p = all + row * classes;
        size_t top = softmax(logits + row * classes, classes, temperature, p);
        predicted[row] = (int32_t)top;
        best[row] = p[top];
    }
    struct weir_eval_summary summary;
    struct weir_eval_rows answers = {.count = rows,
                                     .n_classes = classes,
                                     .gold = labels,
                                     .predicted = predicted,
                                     .probability = best,
                                     .probabilities = all};
    if (!status) status = weir_eval_measure(&answers, &summary, NULL, error);
    if (!status)
        *out = (struct calibrate_measures){.accuracy = summary.accuracy, .log_loss = summary.nll, .ece = summary.ece};
    free(all);
    free(best);
    free(predicted);
    return status;
}
