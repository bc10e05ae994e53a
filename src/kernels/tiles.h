/* Tiles: weights repacked for the vector levels. 16 rows form a strip (the last one padded with zero rows); a strip is
 *
 *   payload of block 0, payload of block 1, ...     (blocks of 32 columns)
 *   factors of unit 0, factors of unit 1, ...       (a unit is a block, or the 8 blocks of a block of 256)
 *   padding to 64 bytes
 *
 * Payload. Group g of a block is columns 4g..4g+3 of the 16 rows: 64 byte-wide values, 4 consecutive columns in the 32-bit lane of
 * their row. Values are unsigned (q + zero point). A line is 64 bytes; value i of a group is made of bits of byte i of lines:
 *   TILE_NIBBLES  4 lines: line j holds group j in its low nibbles and group j + 4 in its high ones
 *   TILE_PAIRS    2 lines: line j holds groups 4j..4j+3, two bits each, group 4j + k at bits 2k, 2k + 1
 *   TILE_BYTES    8 lines: line g is group g
 *   and for types with a further bit, one line: bit g of byte i belongs to group g.
 * Q6_K is nibbles and pairs (bits 4, 5), Q5_x nibbles and a further bit (bit 4), Q3_K pairs and a further bit (bit 2).
 *
 * Factors. A unit of one block: d[16] and, with a minimum, m[16] in binary16. A unit of eight: d[16] and dmin[16] likewise, then
 * for each block the integer scales sc[16] (twice for a type with half scales) and minimums m[16] (twice likewise), a byte each.
 *
 * F32, F16, BF16: for each column the 16 values of the strip, no factors. */
#ifndef WEIR_KERNELS_TILES_H
#define WEIR_KERNELS_TILES_H

#include "kernels/quant_formats.h"

enum { TILE_LINE = 64, UNIT_BLOCKS = 8 };

struct tile_format {
    uint8_t nibble_lines, pair_lines, bit_lines, byte_lines; /* lines of a block, in this order */
    uint8_t zero;         /* zero point: the value stored is q + zero, or an index into iq4_values */
    bool table;           /* nibbles are indices into iq4_values */
    bool super;           /* a unit is eight blocks */
    uint8_t scales, mins; /* 0, 1 or 2 a block */
};

/* The format of a quantised type. Inline: the vector kernels are specialised by it. */
static inline struct tile_format tile_format_of(enum weir_tensor_type type)
{
    switch (type) {
    case WEIR_TENSOR_Q4_0:
        return (struct tile_format){.nibble_lines = 4, .zero = 8, .scales = 1};
    case WEIR_TENSOR_Q4_1:
        return (struct tile_format){.nibble_lines = 4, .scales = 1, .mins = 1};
    case WEIR_TENSOR_Q5_0:
        return (struct tile_format){.nibble_lines = 4, .bit_lines = 1, .zero = 16, .scales = 1};
    case WEIR_TENSOR_Q5_1:
        return (struct tile_format){.nibble_lines = 4, .bit_lines = 1, .scales = 1, .mins = 1};
    case WEIR_TENSOR_Q8_0:
        return (struct tile_format){.byte_lines = 8, .zero = 128, .scales = 1};
    case WEIR_TENSOR_Q2_K:
        return (struct tile_format){.pair_lines = 2, .super = true, .scales = 2, .mins = 2};
    case WEIR_TENSOR_Q3_K:
        return (struct tile_format){.pair_lines = 2, .bit_lines = 1, .zero = 4, .super = true, .scales = 2};
    case WEIR_TENSOR_Q4_K:
        return (struct tile_format){.nibble_lines = 4, .super = true, .scales = 1, .mins = 1};
    case WEIR_TENSOR_Q5_K:
        return (struct tile_format){.nibble_lines = 4, .bit_lines = 1, .super = true, .scales = 1, .mins = 1};
    case WEIR_TENSOR_Q6_K:
        return (struct tile_format){.nibble_lines = 4, .pair_lines = 2, .zero = 32, .super = true, .scales = 2};
    case WEIR_TENSOR_IQ4_NL:
        return (struct tile_format){.nibble_lines = 4, .zero = 128, .table = true, .scales = 1};
    case WEIR_TENSOR_IQ4_XS:
        return (struct tile_format){.nibble_lines = 4, .zero = 128, .table = true, .super = true, .scales = 1};
    default:
        return (struct tile_format){0};
    }
}

/* Bytes of a block's payload, of a unit's factors and of a strip. */
static inline size_t tile_payload_bytes(struct tile_format f)
{
    return (size_t)(f.nibble_lines + f.pair_lines + f.bit_lines + f.byte_lines) * TILE_LINE;
}

static inline size_t tile_unit_bytes(struct tile_format f)
{
    size_t halves = (f.mins ? 2u : 1u) * sizeof(uint16_t) * TILE_ROWS;
    return f.super ? halves + (size_t)UNIT_BLOCKS * (f.scales + f.mins) * TILE_ROWS : halves;
}

size_t tile_strip_bytes(enum weir_tensor_type type, size_t cols);

/* kernels.h, tiles_bytes and repack. */
size_t tiles_bytes_all(enum weir_tensor_type type, size_t rows, size_t cols);
void tiles_repack(const struct matrix *w, uint8_t *tiles, size_t strip_begin, size_t strip_end);

#endif
