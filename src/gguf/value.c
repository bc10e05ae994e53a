/* Typed reads of metadata values. Bounds were checked at open; here only types and ranges are. */
#include <string.h>

#include "base/bytes.h"
#include "gguf/gguf_internal.h"

/* A number of the file, widened: as unsigned bits and, for signed types, its sign. */
struct integer {
    bool is_integer;
    bool is_negative;
    uint64_t bits; /* two's complement */
};

static uint64_t sign_extend(uint64_t bits, unsigned width)
{
    uint64_t sign = (uint64_t)1 << (width - 1);
    return (bits ^ sign) - sign;
}

static struct integer integer_at(enum weir_gguf_value_type type, const uint8_t *at)
{
    unsigned bytes = (unsigned)gguf_scalar_bytes(type);
    switch (type) {
    case WEIR_GGUF_U8:
    case WEIR_GGUF_U16:
    case WEIR_GGUF_U32:
    case WEIR_GGUF_U64:
        return (struct integer){.is_integer = true, .bits = load_le(at, bytes)};
    case WEIR_GGUF_I8:
    case WEIR_GGUF_I16:
    case WEIR_GGUF_I32:
    case WEIR_GGUF_I64: {
        uint64_t bits = sign_extend(load_le(at, bytes), 8 * bytes);
        return (struct integer){.is_integer = true, .is_negative = bits >> 63 != 0, .bits = bits};
    }
    default:
        return (struct integer){0};
    }
}

static bool u64_at(enum weir_gguf_value_type type, const uint8_t *at, uint64_t *out)
{
    struct integer integer = integer_at(type, at);
    if (!integer.is_integer || integer.is_negative) return false;
    *out = integer.bits;
    return true;
}

static bool i64_at(enum weir_gguf_value_type type, const uint8_t *at, int64_t *out)
{
    struct integer integer = integer_at(type, at);
    if (!integer.is_integer || (!integer.is_negative && integer.bits > INT64_MAX)) return false;
    memcpy(out, &integer.bits, sizeof *out);
    return true;
}

static bool f64_at(enum weir_gguf_value_type type, const uint8_t *at, double *out)
{
    if (type == WEIR_GGUF_F32) {
        *out = (double)float_from_bits((uint32_t)load_le(at, 4));
        return true;
    }
    if (type != WEIR_GGUF_F64) return false;
    uint64_t bits = load_le(at, 8);
    memcpy(out, &bits, sizeof *out);
    return true;
}

static bool bool_at(enum weir_gguf_value_type type, const uint8_t *at, bool *out)
{
    if (type != WEIR_GGUF_BOOL) return false;
    *out = *at != 0;
    return true;
}

struct weir_string weir_gguf_key(const struct weir_gguf_value *value)
{
    return value->key;
}

enum weir_gguf_value_type weir_gguf_type(const struct weir_gguf_value *value)
{
    return value->type;
}

bool weir_gguf_as_u64(const struct weir_gguf_value *value, uint64_t *out)
{
    return value && u64_at(value->type, value->payload, out);
}

bool weir_gguf_as_i64(const struct weir_gguf_value *value, int64_t *out)
{
    return value && i64_at(value->type, value->payload, out);
}

bool weir_gguf_as_f64(const struct weir_gguf_value *value, double *out)
{
    return value && f64_at(value->type, value->payload, out);
}

bool weir_gguf_as_bool(const struct weir_gguf_value *value, bool *out)
{
    return value && bool_at(value->type, value->payload, out);
}

bool weir_gguf_as_string(const struct weir_gguf_value *value, struct weir_string *out)
{
    if (!value || value->type != WEIR_GGUF_STRING) return false;
    *out = (struct weir_string){.data = (const char *)value->payload, .size = value->size};
    return true;
}

size_t weir_gguf_array_count(const struct weir_gguf_value *value)
{
    return value ? value->count : 0;
}

enum weir_gguf_value_type weir_gguf_array_type(const struct weir_gguf_value *value)
{
    return value && value->type == WEIR_GGUF_ARRAY ? value->item_type : WEIR_GGUF_U8;
}

/* The item's bytes; NULL when value is no array of scalars or index is beyond it. */
static const uint8_t *item_at(const struct weir_gguf_value *value, size_t index)
{
    if (!value || index >= value->count) return NULL; /* count is 0 for all but arrays */
    size_t bytes = gguf_scalar_bytes(value->item_type);
    return bytes ? value->payload + index * bytes : NULL;
}

bool weir_gguf_array_u64(const struct weir_gguf_value *value, size_t index, uint64_t *out)
{
    const uint8_t *at = item_at(value, index);
    return at && u64_at(value->item_type, at, out);
}

bool weir_gguf_array_i64(const struct weir_gguf_value *value, size_t index, int64_t *out)
{
    const uint8_t *at = item_at(value, index);
    return at && i64_at(value->item_type, at, out);
}

bool weir_gguf_array_f64(const struct weir_gguf_value *value, size_t index, double *out)
{
    const uint8_t *at = item_at(value, index);
    return at && f64_at(value->item_type, at, out);
}

bool weir_gguf_array_bool(const struct weir_gguf_value *value, size_t index, bool *out)
{
    const uint8_t *at = item_at(value, index);
    return at && bool_at(value->item_type, at, out);
}

bool weir_gguf_array_string(const struct weir_gguf_value *value, size_t index, struct weir_string *out)
{
    if (!value || index >= value->count || value->item_type != WEIR_GGUF_STRING) return false;
    size_t begin = (size_t)value->string_offsets[index] + 8, end = value->string_offsets[index + 1];
    *out = (struct weir_string){.data = (const char *)value->payload + begin, .size = end - begin};
    return true;
}
