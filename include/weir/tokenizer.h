/* Text to token ids and back, with the vocabulary inside a GGUF file.
 *
 * A tokenizer is immutable and shared by threads. It copies what it needs: the file may be closed after open.
 * Supported: tokenizer.ggml.model "gpt2" (byte-level BPE) with tokenizer.ggml.pre "gpt-2", "smollm", "llama-bpe", "qwen2", "dbrx",
 * "gpt-4o" and aliases (docs/tokenizer.md lists them); "llama" (SentencePiece BPE with byte fallback, as Llama 2, Phi-3 and Gemma use
 * it). Anything else is WEIR_ERR_UNSUPPORTED and named; never a guess. Time is linear (times log) in the input, also hostile input. */
#ifndef WEIR_TOKENIZER_H
#define WEIR_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/gguf.h"
#include "weir/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weir_tokenizer;

/* A growing list of ids; zero it first, free it with weir_tokens_free. */
struct weir_tokens {
    int32_t *ids; /* owned */
    size_t count;
    size_t capacity;
};

enum weir_tokenize_flags {
    WEIR_TOKENIZE_BOS = 1, /* put BOS (and EOS) where the model's own rule (add_bos_token, add_eos_token) asks for it */
    WEIR_TOKENIZE_SPECIAL =
        2 /* text that spells a control token becomes that token. Never set it for text that users wrote.
                                 User-defined tokens (runs of newlines in Gemma) are found without it too, but for those that
                                 mark turns, thoughts and tool calls: no text of users becomes one */
};

/* tokenizer.ggml.token_type */
enum weir_token_kind {
    WEIR_TOKEN_NORMAL = 1,
    WEIR_TOKEN_UNKNOWN = 2,
    WEIR_TOKEN_CONTROL = 3,
    WEIR_TOKEN_USER_DEFINED = 4,
    WEIR_TOKEN_UNUSED = 5,
    WEIR_TOKEN_BYTE = 6
};

WEIR_API enum weir_status weir_tokenizer_open(const struct weir_gguf *gguf, struct weir_tokenizer **out,
                                              struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_tokenizer_close(struct weir_tokenizer **tokenizer);

/* Appends the ids of text[0..size) to *tokens. Bytes that are not UTF-8 are encoded too, never dropped (each invalid byte as the
 * vocabulary's byte tokens where it has them, as U+FFFD otherwise). On failure *tokens keeps what it had. */
WEIR_API enum weir_status weir_tokenize(const struct weir_tokenizer *tokenizer, const char *text, size_t size,
                                        unsigned flags, struct weir_tokens *tokens,
                                        struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_tokens_free(struct weir_tokens *tokens);

/* A run of text of one origin. */
struct weir_text_piece {
    const char *text; /* need not end in NUL */
    size_t size;
    bool is_trusted; /* it may spell control tokens: a chat template's own text, never what users wrote */
};

/* As weir_tokenize for the pieces one after the other as one text, with WEIR_TOKENIZE_SPECIAL inside trusted runs only: where pieces
 * meet changes no id. `flags`: WEIR_TOKENIZE_BOS or 0. */
WEIR_API enum weir_status weir_tokenize_pieces(const struct weir_tokenizer *tokenizer,
                                               const struct weir_text_piece *pieces, size_t count, unsigned flags,
                                               struct weir_tokens *tokens, struct weir_error *error) WEIR_MUST_USE;

/* The bytes of one token as they appear in text (control tokens: their spelling). Lives as long as the tokenizer;
 * {NULL,0} for an id out of range. */
WEIR_API struct weir_string weir_token_text(const struct weir_tokenizer *tokenizer, int32_t id);
WEIR_API enum weir_token_kind weir_token_kind(const struct weir_tokenizer *tokenizer, int32_t id);

WEIR_API size_t weir_tokenizer_size(const struct weir_tokenizer *tokenizer); /* ids are below it */
WEIR_API int32_t weir_tokenizer_bos(const struct weir_tokenizer *tokenizer); /* -1: none */
WEIR_API int32_t weir_tokenizer_eos(const struct weir_tokenizer *tokenizer); /* -1: none */

/* The tokens after which a model has said what it has to say; generation stops before the first of them. They are what the file names
 * (tokenizer.ggml.eos_token_id, eot_token_id, eom_token_id), and the control or user-defined tokens with one of the names that the
 * supported families document: <|endoftext|>, <|end|>, <|im_end|>, <|end_of_text|>, <|eot_id|>, <|eom_id|>, <end_of_turn>; of </s> and
 * <eos> control tokens only (in Gemma's vocabulary </s> is HTML). Never a normal token, however it is spelled. */
WEIR_API bool weir_token_is_end(const struct weir_tokenizer *tokenizer, int32_t id);

/* All of them: returns how many and points *ids at them, ascending; they live as long as the tokenizer. */
WEIR_API size_t weir_tokenizer_ends(const struct weir_tokenizer *tokenizer, const int32_t **ids);

/* ---- ids to text, one by one ----
 *
 * A decoder is one text in the making and belongs to one thread at a time; the tokenizer must outlive it. Open, add each id, end.
 * Every piece that comes out is valid UTF-8 by itself: the bytes of a character that a token leaves incomplete are held back until
 * a later token completes it. Bytes that cannot be completed become U+FFFD, one for each longest beginning of a character
 * or stray byte (WHATWG Encoding Standard; Python's errors="replace"). The pieces, one after the other, are the text.
 *
 *   shown     normal, unused, user-defined tokens and byte tokens; the unknown token, as U+FFFD
 *   hidden    control tokens and those that end a turn; with WEIR_DECODE_SPECIAL they, and the unknown token, show their spelling.
 *             A hidden token still ends the character before it.
 *   space     where tokenizer.ggml.add_space_prefix holds (SentencePiece: Llama 2, Phi-3), encoding puts a space before the text
 *             and after each special token. Decoding takes one away there, so that it gives back the text that was encoded. */
struct weir_decoder;

enum weir_decode_flags {
    WEIR_DECODE_SPECIAL = 1, /* show control tokens as they are spelled */
    WEIR_DECODE_CONTINUES =
        2 /* the ids go on with a text that was there before (a completion): the first keeps its space */
};

WEIR_API enum weir_status weir_decoder_open(const struct weir_tokenizer *tokenizer, unsigned flags,
                                            struct weir_decoder **out, struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_decoder_close(struct weir_decoder **decoder); /* accepts NULL behind the pointer */

/* The text that this token completes: often one word, sometimes nothing ({.., 0}). It may hold NUL and lives until the next call on the
 * decoder. Allocates nothing. WEIR_ERR_INVALID for an id that the tokenizer lacks; the decoder is then as before. */
WEIR_API enum weir_status weir_decoder_add(struct weir_decoder *decoder, int32_t id, struct weir_string *text,
                                           struct weir_error *error) WEIR_MUST_USE;

/* The end of the text: U+FFFD when a character was left incomplete, else nothing. The decoder is then ready for another text. */
WEIR_API struct weir_string weir_decoder_end(struct weir_decoder *decoder);

/* Forgets what was added, as after opening. */
WEIR_API void weir_decoder_reset(struct weir_decoder *decoder);

#ifdef __cplusplus
}
#endif
#endif
