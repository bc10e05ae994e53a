/* Ids to text, one by one: what comes out is whole characters, hidden and shown tokens, the space of SentencePiece; and which tokens end a
 * turn. */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "check.h"
#include "tokenizer/sample.h"
#include "tokenizer/utf8.h"

static struct sample sample;

static struct weir_tokenizer *opened(void)
{
    struct weir_tokenizer *tokenizer = NULL;
    struct weir_error error = {0};
    check_status(sample_open(&sample, &tokenizer, &error), WEIR_OK, &error);
    return tokenizer;
}

static struct weir_decoder *decoder_for(const struct weir_tokenizer *tokenizer, unsigned flags)
{
    struct weir_decoder *decoder = NULL;
    struct weir_error error = {0};
    check_status(weir_decoder_open(tokenizer, flags, &decoder, &error), WEIR_OK, &error);
    return decoder;
}

static void check_is_utf8(struct weir_string text)
{
    for (size_t at = 0; at < text.size;) {
        uint32_t code;
        size_t size = utf8_step(text.data + at, text.size - at, &code);
        if (code == UTF8_REPLACEMENT && size == 1) fail_msg("byte %02x is not UTF-8", (unsigned char)text.data[at]);
        at += size;
    }
}

/* The pieces of these ids, each ended by '|', and the end's. Static storage. */
static const char *pieces(struct weir_decoder *decoder, const int32_t *ids, size_t count)
{
    static char out[4096];
    size_t used = 0;
    struct weir_error error = {0};
    for (size_t i = 0; i <= count; i++) {
        struct weir_string text = {0};
        if (i < count)
            check_status(weir_decoder_add(decoder, ids[i], &text, &error), WEIR_OK, &error);
        else
            text = weir_decoder_end(decoder);
        check_is_utf8(text);
        used +=
            (size_t)snprintf(out + used, sizeof out - used, "%.*s%s", (int)text.size, text.data, i < count ? "|" : "");
    }
    return out;
}

struct pieces_case {
    unsigned flags;
    int32_t ids[8]; /* ended by -1 */
    const char *text;
};

static void check_pieces(const struct pieces_case *cases, size_t count)
{
    struct weir_tokenizer *tokenizer = opened();
    for (size_t i = 0; i < count; i++) {
        struct weir_decoder *decoder = decoder_for(tokenizer, cases[i].flags);
        size_t n = 0;
        while (cases[i].ids[n] >= 0) n++;
        for (int again = 0; again < 2; again++) { /* the end makes it ready for another text */
            const char *found = pieces(decoder, cases[i].ids, n);
            if (strcmp(found, cases[i].text) != 0)
                fail_msg("case %zu: expected \"%s\", found \"%s\"", i, cases[i].text, found);
        }
        weir_decoder_close(&decoder);
    }
    weir_tokenizer_close(&tokenizer);
}

#define FFFD "\xEF\xBF\xBD"

/* Ids below 256 are bytes. The broken ones are those of the Unicode Standard 16.0, tables 3-8 to 3-11. */
static void characters_come_out_whole(void **state)
{
    (void)state;
    static const struct pieces_case cases[] = {
        {0, {0x61, 0xC3, 0xA9, 0x62, -1}, "a||\xC3\xA9|b|"},
        {0, {0xE4, 0xB8, 0xAD, -1}, "||\xE4\xB8\xAD|"},
        {0, {0xF0, 0x9F, 0xA6, 0x99, -1}, "|||\xF0\x9F\xA6\x99|"},
        {0, {0xF0, 0x9F, 0xA6, -1}, "|||" FFFD},
        {0, {0xC3, -1}, "|" FFFD},
        {0, {0x80, 0x61, -1}, FFFD "|a|"},
        {0, {0xC0, 0xAF, -1}, FFFD "|" FFFD "|"},
        {0, {0xE0, 0x80, 0x41, -1}, "|" FFFD FFFD "|A|"},
        {0, {0xED, 0xA0, 0x80, 0x41, -1}, "|" FFFD FFFD "|" FFFD "|A|"},
        {0, {0xF4, 0x91, 0x92, 0x41, -1}, "|" FFFD FFFD "|" FFFD "|A|"},
        {0, {0xFF, 0x41, -1}, FFFD "|A|"},
        {0, {0xE1, 0x80, 0xE2, 0xF0, 0x91, 0x92, 0x41, -1}, "||" FFFD "|" FFFD "|||" FFFD "A|"},
        {0, {0xE4, 0xB8, 258, -1}, "||" FFFD "aa|"},
        {0, {258, 259, -1}, "aa|aaaa|"},
        {0, {-1}, ""},
    };
    sample_bpe(&sample);
    check_pieces(cases, sizeof cases / sizeof *cases);
}

/* 256 is control, 257 user-defined. */
static void special_tokens_are_hidden_or_shown(void **state)
{
    (void)state;
    static const struct pieces_case cases[] = {
        {0, {0x61, 256, 0x62, -1}, "a||b|"},
        {WEIR_DECODE_SPECIAL, {0x61, 256, 0x62, -1}, "a|<|end|>|b|"},
        {0, {257, -1}, "<tool>|"},
        {WEIR_DECODE_SPECIAL, {257, -1}, "<tool>|"},
        {0, {0xE4, 256, 0xB8, 0xAD, -1}, "|" FFFD "|" FFFD "|" FFFD "|"},
        {WEIR_DECODE_SPECIAL, {0xE4, 256, -1}, "|" FFFD "<|end|>|"},
    };
    sample_bpe(&sample);
    check_pieces(cases, sizeof cases / sizeof *cases);
}

/* The end of a turn is hidden even where the file calls it user-defined. */
static void a_user_defined_end_is_hidden(void **state)
{
    (void)state;
    static const struct pieces_case cases[] = {{0, {0x61, 263, -1}, "a||"},
                                               {WEIR_DECODE_SPECIAL, {263, -1}, "<|im_end|>|"}};
    sample_bpe(&sample);
    sample_add(&sample, "<|im_end|>", WEIR_TOKEN_USER_DEFINED, 0); /* 263 */
    check_pieces(cases, sizeof cases / sizeof *cases);
}

/* 0 <unk>, 1 <s>, 3 + b the byte b, 259 space, 260 a, 268 " a", 269 " ab", 273 two newlines (user-defined). */
static void sentencepiece_gives_its_space_back(void **state)
{
    (void)state;
    static const struct pieces_case cases[] = {
        {0, {268, 260, 268, -1}, "a|a| a|"},
        {0, {1, 268, 268, -1}, "|a| a|"},
        {0, {259, 268, -1}, "| a|"},
        {0, {260, 268, -1}, "a| a|"},
        {WEIR_DECODE_CONTINUES, {268, 268, -1}, " a| a|"},
        {0, {268, 1, 268, -1}, "a||a|"},
        {0, {268, 273, 268, -1}, "a|\n\n|a|"},
        {WEIR_DECODE_SPECIAL, {1, 268, 2, -1}, "<s>|a|</s>|"},
        {0, {3 + 0xC3, 3 + 0xA9, 268, -1}, "|\xC3\xA9| a|"},
        {0, {3 + 0xC3, 268, -1}, "|" FFFD " a|"},
        {0, {0, -1}, FFFD "|"},
        {WEIR_DECODE_SPECIAL, {0, -1}, "<unk>|"},
    };
    sample_spm(&sample);
    check_pieces(cases, sizeof cases / sizeof *cases);
    static const struct pieces_case gemma[] = {{0, {268, 1, 268, -1}, " a|| a|"}};
    sample.adds_space = 0;
    check_pieces(gemma, 1);
}

/* Encoded with its special tokens and decoded with them shown, a text is the text again. */
static void texts_come_back(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        " ",
                                        "a",
                                        " a",
                                        "  a b",
                                        "<s>a",
                                        "<s> a",
                                        "a</s> b ",
                                        "\n\na",
                                        "a\n\n b",
                                        "\xC3\xA9 \xE4\xB8\xAD",
                                        "<s></s>",
                                        "<tool>a",
                                        "aab  ",
                                        "<|end|>aa",
                                        "<|end|> <tool>"};
    for (int spm = 0; spm < 2; spm++) {
        if (spm)
            sample_spm(&sample);
        else
            sample_bpe(&sample);
        struct weir_tokenizer *tokenizer = opened();
        struct weir_decoder *decoder = decoder_for(tokenizer, WEIR_DECODE_SPECIAL);
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
            struct weir_tokens tokens = {0};
            struct weir_error error = {0};
            struct strbuf back = STRBUF_MAX(256);
            check_status(weir_tokenize(tokenizer, texts[i], strlen(texts[i]), WEIR_TOKENIZE_SPECIAL, &tokens, &error),
                         WEIR_OK, &error);
            check_status(strbuf_text(&back, ""), WEIR_OK, &error);
            for (size_t k = 0; k < tokens.count; k++) {
                struct weir_string text;
                check_status(weir_decoder_add(decoder, tokens.ids[k], &text, &error), WEIR_OK, &error);
                check_status(strbuf_add(&back, text.data, text.size), WEIR_OK, &error);
            }
            assert_int_equal(weir_decoder_end(decoder).size, 0);
            assert_string_equal(back.data, texts[i]);
            strbuf_free(&back);
            weir_tokens_free(&tokens);
        }
        weir_decoder_close(&decoder);
        weir_tokenizer_close(&tokenizer);
    }
}

/* However bytes are cut into tokens, the text is the same, and every piece of it is UTF-8. 263.. are tokens of two to four bytes. */
static void the_text_does_not_depend_on_the_cuts(void **state)
{
    (void)state;
    static const unsigned char alphabet[] = {0x61, 0x80, 0xA9, 0xBF, 0xC3, 0xE0, 0xE4,
                                             0xB8, 0xED, 0xF0, 0x9F, 0xF4, 0xFF};
    static char spelled[3][40];
    unsigned seed = 20261123;
    sample_bpe(&sample);
    for (size_t i = 0; i < 3; i++) /* not of the byte-level alphabet (a euro sign): taken as they stand */
        snprintf(spelled[i], sizeof spelled[i], "\xE2\x82\xAC%.*s", (int)i, "xy");
    for (size_t i = 0; i < 3; i++) sample_add(&sample, spelled[i], WEIR_TOKEN_NORMAL, 0);
    struct weir_tokenizer *tokenizer = opened();
    struct weir_decoder *decoder = decoder_for(tokenizer, 0);
    for (int round = 0; round < 3000; round++) {
        struct strbuf cut = STRBUF_MAX(256), bytes = STRBUF_MAX(256);
        struct weir_error error = {0};
        struct weir_string text;
        check_status(strbuf_text(&cut, ""), WEIR_OK, &error);
        check_status(strbuf_text(&bytes, ""), WEIR_OK, &error);
        int32_t ids[12];
        size_t count = (size_t)rand_r(&seed) % 12;
        for (size_t i = 0; i < count; i++) {
            unsigned pick = (unsigned)rand_r(&seed);
            ids[i] = pick % 5 ? alphabet[pick / 5 % sizeof alphabet] : (int32_t)(263 + pick / 5 % 3);
            check_status(weir_decoder_add(decoder, ids[i], &text, &error), WEIR_OK, &error);
            check_is_utf8(text);
            check_status(strbuf_add(&cut, text.data, text.size), WEIR_OK, &error);
        }
        text = weir_decoder_end(decoder);
        check_status(strbuf_add(&cut, text.data, text.size), WEIR_OK, &error);
        for (size_t i = 0; i < count; i++) {
            struct weir_string token = weir_token_text(tokenizer, ids[i]);
            for (size_t k = 0; k < token.size; k++) {
                check_status(weir_decoder_add(decoder, (unsigned char)token.data[k], &text, &error), WEIR_OK, &error);
                check_status(strbuf_add(&bytes, text.data, text.size), WEIR_OK, &error);
            }
        }
        text = weir_decoder_end(decoder);
        check_status(strbuf_add(&bytes, text.data, text.size), WEIR_OK, &error);
        if (cut.size != bytes.size || memcmp(cut.data, bytes.data, cut.size) != 0)
            fail_msg("round %d of seed 20261123: \"%s\" in tokens, \"%s\" in bytes", round, cut.data, bytes.data);
        strbuf_free(&cut);
        strbuf_free(&bytes);
    }
    weir_decoder_close(&decoder);
    weir_tokenizer_close(&tokenizer);
}

static void unknown_ids_and_flags_are_refused(void **state)
{
    (void)state;
    sample_bpe(&sample);
    struct weir_tokenizer *tokenizer = opened();
    struct weir_decoder *decoder = NULL;
    struct weir_error error = {0};
    check_status(weir_decoder_open(tokenizer, 64, &decoder, &error), WEIR_ERR_INVALID, &error);
    assert_null(decoder);
    weir_decoder_close(&decoder);
    decoder = decoder_for(tokenizer, 0);
    struct weir_string text = {"untouched", 9};
    check_status(weir_decoder_add(decoder, 0xC3, &text, &error), WEIR_OK, &error);
    check_status(weir_decoder_add(decoder, -1, &text, &error), WEIR_ERR_INVALID, &error);
    check_status(weir_decoder_add(decoder, 263, &text, &error), WEIR_ERR_INVALID, &error);
    check_contains(error.text, "token 263, but there are 263");
    check_status(weir_decoder_add(decoder, 0xA9, &text, &error), WEIR_OK, &error);
    assert_int_equal(text.size, 2); /* what was held is still there */
    check_status(weir_decoder_add(decoder, 0xC3, &text, &error), WEIR_OK, &error);
    weir_decoder_reset(decoder);
    assert_int_equal(weir_decoder_end(decoder).size, 0);
    weir_decoder_close(&decoder);
    for (size_t n = 1; n < 4; n++) {
        mem_fail_after(n);
        enum weir_status status = weir_decoder_open(tokenizer, 0, &decoder, &error);
        mem_fail_after(0);
        check_status(status, WEIR_ERR_NOMEM, &error);
    }
    weir_tokenizer_close(&tokenizer);
}

/* ---- the ends of a turn ---- */

static const char *ends_of(const struct weir_tokenizer *tokenizer)
{
    static char out[256];
    const int32_t *ids = NULL;
    size_t used = 0;
    out[0] = '\0';
    size_t count = weir_tokenizer_ends(tokenizer, &ids);
    for (size_t i = 0; i < count; i++) {
        used += (size_t)snprintf(out + used, sizeof out - used, "%s%d", i ? " " : "", (int)ids[i]);
        assert_true(weir_token_is_end(tokenizer, ids[i]));
    }
    return out;
}

static void ends_come_from_keys_and_from_documented_names(void **state)
{
    (void)state;
    sample_bpe(&sample);
    sample.eos = 262;                                              /* whatever the file says */
    sample.eot = 258;                                              /* likewise */
    sample_add(&sample, "<|im_end|>", WEIR_TOKEN_CONTROL, 0);      /* 263 */
    sample_add(&sample, "<end_of_turn>", WEIR_TOKEN_NORMAL, 0);    /* 264: text, not a special token */
    sample_add(&sample, "<|eot_id|>", WEIR_TOKEN_USER_DEFINED, 0); /* 265 */
    sample_add(&sample, "<|end_now|>", WEIR_TOKEN_CONTROL, 0);     /* 266: not a name that anyone documents */
    sample_add(&sample, "</s>", WEIR_TOKEN_UNUSED, 0);             /* 267 */
    sample_add(&sample, "<|im_start|>", WEIR_TOKEN_CONTROL, 0);    /* 268 */
    struct weir_tokenizer *tokenizer = opened();
    assert_string_equal(ends_of(tokenizer), "256 258 262 263 265");
    assert_false(weir_token_is_end(tokenizer, 264));
    assert_false(weir_token_is_end(tokenizer, -1));
    assert_false(weir_token_is_end(tokenizer, 1 << 30));
    weir_tokenizer_close(&tokenizer);
    sample_spm(&sample);
    tokenizer = opened();
    assert_string_equal(ends_of(tokenizer), "2");
    weir_tokenizer_close(&tokenizer);
    sample.eot = (int64_t)sample.count;
    struct weir_error error = {0};
    check_status(sample_open(&sample, &tokenizer, &error), WEIR_ERR_FORMAT, &error);
    check_contains(error.text, "eot_token_id");
}

/* Qwen 3 calls <tool_call> user-defined: its template writes it, text of users does not. Gemma's newlines are found everywhere. */
static void text_of_users_spells_no_markup_of_turns(void **state)
{
    (void)state;
    static const char *const names[] = {"<|im_end|>", "<|user|>", "<tool_call>",
                                        "</think>",   "[INST]",   "<start_of_turn>"};
    sample_bpe(&sample);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        sample_add(&sample, names[i], WEIR_TOKEN_USER_DEFINED, 0); /* 263.. */
    struct weir_tokenizer *tokenizer = opened();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char expected[16];
        (void)snprintf(expected, sizeof expected, "%zu", 263 + i);
        size_t size = strlen(names[i]);
        assert_string_equal(sample_ids(tokenizer, names[i], size, WEIR_TOKENIZE_SPECIAL), expected);
        const char *literal = sample_ids(tokenizer, names[i], size, 0);
        if (strstr(literal, expected)) fail_msg("%s: found %s", names[i], literal);
    }
    assert_string_equal(sample_ids(tokenizer, "<tool>", 6, 0), "257");
    weir_tokenizer_close(&tokenizer);
}

/* In Gemma's vocabulary </s> is a tag of HTML that users write; in Phi-3's, whose BOS is <s>, it was the end. */
static void the_closing_s_is_markup_of_turns_where_bos_opens_it(void **state)
{
    (void)state;
    static const char *const spellings[] = {"<bos>", "<s>"}, *const ids[] = {"264", "60 47 115 62"};
    for (size_t i = 0; i < 2; i++) {
        sample_bpe(&sample);
        sample.bos = sample_add(&sample, spellings[i], WEIR_TOKEN_CONTROL, 0);
        sample_add(&sample, "</s>", WEIR_TOKEN_USER_DEFINED, 0); /* 264 */
        struct weir_tokenizer *tokenizer = opened();
        assert_string_equal(sample_ids(tokenizer, "</s>", 4, 0), ids[i]);
        assert_string_equal(sample_ids(tokenizer, "</s>", 4, WEIR_TOKENIZE_SPECIAL), "264");
        assert_false(weir_token_is_end(tokenizer, 264));
        weir_tokenizer_close(&tokenizer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_come_out_whole),
        cmocka_unit_test(special_tokens_are_hidden_or_shown),
        cmocka_unit_test(a_user_defined_end_is_hidden),
        cmocka_unit_test(sentencepiece_gives_its_space_back),
        cmocka_unit_test(texts_come_back),
        cmocka_unit_test(the_text_does_not_depend_on_the_cuts),
        cmocka_unit_test(unknown_ids_and_flags_are_refused),
        cmocka_unit_test(ends_come_from_keys_and_from_documented_names),
        cmocka_unit_test(text_of_users_spells_no_markup_of_turns),
        cmocka_unit_test(the_closing_s_is_markup_of_turns_where_bos_opens_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
