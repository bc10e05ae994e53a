/* The public calls on an open tokenizer: text is cut at special tokens, the rest goes to BPE or SentencePiece. */
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "tokenizer/tokenizer_internal.h"

/* ---- the list of ids ---- */

bool tokens_add(struct weir_tokens *tokens, int32_t id)
{
    if (tokens->count == tokens->capacity) {
        size_t capacity = tokens->capacity ? 2 * tokens->capacity : 64;
        int32_t *ids = mem_resize(tokens->ids, capacity, sizeof *ids);
        if (!ids) return false;
        tokens->ids = ids;
        tokens->capacity = capacity;
    }
    tokens->ids[tokens->count++] = id;
    return true;
}

void weir_tokens_free(struct weir_tokens *tokens)
{
    free(tokens->ids);
    *tokens = (struct weir_tokens){0};
}

/* ---- encoding ---- */

bool encoder_add_byte(struct encoder *encoder, uint8_t byte)
{
    const struct weir_tokenizer *t = encoder->tokenizer;
    if (t->vocab.bytes[byte] != TOKEN_NONE) return tokens_add(encoder->out, t->vocab.bytes[byte]);
    for (size_t i = 0; i < t->replacement_count; i++) {
        if (!tokens_add(encoder->out, t->replacement[i])) return false;
    }
    return true;
}

/* Text without special tokens. `leads`: it is at the start or follows a special token: that is where SentencePiece puts its space. */
static bool encode_plain(struct encoder *encoder, struct weir_string text, bool leads)
{
    if (text.size == 0) return true;
    const struct weir_tokenizer *t = encoder->tokenizer;
    return t->pre ? bpe_encode(encoder, text) : spm_encode(encoder, text, t->adds_space && leads);
}

bool encoder_add_text(struct encoder *encoder, struct weir_string text, struct trusted trusted, bool continues)
{
    const struct specials *specials = &encoder->tokenizer->specials;
    size_t at = 0;
    struct special_match match;
    while (specials_find(specials, text, at, &trusted, &match)) {
        struct weir_string plain = {text.data + at, match.at - at};
        if (!encode_plain(encoder, plain, at > 0 || !continues)) return false;
        if (!tokens_add(encoder->out, match.id)) return false;
        at = match.at + match.size;
    }
    return encode_plain(encoder, (struct weir_string){text.data + at, text.size - at}, at > 0 || !continues);
}

void encoder_free(struct encoder *encoder)
{
    merging_free(&encoder->merging);
    free(encoder->text);
}

static bool encode_all(struct encoder *encoder, struct weir_string text, unsigned flags)
{
    const struct weir_tokenizer *t = encoder->tokenizer;
    bool frames = (flags & WEIR_TOKENIZE_BOS) != 0;
    if (frames && t->adds_bos && !tokens_add(encoder->out, t->bos)) return false;
    struct trusted_run whole = {0, text.size};
    struct trusted trusted = {&whole, (flags & WEIR_TOKENIZE_SPECIAL) ? 1 : 0};
    if (text.size && !encoder_add_text(encoder, text, trusted, false)) return false;
    return !(frames && t->adds_eos) || tokens_add(encoder->out, t->eos);
}

enum weir_status weir_tokenize(const struct weir_tokenizer *tokenizer, const char *text, size_t size, unsigned flags,
                               struct weir_tokens *tokens, struct weir_error *error)
{
    if (flags & ~(unsigned)(WEIR_TOKENIZE_BOS | WEIR_TOKENIZE_SPECIAL)) {
        return error_set(error, WEIR_ERR_INVALID, "weir_tokenize: unknown flags 0x%x", flags);
    }
    if (size > TOKENIZE_BYTES_MAX) {
        return error_set(error, WEIR_ERR_LIMIT, "a text of %zu bytes; the limit is %d", size, TOKENIZE_BYTES_MAX);
    }
    size_t count_before = tokens->count;
    struct encoder encoder = {.tokenizer = tokenizer, .out = tokens};
    bool encoded = encode_all(&encoder, (struct weir_string){text, size}, flags);
    encoder_free(&encoder);
    if (encoded) return WEIR_OK;
    tokens->count = count_before;
    return error_nomem(error, "tokenizing a text");
}

/* ---- single tokens ---- */

static bool id_is_valid(const struct weir_tokenizer *tokenizer, int32_t id)
{
    return id >= 0 && (size_t)id < tokenizer->vocab.count;
}

struct weir_string weir_token_text(const struct weir_tokenizer *tokenizer, int32_t id)
{
    return id_is_valid(tokenizer, id) ? tokenizer->vocab.texts[id] : (struct weir_string){NULL, 0};
}

enum weir_token_kind weir_token_kind(const struct weir_tokenizer *tokenizer, int32_t id)
{
    return id_is_valid(tokenizer, id) ? (enum weir_token_kind)tokenizer->vocab.kinds[id] : WEIR_TOKEN_UNKNOWN;
}

size_t weir_tokenizer_size(const struct weir_tokenizer *tokenizer)
{
    return tokenizer->vocab.count;
}

int32_t weir_tokenizer_bos(const struct weir_tokenizer *tokenizer)
{
    return tokenizer->bos;
}

int32_t weir_tokenizer_eos(const struct weir_tokenizer *tokenizer)
{
    return tokenizer->eos;
}

bool weir_token_is_end(const struct weir_tokenizer *tokenizer, int32_t id)
{
    return ends_have(&tokenizer->ends, id);
}

size_t weir_tokenizer_ends(const struct weir_tokenizer *tokenizer, const int32_t **ids)
{
    *ids = tokenizer->ends.ids;
    return tokenizer->ends.count;
}
