/* Engines and sessions short of memory: a clean ERR_NOMEM, nothing leaked (the address sanitizer tells), nothing changed. */
#include <stdlib.h>

#include "fault/fault.h"

enum { TOKENS = 300, FIRST = 200 }; /* the second call outgrows a session's first room of 256 tokens */

static void open_starved(const struct tiny_model *model, bool no_tokenizer)
{
    char path[64];
    fault_save(model, path);
    struct weir_engine_options options = weir_engine_options_default();
    options.threads = 2;
    options.no_tokenizer = no_tokenizer;
    struct starve s = starve_begin(1);
    while (starve_goes_on(&s)) {
        struct weir_engine *engine = NULL;
        struct weir_error error = {0};
        enum weir_status status = weir_engine_open(path, &options, &engine, &error);
        starve_end(&s);
        check_round(&s, status, &error);
        if (status) assert_null(engine);
        weir_engine_close(&engine);
    }
    check_rounds_ended(&s, 40);
    (void)unlink(path);
}

static void an_engine_opens_or_says_no_memory(void **state)
{
    (void)state;
    open_starved(&fault_llama, false);
    open_starved(&fault_gemma3, false);
}

static void so_does_one_without_a_tokenizer(void **state)
{
    (void)state;
    open_starved(&fault_llama, true);
}

static void a_session_opens_or_says_no_memory(void **state)
{
    (void)state;
    struct weir_engine *engine = fault_engine(&fault_gemma3);
    struct starve s = starve_begin(1);
    while (starve_goes_on(&s)) {
        struct weir_session *session = NULL;
        struct weir_error error = {0};
        enum weir_status status = weir_session_open(engine, &session, &error);
        starve_end(&s);
        check_round(&s, status, &error);
        if (status) assert_null(session);
        weir_session_close(&session);
    }
    check_rounds_ended(&s, 2);
    weir_engine_close(&engine);
}

/* `logits`: [n_vocab] of the last of `count` ids, from a session that memory was never short for. */
static void expect(struct weir_engine *engine, const int32_t *ids, size_t count, float *logits)
{
    struct weir_session *session = NULL;
    struct weir_error error = {0};
    check_status(weir_session_open(engine, &session, &error), WEIR_OK, &error);
    check_status(weir_session_eval(session, ids, count, false, logits, &error), WEIR_OK, &error);
    weir_session_close(&session);
}

/* One round: FIRST tokens, then the rest without memory, then the rest again. */
static void eval_starved(struct weir_engine *engine, const int32_t *ids, const float *expected, size_t n_vocab,
                         struct starve *s)
{
    struct weir_session *session = NULL;
    struct weir_error error = {0};
    float *found = malloc(n_vocab * sizeof *found);
    assert_non_null(found);
    check_status(weir_session_open(engine, &session, &error), WEIR_OK, &error);
    check_status(weir_session_eval(session, ids, FIRST, false, NULL, &error), WEIR_OK, &error);
    assert_true(starve_goes_on(s));
    enum weir_status status = weir_session_eval(session, ids + FIRST, TOKENS - FIRST, false, found, &error);
    starve_end(s);
    check_round(s, status, &error);
    assert_int_equal(weir_session_length(session), status ? FIRST : TOKENS);
    if (status)
        check_status(weir_session_eval(session, ids + FIRST, TOKENS - FIRST, false, found, &error), WEIR_OK, &error);
    assert_memory_equal(found, expected, n_vocab * sizeof *found);
    weir_session_close(&session);
    free(found);
}

static void a_session_short_of_memory_is_as_it_was(void **state)
{
    (void)state;
    const struct tiny_model *models[] = {&fault_llama, &fault_gemma3};
    for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
        struct weir_engine *engine = fault_engine(models[m]);
        struct weir_model_info info;
        weir_engine_info(engine, &info);
        int32_t ids[TOKENS];
        for (int i = 0; i < TOKENS; i++) ids[i] = (int32_t)(i * 37 % (int)info.n_vocab);
        float *expected = malloc(info.n_vocab * sizeof *expected);
        assert_non_null(expected);
        expect(engine, ids, TOKENS, expected);
        struct starve s = starve_begin(1);
        do eval_starved(engine, ids, expected, info.n_vocab, &s);
        while (s.has_failed);
        check_rounds_ended(&s, 1);
        free(expected);
        weir_engine_close(&engine);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_engine_opens_or_says_no_memory),
        cmocka_unit_test(so_does_one_without_a_tokenizer),
        cmocka_unit_test(a_session_opens_or_says_no_memory),
        cmocka_unit_test(a_session_short_of_memory_is_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
