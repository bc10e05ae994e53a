/* What sessions and the loader refuse, and that a refusal names its reason and changes nothing. */
#include <stdlib.h>

#include "model/tiny_engine.h"

enum { CTX = 20, VOCABULARY_MAX = 512 };

static void check_refused(struct weir_session *session, const int32_t *ids, size_t count, enum weir_status expected,
                          const char *part)
{
    struct weir_error error = {0};
    size_t length = weir_session_length(session);
    check_status(weir_session_eval(session, ids, count, false, NULL, &error), expected, &error);
    check_contains(error.text, part);
    assert_int_equal(weir_session_length(session), length);
}

/* A session that refused three calls goes on as one that never saw them. */
static void session_unchanged(void **state)
{
    int32_t ids[CTX + 1], wrong[3] = {1, 2, 0};
    float found[VOCABULARY_MAX], expected[VOCABULARY_MAX];
    (void)state;
    tiny_ids(ids, CTX + 1);
    for (size_t m = 0; m < TINY_MODELS; m++) {
        struct weir_error error = {0};
        struct weir_model_info info;
        struct weir_session *session = NULL, *fresh = NULL;
        struct weir_engine *engine = tiny_engine(&tiny_models[m], 1, CTX);
        weir_engine_info(engine, &info);
        assert_in_range(info.n_vocab, 1, VOCABULARY_MAX);
        check_status(weir_session_open(engine, &session, &error), WEIR_OK, &error);
        check_status(weir_session_open(engine, &fresh, &error), WEIR_OK, &error);
        check_status(weir_session_eval(session, ids, 11, false, NULL, &error), WEIR_OK, &error);
        wrong[2] = (int32_t)info.n_vocab;
        check_refused(session, wrong, 3, WEIR_ERR_INVALID, "token 2");
        wrong[2] = -1;
        check_refused(session, wrong, 3, WEIR_ERR_INVALID, "found -1");
        check_refused(session, ids + 11, CTX - 11 + 1, WEIR_ERR_TOO_LONG, "context of 20");
        check_status(weir_session_eval(session, ids + 11, CTX - 11, false, found, &error), WEIR_OK, &error);
        check_refused(session, ids, 1, WEIR_ERR_TOO_LONG, "context of 20");
        check_status(weir_session_eval(fresh, ids, CTX, false, expected, &error), WEIR_OK, &error);
        assert_memory_equal(found, expected, info.n_vocab * sizeof *found);
        weir_session_close(&session);
        weir_session_close(&fresh);
        weir_engine_close(&engine);
    }
}

static void check_model(const struct tiny_model *model, unsigned ctx_tokens, enum weir_status expected,
                        const char *part)
{
    struct weir_error error = {0};
    struct weir_engine *engine = NULL;
    check_status(tiny_engine_try(model, 1, ctx_tokens, &engine, &error), expected, &error);
    assert_null(engine);
    check_contains(error.text, part);
}

static void unknown_architecture(void **state)
{
    (void)state;
    check_model(&(struct tiny_model){.architecture = "mamba9"}, 0, WEIR_ERR_UNSUPPORTED, "\"mamba9\"");
}

static void missing_key(void **state)
{
    (void)state;
    check_model(&(struct tiny_model){.architecture = "gemma3"}, 0, WEIR_ERR_FORMAT, "gemma3.attention.sliding_window");
}

static void context_beyond_the_model(void **state)
{
    (void)state;
    check_model(&tiny_models[0], TINY_CTX + 1, WEIR_ERR_TOO_LONG, "2049");
}

static const char *const llama_tensors[] = {
    "token_embd.weight",        "blk.0.attn_norm.weight", "blk.1.attn_q.weight",   "blk.0.attn_k.weight",
    "blk.1.attn_v.weight",      "blk.0.ffn_norm.weight",  "blk.0.ffn_gate.weight", "blk.1.ffn_up.weight",
    "blk.0.attn_output.weight", "blk.1.ffn_down.weight",  "output_norm.weight"};
static const char *const gemma_tensors[] = {"blk.1.attn_q_norm.weight", "blk.0.attn_k_norm.weight",
                                            "blk.0.post_attention_norm.weight", "blk.1.post_ffw_norm.weight"};

static void check_tensors(struct tiny_model model, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        model.left_out = names[i];
        model.widened = NULL;
        check_model(&model, 0, WEIR_ERR_FORMAT, names[i]);
        model.left_out = NULL;
        model.widened = names[i];
        check_model(&model, 0, WEIR_ERR_FORMAT, names[i]);
    }
}

static void missing_or_misshapen_tensors(void **state)
{
    (void)state;
    check_tensors(tiny_models[0], llama_tensors, sizeof llama_tensors / sizeof *llama_tensors);
    check_tensors(tiny_models[1], llama_tensors, sizeof llama_tensors / sizeof *llama_tensors);
    check_tensors(tiny_models[1], gemma_tensors, sizeof gemma_tensors / sizeof *gemma_tensors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(session_unchanged),
        cmocka_unit_test(unknown_architecture),
        cmocka_unit_test(missing_key),
        cmocka_unit_test(context_beyond_the_model),
        cmocka_unit_test(missing_or_misshapen_tensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
