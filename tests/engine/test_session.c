/* Sessions: ids, cutting, following and forking change no logit. */
#include <stdlib.h>

#include "model/tiny_engine.h"
#include "weir/generate.h"

enum { IDS = 60, CTX = 128 };

static float *logits_of(struct weir_engine *engine, const int32_t *ids, size_t count)
{
    struct weir_session *session = NULL;
    struct weir_error error = {0};
    struct weir_model_info info;
    weir_engine_info(engine, &info);
    float *logits = calloc(info.n_vocab, sizeof *logits);
    check_status(weir_session_open(engine, &session, &error), WEIR_OK, &error);
    check_status(weir_session_eval(session, ids, count, false, logits, &error), WEIR_OK, &error);
    weir_session_close(&session);
    return logits;
}

static void check_same(struct weir_session *session, const int32_t *ids, size_t count, const float *expected,
                       size_t n_vocab)
{
    struct weir_error error = {0};
    float *found = calloc(n_vocab, sizeof *found);
    check_status(weir_session_eval(session, ids, count, false, found, &error), WEIR_OK, &error);
    assert_memory_equal(found, expected, n_vocab * sizeof *found);
    free(found);
}

static void cut_and_follow(void **state)
{
    (void)state;
    for (size_t m = 0; m < TINY_MODELS; m++) {
        struct weir_engine *engine = tiny_engine(&tiny_models[m], 2, CTX);
        struct weir_model_info info;
        weir_engine_info(engine, &info);
        struct weir_session *session = NULL;
        struct weir_error error = {0};
        int32_t ids[IDS], other[IDS];
        size_t common = 0;
        tiny_ids(ids, IDS);
        memcpy(other, ids, sizeof ids);
        for (int i = 40; i < IDS; i++) other[i] = (ids[i] + 1) % 256;
        float *expected = logits_of(engine, ids, IDS);
        check_status(weir_session_open(engine, &session, &error), WEIR_OK, &error);
        check_status(weir_session_eval(session, other, IDS, false, NULL, &error), WEIR_OK, &error);
        assert_memory_equal(weir_session_ids(session), other, sizeof other);
        check_status(weir_session_follow(session, ids, IDS, &common, &error), WEIR_OK, &error);
        assert_int_equal(common, 40);
        assert_int_equal(weir_session_length(session), 40);
        check_same(session, ids + 40, IDS - 40, expected, info.n_vocab);
        check_status(weir_session_follow(session, ids, IDS, &common, &error), WEIR_OK, &error);
        assert_int_equal(common, IDS - 1); /* the last one is evaluated again for its logits */
        check_same(session, ids + common, 1, expected, info.n_vocab);
        check_status(weir_session_cut(session, IDS + 1, &error), WEIR_ERR_INVALID, &error);
        check_contains(error.text, "0..60 tokens, not to 61");
        check_status(weir_session_cut(session, 3, &error), WEIR_OK, &error);
        check_same(session, ids + 3, IDS - 3, expected, info.n_vocab);
        free(expected);
        weir_session_close(&session);
        weir_engine_close(&engine);
    }
}

static void forks_share_and_go_their_ways(void **state)
{
    (void)state;
    for (size_t m = 0; m < TINY_MODELS; m++) {
        struct weir_engine *engine = tiny_engine(&tiny_models[m], 2, CTX);
        struct weir_model_info info;
        weir_engine_info(engine, &info);
        struct weir_session *root = NULL, *a = NULL, *b = NULL, *c = NULL;
        struct weir_error error = {0};
        int32_t ids[IDS];
        tiny_ids(ids, IDS);
        float *expected = logits_of(engine, ids, IDS);
        check_status(weir_session_open(engine, &root, &error), WEIR_OK, &error);
        check_status(weir_session_eval(root, ids, 21, false, NULL, &error), WEIR_OK, &error);
        check_status(weir_session_fork(root, &a, &error), WEIR_OK, &error);
        check_status(weir_session_fork(root, &b, &error), WEIR_OK, &error);
        assert_int_equal(weir_session_length(a), 21);
        check_status(weir_session_eval(root, ids, 1, false, NULL, &error), WEIR_ERR_INVALID, &error);
        check_contains(error.text, "forks");
        check_status(weir_session_cut(root, 3, &error), WEIR_ERR_INVALID, &error);
        weir_session_reset(root);
        assert_int_equal(weir_session_length(root), 21);
        check_status(weir_session_eval(a, ids, 30, false, NULL, &error), WEIR_OK, &error); /* elsewhere */
        check_same(b, ids + 21, IDS - 21, expected, info.n_vocab);
        check_status(weir_session_cut(a, 20, &error), WEIR_ERR_INVALID, &error);
        weir_session_reset(a);
        assert_int_equal(weir_session_length(a), 21);
        check_status(weir_session_eval(a, ids + 21, 10, false, NULL, &error), WEIR_OK, &error);
        check_status(weir_session_fork(a, &c, &error), WEIR_OK, &error);
        weir_session_close(&a); /* its memory stays for c */
        weir_session_close(&root);
        check_same(c, ids + 31, IDS - 31, expected, info.n_vocab);
        assert_memory_equal(weir_session_ids(c), ids, sizeof ids);
        weir_session_close(&b);
        weir_session_close(&c);
        free(expected);
        weir_engine_close(&engine);
    }
}

static void a_fork_at_the_end_of_the_context(void **state)
{
    (void)state;
    struct weir_engine *engine = tiny_engine(&tiny_models[0], 1, CTX);
    struct weir_session *root = NULL, *fork = NULL;
    struct weir_error error = {0};
    int32_t ids[CTX];
    tiny_ids(ids, CTX);
    check_status(weir_session_open(engine, &root, &error), WEIR_OK, &error);
    check_status(weir_session_eval(root, ids, CTX, false, NULL, &error), WEIR_OK, &error);
    check_status(weir_session_fork(root, &fork, &error), WEIR_OK, &error);
    check_status(weir_session_eval(fork, ids, 1, false, NULL, &error), WEIR_ERR_TOO_LONG, &error);
    weir_session_close(&fork);
    struct weir_session *forks[40] = {root};
    size_t n = 1;
    while (n < 40 && weir_session_fork(forks[n - 1], &forks[n], &error) == WEIR_OK) n++;
    assert_int_equal(error.status, WEIR_ERR_LIMIT);
    while (n) weir_session_close(&forks[--n]);
    weir_engine_close(&engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cut_and_follow),
                                       cmocka_unit_test(forks_share_and_go_their_ways),
                                       cmocka_unit_test(a_fork_at_the_end_of_the_context)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
