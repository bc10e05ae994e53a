/* Ids to text, one by one: what a token completes comes out as UTF-8, the beginning of a character waits for the next token.
 *
 * The held bytes are always the beginning of one valid character (at most 3 bytes). Bytes that are none are replaced as WHATWG's
 * Encoding Standard does it (and Python's errors="replace"): each longest beginning of a character, or each stray byte, becomes one U+FFFD. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "tokenizer/tokenizer_internal.h"

enum { HELD_MAX = 3, REPLACEMENT_BYTES = 3 };

struct weir_decoder {
    const struct weir_tokenizer *tokenizer; /* not owned */
    unsigned flags;                         /* enum weir_decode_flags */
    bool drops_space; /* SentencePiece: the next token begins with the space that encoding added */
    size_t held;      /* bytes at the start of `in` that begin a character */
    uint8_t *in;      /* [HELD_MAX + longest token], owned */
    char *out;        /* [REPLACEMENT_BYTES * that], owned: every byte may be replaced */
};

/* ---- UTF-8 ---- */

enum span { SPAN_WHOLE, SPAN_OPEN, SPAN_BROKEN };

/* Bytes of the character that begins with `lead`; 0: none does (RFC 3629). */
static size_t size_of_lead(uint8_t lead)
{
    if (lead < 0x80) return 1;
    if (lead < 0xC2 || lead > 0xF4) return 0;
    return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

/* The second byte keeps out overlong forms, surrogates and what is above U+10FFFF (Unicode 16.0, table 3-7). */
static bool may_follow(uint8_t lead, uint8_t byte, size_t index)
{
    uint8_t low = 0x80;
    uint8_t high = 0xBF;
    if (index == 1 && lead == 0xE0) low = 0xA0;
    if (index == 1 && lead == 0xED) high = 0x9F;
    if (index == 1 && lead == 0xF0) low = 0x90;
    if (index == 1 && lead == 0xF4) high = 0x8F;
    return byte >= low && byte <= high;
}

/* A whole character at bytes[0], the beginning of one that the end cuts off, or bytes to replace; *length of them. */
static enum span span_at(const uint8_t *bytes, size_t size, size_t *length)
{
    size_t need = size_of_lead(bytes[0]);
    *length = 1;
    if (need == 0) return SPAN_BROKEN;
    while (*length < need && *length < size && may_follow(bytes[0], bytes[*length], *length)) ++*length;
    if (*length == need) return SPAN_WHOLE;
    return *length == size ? SPAN_OPEN : SPAN_BROKEN;
}

static size_t add_replacement(char *out, size_t used)
{
    memcpy(out + used, "\xEF\xBF\xBD",
           REPLACEMENT_BYTES); /* NOLINT(bugprone-not-null-terminated-result): a byte count */
    return used + REPLACEMENT_BYTES;
}

/* Turns in[0..size) into text at out[used..], keeps the cut-off character for later. Returns the new end of `out`. */
static size_t drain(struct weir_decoder *d, size_t size, size_t used)
{
    for (size_t at = 0; at < size;) {
        size_t length;
        enum span span = span_at(d->in + at, size - at, &length);
        if (span == SPAN_OPEN) {
            memmove(d->in, d->in + at, length);
            d->held = length;
            return used;
        }
        if (span == SPAN_BROKEN) {
            used = add_replacement(d->out, used);
        } else {
            memcpy(d->out + used, d->in + at, length);
            used += length;
        }
        at += length;
    }
    d->held = 0;
    return used;
}

/* What is held will not be completed. */
static size_t give_up_held(struct weir_decoder *d)
{
    if (d->held == 0) return 0;
    d->held = 0;
    return add_replacement(d->out, 0);
}

/* ---- tokens ---- */

static bool is_hidden(const struct weir_decoder *d, int32_t id)
{
    if (d->flags & WEIR_DECODE_SPECIAL) return false;
    return weir_token_kind(d->tokenizer, id) == WEIR_TOKEN_CONTROL || weir_token_is_end(d->tokenizer, id);
}

/* Where encoding has put a space: at the start, and after a token that text names as a whole (tokenizer.c, encode_plain). */
static bool space_follows(const struct weir_decoder *d, int32_t id)
{
    enum weir_token_kind kind = weir_token_kind(d->tokenizer, id);
    return d->tokenizer->adds_space && (kind == WEIR_TOKEN_CONTROL || kind == WEIR_TOKEN_USER_DEFINED);
}

static struct weir_string visible_text(const struct weir_decoder *d, int32_t id)
{
    bool is_unknown = weir_token_kind(d->tokenizer, id) == WEIR_TOKEN_UNKNOWN && !(d->flags & WEIR_DECODE_SPECIAL);
    if (is_unknown) return (struct weir_string){"\xEF\xBF\xBD", REPLACEMENT_BYTES};
    struct weir_string text = weir_token_text(d->tokenizer, id);
    bool drops = d->drops_space && text.size && text.data[0] == ' ' && !space_follows(d, id);
    return drops ? (struct weir_string){text.data + 1, text.size - 1} : text;
}

enum weir_status weir_decoder_add(struct weir_decoder *d, int32_t id, struct weir_string *text,
                                  struct weir_error *error)
{
    size_t count = weir_tokenizer_size(d->tokenizer);
    if (id < 0 || (size_t)id >= count)
        return error_set(error, WEIR_ERR_INVALID, "weir_decoder_add: token %d, but there are %zu", (int)id, count);
    size_t used;
    if (is_hidden(d, id)) {
        used = give_up_held(d);
    } else {
        struct weir_string piece = visible_text(d, id);
        if (piece.size) memcpy(d->in + d->held, piece.data, piece.size);
        used = drain(d, d->held + piece.size, 0);
    }
    d->drops_space = space_follows(d, id);
    *text = (struct weir_string){d->out, used};
    return WEIR_OK;
}

void weir_decoder_reset(struct weir_decoder *d)
{
    d->held = 0;
    d->drops_space = d->tokenizer->adds_space && !(d->flags & WEIR_DECODE_CONTINUES);
}

struct weir_string weir_decoder_end(struct weir_decoder *d)
{
    size_t used = give_up_held(d);
    weir_decoder_reset(d);
    return (struct weir_string){d->out, used};
}

enum weir_status weir_decoder_open(const struct weir_tokenizer *tokenizer, unsigned flags, struct weir_decoder **out,
                                   struct weir_error *error)
{
    if (flags & ~(unsigned)(WEIR_DECODE_SPECIAL | WEIR_DECODE_CONTINUES))
        return error_set(error, WEIR_ERR_INVALID, "weir_decoder_open: unknown flags 0x%x", flags);
    struct weir_decoder *d = mem_zero(1, sizeof *d);
    if (!d) return error_nomem(error, "decoder");
    size_t size = tokenizer->vocab.token_bytes_max + HELD_MAX;
    d->tokenizer = tokenizer;
    d->flags = flags;
    d->in = mem_zero(size, 1);
    d->out = mem_zero(size, REPLACEMENT_BYTES);
    if (!d->in || !d->out) {
        weir_decoder_close(&d);
        return error_nomem(error, "decoder");
    }
    weir_decoder_reset(d);
    *out = d;
    return WEIR_OK;
}

void weir_decoder_close(struct weir_decoder **decoder)
{
    struct weir_decoder *d = *decoder;
    if (!d) return;
    free(d->in);
    free(d->out);
    free(d);
    *decoder = NULL;
}
