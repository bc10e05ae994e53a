/* A small valid file with every value type and two tensors, made by the writer: what the tests cut, flip and starve. */
#ifndef WEIR_TESTS_GGUF_SAMPLE_H
#define WEIR_TESTS_GGUF_SAMPLE_H

#include "base/strbuf.h"
#include "weir/gguf.h"

/* Appends the file to `out`, empty before. Its last byte is the last byte of a tensor: no cut of it is valid. */
enum weir_status sample_file(struct strbuf *out, struct weir_error *error);

/* Reads everything the open file offers through every getter; the sum keeps the reads alive. */
unsigned long sample_read_all(const struct weir_gguf *gguf);

#endif
