/* Byte-level BPE on small vocabularies: merging, special tokens, BOS, bytes that are no text, long input. */
#include <stdlib.h>

#include "base/memory.h"
#include "check.h"
#include "tokenizer/sample.h"

static struct sample sample;

static struct weir_tokenizer *opened(void)
{
    struct weir_tokenizer *tokenizer = NULL;
    struct weir_error error = {0};
    check_status(sample_open(&sample, &tokenizer, &error), WEIR_OK, &error);
    return tokenizer;
}

struct text_case {
    const char *text;
    unsigned flags;
    const char *ids;
};

static void check_cases(const struct text_case *cases, size_t count)
{
    struct weir_tokenizer *tokenizer = opened();
    for (size_t i = 0; i < count; i++) {
        const struct text_case *c = &cases[i];
        const char *found = sample_ids(tokenizer, c->text, strlen(c->text), c->flags);
        if (strcmp(found, c->ids) != 0)
            fail_msg("\"%s\" flags %u: expected %s, found %s", c->text, c->flags, c->ids, found);
    }
    weir_tokenizer_close(&tokenizer);
}

static void merges_by_rank_then_from_the_left(void **state)
{
    (void)state;
    sample_bpe(&sample);
    static const struct text_case cases[] = {
        {"", 0, ""},          {"a", 0, "97"},       {"aaa", 0, "258 97"}, {"aaaa", 0, "259"},   {"aaaaa", 0, "259 97"},
        {"aab", 0, "258 98"}, {"bab", 0, "98 260"}, {" a", 0, "261"},     {"a a", 0, "97 261"}, {"abab", 0, "260 260"},
        {"  a", 0, "32 261"}, {" ab", 0, "32 260"},
    };
    check_cases(cases, sizeof cases / sizeof *cases);
}

/* llama-bpe takes a piece that is a token whole, although no merge makes it. */
static void a_whole_word_needs_no_merges_where_they_are_ignored(void **state)
{
    (void)state;
    sample_bpe(&sample);
    sample.pre = "llama3";
    sample.bos = 256;
    static const struct text_case cases[] = {
        {"abab", 0, "262"}, {"ababa", 0, "260 260 97"}, {"a", WEIR_TOKENIZE_BOS, "256 97"}};
    check_cases(cases, sizeof cases / sizeof *cases);
}

static void control_tokens_come_only_when_asked_for(void **state)
{
    (void)state;
    sample_bpe(&sample);
    sample_add(&sample, "<tool>s", WEIR_TOKEN_USER_DEFINED, 0); /* 263, longer */
    static const struct text_case cases[] = {
        {"<|end|>", 0, "60 124 101 110 100 124 62"},
        {"<|end|>", WEIR_TOKENIZE_SPECIAL, "256"},
        {"a<|end|><|end|>a", WEIR_TOKENIZE_SPECIAL, "97 256 256 97"},
        {"<|end|", WEIR_TOKENIZE_SPECIAL, "60 124 101 110 100 124"},
        {"<<|end|>", WEIR_TOKENIZE_SPECIAL, "60 256"},
        {"aa<tool>aa", 0, "258 257 258"},
        {"<tool>s<tool>", 0, "263 257"},
    };
    check_cases(cases, sizeof cases / sizeof *cases);
}

/* A file that calls its end token user-defined does not let users' text end a turn. */
static void the_end_token_is_control_whatever_its_type(void **state)
{
    (void)state;
    sample_bpe(&sample);
    sample.eos = 257;
    static const struct text_case cases[] = {{"<tool>", 0, "60 116 111 111 108 62"},
                                             {"<tool>", WEIR_TOKENIZE_SPECIAL, "257"}};
    check_cases(cases, sizeof cases / sizeof *cases);
}

static void bos_and_eos_follow_the_file(void **state)
{
    (void)state;
    static const struct {
        const char *pre;
        int adds_bos, adds_eos;
        const char *ids;
    } cases[] = {
        {"gpt-2", -1, -1, "97"},         {"gpt-2", 1, -1, "256 97"}, {"gpt-2", 1, 1, "256 97 257"},
        {"llama-bpe", -1, -1, "256 97"}, {"llama-bpe", 0, -1, "97"}, {"smollm", 0, 1, "97 257"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sample_bpe(&sample);
        sample.pre = cases[i].pre;
        sample.bos = 256;
        sample.eos = 257;
        sample.adds_bos = cases[i].adds_bos;
        sample.adds_eos = cases[i].adds_eos;
        const struct text_case text[] = {{"a", WEIR_TOKENIZE_BOS, cases[i].ids}, {"a", 0, "97"}};
        check_cases(text, 2);
    }
}

static void every_byte_comes_back(void **state)
{
    (void)state;
    sample_bpe(&sample);
    struct weir_tokenizer *tokenizer = opened();
    char text[512];
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)(i < 256 ? i : 511 - i);
    struct strbuf back = STRBUF_MAX(1024);
    sample_round_trip(tokenizer, text, sizeof text, &back);
    assert_int_equal(back.size, sizeof text);
    assert_memory_equal(back.data, text, sizeof text);
    strbuf_free(&back);
    weir_tokenizer_close(&tokenizer);
}

/* SmolLM2 has no token for bytes 04 and F5: U+FFFD's three bytes (EF BF BD) stand for each. */
static void a_byte_without_token_becomes_the_replacement(void **state)
{
    (void)state;
    struct weir_tokenizer *tokenizer = NULL;
    struct weir_error error = {0};
    check_status(sample_open_cut("smollm", &tokenizer, &error), WEIR_OK, &error);
    struct strbuf back = STRBUF_MAX(64);
    sample_round_trip(tokenizer, "a\x04z\xF5\xFF", 5, &back);
    assert_string_equal(back.data, "a\xEF\xBF\xBDz\xEF\xBF\xBD\xEF\xBF\xBD");
    strbuf_free(&back);
    weir_tokenizer_close(&tokenizer);
}

/* One piece of a megabyte, for each class of character that makes runs. Quadratic work would take minutes here. */
static void long_runs_take_no_more_than_their_length(void **state)
{
    (void)state;
    static const char *const units[] = {"a", " ",    "\n", "\xCC\x81", ".", "1", "'", " \n", "\xE4\xB8\xAD",
                                        "A", "\xFF", "<",  "ab"};
    static const char *const pres[] = {"gpt-2", "smollm", "llama-bpe", "qwen2", "gpt-4o"};
    enum { SIZE = 1 << 20 };
    char *text = malloc(SIZE);
    assert_non_null(text);
    for (size_t p = 0; p < sizeof pres / sizeof *pres; p++) {
        sample_bpe(&sample);
        sample.pre = pres[p];
        sample.bos = 256;
        struct weir_tokenizer *tokenizer = opened();
        for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
            size_t unit = strlen(units[u]);
            for (size_t i = 0; i < SIZE; i++) text[i] = units[u][i % unit];
            struct strbuf back = STRBUF_MAX(2 * SIZE);
            sample_round_trip(tokenizer, text, SIZE, &back);
            assert_int_equal(back.size, SIZE);
            assert_int_equal(memcmp(back.data, text, SIZE), 0);
            strbuf_free(&back);
        }
        weir_tokenizer_close(&tokenizer);
    }
    free(text);
}

static void refuses_what_it_was_not_made_for(void **state)
{
    (void)state;
    sample_bpe(&sample);
    struct weir_tokenizer *tokenizer = opened();
    struct weir_tokens tokens = {0};
    struct weir_error error = {0};
    check_status(weir_tokenize(tokenizer, "aa", 2, 0, &tokens, &error), WEIR_OK, &error);
    check_status(weir_tokenize(tokenizer, "aa", 2, 64, &tokens, &error), WEIR_ERR_INVALID, &error);
    check_status(weir_tokenize(tokenizer, "aa", (size_t)1 << 30, 0, &tokens, &error), WEIR_ERR_LIMIT, &error);
    assert_int_equal(tokens.count, 1); /* as before the failures */
    weir_tokens_free(&tokens);
    assert_null(weir_token_text(tokenizer, -1).data);
    assert_null(weir_token_text(tokenizer, (int32_t)weir_tokenizer_size(tokenizer)).data);
    assert_int_equal(weir_token_kind(tokenizer, 256), WEIR_TOKEN_CONTROL);
    assert_int_equal(weir_tokenizer_bos(tokenizer), -1);
    weir_tokenizer_close(&tokenizer);
}

/* Opens and encodes with the n-th allocation failing; true once nothing failed. */
static bool survives_failure(const struct weir_gguf *gguf, size_t n)
{
    struct weir_tokenizer *tokenizer = NULL;
    struct weir_tokens tokens = {0};
    struct weir_error error = {0};
    mem_fail_after(n);
    enum weir_status status = weir_tokenizer_open(gguf, &tokenizer, &error);
    if (!status) status = weir_tokenize(tokenizer, "aaaa ab<tool>", 13, 0, &tokens, &error);
    mem_fail_after(0);
    if (status) check_status(status, WEIR_ERR_NOMEM, &error);
    if (status) assert_int_equal(tokens.count, 0);
    weir_tokens_free(&tokens);
    weir_tokenizer_close(&tokenizer);
    return !status;
}

static void out_of_memory_is_an_ordinary_error(void **state)
{
    (void)state;
    for (int spm = 0; spm < 2; spm++) {
        if (spm)
            sample_spm(&sample);
        else
            sample_bpe(&sample);
        struct strbuf bytes = STRBUF_MAX(1 << 20);
        struct weir_gguf *gguf = NULL;
        struct weir_error error = {0};
        check_status(sample_bytes(&sample, &bytes, &error), WEIR_OK, &error);
        check_status(weir_gguf_open_memory(bytes.data, bytes.size, "sample", &gguf, &error), WEIR_OK, &error);
        size_t n = 1;
        while (!survives_failure(gguf, n)) n++;
        assert_in_range(n, 8, 100);
        weir_gguf_close(&gguf);
        strbuf_free(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merges_by_rank_then_from_the_left),
        cmocka_unit_test(a_whole_word_needs_no_merges_where_they_are_ignored),
        cmocka_unit_test(control_tokens_come_only_when_asked_for),
        cmocka_unit_test(the_end_token_is_control_whatever_its_type),
        cmocka_unit_test(bos_and_eos_follow_the_file),
        cmocka_unit_test(every_byte_comes_back),
        cmocka_unit_test(a_byte_without_token_becomes_the_replacement),
        cmocka_unit_test(long_runs_take_no_more_than_their_length),
        cmocka_unit_test(refuses_what_it_was_not_made_for),
        cmocka_unit_test(out_of_memory_is_an_ordinary_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
