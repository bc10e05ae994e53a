/* Generation over tiny models of random weights: the same alone, together, at any number of threads; ends, watches, filters. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "model/tiny_engine.h"
#include "weir/generate.h"

enum { CTX = 160, MANY = 7 };

static struct weir_generate_request request_of(struct weir_session *session, const int32_t *ids, size_t count)
{
    return (struct weir_generate_request){
        .session = session, .ids = ids, .count = count, .sampling = weir_sampling_default(), .max_tokens = 20};
}

static struct weir_session *open_session(struct weir_engine *engine)
{
    struct weir_session *session = NULL;
    struct weir_error error = {0};
    check_status(weir_session_open(engine, &session, &error), WEIR_OK, &error);
    return session;
}

static struct weir_generation run_one(struct weir_engine *engine, struct weir_generate_request request,
                                      const struct weir_generate_watch *watch)
{
    struct weir_generation result;
    struct weir_error error = {0};
    struct weir_session *own = request.session ? NULL : open_session(engine);
    if (own) request.session = own;
    check_status(weir_generate(&request, 1, watch, &result, &error), WEIR_OK, &error);
    weir_session_close(&own);
    return result;
}

static void check_same(const struct weir_generation *a, const struct weir_generation *b, size_t n_top)
{
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->finish, b->finish);
    if (a->count) assert_memory_equal(a->ids, b->ids, a->count * sizeof *a->ids);
    if (a->count) assert_memory_equal(a->logprobs, b->logprobs, a->count * sizeof *a->logprobs);
    for (size_t i = 0; i < a->count * n_top; i++) {
        assert_int_equal(a->top[i].id, b->top[i].id);
        assert_true(a->top[i].logprob == b->top[i].logprob);
    }
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->text, b->text, a->size + 1);
}

/* Sequences that differ in everything: prompts of 1 to 300 tokens, greedy and drawn, with and without penalties. */
static void make_requests(struct weir_generate_request *requests, const int32_t *ids, const struct weir_string *stop)
{
    static const size_t counts[MANY] = {1, 100, 5, 40, 33, 2, 90};
    for (size_t i = 0; i < MANY; i++) {
        struct weir_generate_request *r = &requests[i];
        *r = request_of(NULL, ids + i, counts[i]);
        r->max_tokens = i == 3 ? 0 : (uint32_t)(10 + 5 * i);
        r->logprobs = true;
        r->n_top = 3;
        r->sampling.seed = i;
        r->sampling.temperature = i % 2 ? 1.5 : 0;
        r->sampling.top_k = i == 5 ? 20 : 0;
        r->sampling.repeat_penalty = i == 4 || i == 1 ? 1.4 : 1;
        r->sampling.frequency_penalty = i == 6 ? 0.5 : 0;
        r->stops = stop;
        r->n_stops = i == 2;
    }
}

static void alone_and_together(void **state)
{
    (void)state;
    static const struct weir_string stop = {"a", 1};
    int32_t ids[CTX];
    tiny_ids(ids, CTX);
    for (size_t m = 0; m < TINY_MODELS; m++) {
        struct weir_generation alone[MANY], together[MANY];
        struct weir_generate_request requests[MANY];
        make_requests(requests, ids, &stop);
        struct weir_engine *engine = tiny_engine(&tiny_models[m], 1, CTX);
        for (size_t i = 0; i < MANY; i++) alone[i] = run_one(engine, requests[i], NULL);
        weir_engine_close(&engine);
        for (unsigned threads = 1; threads <= 3; threads++) {
            struct weir_error error = {0};
            engine = tiny_engine(&tiny_models[m], threads, CTX);
            for (size_t i = 0; i < MANY; i++) requests[i].session = open_session(engine);
            check_status(weir_generate(requests, MANY, NULL, together, &error), WEIR_OK, &error);
            for (size_t i = 0; i < MANY; i++) {
                check_same(&alone[i], &together[i], 3);
                weir_generation_free(&together[i]);
                weir_session_close(&requests[i].session);
            }
            weir_engine_close(&engine);
        }
        for (size_t i = 0; i < MANY; i++) weir_generation_free(&alone[i]);
    }
}

/* What the model says of each token, computed from sessions alone. */
static void log_probabilities_are_the_models(void **state)
{
    (void)state;
    struct weir_engine *engine = tiny_engine(&tiny_models[0], 2, CTX);
    struct weir_model_info info;
    weir_engine_info(engine, &info);
    struct weir_error error = {0};
    int32_t ids[8];
    tiny_ids(ids, 8);
    struct weir_generate_request request = request_of(NULL, ids, 8);
    const struct weir_logit_bias bias = {17, 30};
    request.sampling.temperature = 2;
    request.sampling.repeat_penalty = 1.5;
    request.sampling.bias = &bias;
    request.sampling.n_bias = 1;
    request.logprobs = true;
    request.n_top = 2;
    struct weir_generation result = run_one(engine, request, NULL);
    struct weir_session *session = open_session(engine);
    float *logits = calloc(info.n_vocab, sizeof *logits);
    double sum_of_logs = 0;
    check_status(weir_session_eval(session, ids, 8, false, logits, &error), WEIR_OK, &error);
    for (size_t i = 0; i < result.count; i++) {
        double sum = 0;
        for (uint32_t v = 0; v < info.n_vocab; v++) sum += exp((double)logits[v]);
        double expected = (double)logits[result.ids[i]] - log(sum);
        if (!(fabs(result.logprobs[i] - expected) < 1e-4))
            fail_msg("token %zu: %.9g, expected %.9g", i, result.logprobs[i], expected);
        assert_true(result.top[2 * i].logprob >= result.top[2 * i + 1].logprob);
        assert_true(result.top[2 * i].logprob >= result.logprobs[i]);
        sum_of_logs += result.logprobs[i];
        check_status(weir_session_eval(session, &result.ids[i], 1, false, logits, &error), WEIR_OK, &error);
    }
    assert_true(result.count > 0);
    assert_true(fabs(weir_generation_confidence(&result) - exp(sum_of_logs / (double)result.count)) < 1e-12);
    free(logits);
    weir_session_close(&session);
    weir_generation_free(&result);
    weir_engine_close(&engine);
}

/* ---- streaming and ends ---- */

struct heard {
    char text[4096];
    size_t size, calls, go_ons;
    size_t calls_max, go_ons_max; /* 0: as many as there are */
};

/* Well-formed UTF-8 from a strict reading of RFC 3629's ranges for two-byte and longer leads. */
static bool is_whole(const char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        unsigned char lead = (unsigned char)text[i];
        size_t n = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
        if (!n || i + n > size) return false;
        for (size_t k = 1; k < n; k++)
            if (((unsigned char)text[i + k] & 0xC0) != 0x80) return false;
        i += n;
    }
    return true;
}

static bool hear(void *context, size_t sequence, const char *text, size_t size)
{
    struct heard *heard = context;
    assert_int_equal(sequence, 0);
    assert_true(size > 0 && is_whole(text, size));
    assert_true(heard->size + size <= sizeof heard->text);
    memcpy(heard->text + heard->size, text, size);
    heard->size += size;
    return ++heard->calls != heard->calls_max;
}

static bool go_on(void *context)
{
    struct heard *heard = context;
    return heard->go_ons++ != heard->go_ons_max || !heard->go_ons_max;
}

static void text_is_streamed_whole(void **state)
{
    (void)state;
    int32_t ids[30];
    tiny_ids(ids, 30);
    for (size_t m = 0; m < TINY_MODELS; m++)
        for (uint64_t seed = 0; seed < 20; seed++) {
            struct weir_engine *engine = tiny_engine(&tiny_models[m], 1, CTX);
            struct heard heard = {.size = 0};
            struct weir_generate_watch watch = {hear, go_on, &heard};
            struct weir_generate_request request = request_of(NULL, ids + seed % 20, 3);
            request.max_tokens = 60;
            request.sampling.temperature = 4; /* bytes of all kinds, most of them no UTF-8 */
            request.sampling.seed = seed;
            struct weir_generation result = run_one(engine, request, &watch);
            assert_int_equal(heard.size, result.size);
            assert_memory_equal(heard.text, result.text, result.size);
            assert_true(is_whole(result.text, result.size));
            assert_int_equal(result.text[result.size], 0);
            weir_generation_free(&result);
            weir_engine_close(&engine);
        }
}

/* Every piece of the text that a greedy run gives, taken as stop string, ends the text before it, and no part of it is shown. */
static void any_part_of_the_text_stops_it(void **state)
{
    (void)state;
    struct weir_engine *engine = tiny_engine(&tiny_models[0], 2, CTX);
    const int32_t ids[] = {'a', 'b', 'c'};
    struct weir_generate_request request = request_of(NULL, ids, 3);
    request.max_tokens = 12;
    request.sampling.temperature = 1;
    struct weir_generation whole = run_one(engine, request, NULL);
    size_t stopped = 0;
    for (size_t at = 0; at < whole.size; at++)
        for (size_t size = 1; at + size <= whole.size; size++) {
            if (!is_whole(whole.text + at, size)) continue;
            struct weir_string stops[] = {{"\x01\x02", 2}, {whole.text + at, size}};
            struct heard heard = {.size = 0};
            struct weir_generate_watch watch = {hear, NULL, &heard};
            request.stops = stops;
            request.n_stops = 2;
            struct weir_generation result = run_one(engine, request, &watch);
            const char *first = memmem(whole.text, whole.size, whole.text + at, size);
            if (result.finish != WEIR_FINISH_STOP || result.stop_index != 1 ||
                result.size != (size_t)(first - whole.text))
                fail_msg("stop of %zu bytes at %zu: %s, text of %zu bytes", size, at, weir_finish_name(result.finish),
                         result.size);
            assert_memory_equal(result.text, whole.text, result.size);
            assert_int_equal(heard.size, result.size);
            weir_generation_free(&result);
            stopped++;
        }
    assert_true(stopped > 20);
    weir_generation_free(&whole);
    weir_engine_close(&engine);
}

static void an_end_token_ends_it(void **state)
{
    (void)state;
    struct weir_engine *engine = tiny_engine(&tiny_models[0], 1, CTX);
    int32_t ids[4], end = weir_tokenizer_eos(weir_engine_tokenizer(engine));
    tiny_ids(ids, 4);
    const struct weir_logit_bias always = {end, 1000}, never = {end, -INFINITY};
    struct weir_generate_request request = request_of(NULL, ids, 4);
    request.sampling.bias = &always;
    request.sampling.n_bias = 1;
    struct weir_generation result = run_one(engine, request, NULL);
    assert_int_equal(result.finish, WEIR_FINISH_STOP);
    assert_int_equal(result.stop_index, 0);
    assert_int_equal(result.count, 0);
    assert_string_equal(result.text, "");
    assert_true(weir_generation_confidence(&result) == 0);
    weir_generation_free(&result);
    request.sampling.bias = &never;
    result = run_one(engine, request, NULL);
    assert_int_equal(result.finish, WEIR_FINISH_LENGTH);
    assert_int_equal(result.count, 20);
    weir_generation_free(&result);
    weir_engine_close(&engine);
}

static void the_context_ends_it(void **state)
{
    (void)state;
    enum { SMALL_CTX = 40 };
    struct weir_engine *engine = tiny_engine(&tiny_models[1], 1, SMALL_CTX);
    int32_t ids[SMALL_CTX + 1], end = weir_tokenizer_eos(weir_engine_tokenizer(engine));
    tiny_ids(ids, SMALL_CTX + 1);
    const struct weir_logit_bias never = {end, -INFINITY};
    for (size_t count = 1; count <= SMALL_CTX; count += 13) {
        struct weir_generate_request request = request_of(open_session(engine), ids, count);
        request.max_tokens = 0;
        request.sampling.bias = &never;
        request.sampling.n_bias = 1;
        struct weir_generation result = run_one(engine, request, NULL);
        assert_int_equal(result.finish, WEIR_FINISH_CONTEXT);
        assert_int_equal(result.count,
                         SMALL_CTX - count + 1); /* the last one is chosen, but there is no room to go on */
        assert_int_equal(weir_session_length(request.session), SMALL_CTX);
        weir_generation_free(&result);
        weir_session_close(&request.session);
    }
    struct weir_generate_request request = request_of(open_session(engine), ids, SMALL_CTX + 1);
    struct weir_generation result;
    struct weir_error error = {0};
    check_status(weir_generate(&request, 1, NULL, &result, &error), WEIR_ERR_TOO_LONG, &error);
    check_contains(error.text, "41 more do not fit a context of 40");
    assert_int_equal(weir_session_length(request.session), 0);
    weir_session_close(&request.session);
    weir_engine_close(&engine);
}

static void the_watch_ends_it(void **state)
{
    (void)state;
    struct weir_engine *engine = tiny_engine(&tiny_models[0], 1, 1024);
    int32_t ids[600];
    tiny_ids(ids, 600);
    struct heard heard = {.calls_max = 3};
    struct weir_generate_watch watch = {hear, go_on, &heard};
    struct weir_generate_request request = request_of(NULL, ids, 600);
    struct weir_generation result = run_one(engine, request, &watch);
    assert_int_equal(result.finish, WEIR_FINISH_CANCELLED);
    assert_int_equal(heard.calls, 3);
    assert_int_equal(heard.size, result.size);
    weir_generation_free(&result);
    heard = (struct heard){.go_ons_max = 1}; /* within the prompt, whose 600 tokens take three passes */
    request.session = open_session(engine);
    result = run_one(engine, request, &watch);
    assert_int_equal(result.finish, WEIR_FINISH_CANCELLED);
    assert_int_equal(result.count, 0);
    assert_int_equal(weir_session_length(request.session), 256);
    weir_generation_free(&result);
    weir_session_close(&request.session);
    weir_engine_close(&engine);
}

/* ---- filters ---- */

struct only_digits {
    size_t accepted, ends_after;
    int32_t end;
};

static enum weir_status digits_mask(void *context, uint32_t *bits, size_t n_vocab, struct weir_error *error)
{
    (void)error;
    struct only_digits *digits = context;
    assert_true(n_vocab > 256);
    if (digits->accepted == digits->ends_after) {
        bits[digits->end >> 5] |= 1u << (digits->end & 31);
        return WEIR_OK;
    }
    for (int32_t id = '0'; id <= '9'; id++) /* a byte's id is its value */
        bits[id >> 5] |= 1u << (id & 31);
    return WEIR_OK;
}

static enum weir_status digits_accept(void *context, int32_t id, struct weir_error *error)
{
    (void)error;
    struct only_digits *digits = context;
    assert_true(id == digits->end || (id >= '0' && id <= '9'));
    digits->accepted++;
    return WEIR_OK;
}

static void a_filter_rules(void **state)
{
    (void)state;
    struct weir_engine *engine = tiny_engine(&tiny_models[0], 1, CTX);
    int32_t ids[4];
    tiny_ids(ids, 4);
    struct only_digits digits = {.ends_after = 6, .end = weir_tokenizer_eos(weir_engine_tokenizer(engine))};
    struct weir_token_filter filter = {digits_mask, digits_accept, &digits};
    struct weir_generate_request request = request_of(NULL, ids, 4);
    request.filter = &filter;
    request.logprobs = true;
    request.sampling.temperature = 1;
    struct weir_generation result = run_one(engine, request, NULL);
    assert_int_equal(result.finish, WEIR_FINISH_STOP);
    assert_int_equal(result.count, 6);
    assert_int_equal(strspn(result.text, "0123456789"), 6);
    for (size_t i = 0; i < result.count; i++)
        assert_true(result.logprobs[i] < -0.5); /* of the model, not of ten digits */
    weir_generation_free(&result);
    weir_engine_close(&engine);
}

/* ---- refusals ---- */

static void wrong_requests(void **state)
{
    (void)state;
    struct weir_engine *engine = tiny_engine(&tiny_models[0], 1, CTX);
    struct weir_session *session = open_session(engine);
    const int32_t ids[] = {1, 2, 3}, beyond[] = {1, 99999};
    const struct weir_string empty = {"", 0}, cut = {"\xC3", 1};
    const struct weir_generate_request good = request_of(session, ids, 3);
    struct weir_generate_request cases[6] = {good, good, good, good, good, good};
    cases[0].count = 0;
    cases[1].ids = beyond;
    cases[1].count = 2;
    cases[2].stops = &empty;
    cases[2].n_stops = 1;
    cases[3].stops = &cut;
    cases[3].n_stops = 1;
    cases[4].n_top = WEIR_GENERATE_TOP_MAX + 1;
    cases[5].sampling.top_p = 2;
    const struct {
        enum weir_status status;
        const char *part;
    } expected[] = {{WEIR_ERR_INVALID, "at least one token"}, {WEIR_ERR_INVALID, "found 99999"},
                    {WEIR_ERR_INVALID, "is empty"},           {WEIR_ERR_INVALID, "not UTF-8"},
                    {WEIR_ERR_LIMIT, "at most 100"},          {WEIR_ERR_INVALID, "top_p is 2"}};
    struct weir_generation result[2];
    struct weir_error error = {0};
    for (size_t i = 0; i < 6; i++) {
        check_status(weir_generate(&cases[i], 1, NULL, result, &error), expected[i].status, &error);
        check_contains(error.text, expected[i].part);
    }
    struct weir_generate_request twice[] = {good, good};
    check_status(weir_generate(twice, 2, NULL, result, &error), WEIR_ERR_INVALID, &error);
    check_contains(error.text, "same session");
    check_status(weir_generate(twice, 0, NULL, result, &error), WEIR_ERR_LIMIT, &error);
    assert_int_equal(weir_session_length(session), 0);
    weir_session_close(&session);
    weir_engine_close(&engine);
}

/* Every allocation of a run fails once: an error each time, nothing leaks, and the session still works. */
static void out_of_memory(void **state)
{
    (void)state;
    struct weir_engine *engine = tiny_engine(&tiny_models[0], 1, CTX);
    int32_t ids[10];
    tiny_ids(ids, 10);
    struct weir_generate_request request = request_of(NULL, ids, 10);
    request.logprobs = true;
    request.n_top = 2;
    request.sampling.temperature = 1;
    request.sampling.repeat_penalty = 1.2;
    request.max_tokens = 5;
    struct weir_generation expected = run_one(engine, request, NULL), result;
    request.session = open_session(engine);
    enum weir_status status = WEIR_ERR_NOMEM;
    size_t n = 0;
    while (status) {
        struct weir_error error = {0};
        weir_session_reset(request.session);
        mem_fail_after(++n);
        status = weir_generate(&request, 1, NULL, &result, &error);
        mem_fail_after(0);
        if (status && status != WEIR_ERR_NOMEM)
            fail_msg("allocation %zu: %s: %s", n, weir_status_name(status), error.text);
        assert_true(n < 200);
    }
    assert_true(n > 5);
    check_same(&expected, &result, 2);
    weir_generation_free(&expected);
    weir_generation_free(&result);
    weir_session_close(&request.session);
    weir_engine_close(&engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alone_and_together),     cmocka_unit_test(log_probabilities_are_the_models),
        cmocka_unit_test(text_is_streamed_whole), cmocka_unit_test(any_part_of_the_text_stops_it),
        cmocka_unit_test(an_end_token_ends_it),   cmocka_unit_test(the_context_ends_it),
        cmocka_unit_test(the_watch_ends_it),      cmocka_unit_test(a_filter_rules),
        cmocka_unit_test(wrong_requests),         cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
