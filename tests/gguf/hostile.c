/* Each maker writes one kind of file from the numbers of its row; the table below says which numbers. Classes after
 * the CVE texts (Talos, GitHub advisories, oss-security); the bytes are ours. */
#include "gguf/hostile.h"

#include <stdlib.h>
#include <string.h>

#include "weir/gguf.h"

static void put(struct strbuf *out, const void *bytes, size_t size)
{
    if (strbuf_add(out, bytes, size)) abort(); /* out of memory in a test */
}

static void put_uint(struct strbuf *out, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) put(out, &(uint8_t){(uint8_t)(value >> (8 * i))}, 1);
}

static void put_zeros(struct strbuf *out, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) put(out, "", 1);
}

static void put_text(struct strbuf *out, const char *text)
{
    put_uint(out, strlen(text), 8);
    put(out, text, strlen(text));
}

static void put_header(struct strbuf *out, uint64_t tensors, uint64_t values)
{
    put(out, "GGUF", 4);
    put_uint(out, 3, 4);
    put_uint(out, tensors, 8);
    put_uint(out, values, 8);
}

static void put_key(struct strbuf *out, const char *key, uint64_t type)
{
    put_text(out, key);
    put_uint(out, type, 4);
}

static void put_tensor(struct strbuf *out, const char *name, uint64_t type, const uint64_t *dims, uint64_t n_dims,
                       uint64_t offset)
{
    put_text(out, name);
    put_uint(out, n_dims, 4);
    for (uint64_t i = 0; i < n_dims && i < 8; i++) put_uint(out, dims[i], 8);
    put_uint(out, type, 4);
    put_uint(out, offset, 8);
}

static void pad(struct strbuf *out)
{
    while (out->size % 32) put(out, "", 1);
}

/* ---- makers -------------------------------------------------------------------------------------------------------- */

/* First four bytes: n[0]; version: n[1]. */
static void make_header(struct strbuf *out, const struct hostile *self)
{
    put_uint(out, self->n[0], 4);
    put_uint(out, self->n[1], 4);
    put_zeros(out, 16);
}

/* n[0] tensors, n[1] values, then n[2] bytes. */
static void make_counts(struct strbuf *out, const struct hostile *self)
{
    put_header(out, self->n[0], self->n[1]);
    put_zeros(out, self->n[2]);
}

/* A key of n[0] declared bytes, of which "ab" and NULs are there, n[1] in all. */
static void make_key_size(struct strbuf *out, const struct hostile *self)
{
    put_header(out, 0, 1);
    put_uint(out, self->n[0], 8);
    if (self->n[1]) put(out, "ab", 2);
    put_zeros(out, self->n[1] ? self->n[1] - 2 : 16);
}

/* A string value of n[0] declared bytes, "abc" there. */
static void make_string(struct strbuf *out, const struct hostile *self)
{
    put_header(out, 0, 1);
    put_key(out, "general.name", WEIR_GGUF_STRING);
    put_uint(out, self->n[0], 8);
    put(out, "abc", 3);
}

/* A vocabulary of two tokens, the second of n[0] declared bytes, "x" there. */
static void make_token(struct strbuf *out, const struct hostile *self)
{
    put_header(out, 0, 1);
    put_key(out, "tokenizer.ggml.tokens", WEIR_GGUF_ARRAY);
    put_uint(out, WEIR_GGUF_STRING, 4);
    put_uint(out, 2, 8);
    put_text(out, "ok");
    put_uint(out, self->n[0], 8);
    put(out, "x", 1);
}

/* An array of n[1] items of type n[0], n[2] bytes there. */
static void make_array(struct strbuf *out, const struct hostile *self)
{
    put_header(out, 0, 1);
    put_key(out, "tokenizer.ggml.scores", WEIR_GGUF_ARRAY);
    put_uint(out, self->n[0], 4);
    put_uint(out, self->n[1], 8);
    put_zeros(out, self->n[2]);
}

/* Arrays of one array each, n[0] deep. */
static void make_nested_arrays(struct strbuf *out, const struct hostile *self)
{
    put_header(out, 0, 1);
    put_key(out, "deep", WEIR_GGUF_ARRAY);
    for (uint64_t i = 0; i < self->n[0]; i++) {
        put_uint(out, WEIR_GGUF_ARRAY, 4);
        put_uint(out, 1, 8);
    }
}

/* A value of type n[0], low n[2] bytes of n[1]. */
static void make_value(struct strbuf *out, const struct hostile *self)
{
    put_header(out, 0, 1);
    put_key(out, "general.alignment", self->n[0]);
    put_uint(out, self->n[1], (unsigned)self->n[2]);
}

/* An array of two bools, the second n[0]. */
static void make_bools(struct strbuf *out, const struct hostile *self)
{
    put_header(out, 0, 1);
    put_key(out, "flags", WEIR_GGUF_ARRAY);
    put_uint(out, WEIR_GGUF_BOOL, 4);
    put_uint(out, 2, 8);
    put_uint(out, 1, 1);
    put_uint(out, self->n[0], 1);
}

/* The same key twice. */
static void make_key_twice(struct strbuf *out, const struct hostile *self)
{
    (void)self;
    put_header(out, 0, 3);
    for (int i = 0; i < 3; i++) {
        put_key(out, i == 1 ? "other" : "same", WEIR_GGUF_U8);
        put_uint(out, 1, 1);
    }
}

/* One tensor of type n[0] and n[1] dimensions n[2], n[3], n[4], n[5], at offset n[6], with n[7] bytes of data. */
static void make_tensor(struct strbuf *out, const struct hostile *self)
{
    put_header(out, 1, 0);
    put_tensor(out, "w", self->n[0], self->n + 2, self->n[1], self->n[6]);
    pad(out);
    put_zeros(out, self->n[7]);
}

/* A tensor with a name of n[0] letters. */
static void make_tensor_name(struct strbuf *out, const struct hostile *self)
{
    char name[256];
    memset(name, 'n', sizeof name);
    name[self->n[0]] = 0;
    put_header(out, 1, 0);
    put_tensor(out, name, WEIR_TENSOR_F32, (uint64_t[]){8}, 1, 0);
    pad(out);
    put_zeros(out, 32);
}

/* Two I8 tensors of n[0] and n[1] bytes at offsets n[2] and n[3], of the same name when n[4]; 96 bytes of data. */
static void make_two_tensors(struct strbuf *out, const struct hostile *self)
{
    put_header(out, 2, 0);
    put_tensor(out, "v", WEIR_TENSOR_I8, &self->n[0], 1, self->n[2]);
    put_tensor(out, self->n[4] ? "v" : "w", WEIR_TENSOR_I8, &self->n[1], 1, self->n[3]);
    pad(out);
    put_zeros(out, 96);
}

/* ---- the table ----------------------------------------------------------------------------------------------------- */

#define MAGIC 0x46554747u
#define ALL_ONES UINT64_MAX

/* clang-format off */
const struct hostile hostile_files[] = {
    /* header.n_kv and header.n_tensors times the size of a record overflowed. */
    {"cve-2024-23605-values-all-ones", make_counts, {0, ALL_ONES}, WEIR_ERR_LIMIT, "at most 65536 metadata values"},
    {"cve-2024-23605-values-wrap", make_counts, {0, 0x0555555555555556u, 64}, WEIR_ERR_LIMIT, "metadata values, found 384307168202282326"},
    {"cve-2024-23605-values-beyond-file", make_counts, {0, 65536, 64}, WEIR_ERR_FORMAT, "65536 metadata values"},
    {"cve-2024-21836-tensors-all-ones", make_counts, {ALL_ONES, 0}, WEIR_ERR_LIMIT, "at most 65536 tensors"},
    {"cve-2024-21836-tensors-wrap", make_counts, {0x02e8ba2e8ba2e8bbu, 0, 64}, WEIR_ERR_LIMIT, "tensors, found"},
    {"cve-2024-21836-tensors-beyond-file", make_counts, {65536, 0, 64}, WEIR_ERR_FORMAT, "65536 tensors"},
    /* Product of the dimensions. */
    {"cve-2024-21802-dims-wrap-to-0", make_tensor, {WEIR_TENSOR_F32, 2, 1ull << 32, 1ull << 32, 0, 0, 0, 32}, WEIR_ERR_FORMAT, "overflow"},
    {"cve-2024-21802-dims-negative", make_tensor, {WEIR_TENSOR_F32, 1, ALL_ONES, 0, 0, 0, 0, 32}, WEIR_ERR_FORMAT, "overflow"},
    /* Array items times item size; string size plus one. */
    {"cve-2024-21825-array-wrap", make_array, {WEIR_GGUF_U64, 0x2000000000000001u, 64}, WEIR_ERR_LIMIT, "at most 16777216 items"},
    {"cve-2024-21825-strings-wrap", make_array, {WEIR_GGUF_STRING, 0x1000000000000001u, 64}, WEIR_ERR_LIMIT, "items, found"},
    {"cve-2024-23496-string-all-ones", make_string, {ALL_ONES}, WEIR_ERR_LIMIT, "key general.name: at byte 48: expected a string"},
    {"cve-2024-23496-key-all-ones", make_key_size, {ALL_ONES, 16}, WEIR_ERR_LIMIT, "key of metadata value 0"},
    /* A token's size became a negative 32-bit number. */
    {"cve-2025-49847-token-2g", make_token, {0x80000001u}, WEIR_ERR_LIMIT, "item 1: at byte"},
    {"cve-2025-49847-token-all-ones", make_token, {ALL_ONES}, WEIR_ERR_LIMIT, "key tokenizer.ggml.tokens: item 1"},
    {"cve-2025-49847-token-beyond-file", make_token, {2}, WEIR_ERR_FORMAT, "item 1: at byte 87: expected 2 more bytes, found 1"},
    /* The sum of the padded tensor sizes overflowed. */
    {"cve-2025-53630-pad-wraps", make_two_tensors, {ALL_ONES - 30, 32, 0, 0}, WEIR_ERR_FORMAT, "tensor v: expected it to end within"},
    {"cve-2025-53630-sum-wraps", make_two_tensors, {32, ALL_ONES - 63, 0, 32}, WEIR_ERR_FORMAT, "tensor w: expected it to end within"},
    {"cve-2025-53630-offset-wraps", make_two_tensors, {32, 32, 0, ALL_ONES - 31}, WEIR_ERR_FORMAT, "tensor w: expected it to end within"},
    /* ggml_nbytes: blocks times block size. */
    {"cve-2026-27940-nbytes-wraps", make_tensor, {WEIR_TENSOR_Q4_0, 2, 1ull << 62, 32, 0, 0, 0, 32}, WEIR_ERR_FORMAT, "of Q4_0: expected a size below"},
    {"cve-2026-33298-nbytes-wraps-4d", make_tensor, {WEIR_TENSOR_F16, 4, 65536, 65536, 65536, 32768, 0, 32}, WEIR_ERR_FORMAT, "65536 x 65536 x 65536 x 32768 of F16"},
    /* GGML_PAD with an alignment that is no power of two, 0, or close to the largest number. */
    {"alignment-0", make_value, {WEIR_GGUF_U32, 0, 4}, WEIR_ERR_FORMAT, "power of two of at least 8, found 0"},
    {"alignment-3", make_value, {WEIR_GGUF_U32, 3, 4}, WEIR_ERR_FORMAT, "found 3"},
    {"alignment-4", make_value, {WEIR_GGUF_U32, 4, 4}, WEIR_ERR_FORMAT, "found 4"},
    {"alignment-48", make_value, {WEIR_GGUF_U32, 48, 4}, WEIR_ERR_FORMAT, "found 48"},
    {"alignment-all-ones", make_value, {WEIR_GGUF_U32, 0xffffffffu, 4}, WEIR_ERR_FORMAT, "found 4294967295"},
    {"alignment-2g", make_value, {WEIR_GGUF_U32, 0x80000000u, 4}, WEIR_ERR_LIMIT, "at most 65536, found 2147483648"},
    {"alignment-128k", make_value, {WEIR_GGUF_U32, 1 << 17, 4}, WEIR_ERR_LIMIT, "at most 65536"},
    {"alignment-u64", make_value, {WEIR_GGUF_U64, 32, 8}, WEIR_ERR_FORMAT, "expected type u32, found u64"},
    {"alignment-i32", make_value, {WEIR_GGUF_I32, 32, 4}, WEIR_ERR_FORMAT, "expected type u32, found i32"},
    /* "Bleeding Llama": a tensor larger than the file. */
    {"cve-2026-7482-size-beyond-file", make_tensor, {WEIR_TENSOR_F32, 2, 1024, 1024, 0, 0, 0, 32}, WEIR_ERR_FORMAT, "found 4194304 bytes at offset 0"},
    {"cve-2026-7482-one-byte-beyond", make_tensor, {WEIR_TENSOR_I8, 1, 33, 0, 0, 0, 0, 32}, WEIR_ERR_FORMAT, "found 33 bytes"},
    {"cve-2026-7482-offset-beyond-file", make_tensor, {WEIR_TENSOR_I8, 1, 32, 0, 0, 0, 1 << 20, 32}, WEIR_ERR_FORMAT, "at offset 1048576"},
    {"cve-2026-7482-no-data", make_tensor, {WEIR_TENSOR_F32, 1, 8, 0, 0, 0, 0, 0}, WEIR_ERR_FORMAT, "end within the file of 64 bytes"},
    /* Metadata that asks for memory the file cannot fill (ollama #17042). */
    {"ollama-17042-array-1t", make_array, {WEIR_GGUF_U8, 1ull << 40, 64}, WEIR_ERR_LIMIT, "found 1099511627776"},
    {"ollama-17042-array-16m", make_array, {WEIR_GGUF_F64, 1 << 24, 64}, WEIR_ERR_FORMAT, "expected 134217728 more bytes, found 64"},
    {"ollama-17042-strings-16m", make_array, {WEIR_GGUF_STRING, 1 << 24, 64}, WEIR_ERR_FORMAT, "expected 134217728 more bytes, found 64"},
    {"ollama-17042-string-16m", make_string, {1 << 24}, WEIR_ERR_FORMAT, "expected 16777216 more bytes, found 3"},
    /* Recursion on arrays. */
    {"array-of-arrays", make_nested_arrays, {1}, WEIR_ERR_UNSUPPORTED, "key deep: at byte 40: expected an array of scalars"},
    {"array-of-arrays-deep", make_nested_arrays, {1000}, WEIR_ERR_UNSUPPORTED, "array of arrays"},

    {"magic-ggml", make_header, {0x67676d6cu, 3}, WEIR_ERR_FORMAT, "found 6c 6d 67 67"},
    {"version-0", make_header, {MAGIC, 0}, WEIR_ERR_UNSUPPORTED, "version 2 or 3, found 0"},
    {"version-1", make_header, {MAGIC, 1}, WEIR_ERR_UNSUPPORTED, "version 2 or 3, found 1"},
    {"version-4", make_header, {MAGIC, 4}, WEIR_ERR_UNSUPPORTED, "version 2 or 3, found 4"},
    {"big-endian", make_header, {MAGIC, 0x03000000u}, WEIR_ERR_UNSUPPORTED, "big-endian"},
    {"key-empty", make_key_size, {0, 0}, WEIR_ERR_FORMAT, "expected a name, found none"},
    {"key-nul", make_key_size, {4, 16}, WEIR_ERR_FORMAT, "found 0x00"},
    {"key-64k", make_key_size, {65536, 16}, WEIR_ERR_LIMIT, "at most 65535 bytes"},
    {"key-twice", make_key_twice, {0}, WEIR_ERR_FORMAT, "key same: expected once, found twice"},
    {"value-type-13", make_value, {13, 0, 8}, WEIR_ERR_FORMAT, "value type of 0..12, found 13"},
    {"value-type-all-ones", make_value, {0xffffffffu, 0, 8}, WEIR_ERR_FORMAT, "found 4294967295"},
    {"value-cut", make_value, {WEIR_GGUF_U64, 0, 4}, WEIR_ERR_FORMAT, "expected 8 more bytes, found 4"},
    {"item-type-13", make_array, {13, 1, 8}, WEIR_ERR_FORMAT, "item type of 0..12, found 13"},
    {"bool-2", make_value, {WEIR_GGUF_BOOL, 2, 1}, WEIR_ERR_FORMAT, "bool of 0 or 1, found 2"},
    {"bools-255", make_bools, {255}, WEIR_ERR_FORMAT, "bool of 0 or 1, found 255"},
    {"tensor-0-dims", make_tensor, {WEIR_TENSOR_F32, 0, 0, 0, 0, 0, 0, 32}, WEIR_ERR_FORMAT, "1..4 dimensions, found 0"},
    {"tensor-5-dims", make_tensor, {WEIR_TENSOR_F32, 5, 1, 1, 1, 1, 1, 32}, WEIR_ERR_FORMAT, "1..4 dimensions, found 5"},
    {"tensor-2g-dims", make_tensor, {WEIR_TENSOR_F32, 0x80000000u, 1, 1, 1, 1, 1, 32}, WEIR_ERR_FORMAT, "found 2147483648"},
    {"tensor-zero-columns", make_tensor, {WEIR_TENSOR_F32, 2, 0, 8, 0, 0, 0, 32}, WEIR_ERR_FORMAT, "dimension 0: expected at least 1"},
    {"tensor-zero-rows", make_tensor, {WEIR_TENSOR_F32, 2, 8, 0, 0, 0, 0, 32}, WEIR_ERR_FORMAT, "dimension 1: expected at least 1"},
    {"tensor-type-4", make_tensor, {4, 1, 32, 0, 0, 0, 0, 32}, WEIR_ERR_UNSUPPORTED, "known tensor type, found number 4"},
    {"tensor-type-all-ones", make_tensor, {0xffffffffu, 1, 32, 0, 0, 0, 0, 32}, WEIR_ERR_UNSUPPORTED, "number 4294967295"},
    {"tensor-columns-33", make_tensor, {WEIR_TENSOR_Q8_0, 1, 33, 0, 0, 0, 0, 64}, WEIR_ERR_FORMAT, "multiples of 32 for Q8_0, found 33"},
    {"tensor-columns-128-of-k", make_tensor, {WEIR_TENSOR_Q4_K, 1, 128, 0, 0, 0, 0, 160}, WEIR_ERR_FORMAT, "multiples of 256 for Q4_K"},
    {"tensor-offset-8", make_tensor, {WEIR_TENSOR_F32, 1, 8, 0, 0, 0, 8, 64}, WEIR_ERR_FORMAT, "offset in multiples of 32, found 8"},
    {"tensor-name-128", make_tensor_name, {128}, WEIR_ERR_LIMIT, "name of tensor 0"},
    {"tensor-name-empty", make_tensor_name, {0}, WEIR_ERR_FORMAT, "expected a name"},
    {"tensor-twice", make_two_tensors, {32, 32, 0, 32, 1}, WEIR_ERR_FORMAT, "tensor v: expected once, found twice"},
    {"tensors-overlap", make_two_tensors, {33, 32, 0, 32}, WEIR_ERR_FORMAT, "tensor w: expected it to begin at byte"},
    {"tensors-same-place", make_two_tensors, {32, 32, 32, 32}, WEIR_ERR_FORMAT, "after the tensor before it"},
};
/* clang-format on */
const unsigned long hostile_count = sizeof hostile_files / sizeof *hostile_files;
