/* Pre-tokenizers: where byte-level BPE cuts a text into the pieces that it merges one by one.
 *
 * Each is a published regular expression written out as a function over Unicode classes. The expressions have no alternative that
 * fails late, so every function runs in time linear in the piece it returns (twice that, for runs of white space). */
#ifndef WEIR_TOKENIZER_PRETOK_H
#define WEIR_TOKENIZER_PRETOK_H

#include <stdbool.h>
#include <stddef.h>

#include "weir/gguf.h"

/* The end of the piece that begins at `at`; at < text.size, and the end is beyond `at`. */
typedef size_t pretok_next(struct weir_string text, size_t at);

struct pretok {
    const char *name; /* tokenizer.ggml.pre */
    pretok_next *next;
    bool ignores_merges; /* a piece that is a token as a whole is not merged */
    bool adds_bos;       /* where the file has no tokenizer.ggml.add_bos_token */
};

/* NULL: not supported. */
const struct pretok *pretok_find(struct weir_string name);

#endif
