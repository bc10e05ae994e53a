/* Masks against bytes: at every place of an output, a token is in the mask exactly when its bytes can stand there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "weir/constrain.h"

struct fixture {
    struct weir_tokenizer *tokenizer;
    struct weir_vocabulary *vocabulary;
};

static int open_fixture(void **state)
{
    static struct fixture f;
    struct weir_gguf *gguf = NULL;
    struct weir_error error = {0};
    if (weir_gguf_open(WEIR_TEST_DATA "/tokenizer/cut.gguf", &gguf, &error) ||
        weir_tokenizer_open(gguf, &f.tokenizer, &error) || weir_vocabulary_open(f.tokenizer, &f.vocabulary, &error))
        fail_msg("%s", error.text);
    weir_gguf_close(&gguf);
    *state = &f;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *f = *state;
    weir_vocabulary_close(&f->vocabulary);
    weir_tokenizer_close(&f->tokenizer);
    return 0;
}

/* Whether the token's bytes can stand where the matcher stands, tried on a copy. */
static bool can_stand(const struct fixture *f, const struct weir_matcher *matcher, int32_t token)
{
    struct weir_string text = weir_token_text(f->tokenizer, token);
    enum weir_token_kind kind = weir_token_kind(f->tokenizer, token);
    struct weir_matcher *copy = NULL;
    struct weir_error error = {0};
    size_t done = 0;
    if (token == weir_tokenizer_eos(f->tokenizer)) return weir_matcher_is_complete(matcher);
    if (text.size == 0 || (kind != WEIR_TOKEN_NORMAL && kind != WEIR_TOKEN_BYTE)) return false;
    assert_int_equal(weir_matcher_copy(matcher, &copy, &error), WEIR_OK);
    assert_int_equal(weir_matcher_accept_bytes(copy, text.data, text.size, &done, &error), WEIR_OK);
    weir_matcher_close(&copy);
    return done == text.size;
}

static void compare_here(const struct fixture *f, const char *schema, struct weir_matcher *matcher, size_t at)
{
    struct weir_error error = {0};
    const uint32_t *mask;
    size_t size = weir_vocabulary_size(f->vocabulary);
    for (int round = 0; round < 2; round++) { /* the second one from the cache */
        assert_int_equal(weir_matcher_mask(matcher, &mask, &error), WEIR_OK);
        for (size_t t = 0; t < size; t++) {
            bool bit = mask[t / 32] >> (t % 32) & 1;
            if (bit != can_stand(f, matcher, (int32_t)t))
                fail_msg("%s at byte %zu, round %d: token %zu: the mask says %d, its bytes %d", schema, at, round, t,
                         bit, !bit);
            if (round && bit && t > 40) t += 6; /* the same again: a sample is enough */
        }
    }
}

static void compare_along(const struct fixture *f, const char *schema, const char *instance, bool compact)
{
    struct weir_constrain_options options = weir_constrain_options_defaults();
    struct weir_constraint *constraint = NULL;
    struct weir_matcher *matcher = NULL;
    struct weir_error error = {0};
    size_t size = strlen(instance), done;
    options.compact = compact;
    if (weir_constraint_open(schema, strlen(schema), f->vocabulary, &options, &constraint, &error))
        fail_msg("%s: %s", schema, error.text);
    assert_int_equal(weir_matcher_open(constraint, &matcher, &error), WEIR_OK);
    for (size_t i = 0; i < size; i++) {
        compare_here(f, schema, matcher, i);
        assert_int_equal(weir_matcher_accept_bytes(matcher, instance + i, 1, &done, &error), WEIR_OK);
        if (done != 1) fail_msg("%s: byte %zu of %s is not allowed", schema, i, instance);
    }
    compare_here(f, schema, matcher, size);
    assert_true(weir_matcher_is_complete(matcher));
    weir_matcher_close(&matcher);
    weir_constraint_close(&constraint);
}

static void masks_are_what_bytes_say(void **state)
{
    static const struct {
        const char *schema, *instance;
    } cases[] = {
        {"true", "{\"a\":[1.5,true,\"x\\u00e9\"]}"},
        {"{\"type\":\"string\"}", "\"a\\\"\xc3\xa9\\ud83d\\ude00\""},
        {"{\"type\":\"string\",\"minLength\":3,\"maxLength\":5}", "\"abcd\""},
        {"{\"type\":\"string\",\"pattern\":\"^[a-z]+( [a-z]+)*$\",\"maxLength\":9}", "\"the end\""},
        {"{\"type\":\"string\",\"pattern\":\"and\"}", "\"x and\""},
        {"{\"enum\":[\"the\",\"then\",\"\\u00e9\\n\",12,null]}", "\"then\""},
        {"{\"type\":\"integer\",\"minimum\":-12,\"maximum\":250}", "-11"},
        {"{\"properties\":{\"the\":{\"type\":\"integer\"},\"and\":{}},\"required\":[\"and\"]}",
         "{\"and\":{},\"of\":1}"},
        {"{\"properties\":{\"a\":{}},\"patternProperties\":{\"^x\":{\"type\":\"null\"}},\"additionalProperties\":"
         "false}",
         "{\"a\":1,\"xy\":null}"},
        {"{\"anyOf\":[{\"properties\":{\"k\":{\"const\":1}},\"required\":[\"k\"]},{\"items\":{\"type\":\"boolean\"},"
         "\"type\":\"array\"}]}",
         "[true,false]"},
        {"{\"oneOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}],\"type\":\"object\"}", "{\"b\":2}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        compare_along(*state, cases[i].schema, cases[i].instance, true);
        compare_along(*state, cases[i].schema, cases[i].instance, false);
    }
}

static void tokens_move_the_matcher(void **state)
{
    const struct fixture *f = *state;
    static const char schema[] = "{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"maxItems\":2}";
    struct weir_constraint *constraint = NULL;
    struct weir_matcher *matcher = NULL;
    struct weir_tokens tokens = {0};
    struct weir_error error = {0};
    assert_int_equal(weir_constraint_open(schema, strlen(schema), f->vocabulary, NULL, &constraint, &error), WEIR_OK);
    assert_int_equal(weir_matcher_open(constraint, &matcher, &error), WEIR_OK);
    assert_int_equal(weir_tokenize(f->tokenizer, "[1,23]", 6, 0, &tokens, &error), WEIR_OK);
    for (size_t i = 0; i < tokens.count; i++)
        assert_int_equal(weir_matcher_accept(matcher, tokens.ids[i], &error), WEIR_OK);
    assert_true(weir_matcher_is_complete(matcher));
    assert_int_equal(weir_matcher_accept(matcher, tokens.ids[0], &error), WEIR_ERR_REFUSED);
    assert_true(weir_matcher_is_complete(matcher));
    weir_tokens_free(&tokens);
    weir_matcher_close(&matcher);
    weir_constraint_close(&constraint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_are_what_bytes_say),
        cmocka_unit_test(tokens_move_the_matcher),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
