/* Vector scaling and isotonic regression where the truth is known, and the choice among the calibrations. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "tune/calibrate_fit.h"
#include "tune/numbers.h"

enum { ROWS = 4000, CLASSES = 3, FOLDS = 5 };

struct world {
    double logits[ROWS * CLASSES]; /* what a head says */
    double truth[ROWS * CLASSES];  /* the probabilities labels are drawn with */
    int32_t labels[ROWS];
    uint8_t fold[ROWS];
    struct calibrate_rows rows;
};

static double uniform(uint64_t *random)
{
    return (double)(random_bits(random) >> 11) * 0x1p-53;
}

static void softmax(const double *z, size_t classes, double *p)
{
    double sum = 0;
    for (size_t k = 0; k < classes; k++) sum += p[k] = exp(z[k]);
    for (size_t k = 0; k < classes; k++) p[k] /= sum;
}

/* Truth from logits of its own, `say` makes what the head says of them. */
static struct world *world_open(size_t rows, size_t classes, uint64_t seed, void (*say)(const double *z, double *out),
                                void (*distort)(double *truth))
{
    struct world *w = mem_zero(1, sizeof *w);
    assert_non_null(w);
    for (size_t i = 0; i < rows; i++) {
        double z[CLASSES], *p = w->truth + i * classes, u = uniform(&seed);
        for (size_t k = 0; k < classes; k++) z[k] = 4 * uniform(&seed) - 2;
        softmax(z, classes, p);
        if (distort) distort(p);
        say(z, w->logits + i * classes);
        w->labels[i] = (int32_t)classes - 1;
        for (size_t k = 0; k + 1 < classes && w->labels[i] == (int32_t)classes - 1; k++) {
            if (u < p[k]) w->labels[i] = (int32_t)k;
            u -= p[k];
        }
        w->fold[i] = (uint8_t)(i % FOLDS);
    }
    w->rows = (struct calibrate_rows){
        .logits = w->logits, .labels = w->labels, .fold = w->fold, .rows = rows, .classes = classes, .folds = FOLDS};
    return w;
}

static struct calibration fitted(const struct world *w, enum weir_calibration kind)
{
    struct calibration c;
    struct weir_error error = {0};
    check_status(calibrate_fit(&w->rows, kind, FOLDS, &c, &error), WEIR_OK, &error);
    return c;
}

/* Mean distance of the calibrated probabilities from the truth. */
static double distance(const struct world *w, const struct calibration *c)
{
    double sum = 0, p[CLASSES];
    for (size_t i = 0; i < w->rows.rows; i++) {
        assert_true(calibration_apply(c, w->logits + i * w->rows.classes, w->rows.classes, p));
        double total = 0;
        for (size_t k = 0; k < w->rows.classes; k++) {
            assert_true(p[k] >= 0 && p[k] <= 1);
            sum += fabs(p[k] - w->truth[i * w->rows.classes + k]) / (double)(w->rows.rows * w->rows.classes);
            total += p[k];
        }
        check_near(total, 1, 1e-12);
    }
    return sum;
}

static enum weir_calibration chosen(const struct world *w, struct calibrate_measures *measures)
{
    static int32_t predicted[ROWS];
    static double probability[ROWS];
    struct calibration c;
    struct weir_error error = {0};
    check_status(calibrate_choose(&w->rows, &c, measures, predicted, probability, &error), WEIR_OK, &error);
    enum weir_calibration kind = c.kind;
    for (size_t i = 0; i < w->rows.rows; i++)
        assert_true(probability[i] >= 1.0 / (double)CLASSES - 1e-9 && predicted[i] >= 0);
    calibration_free(&c);
    return kind;
}

static void say_hot(const double *z, double *out)
{
    for (size_t k = 0; k < CLASSES; k++) out[k] = 2 * z[k];
}

/* z = scale * said + shift with scales 0.5, 1, 2 and shifts 0, 0.5, -1 */
static void say_warped(const double *z, double *out)
{
    out[0] = z[0] / 0.5;
    out[1] = z[1] - 0.5;
    out[2] = (z[2] + 1) / 2;
}

static void say_two(const double *z, double *out)
{
    out[0] = z[0];
    out[1] = z[1];
}

/* A step at one half: no scaling of logits does that. */
static void two_steps(double *truth)
{
    truth[0] = truth[0] < 0.5 ? 0.3 : 0.8;
    truth[1] = 1 - truth[0];
}

static void a_temperature_suffices_where_it_is_the_truth(void **state)
{
    (void)state;
    struct world *w = world_open(ROWS, CLASSES, random_seed(), say_hot, NULL);
    struct calibration c = fitted(w, WEIR_CALIBRATION_TEMPERATURE);
    check_near(c.temperature, 2, 0.15);
    check_near(distance(w, &c), 0, 0.02);
    calibration_free(&c);
    free(w);
}

static void vector_scaling_finds_scales_and_shifts(void **state)
{
    (void)state;
    struct world *w = world_open(ROWS, CLASSES, random_seed(), say_warped, NULL);
    struct calibration vector = fitted(w, WEIR_CALIBRATION_VECTOR), plain = fitted(w, WEIR_CALIBRATION_TEMPERATURE);
    check_near((double)vector.scale[0], 0.5, 0.1);
    check_near((double)vector.scale[1], 1, 0.1);
    check_near((double)vector.scale[2], 2, 0.2);
    check_near((double)(vector.shift[1] - vector.shift[0]), 0.5, 0.15); /* shifts are known up to a common number */
    check_near((double)(vector.shift[2] - vector.shift[0]), -1, 0.15);
    check_near(distance(w, &vector), 0, 0.02);
    if (distance(w, &plain) < 3 * distance(w, &vector)) fail_msg("temperature alone: %g", distance(w, &plain));
    struct calibrate_measures measures;
    assert_int_equal(chosen(w, &measures), WEIR_CALIBRATION_VECTOR);
    calibration_free(&vector);
    calibration_free(&plain);
    free(w);
}

static void isotonic_regression_finds_a_step(void **state)
{
    (void)state;
    struct world *w = world_open(ROWS, 2, random_seed(), say_two, two_steps);
    struct calibration isotonic = fitted(w, WEIR_CALIBRATION_ISOTONIC);
    check_near(distance(w, &isotonic), 0, 0.04);
    for (size_t i = 1; i < (size_t)2 * CALIBRATION_KNOTS; i++) {
        if (i % CALIBRATION_KNOTS == 0) continue;
        assert_true(isotonic.knots[i].x >= isotonic.knots[i - 1].x && isotonic.knots[i].y >= isotonic.knots[i - 1].y);
    }
    struct calibrate_measures measures;
    assert_int_equal(chosen(w, &measures), WEIR_CALIBRATION_ISOTONIC);
    if (measures.ece > 0.05) fail_msg("ECE %g", measures.ece);
    calibration_free(&isotonic);
    free(w);
}

static void few_rows_get_a_temperature(void **state)
{
    (void)state;
    struct world *w = world_open(CALIBRATE_ROWS_MIN - 1, CLASSES, random_seed(), say_warped, NULL);
    struct calibrate_measures measures;
    assert_int_equal(chosen(w, &measures), WEIR_CALIBRATION_TEMPERATURE);
    free(w);
}

/* A class that never occurs keeps a small probability, and nothing is 0, 1 or not a number. */
static void a_class_without_rows_stays_possible(void **state)
{
    (void)state;
    struct world *w = world_open(ROWS, CLASSES, random_seed(), say_hot, NULL);
    for (size_t i = 0; i < ROWS; i++) w->labels[i] = w->labels[i] == 2 ? 1 : w->labels[i];
    for (int kind = 0; kind < WEIR_CALIBRATIONS; kind++) {
        struct calibration c = fitted(w, (enum weir_calibration)kind);
        double p[CLASSES];
        for (size_t i = 0; i < ROWS; i++) {
            assert_true(calibration_apply(&c, w->logits + i * CLASSES, CLASSES, p));
            for (size_t k = 0; k < CLASSES; k++)
                if (!(p[k] > 0 && p[k] < 1)) fail_msg("kind %d, row %zu, class %zu: %g", kind, i, k, p[k]);
        }
        calibration_free(&c);
    }
    free(w);
}

static void a_logit_that_is_not_finite_is_told(void **state)
{
    (void)state;
    struct calibration c = {.temperature = 1};
    double p[2];
    assert_false(calibration_apply(&c, (double[]){NAN, 0}, 2, p));
    assert_false(calibration_apply(&c, (double[]){0, INFINITY}, 2, p));
    assert_true(calibration_apply(&c, (double[]){1e300, -1e300}, 2, p));
    check_near(p[0], 1, 0);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    struct world *w = world_open(CALIBRATE_ROWS_MIN, CLASSES, random_seed(), say_warped, NULL);
    static int32_t predicted[ROWS];
    static double probability[ROWS];
    enum weir_status status = WEIR_ERR_NOMEM;
    for (size_t n = 1; status; n++) {
        struct calibration c;
        struct calibrate_measures measures;
        struct weir_error error = {0};
        assert_true(n < 300);
        mem_fail_after(n);
        status = calibrate_choose(&w->rows, &c, &measures, predicted, probability, &error);
        mem_fail_after(0);
        if (status)
            check_status(status, WEIR_ERR_NOMEM, &error);
        else
            calibration_free(&c);
    }
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_temperature_suffices_where_it_is_the_truth),
        cmocka_unit_test(vector_scaling_finds_scales_and_shifts),
        cmocka_unit_test(isotonic_regression_finds_a_step),
        cmocka_unit_test(few_rows_get_a_temperature),
        cmocka_unit_test(a_class_without_rows_stays_possible),
        cmocka_unit_test(a_logit_that_is_not_finite_is_told),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
