/* The GGUF writer: three growing parts (values, tensor descriptions, tensor data), joined at the end. Layout: parse.c. */
#include "gguf/writer.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "gguf/gguf_internal.h"

struct gguf_writer {
    struct strbuf values;
    struct strbuf tensors;
    struct strbuf data; /* every tensor begins at a multiple of `alignment` */
    uint64_t value_count;
    uint64_t tensor_count;
    uint32_t alignment;
    enum weir_status status; /* the first failure, and its text */
    struct weir_error error;
};

struct gguf_writer *gguf_writer_open(void)
{
    struct gguf_writer *w = mem_zero(1, sizeof *w);
    if (!w) return NULL;
    w->values = w->tensors = w->data = STRBUF_MAX(GGUF_WRITER_BYTES_MAX);
    w->alignment = GGUF_ALIGNMENT_DEFAULT;
    return w;
}

void gguf_writer_close(struct gguf_writer **writer)
{
    struct gguf_writer *w = *writer;
    if (!w) return;
    strbuf_free(&w->values);
    strbuf_free(&w->tensors);
    strbuf_free(&w->data);
    free(w);
    *writer = NULL;
}

/* ---- bytes --------------------------------------------------------------------------------------------------------- */

static void put_bytes(struct gguf_writer *w, struct strbuf *part, const void *bytes, size_t size)
{
    if (w->status) return;
    w->status = strbuf_add(part, bytes, size);
    if (w->status) error_set(&w->error, w->status, "writing GGUF: %s", weir_status_text(w->status));
}

static void put_uint(struct gguf_writer *w, struct strbuf *part, uint64_t value, unsigned bytes)
{
    uint8_t le[8];
    for (unsigned i = 0; i < bytes; i++) le[i] = (uint8_t)(value >> (8 * i));
    put_bytes(w, part, le, bytes);
}

static void put_string(struct gguf_writer *w, struct strbuf *part, const char *data, size_t size)
{
    put_uint(w, part, size, 8);
    put_bytes(w, part, data, size);
}

static void put_padding(struct gguf_writer *w, struct strbuf *part, size_t alignment)
{
    static const uint8_t zeros[64];
    while (!w->status && part->size % alignment != 0) {
        size_t missing = alignment - part->size % alignment;
        put_bytes(w, part, zeros, missing < sizeof zeros ? missing : sizeof zeros);
    }
}

/* ---- values -------------------------------------------------------------------------------------------------------- */

static void put_key(struct gguf_writer *w, const char *key, enum weir_gguf_value_type type)
{
    put_string(w, &w->values, key, strlen(key));
    put_uint(w, &w->values, (uint64_t)type, 4);
    w->value_count++;
}

/* One scalar of the machine's own representation. */
static void put_scalar(struct gguf_writer *w, enum weir_gguf_value_type type, const uint8_t *value)
{
    uint16_t half;
    uint32_t word;
    uint64_t wide;
    switch (gguf_scalar_bytes(type)) {
    case 1:
        put_uint(w, &w->values, *value, 1);
        break;
    case 2:
        memcpy(&half, value, sizeof half);
        put_uint(w, &w->values, half, 2);
        break;
    case 4:
        memcpy(&word, value, sizeof word);
        put_uint(w, &w->values, word, 4);
        break;
    default:
        memcpy(&wide, value, sizeof wide);
        put_uint(w, &w->values, wide, 8);
        break;
    }
}

static bool is_scalar(struct gguf_writer *w, const char *key, enum weir_gguf_value_type type)
{
    if (w->status) return false;
    if (gguf_scalar_bytes(type)) return true;
    w->status = error_set(&w->error, WEIR_ERR_INVALID, "key %s: expected a scalar type, found %s", key,
                          weir_gguf_value_type_name(type));
    return false;
}

void gguf_write_scalar(struct gguf_writer *w, const char *key, enum weir_gguf_value_type type, const void *value)
{
    if (!is_scalar(w, key, type)) return;
    put_key(w, key, type);
    put_scalar(w, type, value);
}

static void put_array(struct gguf_writer *w, const char *key, enum weir_gguf_value_type type, size_t count)
{
    put_key(w, key, WEIR_GGUF_ARRAY);
    put_uint(w, &w->values, (uint64_t)type, 4);
    put_uint(w, &w->values, count, 8);
}

void gguf_write_scalars(struct gguf_writer *w, const char *key, enum weir_gguf_value_type type, const void *values,
                        size_t count)
{
    if (!is_scalar(w, key, type)) return;
    put_array(w, key, type, count);
    const uint8_t *at = values;
    for (size_t i = 0; i < count; i++) put_scalar(w, type, at + i * gguf_scalar_bytes(type));
}

void gguf_write_u32(struct gguf_writer *w, const char *key, uint32_t value)
{
    gguf_write_scalar(w, key, WEIR_GGUF_U32, &value);
}

void gguf_write_u64(struct gguf_writer *w, const char *key, uint64_t value)
{
    gguf_write_scalar(w, key, WEIR_GGUF_U64, &value);
}

void gguf_write_f32(struct gguf_writer *w, const char *key, float value)
{
    gguf_write_scalar(w, key, WEIR_GGUF_F32, &value);
}

void gguf_write_f64(struct gguf_writer *w, const char *key, double value)
{
    gguf_write_scalar(w, key, WEIR_GGUF_F64, &value);
}

void gguf_write_bool(struct gguf_writer *w, const char *key, bool value)
{
    gguf_write_scalar(w, key, WEIR_GGUF_BOOL, &value);
}

void gguf_write_string(struct gguf_writer *w, const char *key, const char *data, size_t size)
{
    if (w->status) return;
    put_key(w, key, WEIR_GGUF_STRING);
    put_string(w, &w->values, data, size);
}

void gguf_write_u32s(struct gguf_writer *w, const char *key, const uint32_t *values, size_t count)
{
    gguf_write_scalars(w, key, WEIR_GGUF_U32, values, count);
}

void gguf_write_i32s(struct gguf_writer *w, const char *key, const int32_t *values, size_t count)
{
    gguf_write_scalars(w, key, WEIR_GGUF_I32, values, count);
}

void gguf_write_f32s(struct gguf_writer *w, const char *key, const float *values, size_t count)
{
    gguf_write_scalars(w, key, WEIR_GGUF_F32, values, count);
}

void gguf_write_strings(struct gguf_writer *w, const char *key, const struct weir_string *values, size_t count)
{
    if (w->status) return;
    put_array(w, key, WEIR_GGUF_STRING, count);
    for (size_t i = 0; i < count; i++) put_string(w, &w->values, values[i].data, values[i].size);
}

void gguf_write_alignment(struct gguf_writer *w, uint32_t alignment)
{
    if (w->status) return;
    if (alignment < GGUF_ALIGNMENT_MIN || alignment > WEIR_GGUF_ALIGNMENT_MAX || (alignment & (alignment - 1)) != 0 ||
        w->tensor_count) {
        w->status = error_set(&w->error, WEIR_ERR_INVALID,
                              "alignment %u: expected a power of two of %d..%d, before the first tensor", alignment,
                              GGUF_ALIGNMENT_MIN, WEIR_GGUF_ALIGNMENT_MAX);
        return;
    }
    w->alignment = alignment;
    gguf_write_u32(w, "general.alignment", alignment);
}

/* ---- tensors ------------------------------------------------------------------------------------------------------- */

/* False when the data's size cannot be known; finish would not find out before reading too far. */
static bool tensor_bytes(enum weir_tensor_type type, unsigned n_dims, const uint64_t *dims, size_t *out)
{
    size_t block = weir_tensor_type_block_weights(type);
    if (block == 0 || n_dims < 1 || n_dims > WEIR_GGUF_DIMS_MAX || dims[0] % block != 0) return false;
    size_t size = (size_t)dims[0] / block;
    if (!size_mul(size, weir_tensor_type_block_bytes(type), &size)) return false;
    for (unsigned i = 1; i < n_dims; i++)
        if (!size_mul(size, (size_t)dims[i], &size)) return false;
    *out = size;
    return true;
}

void gguf_write_tensor(struct gguf_writer *w, const char *name, enum weir_tensor_type type, unsigned n_dims,
                       const uint64_t *dims, const void *data)
{
    if (w->status) return;
    size_t size;
    if (!tensor_bytes(type, n_dims, dims, &size)) {
        w->status = error_set(&w->error, WEIR_ERR_INVALID, "tensor %s: not a shape of its type", name);
        return;
    }
    put_padding(w, &w->data, w->alignment);
    put_string(w, &w->tensors, name, strlen(name));
    put_uint(w, &w->tensors, n_dims, 4);
    for (unsigned i = 0; i < n_dims; i++) put_uint(w, &w->tensors, dims[i], 8);
    put_uint(w, &w->tensors, (uint64_t)type, 4);
    put_uint(w, &w->tensors, w->data.size, 8);
    put_bytes(w, &w->data, data, size);
    w->tensor_count++;
}

/* ---- the whole file ------------------------------------------------------------------------------------------------ */

static void join_parts(struct gguf_writer *w, struct strbuf *file)
{
    put_bytes(w, file, "GGUF", 4);
    put_uint(w, file, GGUF_VERSION_MAX, 4);
    put_uint(w, file, w->tensor_count, 8);
    put_uint(w, file, w->value_count, 8);
    put_bytes(w, file, w->values.data, w->values.size);
    put_bytes(w, file, w->tensors.data, w->tensors.size);
    if (w->tensor_count == 0) return;
    put_padding(w, file, w->alignment);
    put_bytes(w, file, w->data.data, w->data.size);
    put_padding(w, file, w->alignment); /* readers may map whole alignment units */
}

enum weir_status gguf_writer_finish(struct gguf_writer *w, struct strbuf *out, struct weir_error *error)
{
    if (out->size != 0) return error_set(error, WEIR_ERR_INVALID, "gguf_writer_finish: expected an empty buffer");
    join_parts(w, out);
    if (w->status) {
        strbuf_clear(out);
        return error_set(error, w->status, "%s", w->error.text);
    }
    struct weir_gguf *check = NULL;
    enum weir_status status = gguf_open_bytes(out->data, out->size, "written GGUF", &check, error);
    weir_gguf_close(&check);
    if (status) strbuf_clear(out);
    return status;
}

enum weir_status gguf_writer_save(struct gguf_writer *w, const char *path, struct weir_error *error)
{
    struct strbuf file = STRBUF_MAX(GGUF_WRITER_BYTES_MAX);
    enum weir_status status = gguf_writer_finish(w, &file, error);
    if (!status) status = file_write_atomic(path, file.data, file.size, error);
    strbuf_free(&file);
    return status;
}
