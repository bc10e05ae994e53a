/* Small vocabularies for the tokenizer's tests, written and opened in memory. */
#ifndef WEIR_TESTS_TOKENIZER_SAMPLE_H
#define WEIR_TESTS_TOKENIZER_SAMPLE_H

#include "base/strbuf.h"
#include "gguf/writer.h"
#include "weir/tokenizer.h"

enum { SAMPLE_TOKENS_MAX = 4096 };

/* A vocabulary before it is written: change what the test is about. */
struct sample {
    const char *model, *pre; /* NULL: the key is left out */
    size_t count, merge_count;
    struct weir_string tokens[SAMPLE_TOKENS_MAX];
    int32_t kinds[SAMPLE_TOKENS_MAX];
    float scores[SAMPLE_TOKENS_MAX];
    struct weir_string merges[SAMPLE_TOKENS_MAX];
    bool lacks_tokens, lacks_kinds, lacks_scores, lacks_merges;
    int64_t bos, eos, unknown, eot; /* -1: the key is left out */
    int adds_bos, adds_eos, adds_space;
    size_t kinds_cut; /* entries missing at the end of token_type */
};

void sample_bpe(struct sample *sample); /* 256 bytes, <|end|> (control), <tool> (user-defined), a few merges; gpt-2 */
void sample_spm(
    struct sample *sample); /* <unk>, <s>, </s>, 256 bytes, letters, words with scores, a user-defined line pair */
int32_t sample_add(struct sample *sample, const char *text, enum weir_token_kind kind, float score);
void sample_merge(struct sample *sample, const char *merge);

/* The file's bytes, appended to *out. */
enum weir_status sample_bytes(const struct sample *sample, struct strbuf *out, struct weir_error *error);

/* Opens a tokenizer; the bytes are gone when this returns, as the tokenizer may outlive its file. */
enum weir_status sample_open(const struct sample *sample, struct weir_tokenizer **out, struct weir_error *error);

/* The rest is in sample_check.c, for cmocka tests. */

/* tests/data/tokenizer/cut.gguf under another pre-tokenizer. */
enum weir_status sample_open_cut(const char *pre, struct weir_tokenizer **out, struct weir_error *error);

/* ids as "1 2 3"; fails the test when tokenizing does. Static storage, until the next call. */
const char *sample_ids(const struct weir_tokenizer *tokenizer, const char *text, size_t size, unsigned flags);

/* The texts of the tokens of a text, one after the other, into out. */
void sample_round_trip(const struct weir_tokenizer *tokenizer, const char *text, size_t size, struct strbuf *out);

#endif
