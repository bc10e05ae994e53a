/* L-BFGS for multinomial logistic regression in the space of the rows; the idea is in logreg.h.
 * Two-loop recursion and curvature pairs: Nocedal and Wright, Numerical Optimization, 2nd ed., algorithms 7.4 and 3.5. */
#include "tune/logreg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum {
    HISTORY = 8, /* curvature pairs kept */
    SEARCH_STEPS_MAX = 20,
    CLASSES_MAX = 256, /* bias of a point; a multiple of PANEL_WIDTH */
    GRAIN_ROWS = 64,
    CHUNK = 8192 /* floats of a vector that one thread takes at once */
};

static const double bias_l2 = 1e-3;

/* A vector of the parameter space: V_g = w_g X_g^T a, and the bias. logits = sum_g w_g X_g V_g is kept beside it. */
struct point {
    struct panels a;      /* [rows, classes] */
    struct panels logits; /* [rows, classes], without the bias */
    double bias[CLASSES_MAX];
};

struct fit {
    struct thread_pool *pool;
    const struct logreg_data *data;
    const struct logreg_options *options;
    size_t size; /* floats in a panel matrix over the rows */
    struct point at, gradient, direction;
    struct point s[HISTORY], y[HISTORY];
    double rho[HISTORY];
    unsigned pairs;               /* pairs ever stored; pair p lies in slot p % HISTORY */
    struct panels residual;       /* p - one-hot(y) at the last point that was evaluated */
    struct panels sparse, dense;  /* scratch of the operator: [features, classes] */
    double *row_loss, *row_slope; /* [rows] */
    double *chunk_sums;           /* [chunks of a vector] */
    double loss;                  /* at `at` */
};

struct logreg_options logreg_options_default(void)
{
    return (struct logreg_options){
        .l2 = 0.05, .sparse_weight = 1, .dense_weight = 1, .tolerance = 1e-6, .iterations_max = 300};
}

void logreg_close(struct logreg *model)
{
    panels_close(&model->rows);
    panels_close(&model->sparse);
    panels_close(&model->dense);
    free(model->bias);
    *model = (struct logreg){0};
}

static enum weir_status point_open(struct point *p, size_t rows, size_t classes)
{
    enum weir_status status = panels_open(&p->a, rows, classes);
    return status ? status : panels_open(&p->logits, rows, classes);
}

static void point_close(struct point *p)
{
    panels_close(&p->a);
    panels_close(&p->logits);
}

static void fit_close(struct fit *fit)
{
    point_close(&fit->at);
    point_close(&fit->gradient);
    point_close(&fit->direction);
    for (size_t i = 0; i < HISTORY; i++) {
        point_close(&fit->s[i]);
        point_close(&fit->y[i]);
    }
    panels_close(&fit->residual);
    panels_close(&fit->sparse);
    panels_close(&fit->dense);
    free(fit->row_loss);
    free(fit->row_slope);
    free(fit->chunk_sums);
}

static size_t sparse_cols(const struct logreg_data *data)
{
    return data->sparse ? data->sparse->cols : 0;
}

static size_t dense_cols(const struct logreg_data *data)
{
    return data->dense ? data->dense->cols : 0;
}

static size_t chunk_count(const struct fit *fit)
{
    return (fit->size + CHUNK - 1) / CHUNK;
}

/* `with_history` false: only what an evaluation needs. */
static enum weir_status fit_open(struct fit *fit, struct thread_pool *pool, const struct logreg_data *data,
                                 const struct logreg_options *options, bool with_history)
{
    size_t n = data->rows, k = data->classes;
    *fit = (struct fit){.pool = pool, .data = data, .options = options};
    enum weir_status status = point_open(&fit->at, n, k);
    if (!status) status = point_open(&fit->gradient, n, k);
    if (!status) status = point_open(&fit->direction, n, k);
    if (!status) status = panels_open(&fit->residual, n, k);
    if (!status) status = panels_open(&fit->sparse, sparse_cols(data), k);
    if (!status) status = panels_open(&fit->dense, dense_cols(data), k);
    for (size_t i = 0; i < HISTORY && with_history && !status; i++) {
        status = point_open(&fit->s[i], n, k);
        if (!status) status = point_open(&fit->y[i], n, k);
    }
    fit->size = panels_size(&fit->at.a);
    fit->row_loss = mem_zero(n, sizeof(double));
    fit->row_slope = mem_zero(n, sizeof(double));
    fit->chunk_sums = mem_zero(chunk_count(fit), sizeof(double));
    if (!fit->row_loss || !fit->row_slope || !fit->chunk_sums) status = WEIR_ERR_NOMEM;
    if (status) fit_close(fit);
    return status;
}

/* Vector arithmetic. */

static double bias_dot(const struct fit *fit, const struct point *x, const struct point *y)
{
    double sum = 0;
    for (size_t k = 0; k < fit->data->classes; k++) sum += x->bias[k] * y->bias[k];
    return sum;
}

/* One job over vectors of `size` floats, cut into chunks of fixed size: what a chunk gives does not depend on who computes it. */
struct vectors {
    const float *x, *y;       /* dot */
    double *sums;             /* dot: [chunks] */
    struct point *to;         /* add */
    const struct point *from; /* add */
    double factor;
    size_t size;
};

/* Four interleaved sums in a fixed order. The size is a multiple of PANEL_WIDTH. */
static void dot_chunks(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct vectors *v = context;
    (void)worker;
    for (size_t chunk = begin; chunk < end; chunk++) {
        size_t last = (chunk + 1) * CHUNK < v->size ? (chunk + 1) * CHUNK : v->size;
        double sum[4] = {0};
        for (size_t i = chunk * CHUNK; i < last; i += 4)
            for (size_t lane = 0; lane < 4; lane++) sum[lane] += (double)v->x[i + lane] * (double)v->y[i + lane];
        v->sums[chunk] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    }
}

static double dot(const struct fit *fit, const float *x, const float *y)
{
    struct vectors v = {.x = x, .y = y, .sums = fit->chunk_sums, .size = fit->size};
    double sum = 0;
    thread_pool_run(fit->pool, dot_chunks, &v, chunk_count(fit), 1);
    for (size_t chunk = 0; chunk < chunk_count(fit); chunk++) sum += fit->chunk_sums[chunk];
    return sum;
}

/* The inner product of the parameter space. */
static double point_dot(const struct fit *fit, const struct point *x, const struct point *y)
{
    return dot(fit, x->a.data, y->logits.data) + bias_dot(fit, x, y);
}

/* The quadratic form of the penalty: the penalty of x is half of penalty(x, x). */
static double penalty(const struct fit *fit, const struct point *x, const struct point *y)
{
    return fit->options->l2 * dot(fit, x->a.data, y->logits.data) + bias_l2 * bias_dot(fit, x, y);
}

static void axpy(float *y, float factor, const float *x, size_t count)
{
    for (size_t i = 0; i < count; i++) y[i] += factor * x[i];
}

static void add_chunks(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct vectors *v = context;
    (void)worker;
    size_t first = begin * CHUNK, last = end * CHUNK < v->size ? end * CHUNK : v->size;
    axpy(v->to->a.data + first, (float)v->factor, v->from->a.data + first, last - first);
    axpy(v->to->logits.data + first, (float)v->factor, v->from->logits.data + first, last - first);
}

static void point_add(const struct fit *fit, struct point *y, double factor, const struct point *x)
{
    struct vectors v = {.to = y, .from = x, .factor = factor, .size = fit->size};
    thread_pool_run(fit->pool, add_chunks, &v, chunk_count(fit), 1);
    for (size_t k = 0; k < fit->data->classes; k++) y->bias[k] += factor * x->bias[k];
}

static void point_scale(const struct fit *fit, struct point *y, double factor)
{
    for (size_t i = 0; i < fit->size; i++) y->a.data[i] *= (float)factor;
    for (size_t i = 0; i < fit->size; i++) y->logits.data[i] *= (float)factor;
    for (size_t k = 0; k < fit->data->classes; k++) y->bias[k] *= factor;
}

static void point_copy(const struct fit *fit, struct point *y, const struct point *x)
{
    memcpy(y->a.data, x->a.data, fit->size * sizeof(float));
    memcpy(y->logits.data, x->logits.data, fit->size * sizeof(float));
    memcpy(y->bias, x->bias, sizeof y->bias);
}

/* The operator: weights = w^2 X^T a for both groups, logits = X weights. */

static void weights_from_rows(struct thread_pool *pool, const struct logreg_data *data,
                              const struct logreg_options *options, const struct panels *a, const struct panels *sparse,
                              const struct panels *dense)
{
    double ws = options->sparse_weight, wd = options->dense_weight;
    if (data->sparse) sparse_times(pool, data->sparse_t, (float)(ws * ws), a, sparse, false);
    if (data->dense) dense_times(pool, data->dense_t, (float)(wd * wd), a, dense, false);
}

static void logits_from_weights(struct thread_pool *pool, const struct sparse *x, const struct panels *sparse,
                                const struct dense *z, const struct panels *dense, const struct panels *logits)
{
    memset(logits->data, 0, panels_size(logits) * sizeof(float));
    if (x) sparse_times(pool, x, 1, sparse, logits, true);
    if (z) dense_times(pool, z, 1, dense, logits, true);
}

static void apply_operator(struct fit *fit, const struct panels *a, const struct panels *logits)
{
    const struct logreg_data *data = fit->data;
    weights_from_rows(fit->pool, data, fit->options, a, &fit->sparse, &fit->dense);
    logits_from_weights(fit->pool, data->sparse, &fit->sparse, data->dense, &fit->dense, logits);
}

/* Evaluation along the direction. */

struct evaluation {
    struct fit *fit;
    double step;
};

static double logit_at(const struct fit *fit, double step, size_t i, size_t k)
{
    return (double)fit->at.logits.data[i] + step * (double)fit->direction.logits.data[i] + fit->at.bias[k] +
           step * fit->direction.bias[k];
}

/* The same as evaluate_row where each label stands for itself. */
static void evaluate_targets(struct fit *fit, double step, size_t row)
{
    size_t classes = fit->data->classes;
    const uint8_t *targets = fit->data->targets + row * classes;
    double loss = 0, slope = 0;
    for (size_t k = 0; k < classes; k++) {
        size_t i = panels_at(&fit->residual, row, k);
        double z = logit_at(fit, step, i, k), small = (double)expf((float)-fabs(z)); /* below 1: no overflow */
        double residual = (z > 0 ? 1 : small) / (1 + small) - targets[k];
        loss += log1p(small) + (z > 0 ? z : 0) - (targets[k] ? z : 0);
        fit->residual.data[i] = (float)residual;
        slope += residual * ((double)fit->direction.logits.data[i] + fit->direction.bias[k]);
    }
    fit->row_loss[row] = loss;
    fit->row_slope[row] = slope;
}

/* Loss, slope along the direction and residual of one row at at + step * direction. */
static void evaluate_row(struct fit *fit, double step, size_t row)
{
    size_t classes = fit->data->classes;
    double z[CLASSES_MAX] = {0}, largest = -HUGE_VAL, sum = 0, slope = 0;
    for (size_t k = 0; k < classes; k++) {
        size_t i = panels_at(&fit->residual, row, k);
        z[k] = logit_at(fit, step, i, k);
        if (z[k] > largest) largest = z[k];
    }
    size_t label = (size_t)fit->data->labels[row];
    double z_label = z[label] - largest;
    for (size_t k = 0; k < classes; k++) {
        z[k] = (double)expf((float)(z[k] - largest));
        sum += z[k];
    }
    for (size_t k = 0; k < classes; k++) {
        size_t i = panels_at(&fit->residual, row, k);
        double residual = z[k] / sum - (k == label ? 1 : 0);
        fit->residual.data[i] = (float)residual;
        slope += residual * ((double)fit->direction.logits.data[i] + fit->direction.bias[k]);
    }
    fit->row_loss[row] = log(sum) - z_label;
    fit->row_slope[row] = slope;
}

static void evaluate_rows(void *context, size_t begin, size_t end, unsigned worker)
{
    const struct evaluation *e = context;
    (void)worker;
    bool has_targets = e->fit->data->targets != NULL;
    for (size_t row = begin; row < end; row++) {
        if (has_targets)
            evaluate_targets(e->fit, e->step, row);
        else
            evaluate_row(e->fit, e->step, row);
    }
}

/* Data loss at at + step * direction, *slope its derivative by the step, fit->residual filled. The penalty is the caller's. */
static double evaluate(struct fit *fit, double step, double *slope)
{
    struct evaluation e = {fit, step};
    double loss = 0;
    thread_pool_run(fit->pool, evaluate_rows, &e, fit->data->rows, GRAIN_ROWS);
    *slope = 0;
    for (size_t row = 0; row < fit->data->rows; row++) {
        loss += fit->row_loss[row];
        *slope += fit->row_slope[row];
    }
    return loss;
}

/* The gradient at `at` from the residual there: a = residual + l2 * at.a, so logits = operator(residual) + l2 * at.logits. */
static void gradient_from_residual(struct fit *fit, struct point *gradient)
{
    const struct panels *residual = &fit->residual;
    double l2 = fit->options->l2;
    apply_operator(fit, residual, &gradient->logits);
    memcpy(gradient->a.data, residual->data, fit->size * sizeof(float));
    axpy(gradient->a.data, (float)l2, fit->at.a.data, fit->size);
    axpy(gradient->logits.data, (float)l2, fit->at.logits.data, fit->size);
    memset(gradient->bias, 0, sizeof gradient->bias);
    for (size_t k = 0; k < fit->data->classes; k++)
        for (size_t row = 0; row < fit->data->rows; row++)
            gradient->bias[k] += (double)residual->data[panels_at(residual, row, k)];
    for (size_t k = 0; k < fit->data->classes; k++) gradient->bias[k] += bias_l2 * fit->at.bias[k];
}

/* Line search. */

/* A step that meets the strong Wolfe conditions with c1 = 1e-4, c2 = 0.4, or 0 when rounding leaves none. The loss is convex along
 * the direction: the minimum lies between the last step that was too short and the first that was too long. */
static double line_search(struct fit *fit, double step, double *loss)
{
    const double c1 = 1e-4, c2 = 0.4;
    double start = penalty(fit, &fit->at, &fit->at) / 2; /* at step t the penalty is start + t cross + t^2 square / 2 */
    double cross = penalty(fit, &fit->at, &fit->direction);
    double square = penalty(fit, &fit->direction, &fit->direction);
    double slope0 = point_dot(fit, &fit->gradient, &fit->direction);
    double low = 0, low_slope = slope0, high = 0, high_slope = 0;
    for (int tries = 0; tries < SEARCH_STEPS_MAX; tries++) {
        double slope, value = evaluate(fit, step, &slope);
        value += start + step * cross + step * step * square / 2;
        slope += cross + step * square;
        bool too_long = !(value <= fit->loss + c1 * step * slope0) || slope > -c2 * slope0;
        if (!too_long && slope >= c2 * slope0) {
            *loss = value;
            return step;
        }
        if (too_long) {
            high = step;
            high_slope = slope;
        } else {
            low = step;
            low_slope = slope;
        }
        if (high == 0) {
            step *= 3;
            continue;
        }
        /* Zero of the secant through both slopes, kept away from the ends. */
        double share = high_slope > low_slope ? -low_slope / (high_slope - low_slope) : 0.5;
        share = !(share >= 0.1) ? 0.1 : share > 0.9 ? 0.9 : share;
        step = low + share * (high - low);
    }
    return 0;
}

/* direction = -H gradient, H from the stored pairs. */
static void set_direction(struct fit *fit)
{
    struct point *q = &fit->direction;
    unsigned kept = fit->pairs < HISTORY ? fit->pairs : HISTORY;
    double alpha[HISTORY];
    point_copy(fit, q, &fit->gradient);
    for (unsigned i = 0; i < kept; i++) {
        unsigned slot = (fit->pairs - 1 - i) % HISTORY;
        alpha[slot] = fit->rho[slot] * point_dot(fit, q, &fit->s[slot]);
        point_add(fit, q, -alpha[slot], &fit->y[slot]);
    }
    double scale = 1;
    if (kept) {
        unsigned slot = (fit->pairs - 1) % HISTORY;
        scale = 1 / (fit->rho[slot] * point_dot(fit, &fit->y[slot], &fit->y[slot]));
    }
    point_scale(fit, q, scale);
    for (unsigned i = kept; i-- > 0;) {
        unsigned slot = (fit->pairs - 1 - i) % HISTORY;
        double beta = fit->rho[slot] * point_dot(fit, q, &fit->y[slot]);
        point_add(fit, q, alpha[slot] - beta, &fit->s[slot]);
    }
    point_scale(fit, q, -1);
}

/* Moves by step * direction and stores the curvature pair, unless rounding spoiled it. fit->residual is of the new point. */
static void advance(struct fit *fit, double step)
{
    unsigned slot = fit->pairs % HISTORY;
    struct point *s = &fit->s[slot], *y = &fit->y[slot];
    point_add(fit, &fit->at, step, &fit->direction);
    point_copy(fit, s, &fit->direction);
    point_scale(fit, s, step);
    point_copy(fit, y, &fit->gradient);
    point_scale(fit, y, -1);
    gradient_from_residual(fit, &fit->gradient);
    point_add(fit, y, 1, &fit->gradient);
    double sy = point_dot(fit, s, y), yy = point_dot(fit, y, y);
    if (sy > 1e-10 * yy && yy > 0) {
        fit->rho[slot] = 1 / sy;
        fit->pairs++;
    }
}

static double gradient_norm(const struct fit *fit)
{
    return sqrt(fmax(0, point_dot(fit, &fit->gradient, &fit->gradient)));
}

/* Loss and gradient at `at`, whose direction is zero. */
static void evaluate_start(struct fit *fit)
{
    double slope;
    fit->loss = evaluate(fit, 0, &slope) + penalty(fit, &fit->at, &fit->at) / 2;
    gradient_from_residual(fit, &fit->gradient);
}

/* Returns the number of iterations. */
static unsigned minimise(struct fit *fit)
{
    double tolerance = fit->options->tolerance;
    unsigned small_gains = 0, iteration = 0;
    evaluate_start(fit);
    for (; iteration < fit->options->iterations_max && small_gains < 2; iteration++) {
        double norm = gradient_norm(fit), loss;
        if (norm <= 1e-9 * (double)fit->data->rows) break;
        set_direction(fit);
        if (!(point_dot(fit, &fit->gradient, &fit->direction) < 0)) break; /* rounding: as near as it gets */
        double step = line_search(fit, fit->pairs ? 1 : 1 / norm, &loss);
        if (step <= 0) break;
        small_gains = fit->loss - loss <= tolerance * fabs(loss) ? small_gains + 1 : 0;
        fit->loss = loss;
        advance(fit, step);
    }
    return iteration;
}

/* A start without a model: zero weights, the bias that gives the labels' frequencies (one row added to each; to those with the label and
 * those without where labels are independent). */
static void start_cold(struct fit *fit)
{
    const struct logreg_data *data = fit->data;
    double counts[CLASSES_MAX];
    for (size_t k = 0; k < data->classes; k++) counts[k] = 1;
    for (size_t row = 0; row < data->rows && !data->targets; row++) counts[data->labels[row]] += 1;
    for (size_t i = 0; data->targets && i < data->rows * data->classes; i++)
        counts[i % data->classes] += data->targets[i];
    for (size_t k = 0; k < data->classes; k++)
        fit->at.bias[k] = log(counts[k]) - (data->targets ? log((double)data->rows + 2 - counts[k]) : 0);
}

static void start_at(struct fit *fit, const struct logreg *model)
{
    memcpy(fit->at.a.data, model->rows.data, fit->size * sizeof(float));
    for (size_t k = 0; k < fit->data->classes; k++) fit->at.bias[k] = (double)model->bias[k];
    apply_operator(fit, &fit->at.a, &fit->at.logits);
}

static enum weir_status check(const struct logreg_data *data, const struct logreg_options *options,
                              struct weir_error *error)
{
    if (data->classes < 2 || data->classes > CLASSES_MAX || data->rows == 0)
        return error_set(error, WEIR_ERR_INVALID, "logistic regression over %zu rows and %zu classes", data->rows,
                         data->classes);
    if (!(options->l2 > 0)) return error_set(error, WEIR_ERR_INVALID, "logistic regression with l2 %g", options->l2);
    for (size_t row = 0; row < data->rows && !data->targets; row++)
        if (data->labels[row] < 0 || (size_t)data->labels[row] >= data->classes)
            return error_set(error, WEIR_ERR_INVALID, "logistic regression: row %zu has label %d", row,
                             data->labels[row]);
    return WEIR_OK;
}

/* The fitted point as a model; takes the point's rows. */
static enum weir_status model_from_fit(struct fit *fit, unsigned iterations, struct logreg *model)
{
    struct logreg made = {.loss = fit->loss, .iterations = iterations};
    size_t padded = panels_count(&fit->at.a) * PANEL_WIDTH;
    made.bias = mem_zero(padded, sizeof *made.bias);
    if (!made.bias) return WEIR_ERR_NOMEM;
    for (size_t k = 0; k < fit->data->classes; k++) made.bias[k] = (float)fit->at.bias[k];
    made.rows = fit->at.a;
    made.sparse = fit->sparse;
    made.dense = fit->dense;
    fit->at.a = fit->sparse = fit->dense = (struct panels){0};
    weights_from_rows(fit->pool, fit->data, fit->options, &made.rows, &made.sparse, &made.dense);
    logreg_close(model);
    *model = made;
    return WEIR_OK;
}

enum weir_status logreg_fit(struct thread_pool *pool, const struct logreg_data *data,
                            const struct logreg_options *options, struct logreg *model, struct weir_error *error)
{
    enum weir_status status = check(data, options, error);
    if (status) return status;
    struct fit *fit = mem_zero(1, sizeof *fit);
    if (!fit || fit_open(fit, pool, data, options, true)) {
        free(fit);
        return error_nomem(error, "logistic regression");
    }
    if (model->rows.rows == data->rows && model->rows.cols == data->classes)
        start_at(fit, model);
    else
        start_cold(fit);
    unsigned iterations = minimise(fit);
    status = model_from_fit(fit, iterations, model);
    fit_close(fit);
    free(fit);
    return status ? error_nomem(error, "logistic regression") : WEIR_OK;
}

enum weir_status logreg_logits(struct thread_pool *pool, const struct logreg *model, const struct sparse *sparse,
                               const struct dense *dense, size_t rows, double *logits)
{
    struct panels out;
    size_t classes = model->rows.cols;
    enum weir_status status = panels_open(&out, rows, classes);
    if (status) return status;
    logits_from_weights(pool, sparse, &model->sparse, dense, &model->dense, &out);
    for (size_t row = 0; row < rows; row++)
        for (size_t k = 0; k < classes; k++)
            logits[row * classes + k] = (double)out.data[panels_at(&out, row, k)] + (double)model->bias[k];
    panels_close(&out);
    return WEIR_OK;
}

enum weir_status logreg_gradient(struct thread_pool *pool, const struct logreg_data *data,
                                 const struct logreg_options *options, const struct logreg *at, double *loss,
                                 struct panels *gradient_rows, double *gradient_bias)
{
    struct fit *fit = mem_zero(1, sizeof *fit);
    if (!fit || fit_open(fit, pool, data, options, false)) {
        free(fit);
        return WEIR_ERR_NOMEM;
    }
    start_at(fit, at);
    evaluate_start(fit);
    *loss = fit->loss;
    memcpy(gradient_rows->data, fit->gradient.a.data, fit->size * sizeof(float));
    for (size_t k = 0; k < data->classes; k++) gradient_bias[k] = fit->gradient.bias[k];
    fit_close(fit);
    free(fit);
    return WEIR_OK;
}
