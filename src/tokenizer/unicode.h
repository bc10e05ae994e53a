/* The class of a code point, as far as the pre-tokenizers' patterns ask for it. Tables: unicode_table.c (Unicode 16.0.0). */
#ifndef WEIR_TOKENIZER_UNICODE_H
#define WEIR_TOKENIZER_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

enum unicode_class { /* the numbers are those of gen_unicode.py */
                     UNICODE_OTHER = 0,
                     UNICODE_UPPER = 1,        /* Lu */
                     UNICODE_LOWER = 2,        /* Ll */
                     UNICODE_TITLE = 3,        /* Lt */
                     UNICODE_MODIFIER = 4,     /* Lm */
                     UNICODE_OTHER_LETTER = 5, /* Lo */
                     UNICODE_MARK = 6,         /* Mn, Mc, Me */
                     UNICODE_NUMBER = 7,       /* Nd, Nl, No */
                     UNICODE_SPACE = 8         /* White_Space */
};

enum { UNICODE_BLOCK = 128, UNICODE_TABLE_END = 0x34000 }; /* code points a block; the table's end */

extern const uint8_t unicode_block_index[UNICODE_TABLE_END / UNICODE_BLOCK];
extern const uint8_t unicode_blocks[]; /* UNICODE_BLOCK / 2 bytes a block; the even code point in the low half */

static inline enum unicode_class unicode_class_of(uint32_t code)
{
    if (code >= UNICODE_TABLE_END) return code >= 0xE0100 && code <= 0xE01EF ? UNICODE_MARK : UNICODE_OTHER;
    uint32_t block = unicode_block_index[code / UNICODE_BLOCK];
    uint8_t pair = unicode_blocks[(block * UNICODE_BLOCK + code % UNICODE_BLOCK) / 2];
    return (enum unicode_class)(code % 2 ? pair >> 4 : pair & 0xF);
}

static inline bool unicode_is_letter(enum unicode_class c)
{
    return c >= UNICODE_UPPER && c <= UNICODE_OTHER_LETTER;
}

#endif
