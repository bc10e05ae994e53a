/* Quantised matrix products with vpdpbusd: a strip of 16 rows (a 32-bit lane each) by a panel of up to twelve activation rows.
 *
 * One text, always inlined, specialised by the type's tile format and the number of activation rows. A block's weights are
 * unpacked once, four columns of 16 rows a register, and multiplied into the int32 sums of all activation rows, which start from
 * the zero point's share; the float accumulators stay in registers over all columns. Order of float operations: kernels.h. */
#include <immintrin.h>
#include <string.h>

#include "kernels/tiles.h"
#include "kernels/x86/matmul_x86.h"

#define INLINE static inline __attribute__((always_inline))

enum { PREFETCH_BYTES = 4096 };

struct factors {
    __m512 s[2];
    __m512 m[2]; /* over the offset's unit, -8 or -32 (exact): they multiply offsets */
};

INLINE __m512 load_f16(const uint8_t *at)
{
    __m256i bits;
    memcpy(&bits, at, sizeof bits);
    return _mm512_cvtph_ps(bits);
}

INLINE __m512 load_i8(const uint8_t *at)
{
    __m128i bytes;
    memcpy(&bytes, at, sizeof bytes);
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
}

INLINE struct factors load_factors(struct tile_format f, const uint8_t *factors, size_t b)
{
    struct factors out;
    const uint8_t *unit = factors + (f.super ? b / UNIT_BLOCKS : b) * tile_unit_bytes(f);
    const uint8_t *bytes =
        unit + (f.mins ? 4 : 2) * TILE_ROWS + b % UNIT_BLOCKS * (size_t)(f.scales + f.mins) * TILE_ROWS;
    __m512 d = load_f16(unit);
    for (int h = 0; h < f.scales; h++) out.s[h] = f.super ? _mm512_mul_ps(d, load_i8(bytes + h * TILE_ROWS)) : d;
    if (!f.mins) return out;
    __m512 dmin = _mm512_mul_ps(load_f16(unit + 2 * TILE_ROWS), _mm512_set1_ps(f.mins == 2 ? 0.03125f
                                                                               : f.super   ? 0.125f
                                                                                           : -0.125f));
    for (int h = 0; h < f.mins; h++)
        out.m[h] = f.super ? _mm512_mul_ps(dmin, load_i8(bytes + (f.scales + h) * TILE_ROWS)) : dmin;
    return out;
}

/* value | (bits of `line`, moved so that bit `from` lands on bit `to`, under `mask`) */
INLINE __m512i add_bits(__m512i value, const uint8_t *line, int from, int to, int mask)
{
    __m512i bits = _mm512_load_si512(line);
    if (from < to) bits = _mm512_sll_epi16(bits, _mm_cvtsi32_si128(to - from));
    if (from > to) bits = _mm512_srl_epi16(bits, _mm_cvtsi32_si128(from - to));
    return _mm512_ternarylogic_epi32(value, bits, _mm512_set1_epi8((char)mask), 0xf8); /* a | (b & c) */
}

/* The unsigned values of group g. */
INLINE __m512i load_group(struct tile_format f, const uint8_t *payload, int g)
{
    const uint8_t *pairs = payload + f.nibble_lines * TILE_LINE;
    const uint8_t *bits = pairs + f.pair_lines * TILE_LINE;
    if (f.byte_lines) return _mm512_load_si512(payload + g * TILE_LINE);
    __m512i value = _mm512_setzero_si512();
    int to = 0;
    if (f.nibble_lines) {
        __m512i line = _mm512_load_si512(payload + g % 4 * TILE_LINE);
        if (g >= 4) line = _mm512_srli_epi16(line, 4);
        value = _mm512_and_si512(line, _mm512_set1_epi8(15));
        to = 4;
    }
    if (f.table) {
        __m512i table = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)iq4_values));
        return _mm512_shuffle_epi8(_mm512_xor_si512(table, _mm512_set1_epi8((char)0x80)), value);
    }
    if (f.pair_lines) {
        value = add_bits(value, pairs + g / 4 * TILE_LINE, 2 * (g % 4), to, 3 << to);
        to += 2;
    }
    if (f.bit_lines) value = add_bits(value, bits, g, to, 1 << to);
    return value;
}

INLINE __m512i broadcast_i32(const void *at)
{
    int32_t value;
    memcpy(&value, at, sizeof value);
    return _mm512_set1_epi32(value);
}

/* -zero * (sum of q), from the sum's offset: -8 times it for a block, -32 times for a half */
INLINE __m512i zero_share(struct tile_format f, const int32_t *offset)
{
    int unit = f.scales == 2 ? 32 : 8;
    if (!f.zero) return _mm512_setzero_si512();
    __m512i share = broadcast_i32(offset);
    if (f.zero == unit) return share;
    if (f.zero < unit) return _mm512_srai_epi32(share, 3); /* Q3_K: 4 of 32 */
    return _mm512_slli_epi32(share, f.zero / unit == 16 ? 4 : 1);
}

/* sum[t] = exact dot products of groups [g, end) of a block with activation row t */
INLINE void dot_groups(struct tile_format f, const uint8_t *payload, const int8_t *q, int g, int end, int rows,
                       __m512i *sum)
{
#pragma GCC unroll 12
    for (; g < end; g++) {
        __m512i w = load_group(f, payload, g);
#pragma GCC unroll 12
        for (int t = 0; t < rows; t++)
            sum[t] = _mm512_dpbusd_epi32(sum[t], w, broadcast_i32(q + t * ACT_BLOCK + 4 * g));
    }
}

INLINE void add_block(struct tile_format f, const uint8_t *payload, struct factors factors, const struct panel_view *p,
                      int rows, __m512 *acc)
{
    __m512i sum[PANEL_ROWS];
    __m512 scaled[PANEL_ROWS];
#pragma GCC unroll 2
    for (int h = 0; h < f.scales; h++) {
        const int32_t *offset = f.scales == 2 ? p->offset16 + (size_t)h * p->width : p->offset;
#pragma GCC unroll 12
        for (int t = 0; t < rows; t++) sum[t] = zero_share(f, offset + t);
        dot_groups(f, payload, p->q, h * 4, f.scales == 2 ? h * 4 + 4 : 8, rows, sum);
#pragma GCC unroll 12
        for (int t = 0; t < rows; t++) {
            __m512 dot = _mm512_cvtepi32_ps(sum[t]);
            scaled[t] = h ? _mm512_fmadd_ps(factors.s[1], dot, scaled[t]) : _mm512_mul_ps(factors.s[0], dot);
        }
    }
#pragma GCC unroll 12
    for (int t = 0; t < rows; t++) {
#pragma GCC unroll 2
        for (int h = 0; h < f.mins; h++) {
            const int32_t *offset = f.mins == 2 ? p->offset16 + (size_t)h * p->width : p->offset;
            scaled[t] = _mm512_fmadd_ps(factors.m[h], _mm512_cvtepi32_ps(broadcast_i32(offset + t)), scaled[t]);
        }
        acc[t] = _mm512_fmadd_ps(_mm512_set1_ps(p->d[t]), scaled[t], acc[t]);
    }
}

/* Asks for the weights PREFETCH_BYTES ahead, in this strip or the next one (a prefetch beyond the tiles does nothing). */
INLINE void prefetch_block(struct tile_format f, const uint8_t *payload, const uint8_t *factors, size_t b)
{
    int bytes = (int)tile_payload_bytes(f);
#pragma GCC unroll 8
    for (int i = 0; i < bytes; i += TILE_LINE) _mm_prefetch((const char *)payload + PREFETCH_BYTES + i, _MM_HINT_T0);
    if (!f.super) _mm_prefetch((const char *)factors + b * tile_unit_bytes(f) + PREFETCH_BYTES / 8, _MM_HINT_T0);
}

INLINE void strip_by_panel(struct tile_format f, int rows, const uint8_t *strip, size_t blocks, struct panel_view p,
                           float *y, size_t y_stride, unsigned lanes)
{
    const uint8_t *payload = strip;
    const uint8_t *factors = strip + blocks * tile_payload_bytes(f);
    __m512 acc[PANEL_ROWS];
#pragma GCC unroll 12
    for (int t = 0; t < rows; t++) acc[t] = _mm512_setzero_ps();
    for (size_t b = 0; b < blocks; b++) {
        prefetch_block(f, payload, factors, b);
        add_block(f, payload, load_factors(f, factors, b), &p, rows, acc);
        payload += tile_payload_bytes(f);
        p.q += p.width * ACT_BLOCK;
        p.d += p.width;
        p.offset += p.width;
        p.offset16 += 2 * p.width;
    }
#pragma GCC unroll 12
    for (int t = 0; t < rows; t++) _mm512_mask_storeu_ps(y + (size_t)t * y_stride, (__mmask16)lanes, acc[t]);
}

#define STRIP_KERNEL(type, rows)                                                                                 \
    static void strip_##type##_##rows(const uint8_t *strip, size_t blocks, const struct panel_view *p, float *y, \
                                      size_t y_stride, unsigned lanes)                                           \
    {                                                                                                            \
        strip_by_panel(tile_format_of(WEIR_TENSOR_##type), rows, strip, blocks, *p, y, y_stride, lanes);         \
    }
#define STRIP_KERNELS(type) \
    STRIP_KERNEL(type, 1)   \
    STRIP_KERNEL(type, 2)   \
    STRIP_KERNEL(type, 3)   \
    STRIP_KERNEL(type, 4)   \
    STRIP_KERNEL(type, 5)   \
    STRIP_KERNEL(type, 6)   \
    STRIP_KERNEL(type, 7)   \
    STRIP_KERNEL(type, 8) STRIP_KERNEL(type, 9) STRIP_KERNEL(type, 10) STRIP_KERNEL(type, 11) STRIP_KERNEL(type, 12)
MATMUL_TYPES(STRIP_KERNELS)

#define STRIP_ENTRIES(type)                    \
    [WEIR_TENSOR_##type] = {NULL,              \
                            strip_##type##_1,  \
                            strip_##type##_2,  \
                            strip_##type##_3,  \
                            strip_##type##_4,  \
                            strip_##type##_5,  \
                            strip_##type##_6,  \
                            strip_##type##_7,  \
                            strip_##type##_8,  \
                            strip_##type##_9,  \
                            strip_##type##_10, \
                            strip_##type##_11, \
                            strip_##type##_12},
static const struct strip_kernels kernels = {PANEL_ROWS, {MATMUL_TYPES(STRIP_ENTRIES)}};

static void matmul_avx512vnni(const struct matrix *w, const struct activations *a, float *y, size_t y_stride,
                              size_t row_begin, size_t row_end)
{
    if (!w->tiles)
        matmul_ref(w, a, y, y_stride, row_begin, row_end);
    else if (!matrix_type_quantized(w->type))
        matmul_float_avx512(w, a, y, y_stride, row_begin, row_end);
    else
        matmul_strips(&kernels, w, a, y, y_stride, row_begin, row_end);
}

void kernels_init_matmul_avx512vnni(struct kernels *k)
{
    k->tiles_bytes = tiles_bytes_all;
    k->repack = tiles_repack;
    k->matmul = matmul_avx512vnni;
    k->quantize = quantize_avx512;
}
