/* SentencePiece BPE on a small vocabulary of our own: scores, spaces, byte fallback, special tokens. */
#include <stdlib.h>

#include "check.h"
#include "tokenizer/sample.h"

static struct sample sample;

/* Ids of sample_spm: bytes from 3; then these. */
enum { SPACE = 259, A, B, C, LESS, S, MORE, AB, BC, SPACE_A, SPACE_AB, S_MORE, SPACES, E_ACUTE, LINES };

struct text_case {
    const char *text;
    unsigned flags;
    int count;
    int32_t ids[12];
};

static struct weir_tokenizer *opened(void)
{
    struct weir_tokenizer *tokenizer = NULL;
    struct weir_error error = {0};
    check_status(sample_open(&sample, &tokenizer, &error), WEIR_OK, &error);
    return tokenizer;
}

static void check_cases(const struct text_case *cases, size_t count)
{
    struct weir_tokenizer *tokenizer = opened();
    for (size_t i = 0; i < count; i++) {
        const struct text_case *c = &cases[i];
        struct weir_tokens tokens = {0};
        struct weir_error error = {0};
        check_status(weir_tokenize(tokenizer, c->text, strlen(c->text), c->flags, &tokens, &error), WEIR_OK, &error);
        bool same = tokens.count == (size_t)c->count;
        for (int k = 0; same && k < c->count; k++) same = tokens.ids[k] == c->ids[k];
        if (!same)
            fail_msg("case %zu, \"%s\": found %s", i, c->text,
                     sample_ids(tokenizer, c->text, strlen(c->text), c->flags));
        weir_tokens_free(&tokens);
    }
    weir_tokenizer_close(&tokenizer);
}

static void merges_by_score_then_from_the_left(void **state)
{
    (void)state;
    sample_spm(&sample);
    sample.adds_space = 0;
    static const struct text_case cases[] = {
        {"", 0, 0, {0}},
        {"abc", 0, 2, {A, BC}}, /* bc scores above ab */
        {"ab", 0, 1, {AB}},
        {" ab", 0, 1, {SPACE_AB}},
        {"   a", 0, 2, {SPACES, SPACE_A}}, /* space and a score above two spaces */
        {"   b", 0, 3, {SPACES, SPACE, B}},
        {"\xE2\x96\x81"
         "a",
         0,
         1,
         {SPACE_A}}, /* U+2581 reads as a space */
    };
    check_cases(cases, sizeof cases / sizeof *cases);
}

static void text_begins_with_a_space_and_follows_special_tokens_with_one(void **state)
{
    (void)state;
    sample_spm(&sample);
    static const struct text_case cases[] = {
        {"", WEIR_TOKENIZE_BOS, 1, {1}},
        {"a", WEIR_TOKENIZE_BOS, 2, {1, SPACE_A}},
        {"a</s>a", WEIR_TOKENIZE_SPECIAL, 3, {SPACE_A, 2, SPACE_A}},
        {"a\n\na", 0, 3, {SPACE_A, LINES, SPACE_A}},
    };
    check_cases(cases, sizeof cases / sizeof *cases);
}

static void unknown_characters_fall_back_to_bytes(void **state)
{
    (void)state;
    sample_spm(&sample);
    sample.adds_space = 0;
    static const struct text_case cases[] = {
        {"\xC3\xA9", 0, 1, {E_ACUTE}},
        {"\xC3\xA8", 0, 2, {3 + 0xC3, 3 + 0xA8}},
        {"a\xC3", 0, 2, {A, 3 + 0xC3}},
        {"\xFF"
         "ab\xC3"
         "b",
         0,
         4,
         {3 + 0xFF, AB, 3 + 0xC3, B}},
        {"\n", 0, 1, {3 + '\n'}},
    };
    check_cases(cases, sizeof cases / sizeof *cases);
}

/* "<" and "s>" are tokens and "<s>" is one: merging must not make BOS of a user's text. */
static void merging_never_makes_a_control_or_byte_token(void **state)
{
    (void)state;
    sample_spm(&sample);
    sample.adds_space = 0;
    static const struct text_case cases[] = {
        {"<s>", 0, 2, {LESS, S_MORE}},
        {"<s>", WEIR_TOKENIZE_SPECIAL, 1, {1}},
        {"</s>", 0, 3, {LESS, 3 + '/', S_MORE}},
    };
    check_cases(cases, sizeof cases / sizeof *cases);
}

static void a_vocabulary_without_bytes_uses_its_unknown_token(void **state)
{
    (void)state;
    sample_spm(&sample);
    for (size_t i = 3; i < 259; i++) sample.kinds[i] = WEIR_TOKEN_UNUSED;
    sample.adds_space = 0;
    static const struct text_case cases[] = {{"ab\xC3\xA8", 0, 3, {AB, 0, 0}}};
    check_cases(cases, sizeof cases / sizeof *cases);
}

static void token_texts_are_plain_bytes(void **state)
{
    (void)state;
    sample_spm(&sample);
    struct weir_tokenizer *tokenizer = opened();
    static const struct {
        int32_t id;
        const char *text;
    } cases[] = {{1, "<s>"}, {3 + 0x41, "A"}, {SPACE_AB, " ab"}, {SPACES, "  "}, {LINES, "\n\n"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct weir_string text = weir_token_text(tokenizer, cases[i].id);
        assert_int_equal(text.size, strlen(cases[i].text));
        assert_memory_equal(text.data, cases[i].text, text.size);
    }
    weir_tokenizer_close(&tokenizer);
}

/* A text is one row of symbols here, so a megabyte of anything must merge in n log n. */
static void long_runs_take_no_more_than_their_length(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    static const char *const units[] = {"a", " ", "ab", "abc", "\n", "\xCC\x81", "\xFF", "<"};
    char *text = malloc(SIZE);
    assert_non_null(text);
    sample_spm(&sample);
    sample.adds_space = 0;
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
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merges_by_score_then_from_the_left),
        cmocka_unit_test(text_begins_with_a_space_and_follows_special_tokens_with_one),
        cmocka_unit_test(unknown_characters_fall_back_to_bytes),
        cmocka_unit_test(merging_never_makes_a_control_or_byte_token),
        cmocka_unit_test(a_vocabulary_without_bytes_uses_its_unknown_token),
        cmocka_unit_test(token_texts_are_plain_bytes),
        cmocka_unit_test(long_runs_take_no_more_than_their_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
