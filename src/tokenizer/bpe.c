/* Byte-level BPE (openai/gpt-2, encoder.py): a piece begins as its bytes; the pair of lowest rank is merged first. */
#include "tokenizer/tokenizer_internal.h"

static int32_t pair_by_rank(const void *context, const struct symbol *left, const struct symbol *right,
                            uint32_t *priority)
{
    const struct merges *merges = context;
    if (left->id == TOKEN_NONE || right->id == TOKEN_NONE) return TOKEN_NONE;
    uint32_t rank = merges_find(merges, left->id, right->id);
    if (rank == MERGE_NONE) return TOKEN_NONE;
    *priority = rank;
    return merges->list[rank].result;
}

static bool encode_piece(struct encoder *encoder, const char *piece, size_t size)
{
    const struct weir_tokenizer *t = encoder->tokenizer;
    struct merging *m = &encoder->merging;
    if (size == 1) return encoder_add_byte(encoder, (uint8_t)piece[0]);
    if (t->pre->ignores_merges) {
        int32_t whole = vocab_find(&t->vocab, piece, size);
        if (whole != TOKEN_NONE) return tokens_add(encoder->out, whole);
    }
    if (!merging_reserve(m, size)) return false;
    for (size_t i = 0; i < size; i++) merging_add(m, (uint32_t)i, 1, t->vocab.bytes[(uint8_t)piece[i]]);
    merging_run(m, pair_by_rank, &t->merges);
    for (uint32_t i = 0; i != SYMBOL_NONE; i = m->symbols[i].next) {
        const struct symbol *s = &m->symbols[i];
        bool added = s->id != TOKEN_NONE ? tokens_add(encoder->out, s->id)
                                         : encoder_add_byte(encoder, (uint8_t)piece[s->offset]);
        if (!added) return false;
    }
    return true;
}

bool bpe_encode(struct encoder *encoder, struct weir_string text)
{
    for (size_t at = 0; at < text.size;) {
        size_t end = encoder->tokenizer->pre->next(text, at);
        if (!encode_piece(encoder, text.data + at, end - at)) return false;
        at = end;
    }
    return true;
}
