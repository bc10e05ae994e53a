/* Insides of the GGUF reader, shared by the files of this folder. */
#ifndef WEIR_GGUF_INTERNAL_H
#define WEIR_GGUF_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/file.h"
#include "weir/gguf.h"

_Static_assert(sizeof(size_t) == 8, "dimensions and offsets of a file are kept in size_t");

enum { GGUF_VERSION_MIN = 2, GGUF_VERSION_MAX = 3, GGUF_ALIGNMENT_DEFAULT = 32, GGUF_ALIGNMENT_MIN = 8 };

/* One metadata value. Scalars stay as little-endian bytes at `payload`; what bounds a later read (size, count, offsets)
 * is kept here, never read from the file a second time, so a file changed under the mapping cannot widen it. */
struct weir_gguf_value {
    struct weir_string key; /* in the file */
    enum weir_gguf_value_type type;
    enum weir_gguf_value_type item_type; /* arrays only */
    size_t count;                        /* items of an array */
    size_t size;                         /* bytes at payload */
    const uint8_t *payload;              /* in the file: the scalar, the string's bytes, the array's first item */
    uint32_t *string_offsets;            /* string arrays: [count + 1], owned; item i, its 8-byte length first, is
                                            payload + [offsets[i], offsets[i + 1]) */
};

/* Names sorted by (hash, size, bytes): look-up and uniqueness without quadratic cases. Zeroed is empty. */
struct name_entry {
    uint64_t hash;
    struct weir_string name; /* in the file */
    size_t index;            /* position in file order */
};

struct name_index {
    struct name_entry *entries; /* owned */
    size_t count;
};

#define NAME_NOT_FOUND SIZE_MAX

bool name_index_init(struct name_index *index, size_t count); /* false without memory */
void name_index_set(struct name_index *index, size_t at, struct weir_string name);
const struct weir_string *name_index_sort(struct name_index *index); /* a name that occurs twice, or NULL */
size_t name_index_find(const struct name_index *index, struct weir_string name);
void name_index_free(struct name_index *index);

/* Every part is valid when zero; values and tensors have their full count as soon as they are allocated. */
struct weir_gguf {
    char *name;           /* owned: path, or the name given */
    struct file_map map;  /* zero when opened from memory */
    const uint8_t *bytes; /* [size] the whole file */
    size_t size;
    uint32_t version;
    size_t alignment;
    size_t values_end; /* [0, values_end): header and metadata; tensor descriptions follow */
    struct weir_gguf_value *values;
    size_t value_count;
    struct weir_gguf_tensor *tensors;
    size_t tensor_count;
    struct name_index keys;
    struct name_index tensor_names;
    struct weir_gguf *
        *parts; /* [part_count] the model's further files, owned; tensors and tensor_names then hold those of all */
    size_t part_count;
};

/* Bytes of one scalar of the type; 0 for strings, arrays and numbers that are no type. */
size_t gguf_scalar_bytes(enum weir_gguf_value_type type);

/* One file, or bytes that outlive it, whatever it says about parts. */
enum weir_status gguf_open_bytes(const void *bytes, size_t size, const char *name, struct weir_gguf **out,
                                 struct weir_error *error) WEIR_MUST_USE;
enum weir_status gguf_open_file(const char *path, struct weir_gguf **out, struct weir_error *error) WEIR_MUST_USE;

/* Opens the other files of a model whose first is `first`, and joins their tensors to its own; a whole file stays as it is. */
enum weir_status gguf_open_parts(struct weir_gguf *first, struct weir_error *error) WEIR_MUST_USE;

/* WEIR_ERR_UNSUPPORTED for a part of a model. */
enum weir_status gguf_check_whole(const struct weir_gguf *gguf, struct weir_error *error) WEIR_MUST_USE;

/* Fills version, values and tensors of `gguf`, whose name, bytes and size are set, from its bytes. */
enum weir_status gguf_parse(struct weir_gguf *gguf, struct weir_error *error) WEIR_MUST_USE;

#endif
