/* Independent labels, zero-shot: each is answered as if it were the only one, in whatever order and company. */
#include <math.h>

#include "check.h"
#include "model/tiny_engine.h"
#include "weir/classify.h"

#define HEAD "task: t\ninstructions: Sort it.\ntype: choice\nmulti: true\n"

enum { ROWS = 3, LABELS_MAX = 3 };

static const char *const texts[ROWS] = {"the card is late", "", "77?"};

static void answer(struct weir_engine *engine, const char *text, struct weir_decision decisions[ROWS],
                   double p[ROWS * LABELS_MAX])
{
    struct weir_task *task = NULL;
    struct weir_classifier *classifier = NULL;
    struct weir_error error = {0};
    struct weir_string rows[ROWS];
    for (size_t i = 0; i < ROWS; i++) rows[i] = (struct weir_string){texts[i], strlen(texts[i])};
    check_status(weir_task_open_memory(text, strlen(text), "t.yaml", &task, &error), WEIR_OK, &error);
    check_status(weir_classifier_open(engine, task, NULL, &classifier, &error), WEIR_OK, &error);
    check_status(weir_classify(classifier, rows, ROWS, decisions, p, &error), WEIR_OK, &error);
    weir_classifier_close(&classifier);
    weir_task_close(&task);
}

static void order_and_company_change_nothing(void **state)
{
    (void)state;
    static const size_t there[] = {2, 0}; /* of card and money among the three */
    struct weir_decision two[ROWS], three[ROWS];
    double p[ROWS * LABELS_MAX], q[ROWS * LABELS_MAX], spread = 0;
    struct weir_engine *engine = tiny_engine(&tiny_models[0], 1, 0);
    answer(engine, HEAD "labels: {card: Cards, money: Sent}\n", two, p);
    answer(engine, HEAD "labels: {money: Sent, rate: '', card: Cards}\n", three, q);
    for (size_t i = 0; i < ROWS * 2; i++) {
        double alone = p[i], beside = q[i / 2 * 3 + there[i % 2]];
        if (memcmp(&alone, &beside, sizeof alone) != 0)
            fail_msg("row %zu, label %zu: %a of two labels, %a of three", i / 2, i % 2, alone, beside);
        spread = fmax(spread, fabs(alone - 0.5));
    }
    assert_true(spread > 1e-4); /* the texts do something */
    weir_engine_close(&engine);
}

/* The same as asking a yesno question about the label, which is what it is defined as. */
static void a_label_is_a_question_of_its_own(void **state)
{
    (void)state;
    struct weir_decision multi[ROWS], yesno[ROWS];
    double p[ROWS * LABELS_MAX], q[ROWS * LABELS_MAX];
    struct weir_engine *engine = tiny_engine(&tiny_models[0], 1, 0);
    answer(engine, HEAD "labels: {card: Cards, money: Sent}\n", multi, p);
    answer(engine,
           "task: t\ntype: yesno\nscoring: names\n"
           "instructions: \"Sort it.\\n\\nCategory: money: Sent\\nDoes this category apply to the message?\"\n",
           yesno, q);
    for (size_t row = 0; row < ROWS; row++) {
        if (fabs(p[row * 2 + 1] - q[row * 2]) > 1e-12)
            fail_msg("row %zu: %.17g as a label, %.17g as a question", row, p[row * 2 + 1], q[row * 2]);
        double set = 1;
        for (size_t k = 0; k < 2; k++) set *= fmax(p[row * 2 + k], 1 - p[row * 2 + k]);
        assert_true(fabs(multi[row].probability - set) < 1e-12);
        assert_true(p[row * 2 + multi[row].label] >= p[row * 2 + 1 - multi[row].label]);
    }
    weir_engine_close(&engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(order_and_company_change_nothing),
                                       cmocka_unit_test(a_label_is_a_question_of_its_own)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
