/* Folds, calibration, and that cross-validation never shows a model the rows it is judged on. */
#include <math.h>
#include <stdio.h>

#include "base/memory.h"
#include "tune/cross.h"
#include "tune/folds.h"
#include "tune/numbers.h"

enum { ROWS = 60, CLASSES = 3, WIDTH = 6 };

/* Rows whose bags and hidden states can be changed one by one. */
struct rows {
    int32_t labels[ROWS];
    struct ngram_bag bags[ROWS];
    float hidden[ROWS * FEATURE_POOLS * WIDTH];
    struct tune_table table;
};

static void set_text(struct rows *rows, size_t row, const char *text)
{
    struct weir_error error = {0};
    struct weir_string string = {text, strlen(text)};
    check_status(ngram_bag_fill(&rows->table.ngram, string, &rows->bags[row], &error), WEIR_OK, &error);
}

/* Labels repeat 0 1 2; texts and states carry the label and noise. */
static void rows_open(struct rows *rows, uint64_t *random)
{
    static const char *const words[CLASSES] = {"card", "money", "rate"};
    *rows = (struct rows){.table = {.rows = ROWS, .classes = CLASSES, .n_depths = 1, .n_embd = WIDTH}};
    rows->table.ngram = ngram_settings_default();
    rows->table.labels = rows->labels;
    rows->table.bags = rows->bags;
    rows->table.hidden = rows->hidden;
    for (size_t i = 0; i < ROWS; i++) {
        char text[64];
        rows->labels[i] = (int32_t)(i % CLASSES);
        (void)snprintf(text, sizeof text, "%s number %llu", words[i % CLASSES],
                       (unsigned long long)(random_bits(random) % 1000));
        set_text(rows, i, text);
        for (size_t d = 0; d < FEATURE_POOLS * WIDTH; d++)
            rows->hidden[i * FEATURE_POOLS * WIDTH + d] = random_float(random) + (d == i % CLASSES ? 2.0f : 0);
    }
}

static void rows_close(struct rows *rows)
{
    for (size_t i = 0; i < ROWS; i++) ngram_bag_free(&rows->bags[i]);
}

static const struct tune_blocks both_pools = {2, {{0, FEATURE_POOL_MEAN}, {0, FEATURE_POOL_LAST}}};

static void folds_are_even_and_stratified(void **state)
{
    (void)state;
    int32_t labels[103];
    uint8_t folds[103], again[103], other[103];
    size_t sizes[5] = {0}, of_label[4][5] = {{0}};
    for (size_t i = 0; i < 103; i++) labels[i] = i < 3 ? 3 : (int32_t)(i % 3);
    assert_int_equal(folds_assign(labels, 103, 4, 5, 7, folds), WEIR_OK);
    assert_int_equal(folds_assign(labels, 103, 4, 5, 7, again), WEIR_OK);
    assert_int_equal(folds_assign(labels, 103, 4, 5, 8, other), WEIR_OK);
    assert_memory_equal(folds, again, sizeof folds);
    assert_memory_not_equal(folds, other, sizeof folds);
    for (size_t i = 0; i < 103; i++) {
        sizes[folds[i]]++;
        of_label[labels[i]][folds[i]]++;
    }
    for (size_t f = 0; f < 5; f++) {
        assert_in_range(sizes[f], 20, 21);
        for (size_t k = 0; k < 3; k++) assert_in_range(of_label[k][f], 6, 7);
        assert_in_range(of_label[3][f], 0, 1);
    }
}

static void a_part_keeps_the_shares_of_the_labels(void **state)
{
    (void)state;
    int32_t labels[1000];
    uint32_t chosen[1000];
    size_t count = 0, of_label[2] = {0};
    for (size_t i = 0; i < 1000; i++) labels[i] = i % 10 == 0;
    assert_int_equal(folds_part(labels, 1000, 2, 200, 3, chosen, &count), WEIR_OK);
    assert_int_equal(count, 200);
    for (size_t i = 0; i < count; i++) {
        of_label[labels[chosen[i]]]++;
        if (i) assert_true(chosen[i] > chosen[i - 1]);
    }
    assert_int_equal(of_label[0], 180);
    assert_int_equal(of_label[1], 20);
    assert_int_equal(folds_part(labels, 1000, 2, 2000, 3, chosen, &count), WEIR_OK);
    assert_int_equal(count, 1000);
    for (size_t i = 0; i < count; i++) assert_int_equal(chosen[i], i);
}

/* Labels drawn from softmax(logits), which are then multiplied by T: the temperature found is T, up to sampling noise (standard error
 * about 1.5 % at 20,000 rows of these logits). */
static void the_temperature_recovers_a_known_one(void **state)
{
    (void)state;
    enum { N = 20000, K = 4 };
    uint64_t random = random_seed();
    double *logits = mem_zero(N * K, sizeof *logits);
    int32_t *labels = mem_zero(N, sizeof *labels);
    static const double known[] = {0.3, 1, 2.5};
    for (size_t t = 0; t < 3; t++) {
        for (size_t i = 0; i < N; i++) {
            double sum = 0, p[K], at = ((double)random_float(&random) + 1) / 2;
            for (size_t k = 0; k < K; k++) sum += p[k] = exp(logits[i * K + k] = 3 * (double)random_float(&random));
            labels[i] = K - 1;
            for (size_t k = 0; k + 1 < K; k++) {
                at -= p[k] / sum;
                if (at < 0) {
                    labels[i] = (int32_t)k;
                    break;
                }
            }
            for (size_t k = 0; k < K; k++) logits[i * K + k] *= known[t];
        }
        check_near(calibrate_temperature(logits, labels, N, K), known[t], 0.07 * known[t]);
        struct calibrate_measures m;
        assert_int_equal(calibrate_measure(logits, labels, N, K, known[t], &m, NULL), WEIR_OK);
        check_near(m.ece, 0, 0.02);
    }
    free(logits);
    free(labels);
}

static void the_temperature_stays_in_its_bounds(void **state)
{
    (void)state;
    static const double logits[] = {1, 0, 0, 1};
    static const int32_t right[] = {0, 1}, wrong[] = {1, 0};
    check_near(calibrate_temperature(logits, right, 2, 2), 0.1, 1e-9);
    check_near(calibrate_temperature(logits, wrong, 2, 2), 10, 1e-9);
    check_near(calibrate_temperature(NULL, NULL, 0, 2), 1, 0);
}

/* Everything that fitting sees: it must stay the same when held-out rows change in every way. */
static void held_out_rows_leave_no_trace_in_a_split(void **state)
{
    (void)state;
    uint64_t random = random_seed();
    struct rows rows;
    struct split before = {0}, after = {0};
    uint8_t is_held[ROWS] = {0};
    rows_open(&rows, &random);
    for (size_t i = 0; i < ROWS; i += 4) is_held[i] = 1;
    assert_int_equal(split_open(&before, &rows.table, is_held), WEIR_OK);
    assert_int_equal(split_set_blocks(&before, &rows.table, &both_pools), WEIR_OK);
    for (size_t i = 0; i < ROWS; i += 4) {
        set_text(&rows, i, "something else entirely");
        rows.labels[i] = (rows.labels[i] + 1) % CLASSES;
        for (size_t d = 0; d < FEATURE_POOLS * WIDTH; d++) rows.hidden[i * FEATURE_POOLS * WIDTH + d] = 1e6f;
    }
    assert_int_equal(split_open(&after, &rows.table, is_held), WEIR_OK);
    assert_int_equal(split_set_blocks(&after, &rows.table, &both_pools), WEIR_OK);
    size_t n = before.fit.rows, entries = before.fit.sparse.starts[n];
    assert_int_equal(n, 45);
    assert_int_equal(after.fit.rows, n);
    assert_int_equal(after.ngram.count, before.ngram.count);
    assert_memory_equal(after.ngram.buckets, before.ngram.buckets, before.ngram.count * 4);
    assert_memory_equal(after.ngram.idf, before.ngram.idf, before.ngram.count * 4);
    assert_memory_equal(after.mean, before.mean, 2 * WIDTH * sizeof(float));
    assert_memory_equal(after.scale, before.scale, 2 * WIDTH * sizeof(float));
    assert_memory_equal(after.fit.labels, before.fit.labels, n * sizeof(int32_t));
    assert_memory_equal(after.fit.sparse.values, before.fit.sparse.values, entries * sizeof(float));
    assert_memory_equal(after.fit.dense.data, before.fit.dense.data, n * 2 * WIDTH * sizeof(float));
    assert_memory_not_equal(after.held.dense.data, before.held.dense.data, 15 * 2 * WIDTH * sizeof(float));
    split_close(&before);
    split_close(&after);
    rows_close(&rows);
}

static void run(struct cross *cross, double *logits)
{
    struct weir_error error = {0};
    struct cross_job jobs[] = {{.l2 = 0.1, .sparse_weight = 1, .dense_weight = 1},
                               {.l2 = 0.01, .sparse_weight = 1, .dense_weight = 1}};
    check_status(cross_run(cross, &both_pools, jobs, 2, logits, &error), WEIR_OK, &error);
}

/* The label of row 7 decides nothing about row 7's own prediction, though it does about others'. */
static void a_rows_label_never_reaches_its_own_prediction(void **state)
{
    (void)state;
    uint64_t random = random_seed();
    struct rows rows;
    struct tune_steps steps = {0};
    struct cross cross;
    struct weir_error error = {0};
    double before[2][ROWS][CLASSES], after[2][ROWS][CLASSES];
    rows_open(&rows, &random);
    check_status(cross_open(&cross, NULL, &rows.table, 5, 1, &steps, &error), WEIR_OK, &error);
    cross.keeps_splits = false; /* so that the second run sees the changed label */
    run(&cross, &before[0][0][0]);
    rows.labels[7] = (rows.labels[7] + 1) % CLASSES;
    run(&cross, &after[0][0][0]);
    for (size_t job = 0; job < 2; job++)
        for (size_t i = 0; i < ROWS; i++) {
            bool same_fold = cross.fold_of_row[i] == cross.fold_of_row[7];
            if (same_fold)
                assert_memory_equal(before[job][i], after[job][i], sizeof before[job][i]);
            else
                assert_memory_not_equal(before[job][i], after[job][i], sizeof before[job][i]);
        }
    assert_int_equal(steps.done, 10);
    cross_close(&cross);
    rows_close(&rows);
}

/* Features that name each row and labels without any pattern: a leak would be near 1, honest folds are near chance. */
static void features_that_memorise_predict_nothing(void **state)
{
    (void)state;
    uint64_t random = random_seed();
    struct rows rows;
    struct tune_steps steps = {0};
    struct cross cross;
    struct weir_error error = {0};
    rows_open(&rows, &random);
    for (size_t i = 0; i < ROWS; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "%zu", i * 7919);
        set_text(&rows, i, text);
        rows.labels[i] = (int32_t)(random_bits(&random) % CLASSES);
    }
    check_status(cross_open(&cross, NULL, &rows.table, 5, 1, &steps, &error), WEIR_OK, &error);
    struct cross_job job = {.l2 = 0.001, .sparse_weight = 1};
    check_status(cross_run(&cross, NULL, &job, 1, NULL, &error), WEIR_OK, &error);
    if (job.measures.accuracy > 0.6) fail_msg("expected about 0.33, found %g", job.measures.accuracy);
    cross_close(&cross);
    rows_close(&rows);
}

static void kept_and_reopened_splits_give_the_same(void **state)
{
    (void)state;
    uint64_t random = random_seed();
    struct rows rows;
    struct tune_steps steps = {0};
    struct cross cross;
    struct weir_error error = {0};
    double kept[2][ROWS][CLASSES], reopened[2][ROWS][CLASSES];
    rows_open(&rows, &random);
    check_status(cross_open(&cross, NULL, &rows.table, 4, 9, &steps, &error), WEIR_OK, &error);
    run(&cross, &kept[0][0][0]);
    run(&cross, &kept[0][0][0]);
    cross.keeps_splits = false;
    run(&cross, &reopened[0][0][0]);
    assert_memory_equal(kept, reopened, sizeof kept);
    cross_close(&cross);
    rows_close(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folds_are_even_and_stratified),
        cmocka_unit_test(a_part_keeps_the_shares_of_the_labels),
        cmocka_unit_test(the_temperature_recovers_a_known_one),
        cmocka_unit_test(the_temperature_stays_in_its_bounds),
        cmocka_unit_test(held_out_rows_leave_no_trace_in_a_split),
        cmocka_unit_test(a_rows_label_never_reaches_its_own_prediction),
        cmocka_unit_test(features_that_memorise_predict_nothing),
        cmocka_unit_test(kept_and_reopened_splits_give_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
