/* How much work hostile text makes, counted and not timed: characters that the pre-tokenizers look at, and pairs that merging looks up. Twice the text may
 * make twice the work, and a bound for each byte holds.
 *
 * Counting: pretok.c is compiled into this file with a counting utf8_step; the linker sends merges_find and vocab_find through the
 * wrappers below (CMakeLists.txt, --wrap). */
#include "check.h"
#include "tokenizer/sample.h"
#include "tokenizer/utf8.h"

static size_t characters;

static size_t counting_step(const char *text, size_t size, uint32_t *code)
{
    characters++;
    return utf8_step(text, size, code);
}

#define utf8_step counting_step
#define pretok_find counting_pretok_find
/* Its copy here counts. NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "../../src/tokenizer/pretok.c"
#undef pretok_find
#undef utf8_step

#include "tokenizer/merges.h"
#include "tokenizer/vocab.h"

static size_t lookups;

/* The linker fixes these names. */
/* NOLINTBEGIN(bugprone-reserved-identifier) */
uint32_t __real_merges_find(const struct merges *merges, int32_t left, int32_t right);
uint32_t __wrap_merges_find(const struct merges *merges, int32_t left, int32_t right);
int32_t __real_vocab_find(const struct vocab *vocab, const char *text, size_t size);
int32_t __wrap_vocab_find(const struct vocab *vocab, const char *text, size_t size);

uint32_t __wrap_merges_find(const struct merges *merges, int32_t left, int32_t right)
{
    lookups++;
    return __real_merges_find(merges, left, right);
}

int32_t __wrap_vocab_find(const struct vocab *vocab, const char *text, size_t size)
{
    lookups++;
    return __real_vocab_find(vocab, text, size);
}
/* NOLINTEND(bugprone-reserved-identifier) */

/* Each class of character that makes runs, pairs of them that the expressions treat apart, and text that is all beginnings. */
static const char *const units[] = {
    "a", " ",  "\n",   "\r\n",         "\t",           "\xCC\x81", "a\xCC\x81", "1",  "A",     "aA",
    ".", "'",  "'s",   " \n",          "  \n ",        "\n  ",     "a ",        " a", "\xFF",  "\xE4\xB8\xAD",
    "<", "<|", "<|en", "\xE2\x96\x81", "\xF0\x9F\xA6", "/\n",      "\xC5\xBF'", "1a", " 1 . a"};

enum { SIZE = 1 << 13 };
static char text[2 * SIZE];

static struct weir_string made(size_t unit, size_t size)
{
    size_t unit_size = strlen(units[unit]);
    for (size_t i = 0; i < size; i++) text[i] = units[unit][i % unit_size];
    return (struct weir_string){text, size};
}

static void check_work(const char *what, const char *which, size_t unit, size_t once, size_t twice, size_t per_byte)
{
    if (once > per_byte * SIZE)
        fail_msg("%s, %s, unit %zu: %zu for %d bytes, expected at most %zu a byte", which, what, unit, once, SIZE,
                 per_byte);
    if (twice > 2 * once + 256)
        fail_msg("%s, %s, unit %zu: %zu for %d bytes and %zu for twice that", which, what, unit, once, SIZE, twice);
}

static size_t characters_of(const struct pretok *pre, struct weir_string input)
{
    characters = 0;
    for (size_t at = 0; at < input.size;) at = pre->next(input, at);
    return characters;
}

/* Six looks a byte: every alternative of an expression may look at the first character, and runs are walked twice. */
static void pretokenizers_look_at_each_character_a_few_times(void **state)
{
    (void)state;
    for (size_t p = 0; p < sizeof pretoks / sizeof *pretoks; p++) {
        for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
            size_t once = characters_of(&pretoks[p], made(u, SIZE));
            size_t twice = characters_of(&pretoks[p], made(u, 2 * SIZE));
            assert_true(once > 0);
            check_work("characters", pretoks[p].name, u, once, twice, 6);
        }
    }
}

static size_t lookups_of(const struct weir_tokenizer *tokenizer, struct weir_string input)
{
    struct weir_tokens tokens = {0};
    struct weir_error error = {0};
    lookups = 0;
    check_status(weir_tokenize(tokenizer, input.data, input.size, 0, &tokens, &error), WEIR_OK, &error);
    weir_tokens_free(&tokens);
    return lookups;
}

static void check_lookups(const char *which, struct weir_tokenizer **tokenizer)
{
    size_t most = 0;
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        size_t once = lookups_of(*tokenizer, made(u, SIZE));
        check_work("lookups", which, u, once, lookups_of(*tokenizer, made(u, 2 * SIZE)), 4);
        if (once > most) most = once;
    }
    assert_true(most > SIZE / 2); /* the wrappers are there */
    weir_tokenizer_close(tokenizer);
}

/* n characters make n - 1 pairs at first, and every merge makes two more: below 3n, and 4n with a look for each character. */
static void merging_looks_up_a_few_pairs_a_byte(void **state)
{
    (void)state;
    static const char *const pres[] = {"gpt-2", "smollm", "llama-bpe", "dbrx", "qwen2", "gpt-4o"};
    struct weir_tokenizer *tokenizer = NULL;
    struct weir_error error = {0};
    for (size_t p = 0; p < sizeof pres / sizeof *pres; p++) {
        check_status(sample_open_cut(pres[p], &tokenizer, &error), WEIR_OK, &error);
        check_lookups(pres[p], &tokenizer);
    }
    static struct sample sample;
    for (int spaces = 0; spaces < 2; spaces++) {
        sample_spm(&sample);
        sample.adds_space = spaces;
        sample_add(&sample, "aa", WEIR_TOKEN_NORMAL, -7);
        sample_add(&sample, "aaaa", WEIR_TOKEN_NORMAL, -8);
        check_status(sample_open(&sample, &tokenizer, &error), WEIR_OK, &error);
        check_lookups("SentencePiece", &tokenizer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pretokenizers_look_at_each_character_a_few_times),
        cmocka_unit_test(merging_looks_up_a_few_pairs_a_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
