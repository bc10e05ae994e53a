/* SentencePiece BPE (google/sentencepiece, bpe_model.cc): the text begins as characters; the pair whose text is the token with the highest
 * score is merged first; a character that is no token falls back to its bytes.
 *
 * SentencePiece writes U+2581 for a space. Here the vocabulary has spaces instead (vocab.h), and a literal U+2581 in the text, which
 * SentencePiece cannot tell from a space either, becomes one. */
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "tokenizer/tokenizer_internal.h"
#include "tokenizer/utf8.h"

enum { SPACE_MARK = 0x2581 };

struct spm_context {
    const struct vocab *vocab;
    const char *text;
};

/* An unsigned number that is lower when the score is higher: the bits of a float sort like the number once the sign is folded in. */
static uint32_t priority_of_score(float score)
{
    uint32_t bits = float_to_bits(score + 0.0F); /* -0 becomes 0 */
    uint32_t ascending = bits >> 31 ? ~bits : bits | 0x80000000U;
    return ~ascending;
}

static int32_t pair_by_score(const void *context, const struct symbol *left, const struct symbol *right,
                             uint32_t *priority)
{
    const struct spm_context *c = context;
    int32_t id = vocab_find(c->vocab, c->text + left->offset, (size_t)left->size + right->size);
    if (id != TOKEN_NONE) *priority = priority_of_score(c->vocab->scores[id]);
    return id;
}

/* Copies the text into the encoder's buffer as it is merged; returns its size there. */
static size_t write_text(char *out, struct weir_string text, bool with_space)
{
    size_t used = 0;
    if (with_space) out[used++] = ' ';
    for (size_t at = 0; at < text.size;) {
        uint32_t code;
        size_t size = utf8_step(text.data + at, text.size - at, &code);
        if (code == SPACE_MARK) {
            out[used++] = ' ';
        } else {
            memcpy(out + used, text.data + at, size);
            used += size;
        }
        at += size;
    }
    return used;
}

static bool reserve_text(struct encoder *encoder, size_t size)
{
    if (size <= encoder->text_capacity) return true;
    char *text = mem_resize(encoder->text, size, 1);
    if (!text) return false;
    encoder->text = text;
    encoder->text_capacity = size;
    return true;
}

static void add_characters(struct encoder *encoder, size_t size)
{
    const char *text = encoder->text;
    for (size_t at = 0; at < size;) {
        uint32_t code;
        size_t step = utf8_step(text + at, size - at, &code);
        merging_add(&encoder->merging, (uint32_t)at, (uint32_t)step,
                    vocab_find(&encoder->tokenizer->vocab, text + at, step));
        at += step;
    }
}

static bool add_symbol(struct encoder *encoder, const struct symbol *s)
{
    if (s->id != TOKEN_NONE) return tokens_add(encoder->out, s->id);
    for (uint32_t i = 0; i < s->size; i++) {
        if (!encoder_add_byte(encoder, (uint8_t)encoder->text[s->offset + i])) return false;
    }
    return true;
}

bool spm_encode(struct encoder *encoder, struct weir_string text, bool with_space)
{
    struct merging *m = &encoder->merging;
    if (!reserve_text(encoder, text.size + 1)) return false;
    size_t size = write_text(encoder->text, text, with_space);
    if (size == 0) return true;
    if (!merging_reserve(m, size)) return false;
    add_characters(encoder, size);
    struct spm_context context = {&encoder->tokenizer->vocab, encoder->text};
    merging_run(m, pair_by_score, &context);
    for (uint32_t i = 0; i != SYMBOL_NONE; i = m->symbols[i].next) {
        if (!add_symbol(encoder, &m->symbols[i])) return false;
    }
    return true;
}
