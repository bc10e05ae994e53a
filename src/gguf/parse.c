/* The GGUF parser: header, metadata, tensor descriptions, tensor extents; in this order, as in the file.
 *
 *   header   "GGUF", u32 version, u64 tensor count, u64 value count
 *   value    string key, u32 type, payload           string: u64 size, bytes    array: u32 item type, u64 count, items
 *   tensor   string name, u32 n_dims, u64 dims[n_dims], u32 type, u64 offset    (from the start of the data part)
 *   data     begins at the next multiple of general.alignment (32 when absent)
 *
 * Every number is checked before it becomes a count, an offset or a size; nothing is allocated for items the file has
 * no room for. Inner functions set the error's text, callers put before it what they were reading. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"
#include "gguf/gguf_internal.h"

enum {
    VALUE_BYTES_MIN = 8 + 1 + 4 + 1,          /* key size, one byte of key, type, u8 */
    TENSOR_BYTES_MIN = 8 + 1 + 4 + 8 + 4 + 8, /* name size, one byte of name, n_dims, one dimension, type, offset */
    NAME_SHOWN_MAX = 128                      /* bytes of a key or name in an error text */
};

struct parser {
    struct byte_reader r; /* over at most WEIR_GGUF_METADATA_BYTES_MAX bytes of the file */
    struct weir_gguf *gguf;
    struct weir_error *error;
};

/* For "%.*s". */
static int shown_size(struct weir_string name)
{
    return name.size < NAME_SHOWN_MAX ? (int)name.size : NAME_SHOWN_MAX;
}

/* The file ended, or the limit for metadata was reached, where `need` more bytes were expected. */
static enum weir_status fail_short(struct parser *p, size_t at, uint64_t need)
{
    if (p->r.size < p->gguf->size)
        return error_set(p->error, WEIR_ERR_LIMIT,
                         "at byte %zu: expected metadata of at most %d bytes, found %" PRIu64 " more", at,
                         WEIR_GGUF_METADATA_BYTES_MAX, need);
    return error_set(p->error, WEIR_ERR_FORMAT,
                     "at byte %zu: expected %" PRIu64 " more bytes, found %zu before the end of the file", at, need,
                     p->gguf->size - at);
}

static enum weir_status read_u32(struct parser *p, uint32_t *out)
{
    uint32_t value = byte_reader_u32(&p->r);
    if (p->r.failed) return fail_short(p, p->r.position, 4);
    *out = value;
    return WEIR_OK;
}

static enum weir_status read_u64(struct parser *p, uint64_t *out)
{
    uint64_t value = byte_reader_u64(&p->r);
    if (p->r.failed) return fail_short(p, p->r.position, 8);
    *out = value;
    return WEIR_OK;
}

/* ---- names and strings --------------------------------------------------------------------------------------------- */

static enum weir_status read_string(struct parser *p, size_t size_max, struct weir_string *out)
{
    size_t at = p->r.position;
    uint64_t size = 0;
    enum weir_status status = read_u64(p, &size);
    if (status) return status;
    if (size > size_max)
        return error_set(p->error, WEIR_ERR_LIMIT,
                         "at byte %zu: expected a string of at most %zu bytes, found %" PRIu64, at, size_max, size);
    const uint8_t *data = byte_reader_take(&p->r, (size_t)size);
    if (!data) return fail_short(p, p->r.position, size);
    *out = (struct weir_string){.data = (const char *)data, .size = (size_t)size};
    return WEIR_OK;
}

/* Keys and tensor names: 1..size_max bytes of printable ASCII (gguf.md asks for ASCII keys), so that every later text may
 * show them as they are and no name hides another behind a NUL. */
static enum weir_status read_name(struct parser *p, size_t size_max, struct weir_string *out)
{
    size_t at = p->r.position;
    struct weir_string name = {0};
    enum weir_status status = read_string(p, size_max, &name);
    if (status) return status;
    if (name.size == 0) return error_set(p->error, WEIR_ERR_FORMAT, "at byte %zu: expected a name, found none", at);
    for (size_t i = 0; i < name.size; i++) {
        unsigned byte = (uint8_t)name.data[i];
        if (byte < 0x20 || byte > 0x7e)
            return error_set(p->error, WEIR_ERR_FORMAT, "at byte %zu: expected printable ASCII in a name, found 0x%02x",
                             at + 8 + i, byte);
    }
    *out = name;
    return WEIR_OK;
}

/* ---- header -------------------------------------------------------------------------------------------------------- */

static enum weir_status check_version(struct parser *p, uint32_t version)
{
    if (version >= GGUF_VERSION_MIN && version <= GGUF_VERSION_MAX) return WEIR_OK;
    if (version != 0 && (version & 0xffff) == 0)
        return error_set(p->error, WEIR_ERR_UNSUPPORTED,
                         "at byte 4: expected a little-endian file, found a big-endian one (version 0x%08" PRIx32 ")",
                         version);
    return error_set(p->error, WEIR_ERR_UNSUPPORTED, "at byte 4: expected GGUF version %d or %d, found %" PRIu32,
                     GGUF_VERSION_MIN, GGUF_VERSION_MAX, version);
}

/* A count of records of at least `record_bytes` each, which must fit what is left of the file. */
static enum weir_status read_count(struct parser *p, const char *what, size_t count_max, size_t record_bytes,
                                   size_t *out)
{
    size_t at = p->r.position;
    uint64_t count = 0;
    enum weir_status status = read_u64(p, &count);
    if (status) return status;
    if (count > count_max)
        return error_set(p->error, WEIR_ERR_LIMIT, "at byte %zu: expected at most %zu %s, found %" PRIu64, at,
                         count_max, what, count);
    if (count > byte_reader_left(&p->r) / record_bytes) {
        status = fail_short(p, p->r.position, count * record_bytes);
        return error_prefix(p->error, status, "%" PRIu64 " %s of at least %zu bytes", count, what, record_bytes);
    }
    *out = (size_t)count;
    return WEIR_OK;
}

static enum weir_status parse_header(struct parser *p, size_t *tensor_count, size_t *value_count)
{
    const uint8_t *magic = byte_reader_take(&p->r, 4);
    if (!magic) return fail_short(p, 0, 4);
    if (memcmp(magic, "GGUF", 4) != 0)
        return error_set(p->error, WEIR_ERR_FORMAT,
                         "at byte 0: expected \"GGUF\" (47 47 55 46), found %02x %02x %02x %02x", magic[0], magic[1],
                         magic[2], magic[3]);
    enum weir_status status = read_u32(p, &p->gguf->version);
    if (!status) status = check_version(p, p->gguf->version);
    if (!status) status = read_count(p, "tensors", WEIR_GGUF_TENSORS_MAX, TENSOR_BYTES_MIN, tensor_count);
    if (!status) status = read_count(p, "metadata values", WEIR_GGUF_KVS_MAX, VALUE_BYTES_MIN, value_count);
    return status;
}

/* ---- metadata values ----------------------------------------------------------------------------------------------- */

/* Bytes other than 0 and 1 are no booleans (gguf.md). */
static enum weir_status check_bools(struct parser *p, const uint8_t *bools, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bools[i] > 1)
            return error_set(p->error, WEIR_ERR_FORMAT, "at byte %zu: expected a bool of 0 or 1, found %u",
                             (size_t)(bools - p->gguf->bytes) + i, (unsigned)bools[i]);
    return WEIR_OK;
}

static enum weir_status parse_scalars(struct parser *p, struct weir_gguf_value *value, enum weir_gguf_value_type type,
                                      size_t count)
{
    size_t bytes = count * gguf_scalar_bytes(type); /* count <= WEIR_GGUF_ARRAY_ITEMS_MAX */
    value->payload = byte_reader_take(&p->r, bytes);
    if (!value->payload) return fail_short(p, p->r.position, bytes);
    value->size = bytes;
    return type == WEIR_GGUF_BOOL ? check_bools(p, value->payload, count) : WEIR_OK;
}

static enum weir_status parse_strings(struct parser *p, struct weir_gguf_value *value, size_t count)
{
    if (count > byte_reader_left(&p->r) / 8) return fail_short(p, p->r.position, (uint64_t)count * 8);
    value->string_offsets = mem_zero(count + 1, sizeof *value->string_offsets);
    if (!value->string_offsets) return error_nomem(p->error, "string offsets");
    size_t start = p->r.position;
    for (size_t i = 0; i < count; i++) {
        struct weir_string item = {0};
        enum weir_status status = read_string(p, WEIR_GGUF_STRING_BYTES_MAX, &item);
        if (status) return error_prefix(p->error, status, "item %zu", i);
        value->string_offsets[i + 1] = (uint32_t)(p->r.position - start); /* < WEIR_GGUF_METADATA_BYTES_MAX */
    }
    value->payload = p->r.base + start;
    value->size = p->r.position - start;
    return WEIR_OK;
}

static enum weir_status parse_array(struct parser *p, struct weir_gguf_value *value)
{
    size_t at = p->r.position;
    uint32_t type = 0;
    uint64_t count = 0;
    enum weir_status status = read_u32(p, &type);
    if (!status) status = read_u64(p, &count);
    if (status) return status;
    if (type == WEIR_GGUF_ARRAY)
        return error_set(p->error, WEIR_ERR_UNSUPPORTED,
                         "at byte %zu: expected an array of scalars or strings, found an array of arrays", at);
    if (type > WEIR_GGUF_F64)
        return error_set(p->error, WEIR_ERR_FORMAT, "at byte %zu: expected an item type of 0..12, found %" PRIu32, at,
                         type);
    if (count > WEIR_GGUF_ARRAY_ITEMS_MAX)
        return error_set(p->error, WEIR_ERR_LIMIT, "at byte %zu: expected at most %d items, found %" PRIu64, at + 4,
                         WEIR_GGUF_ARRAY_ITEMS_MAX, count);
    value->item_type = (enum weir_gguf_value_type)type;
    status = type == WEIR_GGUF_STRING ? parse_strings(p, value, (size_t)count)
                                      : parse_scalars(p, value, value->item_type, (size_t)count);
    if (status) return status;
    value->count = (size_t)count;
    return WEIR_OK;
}

static enum weir_status parse_payload(struct parser *p, struct weir_gguf_value *value)
{
    size_t at = p->r.position;
    uint32_t type = 0;
    enum weir_status status = read_u32(p, &type);
    if (status) return status;
    if (type > WEIR_GGUF_F64)
        return error_set(p->error, WEIR_ERR_FORMAT, "at byte %zu: expected a value type of 0..12, found %" PRIu32, at,
                         type);
    value->type = (enum weir_gguf_value_type)type;
    if (type == WEIR_GGUF_ARRAY) return parse_array(p, value);
    if (type != WEIR_GGUF_STRING) return parse_scalars(p, value, value->type, 1);
    struct weir_string text = {0};
    status = read_string(p, WEIR_GGUF_STRING_BYTES_MAX, &text);
    if (status) return status;
    value->payload = (const uint8_t *)text.data;
    value->size = text.size;
    return WEIR_OK;
}

static enum weir_status parse_values(struct parser *p, size_t count)
{
    struct weir_gguf *gguf = p->gguf;
    gguf->values = mem_zero(count, sizeof *gguf->values);
    if (!gguf->values || !name_index_init(&gguf->keys, count)) return error_nomem(p->error, "metadata");
    gguf->value_count = count;
    for (size_t i = 0; i < count; i++) {
        struct weir_gguf_value *value = &gguf->values[i];
        enum weir_status status = read_name(p, WEIR_GGUF_KEY_BYTES_MAX, &value->key);
        if (status) return error_prefix(p->error, status, "key of metadata value %zu", i);
        status = parse_payload(p, value);
        if (status) return error_prefix(p->error, status, "key %.*s", shown_size(value->key), value->key.data);
        name_index_set(&gguf->keys, i, value->key);
    }
    gguf->values_end = p->r.position;
    const struct weir_string *twice = name_index_sort(&gguf->keys);
    if (twice)
        return error_set(p->error, WEIR_ERR_FORMAT, "key %.*s: expected once, found twice", shown_size(*twice),
                         twice->data);
    return WEIR_OK;
}

static enum weir_status find_alignment(struct parser *p)
{
    p->gguf->alignment = GGUF_ALIGNMENT_DEFAULT;
    const struct weir_gguf_value *value = weir_gguf_find(p->gguf, "general.alignment");
    if (!value) return WEIR_OK;
    if (value->type != WEIR_GGUF_U32)
        return error_set(p->error, WEIR_ERR_FORMAT, "key general.alignment: expected type u32, found %s",
                         weir_gguf_value_type_name(value->type));
    uint32_t alignment = (uint32_t)load_le(value->payload, 4);
    if (alignment < GGUF_ALIGNMENT_MIN || (alignment & (alignment - 1)) != 0)
        return error_set(p->error, WEIR_ERR_FORMAT,
                         "key general.alignment: expected a power of two of at least %d, found %" PRIu32,
                         GGUF_ALIGNMENT_MIN, alignment);
    if (alignment > WEIR_GGUF_ALIGNMENT_MAX)
        return error_set(p->error, WEIR_ERR_LIMIT, "key general.alignment: expected at most %d, found %" PRIu32,
                         WEIR_GGUF_ALIGNMENT_MAX, alignment);
    p->gguf->alignment = alignment;
    return WEIR_OK;
}

/* ---- tensors ------------------------------------------------------------------------------------------------------- */

static enum weir_status read_dims(struct parser *p, struct weir_gguf_tensor *tensor)
{
    size_t at = p->r.position;
    uint32_t n_dims = 0;
    enum weir_status status = read_u32(p, &n_dims);
    if (status) return status;
    if (n_dims < 1 || n_dims > WEIR_GGUF_DIMS_MAX)
        return error_set(p->error, WEIR_ERR_FORMAT, "at byte %zu: expected 1..%d dimensions, found %" PRIu32, at,
                         WEIR_GGUF_DIMS_MAX, n_dims);
    for (unsigned i = 0; i < WEIR_GGUF_DIMS_MAX; i++) tensor->dims[i] = 1;
    for (unsigned i = 0; !status && i < n_dims; i++) {
        status = read_u64(p, &tensor->dims[i]);
        if (!status && tensor->dims[i] == 0)
            status = error_set(p->error, WEIR_ERR_FORMAT, "dimension %u: expected at least 1, found 0", i);
    }
    tensor->n_dims = n_dims;
    return status;
}

static enum weir_status read_tensor_type(struct parser *p, struct weir_gguf_tensor *tensor)
{
    size_t at = p->r.position;
    uint32_t type = 0;
    enum weir_status status = read_u32(p, &type);
    if (status) return status;
    if (type > INT32_MAX || !weir_tensor_type_name((enum weir_tensor_type)type))
        return error_set(p->error, WEIR_ERR_UNSUPPORTED,
                         "at byte %zu: expected a known tensor type, found number %" PRIu32, at, type);
    tensor->type = (enum weir_tensor_type)type;
    return WEIR_OK;
}

/* size = dims[0] * ... * dims[3] / weights a block * bytes a block, in checked arithmetic. */
static enum weir_status measure_tensor(struct parser *p, struct weir_gguf_tensor *tensor)
{
    size_t block = weir_tensor_type_block_weights(tensor->type);
    const uint64_t *dims = tensor->dims;
    if (dims[0] % block != 0)
        return error_set(p->error, WEIR_ERR_FORMAT, "expected columns in multiples of %zu for %s, found %" PRIu64,
                         block, weir_tensor_type_name(tensor->type), dims[0]);
    size_t size = (size_t)(dims[0] / block);
    bool fits = size_mul(size, weir_tensor_type_block_bytes(tensor->type), &size);
    for (unsigned i = 1; fits && i < WEIR_GGUF_DIMS_MAX; i++) fits = size_mul(size, (size_t)dims[i], &size);
    if (!fits)
        return error_set(p->error, WEIR_ERR_FORMAT,
                         "dimensions %" PRIu64 " x %" PRIu64 " x %" PRIu64 " x %" PRIu64
                         " of %s: expected a size below 2^64 bytes, found an overflow",
                         dims[0], dims[1], dims[2], dims[3], weir_tensor_type_name(tensor->type));
    tensor->size = size;
    return WEIR_OK;
}

static enum weir_status parse_tensor(struct parser *p, struct weir_gguf_tensor *tensor, uint64_t *offset)
{
    enum weir_status status = read_dims(p, tensor);
    if (!status) status = read_tensor_type(p, tensor);
    if (!status) status = read_u64(p, offset);
    if (!status) status = measure_tensor(p, tensor);
    return status;
}

static enum weir_status parse_tensors(struct parser *p, size_t count, uint64_t *offsets)
{
    struct weir_gguf *gguf = p->gguf;
    for (size_t i = 0; i < count; i++) {
        struct weir_gguf_tensor *tensor = &gguf->tensors[i];
        enum weir_status status = read_name(p, WEIR_GGUF_TENSOR_NAME_BYTES_MAX, &tensor->name);
        if (status) return error_prefix(p->error, status, "name of tensor %zu", i);
        status = parse_tensor(p, tensor, &offsets[i]);
        if (status) return error_prefix(p->error, status, "tensor %.*s", shown_size(tensor->name), tensor->name.data);
        name_index_set(&gguf->tensor_names, i, tensor->name);
    }
    const struct weir_string *twice = name_index_sort(&gguf->tensor_names);
    if (twice)
        return error_set(p->error, WEIR_ERR_FORMAT, "tensor %.*s: expected once, found twice", shown_size(*twice),
                         twice->data);
    return WEIR_OK;
}

/* Sets tensor->data. [*free_from, file size) is what earlier tensors left: tensors lie in file order and do not overlap (as ggml
 * demands too), so all of them together are no larger than the file, whatever is later allocated for them. */
static enum weir_status place_tensor(struct parser *p, struct weir_gguf_tensor *tensor, size_t data_start,
                                     uint64_t offset, size_t *free_from)
{
    struct weir_gguf *gguf = p->gguf;
    if (offset % gguf->alignment != 0)
        return error_set(p->error, WEIR_ERR_FORMAT, "expected an offset in multiples of %zu, found %" PRIu64,
                         gguf->alignment, offset);
    size_t begin, end;
    if (!size_add(data_start, (size_t)offset, &begin) || !size_add(begin, tensor->size, &end) || end > gguf->size)
        return error_set(p->error, WEIR_ERR_FORMAT,
                         "expected it to end within the file of %zu bytes, found %zu bytes at offset %" PRIu64
                         " after byte %zu",
                         gguf->size, tensor->size, offset, data_start);
    if (begin < *free_from)
        return error_set(p->error, WEIR_ERR_FORMAT,
                         "expected it to begin at byte %zu or later, after the tensor before it, found byte %zu",
                         *free_from, begin);
    tensor->data = gguf->bytes + begin;
    *free_from = end;
    return WEIR_OK;
}

static enum weir_status place_tensors(struct parser *p, const uint64_t *offsets)
{
    struct weir_gguf *gguf = p->gguf;
    size_t mask = gguf->alignment - 1;
    size_t data_start = (p->r.position + mask) & ~mask; /* position <= WEIR_GGUF_METADATA_BYTES_MAX: no overflow */
    size_t free_from = data_start;
    for (size_t i = 0; i < gguf->tensor_count; i++) {
        struct weir_gguf_tensor *tensor = &gguf->tensors[i];
        enum weir_status status = place_tensor(p, tensor, data_start, offsets[i], &free_from);
        if (status) return error_prefix(p->error, status, "tensor %.*s", shown_size(tensor->name), tensor->name.data);
    }
    return WEIR_OK;
}

static enum weir_status parse_tensor_part(struct parser *p, size_t count)
{
    struct weir_gguf *gguf = p->gguf;
    gguf->tensors = mem_zero(count, sizeof *gguf->tensors);
    uint64_t *offsets = mem_zero(count, sizeof *offsets);
    enum weir_status status = WEIR_OK;
    if (!gguf->tensors || !offsets || !name_index_init(&gguf->tensor_names, count))
        status = error_nomem(p->error, "tensor descriptions");
    if (!status) {
        gguf->tensor_count = count;
        status = parse_tensors(p, count, offsets);
    }
    if (!status) status = place_tensors(p, offsets);
    free(offsets);
    return status;
}

enum weir_status gguf_parse(struct weir_gguf *gguf, struct weir_error *error)
{
    size_t size = gguf->size < WEIR_GGUF_METADATA_BYTES_MAX ? gguf->size : WEIR_GGUF_METADATA_BYTES_MAX;
    struct parser p = {.r = byte_reader_make(gguf->bytes, size), .gguf = gguf, .error = error};
    size_t tensor_count = 0, value_count = 0;
    enum weir_status status = parse_header(&p, &tensor_count, &value_count);
    if (!status) status = parse_values(&p, value_count);
    if (!status) status = find_alignment(&p);
    if (!status) status = parse_tensor_part(&p, tensor_count);
    return status;
}
