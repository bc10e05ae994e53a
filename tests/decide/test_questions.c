/* Several questions about one text: each is answered, and learned, as if it were the only one. */
#include <stdlib.h>

#include "check.h"
#include "model/tiny_engine.h"
#include "weir/classify.h"
#include "weir/tune.h"

#define KIND "  kind:\n    type: choice\n    scoring: names\n    labels: [card, money]\n"
#define LEVEL "  level:\n    type: score\n    levels: [1, 2, 3]\n"
#define URGENT "  urgent:\n    type: yesno\n"
#define HEAD "task: t\ninstructions: Sort it.\nquestions:\n"

enum { ROWS = 30, QUESTIONS = 3, LABELS = 7, TEXT_MAX = 40 };

static const char *const alone[QUESTIONS] = {HEAD KIND, HEAD LEVEL, HEAD URGENT};
static const size_t labels[QUESTIONS] = {2, 3, 2}, offsets[QUESTIONS] = {0, 2, 5};

struct rows {
    char bytes[ROWS][TEXT_MAX];
    struct weir_string texts[ROWS];
    int32_t labels[ROWS][QUESTIONS]; /* of kind, level; urgent stays zero-shot */
};

static void make_rows(struct rows *rows)
{
    static const char *const words[] = {"card", "money", "late", "the", "rate"};
    for (size_t i = 0; i < ROWS; i++) {
        int size = snprintf(rows->bytes[i], TEXT_MAX, "%s %s %s", words[i % 2], words[i % 3 + 2], words[i * i % 5]);
        rows->texts[i] = (struct weir_string){rows->bytes[i], (size_t)size};
        rows->labels[i][0] = (int32_t)(i % 2);
        rows->labels[i][1] = (int32_t)(i % 3);
        rows->labels[i][2] = -1;
    }
    rows->bytes[4][1] = (char)0xff; /* an error row, labelled for nothing */
    rows->labels[4][0] = rows->labels[4][1] = -1;
}

static struct weir_task *open_task(const char *text)
{
    struct weir_task *task = NULL;
    struct weir_error error = {0};
    check_status(weir_task_open_memory(text, strlen(text), "t.yaml", &task, &error), WEIR_OK, &error);
    return task;
}

/* Tunes the questions that rows are labelled for ([count, questions of the task]); NULL when there is none. */
static struct weir_profile *tuned(struct weir_engine *engine, const struct weir_task *task, const struct rows *rows,
                                  const int32_t *given)
{
    struct weir_profile *profile = NULL;
    struct weir_error error = {0};
    struct weir_tune_options options = weir_tune_options_default();
    size_t questions = weir_task_question_count(task), count = 0, learned = 0;
    struct weir_string texts[ROWS];
    int32_t kept[ROWS * QUESTIONS];
    options.folds = 2;
    options.threads = 1;
    for (size_t i = 0; i < ROWS; i++) { /* tuning takes no row that is not UTF-8 */
        if (i == 4) continue;
        texts[count] = rows->texts[i];
        memcpy(kept + count++ * questions, given + i * questions, questions * sizeof *kept);
        for (size_t q = 0; q < questions; q++) learned += given[i * questions + q] >= 0;
    }
    if (!learned) return NULL;
    struct weir_tune_rows tune_rows = {.texts = texts, .labels = kept, .count = count};
    check_status(weir_tune(engine, task, &tune_rows, &options, &profile, &error), WEIR_OK, &error);
    return profile;
}

static void classify(struct weir_engine *engine, const struct weir_task *task, const struct weir_profile *profile,
                     const struct rows *rows, struct weir_decision *decisions, double *probabilities)
{
    struct weir_classifier *classifier = NULL;
    struct weir_error error = {0};
    check_status(weir_classifier_open(engine, task, profile, &classifier, &error), WEIR_OK, &error);
    check_status(weir_classify(classifier, rows->texts, ROWS, decisions, probabilities, &error), WEIR_OK, &error);
    weir_classifier_close(&classifier);
}

static void check_question(struct weir_engine *engine, const struct rows *rows, size_t q,
                           const struct weir_decision *all, const double *all_probabilities)
{
    struct weir_task *task = open_task(alone[q]);
    struct weir_decision decisions[ROWS];
    double probabilities[ROWS * LABELS];
    int32_t given[ROWS];
    for (size_t i = 0; i < ROWS; i++) given[i] = rows->labels[i][q];
    struct weir_profile *profile = tuned(engine, task, rows, given);
    assert_int_equal(profile != NULL, q != 2);
    classify(engine, task, profile, rows, decisions, probabilities);
    for (size_t i = 0; i < ROWS; i++) {
        const struct weir_decision *one = &decisions[i], *of_all = &all[i * QUESTIONS + q];
        if (one->status != of_all->status || one->label != of_all->label)
            fail_msg("question %zu, row %zu: alone %s, label %zu; with others %s, label %zu", q, i,
                     weir_status_name(one->status), one->label, weir_status_name(of_all->status), of_all->label);
        assert_int_equal(one->status, i == 4 ? WEIR_ERR_FORMAT : WEIR_OK);
        assert_int_equal(one->fresh_tokens, of_all->fresh_tokens);
        for (size_t l = 0; l < labels[q]; l++) {
            double expected = probabilities[i * labels[q] + l], found = all_probabilities[i * LABELS + offsets[q] + l];
            if (memcmp(&found, &expected, sizeof found) != 0)
                fail_msg("question %zu, row %zu, label %zu: alone %a, with others %a", q, i, l, expected, found);
        }
    }
    weir_profile_close(&profile);
    weir_task_close(&task);
}

/* Two tuned questions, whose hidden states are read once, and one zero-shot. */
static void company_changes_no_answer(void **state)
{
    (void)state;
    static struct rows rows;
    make_rows(&rows);
    for (size_t m = 0; m < 2; m++) { /* llama, and gemma3 with its windows */
        struct weir_engine *engine = tiny_engine(&tiny_models[m], 1, 0);
        struct weir_task *task = open_task(HEAD KIND LEVEL URGENT);
        struct weir_profile *profile = tuned(engine, task, &rows, &rows.labels[0][0]);
        struct weir_decision decisions[ROWS * QUESTIONS];
        double probabilities[ROWS * LABELS];
        assert_non_null(profile);
        classify(engine, task, profile, &rows, decisions, probabilities);
        for (size_t q = 0; q < QUESTIONS; q++) check_question(engine, &rows, q, decisions, probabilities);
        weir_profile_close(&profile);
        weir_task_close(&task);
        weir_engine_close(&engine);
    }
}

/* The same questions backwards and under other names: the task's order and what its questions are called is bookkeeping. */
#define BACKWARDS                                                                \
    HEAD "  a:\n    type: yesno\n  b:\n    type: score\n    levels: [1, 2, 3]\n" \
         "  c:\n    type: choice\n    scoring: names\n    labels: [card, money]\n"

static void order_and_names_change_no_answer(void **state)
{
    (void)state;
    static const size_t there[QUESTIONS] = {2, 1, 0}, offsets_there[QUESTIONS] = {5, 2, 0};
    static struct rows rows, turned;
    make_rows(&rows);
    make_rows(&turned);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t q = 0; q < QUESTIONS; q++) turned.labels[i][there[q]] = rows.labels[i][q];
    struct weir_engine *engine = tiny_engine(&tiny_models[0], 1, 0);
    struct weir_task *tasks[] = {open_task(HEAD KIND LEVEL URGENT), open_task(BACKWARDS)};
    struct weir_profile *profiles[] = {tuned(engine, tasks[0], &rows, &rows.labels[0][0]),
                                       tuned(engine, tasks[1], &turned, &turned.labels[0][0])};
    struct weir_decision decisions[2][ROWS * QUESTIONS];
    double probabilities[2][ROWS * LABELS];
    for (int t = 0; t < 2; t++) classify(engine, tasks[t], profiles[t], &rows, decisions[t], probabilities[t]);
    for (size_t i = 0; i < ROWS * QUESTIONS; i++) {
        size_t row = i / QUESTIONS, q = i % QUESTIONS;
        const struct weir_decision *one = &decisions[0][i], *other = &decisions[1][row * QUESTIONS + there[q]];
        if (one->status != other->status || one->label != other->label || one->fresh_tokens != other->fresh_tokens)
            fail_msg("row %zu, question %zu: label %zu of %zu tokens, in another order label %zu of %zu", row, q,
                     one->label, one->fresh_tokens, other->label, other->fresh_tokens);
        for (size_t l = 0; l < labels[q]; l++) {
            double a = probabilities[0][row * LABELS + offsets[q] + l];
            double b = probabilities[1][row * LABELS + offsets_there[q] + l];
            if (memcmp(&a, &b, sizeof a) != 0)
                fail_msg("row %zu, question %zu, label %zu: %a, in another order %a", row, q, l, a, b);
        }
    }
    for (int t = 0; t < 2; t++) {
        weir_profile_close(&profiles[t]);
        weir_task_close(&tasks[t]);
    }
    weir_engine_close(&engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(company_changes_no_answer),
                                       cmocka_unit_test(order_and_names_change_no_answer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
