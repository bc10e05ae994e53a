/* Which parts of a model file stay in this process's memory. */
#ifndef WEIR_GGUF_RESIDENCY_H
#define WEIR_GGUF_RESIDENCY_H

#include "weir/gguf.h"

/* Of the file outside its tensors' data: what opening reads and keeps mapped; 0 for a file opened from memory. */
size_t gguf_metadata_bytes(const struct weir_gguf *gguf);
/* On the heap: values, tensors and names. */
size_t gguf_index_bytes(const struct weir_gguf *gguf);

/* About bytes inside a tensor's data. The file reads the same after either; a file opened from memory is left alone.
 * release: not needed for a while, their pages need not stay resident.    expect: will be read soon. */
void gguf_release(const struct weir_gguf *gguf, const void *at, size_t size);
void gguf_expect(const struct weir_gguf *gguf, const void *at, size_t size);

#endif
