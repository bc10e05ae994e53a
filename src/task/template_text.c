/* Texts that know where each byte came from, and the few Unicode rules of Python's str that templates rely on. */
#include <string.h>

#include "task/template_internal.h"

struct tpl_text tpl_text_c(const char *text)
{
    return (struct tpl_text){.data = text, .size = strlen(text)};
}

bool tpl_text_is(struct tpl_text text, const char *literal)
{
    return text.size == strlen(literal) && memcmp(text.data, literal, text.size) == 0;
}

bool tpl_text_equal(struct tpl_text a, struct tpl_text b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Order of code points, which is the order of UTF-8 bytes. */
int tpl_text_compare(struct tpl_text a, struct tpl_text b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

struct tpl_text tpl_text_part(struct tpl_text text, size_t begin, size_t end)
{
    return (struct tpl_text){.data = text.data + begin,
                             .size = end - begin,
                             .origins = text.origins ? text.origins + begin : NULL,
                             .origin = text.origin};
}

bool tpl_text_find(struct tpl_text text, struct tpl_text what, size_t from, size_t *at)
{
    if (from > text.size) return false;
    if (what.size == 0) {
        *at = from;
        return true;
    }
    const char *found = memmem(text.data + from, text.size - from, what.data, what.size);
    if (!found) return false;
    *at = (size_t)(found - text.data);
    return true;
}

bool tpl_text_starts(struct tpl_text text, struct tpl_text with)
{
    return with.size <= text.size && memcmp(text.data, with.data, with.size) == 0;
}

bool tpl_text_ends(struct tpl_text text, struct tpl_text with)
{
    return with.size <= text.size && memcmp(text.data + text.size - with.size, with.data, with.size) == 0;
}

bool tpl_text_is_ascii(struct tpl_text text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] >= 0x80) return false;
    return true;
}

static bool reserve(struct tpl_builder *b, size_t more)
{
    if (more <= b->capacity - b->size) return true;
    size_t need = b->size + more;
    if (need < more) return false;
    size_t capacity = b->capacity < 64 ? 64 : b->capacity;
    while (capacity < need) capacity = capacity > SIZE_MAX / 2 ? need : capacity * 2;
    char *data = tpl_alloc(b->arena, capacity, 1);
    uint8_t *origins = tpl_alloc(b->arena, capacity, 1);
    if (!data || !origins) return false;
    if (b->size) {
        memcpy(data, b->data, b->size);
        memcpy(origins, b->origins, b->size);
    }
    b->data = data;
    b->origins = origins;
    b->capacity = capacity;
    return true;
}

bool tpl_add(struct tpl_builder *b, struct tpl_text text)
{
    if (text.size == 0) return true;
    if (!reserve(b, text.size)) return false;
    memcpy(b->data + b->size, text.data, text.size);
    if (text.origins)
        memcpy(b->origins + b->size, text.origins, text.size);
    else
        memset(b->origins + b->size, text.origin, text.size);
    b->size += text.size;
    return true;
}

bool tpl_add_bytes(struct tpl_builder *b, const char *bytes, size_t size, enum tpl_origin origin)
{
    return tpl_add(b, (struct tpl_text){.data = bytes, .size = size, .origin = (uint8_t)origin});
}

struct tpl_text tpl_built(struct tpl_builder *b)
{
    if (b->size == 0) return TPL_TEXT("");
    return (struct tpl_text){.data = b->data, .size = b->size, .origins = b->origins};
}

/* Bytes of the code point at `at`: 1 for anything that is not valid UTF-8, so that every byte is passed. */
size_t tpl_char_size(const char *at, size_t left)
{
    unsigned char lead = (unsigned char)at[0];
    size_t size = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 1;
    if (lead > 0xf4 || size > left) return 1;
    for (size_t i = 1; i < size; i++)
        if (((unsigned char)at[i] & 0xc0) != 0x80) return 1;
    return size;
}

size_t tpl_char_count(struct tpl_text text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i += tpl_char_size(text.data + i, text.size - i)) count++;
    return count;
}

uint32_t tpl_char_at(const char *at, size_t size)
{
    const unsigned char *u = (const unsigned char *)at;
    if (size == 1) return u[0];
    uint32_t code = size == 2 ? u[0] & 0x1fu : size == 3 ? u[0] & 0x0fu : u[0] & 0x07u;
    for (size_t i = 1; i < size; i++) code = code << 6 | (u[i] & 0x3fu);
    return code;
}

/* str.isspace: bidirectional class WS, B or S, or category Zs (Unicode 14). */
bool tpl_is_space(uint32_t code)
{
    return (code >= 0x09 && code <= 0x0d) || (code >= 0x1c && code <= 0x20) || code == 0x85 || code == 0xa0 ||
           code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 || code == 0x202f ||
           code == 0x205f || code == 0x3000;
}

/* The start of the last code point of text[0..size): back over at most three continuation bytes to a lead that fits. */
static size_t last_char(struct tpl_text text, size_t size)
{
    size_t at = size - 1;
    while (at > 0 && size - at < 4 && ((unsigned char)text.data[at] & 0xc0) == 0x80) at--;
    return tpl_char_size(text.data + at, size - at) == size - at ? at : size - 1;
}

/* Is the code point text[at..at+size) white space, or with `chars` one of them? A stray byte is never white space. */
static bool strips(struct tpl_text text, size_t at, size_t size, const struct tpl_text *chars)
{
    if (!chars)
        return !(size == 1 && (unsigned char)text.data[at] >= 0x80) && tpl_is_space(tpl_char_at(text.data + at, size));
    for (size_t i = 0, step; i < chars->size; i += step) {
        step = tpl_char_size(chars->data + i, chars->size - i);
        if (step == size && memcmp(chars->data + i, text.data + at, size) == 0) return true;
    }
    return false;
}

static struct tpl_text strip(struct tpl_text text, const struct tpl_text *chars, bool left, bool right)
{
    size_t begin = 0, end = text.size;
    while (left && begin < end) {
        size_t size = tpl_char_size(text.data + begin, end - begin);
        if (!strips(text, begin, size, chars)) break;
        begin += size;
    }
    while (right && end > begin) {
        size_t at = last_char(text, end);
        if (at < begin || !strips(text, at, end - at, chars)) break;
        end = at;
    }
    return tpl_text_part(text, begin, end);
}

struct tpl_text tpl_strip(struct tpl_text text, bool left, bool right)
{
    return strip(text, NULL, left, right);
}

struct tpl_text tpl_strip_chars(struct tpl_text text, struct tpl_text chars, bool left, bool right)
{
    return strip(text, &chars, left, right);
}

/* Bytes of the line boundary of str.splitlines at text[at], 0: there is none. */
static size_t boundary_size(struct tpl_text text, size_t at)
{
    size_t size = tpl_char_size(text.data + at, text.size - at);
    unsigned char lead = (unsigned char)text.data[at];
    if (lead == '\r') return at + 1 < text.size && text.data[at + 1] == '\n' ? 2 : 1;
    if (size == 1) return (lead >= '\n' && lead <= '\f') || (lead >= 0x1c && lead <= 0x1e);
    uint32_t code = tpl_char_at(text.data + at, size);
    return code == 0x85 || code == 0x2028 || code == 0x2029 ? size : 0;
}

bool tpl_next_line(struct tpl_text text, size_t *at, struct tpl_text *line)
{
    size_t end = *at, size = 0;
    if (end >= text.size) return false;
    while (end < text.size && (size = boundary_size(text, end)) == 0)
        end += tpl_char_size(text.data + end, text.size - end);
    *line = tpl_text_part(text, *at, end);
    *at = end < text.size ? end + size : end;
    return true;
}
