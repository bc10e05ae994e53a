/* Strings and keys, byte by byte: JSON's escapes and UTF-8 outside, an automaton over code points inside.
 *
 * A character that has begun stands for a range of code points; it may go on only while one of them leads to a live state, so an
 * escape or a UTF-8 sequence never ends in nothing. */
#include "constrain/machine.h"

bool object_reaches(const struct object_shape *o, uint32_t state, const struct key_window *w)
{
    const uint32_t *reach = o->reach + (size_t)state * o->reach_words;
    if (w->rest && (reach[o->n_names / 32] >> (o->n_names % 32) & 1)) return true;
    if (w->low > w->high) return false;
    uint32_t first = w->low / 32, last = w->high / 32;
    for (uint32_t i = first; i <= last; i++) {
        uint32_t bits = reach[i];
        if (i == first) bits &= UINT32_MAX << (w->low % 32);
        if (i == last) bits &= UINT32_MAX >> (31 - w->high % 32);
        if (bits) return true;
    }
    return false;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

struct key_window object_window(const struct object_shape *o, const struct frame *f)
{
    struct key_window w = {.low = 1, .high = 0};
    uint32_t at = f->place, required = o->required_from[at];
    uint64_t then = (uint64_t)f->count + 1;
    if (then > o->max || (required && then + required - 1 > o->max)) return w;
    w.rest = o->rest && required == 0;
    if (at < o->n_names) {
        w.low = then + required > o->max ? o->limit[at] : at;
        w.high = smaller(o->limit[at], o->n_names - 1);
        if (w.low == o->n_names) w.low = w.high + 1; /* only a required one may come, and there is none */
        while (w.high + 1 > w.low && !o->rest && then + o->possible_from[w.high + 1] < o->min) {
            if (w.high == 0) return (struct key_window){.low = 1, .high = 0, .rest = w.rest};
            w.high--;
        }
    }
    for (uint32_t e = 0; e < o->n_needs; e++) {
        if ((f->seen >> e & 1) || o->need_rest[e]) continue;
        w.rest = false;
        if (o->need_last[e] <= w.low) return (struct key_window){.low = 1, .high = 0};
        w.high = smaller(w.high, o->need_last[e] - 1);
    }
    return w;
}

/* Whether the string or key of *f may go on with `code`; *next is its frame then. */
static bool frame_code(const struct frame *f, const struct key_window *w, uint32_t code, struct frame *next)
{
    *next = *f;
    next->partial = PARTIAL_NONE;
    next->left = next->size = 0;
    next->bits = 0;
    if (f->kind == FRAME_OBJECT) {
        const struct object_shape *o = f->shape;
        next->state = dfa_step(o->keys, f->state, code);
        return next->state != DFA_DEAD && object_reaches(o, next->state, w);
    }
    const struct string_shape *s = f->shape;
    next->state = dfa_step(s->dfa, f->state, code);
    if (next->state == DFA_DEAD) return false;
    if (s->max == COUNT_ANY && f->count >= s->min) return true; /* the count tells nothing any more */
    next->count = f->count + 1;
    return s->max == COUNT_ANY || (uint64_t)next->count + s->to_accept[next->state] <= s->max;
}

struct key_window frame_window(const struct frame *f)
{
    return f->kind == FRAME_OBJECT ? object_window(f->shape, f) : (struct key_window){.low = 1};
}

const struct dfa *frame_language(const struct frame *f)
{
    if (f->kind == FRAME_OBJECT) return ((const struct object_shape *)f->shape)->keys;
    return ((const struct string_shape *)f->shape)->dfa;
}

/* Whether some code point of [low, high] can come next. */
static bool live_between(const struct frame *f, const struct key_window *w, uint32_t low, uint32_t high)
{
    const struct dfa *dfa = frame_language(f);
    struct frame next;
    if (low > high) return false;
    if (frame_code(f, w, low, &next)) return true;
    for (uint32_t i = 0; i < dfa->n_ranges && dfa->ranges[i].first <= high; i++)
        if (dfa->ranges[i].first > low && frame_code(f, w, dfa->ranges[i].first, &next)) return true;
    return false;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* Code points of [low, high] that are no surrogates. */
static bool live_scalars(const struct frame *f, const struct key_window *w, uint32_t low, uint32_t high)
{
    return live_between(f, w, low, smaller(high, 0xD7FF)) || live_between(f, w, larger(low, 0xE000), high);
}

static enum read_result finish_code(struct frame *f, const struct key_window *w, uint32_t code)
{
    struct frame next;
    if (!frame_code(f, w, code, &next)) return READ_DEAD;
    *f = next;
    return READ_ON;
}

static enum read_result read_utf8(struct frame *f, const struct key_window *w, uint8_t byte)
{
    static const uint32_t lowest[5] = {0, 0, 0x80, 0x800, 0x10000}, highest[5] = {0, 0, 0x7FF, 0xFFFF, 0x10FFFF};
    if (f->partial == PARTIAL_NONE) {
        if (byte < 0xC2 || byte > 0xF4) return READ_DEAD;
        unsigned size = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
        f->partial = PARTIAL_UTF8;
        f->size = (uint8_t)(size & 7);
        f->left = (uint8_t)((size - 1) & 7);
        f->bits = byte & (0x7FU >> size);
    } else {
        if ((byte & 0xC0) != 0x80) return READ_DEAD;
        f->bits = f->bits << 6 | (byte & 0x3FU);
        f->left = (uint8_t)((f->left - 1U) & 7);
    }
    uint32_t low = f->bits << (6 * f->left), high = low | ((1U << (6 * f->left)) - 1);
    low = larger(low, lowest[f->size]);
    high = smaller(high, highest[f->size]);
    if (f->left == 0) return low > high || (low >= 0xD800 && low < 0xE000) ? READ_DEAD : finish_code(f, w, low);
    return live_scalars(f, w, low, high) ? READ_ON : READ_DEAD;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static uint32_t pair_code(uint32_t high_ten, uint32_t low)
{
    return 0x10000 + (high_ten << 10) + (low - 0xDC00);
}

/* Whether \u with digits that stand for [low, high] can lead on. */
static bool live_unit(const struct frame *f, const struct key_window *w, uint32_t low, uint32_t high)
{
    if (live_scalars(f, w, low, high)) return true;
    uint32_t first = larger(low, 0xD800), last = smaller(high, 0xDBFF);
    return first <= last && live_between(f, w, pair_code(first - 0xD800, 0xDC00), pair_code(last - 0xD800, 0xDFFF));
}

static enum read_result read_hex(struct frame *f, const struct key_window *w, uint8_t byte)
{
    int digit = hex_value(byte);
    if (digit < 0) return READ_DEAD;
    f->bits = f->bits << 4 | (uint32_t)digit;
    f->left = (uint8_t)((f->left - 1U) & 7);
    uint32_t low = f->bits << (4 * f->left), high = low | ((1U << (4 * f->left)) - 1);
    if (!live_unit(f, w, low, high)) return READ_DEAD;
    if (f->left) return READ_ON;
    if (low < 0xD800 || low >= 0xE000) return finish_code(f, w, low);
    f->partial = PARTIAL_LOW;
    f->bits = (low - 0xD800) << 16;
    return READ_ON;
}

static enum read_result read_low_hex(struct frame *f, const struct key_window *w, uint8_t byte)
{
    int digit = hex_value(byte);
    if (digit < 0) return READ_DEAD;
    uint32_t ten = f->bits >> 16, unit = (f->bits & 0xFFFF) << 4 | (uint32_t)digit;
    f->bits = ten << 16 | unit;
    f->left = (uint8_t)((f->left - 1U) & 7);
    uint32_t low = larger(unit << (4 * f->left), 0xDC00);
    uint32_t high = smaller((unit << (4 * f->left)) | ((1U << (4 * f->left)) - 1), 0xDFFF);
    if (low > high) return READ_DEAD;
    if (f->left == 0) return finish_code(f, w, pair_code(ten, low));
    return live_between(f, w, pair_code(ten, low), pair_code(ten, high)) ? READ_ON : READ_DEAD;
}

static enum read_result read_escape(struct frame *f, const struct key_window *w, uint8_t byte)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (byte == 'u') {
        f->partial = PARTIAL_HEX;
        f->left = 4;
        f->bits = 0;
        return live_unit(f, w, 0, 0xFFFF) ? READ_ON : READ_DEAD;
    }
    for (size_t i = 0; from[i]; i++)
        if ((uint8_t)from[i] == byte) return finish_code(f, w, (uint8_t)to[i]);
    return READ_DEAD;
}

static enum read_result read_partial(struct frame *f, const struct key_window *w, uint8_t byte)
{
    switch (f->partial) {
    case PARTIAL_UTF8:
        return read_utf8(f, w, byte);
    case PARTIAL_ESCAPE:
        return read_escape(f, w, byte);
    case PARTIAL_HEX:
        return read_hex(f, w, byte);
    case PARTIAL_LOW:
        f->partial = PARTIAL_LOW_U;
        return byte == '\\' ? READ_ON : READ_DEAD;
    case PARTIAL_LOW_U:
        f->partial = PARTIAL_LOW_HEX;
        f->left = 4;
        return byte == 'u' ? READ_ON : READ_DEAD;
    default:
        return read_low_hex(f, w, byte);
    }
}

/* Whether the string or key may end here. */
static bool may_close(const struct frame *f, const struct key_window *w)
{
    if (f->kind == FRAME_STRING) {
        const struct string_shape *s = f->shape;
        return s->dfa->accept[f->state] && f->count >= s->min;
    }
    const struct object_shape *o = f->shape;
    uint32_t label = o->keys->accept[f->state];
    if (label > o->n_names) return w->rest;
    return label && w->low <= label - 1 && label - 1 <= w->high;
}

enum read_result string_read(struct frame *f, const struct key_window *w, uint8_t byte)
{
    if (f->partial != PARTIAL_NONE) return read_partial(f, w, byte);
    if (byte >= 0x80) return read_utf8(f, w, byte);
    if (byte == '"') return may_close(f, w) ? READ_CLOSED : READ_DEAD;
    if (byte < 0x20) return READ_DEAD;
    if (byte != '\\') return finish_code(f, w, byte);
    f->partial = PARTIAL_ESCAPE;
    return live_between(f, w, 0, 0xD7FF) || live_between(f, w, 0xE000, DFA_CODE_END - 1) ? READ_ON : READ_DEAD;
}

uint32_t frame_only_code(const struct frame *f)
{
    struct key_window window = frame_window(f), *w = &window;
    const struct dfa *dfa = frame_language(f);
    uint32_t only = UINT32_MAX;
    struct frame next;
    if (f->partial != PARTIAL_NONE || may_close(f, w)) return UINT32_MAX;
    for (uint32_t i = 0; i < dfa->n_ranges; i++) {
        uint32_t first = dfa->ranges[i].first;
        uint32_t end = i + 1 < dfa->n_ranges ? dfa->ranges[i + 1].first : DFA_CODE_END;
        if (!frame_code(f, w, first, &next)) continue;
        if (only != UINT32_MAX || end - first != 1) return UINT32_MAX;
        only = first;
    }
    return only;
}
