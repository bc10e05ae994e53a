/* Uses no test library, so that fuzz targets can link it. */
#include "tokenizer/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int32_t sample_add(struct sample *sample, const char *text, enum weir_token_kind kind, float score)
{
    if (sample->count == SAMPLE_TOKENS_MAX) abort();
    sample->tokens[sample->count] = (struct weir_string){text, strlen(text)};
    sample->kinds[sample->count] = (int32_t)kind;
    sample->scores[sample->count] = score;
    return (int32_t)sample->count++;
}

void sample_merge(struct sample *sample, const char *merge)
{
    sample->merges[sample->merge_count++] = (struct weir_string){merge, strlen(merge)};
}

/* GPT-2's printable character of every byte: two-byte UTF-8 at most. */
static const char *byte_char(unsigned byte)
{
    static char chars[256][3];
    unsigned rank = 0;
    for (unsigned b = 0; b < 256; b++) {
        bool is_itself = (b >= 33 && b <= 126) || (b >= 161 && b != 173);
        unsigned code = is_itself ? b : 256 + rank++;
        if (code < 128)
            chars[b][0] = (char)code;
        else {
            chars[b][0] = (char)(0xC0 | code >> 6);
            chars[b][1] = (char)(0x80 | (code & 0x3F));
        }
    }
    return chars[byte];
}

void sample_bpe(struct sample *sample)
{
    *sample = (struct sample){.model = "gpt2",
                              .pre = "gpt-2",
                              .bos = -1,
                              .eos = -1,
                              .unknown = -1,
                              .eot = -1,
                              .adds_bos = -1,
                              .adds_eos = -1,
                              .adds_space = -1};
    for (unsigned i = 0; i < 256; i++) sample_add(sample, byte_char(i), WEIR_TOKEN_NORMAL, 0);
    sample_add(sample, "<|end|>", WEIR_TOKEN_CONTROL, 0);     /* 256 */
    sample_add(sample, "<tool>", WEIR_TOKEN_USER_DEFINED, 0); /* 257 */
    sample_add(sample, "aa", WEIR_TOKEN_NORMAL, 0);           /* 258 */
    sample_add(sample, "aaaa", WEIR_TOKEN_NORMAL, 0);         /* 259 */
    sample_add(sample, "ab", WEIR_TOKEN_NORMAL, 0);           /* 260 */
    sample_add(sample,
               "\xC4\xA0"
               "a",
               WEIR_TOKEN_NORMAL, 0);                 /* 261: space, a */
    sample_add(sample, "abab", WEIR_TOKEN_NORMAL, 0); /* 262: no merge makes it */
    sample_merge(sample, "a a");
    sample_merge(sample, "aa aa");
    sample_merge(sample, "a b");
    sample_merge(sample, "\xC4\xA0 a");
}

void sample_spm(struct sample *sample)
{
    static char spellings[256][8];
    *sample = (struct sample){.model = "llama",
                              .pre = "default",
                              .bos = 1,
                              .eos = 2,
                              .unknown = 0,
                              .eot = -1,
                              .adds_bos = -1,
                              .adds_eos = -1,
                              .adds_space = -1};
    sample_add(sample, "<unk>", WEIR_TOKEN_UNKNOWN, 0);
    sample_add(sample, "<s>", WEIR_TOKEN_CONTROL, 0);
    sample_add(sample, "</s>", WEIR_TOKEN_CONTROL, 0);
    for (unsigned i = 0; i < 256; i++) { /* 3.. */
        snprintf(spellings[i], sizeof spellings[i], "<0x%02X>", i);
        sample_add(sample, spellings[i], WEIR_TOKEN_BYTE, 0);
    }
    static const char *const words[] = {"\xE2\x96\x81",
                                        "a",
                                        "b",
                                        "c",
                                        "<",
                                        "s",
                                        ">",
                                        "ab",
                                        "bc",
                                        "\xE2\x96\x81"
                                        "a",
                                        "\xE2\x96\x81"
                                        "ab",
                                        "s>",
                                        "\xE2\x96\x81\xE2\x96\x81",
                                        "\xC3\xA9"};
    static const float scores[] = {-100, -101, -102, -103, -104, -105, -106, -2, -1, -3, -4, -5, -6, -107};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        sample_add(sample, words[i], WEIR_TOKEN_NORMAL, scores[i]);
    sample_add(sample, "\n\n", WEIR_TOKEN_USER_DEFINED, -50); /* 273 */
}

static void write_sample(struct gguf_writer *w, const struct sample *s)
{
    if (s->model) gguf_write_string(w, "tokenizer.ggml.model", s->model, strlen(s->model));
    if (s->pre) gguf_write_string(w, "tokenizer.ggml.pre", s->pre, strlen(s->pre));
    if (!s->lacks_tokens) gguf_write_strings(w, "tokenizer.ggml.tokens", s->tokens, s->count);
    if (!s->lacks_kinds) gguf_write_i32s(w, "tokenizer.ggml.token_type", s->kinds, s->count - s->kinds_cut);
    if (!s->lacks_scores) gguf_write_f32s(w, "tokenizer.ggml.scores", s->scores, s->count);
    if (!s->lacks_merges) gguf_write_strings(w, "tokenizer.ggml.merges", s->merges, s->merge_count);
    if (s->bos >= 0) gguf_write_u32(w, "tokenizer.ggml.bos_token_id", (uint32_t)s->bos);
    if (s->eos >= 0) gguf_write_u32(w, "tokenizer.ggml.eos_token_id", (uint32_t)s->eos);
    if (s->unknown >= 0) gguf_write_u32(w, "tokenizer.ggml.unknown_token_id", (uint32_t)s->unknown);
    if (s->eot >= 0) gguf_write_u32(w, "tokenizer.ggml.eot_token_id", (uint32_t)s->eot);
    if (s->adds_bos >= 0) gguf_write_bool(w, "tokenizer.ggml.add_bos_token", s->adds_bos != 0);
    if (s->adds_eos >= 0) gguf_write_bool(w, "tokenizer.ggml.add_eos_token", s->adds_eos != 0);
    if (s->adds_space >= 0) gguf_write_bool(w, "tokenizer.ggml.add_space_prefix", s->adds_space != 0);
}

enum weir_status sample_bytes(const struct sample *sample, struct strbuf *out, struct weir_error *error)
{
    struct gguf_writer *w = gguf_writer_open();
    if (!w) return WEIR_ERR_NOMEM;
    write_sample(w, sample);
    enum weir_status status = gguf_writer_finish(w, out, error);
    gguf_writer_close(&w);
    return status;
}

enum weir_status sample_open(const struct sample *sample, struct weir_tokenizer **out, struct weir_error *error)
{
    struct strbuf bytes = STRBUF_MAX(16 << 20);
    struct weir_gguf *gguf = NULL;
    enum weir_status status = sample_bytes(sample, &bytes, error);
    if (!status) status = weir_gguf_open_memory(bytes.data, bytes.size, "sample", &gguf, error);
    if (!status) status = weir_tokenizer_open(gguf, out, error);
    weir_gguf_close(&gguf);
    strbuf_free(&bytes);
    return status;
}
