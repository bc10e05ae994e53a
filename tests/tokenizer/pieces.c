/* Text in pieces of different origin: one text to the tokenizer, whose users cannot spell special tokens; and resuming after a
 * common beginning gives the ids of the whole. */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "check.h"
#include "tokenizer/resume.h"
#include "tokenizer/sample.h"

static struct sample sample;
static uint64_t seed = 20240726;

static uint64_t random_below(uint64_t n)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (seed >> 33) % n;
}

/* What user's texts are made of: what pre-tokenizers look at, and what templates are made of. */
static const char *const scraps[] = {"a",
                                     "b",
                                     "ab",
                                     "abc",
                                     "A",
                                     "Word",
                                     "7",
                                     "42",
                                     " ",
                                     "  ",
                                     "   ",
                                     "\n",
                                     "\n\n",
                                     "\t",
                                     "\r\n",
                                     ".",
                                     "?!",
                                     "'",
                                     "'ll",
                                     "'s",
                                     "l",
                                     "/",
                                     "\xCC\x81",         /* a combining mark */
                                     "\xC3\xA9",         /* a letter of two bytes */
                                     "\xE6\xBC\xA2",     /* a letter without case */
                                     "\xC5\xBF",         /* the long s */
                                     "\xC2\xA0",         /* a space that is not ASCII */
                                     "\xE3\x80\x80",     /* a wide space */
                                     "\xF0\x9F\x98\x80", /* no letter */
                                     "\xE2\x96\x81",     /* SentencePiece's space */
                                     "\xFF",             /* not UTF-8 */
                                     "<|im_start|>",
                                     "<|im_end|>",
                                     "<|im_",
                                     "<s>",
                                     "</s>",
                                     "<|end|>",
                                     "s>",
                                     "<tool>",
                                     "<",
                                     ">"};
enum { SCRAPS = sizeof scraps / sizeof *scraps, TEXT_MAX = 512 };

static size_t random_text(char *out, size_t scraps_max)
{
    size_t size = 0, n = random_below(scraps_max + 1);
    for (size_t i = 0; i < n; i++) {
        const char *scrap = scraps[random_below(SCRAPS)];
        memcpy(out + size, scrap, strlen(scrap));
        size += strlen(scrap);
    }
    return size;
}

/* ---- a conversation in pieces ---- */

/* OPEN plain[0] USER CLOSE plain[1] OPEN plain[2] USER CLOSE, in which OPEN and CLOSE are control tokens. */
struct frame {
    const char *pre; /* NULL: SentencePiece */
    int adds_space;
    const char *plain[3];
};

static const struct frame frames[] = {
    {.pre = "gpt-2", .plain = {"user\nSort this: ", "\n", "assistant\n"}},
    {.pre = "smollm", .plain = {"user\nSort this.\n\nMessage:\n", "\n", "assistant\n"}},
    {.pre = "llama-bpe", .plain = {"user\n\nReply with A or B.\nText: '", "\n", "assistant\n\n"}},
    {.pre = "dbrx", .plain = {"user", "", ""}},
    {.pre = "qwen2", .plain = {"user\nThe 3 letters ' ", "\n", "assistant"}},
    {.pre = "gpt-4o", .plain = {"user\nSort THIS Abc", "\n", "assistant'"}},
    {.pre = NULL, .adds_space = 1, .plain = {"ab bc c\nab:\n", " ", "a b"}},
    {.pre = NULL, .adds_space = 0, .plain = {"ab abcabc\xE2\x96\x81 <s", "", "ab\n"}},
};
enum { FRAMES = sizeof frames / sizeof *frames, OPEN = 1, CLOSE = 2, PIECES = 5 };

static struct weir_tokenizer *open_frame(const struct frame *frame)
{
    struct weir_tokenizer *tokenizer = NULL;
    struct weir_error error = {0};
    if (frame->pre) {
        check_status(sample_open_cut(frame->pre, &tokenizer, &error), WEIR_OK, &error);
        return tokenizer;
    }
    sample_spm(&sample);
    sample.adds_space = frame->adds_space;
    check_status(sample_open(&sample, &tokenizer, &error), WEIR_OK, &error);
    return tokenizer;
}

struct conversation {
    char own[3][TEXT_MAX], user[2][TEXT_MAX];
    size_t user_size[2];
    struct weir_text_piece pieces[PIECES];
};

static void make_conversation(const struct weir_tokenizer *tokenizer, const struct frame *frame,
                              struct conversation *out)
{
    struct weir_string open = weir_token_text(tokenizer, OPEN), close = weir_token_text(tokenizer, CLOSE);
    (void)snprintf(out->own[0], TEXT_MAX, "%.*s%s", (int)open.size, open.data, frame->plain[0]);
    (void)snprintf(out->own[1], TEXT_MAX, "%.*s%s%.*s%s", (int)close.size, close.data, frame->plain[1], (int)open.size,
                   open.data, frame->plain[2]);
    (void)snprintf(out->own[2], TEXT_MAX, "%.*s", (int)close.size, close.data);
    for (size_t i = 0; i < 2; i++) out->user_size[i] = random_text(out->user[i], 12);
    for (size_t i = 0; i < PIECES; i++)
        out->pieces[i] = i % 2 ? (struct weir_text_piece){out->user[i / 2], out->user_size[i / 2], false}
                               : (struct weir_text_piece){out->own[i / 2], strlen(out->own[i / 2]), true};
}

static void add_plain(const struct weir_tokenizer *tokenizer, const char *own, const char *user, size_t user_size,
                      struct weir_tokens *tokens)
{
    char text[2 * TEXT_MAX];
    struct weir_error error = {0};
    memcpy(text, own, strlen(own));
    memcpy(text + strlen(own), user, user_size);
    check_status(weir_tokenize(tokenizer, text, strlen(own) + user_size, 0, tokens, &error), WEIR_OK, &error);
}

static void add_mark(const struct weir_tokenizer *tokenizer, int32_t id, struct weir_tokens *tokens)
{
    struct weir_string text = weir_token_text(tokenizer, id);
    struct weir_error error = {0};
    check_status(weir_tokenize(tokenizer, text.data, text.size, WEIR_TOKENIZE_SPECIAL, tokens, &error), WEIR_OK,
                 &error);
    assert_int_equal(tokens->ids[tokens->count - 1], id);
}

/* What the ids must be: each stretch between control tokens on its own, as one text. */
static struct weir_tokens expected_ids(const struct weir_tokenizer *tokenizer, const struct frame *frame,
                                       const struct conversation *c)
{
    struct weir_tokens tokens = {0};
    add_mark(tokenizer, OPEN, &tokens);
    add_plain(tokenizer, frame->plain[0], c->user[0], c->user_size[0], &tokens);
    add_mark(tokenizer, CLOSE, &tokens);
    add_plain(tokenizer, frame->plain[1], "", 0, &tokens);
    add_mark(tokenizer, OPEN, &tokens);
    add_plain(tokenizer, frame->plain[2], c->user[1], c->user_size[1], &tokens);
    add_mark(tokenizer, CLOSE, &tokens);
    return tokens;
}

static void check_ids(const struct weir_tokens *found, const struct weir_tokens *expected, const struct frame *frame,
                      const struct conversation *c, uint64_t start)
{
    size_t same = 0;
    while (same < found->count && same < expected->count && found->ids[same] == expected->ids[same]) same++;
    if (same == found->count && same == expected->count) return;
    fail_msg("%s, seed %llu, texts \"%.*s\" and \"%.*s\": id %zu: expected %d of %zu, found %d of %zu",
             frame->pre ? frame->pre : "SentencePiece", (unsigned long long)start, (int)c->user_size[0], c->user[0],
             (int)c->user_size[1], c->user[1], same, same < expected->count ? (int)expected->ids[same] : -1,
             expected->count, same < found->count ? (int)found->ids[same] : -1, found->count);
}

static void pieces_are_one_text(void **state)
{
    (void)state;
    for (size_t f = 0; f < FRAMES; f++) {
        struct weir_tokenizer *tokenizer = open_frame(&frames[f]);
        for (int round = 0; round < 1500; round++) {
            struct conversation c;
            struct weir_tokens found = {0};
            struct weir_error error = {0};
            uint64_t start = seed;
            make_conversation(tokenizer, &frames[f], &c);
            struct weir_tokens expected = expected_ids(tokenizer, &frames[f], &c);
            check_status(weir_tokenize_pieces(tokenizer, c.pieces, PIECES, 0, &found, &error), WEIR_OK, &error);
            check_ids(&found, &expected, &frames[f], &c, start);
            weir_tokens_free(&found);
            weir_tokens_free(&expected);
        }
        weir_tokenizer_close(&tokenizer);
    }
}

/* The beginning is the first piece, whole or cut anywhere, or the first three. */
static void resuming_gives_the_same_ids(void **state)
{
    (void)state;
    size_t settled = 0;
    for (size_t f = 0; f < FRAMES; f++) {
        struct weir_tokenizer *tokenizer = open_frame(&frames[f]);
        for (int round = 0; round < 1500; round++) {
            struct conversation c;
            struct weir_error error = {0};
            struct resume_point point = {0};
            uint64_t start = seed;
            make_conversation(tokenizer, &frames[f], &c);
            struct weir_tokens expected = expected_ids(tokenizer, &frames[f], &c);
            size_t at = random_below(PIECES), cut = random_below(c.pieces[at].size + 1);
            struct weir_text_piece pieces[PIECES + 1];
            memcpy(pieces, c.pieces, (at + 1) * sizeof *pieces);
            memcpy(pieces + at + 1, c.pieces + at, (PIECES - at) * sizeof *pieces);
            pieces[at].size = cut;
            pieces[at + 1].text += cut;
            pieces[at + 1].size -= cut;
            check_status(resume_point_make(tokenizer, pieces, at + 1, &point, &error), WEIR_OK, &error);
            settled += point.settled.count;
            struct weir_tokens found = point.settled;
            point.settled = (struct weir_tokens){0};
            check_status(resume_point_tokenize(tokenizer, &point, pieces + at + 1, PIECES - at, &found, &error),
                         WEIR_OK, &error);
            check_ids(&found, &expected, &frames[f], &c, start);
            resume_point_free(&point);
            weir_tokens_free(&found);
            weir_tokens_free(&expected);
        }
        weir_tokenizer_close(&tokenizer);
    }
    assert_true(settled > 0);
}

/* A prompt of instructions is settled but for its last words. */
static void most_of_a_beginning_is_settled(void **state)
{
    (void)state;
    static const char text[] = "<|im_start|>user\nSort the message into the category that fits best.\n\nMessage:\n";
    struct weir_text_piece piece = {text, sizeof text - 1, true};
    struct weir_tokenizer *tokenizer = open_frame(&frames[1]);
    struct resume_point point = {0};
    struct weir_error error = {0};
    check_status(resume_point_make(tokenizer, &piece, 1, &point, &error), WEIR_OK, &error);
    assert_string_equal(point.tail.text, " best.\n\nMessage:\n");
    assert_true(point.continues);
    resume_point_free(&point);
    resume_point_free(&point);
    piece = (struct weir_text_piece){"<|im_start|><|im_end|>x", 23, true};
    check_status(resume_point_make(tokenizer, &piece, 1, &point, &error), WEIR_OK, &error);
    assert_int_equal(point.settled.count, 2);
    assert_false(point.continues);
    resume_point_free(&point);
    weir_tokenizer_close(&tokenizer);
}

static void bos_and_bad_flags(void **state)
{
    (void)state;
    struct weir_tokenizer *tokenizer = open_frame(&frames[6]);
    struct weir_text_piece piece = {"ab", 2, false};
    struct weir_tokens tokens = {0};
    struct weir_error error = {0};
    check_status(weir_tokenize_pieces(tokenizer, &piece, 1, WEIR_TOKENIZE_BOS, &tokens, &error), WEIR_OK, &error);
    assert_int_equal(tokens.ids[0], OPEN);
    size_t count = tokens.count;
    assert_in_range(count, 2, 3);
    check_status(weir_tokenize_pieces(tokenizer, &piece, 1, WEIR_TOKENIZE_SPECIAL, &tokens, &error), WEIR_ERR_INVALID,
                 &error);
    assert_int_equal(tokens.count, count);
    check_status(weir_tokenize_pieces(tokenizer, NULL, 0, 0, &tokens, &error), WEIR_OK, &error);
    assert_int_equal(tokens.count, count);
    weir_tokens_free(&tokens);
    weir_tokenizer_close(&tokenizer);
}

static void out_of_memory_is_an_error(void **state)
{
    (void)state;
    struct weir_tokenizer *tokenizer = open_frame(&frames[7]);
    struct conversation c;
    make_conversation(tokenizer, &frames[7], &c);
    enum weir_status status = WEIR_ERR_NOMEM;
    size_t n = 1;
    for (; status == WEIR_ERR_NOMEM && n < 200; n++) {
        struct resume_point point = {0};
        struct weir_tokens tokens = {0};
        struct weir_error error = {0};
        mem_fail_after(n);
        status = resume_point_make(tokenizer, c.pieces, 3, &point, &error);
        if (!status) status = resume_point_tokenize(tokenizer, &point, c.pieces + 3, 2, &tokens, &error);
        mem_fail_after(0);
        if (status) assert_int_equal(tokens.count, 0);
        resume_point_free(&point);
        weir_tokens_free(&tokens);
    }
    assert_int_equal(status, WEIR_OK);
    assert_in_range(n, 6, 100);
    weir_tokenizer_close(&tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_one_text),
        cmocka_unit_test(resuming_gives_the_same_ids),
        cmocka_unit_test(most_of_a_beginning_is_settled),
        cmocka_unit_test(bos_and_bad_flags),
        cmocka_unit_test(out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
