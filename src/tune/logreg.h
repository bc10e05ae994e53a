/* Multinomial logistic regression over a sparse and a dense group of features, fitted by L-BFGS.
 *
 *     logits[i][k] = bias[k] + sum_g w_g * (X_g V_g)[i][k]
 *     loss = sum_i -log softmax(logits[i])[y_i] + l2/2 * sum_g |V_g|^2 + 1e-3/2 * |bias|^2
 *
 * or, where labels are independent of each other, a logistic regression for each of them in one fit:
 *
 *     loss = sum_i sum_k log(1 + exp(logits[i][k])) - t[i][k] logits[i][k] + the same penalties
 *
 * The penalty on the bias is too small to shift it; it keeps the bias of a class without rows finite.
 *
 * Every iterate of L-BFGS started at zero is a combination of the rows: V_g = w_g X_g^T A with A: [rows, classes]. So vectors are
 * kept as (A, logits of A, bias), and an inner product in the space of V is sum(A1 * logits(A2)) + bias1 . bias2. Memory is
 * rows x classes instead of features x classes, an iteration costs one product with X X^T, and steps along a
 * direction cost only softmax, so the line search (strong Wolfe) is nearly free.
 * Deterministic, and the same for any number of threads. */
#ifndef WEIR_TUNE_LOGREG_H
#define WEIR_TUNE_LOGREG_H

#include <stdint.h>

#include "base/threads.h"
#include "tune/matrix.h"
#include "weir/status.h"

/* The training rows. Either group may have 0 columns. The transposes are of the same matrices. */
struct logreg_data {
    size_t rows;
    size_t classes;
    const int32_t *labels;                  /* [rows], each below classes; not read with targets */
    const uint8_t *targets;                 /* [rows, classes] 0 or 1: independent labels; NULL: one label a row */
    const struct sparse *sparse, *sparse_t; /* NULL: no such group */
    const struct dense *dense, *dense_t;
};

struct logreg_options {
    double l2;            /* above 0 */
    double sparse_weight; /* w of the sparse group */
    double dense_weight;
    double tolerance; /* stop when an iteration lowers the loss by less than tolerance * loss, twice in a row */
    unsigned iterations_max;
};

struct logreg_options logreg_options_default(void);

/* A model, and the state a further fit over the same rows starts from. Zero it first. */
struct logreg {
    struct panels rows;   /* A: [rows, classes] */
    struct panels sparse; /* w V of the sparse group, [sparse.cols, classes]: logits are X times this, no more weight */
    struct panels dense;  /* w V of the dense group, [dense.cols, classes] */
    float *bias;          /* [classes rounded up to 8] */
    double loss;
    unsigned iterations;
};

void logreg_close(struct logreg *model);

/* Fits. A model fitted before over data with the same rows and classes is the starting point (warm start). */
enum weir_status logreg_fit(struct thread_pool *pool, const struct logreg_data *data,
                            const struct logreg_options *options, struct logreg *model,
                            struct weir_error *error) WEIR_MUST_USE;

/* logits: [rows of the matrices, classes] doubles, row by row; sparse and dense as for fitting (NULL: none). */
enum weir_status logreg_logits(struct thread_pool *pool, const struct logreg *model, const struct sparse *sparse,
                               const struct dense *dense, size_t rows, double *logits) WEIR_MUST_USE;

/* Loss and its gradient at (A, bias): for tests. gradient_rows: [rows, classes] coefficients G with gradient of V_g = w_g X_g^T G. */
enum weir_status logreg_gradient(struct thread_pool *pool, const struct logreg_data *data,
                                 const struct logreg_options *options, const struct logreg *at, double *loss,
                                 struct panels *gradient_rows, double *gradient_bias) WEIR_MUST_USE;

#endif
