/* Reading GGUF model files (versions 2 and 3, little-endian), from a source that is not trusted.
 *
 * Order: weir_gguf_open, then look-ups, then weir_gguf_close. An open file is immutable; every function but open and close may
 * be called from many threads. Everything a getter returns points into the file object and lives until close.
 * All counts, lengths, offsets and sizes are checked at open against named limits and the size of the file: after a
 * successful open every tensor lies inside the file and every string and array inside its bounds.
 * Format: github.com/ggml-org/ggml docs/gguf.md. */
#ifndef WEIR_GGUF_H
#define WEIR_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Limits: a file beyond one of them is refused with WEIR_ERR_LIMIT. */
enum {
    WEIR_GGUF_KVS_MAX = 65536,
    WEIR_GGUF_TENSORS_MAX = 65536,
    WEIR_GGUF_KEY_BYTES_MAX = 65535, /* gguf.md: at most 2^16 - 1 */
    WEIR_GGUF_TENSOR_NAME_BYTES_MAX = 127,
    WEIR_GGUF_DIMS_MAX = 4,
    WEIR_GGUF_ARRAY_ITEMS_MAX = 1 << 24,
    WEIR_GGUF_STRING_BYTES_MAX = 1 << 24,
    WEIR_GGUF_ALIGNMENT_MAX = 1 << 16,
    WEIR_GGUF_METADATA_BYTES_MAX = 1 << 28, /* header, metadata and tensor descriptions together */
    WEIR_GGUF_PARTS_MAX = 1024              /* files of one model */
};

/* Metadata value types, numbered as in the file. */
/* clang-format off */
enum weir_gguf_value_type {
    WEIR_GGUF_U8 = 0,
    WEIR_GGUF_I8 = 1,
    WEIR_GGUF_U16 = 2,
    WEIR_GGUF_I16 = 3,
    WEIR_GGUF_U32 = 4,
    WEIR_GGUF_I32 = 5,
    WEIR_GGUF_F32 = 6,
    WEIR_GGUF_BOOL = 7,
    WEIR_GGUF_STRING = 8,
    WEIR_GGUF_ARRAY = 9,
    WEIR_GGUF_U64 = 10,
    WEIR_GGUF_I64 = 11,
    WEIR_GGUF_F64 = 12
};
/* clang-format on */

/* Tensor element types, numbered as in the file (ggml.h, enum ggml_type): X(NAME, number, weights a block, bytes a block).
 * The reader knows the size of each; which of them the engine computes with is the engine's business. */
/* clang-format off */
#define WEIR_TENSOR_TYPE_MAP(X)                                                                                 \
    X(F32, 0, 1, 4) X(F16, 1, 1, 2) X(Q4_0, 2, 32, 18) X(Q4_1, 3, 32, 20) X(Q5_0, 6, 32, 22) X(Q5_1, 7, 32, 24) \
    X(Q8_0, 8, 32, 34) X(Q8_1, 9, 32, 36) X(Q2_K, 10, 256, 84) X(Q3_K, 11, 256, 110) X(Q4_K, 12, 256, 144)      \
    X(Q5_K, 13, 256, 176) X(Q6_K, 14, 256, 210) X(Q8_K, 15, 256, 292) X(IQ2_XXS, 16, 256, 66)                   \
    X(IQ2_XS, 17, 256, 74) X(IQ3_XXS, 18, 256, 98) X(IQ1_S, 19, 256, 50) X(IQ4_NL, 20, 32, 18)                  \
    X(IQ3_S, 21, 256, 110) X(IQ2_S, 22, 256, 82) X(IQ4_XS, 23, 256, 136) X(I8, 24, 1, 1) X(I16, 25, 1, 2)       \
    X(I32, 26, 1, 4) X(I64, 27, 1, 8) X(F64, 28, 1, 8) X(IQ1_M, 29, 256, 56) X(BF16, 30, 1, 2)                  \
    X(TQ1_0, 34, 256, 54) X(TQ2_0, 35, 256, 66) X(MXFP4, 39, 32, 17)
/* clang-format on */

enum weir_tensor_type {
#define WEIR_TENSOR_TYPE_ENUM(name, number, weights, bytes) WEIR_TENSOR_##name = number,
    WEIR_TENSOR_TYPE_MAP(WEIR_TENSOR_TYPE_ENUM)
#undef WEIR_TENSOR_TYPE_ENUM
};

/* Bytes that need not end in NUL, and may hold any bytes. */
struct weir_string {
    const char *data;
    size_t size;
};

struct weir_gguf;       /* an open file */
struct weir_gguf_value; /* one metadata value inside it */

struct weir_gguf_tensor {
    struct weir_string name;
    enum weir_tensor_type type;
    unsigned n_dims;                   /* 1..4 */
    uint64_t dims[WEIR_GGUF_DIMS_MAX]; /* dims[0] is the contiguous one: columns; dims[1]: rows; 1 beyond n_dims */
    const uint8_t *data;               /* `size` bytes inside the file, from a multiple of the file's alignment */
    size_t size;
};

/* Maps and checks `path`. A model in several files (keys split.*, NAME-00001-of-00003.gguf and so on) is opened by the name of its
 * first; the others are opened too, and their tensors follow those of the first. */
WEIR_API enum weir_status weir_gguf_open(const char *path, struct weir_gguf **out,
                                         struct weir_error *error) WEIR_MUST_USE;

/* The same over bytes in memory, which must outlive the file object; `name` is for error texts. */
WEIR_API enum weir_status weir_gguf_open_memory(const void *bytes, size_t size, const char *name,
                                                struct weir_gguf **out, struct weir_error *error) WEIR_MUST_USE;
WEIR_API void weir_gguf_close(struct weir_gguf **gguf); /* accepts NULL inside; leaves NULL */

WEIR_API const char *weir_gguf_name(const struct weir_gguf *gguf);  /* path, or the name given */
WEIR_API uint32_t weir_gguf_version(const struct weir_gguf *gguf);  /* 2 or 3 */
WEIR_API size_t weir_gguf_file_count(const struct weir_gguf *gguf); /* 1, or the parts of the model */
WEIR_API size_t weir_gguf_file_bytes(const struct weir_gguf *gguf); /* of all of them */

/* SHA-256 over the metadata part and, for each tensor, its name, type, shape and data: 64 hexadecimal digits and a NUL. Reads the
 * whole file. */
WEIR_API enum weir_status weir_gguf_fingerprint(const struct weir_gguf *gguf, char hex[65]) WEIR_MUST_USE;

WEIR_API size_t weir_gguf_value_count(const struct weir_gguf *gguf);
WEIR_API const struct weir_gguf_value *weir_gguf_value_at(const struct weir_gguf *gguf,
                                                          size_t index); /* file order; index below count */
WEIR_API const struct weir_gguf_value *weir_gguf_find(const struct weir_gguf *gguf,
                                                      const char *key); /* NULL: no such key */
WEIR_API struct weir_string weir_gguf_key(const struct weir_gguf_value *value);
WEIR_API enum weir_gguf_value_type weir_gguf_type(const struct weir_gguf_value *value);
WEIR_API const char *weir_gguf_value_type_name(enum weir_gguf_value_type type); /* "u32", "string", ... */

/* Typed reads: false, *out untouched, when `value` is NULL or the type (or range) does not fit. Integers convert between widths
 * when the number fits; floats only from f32/f64. */
WEIR_API bool weir_gguf_as_u64(const struct weir_gguf_value *value, uint64_t *out);
WEIR_API bool weir_gguf_as_i64(const struct weir_gguf_value *value, int64_t *out);
WEIR_API bool weir_gguf_as_f64(const struct weir_gguf_value *value, double *out);
WEIR_API bool weir_gguf_as_bool(const struct weir_gguf_value *value, bool *out);
WEIR_API bool weir_gguf_as_string(const struct weir_gguf_value *value, struct weir_string *out);

/* Arrays (of scalars or strings; arrays of arrays are refused at open). Count 0 and type U8 when value is no array. */
WEIR_API size_t weir_gguf_array_count(const struct weir_gguf_value *value);
WEIR_API enum weir_gguf_value_type weir_gguf_array_type(const struct weir_gguf_value *value);
WEIR_API bool weir_gguf_array_u64(const struct weir_gguf_value *value, size_t index, uint64_t *out);
WEIR_API bool weir_gguf_array_i64(const struct weir_gguf_value *value, size_t index, int64_t *out);
WEIR_API bool weir_gguf_array_f64(const struct weir_gguf_value *value, size_t index, double *out);
WEIR_API bool weir_gguf_array_bool(const struct weir_gguf_value *value, size_t index, bool *out);
WEIR_API bool weir_gguf_array_string(const struct weir_gguf_value *value, size_t index, struct weir_string *out);

WEIR_API size_t weir_gguf_tensor_count(const struct weir_gguf *gguf);
WEIR_API const struct weir_gguf_tensor *weir_gguf_tensor_at(const struct weir_gguf *gguf, size_t index);
WEIR_API const struct weir_gguf_tensor *weir_gguf_find_tensor(const struct weir_gguf *gguf,
                                                              const char *name); /* NULL: none */

/* "Q4_1"; NULL for a number that is no tensor type. Block sizes in weights and bytes. */
WEIR_API const char *weir_tensor_type_name(enum weir_tensor_type type);
WEIR_API size_t weir_tensor_type_block_weights(enum weir_tensor_type type);
WEIR_API size_t weir_tensor_type_block_bytes(enum weir_tensor_type type);

#ifdef __cplusplus
}
#endif
#endif
