/* What families have in common must give the same bits, and what sets them apart must show. */
#include <stdlib.h>

#include "model/tiny_engine.h"

enum { IDS = 40, VOCABULARY_MAX = 512 };

/* Logits of every position of the same ids; also the engine's info. */
static void logits_of(const struct tiny_model *model, unsigned ctx_tokens, float *logits, struct weir_model_info *info)
{
    struct weir_error error = {0};
    struct weir_session *session = NULL;
    int32_t ids[IDS];
    tiny_ids(ids, IDS);
    struct weir_engine *engine = tiny_engine(model, 1, ctx_tokens);
    weir_engine_info(engine, info);
    assert_in_range(info->n_vocab, 1, VOCABULARY_MAX);
    check_status(weir_session_open(engine, &session, &error), WEIR_OK, &error);
    check_status(weir_session_eval(session, ids, IDS, true, logits, &error), WEIR_OK, &error);
    weir_session_close(&session);
    weir_engine_close(&engine);
}

/* Values that differ. */
static size_t differences(const struct tiny_model *a, unsigned ctx_a, const struct tiny_model *b, unsigned ctx_b)
{
    static float logits_a[IDS * VOCABULARY_MAX], logits_b[IDS * VOCABULARY_MAX];
    struct weir_model_info info_a, info_b;
    logits_of(a, ctx_a, logits_a, &info_a);
    logits_of(b, ctx_b, logits_b, &info_b);
    assert_int_equal(info_a.n_vocab, info_b.n_vocab);
    size_t count = 0;
    for (size_t i = 0; i < (size_t)IDS * info_a.n_vocab; i++) count += logits_a[i] != logits_b[i];
    return count;
}

/* qwen2 without its biases is phi3 with its products apart: the fused matrices are read in the right order. */
static void fused_products_are_the_split_ones(void **state)
{
    struct tiny_model phi3 = {.architecture = "phi3", .rotated = 16, .seed = 9};
    struct tiny_model qwen2 = {.architecture = "qwen2", .rotated = 16, .no_bias = true, .seed = 9};
    (void)state;
    assert_int_equal(differences(&phi3, 0, &qwen2, 0), 0);
    qwen2.rotated = 0;
    assert_true(differences(&phi3, 0, &qwen2, 0) > 0);
    qwen2.rotated = 16;
    qwen2.no_bias = false;
    assert_true(differences(&phi3, 0, &qwen2, 0) > 0);
}

/* The context alone decides which factors of longrope hold; the long ones of this model are those of no scaling. */
static void the_context_chooses_longrope_factors(void **state)
{
    struct tiny_model plain = {.architecture = "phi3", .rotated = 16, .seed = 10};
    struct tiny_model longrope = plain;
    (void)state;
    longrope.attn_factor = 1.0f;
    longrope.short_factor = 1.5f;
    assert_int_equal(differences(&plain, 0, &longrope, TINY_CTX_ORIGINAL + 1), 0);
    assert_int_equal(differences(&plain, 0, &longrope, TINY_CTX), 0);
    assert_true(differences(&plain, 0, &longrope, TINY_CTX_ORIGINAL) > 0);
    assert_int_equal(differences(&longrope, IDS, &longrope, TINY_CTX_ORIGINAL), 0);
    assert_int_equal(differences(&longrope, 0, &longrope, TINY_CTX_ORIGINAL), 0);
    struct tiny_model magnified = longrope;
    magnified.attn_factor = 1.19f;
    assert_true(differences(&longrope, TINY_CTX, &magnified, TINY_CTX) > 0);
}

static void info_tells_context_and_scaling(void **state)
{
    static float logits[IDS * VOCABULARY_MAX];
    struct weir_model_info info;
    struct tiny_model model = {.architecture = "phi3", .seed = 11};
    (void)state;
    logits_of(&model, 0, logits, &info);
    assert_string_equal(info.rope_scaling, "none");
    assert_int_equal(info.ctx_tokens, TINY_CTX);
    logits_of(&model, 50, logits, &info);
    assert_int_equal(info.ctx_tokens, 50);
    model.attn_factor = 1.19f;
    model.short_factor = 1.0f;
    logits_of(&model, 0, logits, &info);
    assert_string_equal(info.rope_scaling, "longrope short");
    assert_int_equal(info.ctx_tokens, TINY_CTX_ORIGINAL);
    assert_int_equal(info.ctx_train, TINY_CTX);
    logits_of(&model, TINY_CTX_ORIGINAL + 1, logits, &info);
    assert_string_equal(info.rope_scaling, "longrope long");
    model.rope_scaling = "longrope"; /* written by some converters */
    logits_of(&model, 0, logits, &info);
    assert_string_equal(info.rope_scaling, "longrope short");
}

static void fingerprint_of(const struct tiny_model *model, unsigned ctx_tokens, char hex[65])
{
    struct weir_error error = {0};
    struct weir_engine *engine = tiny_engine(model, 1, ctx_tokens);
    check_status(weir_engine_fingerprint(engine, hex, &error), WEIR_OK, &error);
    weir_engine_close(&engine);
}

/* What was learned with the short factors says nothing about the long ones: another fingerprint refuses the profile. */
static void long_factors_are_another_model(void **state)
{
    struct tiny_model model = {.architecture = "phi3", .attn_factor = 1.19f, .short_factor = 1.0f, .seed = 11};
    struct tiny_model plain = {.architecture = "phi3", .seed = 11};
    char own[65], small[65], large[65];
    (void)state;
    fingerprint_of(&model, 0, own);
    fingerprint_of(&model, TINY_CTX_ORIGINAL / 2, small);
    fingerprint_of(&model, TINY_CTX_ORIGINAL + 1, large);
    assert_string_equal(own, small);
    assert_string_not_equal(own, large);
    fingerprint_of(&plain, 0, own);
    fingerprint_of(&plain, TINY_CTX_ORIGINAL + 1, large);
    assert_string_equal(own, large);
}

/* Of 40 tokens, those beyond the window differ from a model without one, those within do not. */
static void windows_hide_old_keys(void **state)
{
    static const char *const architectures[] = {"gemma2", "phi3"};
    static float wide[IDS * VOCABULARY_MAX], narrow[IDS * VOCABULARY_MAX];
    (void)state;
    for (size_t m = 0; m < sizeof architectures / sizeof *architectures; m++) {
        struct weir_model_info info;
        struct tiny_model model = {.architecture = architectures[m], .sliding_window = TINY_CTX, .seed = 12};
        logits_of(&model, 0, wide, &info);
        model.sliding_window = 8;
        logits_of(&model, 0, narrow, &info);
        size_t first = 8 * (size_t)info.n_vocab;
        assert_memory_equal(wide, narrow, first * sizeof *wide);
        assert_memory_not_equal(wide + first, narrow + first, info.n_vocab * sizeof *wide);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fused_products_are_the_split_ones),
        cmocka_unit_test(the_context_chooses_longrope_factors),
        cmocka_unit_test(long_factors_are_another_model),
        cmocka_unit_test(info_tells_context_and_scaling),
        cmocka_unit_test(windows_hide_old_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
