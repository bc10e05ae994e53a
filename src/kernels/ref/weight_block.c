/* Reading 32-column blocks of every quantised GGUF type (layouts: ggml-common.h of ggml). */
#include "kernels/quant_formats.h"

#include <string.h>

#include "base/bytes.h"

const int8_t iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

enum { SUPER = 256 / ACT_BLOCK }; /* 32-column blocks in a block of 256 */

bool matrix_type_quantized(enum weir_tensor_type type)
{
    switch (type) {
    case WEIR_TENSOR_Q4_0:
    case WEIR_TENSOR_Q4_1:
    case WEIR_TENSOR_Q5_0:
    case WEIR_TENSOR_Q5_1:
    case WEIR_TENSOR_Q8_0:
    case WEIR_TENSOR_Q2_K:
    case WEIR_TENSOR_Q3_K:
    case WEIR_TENSOR_Q4_K:
    case WEIR_TENSOR_Q5_K:
    case WEIR_TENSOR_Q6_K:
    case WEIR_TENSOR_IQ4_NL:
    case WEIR_TENSOR_IQ4_XS:
        return true;
    default:
        return false;
    }
}

bool matrix_type_supported(enum weir_tensor_type type)
{
    return matrix_type_quantized(type) || type == WEIR_TENSOR_F32 || type == WEIR_TENSOR_F16 ||
           type == WEIR_TENSOR_BF16;
}

struct quant_form quant_form_of(enum weir_tensor_type type)
{
    struct quant_form form = {0};
    form.two_scales = type == WEIR_TENSOR_Q2_K || type == WEIR_TENSOR_Q3_K || type == WEIR_TENSOR_Q6_K;
    form.two_mins = type == WEIR_TENSOR_Q2_K;
    form.has_min = form.two_mins || type == WEIR_TENSOR_Q4_1 || type == WEIR_TENSOR_Q5_1 || type == WEIR_TENSOR_Q4_K ||
                   type == WEIR_TENSOR_Q5_K;
    return form;
}

const uint8_t *matrix_row(const struct matrix *w, size_t row)
{
    size_t blocks = w->cols / weir_tensor_type_block_weights(w->type);
    return w->blocks + row * blocks * weir_tensor_type_block_bytes(w->type);
}

static uint16_t load_u16(const uint8_t *at)
{
    return (uint16_t)load_le(at, 2);
}

/* 16 bytes hold columns 0..15 in the low nibbles and 16..31 in the high ones. */
static void read_nibbles(const uint8_t *qs, int zero, int8_t *q)
{
    for (int i = 0; i < 16; i++) {
        q[i] = (int8_t)((qs[i] & 15) - zero);
        q[i + 16] = (int8_t)((qs[i] >> 4) - zero);
    }
}

static void read_nibbles_iq4(const uint8_t *qs, int8_t *q)
{
    for (int i = 0; i < 16; i++) {
        q[i] = iq4_values[qs[i] & 15];
        q[i + 16] = iq4_values[qs[i] >> 4];
    }
}

/* Nibbles, and bit c of `high` as the fifth bit of column c. */
static void read_nibbles_high(const uint8_t *qs, uint32_t high, int zero, int8_t *q)
{
    read_nibbles(qs, zero, q);
    for (int c = 0; c < ACT_BLOCK; c++) q[c] = (int8_t)(q[c] + (int)((high >> c & 1) << 4));
}

/* Q4_K and Q5_K keep a block's 32 columns in the low or high nibbles of 32 bytes. */
static void read_k_nibbles(const uint8_t *qs, size_t sub, int8_t *q)
{
    const uint8_t *at = qs + sub / 2 * 32;
    for (int c = 0; c < ACT_BLOCK; c++) q[c] = (int8_t)(sub % 2 ? at[c] >> 4 : at[c] & 15);
}

/* Eight 6-bit scales and eight 6-bit minimums in 12 bytes (block_q4_K). */
static void read_k_scale_min(const uint8_t *packed, size_t sub, struct weight_parts *out)
{
    unsigned sc, m;
    if (sub < 4) {
        sc = packed[sub] & 63u;
        m = packed[sub + 4] & 63u;
    } else {
        sc = (packed[sub + 4] & 15u) | ((unsigned)packed[sub - 4] >> 6 << 4);
        m = ((unsigned)packed[sub + 4] >> 4) | ((unsigned)packed[sub] >> 6 << 4);
    }
    out->sc[0] = out->sc[1] = (int8_t)sc;
    out->m[0] = out->m[1] = (uint8_t)m;
}

static void read_q4_k(const uint8_t *at, size_t sub, struct weight_parts *out)
{
    out->d = load_u16(at);
    out->dmin = load_u16(at + 2);
    read_k_scale_min(at + 4, sub, out);
    read_k_nibbles(at + 16, sub, out->q);
}

static void read_q5_k(const uint8_t *at, size_t sub, struct weight_parts *out)
{
    out->d = load_u16(at);
    out->dmin = load_u16(at + 2);
    read_k_scale_min(at + 4, sub, out);
    read_k_nibbles(at + 48, sub, out->q);
    for (int c = 0; c < ACT_BLOCK; c++) out->q[c] = (int8_t)(out->q[c] + ((at[16 + c] >> sub & 1) << 4));
}

/* scales[16], qs[64], d, dmin: a block's columns are a 2-bit plane of 32 bytes. */
static void read_q2_k(const uint8_t *at, size_t sub, struct weight_parts *out)
{
    const uint8_t *qs = at + 16 + sub / 4 * 32;
    for (int c = 0; c < ACT_BLOCK; c++) out->q[c] = (int8_t)(qs[c] >> 2 * (sub % 4) & 3);
    for (size_t h = 0; h < 2; h++) {
        out->sc[h] = (int8_t)(at[2 * sub + h] & 15);
        out->m[h] = at[2 * sub + h] >> 4;
    }
    out->d = load_u16(at + 80);
    out->dmin = load_u16(at + 82);
}

/* hmask[32], qs[64], scales[12], d. The third bit is subtracted where it is clear. */
static void read_q3_k(const uint8_t *at, size_t sub, struct weight_parts *out)
{
    const uint8_t *qs = at + 32 + sub / 4 * 32;
    const uint8_t *scales = at + 96;
    for (int c = 0; c < ACT_BLOCK; c++) {
        int low = qs[c] >> 2 * (sub % 4) & 3;
        out->q[c] = (int8_t)(low - (at[c] >> sub & 1 ? 0 : 4));
    }
    for (size_t h = 0; h < 2; h++) {
        size_t i = 2 * sub + h;
        int low = i < 8 ? scales[i] & 15 : scales[i - 8] >> 4;
        int high = scales[8 + i % 4] >> 2 * (i / 4) & 3;
        out->sc[h] = (int8_t)((low | high << 4) - 32);
    }
    out->d = load_u16(at + 108);
}

/* ql[128], qh[64], scales[16], d. */
static void read_q6_k(const uint8_t *at, size_t sub, struct weight_parts *out)
{
    size_t part = sub % 4; /* quarter of a half of 128 columns */
    const uint8_t *ql = at + sub / 4 * 64 + part % 2 * 32;
    const uint8_t *qh = at + 128 + sub / 4 * 32;
    for (int c = 0; c < ACT_BLOCK; c++) {
        int low = part < 2 ? ql[c] & 15 : ql[c] >> 4;
        int high = qh[c] >> 2 * part & 3;
        out->q[c] = (int8_t)((low | high << 4) - 32);
    }
    for (size_t h = 0; h < 2; h++) out->sc[h] = (int8_t)at[192 + 2 * sub + h];
    out->d = load_u16(at + 208);
}

/* d, scales_h (2 bits a block), scales_l[4] (4 bits a block), qs[128]. */
static void read_iq4_xs(const uint8_t *at, size_t sub, struct weight_parts *out)
{
    int low = at[4 + sub / 2] >> 4 * (sub % 2) & 15;
    int high = load_u16(at + 2) >> 2 * sub & 3;
    out->d = load_u16(at);
    out->sc[0] = out->sc[1] = (int8_t)((low | high << 4) - 32);
    read_nibbles_iq4(at + 8 + sub * 16, out->q);
}

void weight_parts_read(enum weir_tensor_type type, const uint8_t *row, size_t block, struct weight_parts *out)
{
    size_t bytes = weir_tensor_type_block_bytes(type);
    bool super = weir_tensor_type_block_weights(type) > ACT_BLOCK;
    const uint8_t *at = row + (super ? block / SUPER : block) * bytes;
    size_t sub = block % SUPER;
    *out = (struct weight_parts){.d = load_u16(at), .sc = {1, 1}, .m = {1, 1}};
    switch (type) {
    case WEIR_TENSOR_Q4_0:
        read_nibbles(at + 2, 8, out->q);
        break;
    case WEIR_TENSOR_Q4_1:
        out->dmin = load_u16(at + 2);
        read_nibbles(at + 4, 0, out->q);
        break;
    case WEIR_TENSOR_Q5_0:
        read_nibbles_high(at + 6, (uint32_t)load_le(at + 2, 4), 16, out->q);
        break;
    case WEIR_TENSOR_Q5_1:
        out->dmin = load_u16(at + 2);
        read_nibbles_high(at + 8, (uint32_t)load_le(at + 4, 4), 0, out->q);
        break;
    case WEIR_TENSOR_Q8_0:
        memcpy(out->q, at + 2, ACT_BLOCK);
        break;
    case WEIR_TENSOR_IQ4_NL:
        read_nibbles_iq4(at + 2, out->q);
        break;
    case WEIR_TENSOR_Q2_K:
        read_q2_k(at, sub, out);
        break;
    case WEIR_TENSOR_Q3_K:
        read_q3_k(at, sub, out);
        break;
    case WEIR_TENSOR_Q4_K:
        read_q4_k(at, sub, out);
        break;
    case WEIR_TENSOR_Q5_K:
        read_q5_k(at, sub, out);
        break;
    case WEIR_TENSOR_Q6_K:
        read_q6_k(at, sub, out);
        break;
    case WEIR_TENSOR_IQ4_XS:
        read_iq4_xs(at, sub, out);
        break;
    default:
        break;
    }
}

void weight_block_read(enum weir_tensor_type type, const uint8_t *row, size_t block, struct weight_block *out)
{
    struct weight_parts parts;
    weight_parts_read(type, row, block, &parts);
    memcpy(out->q, parts.q, sizeof out->q);
    bool subtracted = weir_tensor_type_block_weights(type) > ACT_BLOCK; /* the K types store -min */
    bool has_min = quant_form_of(type).has_min;
    float d = f16_to_f32(parts.d);
    float dmin = f16_to_f32(parts.dmin);
    for (int h = 0; h < 2; h++) {
        float m = dmin * (float)parts.m[h];
        out->scale[h] = d * (float)parts.sc[h];
        out->min[h] = !has_min ? 0 : subtracted ? -m : m;
    }
}
