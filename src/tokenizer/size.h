/* The memory of a tokenizer. */
#ifndef WEIR_TOKENIZER_SIZE_H
#define WEIR_TOKENIZER_SIZE_H

#include <stddef.h>

#include "weir/gguf.h"

/* Bytes of the tables that weir_tokenizer_open allocates for this vocabulary, from the lengths of its lists; texts count as they are
 * spelled, which is at least their size. 0: the file has no vocabulary. */
size_t tokenizer_bytes(const struct weir_gguf *gguf);

#endif
