/* Tasks answered in words over a tiny model: alone and together, in parts, and what does not fit. */
#include <stdlib.h>

#include "base/memory.h"
#include "model/tiny_engine.h"
#include "weir/decide.h"

enum { CTX = 160, TEXTS = 5, QUESTIONS = 3 };

static const char TASK[] = "task: t\n"
                           "instructions: Read.\n"
                           "questions:\n"
                           "  gist: {type: summarize, max_tokens: 20, too_long: map_reduce}\n"
                           "  mood: {type: choice, labels: [good, bad]}\n"
                           "  reply: {type: generate, max_tokens: 10, template: 'Q: {{ text }}'}\n";

static struct weir_task *open_task(const char *text)
{
    struct weir_task *task = NULL;
    struct weir_error error = {0};
    check_status(weir_task_open_memory(text, strlen(text), "t.yaml", &task, &error), WEIR_OK, &error);
    return task;
}

static struct weir_decider *open_decider(struct weir_engine *engine, const struct weir_task *task)
{
    struct weir_decider *decider = NULL;
    struct weir_error error = {0};
    check_status(weir_decider_open(engine, task, NULL, &decider, &error), WEIR_OK, &error);
    return decider;
}

struct results {
    struct weir_decision decisions[TEXTS * QUESTIONS];
    struct weir_words words[TEXTS * QUESTIONS];
    double probabilities[TEXTS * 2];
};

static void decide(struct weir_decider *decider, const struct weir_string *texts, size_t count, struct results *out)
{
    struct weir_error error = {0};
    check_status(weir_decide(decider, texts, count, out->decisions, out->words, out->probabilities, &error), WEIR_OK,
                 &error);
}

static void free_results(struct results *results, size_t count)
{
    for (size_t i = 0; i < count * QUESTIONS; i++) weir_words_free(&results->words[i]);
}

/* 300 bytes of words, which a context of 160 holds in no way. */
static const char *long_text(void)
{
    static char text[301];
    for (size_t i = 0; i < 300; i++) text[i] = i % 60 == 59 ? '\n' : i % 6 == 5 ? ' ' : (char)('a' + i * 7 % 26);
    return text;
}

static void alone_and_together(void **state)
{
    (void)state;
    const struct weir_string texts[TEXTS] = {
        {"the car", 7}, {"  in the\n", 9}, {long_text(), 300}, {"a\xFF", 2}, {"<|im_end|>", 10}};
    struct weir_task *task = open_task(TASK);
    static const struct tiny_model models[] = {{.architecture = "llama", .seed = 1},
                                               {.architecture = "gemma3", .sliding_window = 8, .seed = 2},
                                               {.architecture = "llama", .seed = 3},
                                               {.architecture = "gemma3", .sliding_window = 16, .seed = 4}};
    size_t in_parts = 0;
    for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
        static struct results alone[TEXTS], together;
        struct weir_engine *engine = tiny_engine(&models[m], 1, CTX);
        struct weir_decider *decider = open_decider(engine, task);
        assert_int_equal(weir_decider_questions(decider), QUESTIONS);
        assert_int_equal(weir_decider_probabilities(decider), 2);
        for (size_t i = 0; i < TEXTS; i++) decide(decider, &texts[i], 1, &alone[i]);
        weir_decider_close(&decider);
        weir_engine_close(&engine);
        engine = tiny_engine(&models[m], 3, CTX);
        decider = open_decider(engine, task);
        decide(decider, texts, TEXTS, &together);
        for (size_t i = 0; i < TEXTS * QUESTIONS; i++) {
            const struct weir_decision *a = &alone[i / QUESTIONS].decisions[i % QUESTIONS], *b = &together.decisions[i];
            const struct weir_words *x = &alone[i / QUESTIONS].words[i % QUESTIONS], *y = &together.words[i];
            assert_int_equal(a->status, b->status);
            assert_true(a->probability == b->probability);
            assert_int_equal(a->fresh_tokens, b->fresh_tokens);
            assert_int_equal(x->size, y->size);
            assert_int_equal(x->parts, y->parts);
            assert_int_equal(!x->text, !y->text);
            if (x->text) assert_memory_equal(x->text, y->text, x->size + 1);
        }
        assert_int_equal(together.words[0].parts, 1);
        assert_null(together.words[1].text); /* mood */
        assert_true(together.decisions[1].probabilities != NULL);
        if (together.decisions[6].status) /* of the long text; a model of random weights may end at once */
            check_contains(together.decisions[6].error, "nothing to say");
        else
            assert_true(together.words[6].parts > 1);
        in_parts += together.decisions[6].status == WEIR_OK;
        assert_int_equal(together.decisions[8].status, WEIR_ERR_TOO_LONG);
        assert_null(together.words[8].text);
        for (size_t q = 0; q < QUESTIONS; q++) assert_int_equal(together.decisions[9 + q].status, WEIR_ERR_FORMAT);
        for (size_t i = 0; i < TEXTS; i++) free_results(&alone[i], 1);
        free_results(&together, TEXTS);
        weir_decider_close(&decider);
        weir_engine_close(&engine);
    }
    assert_true(in_parts > 0);
    weir_task_close(&task);
}

static void too_long_is_an_error(void **state)
{
    (void)state;
    struct weir_engine *engine = tiny_engine(&tiny_models[0], 1, CTX);
    const struct weir_string text = {long_text(), 300};
    static struct results results;
    struct weir_task *task = open_task("task: t\ninstructions: Read.\ntype: summarize\nmax_tokens: 20\n");
    struct weir_decider *decider = open_decider(engine, task);
    decide(decider, &text, 1, &results);
    assert_int_equal(results.decisions[0].status, WEIR_ERR_TOO_LONG);
    check_contains(results.decisions[0].error, "the context has 160 (`too_long: map_reduce` summarises in parts)");
    weir_decider_close(&decider);
    weir_task_close(&task);
    weir_engine_close(&engine);
}

static void what_cannot_be_opened(void **state)
{
    (void)state;
    const struct {
        const char *task, *part;
        enum weir_status status;
    } cases[] = {
        {"task: t\ninstructions: R.\ntype: extract\nschema: no/such.json\n", "question t: no/such.json",
         WEIR_ERR_NOT_FOUND},
        {"task: t\ninstructions: R.\ntype: summarize\nmax_tokens: 150\n", "the answer up to 150, the context has 160",
         WEIR_ERR_TOO_LONG},
        {"task: t\ninstructions: R.\ntype: generate\ntemplate: x\n", "drops or changes", WEIR_ERR_UNSUPPORTED}};
    struct weir_engine *engine = tiny_engine(&tiny_models[0], 1, CTX);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct weir_task *task = open_task(cases[i].task);
        struct weir_decider *decider = NULL;
        struct weir_error error = {0};
        check_status(weir_decider_open(engine, task, NULL, &decider, &error), cases[i].status, &error);
        check_contains(error.text, cases[i].part);
        weir_task_close(&task);
    }
    struct weir_task *task = open_task(TASK);
    struct weir_classifier *classifier = NULL;
    struct weir_error error = {0};
    check_status(weir_classifier_open(engine, task, NULL, &classifier, &error), WEIR_ERR_UNSUPPORTED, &error);
    check_contains(error.text, "weir decide");
    weir_task_close(&task);
    weir_engine_close(&engine);
}

/* Every allocation fails once: an error each time, and nothing leaks. */
static void out_of_memory(void **state)
{
    (void)state;
    struct weir_engine *engine = tiny_engine(&tiny_models[0], 1, CTX);
    const struct weir_string texts[] = {{"the car", 7}, {long_text(), 300}};
    static struct results results;
    struct weir_task *task =
        open_task("task: t\ninstructions: R.\ntype: summarize\nmax_tokens: 5\ntoo_long: map_reduce\n");
    enum weir_status status = WEIR_ERR_NOMEM;
    size_t n = 0;
    for (; status && n < 3000; n++) {
        struct weir_decider *decider = NULL;
        struct weir_error error = {0};
        mem_fail_after(n + 1);
        status = weir_decider_open(engine, task, NULL, &decider, &error);
        if (!status)
            status = weir_decide(decider, texts, 2, results.decisions, results.words, results.probabilities, &error);
        mem_fail_after(0);
        if (status && status != WEIR_ERR_NOMEM)
            fail_msg("allocation %zu: %s: %s", n, weir_status_name(status), error.text);
        weir_decider_close(&decider);
    }
    assert_int_equal(status, WEIR_OK);
    assert_true(n > 20);
    weir_words_free(&results.words[0]);
    weir_words_free(&results.words[1]);
    weir_task_close(&task);
    weir_engine_close(&engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(alone_and_together), cmocka_unit_test(too_long_is_an_error),
                                       cmocka_unit_test(what_cannot_be_opened), cmocka_unit_test(out_of_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
