/* One step of strict UTF-8 (RFC 3629): no surrogates, no overlong forms, nothing above U+10FFFF. */
#ifndef WEIR_TOKENIZER_UTF8_H
#define WEIR_TOKENIZER_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UTF8_REPLACEMENT = 0xFFFD };

static inline bool utf8_is_tail(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

static inline bool utf8_code_is_valid(uint32_t code, size_t size)
{
    if (size == 2) return code >= 0x80;
    if (size == 3) return code >= 0x800 && !(code >= 0xD800 && code < 0xE000);
    return code >= 0x10000 && code <= 0x10FFFF;
}

/* The code point at text[0], size >= 1: returns how many bytes it takes. A byte that begins no valid character is one step of one byte and
 * reads as U+FFFD. */
static inline size_t utf8_step(const char *text, size_t size, uint32_t *code)
{
    uint8_t lead = (uint8_t)text[0];
    if (lead < 0x80) {
        *code = lead;
        return 1;
    }
    size_t need = lead >= 0xF0 && lead < 0xF8 ? 4 : lead >= 0xE0 ? 3 : 2;
    *code = UTF8_REPLACEMENT;
    if (lead < 0xC2 || lead > 0xF4 || need > size) return 1;
    uint32_t value = lead & (0x7FU >> need);
    for (size_t i = 1; i < need; i++) {
        if (!utf8_is_tail((uint8_t)text[i])) return 1;
        value = value << 6 | ((uint8_t)text[i] & 0x3FU);
    }
    if (!utf8_code_is_valid(value, need)) return 1;
    *code = value;
    return need;
}

#endif
