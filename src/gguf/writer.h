/* Writing GGUF version 3: profiles, test models. The writer keeps what it is given in memory and writes the file at the end, whole or
 * not at all. Keys and names are copied; tensor data is copied. */
#ifndef WEIR_GGUF_WRITER_H
#define WEIR_GGUF_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "weir/gguf.h"
#include "weir/status.h"

struct gguf_writer;

struct gguf_writer *gguf_writer_open(void); /* NULL without memory */
void gguf_writer_close(struct gguf_writer **writer);

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
void gguf_write_tensor(struct gguf_writer *w, const char *name, enum weir_tensor_type type, unsigned n_dims,
                       const uint64_t *dims, const void *data);

/* The finished file's bytes into `out`, or to `path` atomically. */
enum weir_status gguf_writer_finish(struct gguf_writer *w, struct strbuf *out, struct weir_error *error) WEIR_MUST_USE;
enum weir_status gguf_writer_save(struct gguf_writer *w, const char *path, struct weir_error *error) WEIR_MUST_USE;

#endif
