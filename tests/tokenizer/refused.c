/* Vocabularies that must not open: each with its status and the words that say why. */
#include <math.h>
#include <stdio.h>

#include "check.h"
#include "tokenizer/sample.h"

static struct sample sample;

static void refuse(const char *what, enum weir_status expected, const char *words)
{
    struct weir_tokenizer *tokenizer = NULL;
    struct weir_error error = {0};
    enum weir_status status = sample_open(&sample, &tokenizer, &error);
    if (status != expected)
        fail_msg("%s: expected %s, found %s: %s", what, weir_status_name(expected), weir_status_name(status),
                 error.text);
    assert_null(tokenizer);
    assert_int_equal(error.status, expected);
    check_contains(error.text, words);
    check_contains(error.text, "sample: ");
}

static void bpe_change(void (*change)(void), const char *what, enum weir_status expected, const char *words)
{
    sample_bpe(&sample);
    change();
    refuse(what, expected, words);
}

static void spm_change(void (*change)(void), const char *what, enum weir_status expected, const char *words)
{
    sample_spm(&sample);
    change();
    refuse(what, expected, words);
}

static void no_model(void)
{
    sample.model = NULL;
}
static void other_model(void)
{
    sample.model = "bert";
}
static void no_pre(void)
{
    sample.pre = NULL;
}
static void other_pre(void)
{
    sample.pre = "tekken";
}
static void longer_pre(void)
{
    sample.pre = "gpt-2x";
}
static void no_tokens(void)
{
    sample.lacks_tokens = true;
}
static void no_kinds(void)
{
    sample.lacks_kinds = true;
}
static void short_kinds(void)
{
    sample.kinds_cut = 1;
}
static void kind_zero(void)
{
    sample.kinds[7] = 0;
}
static void kind_seven(void)
{
    sample.kinds[7] = 7;
}
static void no_merges(void)
{
    sample.lacks_merges = true;
}
static void merge_of_nothing(void)
{
    sample_merge(&sample, "ab");
}
static void merge_of_unknown(void)
{
    sample_merge(&sample, "b zz");
}
static void merge_without_result(void)
{
    sample_merge(&sample, "b a");
}
static void merge_twice(void)
{
    sample_merge(&sample, "a b");
}
static void token_twice(void)
{
    sample_add(&sample, "ab", WEIR_TOKEN_NORMAL, 0);
}
static void control_twice(void)
{
    sample_add(&sample, "<|end|>", WEIR_TOKEN_CONTROL, 0);
}
static void control_and_normal(void)
{
    sample_add(&sample, "<|end|>", WEIR_TOKEN_NORMAL, 0);
}
static void bos_far(void)
{
    sample.bos = 1 << 20;
}
static void eos_just_out(void)
{
    sample.eos = (int64_t)sample.count;
}
static void bos_missing(void)
{
    sample.adds_bos = 1;
}
static void eos_missing(void)
{
    sample.adds_eos = 1;
}
static void space_prefix(void)
{
    sample.adds_space = 1;
}
static void byte_lost(void)
{
    sample.kinds[0xEF] = sample.kinds[9] = WEIR_TOKEN_CONTROL;
}
static void no_scores(void)
{
    sample.lacks_scores = true;
}
static void score_nan(void)
{
    sample.scores[260] = NAN;
}
static void no_bos(void)
{
    sample.bos = -1;
}
static void byte_spelling(void)
{
    sample.kinds[260] = WEIR_TOKEN_BYTE;
}
static void byte_twice(void)
{
    sample_add(&sample, "<0x41>", WEIR_TOKEN_BYTE, 0);
}

static void damaged_byte_level(void **state)
{
    (void)state;
    bpe_change(no_model, "no model", WEIR_ERR_FORMAT, "tokenizer.ggml.model");
    bpe_change(other_model, "bert", WEIR_ERR_UNSUPPORTED, "\"bert\"");
    bpe_change(no_pre, "no pre", WEIR_ERR_FORMAT, "tokenizer.ggml.pre is missing");
    bpe_change(other_pre, "tekken", WEIR_ERR_UNSUPPORTED, "\"tekken\"");
    bpe_change(longer_pre, "gpt-2x", WEIR_ERR_UNSUPPORTED, "\"gpt-2x\"");
    bpe_change(no_tokens, "no tokens", WEIR_ERR_FORMAT, "tokens is missing");
    bpe_change(no_kinds, "no types", WEIR_ERR_FORMAT, "token_type is missing");
    bpe_change(short_kinds, "short types", WEIR_ERR_FORMAT, "expected an array of 263, as there are tokens, found 262");
    bpe_change(kind_zero, "type 0", WEIR_ERR_FORMAT, "token 7: expected a type of 1 to 6, found 0");
    bpe_change(kind_seven, "type 7", WEIR_ERR_FORMAT, "found 7");
    bpe_change(no_merges, "no merges", WEIR_ERR_FORMAT, "merges is missing");
    bpe_change(merge_of_nothing, "merge of one part", WEIR_ERR_FORMAT, "merge 4, \"ab\"");
    bpe_change(merge_of_unknown, "merge of unknown", WEIR_ERR_FORMAT, "\"b zz\"");
    bpe_change(merge_without_result, "merge without result", WEIR_ERR_FORMAT, "\"b a\"");
    bpe_change(merge_twice, "merge twice", WEIR_ERR_FORMAT, "merges 2 and 4 are the same");
    bpe_change(token_twice, "token twice", WEIR_ERR_FORMAT, "tokens 260 and 263");
    bpe_change(control_twice, "control twice", WEIR_ERR_FORMAT, "tokens 256 and 263");
    bpe_change(control_and_normal, "control and normal", WEIR_ERR_FORMAT, "token 256");
    bpe_change(bos_far, "bos", WEIR_ERR_FORMAT, "bos_token_id: 1048576, but there are 263 tokens");
    bpe_change(eos_just_out, "eos", WEIR_ERR_FORMAT, "eos_token_id: 263");
    bpe_change(bos_missing, "bos missing", WEIR_ERR_FORMAT, "bos_token_id is missing");
    bpe_change(eos_missing, "eos missing", WEIR_ERR_FORMAT, "eos_token_id is missing");
    bpe_change(space_prefix, "space prefix", WEIR_ERR_UNSUPPORTED, "add_space_prefix");
    bpe_change(byte_lost, "byte lost", WEIR_ERR_FORMAT, "no token for byte 0x09");
}

static void damaged_sentencepiece(void **state)
{
    (void)state;
    spm_change(no_scores, "no scores", WEIR_ERR_FORMAT, "scores is missing");
    spm_change(score_nan, "score NaN", WEIR_ERR_FORMAT, "token 260: not a finite number");
    spm_change(no_bos, "no bos", WEIR_ERR_FORMAT, "bos_token_id is missing");
    spm_change(byte_spelling, "byte spelling", WEIR_ERR_FORMAT, "not <0xXX>");
    spm_change(byte_twice, "byte twice", WEIR_ERR_FORMAT, "there already");
    spm_change(token_twice, "token twice", WEIR_ERR_FORMAT, "same text");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(damaged_byte_level), cmocka_unit_test(damaged_sentencepiece)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
