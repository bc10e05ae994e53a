/* A prompt's token ids. */
#ifndef WEIR_CLI_PROMPT_TEXT_H
#define WEIR_CLI_PROMPT_TEXT_H

#include <stdbool.h>

#include "weir/engine.h"

/* The ids of a text to go on with: BOS where the vocabulary's rule puts one before a text, but no EOS after it. */
int prompt_text_tokens(const struct weir_engine *engine, struct weir_string text, bool is_special,
                       struct weir_tokens *tokens);

#endif
