/* A prompt's tokens: what rows share and the rest of each are, together, the ids of the whole prompt tokenized at once. */
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "decide/prompt_tokens.h"
#include "tokenizer/sample.h"

static uint64_t seed = 5309;

static uint64_t random_below(uint64_t n)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (seed >> 33) % n;
}

static const char TASK[] = "task: t\n"
                           "instructions: ab <|im_end|> abc.\n"
                           "type: choice\n"
                           "labels: {card: About a card, pin: }\n";

struct setting {
    const char *pre; /* NULL: SentencePiece */
    int adds_space, adds_bos;
    const char *template;
    const char *typed; /* a control token's spelling that users type */
    int32_t control;   /* that token */
    size_t controls;   /* how often the template itself writes it */
};

static const char CHATML[] =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | trim }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n";
static const char INST[] = "{{ bos_token }}[INST] {{ messages[0].content }} [/INST]";
static const char TIGHT[] = "{{ messages[0].content }}:";

static const struct setting settings[] = {
    {"smollm", -1, -1, CHATML, "<|im_end|>", 2, 1},
    {"gpt-2", -1, 1, CHATML, "<|im_start|>", 1, 2},
    {"llama-bpe", -1, 1, "", "<|im_end|>", 2, 0},
    {"qwen2", -1, 0, TIGHT, "<|im_end|>", 2, 0},
    {"gpt-4o", -1, 0, INST, "<|im_start|>", 1, 1},
    {NULL, 1, 1, INST, "</s>", 2, 0},
    {NULL, 1, 1, "", "<s>", 1, 1},
    {NULL, 0, 1, TIGHT, "<s>", 1, 1},
};
enum { SETTINGS = sizeof settings / sizeof *settings, TEXT_MAX = 256 };

static struct weir_tokenizer *open_tokenizer(const struct setting *s)
{
    static struct sample sample;
    struct weir_tokenizer *tokenizer = NULL;
    struct weir_error error = {0};
    if (s->pre) {
        check_status(sample_open_cut(s->pre, &tokenizer, &error), WEIR_OK, &error);
        return tokenizer;
    }
    sample_spm(&sample);
    sample.adds_space = s->adds_space;
    sample.adds_bos = s->adds_bos;
    check_status(sample_open(&sample, &tokenizer, &error), WEIR_OK, &error);
    return tokenizer;
}

static void build(const struct setting *s, const struct weir_tokenizer *tokenizer, struct prompt *prompt)
{
    struct weir_task *task = NULL;
    struct weir_error error = {0};
    struct weir_string source = {s->template, strlen(s->template)};
    check_status(weir_task_open_memory(TASK, sizeof TASK - 1, "t.yaml", &task, &error), WEIR_OK, &error);
    check_status(prompt_build(weir_task_question(task, 0), NULL, source,
                              weir_token_text(tokenizer, weir_tokenizer_bos(tokenizer)),
                              weir_token_text(tokenizer, weir_tokenizer_eos(tokenizer)), prompt, &error),
                 WEIR_OK, &error);
    weir_task_close(&task);
}

/* A text as rows have them after trimming, sometimes with what users should not be able to write. */
static size_t random_text(const struct setting *s, char *out)
{
    static const char *const scraps[] = {"a",
                                         "b",
                                         "abc",
                                         "Card",
                                         "7",
                                         " ",
                                         "  ",
                                         "\n",
                                         "'ll",
                                         ".",
                                         "?!",
                                         "/",
                                         "\xCC\x81",
                                         "\xC3\xA9",
                                         "\xE6\xBC\xA2",
                                         "\xC2\xA0",
                                         "\xE2\x96\x81",
                                         "\xFF",
                                         "[/INST]",
                                         "\n\n",
                                         "s>"};
    size_t size = 0;
    for (size_t n = random_below(10); n; n--) {
        const char *scrap = random_below(8) ? scraps[random_below(sizeof scraps / sizeof *scraps)] : s->typed;
        memcpy(out + size, scrap, strlen(scrap));
        size += strlen(scrap);
    }
    return size;
}

static void add_pieces(const struct template_piece *from, size_t count, struct weir_text_piece *pieces, size_t *n)
{
    for (size_t i = 0; i < count; i++)
        pieces[(*n)++] = (struct weir_text_piece){from[i].text, from[i].size, from[i].from_template};
}

/* The whole prompt at once; BOS as the vocabulary asks, unless the template wrote it. */
static struct weir_tokens at_once(const struct weir_tokenizer *tokenizer, const struct prompt *prompt,
                                  struct weir_string text)
{
    struct weir_text_piece pieces[16];
    struct weir_tokens tokens = {0};
    struct weir_error error = {0};
    size_t n = 0;
    assert_in_range(prompt->n_prefix + prompt->n_suffix, 1, 15);
    add_pieces(prompt->prefix, prompt->n_prefix, pieces, &n);
    pieces[n++] = (struct weir_text_piece){text.data, text.size, false};
    add_pieces(prompt->suffix, prompt->n_suffix, pieces, &n);
    check_status(weir_tokenize_pieces(tokenizer, pieces, n, WEIR_TOKENIZE_BOS, &tokens, &error), WEIR_OK, &error);
    int32_t bos = weir_tokenizer_bos(tokenizer);
    if (tokens.count > 1 && tokens.ids[0] == bos && tokens.ids[1] == bos)
        memmove(tokens.ids, tokens.ids + 1, --tokens.count * sizeof *tokens.ids);
    return tokens;
}

static size_t count_of(const struct weir_tokens *tokens, int32_t id)
{
    size_t n = 0;
    for (size_t i = 0; i < tokens->count; i++) n += tokens->ids[i] == id;
    return n;
}

static void check_row(const struct setting *s, const struct prompt_tokens *t, const struct prompt *prompt,
                      struct weir_string text, uint64_t start)
{
    struct weir_tokens row = {0}, joined = {0}, expected = at_once(t->tokenizer, prompt, text);
    struct weir_error error = {0};
    check_status(prompt_tokens_of_row(t, text, &row, &error), WEIR_OK, &error);
    size_t common = prompt_tokens_common(t, &row);
    assert_true(common < row.count && t->n_settled + common <= t->shared.count);
    check_status(tokens_append(&joined, t->shared.ids, t->n_settled + common, &error), WEIR_OK, &error);
    check_status(tokens_append(&joined, row.ids + common, row.count - common, &error), WEIR_OK, &error);
    size_t same = 0;
    while (same < joined.count && same < expected.count && joined.ids[same] == expected.ids[same]) same++;
    if (same < joined.count || same < expected.count)
        fail_msg("%s, seed %llu, \"%.*s\": id %zu of %zu: expected %d, found %d of %zu", s->pre ? s->pre : "spm",
                 (unsigned long long)start, (int)text.size, text.data, same, expected.count,
                 same < expected.count ? (int)expected.ids[same] : -1, same < joined.count ? (int)joined.ids[same] : -1,
                 joined.count);
    if (count_of(&joined, s->control) != s->controls)
        fail_msg("%s, seed %llu, \"%.*s\": token %d: expected %zu times, found %zu", s->pre ? s->pre : "spm",
                 (unsigned long long)start, (int)text.size, text.data, (int)s->control, s->controls,
                 count_of(&joined, s->control));
    weir_tokens_free(&row);
    weir_tokens_free(&joined);
    weir_tokens_free(&expected);
}

static void rows_are_tokenized_as_wholes(void **state)
{
    (void)state;
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *s = &settings[i];
        struct weir_engine engine = {.tokenizer = open_tokenizer(s)};
        struct prompt prompt = {0};
        struct prompt_tokens tokens = {0};
        struct weir_error error = {0};
        build(s, engine.tokenizer, &prompt);
        check_status(prompt_tokens_open(&engine, &prompt, &tokens, &error), WEIR_OK, &error);
        for (int round = 0; round < 1000; round++) {
            char text[TEXT_MAX];
            uint64_t start = seed;
            check_row(s, &tokens, &prompt, (struct weir_string){text, random_text(s, text)}, start);
        }
        prompt_tokens_free(&tokens);
        prompt_tokens_free(&tokens);
        prompt_free(&prompt);
        weir_tokenizer_close(&engine.tokenizer);
    }
}

/* SentencePiece merges the space before the text with its first letter: such a row forks before that space. */
static void a_row_may_fork_before_the_end(void **state)
{
    (void)state;
    const struct setting *s = &settings[5];
    struct weir_engine engine = {.tokenizer = open_tokenizer(s)};
    char text[] = "[INST] Message: ";
    struct template_piece prefix = {text, sizeof text - 1, true}, suffix = {"]", 1, true};
    struct prompt prompt = {.prefix = &prefix, .suffix = &suffix, .n_prefix = 1, .n_suffix = 1, .has_template = true};
    struct prompt_tokens tokens = {0};
    struct weir_tokens merged = {0}, apart = {0};
    struct weir_error error = {0};
    check_status(prompt_tokens_open(&engine, &prompt, &tokens, &error), WEIR_OK, &error);
    check_status(prompt_tokens_of_row(&tokens, (struct weir_string){"abc", 3}, &merged, &error), WEIR_OK, &error);
    check_status(prompt_tokens_of_row(&tokens, (struct weir_string){"Card", 4}, &apart, &error), WEIR_OK, &error);
    size_t shared = tokens.shared.count - tokens.n_settled;
    assert_int_equal(prompt_tokens_common(&tokens, &apart), shared);
    assert_true(prompt_tokens_common(&tokens, &merged) < shared);
    weir_tokens_free(&merged);
    weir_tokens_free(&apart);
    prompt_tokens_free(&tokens);
    weir_tokenizer_close(&engine.tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_tokenized_as_wholes),
        cmocka_unit_test(a_row_may_fork_before_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
