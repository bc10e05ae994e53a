/* Quantised matrix products with vpmaddubsw: half a strip (8 rows, a 32-bit lane each) by up to four activation rows.
 *
 * The same text as matmul_avx512vnni.c with half the lanes and 16 registers. Unsigned values below 64 are multiplied into 16-bit
 * pairs, of which as many are added as cannot overflow (16 * 127 * 15 < 2^15 and so on); bytes are multiplied as |w| and x with
 * the sign of w (|w| <= 128, |x| <= 127: a pair is at most 32512). Order of float operations: kernels.h. */
#include <immintrin.h>
#include <string.h>

#include "kernels/tiles.h"
#include "kernels/x86/matmul_x86.h"

#define INLINE static inline __attribute__((always_inline))

enum { LANES = 8, ROWS_MAX = 4 };

struct factors {
    __m256 s[2];
    __m256 m[2]; /* over the offset's unit, -8 or -32 (exact): they multiply offsets */
};

INLINE __m256 load_f16(const uint8_t *at)
{
    __m128i bits;
    memcpy(&bits, at, sizeof bits);
    return _mm256_cvtph_ps(bits);
}

INLINE __m256 load_i8(const uint8_t *at)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)at)));
}

INLINE struct factors load_factors(struct tile_format f, const uint8_t *factors, size_t b, int lane)
{
    struct factors out;
    const uint8_t *unit = factors + (f.super ? b / UNIT_BLOCKS : b) * tile_unit_bytes(f);
    const uint8_t *bytes =
        unit + (f.mins ? 4 : 2) * TILE_ROWS + b % UNIT_BLOCKS * (size_t)(f.scales + f.mins) * TILE_ROWS + lane;
    __m256 d = load_f16(unit + 2 * lane);
    for (int h = 0; h < f.scales; h++) out.s[h] = f.super ? _mm256_mul_ps(d, load_i8(bytes + h * TILE_ROWS)) : d;
    if (!f.mins) return out;
    __m256 dmin = _mm256_mul_ps(load_f16(unit + 2 * (TILE_ROWS + lane)), _mm256_set1_ps(f.mins == 2 ? 0.03125f
                                                                                        : f.super   ? 0.125f
                                                                                                    : -0.125f));
    for (int h = 0; h < f.mins; h++)
        out.m[h] = f.super ? _mm256_mul_ps(dmin, load_i8(bytes + (f.scales + h) * TILE_ROWS)) : dmin;
    return out;
}

INLINE __m256i load_line(const uint8_t *line)
{
    return _mm256_load_si256((const __m256i *)line);
}

/* value | (bits of `line`, moved so that bit `from` lands on bit `to`, under `mask`) */
INLINE __m256i add_bits(__m256i value, const uint8_t *line, int from, int to, int mask)
{
    __m256i bits = load_line(line);
    if (from < to) bits = _mm256_slli_epi16(bits, to - from);
    if (from > to) bits = _mm256_srli_epi16(bits, from - to);
    return _mm256_or_si256(value, _mm256_and_si256(bits, _mm256_set1_epi8((char)mask)));
}

/* The values of group g: unsigned, or signed for bytes and tables. `payload` is at the half's first byte. */
INLINE __m256i load_group(struct tile_format f, const uint8_t *payload, int g)
{
    const uint8_t *pairs = payload + f.nibble_lines * TILE_LINE;
    const uint8_t *bits = pairs + f.pair_lines * TILE_LINE;
    if (f.byte_lines) return _mm256_xor_si256(load_line(payload + g * TILE_LINE), _mm256_set1_epi8((char)0x80));
    __m256i value = _mm256_setzero_si256();
    int to = 0;
    if (f.nibble_lines) {
        __m256i line = load_line(payload + g % 4 * TILE_LINE);
        if (g >= 4) line = _mm256_srli_epi16(line, 4);
        value = _mm256_and_si256(line, _mm256_set1_epi8(15));
        to = 4;
    }
    if (f.table) {
        __m128i table = _mm_loadu_si128((const __m128i *)iq4_values);
        return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), value);
    }
    if (f.pair_lines) {
        value = add_bits(value, pairs + g / 4 * TILE_LINE, 2 * (g % 4), to, 3 << to);
        to += 2;
    }
    if (f.bit_lines) value = add_bits(value, bits, g, to, 1 << to);
    return value;
}

INLINE __m256i broadcast_i32(const void *at)
{
    int32_t value;
    memcpy(&value, at, sizeof value);
    return _mm256_set1_epi32(value);
}

INLINE bool is_signed(struct tile_format f)
{
    return f.byte_lines || f.table;
}

/* -zero * (sum of q), from the sum's offset: -8 times it for a block, -32 times for a half */
INLINE __m256i zero_share(struct tile_format f, const int32_t *offset)
{
    int unit = f.scales == 2 ? 32 : 8;
    if (!f.zero || is_signed(f)) return _mm256_setzero_si256();
    __m256i share = broadcast_i32(offset);
    if (f.zero == unit) return share;
    if (f.zero < unit) return _mm256_srai_epi32(share, 3); /* Q3_K: 4 of 32 */
    return _mm256_slli_epi32(share, f.zero / unit == 16 ? 4 : 1);
}

/* How many groups' pairs fit in 16 bits: a pair is at most 2 * 127 * the largest value. */
INLINE int groups_added(struct tile_format f)
{
    if (is_signed(f)) return 1;
    if (f.nibble_lines && f.pair_lines) return 2; /* 63 */
    if (f.nibble_lines && f.bit_lines) return 4;  /* 31 */
    return 8;
}

/* sum[t] += exact dot products of groups [begin, end) of a block with activation row t */
INLINE void dot_groups(struct tile_format f, const uint8_t *payload, const int8_t *q, int begin, int end, int rows,
                       __m256i *sum)
{
    __m256i pairs[ROWS_MAX];
    int step = groups_added(f);
#pragma GCC unroll 8
    for (int g = begin; g < end; g++) {
        __m256i w = load_group(f, payload, g);
        __m256i magnitude = is_signed(f) ? _mm256_abs_epi8(w) : w;
#pragma GCC unroll 4
        for (int t = 0; t < rows; t++) {
            __m256i x = broadcast_i32(q + t * ACT_BLOCK + 4 * g);
            __m256i product = _mm256_maddubs_epi16(magnitude, is_signed(f) ? _mm256_sign_epi8(x, w) : x);
            pairs[t] = (g - begin) % step ? _mm256_add_epi16(pairs[t], product) : product;
            if ((g - begin + 1) % step == 0 || g + 1 == end)
                sum[t] = _mm256_add_epi32(sum[t], _mm256_madd_epi16(pairs[t], _mm256_set1_epi16(1)));
        }
    }
}

INLINE void add_block(struct tile_format f, const uint8_t *payload, struct factors factors, const struct panel_view *p,
                      int rows, __m256 *acc)
{
    __m256i sum[ROWS_MAX];
    __m256 scaled[ROWS_MAX];
#pragma GCC unroll 2
    for (int h = 0; h < f.scales; h++) {
        const int32_t *offset = f.scales == 2 ? p->offset16 + (size_t)h * p->width : p->offset;
#pragma GCC unroll 4
        for (int t = 0; t < rows; t++) sum[t] = zero_share(f, offset + t);
        if (f.scales == 2)
            dot_groups(f, payload, p->q, h * 4, h * 4 + 4, rows, sum);
        else
            dot_groups(f, payload, p->q, 0, 8, rows, sum);
#pragma GCC unroll 4
        for (int t = 0; t < rows; t++) {
            __m256 dot = _mm256_cvtepi32_ps(sum[t]);
            scaled[t] = h ? _mm256_fmadd_ps(factors.s[1], dot, scaled[t]) : _mm256_mul_ps(factors.s[0], dot);
        }
    }
#pragma GCC unroll 4
    for (int t = 0; t < rows; t++) {
#pragma GCC unroll 2
        for (int h = 0; h < f.mins; h++) {
            const int32_t *offset = f.mins == 2 ? p->offset16 + (size_t)h * p->width : p->offset;
            scaled[t] = _mm256_fmadd_ps(factors.m[h], _mm256_cvtepi32_ps(broadcast_i32(offset + t)), scaled[t]);
        }
        acc[t] = _mm256_fmadd_ps(_mm256_set1_ps(p->d[t]), scaled[t], acc[t]);
    }
}

INLINE __m256i lane_mask(unsigned lanes)
{
    __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)lanes), bit), bit);
}

/* Rows [lane, lane + 8) of a strip. */
INLINE void half_by_rows(struct tile_format f, int rows, const uint8_t *strip, size_t blocks, int lane,
                         struct panel_view p, float *y, size_t y_stride, unsigned lanes)
{
    const uint8_t *payload = strip + 4 * lane;
    const uint8_t *factors = strip + blocks * tile_payload_bytes(f);
    __m256 acc[ROWS_MAX];
#pragma GCC unroll 4
    for (int t = 0; t < rows; t++) acc[t] = _mm256_setzero_ps();
    for (size_t b = 0; b < blocks; b++) {
        add_block(f, payload, load_factors(f, factors, b, lane), &p, rows, acc);
        payload += tile_payload_bytes(f);
        p.q += p.width * ACT_BLOCK;
        p.d += p.width;
        p.offset += p.width;
        p.offset16 += 2 * p.width;
    }
    __m256i mask = lane_mask(lanes >> lane);
#pragma GCC unroll 4
    for (int t = 0; t < rows; t++) _mm256_maskstore_ps(y + (size_t)t * y_stride + lane, mask, acc[t]);
}

INLINE void strip_by_panel(struct tile_format f, int rows, const uint8_t *strip, size_t blocks, struct panel_view p,
                           float *y, size_t y_stride, unsigned lanes)
{
    for (int lane = 0; lane < TILE_ROWS && lanes >> lane; lane += LANES)
        half_by_rows(f, rows, strip, blocks, lane, p, y, y_stride, lanes);
}

#define STRIP_KERNEL(type, rows)                                                                                 \
    static void strip_##type##_##rows(const uint8_t *strip, size_t blocks, const struct panel_view *p, float *y, \
                                      size_t y_stride, unsigned lanes)                                           \
    {                                                                                                            \
        strip_by_panel(tile_format_of(WEIR_TENSOR_##type), rows, strip, blocks, *p, y, y_stride, lanes);         \
    }
#define STRIP_KERNELS(type) STRIP_KERNEL(type, 1) STRIP_KERNEL(type, 2) STRIP_KERNEL(type, 3) STRIP_KERNEL(type, 4)
MATMUL_TYPES(STRIP_KERNELS)

#define STRIP_ENTRIES(type) \
    [WEIR_TENSOR_##type] = {NULL, strip_##type##_1, strip_##type##_2, strip_##type##_3, strip_##type##_4},
static const struct strip_kernels kernels = {ROWS_MAX, {MATMUL_TYPES(STRIP_ENTRIES)}};

static void matmul_avx2(const struct matrix *w, const struct activations *a, float *y, size_t y_stride,
                        size_t row_begin, size_t row_end)
{
    if (!w->tiles)
        matmul_ref(w, a, y, y_stride, row_begin, row_end);
    else if (!matrix_type_quantized(w->type))
        matmul_float_avx2(w, a, y, y_stride, row_begin, row_end);
    else
        matmul_strips(&kernels, w, a, y, y_stride, row_begin, row_end);
}

void kernels_init_matmul_avx2(struct kernels *k)
{
    k->tiles_bytes = tiles_bytes_all;
    k->repack = tiles_repack;
    k->matmul = matmul_avx2;
    k->quantize = quantize_avx2;
}
