/* Repacking GGUF blocks into tiles (layout: tiles.h). */
#include "kernels/tiles.h"

#include <string.h>

enum { GROUPS = 8, GROUP_COLS = 4 };

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

/* The values of a block, unpacked: [group][lane][column of the group]. */
typedef uint8_t group_values[GROUPS][TILE_LINE];

static void put_lane(group_values values, size_t lane, const int8_t *q)
{
    for (size_t g = 0; g < GROUPS; g++) memcpy(values[g] + lane * GROUP_COLS, q + g * GROUP_COLS, GROUP_COLS);
}

/* q + zero, or the index of q in the table (0 for the q of padding). */
static void store_values(struct tile_format f, group_values values)
{
    uint8_t index[256] = {0};
    for (unsigned i = 0; f.table && i < 16; i++) index[(uint8_t)iq4_values[i]] = (uint8_t)i;
    for (size_t g = 0; g < GROUPS; g++)
        for (size_t i = 0; i < TILE_LINE; i++)
            values[g][i] = f.table ? index[values[g][i]] : (uint8_t)(values[g][i] + f.zero);
}

/* Bits [shift, shift + width) of each group's values to their place in the lines: group g goes to line g % lines or
 * g / (GROUPS / lines), and within it to the next `width` bits. */
static void put_lines(uint8_t *lines, size_t count, bool interleaved, unsigned shift, unsigned width,
                      group_values values)
{
    size_t in_line = GROUPS / count;
    for (size_t g = 0; g < GROUPS; g++) {
        uint8_t *line = lines + (interleaved ? g % count : g / in_line) * TILE_LINE;
        unsigned at = width * (unsigned)(interleaved ? g / count : g % in_line);
        for (size_t i = 0; i < TILE_LINE; i++)
            line[i] |= (uint8_t)(((unsigned)values[g][i] >> shift & ((1u << width) - 1)) << at);
    }
}

/* payload was zero. */
static void put_payload(struct tile_format f, uint8_t *payload, group_values values)
{
    unsigned shift = 0;
    if (f.byte_lines) memcpy(payload, values, sizeof(group_values));
    if (f.nibble_lines) {
        put_lines(payload, f.nibble_lines, true, shift, 4, values);
        shift += 4;
    }
    payload += (size_t)f.nibble_lines * TILE_LINE;
    if (f.pair_lines) {
        put_lines(payload, f.pair_lines, false, shift, 2, values);
        shift += 2;
    }
    payload += (size_t)f.pair_lines * TILE_LINE;
    if (f.bit_lines) put_lines(payload, f.bit_lines, false, shift, 1, values);
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

/* Block b of `rows` rows from `row` on. */
static void repack_block(const struct matrix *w, struct tile_format f, size_t row, size_t rows, size_t b,
                         uint8_t *strip)
{
    size_t unit = f.super ? b / UNIT_BLOCKS : b;
    uint8_t *factors = strip + w->cols / ACT_BLOCK * tile_payload_bytes(f) + unit * tile_unit_bytes(f);
    group_values values = {{0}};
    for (size_t lane = 0; lane < rows; lane++) {
        struct weight_parts parts;
        weight_parts_read(w->type, matrix_row(w, row + lane), b, &parts);
        put_lane(values, lane, parts.q);
        put_factors(f, factors, b % UNIT_BLOCKS, lane, &parts);
    }
    store_values(f, values);
    put_payload(f, strip + b * tile_payload_bytes(f), values);
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
        size_t row = s * TILE_ROWS;
        size_t rows = w->rows - row < TILE_ROWS ? w->rows - row : TILE_ROWS;
        if (matrix_type_quantized(w->type)) {
            for (size_t b = 0; b < w->cols / ACT_BLOCK; b++) repack_block(w, f, row, rows, b, strip);
        } else {
            for (size_t lane = 0; lane < rows; lane++) repack_float_row(w, row + lane, strip);
        }
    }
}
