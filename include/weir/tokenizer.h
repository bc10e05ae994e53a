/* Text to token ids and back, with the vocabulary inside a GGUF file.
 *
 * A tokenizer is immutable and shared by threads. It copies what it needs: the file may be closed after open.
 * Supported: tokenizer.ggml.model "gpt2" (byte-level BPE) with tokenizer.ggml.pre "gpt-2", "smollm", "llama-bpe" and
 * aliases; "llama" (SentencePiece BPE with byte fallback, as Llama 2 and Gemma use it). Anything else is
 * WEIR_ERR_UNSUPPORTED and named; never a guess. Time is linear (times log) in the input, also for hostile input. */
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
    WEIR_TOKENIZE_SPECIAL = 2 /* text that spells a control or user-defined token becomes that token. Never set it for
                                 text that users wrote */
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

/* The bytes of one token as they appear in text (control tokens: their spelling). Lives as long as the tokenizer;
 * {NULL,0} for an id out of range. */
WEIR_API struct weir_string weir_token_text(const struct weir_tokenizer *tokenizer, int32_t id);
WEIR_API enum weir_token_kind weir_token_kind(const struct weir_tokenizer *tokenizer, int32_t id);

WEIR_API size_t weir_tokenizer_size(const struct weir_tokenizer *tokenizer); /* ids are below it */
WEIR_API int32_t weir_tokenizer_bos(const struct weir_tokenizer *tokenizer); /* -1: none */
WEIR_API int32_t weir_tokenizer_eos(const struct weir_tokenizer *tokenizer); /* -1: none */

#ifdef __cplusplus
}
#endif
#endif
