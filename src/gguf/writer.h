/* Writing GGUF version 3: profiles, test models. The writer keeps what it is given in memory and writes the file at the end, whole or
 * not at all. Keys and names are copied; tensor data is copied.
 * The finished bytes have passed the reader: a key given twice, a wrong shape or a broken limit is an error of
 * gguf_writer_finish, with the reader's text. One thread at a time. */
#ifndef WEIR_GGUF_WRITER_H
#define WEIR_GGUF_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "weir/gguf.h"
#include "weir/status.h"

struct gguf_writer;

/* Largest file the writer makes: it is held in memory, about twice. */
#define GGUF_WRITER_BYTES_MAX ((size_t)1 << 32)

struct gguf_writer *gguf_writer_open(void); /* NULL without memory */
void gguf_writer_close(struct gguf_writer **writer);

/* Alignment of tensor data, 32 by default; writes the key general.alignment. Before the first tensor. */
void gguf_write_alignment(struct gguf_writer *w, uint32_t alignment);

/* The first failure is kept and returned by gguf_writer_finish; calls after it do nothing. */
void gguf_write_u32(struct gguf_writer *w, const char *key, uint32_t value);
void gguf_write_u64(struct gguf_writer *w, const char *key, uint64_t value);
void gguf_write_f32(struct gguf_writer *w, const char *key, float value);
void gguf_write_f64(struct gguf_writer *w, const char *key, double value);
void gguf_write_bool(struct gguf_writer *w, const char *key, bool value);
void gguf_write_string(struct gguf_writer *w, const char *key, const char *data, size_t size);
void gguf_write_u32s(struct gguf_writer *w, const char *key, const uint32_t *values, size_t count);
void gguf_write_i32s(struct gguf_writer *w, const char *key, const int32_t *values, size_t count);
void gguf_write_f32s(struct gguf_writer *w, const char *key, const float *values, size_t count);
void gguf_write_strings(struct gguf_writer *w, const char *key, const struct weir_string *values, size_t count);

/* Any scalar type (a bool is a C bool): one value, or an array of `count` of them, in the machine's own representation. */
void gguf_write_scalar(struct gguf_writer *w, const char *key, enum weir_gguf_value_type type, const void *value);
void gguf_write_scalars(struct gguf_writer *w, const char *key, enum weir_gguf_value_type type, const void *values,
                        size_t count);

/* dims[0] is the contiguous dimension; data holds the whole tensor in GGUF blocks. */
void gguf_write_tensor(struct gguf_writer *w, const char *name, enum weir_tensor_type type, unsigned n_dims,
                       const uint64_t *dims, const void *data);

/* The finished file's bytes appended to `out` (empty before), or to `path` atomically. */
enum weir_status gguf_writer_finish(struct gguf_writer *w, struct strbuf *out, struct weir_error *error) WEIR_MUST_USE;
enum weir_status gguf_writer_save(struct gguf_writer *w, const char *path, struct weir_error *error) WEIR_MUST_USE;

#endif
