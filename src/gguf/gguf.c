/* Opening and closing a GGUF file, look-ups by name and position, and the fingerprint. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "gguf/gguf_internal.h"
#include "gguf/residency.h"

/* Takes over `map`, also on failure. */
static enum weir_status open_bytes(struct file_map map, const void *bytes, size_t size, const char *name,
                                   struct weir_gguf **out, struct weir_error *error)
{
    struct weir_gguf *gguf = mem_zero(1, sizeof *gguf);
    if (!gguf) {
        file_map_close(&map);
        return error_nomem(error, "GGUF file");
    }
    *gguf = (struct weir_gguf){.map = map, .bytes = bytes, .size = size};
    gguf->name = mem_text(name, strlen(name));
    enum weir_status status = gguf->name ? gguf_parse(gguf, error) : error_nomem(error, "GGUF file name");
    if (status) {
        weir_gguf_close(&gguf);
        return error_prefix(error, status, "%s", name);
    }
    *out = gguf;
    return WEIR_OK;
}

enum weir_status gguf_open_file(const char *path, struct weir_gguf **out, struct weir_error *error)
{
    struct file_map map;
    enum weir_status status = file_map_open(path, &map, error);
    if (status) return status;
    return open_bytes(map, map.data, map.size, path, out, error);
}

enum weir_status gguf_open_bytes(const void *bytes, size_t size, const char *name, struct weir_gguf **out,
                                 struct weir_error *error)
{
    return open_bytes((struct file_map){0}, bytes, size, name, out, error);
}

enum weir_status weir_gguf_open(const char *path, struct weir_gguf **out, struct weir_error *error)
{
    if (!path || !out)
        return error_set(error, WEIR_ERR_INVALID, "weir_gguf_open: expected a path and a place for the file");
    struct weir_gguf *gguf = NULL;
    enum weir_status status = gguf_open_file(path, &gguf, error);
    if (!status) status = gguf_open_parts(gguf, error);
    if (status) {
        weir_gguf_close(&gguf);
        return status;
    }
    *out = gguf;
    return WEIR_OK;
}

enum weir_status weir_gguf_open_memory(const void *bytes, size_t size, const char *name, struct weir_gguf **out,
                                       struct weir_error *error)
{
    if ((!bytes && size) || !name || !out)
        return error_set(error, WEIR_ERR_INVALID,
                         "weir_gguf_open_memory: expected bytes, a name and a place for the file");
    struct weir_gguf *gguf = NULL;
    enum weir_status status = gguf_open_bytes(bytes, size, name, &gguf, error);
    if (!status) status = gguf_check_whole(gguf, error);
    if (status) {
        weir_gguf_close(&gguf);
        return status;
    }
    *out = gguf;
    return WEIR_OK;
}

void weir_gguf_close(struct weir_gguf **handle)
{
    struct weir_gguf *gguf = handle ? *handle : NULL;
    if (!gguf) return;
    for (size_t i = 0; i < gguf->part_count; i++) weir_gguf_close(&gguf->parts[i]); /* parts have no parts */
    free(gguf->parts);
    for (size_t i = 0; i < gguf->value_count; i++) free(gguf->values[i].string_offsets);
    free(gguf->values);
    free(gguf->tensors);
    name_index_free(&gguf->keys);
    name_index_free(&gguf->tensor_names);
    file_map_close(&gguf->map);
    free(gguf->name);
    free(gguf);
    *handle = NULL;
}

const char *weir_gguf_name(const struct weir_gguf *gguf)
{
    return gguf->name;
}

uint32_t weir_gguf_version(const struct weir_gguf *gguf)
{
    return gguf->version;
}

size_t weir_gguf_file_bytes(const struct weir_gguf *gguf)
{
    size_t bytes = gguf->size;
    for (size_t i = 0; i < gguf->part_count; i++) bytes += gguf->parts[i]->size;
    return bytes;
}

size_t weir_gguf_file_count(const struct weir_gguf *gguf)
{
    return 1 + gguf->part_count;
}

size_t weir_gguf_value_count(const struct weir_gguf *gguf)
{
    return gguf->value_count;
}

const struct weir_gguf_value *weir_gguf_value_at(const struct weir_gguf *gguf, size_t index)
{
    return index < gguf->value_count ? &gguf->values[index] : NULL;
}

static struct weir_string string_of(const char *text)
{
    return (struct weir_string){.data = text, .size = strlen(text)};
}

const struct weir_gguf_value *weir_gguf_find(const struct weir_gguf *gguf, const char *key)
{
    size_t at = name_index_find(&gguf->keys, string_of(key));
    return at == NAME_NOT_FOUND ? NULL : &gguf->values[at];
}

size_t weir_gguf_tensor_count(const struct weir_gguf *gguf)
{
    return gguf->tensor_count;
}

const struct weir_gguf_tensor *weir_gguf_tensor_at(const struct weir_gguf *gguf, size_t index)
{
    return index < gguf->tensor_count ? &gguf->tensors[index] : NULL;
}

const struct weir_gguf_tensor *weir_gguf_find_tensor(const struct weir_gguf *gguf, const char *name)
{
    size_t at = name_index_find(&gguf->tensor_names, string_of(name));
    return at == NAME_NOT_FOUND ? NULL : &gguf->tensors[at];
}

/* ---- residency ----------------------------------------------------------------------------------------------------- */

size_t gguf_metadata_bytes(const struct weir_gguf *gguf)
{
    size_t bytes = gguf->map.size;
    for (size_t i = 0; i < gguf->part_count; i++) bytes += gguf->parts[i]->map.size;
    for (size_t i = 0; i < gguf->tensor_count; i++)
        bytes -= gguf->tensors[i].size < bytes ? gguf->tensors[i].size : bytes;
    return bytes;
}

size_t gguf_index_bytes(const struct weir_gguf *gguf)
{
    size_t bytes = gguf->value_count * sizeof *gguf->values + gguf->tensor_count * sizeof *gguf->tensors +
                   (gguf->keys.count + gguf->tensor_names.count) * sizeof *gguf->keys.entries;
    for (size_t i = 0; i < gguf->value_count; i++)
        if (gguf->values[i].string_offsets) bytes += (gguf->values[i].count + 1) * sizeof(uint32_t);
    return bytes;
}

void gguf_release(const struct weir_gguf *gguf, const void *at, size_t size)
{
    file_map_release(&gguf->map, at, size);
    for (size_t i = 0; i < gguf->part_count; i++) file_map_release(&gguf->parts[i]->map, at, size);
}

void gguf_expect(const struct weir_gguf *gguf, const void *at, size_t size)
{
    file_map_expect(&gguf->map, at, size);
    for (size_t i = 0; i < gguf->part_count; i++) file_map_expect(&gguf->parts[i]->map, at, size);
}

/* ---- fingerprint --------------------------------------------------------------------------------------------------- */

enum { HASH_PIECE_BYTES = 1 << 20 };

static void hash_u64(struct hash *hash, uint64_t value)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < 8; i++) bytes[i] = (uint8_t)(value >> (8 * i));
    hash_add(hash, bytes, sizeof bytes);
}

/* Sizes come before bytes, so that no two models feed the hash the same bytes. Where a tensor lies in the file and how the
 * file is padded does not count. */
static void hash_tensor(const struct weir_gguf *gguf, struct hash *hash, const struct weir_gguf_tensor *tensor)
{
    hash_u64(hash, tensor->name.size);
    hash_add(hash, tensor->name.data, tensor->name.size);
    hash_u64(hash, (uint64_t)tensor->type);
    for (unsigned i = 0; i < WEIR_GGUF_DIMS_MAX; i++) hash_u64(hash, tensor->dims[i]);
    for (size_t done = 0; done < tensor->size;) { /* in pieces, so that the file does not become resident as a whole */
        size_t piece = tensor->size - done < HASH_PIECE_BYTES ? tensor->size - done : HASH_PIECE_BYTES;
        hash_add(hash, tensor->data + done, piece);
        gguf_release(gguf, tensor->data + done, piece);
        done += piece;
    }
}

enum weir_status weir_gguf_fingerprint(const struct weir_gguf *gguf, char hex[65])
{
    struct hash *hash = hash_open();
    if (!hash) return WEIR_ERR_NOMEM;
    hash_u64(hash, gguf->values_end);
    hash_add(hash, gguf->bytes, gguf->values_end);
    for (size_t i = 0; i < gguf->tensor_count; i++) hash_tensor(gguf, hash, &gguf->tensors[i]);
    return hash_finish(&hash, hex);
}
