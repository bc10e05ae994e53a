/* Zero-shot probabilities against the plain way to get them: every answer appended to its prompt in a session of its own. */
#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "decide/zeroshot.h"
#include "model/tiny_engine.h"

enum { LABELS_MAX = 8, VOCABULARY_MAX = 512 };

static const char *const texts[] = {"the card is late", "a", "", "N/A", "car \n\n 77?"};
static const char *const neutral_texts[] = {"N/A", "...", "?", "none"}; /* docs/decide.md */
enum { TEXTS = sizeof texts / sizeof *texts, NEUTRAL_TEXTS = sizeof neutral_texts / sizeof *neutral_texts };

struct answers {
    struct weir_tokens ids[LABELS_MAX];
    size_t count;
};

/* Labels after the plain format's lead-in, each with EOS where one begins another. */
static void make_answers(const struct weir_engine *engine, const struct weir_question *question, struct answers *out)
{
    struct weir_error error = {0};
    bool needs_end = false;
    out->count = question->n_labels;
    assert_in_range(out->count, 2, LABELS_MAX);
    for (size_t i = 0; i < out->count; i++) {
        char text[64];
        bool is_codes = question->scoring == WEIR_SCORING_CODES;
        int size = is_codes ? snprintf(text, sizeof text, "%c", (char)('A' + i))
                            : snprintf(text, sizeof text, "%s", question->labels[i].name);
        check_status(weir_tokenize(engine->tokenizer, text, (size_t)size, 0, &out->ids[i], &error), WEIR_OK, &error);
    }
    for (size_t i = 0; i < out->count; i++)
        for (size_t j = 0; j < out->count; j++)
            needs_end |= i != j && out->ids[i].count <= out->ids[j].count &&
                         !memcmp(out->ids[i].ids, out->ids[j].ids, out->ids[i].count * sizeof(int32_t));
    int32_t end = weir_tokenizer_eos(engine->tokenizer);
    for (size_t i = 0; needs_end && i < out->count; i++)
        check_status(tokens_append(&out->ids[i], &end, 1, &error), WEIR_OK, &error);
}

/* log of the share of answer `a`'s token `at` among all tokens that can follow there. */
static double step(const struct answers *answers, size_t a, size_t at, const float *logits)
{
    bool seen[VOCABULARY_MAX] = {false};
    double sum = 0;
    for (size_t i = 0; i < answers->count; i++) {
        const struct weir_tokens *other = &answers->ids[i];
        if (other->count <= at || memcmp(other->ids, answers->ids[a].ids, at * sizeof(int32_t)) != 0) continue;
        int32_t token = other->ids[at];
        if (!seen[token]) sum += exp((double)logits[token]);
        seen[token] = true;
    }
    return (double)logits[answers->ids[a].ids[at]] - log(sum);
}

static void raw_probabilities(struct weir_engine *engine, const struct zeroshot *z, const struct answers *answers,
                              const char *text, double *out)
{
    struct weir_error error = {0};
    struct weir_tokens row = {0};
    float logits[VOCABULARY_MAX];
    check_status(zeroshot_tokenize(z, (struct weir_string){text, strlen(text)}, &row, &error), WEIR_OK, &error);
    for (size_t a = 0; a < answers->count; a++) {
        struct weir_session *session = NULL;
        double log_p = 0;
        check_status(weir_session_open(engine, &session, &error), WEIR_OK, &error);
        check_status(weir_session_eval(session, z->tokens.shared.ids, z->tokens.n_settled, false, NULL, &error),
                     WEIR_OK, &error);
        check_status(weir_session_eval(session, row.ids, row.count, false, logits, &error), WEIR_OK, &error);
        for (size_t at = 0; at < answers->ids[a].count; at++) {
            log_p += step(answers, a, at, logits);
            check_status(weir_session_eval(session, &answers->ids[a].ids[at], 1, false, logits, &error), WEIR_OK,
                         &error);
        }
        out[a] = exp(log_p);
        weir_session_close(&session);
    }
    weir_tokens_free(&row);
}

static void check_near(double found, double expected, const char *what, size_t label)
{
    if (!(fabs(found - expected) <= 1e-9))
        fail_msg("%s, label %zu: expected %.17g, found %.17g", what, label, expected, found);
}

static void mean_of_neutral_texts(struct weir_engine *engine, const struct zeroshot *z, const struct answers *answers,
                                  double *prior)
{
    double raw[LABELS_MAX];
    for (size_t i = 0; i < answers->count; i++) prior[i] = 0;
    for (size_t t = 0; t < NEUTRAL_TEXTS; t++) {
        raw_probabilities(engine, z, answers, neutral_texts[t], raw);
        for (size_t i = 0; i < answers->count; i++) prior[i] += raw[i] / (double)NEUTRAL_TEXTS;
    }
}

static void check_text(struct weir_engine *engine, struct zeroshot *z, const struct answers *answers,
                       const double *prior, const char *text)
{
    struct weir_error error = {0};
    struct weir_tokens row = {0};
    double raw[LABELS_MAX], found[LABELS_MAX], sum = 0, total = 0;
    raw_probabilities(engine, z, answers, text, raw);
    for (size_t i = 0; i < answers->count; i++) {
        total += raw[i];
        sum += raw[i] / prior[i];
    }
    check_near(total, 1, "sum of the answers", 0);
    check_status(zeroshot_tokenize(z, (struct weir_string){text, strlen(text)}, &row, &error), WEIR_OK, &error);
    engine_lock(engine);
    check_status(zeroshot_decide(z, &row, 1, found, NULL, &error), WEIR_OK, &error);
    engine_unlock(engine);
    for (size_t i = 0; i < answers->count; i++) check_near(found[i], raw[i] / prior[i] / sum, text, i);
    weir_tokens_free(&row);
}

static void check_task(const char *path)
{
    for (size_t m = 0; m < TINY_MODELS; m++) {
        struct weir_error error = {0};
        struct weir_task *task = NULL;
        struct zeroshot *z = NULL;
        struct answers answers = {0};
        double prior[LABELS_MAX];
        struct weir_engine *engine = tiny_engine(&tiny_models[m], 1, 0);
        check_status(weir_task_open(path, &task, &error), WEIR_OK, &error);
        const struct weir_question *question = weir_task_question(task, 0);
        make_answers(engine, question, &answers);
        check_status(zeroshot_open(engine, question, &z, &error), WEIR_OK, &error);
        mean_of_neutral_texts(engine, z, &answers, prior);
        for (size_t i = 0; i < answers.count; i++) check_near(exp(z->log_prior[i]), prior[i], "prior", i);
        assert_true(fabs(prior[0] - prior[1]) > 1e-6); /* it does divide something out */
        for (size_t t = 0; t < TEXTS; t++) check_text(engine, z, &answers, prior, texts[t]);
        for (size_t i = 0; i < answers.count; i++) weir_tokens_free(&answers.ids[i]);
        zeroshot_close(&z);
        weir_task_close(&task);
        weir_engine_close(&engine);
    }
}

static void codes_divided_by_their_prior(void **state)
{
    (void)state;
    check_task(WEIR_TEST_DATA "/e2e/tiny.yaml");
}

static void names_divided_by_their_prior(void **state)
{
    (void)state;
    check_task(WEIR_TEST_DATA "/e2e/names.yaml");
}

/* Labels in pairs that part at their last letter: every letter before it is a token of the pass. */
static struct weir_task *task_of_long_names(const char *scoring)
{
    enum { PAIRS = 26 };
    char text[4096] = "";
    size_t size = 0;
    struct weir_task *task = NULL;
    struct weir_error error = {0};
    size +=
        (size_t)snprintf(text, sizeof text, "task: t\ninstructions: x\ntype: choice\nscoring: %s\nlabels:\n", scoring);
    for (int i = 0; i < 2 * PAIRS; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "- %cqzjxvkwqz%c\n", 'a' + i / 2, 'a' + i % 2);
    check_status(weir_task_open_memory(text, size, "t.yaml", &task, &error), WEIR_OK, &error);
    return task;
}

static void auto_takes_codes_where_names_do_not_fit(void **state)
{
    (void)state;
    enum { LONG_LABELS = 52 };
    double p[2][LONG_LABELS];
    struct weir_error error = {0};
    struct weir_engine *engine = tiny_engine(&tiny_models[0], 1, 2048);
    static const char *const scorings[] = {"names", "auto", "codes"};
    for (int i = 0; i < 3; i++) {
        struct zeroshot *z = NULL;
        struct weir_tokens row = {0};
        struct weir_task *task = task_of_long_names(scorings[i]);
        enum weir_status status = zeroshot_open(engine, weir_task_question(task, 0), &z, &error);
        check_status(status, i ? WEIR_OK : WEIR_ERR_LIMIT, &error);
        if (i == 0) {
            check_contains(error.text, "use `scoring: codes`");
        } else {
            assert_int_equal(z->scoring, WEIR_SCORING_CODES);
            check_status(zeroshot_tokenize(z, (struct weir_string){"car", 3}, &row, &error), WEIR_OK, &error);
            engine_lock(engine);
            check_status(zeroshot_decide(z, &row, 1, p[i - 1], NULL, &error), WEIR_OK, &error);
            engine_unlock(engine);
        }
        weir_tokens_free(&row);
        zeroshot_close(&z);
        weir_task_close(&task);
    }
    assert_memory_equal(p[0], p[1], sizeof p[0]);
    weir_engine_close(&engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_divided_by_their_prior),
        cmocka_unit_test(names_divided_by_their_prior),
        cmocka_unit_test(auto_takes_codes_where_names_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
