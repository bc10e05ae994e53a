/* Opening a tokenizer: the metadata keys "tokenizer.ggml.*" (github.com/ggml-org/ggml, docs/gguf.md) into tables, everything checked. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "tokenizer/tokenizer_internal.h"

#define KEY(name) "tokenizer.ggml." name

static bool string_is(struct weir_string text, const char *word)
{
    return text.size == strlen(word) && memcmp(text.data, word, text.size) == 0;
}

static int shown(struct weir_string text)
{
    return text.size > 64 ? 64 : (int)text.size;
}

static enum weir_status read_string(const struct weir_gguf *gguf, const char *key, struct weir_string *out,
                                    struct weir_error *error)
{
    if (weir_gguf_as_string(weir_gguf_find(gguf, key), out)) return WEIR_OK;
    return error_set(error, WEIR_ERR_FORMAT, "%s is missing or no string", key);
}

/* An optional flag: `*out` keeps its default when the key is not there. */
static enum weir_status read_flag(const struct weir_gguf *gguf, const char *key, bool *out, struct weir_error *error)
{
    const struct weir_gguf_value *value = weir_gguf_find(gguf, key);
    if (!value || weir_gguf_as_bool(value, out)) return WEIR_OK;
    return error_set(error, WEIR_ERR_FORMAT, "%s: expected a bool, found %s", key,
                     weir_gguf_value_type_name(weir_gguf_type(value)));
}

/* An optional id: TOKEN_NONE when the key is not there. */
static enum weir_status read_id(const struct weir_gguf *gguf, const char *key, size_t count, int32_t *out,
                                struct weir_error *error)
{
    const struct weir_gguf_value *value = weir_gguf_find(gguf, key);
    *out = TOKEN_NONE;
    if (!value) return WEIR_OK;
    uint64_t id;
    if (!weir_gguf_as_u64(value, &id)) return error_set(error, WEIR_ERR_FORMAT, "%s: not an id", key);
    if (id >= count) {
        return error_set(error, WEIR_ERR_FORMAT, "%s: %llu, but there are %zu tokens", key, (unsigned long long)id,
                         count);
    }
    *out = (int32_t)id;
    return WEIR_OK;
}

/* Which algorithm, and for byte-level BPE which pre-tokenizer; sets the defaults that follow from it. */
static enum weir_status load_model(struct weir_tokenizer *t, const struct weir_gguf *gguf, struct weir_error *error)
{
    struct weir_string model;
    struct weir_string pre;
    enum weir_status status = read_string(gguf, KEY("model"), &model, error);
    if (status) return status;
    if (string_is(model, "llama")) {
        t->adds_bos = true;
        t->adds_space = true;
        return WEIR_OK;
    }
    if (!string_is(model, "gpt2")) {
        return error_set(error, WEIR_ERR_UNSUPPORTED, KEY("model") ": \"%.*s\" is not supported, only gpt2 and llama",
                         shown(model), model.data);
    }
    status = read_string(gguf, KEY("pre"), &pre, error);
    if (status) return status;
    t->pre = pretok_find(pre);
    if (!t->pre) {
        return error_set(error, WEIR_ERR_UNSUPPORTED, KEY("pre") ": the pre-tokenizer \"%.*s\" is not supported",
                         shown(pre), pre.data);
    }
    t->adds_bos = t->pre->adds_bos;
    return WEIR_OK;
}

static enum weir_status load_rules(struct weir_tokenizer *t, const struct weir_gguf *gguf, struct weir_error *error)
{
    enum weir_status status = read_id(gguf, KEY("bos_token_id"), t->vocab.count, &t->bos, error);
    if (!status) status = read_id(gguf, KEY("eos_token_id"), t->vocab.count, &t->eos, error);
    if (!status) status = read_flag(gguf, KEY("add_bos_token"), &t->adds_bos, error);
    if (!status) status = read_flag(gguf, KEY("add_eos_token"), &t->adds_eos, error);
    if (!status) status = read_flag(gguf, KEY("add_space_prefix"), &t->adds_space, error);
    if (status) return status;
    if (t->adds_bos && t->bos == TOKEN_NONE) {
        return error_set(error, WEIR_ERR_FORMAT, KEY("bos_token_id") " is missing, but texts begin with BOS");
    }
    if (t->adds_eos && t->eos == TOKEN_NONE) {
        return error_set(error, WEIR_ERR_FORMAT, KEY("eos_token_id") " is missing, but texts end with EOS");
    }
    if (t->pre && t->adds_space) {
        return error_set(error, WEIR_ERR_UNSUPPORTED, KEY("add_space_prefix") " is not supported with byte-level BPE");
    }
    return WEIR_OK;
}

static enum weir_status load_ends(struct weir_tokenizer *t, const struct weir_gguf *gguf, struct weir_error *error)
{
    struct end_keys keys = {.eos = t->eos};
    enum weir_status status = read_id(gguf, KEY("eot_token_id"), t->vocab.count, &keys.eot, error);
    if (!status) status = read_id(gguf, KEY("eom_token_id"), t->vocab.count, &keys.eom, error);
    if (!status) ends_find(&t->ends, &t->vocab, &keys);
    return status;
}

/* BOS, the tokens that end a turn and markup of turns are control tokens also where a file calls them user-defined (Phi-3 does with
 * "</s>", Qwen 3 with "<tool_call>"): text of users must not spell them. */
static bool is_reserved(const struct weir_tokenizer *t, int32_t id, struct weir_string spelling)
{
    struct weir_string bos = weir_token_text(t, t->bos);
    return id == t->bos || ends_have(&t->ends, id) || is_turn_markup(spelling, bos);
}

static enum weir_status add_special(struct weir_tokenizer *t, int32_t id, struct weir_string spelling,
                                    struct weir_error *error)
{
    bool is_control = t->vocab.kinds[id] != WEIR_TOKEN_USER_DEFINED;
    if (is_control && vocab_find(&t->vocab, spelling.data, spelling.size) != TOKEN_NONE) {
        return error_set(error, WEIR_ERR_FORMAT, KEY("tokens") ": token %d, \"%.*s\", is there as a normal token too",
                         (int)id, shown(spelling), spelling.data);
    }
    return specials_add(&t->specials, spelling, id, is_control || is_reserved(t, id, spelling), error);
}

static enum weir_status load_specials(struct weir_tokenizer *t, const struct weir_gguf *gguf, struct weir_error *error)
{
    const struct weir_gguf_value *tokens = weir_gguf_find(gguf, KEY("tokens"));
    enum weir_status status = load_ends(t, gguf, error);
    if (!status) status = specials_open(&t->specials, error);
    for (size_t i = 0; !status && i < t->vocab.count; i++) {
        uint8_t kind = t->vocab.kinds[i];
        bool is_special = kind == WEIR_TOKEN_CONTROL || kind == WEIR_TOKEN_UNKNOWN || kind == WEIR_TOKEN_USER_DEFINED;
        struct weir_string spelling;
        if (!is_special || !weir_gguf_array_string(tokens, i, &spelling)) continue;
        status = add_special(t, (int32_t)i, spelling, error);
    }
    return status;
}

/* What stands for a byte that has no token: U+FFFD as one token, as its bytes, or the unknown token. */
static enum weir_status load_replacement(struct weir_tokenizer *t, const struct weir_gguf *gguf,
                                         struct weir_error *error)
{
    static const uint8_t bytes[3] = {0xEF, 0xBF, 0xBD};
    int32_t unknown;
    enum weir_status status = read_id(gguf, KEY("unknown_token_id"), t->vocab.count, &unknown, error);
    if (status) return status;
    for (size_t i = 0; i < 3; i++) t->replacement[i] = t->vocab.bytes[bytes[i]];
    bool has_bytes =
        t->replacement[0] != TOKEN_NONE && t->replacement[1] != TOKEN_NONE && t->replacement[2] != TOKEN_NONE;
    t->replacement_count = 3;
    int32_t whole = vocab_find(&t->vocab, "\xEF\xBF\xBD", 3);
    if (whole == TOKEN_NONE && has_bytes) return WEIR_OK;
    t->replacement[0] = whole != TOKEN_NONE ? whole : unknown;
    t->replacement_count = 1;
    if (t->replacement[0] != TOKEN_NONE) return WEIR_OK;
    for (size_t i = 0; i < 256; i++) {
        if (t->vocab.bytes[i] != TOKEN_NONE) continue;
        return error_set(error, WEIR_ERR_FORMAT,
                         KEY("tokens") ": no token for byte 0x%02zX, for U+FFFD, or for the unknown", i);
    }
    return WEIR_OK;
}

static enum weir_status tokenizer_load(struct weir_tokenizer *t, const struct weir_gguf *gguf, struct weir_error *error)
{
    enum weir_status status = load_model(t, gguf, error);
    if (status) return status;
    bool is_bpe = t->pre != NULL;
    status = vocab_load(&t->vocab, gguf, is_bpe ? SPELLING_BYTE_LEVEL : SPELLING_SPACES, !is_bpe, error);
    if (!status && is_bpe) status = merges_load(&t->merges, &t->vocab, gguf, error);
    if (!status) status = load_rules(t, gguf, error);
    if (!status) status = load_specials(t, gguf, error);
    if (!status) status = load_replacement(t, gguf, error);
    return status;
}

enum weir_status weir_tokenizer_open(const struct weir_gguf *gguf, struct weir_tokenizer **out,
                                     struct weir_error *error)
{
    struct weir_tokenizer *t = mem_zero(1, sizeof *t);
    if (!t) return error_nomem(error, "tokenizer");
    enum weir_status status = tokenizer_load(t, gguf, error);
    if (status) {
        weir_tokenizer_close(&t);
        return error_prefix(error, status, "%s", weir_gguf_name(gguf));
    }
    *out = t;
    return WEIR_OK;
}

void weir_tokenizer_close(struct weir_tokenizer **tokenizer)
{
    struct weir_tokenizer *t = *tokenizer;
    if (!t) return;
    vocab_free(&t->vocab);
    merges_free(&t->merges);
    specials_free(&t->specials);
    free(t);
    *tokenizer = NULL;
}
