#include "tokenizer/vocab.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "tokenizer/utf8.h"

#define KEY_TOKENS "tokenizer.ggml.tokens"
#define KEY_TYPES "tokenizer.ggml.token_type"
#define KEY_SCORES "tokenizer.ggml.scores"

static const char space_mark[3] = {'\xE2', '\x96', '\x81'}; /* U+2581 */

/* ---- spelling ---- */

/* The byte that a character of GPT-2's printable alphabet stands for, or -1 (openai/gpt-2, encoder.py, bytes_to_unicode): printable Latin-1
 * stands for itself, the other 68 bytes, in order, for U+0100.. */
static int byte_of_char(uint32_t code)
{
    bool is_itself = (code >= 33 && code <= 126) || (code >= 161 && code <= 172) || (code >= 174 && code <= 255);
    if (is_itself) return (int)code;
    if (code < 256 || code >= 256 + 68) return -1;
    uint32_t rank = code - 256;
    if (rank < 33) return (int)rank;              /* 0..32 */
    if (rank < 67) return (int)(127 + rank - 33); /* 127..160 */
    return 173;
}

static size_t unspell_byte_level(const char *text, size_t size, char *out)
{
    size_t used = 0;
    for (size_t at = 0; at < size;) {
        uint32_t code;
        at += utf8_step(text + at, size - at, &code);
        int byte = byte_of_char(code);
        if (byte < 0) { /* not of that alphabet: the text is taken as it stands */
            memcpy(out, text, size);
            return size;
        }
        out[used++] = (char)byte;
    }
    return used;
}

static size_t unspell_spaces(const char *text, size_t size, char *out)
{
    size_t used = 0;
    for (size_t at = 0; at < size;) {
        bool is_mark = size - at >= sizeof space_mark && memcmp(text + at, space_mark, sizeof space_mark) == 0;
        out[used++] = is_mark ? ' ' : text[at];
        at += is_mark ? sizeof space_mark : 1;
    }
    return used;
}

size_t vocab_unspell(enum vocab_spelling spelling, const char *text, size_t size, char *out)
{
    return spelling == SPELLING_BYTE_LEVEL ? unspell_byte_level(text, size, out) : unspell_spaces(text, size, out);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* The byte spelled "<0xXX>", or -1. */
static int byte_of_spelling(struct weir_string text)
{
    if (text.size != 6 || memcmp(text.data, "<0x", 3) != 0 || text.data[5] != '>') return -1;
    int high = hex_digit(text.data[3]);
    int low = hex_digit(text.data[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* ---- the hash from text to id ---- */

static uint64_t text_hash(const char *text, size_t size)
{
    uint64_t h = 0xcbf29ce484222325ULL; /* FNV-1a */
    for (size_t i = 0; i < size; i++) h = (h ^ (uint8_t)text[i]) * 0x100000001b3ULL;
    return hash_mix(h);
}

size_t hash_slot_count(size_t items)
{
    size_t count = 16;
    while (count / 2 < items) {
        if (!size_mul(count, 2, &count)) return 0;
    }
    return count;
}

static bool text_equals(struct weir_string a, const char *text, size_t size)
{
    return a.size == size && memcmp(a.data, text, size) == 0;
}

/* The slot that holds this text, or the free one where it would go. NULL after HASH_PROBES_MAX steps. */
static int32_t *slot_of(const struct vocab *vocab, const char *text, size_t size)
{
    size_t at = text_hash(text, size) & vocab->slot_mask;
    for (int probes = 0; probes < HASH_PROBES_MAX; probes++) {
        int32_t *slot = &vocab->slots[at];
        if (*slot == TOKEN_NONE || text_equals(vocab->texts[*slot], text, size)) return slot;
        at = (at + 1) & vocab->slot_mask;
    }
    return NULL;
}

int32_t vocab_find(const struct vocab *vocab, const char *text, size_t size)
{
    if (size == 0 || size > vocab->text_bytes_max) return TOKEN_NONE;
    const int32_t *slot = slot_of(vocab, text, size);
    return slot ? *slot : TOKEN_NONE;
}

static enum weir_status vocab_insert(struct vocab *vocab, int32_t id, struct weir_error *error)
{
    struct weir_string text = vocab->texts[id];
    int32_t *slot = slot_of(vocab, text.data, text.size);
    if (!slot) return error_set(error, WEIR_ERR_LIMIT, KEY_TOKENS ": more than %d colliding texts", HASH_PROBES_MAX);
    if (*slot != TOKEN_NONE) {
        return error_set(error, WEIR_ERR_FORMAT, KEY_TOKENS ": tokens %d and %d are the same text, \"%.*s\"",
                         (int)*slot, (int)id, text.size > 64 ? 64 : (int)text.size, text.data);
    }
    *slot = id;
    if (text.size > vocab->text_bytes_max) vocab->text_bytes_max = text.size;
    return WEIR_OK;
}

/* ---- loading ---- */

static enum weir_status check_array(const struct weir_gguf_value *value, const char *key, size_t count,
                                    struct weir_error *error)
{
    if (!value) return error_set(error, WEIR_ERR_FORMAT, "%s is missing", key);
    if (weir_gguf_array_count(value) == count) return WEIR_OK;
    return error_set(error, WEIR_ERR_FORMAT, "%s: expected an array of %zu, as there are tokens, found %zu", key, count,
                     weir_gguf_array_count(value));
}

static enum weir_status load_kinds(struct vocab *vocab, const struct weir_gguf *gguf, struct weir_error *error)
{
    const struct weir_gguf_value *types = weir_gguf_find(gguf, KEY_TYPES);
    enum weir_status status = check_array(types, KEY_TYPES, vocab->count, error);
    if (status) return status;
    for (size_t i = 0; i < vocab->count; i++) {
        int64_t kind;
        if (!weir_gguf_array_i64(types, i, &kind)) {
            return error_set(error, WEIR_ERR_FORMAT, KEY_TYPES ": not integers but %s",
                             weir_gguf_value_type_name(weir_gguf_array_type(types)));
        }
        if (kind < WEIR_TOKEN_NORMAL || kind > WEIR_TOKEN_BYTE) {
            return error_set(error, WEIR_ERR_FORMAT, KEY_TYPES ": token %zu: expected a type of 1 to 6, found %lld", i,
                             (long long)kind);
        }
        vocab->kinds[i] = (uint8_t)kind;
    }
    return WEIR_OK;
}

static enum weir_status load_scores(struct vocab *vocab, const struct weir_gguf *gguf, struct weir_error *error)
{
    const struct weir_gguf_value *scores = weir_gguf_find(gguf, KEY_SCORES);
    enum weir_status status = check_array(scores, KEY_SCORES, vocab->count, error);
    if (status) return status;
    vocab->scores = mem_zero(vocab->count, sizeof *vocab->scores);
    if (!vocab->scores) return error_nomem(error, "token scores");
    for (size_t i = 0; i < vocab->count; i++) {
        double score;
        if (!weir_gguf_array_f64(scores, i, &score) || !isfinite((float)score)) {
            return error_set(error, WEIR_ERR_FORMAT, KEY_SCORES ": token %zu: not a finite number", i);
        }
        vocab->scores[i] = (float)score;
    }
    return WEIR_OK;
}

/* Everything sized by the number of tokens and the bytes of their spelling. */
static enum weir_status vocab_allocate(struct vocab *vocab, const struct weir_gguf_value *tokens,
                                       struct weir_error *error)
{
    size_t bytes = 0;
    for (size_t i = 0; i < vocab->count; i++) {
        struct weir_string text;
        if (!weir_gguf_array_string(tokens, i, &text))
            return error_set(error, WEIR_ERR_FORMAT, KEY_TOKENS ": not strings");
        if (!size_add(bytes, text.size, &bytes)) return error_nomem(error, "vocabulary");
    }
    size_t slots = hash_slot_count(vocab->count);
    vocab->texts = mem_zero(vocab->count, sizeof *vocab->texts);
    vocab->kinds = mem_zero(vocab->count, sizeof *vocab->kinds);
    vocab->arena = mem_zero(bytes, 1);
    vocab->slots = slots ? mem_resize(NULL, slots, sizeof *vocab->slots) : NULL;
    if (!vocab->texts || !vocab->kinds || !vocab->arena || !vocab->slots) return error_nomem(error, "vocabulary");
    memset(vocab->slots, 0xFF, slots * sizeof *vocab->slots); /* TOKEN_NONE */
    vocab->slot_mask = slots - 1;
    return WEIR_OK;
}

static enum weir_status add_byte(struct vocab *vocab, int32_t id, struct weir_string spelling, char *out,
                                 struct weir_error *error)
{
    int byte = byte_of_spelling(spelling);
    if (byte < 0 || vocab->bytes[byte] != TOKEN_NONE) {
        return error_set(error, WEIR_ERR_FORMAT, KEY_TOKENS ": token %d: a byte token, but \"%.*s\" is %s", (int)id,
                         spelling.size > 64 ? 64 : (int)spelling.size, spelling.data,
                         byte < 0 ? "not <0xXX>" : "there already");
    }
    *out = (char)byte;
    vocab->texts[id] = (struct weir_string){out, 1};
    vocab->bytes[byte] = id;
    return WEIR_OK;
}

/* One token: its text to `out` (room for its spelling), its entry in the hash. */
static enum weir_status add_token(struct vocab *vocab, int32_t id, enum vocab_spelling spelling, struct weir_string raw,
                                  char *out, struct weir_error *error)
{
    enum weir_token_kind kind = (enum weir_token_kind)vocab->kinds[id];
    if (kind == WEIR_TOKEN_BYTE && spelling == SPELLING_SPACES) return add_byte(vocab, id, raw, out, error);
    bool is_merged = kind == WEIR_TOKEN_NORMAL || kind == WEIR_TOKEN_UNUSED;
    bool is_spelled = is_merged || (kind == WEIR_TOKEN_USER_DEFINED && spelling == SPELLING_SPACES);
    size_t size = raw.size;
    if (is_spelled)
        size = vocab_unspell(spelling, raw.data, raw.size, out);
    else if (size)
        memcpy(out, raw.data, size);
    vocab->texts[id] = (struct weir_string){out, size};
    /* In a SentencePiece vocabulary text is merged with U+2581 for spaces: a token spelled with a space is never met. */
    bool is_met = spelling == SPELLING_BYTE_LEVEL || !raw.size || !memchr(raw.data, ' ', raw.size);
    return is_merged && is_met && size ? vocab_insert(vocab, id, error) : WEIR_OK;
}

static enum weir_status load_texts(struct vocab *vocab, const struct weir_gguf_value *tokens,
                                   enum vocab_spelling spelling, struct weir_error *error)
{
    char *out = vocab->arena;
    for (size_t i = 0; i < 256; i++) vocab->bytes[i] = TOKEN_NONE;
    for (size_t i = 0; i < vocab->count; i++) {
        struct weir_string raw = {NULL, 0};
        (void)weir_gguf_array_string(tokens, i, &raw); /* strings: vocab_allocate looked */
        enum weir_status status = add_token(vocab, (int32_t)i, spelling, raw, out, error);
        if (status) return status;
        out += vocab->texts[i].size;
        if (vocab->texts[i].size > vocab->token_bytes_max) vocab->token_bytes_max = vocab->texts[i].size;
    }
    if (spelling == SPELLING_SPACES) return WEIR_OK;
    for (size_t i = 0; i < 256; i++) vocab->bytes[i] = vocab_find(vocab, &(const char){(char)i}, 1);
    return WEIR_OK;
}

enum weir_status vocab_load(struct vocab *vocab, const struct weir_gguf *gguf, enum vocab_spelling spelling,
                            bool has_scores, struct weir_error *error)
{
    const struct weir_gguf_value *tokens = weir_gguf_find(gguf, KEY_TOKENS);
    vocab->count = weir_gguf_array_count(tokens); /* at most WEIR_GGUF_ARRAY_ITEMS_MAX: ids fit int32_t */
    if (!tokens || vocab->count == 0) return error_set(error, WEIR_ERR_FORMAT, KEY_TOKENS " is missing or empty");
    enum weir_status status = vocab_allocate(vocab, tokens, error);
    if (!status) status = load_kinds(vocab, gguf, error);
    if (!status && has_scores) status = load_scores(vocab, gguf, error);
    if (!status) status = load_texts(vocab, tokens, spelling, error);
    return status;
}

void vocab_free(struct vocab *vocab)
{
    free(vocab->texts);
    free(vocab->kinds);
    free(vocab->scores);
    free(vocab->arena);
    free(vocab->slots);
    *vocab = (struct vocab){0};
}
