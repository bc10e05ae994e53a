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
    check_status(tiny_engine_try(model, 1, ctx_tokens, WEIR_KV_F16, &engine, &error), expected, &error);
    assert_null(engine);
    check_contains(error.text, part);
}

static void unknown_architecture(void **state)
{
    (void)state;
    check_model(&(struct tiny_model){.architecture = "mamba9"}, 0, WEIR_ERR_UNSUPPORTED, "\"mamba9\"");
    check_model(&(struct tiny_model){.architecture = "mamba9"}, 0, WEIR_ERR_UNSUPPORTED,
                "llama, gemma2, gemma3, phi3, qwen2, qwen3");
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

/* Tensors of a family beside those that every family here has. */
struct family_tensors {
    const char *architecture;
    const char *names[8]; /* up to the first NULL */
};

static const struct family_tensors every_family = {NULL,
                                                   {"token_embd.weight", "blk.0.attn_norm.weight",
                                                    "blk.0.ffn_norm.weight", "blk.0.attn_output.weight",
                                                    "blk.1.ffn_down.weight", "output_norm.weight"}};
static const struct family_tensors split_products = {NULL,
                                                     {"blk.1.attn_q.weight", "blk.0.attn_k.weight",
                                                      "blk.1.attn_v.weight", "blk.0.ffn_gate.weight",
                                                      "blk.1.ffn_up.weight"}};
static const struct family_tensors families[] = {
    {"gemma2", {"blk.0.post_attention_norm.weight", "blk.1.post_ffw_norm.weight"}},
    {"gemma3",
     {"blk.1.attn_q_norm.weight", "blk.0.attn_k_norm.weight", "blk.0.post_attention_norm.weight",
      "blk.1.post_ffw_norm.weight"}},
    {"phi3", {"blk.0.attn_qkv.weight", "blk.1.ffn_up.weight"}},
    {"qwen2", {"blk.0.attn_q.bias", "blk.1.attn_k.bias", "blk.0.attn_v.bias"}},
    {"qwen3", {"blk.0.attn_q_norm.weight", "blk.1.attn_k_norm.weight"}},
};

static void check_tensors(struct tiny_model model, const char *const *names)
{
    for (size_t i = 0; i < 8 && names[i]; i++) {
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
    for (size_t m = 0; m < TINY_MODELS; m++) {
        check_tensors(tiny_models[m], every_family.names);
        if (strcmp(tiny_models[m].architecture, "phi3") != 0) check_tensors(tiny_models[m], split_products.names);
        for (size_t i = 0; i < sizeof families / sizeof *families; i++)
            if (!strcmp(families[i].architecture, tiny_models[m].architecture))
                check_tensors(tiny_models[m], families[i].names);
    }
}

static void values_that_are_no_numbers(void **state)
{
    static const char *const names[] = {"blk.1.attn_norm.weight", "output_norm.weight", "blk.0.attn_k.bias"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct tiny_model model = {.architecture = "qwen2", .infinite = names[i], .seed = 1};
        check_model(&model, 0, WEIR_ERR_FORMAT, names[i]);
        check_model(&model, 0, WEIR_ERR_FORMAT, "expected a finite number, found inf");
    }
}

/* A tensor that the architecture does not have: another family's. */
static void extra_tensors(void **state)
{
    (void)state;
    for (size_t m = 0; m < TINY_MODELS; m++) {
        struct tiny_model model = tiny_models[m];
        model.extra = "blk.0.attn_q_bias.weight";
        check_model(&model, 0, WEIR_ERR_UNSUPPORTED, model.extra);
    }
}

/* What longrope needs, and factors that would divide by zero. */
static void longrope(void **state)
{
    static const char *const keys[] = {"phi3.rope.scaling.original_context_length", "phi3.rope.scaling.attn_factor",
                                       "rope_factors_long.weight", "rope_factors_short.weight"};
    struct tiny_model model = {.architecture = "phi3", .attn_factor = 1.0f, .short_factor = 1.0f, .seed = 1};
    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        model.left_out = keys[i];
        check_model(&model, 0, WEIR_ERR_FORMAT, keys[i]);
    }
    model.left_out = NULL;
    model.widened = "rope_factors_long.weight";
    check_model(&model, 0, WEIR_ERR_FORMAT, model.widened);
    model.widened = NULL;
    model.short_factor = 0.0f;
    check_model(&model, 0, WEIR_ERR_FORMAT, "rope_factors_short.weight: factor 0: expected more than 0, found 0");
    model.short_factor = -0.25f;
    check_model(&model, 0, WEIR_ERR_FORMAT, "found -0.25");
    model = (struct tiny_model){.architecture = "phi3", .rope_scaling = "longrope", .seed = 1};
    check_model(&model, 0, WEIR_ERR_FORMAT, "phi3.rope.scaling.original_context_length");
    model = (struct tiny_model){.architecture = "llama", .attn_factor = 1.0f, .short_factor = 1.0f, .seed = 1};
    check_model(&model, 0, WEIR_ERR_UNSUPPORTED, "rope_factors_long.weight");
}

static void rope_scaling(void **state)
{
    (void)state;
    for (size_t m = 0; m < TINY_MODELS; m++) {
        struct tiny_model model = tiny_models[m];
        model.rope_scaling = "yarn";
        check_model(&model, 0, WEIR_ERR_UNSUPPORTED, "rope scaling \"yarn\"");
        model.rope_scaling = "linear";
        check_model(&model, 0, WEIR_ERR_FORMAT, "rope.scaling.factor is missing");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(session_unchanged),
        cmocka_unit_test(unknown_architecture),
        cmocka_unit_test(missing_key),
        cmocka_unit_test(context_beyond_the_model),
        cmocka_unit_test(missing_or_misshapen_tensors),
        cmocka_unit_test(values_that_are_no_numbers),
        cmocka_unit_test(extra_tensors),
        cmocka_unit_test(longrope),
        cmocka_unit_test(rope_scaling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
