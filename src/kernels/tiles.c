/* Repacking GGUF blocks into tiles (layout: tiles.h). */
#include "kernels/tiles.h"

#include <string.h>

enum { GROUP_COLS = 4 };

size_t tile_strip_bytes(enum weir_tensor_type type, size_t cols)
{
    if (!matrix_type_quantized(type)) {
        size_t bytes = cols * weir_tensor_type_block_bytes(type) * TILE_ROWS;
        return (bytes + TILE_LINE - 1) / TILE_LINE * TILE_LINE;
    }
    struct tile_format f = tile_format_of(type);
    size_t blocks = cols / ACT_BLOCK;
    size_t units = f.super ? blocks / UNIT_BLOCKS : blocks;
    size_t bytes = blocks * tile_payload_bytes(f) + units * tile_unit_bytes(f);
    return (bytes + TILE_LINE - 1) / TILE_LINE * TILE_LINE;
}

size_t tiles_bytes_all(enum weir_tensor_type type, size_t rows, size_t cols)
{
    return (rows + TILE_ROWS - 1) / TILE_ROWS * tile_strip_bytes(type, cols);
}

/* The value stored for a weight: q + zero, or the index of q in the table. */
static uint8_t stored_value(struct tile_format f, int8_t q)
{
    if (!f.table) return (uint8_t)(q + f.zero);
    uint8_t index = 0;
    while (iq4_values[index] != q) index++;
    return index;
}

/* Adds one value (group g, byte i) to a payload that was zero. */
static void put_value(struct tile_format f, uint8_t *payload, size_t g, size_t i, unsigned value)
{
    uint8_t *pairs = payload + (size_t)f.nibble_lines * TILE_LINE;
    uint8_t *bits = pairs + (size_t)f.pair_lines * TILE_LINE;
    unsigned rest = value;
    if (f.byte_lines) {
        payload[g * TILE_LINE + i] = (uint8_t)value;
        return;
    }
    if (f.nibble_lines) {
        payload[g % 4 * TILE_LINE + i] |= (uint8_t)((rest & 15) << 4 * (g / 4));
        rest >>= 4;
    }
    if (f.pair_lines) {
        pairs[g / 4 * TILE_LINE + i] |= (uint8_t)((rest & 3) << 2 * (g % 4));
        rest >>= 2;
    }
    if (f.bit_lines) bits[i] |= (uint8_t)((rest & 1) << g);
}

static void put_payload(struct tile_format f, uint8_t *payload, size_t lane, const int8_t *q)
{
    for (size_t c = 0; c < ACT_BLOCK; c++)
        put_value(f, payload, c / GROUP_COLS, lane * GROUP_COLS + c % GROUP_COLS, stored_value(f, q[c]));
}

static void put_factors(struct tile_format f, uint8_t *unit, size_t sub, size_t lane, const struct weight_parts *parts)
{
    memcpy(unit + 2 * lane, &parts->d, 2);
    uint8_t *at = unit + 2 * TILE_ROWS;
    if (f.mins) {
        memcpy(at + 2 * lane, &parts->dmin, 2);
        at += 2 * TILE_ROWS;
    }
    if (!f.super) return;
    at += sub * (f.scales + f.mins) * TILE_ROWS + lane;
    for (size_t h = 0; h < f.scales; h++) at[h * TILE_ROWS] = (uint8_t)parts->sc[h];
    for (size_t h = 0; h < f.mins; h++) at[(f.scales + h) * TILE_ROWS] = parts->m[h];
}

static void repack_row(const struct matrix *w, struct tile_format f, size_t row, uint8_t *strip)
{
    size_t blocks = w->cols / ACT_BLOCK;
    const uint8_t *from = matrix_row(w, row);
    uint8_t *factors = strip + blocks * tile_payload_bytes(f);
    for (size_t b = 0; b < blocks; b++) {
        struct weight_parts parts;
        weight_parts_read(w->type, from, b, &parts);
        put_payload(f, strip + b * tile_payload_bytes(f), row % TILE_ROWS, parts.q);
        size_t unit = f.super ? b / UNIT_BLOCKS : b;
        put_factors(f, factors + unit * tile_unit_bytes(f), b % UNIT_BLOCKS, row % TILE_ROWS, &parts);
    }
}

static void repack_float_row(const struct matrix *w, size_t row, uint8_t *strip)
{
    size_t bytes = weir_tensor_type_block_bytes(w->type);
    const uint8_t *from = matrix_row(w, row);
    for (size_t c = 0; c < w->cols; c++)
        memcpy(strip + (c * TILE_ROWS + row % TILE_ROWS) * bytes, from + c * bytes, bytes);
}

void tiles_repack(const struct matrix *w, uint8_t *tiles, size_t strip_begin, size_t strip_end)
{
    size_t strip_bytes = tile_strip_bytes(w->type, w->cols);
    struct tile_format f = tile_format_of(w->type);
    for (size_t s = strip_begin; s < strip_end; s++) {
        uint8_t *strip = tiles + s * strip_bytes;
        memset(strip, 0, strip_bytes);
        for (size_t row = s * TILE_ROWS; row < (s + 1) * TILE_ROWS && row < w->rows; row++) {
            if (matrix_type_quantized(w->type))
                repack_row(w, f, row, strip);
            else
                repack_float_row(w, row, strip);
        }
    }
}
