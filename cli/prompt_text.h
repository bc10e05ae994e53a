/* A prompt's bytes and its token ids. */
#ifndef WEIR_CLI_PROMPT_TEXT_H
#define WEIR_CLI_PROMPT_TEXT_H

#include <stdbool.h>

#include "weir/engine.h"

enum { PROMPT_TEXT_BYTES_MAX = 64 << 20 };

/* The whole file, or standard input for "-"; owned by the caller, with a NUL after it. Complains; returns enum cli_exit. */
int prompt_text_read(const char *path, char **text, size_t *size);

/* The ids of a text to go on with: BOS where the vocabulary's rule puts one before a text, but no EOS after it. */
int prompt_text_tokens(const struct weir_engine *engine, struct weir_string text, bool is_special,
                       struct weir_tokens *tokens);

#endif
