/* Any bytes as a text. The first byte chooses the vocabulary (byte-level under five pre-tokenizers, or SentencePiece without its space) and
 * the flags; the rest is encoded. The texts of the tokens, one after the other, must be the input; for SentencePiece the
 * input with U+2581 as a space. The same text in three pieces, some of them trusted, must give the same ids whether it is encoded at
 * once or resumed after any of its pieces. A decoder must give UTF-8 for every token, and the same text again
 * where the input was UTF-8. */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "tokenizer/resume.h"
#include "tokenizer/sample.h"
#include "tokenizer/utf8.h"

static void check(int holds)
{
    if (!holds) abort();
}

static void check_texts(const struct weir_tokenizer *tokenizer, const struct weir_tokens *tokens, const char *text,
                        size_t size, int marks_are_spaces)
{
    size_t at = 0;
    for (size_t i = 0; i < tokens->count; i++) {
        check(tokens->ids[i] >= 0 && (size_t)tokens->ids[i] < weir_tokenizer_size(tokenizer));
        struct weir_string piece = weir_token_text(tokenizer, tokens->ids[i]);
        for (size_t k = 0; k < piece.size; k++) {
            check(at < size);
            int is_mark = marks_are_spaces && size - at >= 3 && memcmp(text + at, "\xE2\x96\x81", 3) == 0;
            check(piece.data[k] == (is_mark ? ' ' : text[at]));
            at += is_mark ? 3 : 1;
        }
    }
    check(at == size);
}

static int is_utf8(const char *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        uint32_t code;
        size_t step = utf8_step(text + at, size - at, &code);
        if (step == 1 && code == UTF8_REPLACEMENT) return 0;
        at += step;
    }
    return 1;
}

static void check_decoding(const struct weir_tokenizer *tokenizer, const struct weir_tokens *tokens, const char *text,
                           size_t size)
{
    struct weir_decoder *decoder = NULL;
    struct weir_string piece;
    size_t at = 0;
    int is_text = is_utf8(text, size) && !memmem(text, size, "\xE2\x96\x81", 3);
    check(!weir_decoder_open(tokenizer, WEIR_DECODE_SPECIAL, &decoder, NULL));
    for (size_t i = 0; i <= tokens->count; i++) {
        if (i < tokens->count)
            check(!weir_decoder_add(decoder, tokens->ids[i], &piece, NULL));
        else
            piece = weir_decoder_end(decoder);
        check(is_utf8(piece.data, piece.size));
        if (is_text) check(piece.size <= size - at && memcmp(piece.data, text + at, piece.size) == 0);
        at += piece.size;
    }
    check(!is_text || at == size);
    weir_decoder_close(&decoder);
}

enum { VOCAB_COUNT = 6, VOCAB_SPM = 5 };

/* Opened once and kept: the target must not spend its time there. */
static const struct weir_tokenizer *vocab(unsigned choice)
{
    static const char *const pres[VOCAB_SPM] = {"gpt-2", "smollm", "llama-bpe", "qwen2", "gpt-4o"};
    static struct weir_tokenizer *opened[VOCAB_COUNT];
    static struct sample sample;
    if (opened[choice]) return opened[choice];
    if (choice == VOCAB_SPM) {
        sample_spm(&sample);
        sample.adds_space = 0;
    } else {
        sample_bpe(&sample);
        sample.pre = pres[choice];
        sample.bos = 256;
    }
    check(!sample_open(&sample, &opened[choice], NULL));
    return opened[choice];
}

enum { PIECES = 3 };

static void check_same(const struct weir_tokens *a, const struct weir_tokens *b)
{
    check(a->count == b->count && (a->count == 0 || memcmp(a->ids, b->ids, a->count * sizeof *a->ids) == 0));
}

/* whole: the ids of the text with special tokens everywhere or, without `is_special`, nowhere. */
static void check_pieces(const struct weir_tokenizer *tokenizer, const char *text, size_t size, unsigned trust,
                         const struct weir_tokens *whole, unsigned is_special)
{
    struct weir_text_piece pieces[PIECES];
    struct weir_tokens at_once = {0};
    for (size_t i = 0; i < PIECES; i++) {
        size_t begin = size * i / PIECES, end = size * (i + 1) / PIECES;
        pieces[i] = (struct weir_text_piece){text + begin, end - begin, (trust >> i & 1) != 0};
    }
    check(!weir_tokenize_pieces(tokenizer, pieces, PIECES, 0, &at_once, NULL));
    if (trust == (is_special ? 7u : 0u)) check_same(&at_once, whole);
    for (size_t first = 0; first <= PIECES; first++) {
        struct resume_point point = {0};
        check(!resume_point_make(tokenizer, pieces, first, &point, NULL));
        struct weir_tokens resumed = point.settled;
        point.settled = (struct weir_tokens){0};
        check(!resume_point_tokenize(tokenizer, &point, pieces + first, PIECES - first, &resumed, NULL));
        check_same(&resumed, &at_once);
        resume_point_free(&point);
        weir_tokens_free(&resumed);
    }
    weir_tokens_free(&at_once);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size == 0) return 0;
    unsigned choice = bytes[0] % VOCAB_COUNT;
    unsigned flags = bytes[0] & 0x80 ? WEIR_TOKENIZE_SPECIAL : 0;
    const struct weir_tokenizer *tokenizer = vocab(choice);
    struct weir_tokens tokens = {0};
    const char *text = (const char *)bytes + 1;
    check(!weir_tokenize(tokenizer, text, size - 1, flags, &tokens, NULL));
    check_texts(tokenizer, &tokens, text, size - 1, choice == VOCAB_SPM);
    check_decoding(tokenizer, &tokens, text, size - 1);
    for (unsigned trust = 0; trust < 1u << PIECES; trust++)
        check_pieces(tokenizer, text, size - 1, trust, &tokens, flags);
    weir_tokens_free(&tokens);
    return 0;
}
