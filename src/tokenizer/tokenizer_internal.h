/* The insides that the files of this folder share. */
#ifndef WEIR_TOKENIZER_INTERNAL_H
#define WEIR_TOKENIZER_INTERNAL_H

#include "tokenizer/ends.h"
#include "tokenizer/merges.h"
#include "tokenizer/merging.h"
#include "tokenizer/pretok.h"
#include "tokenizer/special.h"
#include "tokenizer/vocab.h"

/* Text of one call: offsets are 32 bits wide, and a symbol takes 28 bytes beside 16 for its candidates. */
enum { TOKENIZE_BYTES_MAX = 64 << 20 };

struct weir_tokenizer {
    struct vocab vocab;
    struct specials specials;
    struct merges merges;     /* byte-level BPE only */
    const struct pretok *pre; /* NULL: SentencePiece */
    int32_t bos, eos;         /* or TOKEN_NONE */
    struct ends ends;
    bool adds_bos, adds_eos;
    bool adds_space;        /* SentencePiece: text begins with a space it does not have */
    int32_t replacement[3]; /* for a byte that has no token */
    size_t replacement_count;
};

/* Scratch of one call; zero it first. */
struct encoder {
    const struct weir_tokenizer *tokenizer;
    struct weir_tokens *out;
    struct merging merging;
    char *text; /* SentencePiece: the text as it is merged */
    size_t text_capacity;
};

/* Append to encoder->out; false without memory. */
bool tokens_add(struct weir_tokens *tokens, int32_t id);
bool encoder_add_byte(struct encoder *encoder, uint8_t byte); /* the byte's token, or the replacement */
/* Text with its special tokens. `continues`: plain text comes right before it, already encoded. */
bool encoder_add_text(struct encoder *encoder, struct weir_string text, struct trusted trusted, bool continues);
void encoder_free(struct encoder *encoder);
bool bpe_encode(struct encoder *encoder, struct weir_string text);
bool spm_encode(struct encoder *encoder, struct weir_string text, bool with_space);

#endif
