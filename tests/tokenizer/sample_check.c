#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "tokenizer/sample.h"
#include "weir/gguf.h"

/* Text of one metadata array into the sample; the strings point into the file. */
static size_t take_strings(const struct weir_gguf *gguf, const char *key, struct weir_string *out)
{
    const struct weir_gguf_value *value = weir_gguf_find(gguf, key);
    size_t count = weir_gguf_array_count(value);
    assert_in_range(count, 1, SAMPLE_TOKENS_MAX);
    for (size_t i = 0; i < count; i++) assert_true(weir_gguf_array_string(value, i, &out[i]));
    return count;
}

enum weir_status sample_open_cut(const char *pre, struct weir_tokenizer **out, struct weir_error *error)
{
    static struct sample sample;
    struct weir_gguf *gguf = NULL;
    check_status(weir_gguf_open(WEIR_TEST_DATA "/tokenizer/cut.gguf", &gguf, error), WEIR_OK, error);
    sample = (struct sample){.model = "gpt2",
                             .pre = pre,
                             .bos = 1,
                             .eos = 2,
                             .unknown = -1,
                             .eot = -1,
                             .adds_bos = -1,
                             .adds_eos = -1,
                             .adds_space = -1};
    sample.count = take_strings(gguf, "tokenizer.ggml.tokens", sample.tokens);
    sample.merge_count = take_strings(gguf, "tokenizer.ggml.merges", sample.merges);
    const struct weir_gguf_value *kinds = weir_gguf_find(gguf, "tokenizer.ggml.token_type");
    for (size_t i = 0; i < sample.count; i++) {
        int64_t kind;
        assert_true(weir_gguf_array_i64(kinds, i, &kind));
        sample.kinds[i] = (int32_t)kind;
    }
    enum weir_status status = sample_open(&sample, out, error);
    weir_gguf_close(&gguf);
    return status;
}

const char *sample_ids(const struct weir_tokenizer *tokenizer, const char *text, size_t size, unsigned flags)
{
    static char line[8192];
    struct weir_tokens tokens = {0};
    struct weir_error error = {0};
    check_status(weir_tokenize(tokenizer, text, size, flags, &tokens, &error), WEIR_OK, &error);
    size_t used = 0;
    line[0] = '\0';
    for (size_t i = 0; i < tokens.count && used < sizeof line - 16; i++)
        used += (size_t)snprintf(line + used, sizeof line - used, "%s%d", i ? " " : "", (int)tokens.ids[i]);
    weir_tokens_free(&tokens);
    return line;
}

void sample_round_trip(const struct weir_tokenizer *tokenizer, const char *text, size_t size, struct strbuf *out)
{
    struct weir_tokens tokens = {0};
    struct weir_error error = {0};
    check_status(weir_tokenize(tokenizer, text, size, 0, &tokens, &error), WEIR_OK, &error);
    for (size_t i = 0; i < tokens.count; i++) {
        struct weir_string piece = weir_token_text(tokenizer, tokens.ids[i]);
        check_status(strbuf_add(out, piece.data, piece.size), WEIR_OK, &error);
    }
    weir_tokens_free(&tokens);
}
