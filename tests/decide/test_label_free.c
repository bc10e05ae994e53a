/* Calibration without labels: its steps against the classifier that answers by them, and against their definition. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "check.h"
#include "decide/scorers.h"
#include "model/tiny_engine.h"
#include "weir/classify.h"
#include "weir/label_free.h"

#define HEAD "task: t\ninstructions: Sort it.\ntype: choice\nscoring: codes\n"
#define LABELS_TEXT "labels: [card, transfer, money, other, late]\n"

enum { LABELS = 5, ROTATIONS = 3 };

static const char *const texts[] = {"the card is late", "a", "\xff", "N/A", "car 77?", "where is my money"};
enum { TEXTS = sizeof texts / sizeof *texts, UNREADABLE = 2 };

static struct weir_task *open_task(const char *text)
{
    struct weir_task *task = NULL;
    struct weir_error error = {0};
    check_status(weir_task_open_memory(text, strlen(text), "t.yaml", &task, &error), WEIR_OK, &error);
    return task;
}

static void fill_rows(struct weir_string rows[TEXTS])
{
    for (size_t i = 0; i < TEXTS; i++) rows[i] = (struct weir_string){texts[i], strlen(texts[i])};
}

/* What weir_classify answers for a task; prior NULL: the neutral one. */
static void classified(struct weir_engine *engine, const char *text, const struct weir_string *prior,
                       size_t prior_count, double p[TEXTS * LABELS])
{
    struct weir_error error = {0};
    struct weir_task *task = open_task(text);
    struct weir_classifier *classifier = NULL;
    struct weir_string rows[TEXTS];
    struct weir_decision decisions[TEXTS];
    fill_rows(rows);
    check_status(weir_classifier_open(engine, task, NULL, &classifier, &error), WEIR_OK, &error);
    if (prior) check_status(weir_classifier_set_prior(classifier, prior, prior_count, &error), WEIR_OK, &error);
    check_status(weir_classify(classifier, rows, TEXTS, decisions, p, &error), WEIR_OK, &error);
    for (size_t i = 0; i < TEXTS; i++)
        assert_int_equal(decisions[i].status, i == UNREADABLE ? WEIR_ERR_FORMAT : WEIR_OK);
    weir_classifier_close(&classifier);
    weir_task_close(&task);
}

static void check_rows(const char *what, const double *found, const double *expected)
{
    for (size_t i = 0; i < TEXTS * LABELS; i++)
        if (!(fabs(found[i] - expected[i]) <= 1e-9))
            fail_msg("%s, row %zu, label %zu: expected %.17g, found %.17g", what, i / LABELS, i % LABELS, expected[i],
                     found[i]);
}

static struct weir_label_free *opened(struct weir_engine *engine, const struct weir_question *question,
                                      size_t rotations)
{
    struct weir_error error = {0};
    struct weir_label_free *lf = NULL;
    struct weir_string rows[TEXTS];
    const struct weir_label_free_options options = {.rotations = rotations};
    fill_rows(rows);
    check_status(weir_label_free_open(engine, question, rows, TEXTS, &options, &lf, &error), WEIR_OK, &error);
    for (size_t i = 0; i < TEXTS; i++) assert_int_equal(weir_label_free_is_answered(lf, i), i != UNREADABLE);
    return lf;
}

/* Each step is what a task with that many rotations and that prior answers. */
static void steps_are_what_classify_does(void **state)
{
    (void)state;
    static const char *const tasks[] = {HEAD LABELS_TEXT, HEAD LABELS_TEXT "rotations: 3\n"};
    static const struct weir_string none = {"", 0};
    struct weir_string own[TEXTS];
    fill_rows(own);
    for (size_t m = 0; m < 2; m++) {
        struct weir_engine *engine = tiny_engine(&tiny_models[m], 1, 0);
        struct weir_task *task = open_task(tasks[0]);
        struct weir_label_free *lf = opened(engine, weir_task_question(task, 0), ROTATIONS);
        assert_int_equal(weir_label_free_rotations(lf), ROTATIONS);
        for (int i = 0; i < 6; i++) {
            double found[TEXTS * LABELS], expected[TEXTS * LABELS];
            struct weir_label_free_step step = {.is_rotated = i >= 3, .prior = (enum weir_label_prior)(i % 3)};
            const struct weir_string *prior = step.prior == WEIR_LABEL_PRIOR_NEUTRAL ? NULL
                                              : step.prior == WEIR_LABEL_PRIOR_OWN   ? own
                                                                                     : &none;
            char what[32];
            (void)snprintf(what, sizeof what, "model %zu, step %d", m, i);
            weir_label_free_answers(lf, &step, false, found);
            classified(engine, tasks[i >= 3], prior, prior == own ? TEXTS : 0, expected);
            check_rows(what, found, expected);
        }
        weir_label_free_close(&lf);
        weir_task_close(&task);
        weir_engine_close(&engine);
    }
}

/* The mean answer to the rows, once divided by, leaves the same mean for every label where each row carries one order's answer: checked by its
 * definition, sum over rows of p / prior before normalising. */
static void own_prior_is_the_mean_answer(void **state)
{
    (void)state;
    struct weir_engine *engine = tiny_engine(&tiny_models[0], 1, 0);
    struct weir_task *task = open_task(HEAD LABELS_TEXT);
    struct weir_label_free *lf = opened(engine, weir_task_question(task, 0), 1);
    const struct weir_label_free_step raw = {false, WEIR_LABEL_PRIOR_NONE}, divided = {false, WEIR_LABEL_PRIOR_OWN};
    double before[TEXTS * LABELS], after[TEXTS * LABELS], mean[LABELS] = {0}, expected[TEXTS * LABELS] = {0};
    weir_label_free_answers(lf, &raw, false, before);
    weir_label_free_answers(lf, &divided, false, after);
    for (size_t i = 0; i < TEXTS * LABELS; i++) mean[i % LABELS] += before[i] / (TEXTS - 1);
    for (size_t row = 0; row < TEXTS; row++) {
        double sum = 0;
        for (size_t k = 0; k < LABELS; k++) sum += before[row * LABELS + k] / mean[k];
        for (size_t k = 0; k < LABELS && row != UNREADABLE; k++)
            expected[row * LABELS + k] = before[row * LABELS + k] / mean[k] / sum;
    }
    check_rows("own prior", after, expected);
    weir_label_free_close(&lf);
    weir_task_close(&task);
    weir_engine_close(&engine);
}

/* Listing the labels backwards in the task gives what `reversed` says, label for label. */
static void reversed_is_a_task_with_its_labels_backwards(void **state)
{
    (void)state;
    struct weir_engine *engine = tiny_engine(&tiny_models[0], 1, 0);
    struct weir_task *task = open_task(HEAD LABELS_TEXT);
    struct weir_label_free *lf = opened(engine, weir_task_question(task, 0), 1);
    const struct weir_label_free_step step = {false, WEIR_LABEL_PRIOR_NEUTRAL};
    double found[TEXTS * LABELS], backwards[TEXTS * LABELS], expected[TEXTS * LABELS], forwards[TEXTS * LABELS];
    weir_label_free_answers(lf, &step, true, found);
    weir_label_free_answers(lf, &step, false, forwards);
    classified(engine, HEAD "labels: [late, other, money, transfer, card]\n", NULL, 0, backwards);
    for (size_t i = 0; i < TEXTS * LABELS; i++) expected[i] = backwards[i / LABELS * LABELS + LABELS - 1 - i % LABELS];
    check_rows("backwards", found, expected);
    assert_true(memcmp(found, forwards, sizeof found) != 0); /* the order does something, or nothing was tested */
    weir_label_free_close(&lf);
    weir_task_close(&task);
    weir_engine_close(&engine);
}

static void orders_are_rotations(void **state)
{
    (void)state;
    size_t order[LABELS];
    static const size_t expected[2][LABELS] = {{3, 4, 0, 1, 2}, {1, 0, 4, 3, 2}};
    for (int reversed = 0; reversed < 2; reversed++) {
        rotation_order(LABELS, LABELS, 3, reversed, order);
        for (size_t i = 0; i < LABELS; i++) assert_int_equal(order[i], expected[reversed][i]);
    }
    for (size_t rotation = 0; rotation < ROTATIONS; rotation++) { /* starts are spread over the labels */
        rotation_order(LABELS, ROTATIONS, rotation, false, order);
        assert_int_equal(order[0], rotation * LABELS / ROTATIONS);
    }
}

/* After each failure nothing is left behind (the sanitizers look) and the engine works on. */
static void allocations_may_fail(void **state)
{
    (void)state;
    struct weir_engine *engine = tiny_engine(&tiny_models[0], 1, 0);
    struct weir_task *task = open_task("task: t\ninstructions: x\ntype: yesno\n");
    struct weir_classifier *classifier = NULL;
    const struct weir_string row = {"a", 1};
    const struct weir_label_free_options options = {.rotations = 1};
    enum weir_status status = WEIR_ERR_NOMEM, prior = WEIR_ERR_NOMEM;
    struct weir_error error = {0};
    check_status(weir_classifier_open(engine, task, NULL, &classifier, &error), WEIR_OK, &error);
    for (size_t n = 1; status || prior; n += n < 100 ? 1 : n / 4) {
        struct weir_label_free *lf = NULL;
        assert_true(n < 10000000);
        mem_fail_after(n);
        status = weir_label_free_open(engine, weir_task_question(task, 0), &row, 1, &options, &lf, &error);
        mem_fail_after(0);
        if (status) check_status(status, WEIR_ERR_NOMEM, &error);
        mem_fail_after(n);
        prior = weir_classifier_set_prior(classifier, &row, 1, &error);
        mem_fail_after(0);
        if (prior) check_status(prior, WEIR_ERR_NOMEM, &error);
        weir_label_free_close(&lf);
    }
    weir_classifier_close(&classifier);
    weir_task_close(&task);
    weir_engine_close(&engine);
}

static void bad_requests_are_refused(void **state)
{
    (void)state;
    struct weir_error error = {0};
    struct weir_label_free *lf = NULL;
    struct weir_engine *engine = tiny_engine(&tiny_models[0], 1, 0);
    struct weir_task *task = open_task(HEAD LABELS_TEXT);
    struct weir_classifier *classifier = NULL;
    const struct weir_string bad = {"\xff", 1};
    const struct weir_label_free_options many = {.rotations = LABELS + 1};
    check_status(weir_label_free_open(engine, weir_task_question(task, 0), &bad, 1, &many, &lf, &error),
                 WEIR_ERR_INVALID, &error);
    assert_string_equal(error.text, "question t: 6 rotations of 5 labels");
    check_status(weir_classifier_open(engine, task, NULL, &classifier, &error), WEIR_OK, &error);
    check_status(weir_classifier_set_prior(classifier, &bad, 1, &error), WEIR_ERR_INVALID, &error);
    assert_string_equal(error.text, "the label prior: none of the 1 texts can be read");
    weir_classifier_close(&classifier);
    weir_task_close(&task);
    weir_engine_close(&engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_what_classify_does),
        cmocka_unit_test(own_prior_is_the_mean_answer),
        cmocka_unit_test(reversed_is_a_task_with_its_labels_backwards),
        cmocka_unit_test(orders_are_rotations),
        cmocka_unit_test(allocations_may_fail),
        cmocka_unit_test(bad_requests_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
