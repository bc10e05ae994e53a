/* The solver: products against plain loops, the gradient against differences, optima against known ones. */
#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "tune/logreg.h"
#include "tune/numbers.h"

/* A problem with both groups, built from random numbers. */
struct problem {
    struct sparse sparse, sparse_t;
    struct dense dense, dense_t;
    int32_t *labels;
    struct logreg_data data;
};

static void fill_sparse(struct sparse *m, uint64_t *random)
{
    size_t at = 0;
    for (size_t r = 0; r < m->rows; r++) {
        for (uint32_t c = 0; c < m->cols; c++) {
            if (random_bits(random) % 3) continue;
            m->indexes[at] = c;
            m->values[at++] = random_float(random);
        }
        m->starts[r + 1] = at;
    }
}

static void problem_open(struct problem *p, size_t rows, size_t sparse_cols, size_t dense_cols, size_t classes,
                         uint64_t *random)
{
    *p = (struct problem){0};
    p->labels = mem_zero(rows, sizeof *p->labels);
    assert_non_null(p->labels);
    assert_int_equal(sparse_open(&p->sparse, rows, sparse_cols, rows * sparse_cols), WEIR_OK);
    assert_int_equal(dense_open(&p->dense, rows, dense_cols), WEIR_OK);
    fill_sparse(&p->sparse, random);
    for (size_t i = 0; i < rows * dense_cols; i++) p->dense.data[i] = random_float(random);
    for (size_t i = 0; i < rows; i++) p->labels[i] = (int32_t)(random_bits(random) % classes);
    assert_int_equal(sparse_transpose(&p->sparse, &p->sparse_t), WEIR_OK);
    assert_int_equal(dense_transpose(&p->dense, &p->dense_t), WEIR_OK);
    p->data = (struct logreg_data){.rows = rows,
                                   .classes = classes,
                                   .labels = p->labels,
                                   .sparse = &p->sparse,
                                   .sparse_t = &p->sparse_t,
                                   .dense = &p->dense,
                                   .dense_t = &p->dense_t};
}

static void problem_close(struct problem *p)
{
    sparse_close(&p->sparse);
    sparse_close(&p->sparse_t);
    dense_close(&p->dense);
    dense_close(&p->dense_t);
    free(p->labels);
}

static double sparse_at(const struct sparse *m, size_t row, size_t col)
{
    double sum = 0;
    for (size_t i = m->starts[row]; i < m->starts[row + 1]; i++)
        if (m->indexes[i] == col) sum += (double)m->values[i];
    return sum;
}

/* Sums of n products of values below 1 in float32: within n * FLT_EPSILON * n of the exact sum. */
static void products_match_plain_loops(void **state)
{
    (void)state;
    uint64_t random = random_seed();
    static const size_t shapes[][3] = {{1, 1, 1}, {3, 5, 2}, {4, 8, 8}, {5, 7, 9}, {17, 13, 18}, {67, 33, 77}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        size_t rows = shapes[s][0], cols = shapes[s][1], classes = shapes[s][2];
        struct problem p;
        problem_open(&p, rows, cols, cols, classes, &random);
        struct panels v, sparse_out, dense_out;
        assert_int_equal(panels_open(&v, cols, classes), WEIR_OK);
        assert_int_equal(panels_open(&sparse_out, rows, classes), WEIR_OK);
        assert_int_equal(panels_open(&dense_out, rows, classes), WEIR_OK);
        for (size_t c = 0; c < cols; c++)
            for (size_t k = 0; k < classes; k++) v.data[panels_at(&v, c, k)] = random_float(&random);
        sparse_times(NULL, &p.sparse, 2, &v, &sparse_out, false);
        dense_times(NULL, &p.dense, 1, &v, &dense_out, false);
        dense_times(NULL, &p.dense, -3, &v, &dense_out, true);
        for (size_t r = 0; r < rows; r++)
            for (size_t k = 0; k < classes; k++) {
                double sparse_sum = 0, dense_sum = 0, bound = (double)(cols * cols) * 4 * 1.2e-7;
                for (size_t c = 0; c < cols; c++) {
                    double w = (double)v.data[panels_at(&v, c, k)];
                    sparse_sum += 2 * sparse_at(&p.sparse, r, c) * w;
                    dense_sum += -2 * (double)p.dense.data[r * cols + c] * w;
                }
                check_near((double)sparse_out.data[panels_at(&sparse_out, r, k)], sparse_sum, bound);
                check_near((double)dense_out.data[panels_at(&dense_out, r, k)], dense_sum, bound);
            }
        panels_close(&v);
        panels_close(&sparse_out);
        panels_close(&dense_out);
        problem_close(&p);
    }
}

static void transposes_hold_the_same_values(void **state)
{
    (void)state;
    uint64_t random = random_seed();
    struct problem p;
    problem_open(&p, 21, 18, 18, 3, &random);
    for (size_t r = 0; r < 21; r++)
        for (size_t c = 0; c < 18; c++) {
            check_near(sparse_at(&p.sparse, r, c), sparse_at(&p.sparse_t, c, r), 0);
            check_near((double)p.dense.data[r * 18 + c], (double)p.dense_t.data[c * 21 + r], 0);
        }
    problem_close(&p);
}

/* Loss with A moved by h in one element. The gradient by A[i][k] in the space of V is <G, direction>, which is (X X^T G)[i][k]; so
 * the directional derivative along the unit matrix E_ik is sum over rows of logits(E_ik) * G. */
static double loss_at(const struct problem *p, const struct logreg_options *options, struct logreg *at)
{
    double loss, bias[8];
    struct panels scratch;
    assert_int_equal(panels_open(&scratch, p->data.rows, p->data.classes), WEIR_OK);
    assert_int_equal(logreg_gradient(NULL, &p->data, options, at, &loss, &scratch, bias), WEIR_OK);
    panels_close(&scratch);
    return loss;
}

/* logits of row j for the unit matrix E_ik, in column k: w^2 (X X^T)[j][i] */
static double gram(const struct problem *p, const struct logreg_options *options, size_t i, size_t j)
{
    double sparse = 0, dense = 0;
    for (size_t c = 0; c < p->sparse.cols; c++) sparse += sparse_at(&p->sparse, i, c) * sparse_at(&p->sparse, j, c);
    for (size_t c = 0; c < p->dense.cols; c++)
        dense += (double)p->dense.data[i * p->dense.cols + c] * (double)p->dense.data[j * p->dense.cols + c];
    return options->sparse_weight * options->sparse_weight * sparse +
           options->dense_weight * options->dense_weight * dense;
}

static void check_gradient(bool independent)
{
    uint64_t random = random_seed();
    enum { ROWS = 9, CLASSES = 5 };
    struct problem p;
    uint8_t targets[ROWS * CLASSES];
    problem_open(&p, ROWS, 6, 4, CLASSES, &random);
    for (size_t i = 0; i < ROWS * CLASSES; i++) targets[i] = random_bits(&random) % 2;
    if (independent) p.data.targets = targets;
    struct logreg_options options = logreg_options_default();
    options.l2 = 0.7;
    options.sparse_weight = 1.5;
    options.dense_weight = 0.5;
    struct logreg at = {.bias = mem_zero(8, sizeof(float))};
    struct panels gradient;
    double loss, bias[8];
    assert_int_equal(panels_open(&at.rows, ROWS, CLASSES), WEIR_OK);
    assert_int_equal(panels_open(&gradient, ROWS, CLASSES), WEIR_OK);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t k = 0; k < CLASSES; k++) at.rows.data[panels_at(&at.rows, i, k)] = random_float(&random);
    for (size_t k = 0; k < CLASSES; k++) at.bias[k] = random_float(&random);
    assert_int_equal(logreg_gradient(NULL, &p.data, &options, &at, &loss, &gradient, bias), WEIR_OK);
    const float h = 0x1p-7f; /* exact in float32 here; central differences then err by h^2 and by rounding / h */
    for (size_t i = 0; i < ROWS; i++)
        for (size_t k = 0; k < CLASSES; k++) {
            float *a = &at.rows.data[panels_at(&at.rows, i, k)], kept = *a;
            double expected = 0;
            for (size_t j = 0; j < ROWS; j++)
                expected += gram(&p, &options, i, j) * (double)gradient.data[panels_at(&gradient, j, k)];
            *a = kept + h;
            double step = (double)*a, above = loss_at(&p, &options, &at);
            *a = kept - h;
            step -= (double)*a;
            double below = loss_at(&p, &options, &at);
            *a = kept;
            check_near((above - below) / step, expected, 2e-3 * (1 + fabs(expected)));
        }
    for (size_t k = 0; k < CLASSES; k++) {
        float kept = at.bias[k];
        at.bias[k] = kept + h;
        double step = (double)at.bias[k], above = loss_at(&p, &options, &at);
        at.bias[k] = kept - h;
        step -= (double)at.bias[k];
        double below = loss_at(&p, &options, &at);
        at.bias[k] = kept;
        check_near((above - below) / step, bias[k], 2e-3 * (1 + fabs(bias[k])));
    }
    panels_close(&gradient);
    logreg_close(&at);
    problem_close(&p);
}

static void the_gradient_matches_finite_differences(void **state)
{
    (void)state;
    check_gradient(false);
    check_gradient(true);
}

/* What a label learns is the same beside other labels. */
static void independent_labels_learn_alone(void **state)
{
    (void)state;
    enum { ROWS = 60, ALL = 5, SOME = 2, FIRST = 3 };
    uint64_t random = random_seed();
    struct problem p;
    uint8_t all[ROWS * ALL], some[ROWS * SOME];
    double all_logits[ROWS * ALL], some_logits[ROWS * SOME];
    problem_open(&p, ROWS, 20, 6, ALL, &random);
    for (size_t i = 0; i < ROWS * ALL; i++) all[i] = random_bits(&random) % 3 == 0;
    for (size_t i = 0; i < ROWS * SOME; i++) some[i] = all[i / SOME * ALL + FIRST + i % SOME];
    struct logreg_options options = logreg_options_default();
    options.tolerance = 1e-12;
    struct logreg models[2] = {{.loss = 0}, {.loss = 0}};
    struct weir_error error = {0};
    p.data.targets = all;
    check_status(logreg_fit(NULL, &p.data, &options, &models[0], &error), WEIR_OK, &error);
    assert_int_equal(logreg_logits(NULL, &models[0], &p.sparse, &p.dense, ROWS, all_logits), WEIR_OK);
    p.data.targets = some;
    p.data.classes = SOME;
    check_status(logreg_fit(NULL, &p.data, &options, &models[1], &error), WEIR_OK, &error);
    assert_int_equal(logreg_logits(NULL, &models[1], &p.sparse, &p.dense, ROWS, some_logits), WEIR_OK);
    for (size_t i = 0; i < ROWS * SOME; i++)
        check_near(all_logits[i / SOME * ALL + FIRST + i % SOME], some_logits[i], 0.02);
    for (int m = 0; m < 2; m++) logreg_close(&models[m]);
    problem_close(&p);
}

/* Ten rows of three features in three classes. */
static const float known_x[10][3] = {{.5f, -1.f, .25f},    {1.5f, .5f, -.5f},  {-.75f, .25f, 1.f},    {-1.f, 1.5f, .5f},
                                     {.25f, .75f, -1.25f}, {2.f, -.5f, .75f},  {-.5f, -1.25f, -.25f}, {1.f, 1.f, 1.f},
                                     {-1.5f, -.5f, .0f},   {.75f, -.75f, -1.f}};
static const int32_t known_labels[10] = {0, 1, 2, 2, 1, 1, 0, 2, 0, 1};

/* Minimum of the loss of logreg.h with l2 = 0.5, found by scipy 1.x's BFGS in float64 (gtol 1e-10); scikit-learn 1.9's
 * LogisticRegression(C=2), whose bias is not penalised, agrees to 1e-4 in every weight. */
static const double known_loss = 3.7137092483;
static const double known_logits[10][3] = {{0.9127869, 0.1664861, -1.0792733},  {-1.5681541, 2.2273123, -0.6591583},
                                           {0.3115436, -1.8145988, 1.5030551},  {-0.9990435, -1.3959195, 2.3949629},
                                           {-0.9993352, 1.7070987, -0.7077639}, {-0.7209349, 1.3156399, -0.594705},
                                           {1.9016789, -0.4126275, -1.489052},  {-1.7973345, 0.1646825, 1.6326522},
                                           {1.7134356, -1.65874, -0.0546961},   {0.4305575, 1.790486, -2.2210441}};

/* The known problem with its features divided by `weight` and the group weight set to it: the optimum stays. */
static void check_known_optimum(bool as_sparse, float weight)
{
    struct problem p = {0};
    assert_int_equal(dense_open(&p.dense, 10, 3), WEIR_OK);
    assert_int_equal(sparse_open(&p.sparse, 10, 3, 30), WEIR_OK);
    for (size_t i = 0; i < 30; i++) {
        p.dense.data[i] = p.sparse.values[i] = known_x[i / 3][i % 3] / weight;
        p.sparse.indexes[i] = (uint32_t)(i % 3);
        p.sparse.starts[i / 3 + 1] = i + 1;
    }
    assert_int_equal(dense_transpose(&p.dense, &p.dense_t), WEIR_OK);
    assert_int_equal(sparse_transpose(&p.sparse, &p.sparse_t), WEIR_OK);
    p.data = (struct logreg_data){.rows = 10, .classes = 3, .labels = known_labels};
    if (as_sparse) {
        p.data.sparse = &p.sparse;
        p.data.sparse_t = &p.sparse_t;
    } else {
        p.data.dense = &p.dense;
        p.data.dense_t = &p.dense_t;
    }
    struct logreg_options options = logreg_options_default();
    options.l2 = 0.5;
    options.tolerance = 1e-9;
    options.sparse_weight = options.dense_weight = (double)weight;
    struct logreg model = {0};
    struct weir_error error = {0};
    double logits[30];
    check_status(logreg_fit(NULL, &p.data, &options, &model, &error), WEIR_OK, &error);
    check_near(model.loss, known_loss, 1e-5);
    assert_int_equal(logreg_logits(NULL, &model, p.data.sparse, p.data.dense, 10, logits), WEIR_OK);
    for (size_t i = 0; i < 30; i++) check_near(logits[i], known_logits[i / 3][i % 3], 2e-3);
    logreg_close(&model);
    problem_close(&p);
}

static void the_optimum_is_the_known_one(void **state)
{
    (void)state;
    check_known_optimum(false, 1);
    check_known_optimum(true, 1);
    check_known_optimum(false, 4);
    check_known_optimum(true, 0.25f);
}

/* Class k lies at unit vector k. */
static void a_separable_toy_is_separated(void **state)
{
    (void)state;
    enum { CLASSES = 4, ROWS = 20 };
    struct problem p;
    uint64_t random = random_seed();
    problem_open(&p, ROWS, 1, CLASSES, CLASSES, &random);
    for (size_t i = 0; i < ROWS; i++) {
        p.labels[i] = (int32_t)(i % CLASSES);
        for (size_t c = 0; c < CLASSES; c++)
            p.dense.data[i * CLASSES + c] = (c == i % CLASSES ? 1.0f : 0) + 0.1f * random_float(&random);
    }
    dense_close(&p.dense_t);
    assert_int_equal(dense_transpose(&p.dense, &p.dense_t), WEIR_OK);
    struct logreg_options options = logreg_options_default();
    options.l2 = 0.001;
    struct logreg model = {0};
    struct weir_error error = {0};
    double logits[ROWS * CLASSES];
    check_status(logreg_fit(NULL, &p.data, &options, &model, &error), WEIR_OK, &error);
    assert_int_equal(logreg_logits(NULL, &model, &p.sparse, &p.dense, ROWS, logits), WEIR_OK);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t k = 0; k < CLASSES; k++)
            if (k != i % CLASSES && logits[i * CLASSES + i % CLASSES] - logits[i * CLASSES + k] < 2)
                fail_msg("row %zu: class %zu at %g, class %zu at %g", i, i % CLASSES, logits[i * CLASSES + i % CLASSES],
                         k, logits[i * CLASSES + k]);
    logreg_close(&model);
    problem_close(&p);
}

static void warm_and_cold_starts_meet(void **state)
{
    (void)state;
    uint64_t random = random_seed();
    struct problem p;
    problem_open(&p, 60, 30, 10, 4, &random);
    struct logreg_options options = logreg_options_default();
    options.tolerance = 1e-9;
    struct logreg cold = {0}, warm = {0};
    struct weir_error error = {0};
    check_status(logreg_fit(NULL, &p.data, &options, &cold, &error), WEIR_OK, &error);
    options.l2 = 1;
    check_status(logreg_fit(NULL, &p.data, &options, &warm, &error), WEIR_OK, &error);
    assert_true(fabs(warm.loss - cold.loss) > 1); /* another problem, so that the start is not the end */
    options.l2 = logreg_options_default().l2;
    check_status(logreg_fit(NULL, &p.data, &options, &warm, &error), WEIR_OK, &error);
    check_near(warm.loss, cold.loss, 1e-4);
    logreg_close(&cold);
    logreg_close(&warm);
    problem_close(&p);
}

static void the_number_of_threads_changes_nothing(void **state)
{
    (void)state;
    uint64_t random = random_seed();
    struct problem p;
    struct weir_error error = {0};
    problem_open(&p, 203, 50, 37, 11, &random);
    struct logreg alone = {0};
    struct logreg_options options = logreg_options_default();
    check_status(logreg_fit(NULL, &p.data, &options, &alone, &error), WEIR_OK, &error);
    for (unsigned threads = 2; threads <= 5; threads++) {
        struct thread_pool *pool = NULL;
        struct logreg model = {0};
        check_status(thread_pool_open(threads, &pool, &error), WEIR_OK, &error);
        check_status(logreg_fit(pool, &p.data, &options, &model, &error), WEIR_OK, &error);
        assert_int_equal(model.iterations, alone.iterations);
        assert_memory_equal(model.sparse.data, alone.sparse.data, panels_size(&alone.sparse) * sizeof(float));
        assert_memory_equal(model.dense.data, alone.dense.data, panels_size(&alone.dense) * sizeof(float));
        assert_memory_equal(model.bias, alone.bias, 16 * sizeof(float));
        logreg_close(&model);
        thread_pool_close(&pool);
    }
    logreg_close(&alone);
    problem_close(&p);
}

static void a_class_without_rows_stays_possible(void **state)
{
    (void)state;
    uint64_t random = random_seed();
    struct problem p;
    problem_open(&p, 40, 10, 5, 3, &random);
    p.data.classes = 4;
    struct logreg model = {0};
    struct logreg_options options = logreg_options_default();
    struct weir_error error = {0};
    check_status(logreg_fit(NULL, &p.data, &options, &model, &error), WEIR_OK, &error);
    assert_true(isfinite(model.bias[3]));
    assert_true(model.bias[3] < model.bias[0] - 3);
    logreg_close(&model);
    problem_close(&p);
}

static void wrong_calls_are_refused(void **state)
{
    (void)state;
    uint64_t random = random_seed();
    struct problem p;
    problem_open(&p, 10, 4, 4, 3, &random);
    struct logreg model = {0};
    struct weir_error error = {0};
    struct logreg_options options = logreg_options_default();
    options.l2 = 0;
    check_status(logreg_fit(NULL, &p.data, &options, &model, &error), WEIR_ERR_INVALID, &error);
    options.l2 = 1;
    p.labels[4] = 3;
    check_status(logreg_fit(NULL, &p.data, &options, &model, &error), WEIR_ERR_INVALID, &error);
    check_contains(error.text, "row 4 has label 3");
    p.data.classes = 1;
    check_status(logreg_fit(NULL, &p.data, &options, &model, &error), WEIR_ERR_INVALID, &error);
    problem_close(&p);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    uint64_t random = random_seed();
    struct problem p;
    problem_open(&p, 12, 5, 3, 3, &random);
    struct logreg_options options = logreg_options_default();
    enum weir_status status = WEIR_ERR_NOMEM;
    for (size_t n = 1; status; n++) {
        struct logreg model = {0};
        struct weir_error error = {0};
        assert_true(n < 100);
        mem_fail_after(n);
        status = logreg_fit(NULL, &p.data, &options, &model, &error);
        mem_fail_after(0);
        if (status) check_status(status, WEIR_ERR_NOMEM, &error);
        logreg_close(&model);
    }
    problem_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_match_plain_loops),
        cmocka_unit_test(transposes_hold_the_same_values),
        cmocka_unit_test(the_gradient_matches_finite_differences),
        cmocka_unit_test(independent_labels_learn_alone),
        cmocka_unit_test(the_optimum_is_the_known_one),
        cmocka_unit_test(a_separable_toy_is_separated),
        cmocka_unit_test(warm_and_cold_starts_meet),
        cmocka_unit_test(the_number_of_threads_changes_nothing),
        cmocka_unit_test(a_class_without_rows_stays_possible),
        cmocka_unit_test(wrong_calls_are_refused),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
