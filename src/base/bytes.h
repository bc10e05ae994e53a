/* The bounded reader every parser of foreign bytes goes through, and little-endian loads.
 *
 * A read past the end returns zero, moves nothing and sets `failed`; the caller checks once per record. Fields are
 * copied byte by byte, so alignment is never assumed. */
#ifndef WEIR_BASE_BYTES_H
#define WEIR_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct byte_reader {
    const uint8_t *base; /* not owned */
    size_t size;
    size_t position; /* <= size, always */
    bool failed;     /* sticky */
};

static inline struct byte_reader byte_reader_make(const void *base, size_t size)
{
    return (struct byte_reader){.base = base, .size = size};
}

static inline size_t byte_reader_left(const struct byte_reader *r)
{
    return r->size - r->position;
}

/* `count` bytes at the position, which moves past them; NULL and `failed` when there are fewer. */
static inline const uint8_t *byte_reader_take(struct byte_reader *r, size_t count)
{
    if (r->failed || count > byte_reader_left(r)) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *at = r->base + r->position;
    r->position += count;
    return at;
}

static inline uint64_t load_le(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static inline uint64_t byte_reader_uint(struct byte_reader *r, unsigned bytes)
{
    const uint8_t *at = byte_reader_take(r, bytes);
    return at ? load_le(at, bytes) : 0;
}

static inline uint8_t byte_reader_u8(struct byte_reader *r)
{
    return (uint8_t)byte_reader_uint(r, 1);
}
static inline uint16_t byte_reader_u16(struct byte_reader *r)
{
    return (uint16_t)byte_reader_uint(r, 2);
}
static inline uint32_t byte_reader_u32(struct byte_reader *r)
{
    return (uint32_t)byte_reader_uint(r, 4);
}
static inline uint64_t byte_reader_u64(struct byte_reader *r)
{
    return byte_reader_uint(r, 8);
}

static inline float float_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline double double_from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t float_to_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

#endif
